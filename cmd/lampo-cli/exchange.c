#include "cmd/lampo-cli/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/json/reader.h"

#define ANSWER_SIZE_MAX (1u << 30)

static void say_not_there(const char *path, int error, char why[CLI_WHY_SIZE])
{
	if (error == ENOENT || error == ENOTDIR)
		snprintf(why, CLI_WHY_SIZE,
			 "no daemon listens on %s: start one with lampod-cli, or say with --socket, -d or -n where it is", path);
	else if (error == ECONNREFUSED)
		snprintf(why, CLI_WHY_SIZE, "the daemon that made %s runs no more: start it again with lampod-cli", path);
	else if (error == EACCES || error == EPERM)
		snprintf(why, CLI_WHY_SIZE, "%s belongs to another user: call lampo-cli as the user who runs lampod-cli", path);
	else
		snprintf(why, CLI_WHY_SIZE, "cannot connect to %s: %s", path, strerror(error));
}

/* connect() by a name that fits: a socket's address holds about 100 bytes. */
MUST_USE static int connect_path(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	char *directory;
	int result;

	if (strlen(path) >= sizeof(address.sun_path) && slash && slash != path) {
		directory = mem_alloc((size_t)(slash - path) + 1);
		memcpy(directory, path, (size_t)(slash - path));
		result = chdir(directory);
		mem_free(directory);
		if (result != 0)
			return result;
		path = slash + 1;
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

MUST_USE static bool send_all(int fd, struct bytes b)
{
	while (b.size) {
		const ssize_t sent = send(fd, b.data, b.size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		b = BYTES(b.data + sent, b.size - (size_t)sent);
	}
	return true;
}

static json_t *parse_answer(struct bytes text, char why[CLI_WHY_SIZE])
{
	char reason[JSON_WHY_SIZE];
	json_t *answer = json_parse(text, reason);

	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	snprintf(why, CLI_WHY_SIZE, "the answer is no JSON-RPC: is this the socket of lampod-cli?");
	return NULL;
}

static json_t *receive(int fd, const struct arguments *a, char why[CLI_WHY_SIZE])
{
	static uint8_t chunk[65536];
	struct json_reader reader;
	enum json_read got = JSON_READ_MORE;
	struct bytes text;
	ssize_t size = 1;
	json_t *answer = NULL;

	json_reader_init(&reader, ANSWER_SIZE_MAX);
	while (got == JSON_READ_MORE && size > 0) {
		size = recv(fd, chunk, sizeof(chunk), 0);
		if (size < 0 && errno == EINTR) {
			size = 1;
			continue;
		}
		json_reader_feed(&reader, BYTES(chunk, size > 0 ? (size_t)size : 0));
		got = json_reader_next(&reader, &text);
	}
	if (got == JSON_READ_TEXT)
		answer = parse_answer(text, why);
	else if (got != JSON_READ_MORE)
		answer = parse_answer(BYTES_NONE, why);
	else if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		snprintf(why, CLI_WHY_SIZE, "no answer within %u seconds; the call goes on in the daemon", a->timeout_s);
	else
		snprintf(why, CLI_WHY_SIZE, "the daemon at %s hung up before it answered: see its log", a->socket);
	json_reader_release(&reader);
	return answer;
}

static void write_request(struct buf *out, const struct arguments *a)
{
	json_t *request = json_new_object();

	json_add_string(request, "jsonrpc", "2.0");
	json_add_printf(request, "id", "lampo-cli:%s#%ld", a->method, (long)getpid());
	json_add_string(request, "method", a->method);
	json_add(request, "params", json_incref(a->params));
	json_write(out, request);
	buf_add_string(out, "\n");
	json_decref(request);
}

json_t *exchange(const struct arguments *a, char why[CLI_WHY_SIZE])
{
	const struct timeval timeout = { .tv_sec = a->timeout_s };
	struct buf request = BUF_EMPTY;
	json_t *answer = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect_path(fd, a->socket) != 0) {
		say_not_there(a->socket, errno, why);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	write_request(&request, a);
	/* A refusal (too many clients) may be there already although sending fails. */
	(void)!send_all(fd, buf_view(&request));
	answer = receive(fd, a, why);
	buf_release(&request);
	close(fd);
	return answer;
}
