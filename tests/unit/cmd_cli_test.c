#include "tests/test.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/rpc/socket.h"
#include "cmd/lampo-cli/exchange.h"
#include "cmd/lampo-cli/show.h"

static struct arguments arguments;
static char why[CLI_WHY_SIZE];

static bool read_arguments(int argc, ...)
{
	static const char *argv[20];
	va_list ap;
	int i;

	argv[0] = "lampo-cli";
	va_start(ap, argc);
	for (i = 0; i < argc; i++)
		argv[i + 1] = va_arg(ap, const char *);
	va_end(ap);
	arguments_release(&arguments);
	why[0] = 0;
	return arguments_read(&arguments, argc + 1, argv, why);
}

static const char *params(void)
{
	static char text[1000];
	struct buf out = BUF_EMPTY;

	json_write(&out, arguments.params);
	snprintf(text, sizeof(text), "%.*s", (int)out.size, (const char *)out.data);
	buf_release(&out);
	return text;
}

TEST(parameters_in_three_forms)
{
	CHECK(read_arguments(3, "-s", "/s", "getinfo"));
	CHECK_STR(arguments.method, "getinfo");
	CHECK_STR(arguments.socket, "/s");
	CHECK_STR(params(), "[]");
	CHECK(read_arguments(5, "--socket=/s", "invoice", "1000", "a=b", "with spaces"));
	CHECK_STR(params(), "[1000,\"a=b\",\"with spaces\"]");
	CHECK(read_arguments(6, "-s", "/s", "invoice", "amount_msat=1000", "label=a=b", "description="));
	CHECK_STR(params(), "{\"amount_msat\":1000,\"label\":\"a=b\",\"description\":\"\"}");
	CHECK(read_arguments(8, "-s", "/s", "invoice", "--amount_msat", "1000", "--label=x", "--description", "--y"));
	CHECK_STR(params(), "{\"amount_msat\":1000,\"label\":\"x\",\"description\":\"--y\"}");
	/* The form can be forced where the guess would be wrong. */
	CHECK(read_arguments(5, "-s", "/s", "-o", "decode", "lnbc=1"));
	CHECK_STR(params(), "[\"lnbc=1\"]");
	CHECK(read_arguments(4, "-s", "/s", "-k", "getinfo"));
	CHECK_STR(params(), "{}");
	CHECK(read_arguments(5, "-s", "/s", "--", "getinfo", "-5"));
	CHECK_STR(params(), "[-5]");
}

TEST(values_are_json_or_text)
{
	CHECK(read_arguments(20 - 2, "-s", "/s", "m", "0", "-1", "9223372036854775807", "9223372036854775808", "007", "1.5", "1e3",
			     "true", "null", "{\"a\":[1]}", "[1,", "\"5\"", "", "02aa", "+5"));
	CHECK_STR(params(), "[0,-1,9223372036854775807,\"9223372036854775808\",\"007\",\"1.5\",\"1e3\",true,null,{\"a\":[1]},"
			    "\"[1,\",\"5\",\"\",\"02aa\",\"+5\"]");
	CHECK(!read_arguments(4, "-s", "/s", "m", "\xff"));
	CHECK(strstr(why, "UTF-8"));
}

TEST(faults_on_the_command_line)
{
	CHECK(!read_arguments(0));
	CHECK(strstr(why, "which method"));
	CHECK(!read_arguments(1, "--no-such-flag"));
	CHECK(strstr(why, "--no-such-flag"));
	CHECK(!read_arguments(1, "--socket"));
	CHECK(strstr(why, "--socket needs a value"));
	CHECK(!read_arguments(3, "-t", "soon", "getinfo"));
	CHECK(!read_arguments(3, "pay", "bolt11=x", "y"));
	CHECK(strstr(why, "'y' has no name"));
	CHECK(!read_arguments(3, "pay", "bolt11=x", "bolt11=y"));
	CHECK(strstr(why, "bolt11 is given twice"));
	CHECK(!read_arguments(2, "pay", "--bolt11"));
	CHECK(strstr(why, "--bolt11 needs a value"));
	CHECK(read_arguments(1, "--help"));
	CHECK_EQ(arguments.action, CLI_SHOW_HELP);
	CHECK(read_arguments(1, "-V"));
	CHECK_EQ(arguments.action, CLI_SHOW_VERSION);
}

