#include "runtime/loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct loop {
	uv_loop_t uv;
	struct loop_client client;
	uv_check_t check;     /* after the sockets */
	uv_prepare_t prepare; /* before sleeping: for what timers and idle work brought */
	uv_idle_t idle;       /* while there is idle work: keeps the loop from sleeping */
	uv_timer_t timer;
	uv_signal_t signals[3];
	uint64_t last_ms;
	uint64_t deadline_ms; /* the client's, as it was when it was last asked */
	uint64_t look_ms;     /* not before it is asked again */
	uint64_t armed_ms;    /* when the timer wakes us */
	bool stopped;
};

/* libuv's own (uv_async_t) has the loop spin until the thread that rings is done with it, and that thread may have been
 * put aside by the very loop.  Here nobody waits for anybody. */
struct loop_wake {
	uv_poll_t poll;
	int fd;
	atomic_bool rung; /* since the loop last looked */
	void (*call)(void *context);
	void *context;
};

uint64_t loop_now_ms(struct loop *l)
{
	struct timespec now;
	uint64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (ms > l->last_ms)
		l->last_ms = ms;
	return l->last_ms;
}

static void on_timer(uv_timer_t *t)
{
	struct loop *l = t->data;
	uint64_t now = loop_now_ms(l);

	l->armed_ms = UINT64_MAX; /* the next turn arms it again */
	if (l->deadline_ms > now)
		return; /* only time to ask again, or the clock was set back */
	l->look_ms = 0;
	l->client.tick(l->client.context, now);
}

/* The clock on the wall may jump: never sleep so long that it matters. */
#define SLEEP_MOST_MS 10000u
/* The client looks at all its peers and channels for its deadline, and a payment takes many turns: it is not asked in
 * each.  A deadline may be late by this. */
#define LOOK_MS 10u

static void wake_at(struct loop *l, uint64_t at, uint64_t now)
{
	uint64_t sleep = at > now ? at - now : 0;

	if (at == l->armed_ms)
		return;
	l->armed_ms = at;
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, on_timer, sleep < SLEEP_MOST_MS ? sleep : SLEEP_MOST_MS, 0);
}

static void arm(struct loop *l)
{
	uint64_t now = loop_now_ms(l);

	if (now < l->look_ms) {
		if (l->armed_ms > l->look_ms)
			wake_at(l, l->look_ms, now);
		return;
	}
	l->look_ms = now + LOOK_MS;
	l->deadline_ms = l->client.deadline(l->client.context);
	if (l->deadline_ms != UINT64_MAX) {
		wake_at(l, l->deadline_ms, now);
	} else {
		l->armed_ms = UINT64_MAX;
		uv_timer_stop(&l->timer);
	}
}

static void turn(struct loop *l)
{
	l->client.turn(l->client.context, loop_now_ms(l));
	arm(l);
}

static void on_idle(uv_idle_t *h)
{
	(void)h;
}

static void on_check(uv_check_t *h)
{
	struct loop *l = h->data;

	turn(l);
	if (l->client.idle && l->client.idle(l->client.context))
		uv_idle_start(&l->idle, on_idle);
	else
		uv_idle_stop(&l->idle);
}

static void on_prepare(uv_prepare_t *h)
{
	turn(h->data);
}

static void on_signal(uv_signal_t *h, int number)
{
	struct loop *l = h->data;

	if (number == SIGHUP)
		l->client.hangup(l->client.context);
	else
		l->client.terminate(l->client.context);
}

static void watch_signal(struct loop *l, int slot, int number, bool wanted)
{
	uv_signal_init(&l->uv, &l->signals[slot]);
	l->signals[slot].data = l;
	if (wanted)
		uv_signal_start(&l->signals[slot], on_signal, number);
	uv_unref((uv_handle_t *)&l->signals[slot]);
}

struct loop *loop_new(const struct loop_client *client)
{
	struct loop *l = NEW(struct loop);

	l->client = *client;
	l->armed_ms = l->deadline_ms = UINT64_MAX;
	ASSERT(!uv_loop_init(&l->uv));
	uv_check_init(&l->uv, &l->check);
	uv_prepare_init(&l->uv, &l->prepare);
	uv_idle_init(&l->uv, &l->idle);
	uv_timer_init(&l->uv, &l->timer);
	l->check.data = l->prepare.data = l->timer.data = l;
	uv_check_start(&l->check, on_check);
	uv_prepare_start(&l->prepare, on_prepare);
	watch_signal(l, 0, SIGINT, client->terminate);
	watch_signal(l, 1, SIGTERM, client->terminate);
	watch_signal(l, 2, SIGHUP, client->hangup);
	return l;
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

void loop_run(struct loop *l)
{
	while (!l->stopped)
		uv_run(&l->uv, UV_RUN_ONCE);
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
	uv_stop(&l->uv);
}

void loop_free(struct loop *l)
{
	uv_close((uv_handle_t *)&l->check, NULL);
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->idle, NULL);
	uv_close((uv_handle_t *)&l->timer, NULL);
	for (size_t i = 0; i < ARRAY_COUNT(l->signals); i++)
		uv_close((uv_handle_t *)&l->signals[i], NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	ASSERT(!uv_loop_close(&l->uv));
	mem_free(l);
}

static void on_wake(uv_poll_t *p, int status, int events)
{
	struct loop_wake *w = p->data;
	uint64_t count;

	(void)status;
	(void)events;
	if (read(w->fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	/* Before the call: whoever rings from now on may have brought something that it does not see. */
	(void)atomic_exchange(&w->rung, false);
	w->call(w->context);
}

struct loop_wake *loop_wake_new(struct loop *l, void (*call)(void *context), void *context)
{
	struct loop_wake *w = NEW(struct loop_wake);

	w->call = call;
	w->context = context;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT(w->fd >= 0);
	ASSERT(!uv_poll_init(&l->uv, &w->poll, w->fd));
	w->poll.data = w;
	ASSERT(!uv_poll_start(&w->poll, UV_READABLE, on_wake));
	return w;
}

void loop_wake_ring(struct loop_wake *w)
{
	const uint64_t one = 1;

	if (!atomic_exchange(&w->rung, true))
		ASSERT(write(w->fd, &one, sizeof(one)) == sizeof(one));
}

static void wake_closed(uv_handle_t *h)
{
	struct loop_wake *w = h->data;

	close(w->fd);
	mem_free(w);
}

void loop_wake_free(struct loop_wake *w)
{
	uv_close((uv_handle_t *)&w->poll, wake_closed);
}
