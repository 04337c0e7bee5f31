#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/rpc/socket.h"

struct fixture {
	uv_loop_t loop;
	struct rpc *rpc;
	struct rpc_socket *socket;
	struct rpc_limits limits;
	char directory[64], path[300];
	struct lampo_call *held[4];
	int held_count, gone;
	bool closed;
};

static const struct lampo_param echo_params[] = { { .name = "word", .type = LAMPO_STRING, .doc = "A word." } };
static const struct lampo_method echo_schema = { .name = "echo", .summary = "Echo", .params = echo_params, .param_count = 1 };
static const struct lampo_method hold_schema = { .name = "hold", .summary = "Later" };
static const struct lampo_method wait_schema = { .name = "wait", .summary = "Later by id" };

static void echo(void *context, struct lampo_call *call, struct params *params)
{
	(void)context;
	rpc_reply(call, json_string(params_string(params, "word")));
}

static void hold(void *context, struct lampo_call *call, struct params *params)
{
	struct fixture *f = context;

	(void)params;
	f->held[f->held_count++] = call;
}

static void wait_for(void *context, struct lampo_call *call, struct params *params)
{
	(void)context;
	(void)params;
	(void)rpc_defer(call);
}

static void on_gone(void *context, uint64_t id)
{
	(void)id;
	((struct fixture *)context)->gone++;
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->directory, sizeof(f->directory), "/tmp/lampo-socket-XXXXXX");
	CHECK(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/lampod.socket", f->directory);
	CHECK(uv_loop_init(&f->loop) == 0);
	rpc_limits_default(&f->limits);
}

static void start(struct fixture *f)
{
	char why[RPC_WHY_SIZE];

	f->rpc = rpc_new(&f->limits);
	CHECK(rpc_add(f->rpc, &echo_schema, echo, f, why));
	CHECK(rpc_add(f->rpc, &hold_schema, hold, f, why));
	CHECK(rpc_add(f->rpc, &wait_schema, wait_for, f, why));
	rpc_on_gone(f->rpc, on_gone, f);
	f->socket = rpc_socket_open(&f->loop, f->rpc, f->path, why);
	if (!f->socket)
		test_failed(__FILE__, __LINE__, "%s", why);
}

static void on_closed(void *context)
{
	((struct fixture *)context)->closed = true;
}