static void touch(const char *directory, const char *name)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/lampod.socket", directory, name);
	f = fopen(path, "w");
	CHECK(f);
	fclose(f);
}

TEST(where_the_socket_is)
{
	char home[] = "/tmp/lampo-cli-XXXXXX", want[200], lampo[100];

	CHECK(mkdtemp(home));
	setenv("HOME", home, 1);
	snprintf(lampo, sizeof(lampo), "%s/.lampo", home);
	CHECK(read_arguments(1, "m"));
	snprintf(want, sizeof(want), "%s/testnet/lampod.socket", lampo);
	CHECK_STR(arguments.socket, want);
	CHECK(read_arguments(3, "-n", "signet", "m"));
	snprintf(want, sizeof(want), "%s/signet/lampod.socket", lampo);
	CHECK_STR(arguments.socket, want);
	/* The only one there is is the one that is meant. */
	mkdir(lampo, 0700);
	touch(lampo, "regtest");
	CHECK(read_arguments(1, "m"));
	snprintf(want, sizeof(want), "%s/regtest/lampod.socket", lampo);
	CHECK_STR(arguments.socket, want);
	CHECK(read_arguments(3, "-d", lampo, "m"));
	CHECK_STR(arguments.socket, want);
	touch(lampo, "signet");
	CHECK(read_arguments(5, "-d", lampo, "-n", "regtest", "m"));
	CHECK_STR(arguments.socket, want);
	CHECK(read_arguments(3, "-d", lampo, "m"));
	snprintf(want, sizeof(want), "%s/lampod.socket", lampo);
	CHECK_STR(arguments.socket, want);
	/* A directory with a socket of its own is the node's. */
	touch(lampo, ".");
	CHECK(read_arguments(5, "-d", lampo, "-n", "regtest", "m"));
	CHECK_STR(arguments.socket, want);
}

static int shown(const char *response, const char *out_part, const char *err_part)
{
	char reason[JSON_WHY_SIZE];
	json_t *json = json_parse(bytes_from_string(response), reason);
	struct buf out = BUF_EMPTY, err = BUF_EMPTY;
	int code = show(&arguments, json, &out, &err);

	buf_add_u8(&out, 0);
	buf_add_u8(&err, 0);
	if (!strstr((char *)out.data, out_part) || !strstr((char *)err.data, err_part))
		test_failed(__FILE__, __LINE__, "out: %s err: %s", (char *)out.data, (char *)err.data);
	buf_release(&out);
	buf_release(&err);
	json_decref(json);
	return code;
}

TEST(answers_are_shown_readable)
{
	CHECK(read_arguments(3, "-s", "/s", "pay"));
	CHECK_EQ(shown("{\"id\":1,\"result\":{\"b\":1,\"a\":[]}}", "{\n  \"b\": 1,\n  \"a\": []\n}\n", ""), 0);
	CHECK_EQ(shown("{\"id\":1,\"error\":{\"code\":205,\"message\":\"no \\u001b[31mroute\"}}", "\"code\": 205",
		       "lampo-cli: pay: no ?[31mroute (code 205)\n"), 1);
	CHECK_EQ(shown("{\"id\":1,\"error\":{\"code\":-32602,\"message\":\"x\"}}", "", "'lampo-cli help pay'"), 1);
	CHECK_EQ(shown("{\"id\":1}", "", "neither result nor error"), 1);
	CHECK(read_arguments(4, "-s", "/s", "-r", "pay"));
	CHECK_EQ(shown("{\"id\":1,\"result\":{\"b\":1}}", "{\"b\":1}\n", ""), 0);
	CHECK(read_arguments(3, "-s", "/s", "help"));
	CHECK_EQ(shown("{\"result\":{\"help\":[{\"command\":\"a [x]\",\"category\":\"c\",\"description\":\"d\"},"
		       "{\"command\":\"b\",\"category\":\"e\",\"description\":\"f\",\"aliases\":[\"x\",\"y\"]},"
		       "{\"command\":\"g\",\"category\":\"c\",\"description\":\"h\"}]}}",
		       "c:\n  a [x]\n      d\n  g\n      h\n\ne:\n  b\n      f (also called x, y)\n", ""), 0);
	CHECK_EQ(shown("{\"result\":{\"help\":[{\"command\":\"a\",\"verbose\":\"line\\nline\\n\"}]}}", "line\nline\n", ""), 0);
}

