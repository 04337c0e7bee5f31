/* The loop's turns, deadlines and bells; the log's lines. */
#include "runtime/loop/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/loop/log.h"
#include "tests/test.h"

struct client {
	struct loop *loop;
	struct loop_wake *wake;
	uint64_t deadline;
	uint32_t turns, ticks, rings, terminated, hangups;
	uint32_t reads, reads_at_turn; /* sockets that were read; how many when the turn came */
	uint64_t tick_ms;
	uint32_t stop_after_ticks, stop_after_rings;
	uint32_t idle_left, idles, turns_at_idle; /* pieces of idle work; how many were done, in which turn the last */
};

static void turn(void *context, uint64_t now_ms)
{
	struct client *c = context;

	CHECK(now_ms > 1600000000000ull);
	c->turns++;
	if (c->reads && !c->reads_at_turn)
		c->reads_at_turn = c->reads;
}

/* A piece is never done twice in one turn: the sockets are looked at in between. */
static bool idle(void *context)
{
	struct client *c = context;

	CHECK(c->turns > c->turns_at_idle);
	c->turns_at_idle = c->turns;
	if (!c->idle_left)
		return false;
	c->idles++;
	return --c->idle_left > 0;
}

static uint64_t deadline(void *context)
{
	return ((struct client *)context)->deadline;
}

static void tick(void *context, uint64_t now_ms)
{
	struct client *c = context;

	c->tick_ms = now_ms;
	c->ticks++;
	c->deadline = c->stop_after_ticks > c->ticks ? now_ms + 20 : UINT64_MAX;
	if (c->ticks == c->stop_after_ticks)
		loop_stop(c->loop);
}

static void terminate(void *context)
{
	struct client *c = context;

	c->terminated++;
	loop_stop(c->loop);
}

static void hangup(void *context)
{
	((struct client *)context)->hangups++;
	kill(getpid(), SIGTERM);
}

static void on_ring(void *context)
{
	struct client *c = context;

	if (++c->rings == c->stop_after_rings)
		loop_stop(c->loop);
}

static void client_open(struct client *c, bool signals)
{
	struct loop_client lc = { .context = c, .turn = turn, .idle = idle, .deadline = deadline, .tick = tick,
				  .terminate = signals ? terminate : NULL, .hangup = signals ? hangup : NULL };

	memset(c, 0, sizeof(*c));
	c->deadline = UINT64_MAX;
	c->loop = loop_new(&lc);
	c->wake = loop_wake_new(c->loop, on_ring, c);
}

static void client_close(struct client *c)
{
	loop_wake_free(c->wake);
	loop_free(c->loop);
}

TEST(deadlines_are_kept)
{
	struct client c;
	uint64_t begin;

	client_open(&c, false);
	begin = loop_now_ms(c.loop);
	c.deadline = begin + 30;
	c.stop_after_ticks = 3;
	loop_run(c.loop);
	CHECK_EQ(c.ticks, 3);
	CHECK(c.tick_ms >= begin + 70 && c.tick_ms < begin + 3000);
	client_close(&c);
}

TEST(a_deadline_that_has_passed_ticks_at_once)
{
	struct client c;

	client_open(&c, false);
	c.deadline = 1;
	c.stop_after_ticks = 1;
	loop_run(c.loop);
	CHECK_EQ(c.ticks, 1);
	client_close(&c);
}

TEST(idle_work_is_done_piece_by_piece_and_then_the_loop_sleeps)
{
	struct client c;
	uint64_t begin;

	client_open(&c, false);
	begin = loop_now_ms(c.loop);
	c.idle_left = 5;
	c.deadline = begin + 60;
	c.stop_after_ticks = 1;
	loop_wake_ring(c.wake);
	loop_run(c.loop);
	CHECK_EQ(c.idles, 5);
	CHECK_EQ(c.ticks, 1);
	CHECK(c.turns < 30); /* it did not spin until the deadline */
	client_close(&c);
}

static void *ring_from_thread(void *context)
{
	for (int i = 0; i < 50; i++) {
		loop_wake_ring(((struct client *)context)->wake);
		usleep(500);
	}
	return NULL;
}

TEST(other_threads_ring)
{
	struct client c;
	pthread_t t;

	client_open(&c, false);
	c.stop_after_rings = 3;
	CHECK(!pthread_create(&t, NULL, ring_from_thread, &c));
	loop_run(c.loop);
	pthread_join(t, NULL);
	CHECK(c.rings >= 3 && c.turns >= 3);
	client_close(&c);
}