static void turn(struct fixture *f, int times)
{
	while (times-- > 0)
		uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void stop(struct fixture *f)
{
	rpc_socket_close(f->socket, on_closed, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	CHECK(f->closed);
	CHECK(access(f->path, F_OK) != 0);
	rpc_free(f->rpc);
	CHECK_EQ(uv_loop_close(&f->loop), 0);
	rmdir(f->directory);
}

static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void say(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* What has arrived; "EOF" if the server has closed and nothing has. */
static const char *hear(struct fixture *f, int fd)
{
	static char text[1 << 17];
	size_t size = 0;
	ssize_t got = -1;
	int i;

	for (i = 0; i < 20; i++) {
		turn(f, 1);
		while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
			size += (size_t)got;
	}
	text[size] = 0;
	return size == 0 && got == 0 ? "EOF" : text;
}

#define SAY_HI(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"echo\",\"params\":[\"hi\"]}"
#define HI(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":\"hi\"}\n\n"

TEST(a_private_socket_that_answers)
{
	struct fixture f;
	struct stat st;
	int a, b;

	setup(&f);
	start(&f);
	CHECK(stat(f.path, &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0600);
	a = dial(f.path);
	b = dial(f.path);
	say(a, SAY_HI("1") SAY_HI("2"));
	say(b, SAY_HI("3"));
	CHECK_STR(hear(&f, a), HI("1") HI("2"));
	CHECK_STR(hear(&f, b), HI("3"));
	close(a);
	close(b);
	stop(&f);
}

TEST(one_waiting_client_does_not_hold_up_another)
{
	struct fixture f;
	int a, b;

	setup(&f);
	start(&f);
	a = dial(f.path);
	b = dial(f.path);
	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}");
	CHECK_STR(hear(&f, a), "");
	say(b, SAY_HI("3"));
	CHECK_STR(hear(&f, b), HI("3"));
	rpc_reply(f.held[0], json_integer(5));
	CHECK_STR(hear(&f, a), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}\n\n");
	close(a);
	close(b);
	stop(&f);
}

TEST(a_socket_left_by_the_dead_is_taken_over)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fixture f;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	setup(&f);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", f.path);
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	close(fd);
	start(&f);
	fd = dial(f.path);
	say(fd, SAY_HI("1"));
	CHECK_STR(hear(&f, fd), HI("1"));
	close(fd);
	stop(&f);
}

TEST(a_socket_in_use_and_a_file_are_left_alone)
{
	struct fixture f;
	char why[RPC_WHY_SIZE], file[200];
	int fd;

	setup(&f);
	start(&f);
	CHECK(!rpc_socket_open(&f.loop, f.rpc, f.path, why));
	CHECK(strstr(why, "another daemon listens") && strstr(why, f.path));
	fd = dial(f.path);
	say(fd, SAY_HI("1"));
	CHECK_STR(hear(&f, fd), HI("1"));
	close(fd);
	snprintf(file, sizeof(file), "%s/file", f.directory);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	CHECK(!rpc_socket_open(&f.loop, f.rpc, file, why));
	CHECK(strstr(why, "is no socket"));
	CHECK(access(file, F_OK) == 0);
	unlink(file);
	snprintf(file, sizeof(file), "%s/none/lampod.socket", f.directory);
	CHECK(!rpc_socket_open(&f.loop, f.rpc, file, why));
	CHECK(strstr(why, "No such file"));
	stop(&f);
}

TEST(a_path_longer_than_a_socket_address)
{
	struct fixture f;
	char deep[200], link[200];
	int fd;

	setup(&f);
	snprintf(deep, sizeof(deep), "%s/%090d", f.directory, 7);
	CHECK(mkdir(deep, 0700) == 0);
	CHECK((size_t)snprintf(f.path, sizeof(f.path), "%s/s", deep) > 107);
	start(&f);
	snprintf(link, sizeof(link), "%s/l", f.directory);
	CHECK(symlink(deep, link) == 0);
	snprintf(link, sizeof(link), "%s/l/s", f.directory);
	fd = dial(link);
	say(fd, SAY_HI("1"));
	CHECK_STR(hear(&f, fd), HI("1"));
	close(fd);
	snprintf(link, sizeof(link), "%s/l", f.directory);
	unlink(link);
	rpc_socket_close(f.socket, on_closed, &f);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	CHECK(access(f.path, F_OK) != 0);
	rpc_free(f.rpc);
	CHECK_EQ(uv_loop_close(&f.loop), 0);
	rmdir(deep);
	rmdir(f.directory);
}

TEST(half_close_gets_its_answers_and_close_drops_its_calls)
{
	struct fixture f;
	int a, b;

	setup(&f);
	start(&f);
	a = dial(f.path);
	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}");
	shutdown(a, SHUT_WR);
	turn(&f, 5);
	rpc_reply(f.held[0], json_integer(5));
	CHECK_STR(hear(&f, a), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}\n\n");
	CHECK_STR(hear(&f, a), "EOF");
	close(a);
	b = dial(f.path);
	say(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\"}");
	turn(&f, 5);
	CHECK_EQ(f.gone, 0);
	close(b);
	turn(&f, 5);
	CHECK_EQ(f.gone, 1);
	stop(&f);
}

TEST(a_client_that_does_not_read_holds_up_only_itself)
{
	struct fixture f;
	int slow, other, i;
	size_t accepted = 0, got = 0;
	char buf[65536];
	ssize_t n;

	setup(&f);
	f.limits.output_size_max = 10000;
	start(&f);
	slow = dial(f.path);
	for (i = 0; i < 200000; i++) {
		if (write(slow, SAY_HI("1"), strlen(SAY_HI("1"))) == (ssize_t)strlen(SAY_HI("1")))
			accepted++;
		else
			break;
		if (i % 50 == 0)
			turn(&f, 1);
	}
	/* The server stopped reading: the kernel's buffers are what filled. */
	CHECK(accepted < 200000);
	other = dial(f.path);
	say(other, SAY_HI("2"));
	CHECK_STR(hear(&f, other), HI("2"));
	for (i = 0; i < 100000 && got < accepted * strlen(HI("1")); i++) {
		turn(&f, 1);
		while ((n = read(slow, buf, sizeof(buf))) > 0)
			got += (size_t)n;
	}
	/* The last write may have been cut short; everything that was whole is answered. */
	CHECK_EQ(got, accepted * strlen(HI("1")));
	close(slow);
	close(other);
	stop(&f);
}

TEST(too_many_clients_are_told_so)
{
	struct fixture f;
	int a, b, c;

	setup(&f);
	f.limits.clients_max = 1;
	start(&f);
	a = dial(f.path);
	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\"}");
	turn(&f, 5);
	b = dial(f.path);
	CHECK(strstr(hear(&f, b), "too many clients"));
	CHECK_STR(hear(&f, b), "EOF");
	close(b);
	/* A half-closed client that then went away makes room. */
	shutdown(a, SHUT_WR);
	turn(&f, 5);
	close(a);
	c = dial(f.path);
	say(c, SAY_HI("1"));
	CHECK_STR(hear(&f, c), HI("1"));
	CHECK_EQ(f.gone, 1);
	close(c);
	stop(&f);
}

TEST(closing_fails_what_waits_and_sends_what_is_ready)
{
	struct fixture f;
	int a;

	setup(&f);
	start(&f);
	a = dial(f.path);
	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\"}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"}");
	turn(&f, 5);
	rpc_reply(f.held[0], json_integer(5));
	rpc_socket_close(f.socket, on_closed, &f);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	CHECK(f.closed);
	CHECK_STR(hear(&f, a), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":5}\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":"
			       "{\"code\":-5,\"message\":\"the node is shutting down\"}}\n\n");
	close(a);
	rpc_free(f.rpc);
	CHECK_EQ(uv_loop_close(&f.loop), 0);
	rmdir(f.directory);
}