TEST(attack_terminal_injection)
{
	CHECK(read_arguments(3, "-s", "/s", "getinfo"));
	/* The daemon's words may quote a stranger's; what a terminal takes for an order is shown as text. */
	CHECK_EQ(shown("{\"error\":{\"code\":1,\"message\":\"a\\u001b[2Jb\\u009b2Jc\\u007f\\u202e\"}}",
		       "\\u009b2Jc\\u007f\\u202e", "a?[2Jb?2Jc??"), 1);
	CHECK_EQ(shown("{\"result\":{\"alias\":\"x\\u009b2J\\u0085\"}}", "x\\u009b2J\\u0085", ""), 0);
}

static const struct lampo_param echo_params[] = { { .name = "word", .type = LAMPO_STRING, .doc = "A word." } };
static const struct lampo_method echo_schema = { .name = "echo", .summary = "Echo", .params = echo_params, .param_count = 1 };
static const struct lampo_method hang_schema = { .name = "hang", .summary = "Never answers" };
static const struct lampo_method die_schema = { .name = "die", .summary = "Dies" };

static void echo(void *context, struct lampo_call *call, struct params *p)
{
	json_t *word = json_string(params_string(p, "word")), *list = json_new_array();
	int i;

	(void)context;
	/* Longer than any socket's buffer. */
	for (i = 0; i < 100000; i++)
		json_append(list, json_incref(word));
	json_decref(word);
	rpc_reply(call, list);
}

static void hang(void *context, struct lampo_call *call, struct params *p)
{
	(void)context;
	(void)p;
	(void)rpc_defer(call);
}

static void die(void *context, struct lampo_call *call, struct params *p)
{
	(void)context;
	(void)call;
	(void)p;
	_exit(0);
}

static pid_t serve(const char *path)
{
	struct rpc_limits limits;
	char reason[RPC_WHY_SIZE], byte;
	struct rpc *rpc;
	uv_loop_t loop;
	int ready[2];
	pid_t child;

	CHECK(pipe(ready) == 0);
	child = fork();
	if (child == 0) {
		rpc_limits_default(&limits);
		rpc = rpc_new(&limits);
		if (!rpc_add(rpc, &echo_schema, echo, NULL, reason) || !rpc_add(rpc, &hang_schema, hang, NULL, reason) ||
		    !rpc_add(rpc, &die_schema, die, NULL, reason) || uv_loop_init(&loop) != 0 ||
		    !rpc_socket_open(&loop, rpc, path, reason))
			_exit(1);
		if (write(ready[1], "", 1) == 1)
			uv_run(&loop, UV_RUN_DEFAULT);
		_exit(0);
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return child;
}

TEST(a_call_to_a_daemon_and_what_can_go_wrong)
{
	char directory[] = "/tmp/lampo-cli-XXXXXX", path[100];
	json_t *response;
	pid_t child;

	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lampod.socket", directory);
	CHECK(read_arguments(4, "-s", path, "echo", "hi"));
	CHECK(!exchange(&arguments, why));
	CHECK(strstr(why, path) && strstr(why, "start one with lampod-cli"));
	child = serve(path);
	response = exchange(&arguments, why);
	CHECK_EQ(json_array_size(json_object_get(response, "result")), 100000);
	json_decref(response);
	CHECK(read_arguments(5, "-s", path, "-t", "1", "hang"));
	CHECK(!exchange(&arguments, why));
	CHECK(strstr(why, "within 1 seconds"));
	CHECK(read_arguments(3, "-s", path, "die"));
	CHECK(!exchange(&arguments, why));
	CHECK(strstr(why, "hung up"));
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(!exchange(&arguments, why));
	CHECK(strstr(why, "runs no more"));
}