/* ---- Sockets before the turn ---- */

struct reader {
	uv_poll_t poll;
	int fds[2];
	struct client *client;
};

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct reader *r = p->data;
	char byte;

	(void)status;
	(void)events;
	CHECK_EQ(read(r->fds[0], &byte, 1), 1);
	if (++r->client->reads == 8)
		loop_stop(r->client->loop);
}

TEST(all_that_is_readable_is_read_before_the_turn)
{
	struct client c;
	struct reader readers[8];

	client_open(&c, false);
	for (int i = 0; i < 8; i++) {
		CHECK(!pipe(readers[i].fds));
		readers[i].client = &c;
		readers[i].poll.data = &readers[i];
		uv_poll_init(loop_uv(c.loop), &readers[i].poll, readers[i].fds[0]);
		uv_poll_start(&readers[i].poll, UV_READABLE, on_readable);
		CHECK_EQ(write(readers[i].fds[1], "x", 1), 1);
	}
	loop_run(c.loop);
	CHECK_EQ(c.reads_at_turn, 8);
	for (int i = 0; i < 8; i++) {
		uv_close((uv_handle_t *)&readers[i].poll, NULL);
		close(readers[i].fds[1]);
	}
	client_close(&c);
	for (int i = 0; i < 8; i++)
		close(readers[i].fds[0]);
}

TEST(signals_ask_to_end)
{
	struct client c;

	client_open(&c, true);
	kill(getpid(), SIGHUP); /* whose handler sends SIGTERM */
	loop_run(c.loop);
	CHECK_EQ(c.hangups, 1);
	CHECK_EQ(c.terminated, 1);
	client_close(&c);
}

/* ---- The log ---- */

static char log_path[64];

static const char *log_text(void)
{
	char *text = test_alloc(8192);
	int fd = open(log_path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, text, 8191);
	CHECK(n >= 0);
	text[n] = 0;
	close(fd);
	return text;
}

static struct log_file *open_log(enum log_level level)
{
	struct log_file *l;
	int fd;

	strcpy(log_path, "/tmp/lampo-log-XXXXXX");
	fd = mkstemp(log_path);
	CHECK(fd >= 0);
	close(fd);
	l = log_file_open(log_path, level);
	CHECK(l);
	return l;
}

TEST(lines_have_time_level_and_room)
{
	struct log_file *l = open_log(LOG_INFO);
	const char *text;

	log_write(log_file_sink(l), LOG_DEBUG, "peer", "not this");
	log_write(log_file_sink(l), LOG_WARN, "peer", "%d peers", 3);
	text = log_text();
	CHECK_EQ(strlen(text), strlen("2026-11-23T12:50:01.123Z WARN  peer: 3 peers\n"));
	CHECK(text[4] == '-' && text[10] == 'T' && text[23] == 'Z');
	CHECK_STR(text + 25, "WARN  peer: 3 peers\n");
	log_file_close(l);
	unlink(log_path);
}

TEST(no_text_forges_a_line)
{
	struct log_file *l = open_log(LOG_TRACE);

	log_write(log_file_sink(l), LOG_TRACE, "peer", "a\nb\x1b[2Jc\\x0a\xff");
	CHECK_STR(log_text() + 25, "TRACE peer: a\\x0ab\\x1b[2Jc\\x0a\\xff\n");
	log_file_close(l);
	unlink(log_path);
}

TEST(a_rotated_log_goes_on_in_a_new_file)
{
	struct log_file *l = open_log(LOG_INFO);
	char moved[80];

	log_write(log_file_sink(l), LOG_INFO, "x", "one");
	snprintf(moved, sizeof(moved), "%s.1", log_path);
	CHECK(!rename(log_path, moved));
	log_file_reopen(l);
	log_write(log_file_sink(l), LOG_INFO, "x", "two");
	CHECK_STR(log_text() + 25, "INFO  x: two\n");
	log_file_close(l);
	unlink(log_path);
	unlink(moved);
}

TEST(fatal_says_why_and_ends)
{
	struct log_file *l = open_log(LOG_INFO);
	int status;
	pid_t child = fork();

	if (child == 0)
		log_fatal(log_file_sink(l), "store", "the disk is %s", "full");
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EXIT_FAILURE);
	CHECK_STR(log_text() + 25, "ERROR store: the disk is full\n");
	log_file_close(l);
	unlink(log_path);
}

TEST(a_log_that_cannot_be_written_is_refused)
{
	CHECK(!log_file_open("/nonexistent/lampo/log", LOG_INFO));
}
