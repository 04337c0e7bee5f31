/* Pays invoices as fast as a node takes them, and costs next to nothing itself.
 *
 *	pay PAYER_SOCKET PAYEE_SOCKET COUNT IN_FLIGHT AMOUNT_MSAT [CONNECTIONS [ROUTE]]
 *
 * Makes COUNT invoices at the payee, then pays them with IN_FLIGHT calls of `pay`
 * open at any time, spread over CONNECTIONS connections.  With ROUTE, the JSON
 * array that getroute gives, it calls `sendpay` and `waitsendpay` instead of `pay`.
 * One JSON line tells payments a second and the latency of one, from the call's
 * first byte to its answer's last.  Speaks the part of JSON-RPC that Lampo and Core
 * Lightning share; exit code 1 if any payment failed. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/clock.h"

#define CONNECTIONS_MAX 512
#define INVOICES_OPEN 32

/* One connection: the answers that arrive are cut out of `in`. */
struct link {
	int fd;
	char *in;
	size_t size, room;
	/* Where the scan for the end of the current value stands. */
	size_t at, start;
	int depth;
	bool text, escape;
};

struct call {
	char *bolt11, *hash, *secret;
	double began, took;
};

static struct link links[CONNECTIONS_MAX];
static struct call *calls;
static long count, failed;
static const char *route; /* NULL: `pay` finds its own */

static void die(const char *what)
{
	fprintf(stderr, "pay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *need(void *p)
{
	if (!p)
		die("memory");
	return p;
}

static void link_open(struct link *l, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	memset(l, 0, sizeof(*l));
	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	l->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die(path);
	l->room = 1 << 16;
	l->in = need(malloc(l->room));
}

static void link_close(struct link *l)
{
	close(l->fd);
	free(l->in);
}

static void link_write(struct link *l, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(l->fd, text, size);

		if (n <= 0)
			die("write");
		text += n;
		size -= (size_t)n;
	}
}

static void link_read(struct link *l)
{
	ssize_t n;

	if (l->start) {
		memmove(l->in, l->in + l->start, l->size - l->start);
		l->size -= l->start;
		l->at -= l->start;
		l->start = 0;
	}
	if (l->room - l->size < 4096)
		l->in = need(realloc(l->in, l->room *= 2));
	n = read(l->fd, l->in + l->size, l->room - l->size - 1);
	if (n <= 0)
		die("the node hung up");
	l->size += (size_t)n;
}

/* The next whole JSON object, NUL-terminated until the next call; NULL if it
 * has not all arrived. */
static char *link_value(struct link *l)
{
	for (; l->at < l->size; l->at++) {
		char c = l->in[l->at];

		if (l->escape) {
			l->escape = false;
		} else if (l->text) {
			l->escape = c == '\\';
			l->text = c != '"';
		} else if (c == '"') {
			l->text = true;
		} else if (c == '{' || c == '[') {
			if (l->depth++ == 0)
				l->start = l->at;
		} else if ((c == '}' || c == ']') && --l->depth == 0) {
			char *value = need(malloc(l->at - l->start + 2));

			memcpy(value, l->in + l->start, l->at - l->start + 1);
			value[l->at - l->start + 1] = '\0';
			l->start = ++l->at;
			return value;
		}
	}
	return NULL;
}

/* What stands after "name": at any depth, or NULL.  Enough for answers whose
 * strings hold none of these names. */
static const char *field(const char *value, const char *name)
{
	char quoted[64];
	const char *p;

	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	p = strstr(value, quoted);
	if (!p)
		return NULL;
	p += strlen(quoted);
	return p + strspn(p, " :\t\n");
}

static long value_id(const char *value)
{
	const char *id = field(value, "id");
	long i = id ? strtol(id, NULL, 10) : -1;

	if (i < 0 || i >= 2 * count) {
		fprintf(stderr, "pay: an answer without a known id: %.300s\n", value);
		exit(1);
	}
	return i;
}

static void ask_invoice(struct link *l, long i, const char *msat)
{
	static long run;
	char text[512];
	int n;

	if (!run)
		run = (long)time(NULL) * 1000 + getpid() % 1000;
	n = snprintf(text, sizeof(text),
		     "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"invoice\",\"params\":"
		     "{\"amount_msat\":%s,\"label\":\"bench-%ld-%ld\",\"description\":\"bench\"}}\n\n",
		     i, msat, run, i);
	link_write(l, text, (size_t)n);
}

/* A copy of the text that stands after "name":. */
static char *field_copy(const char *value, const char *name)
{
	const char *text = field(value, name);

	if (!text || *text != '"') {
		fprintf(stderr, "pay: no %s: %.300s\n", name, value);
		exit(1);
	}
	return need(strndup(text + 1, strcspn(text + 1, "\"")));
}

static void make_invoices(const char *socket_path, const char *msat)
{
	struct link l;
	long asked = 0, got = 0;
	char *value;

	link_open(&l, socket_path);
	while (got < count) {
		while (asked < count && asked - got < INVOICES_OPEN)
			ask_invoice(&l, asked++, msat);
		while (!(value = link_value(&l)))
			link_read(&l);
		long i = value_id(value);

		calls[i].bolt11 = field_copy(value, "bolt11");
		if (route) {
			calls[i].hash = field_copy(value, "payment_hash");
			calls[i].secret = field_copy(value, "payment_secret");
		}
		free(value);
		got++;
	}
	link_close(&l);
}

/* Along the route in two calls, the first with an id of count and more. */
static int write_sendpay(char *text, size_t size, long i)
{
	return snprintf(text, size,
			"{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"sendpay\",\"params\":{\"route\":%s,"
			"\"payment_hash\":\"%s\",\"payment_secret\":\"%s\",\"bolt11\":\"%s\"}}\n\n"
			"{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"waitsendpay\",\"params\":{\"payment_hash\":\"%s\"}}\n\n",
			count + i, route, calls[i].hash, calls[i].secret, calls[i].bolt11, i, calls[i].hash);
}

static void ask_pay(struct link *l, long i)
{
	char text[8192];
	int n = route ? write_sendpay(text, sizeof(text), i)
		      : snprintf(text, sizeof(text),
				 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"pay\",\"params\":{\"bolt11\":\"%s\"}}\n\n",
				 i, calls[i].bolt11);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		fprintf(stderr, "pay: the route is too long\n");
		exit(2);
	}
	calls[i].began = now();
	link_write(l, text, (size_t)n);
}

/* False: it is the answer to a call that only began. */
static bool take_answer(const char *value)
{
	long i = value_id(value);
	const char *status = field(value, "status");

	if (i >= count) {
		if (!status && failed < 5)
			fprintf(stderr, "pay: %.400s\n", value);
		return false; /* waitsendpay says that it failed */
	}
	calls[i].took = now() - calls[i].began;
	if (!status || strncmp(status, "\"complete\"", 10) != 0) {
		if (failed++ < 5)
			fprintf(stderr, "pay: %.400s\n", value);
	}
	return true;
}

/* Keeps in_flight calls open until all are answered.  The seconds it took. */
static double pay_all(long in_flight, int connections)
{
	struct pollfd wait[CONNECTIONS_MAX];
	long asked = 0, got = 0;
	double begin = now();

	for (int c = 0; c < connections; c++)
		wait[c] = (struct pollfd){ .fd = links[c].fd, .events = POLLIN };
	while (asked < count && asked < in_flight) {
		ask_pay(&links[asked % connections], asked);
		asked++;
	}
	while (got < count) {
		if (poll(wait, (nfds_t)connections, -1) < 0)
			die("poll");
		for (int c = 0; c < connections; c++) {
			char *value;

			if (!wait[c].revents)
				continue;
			link_read(&links[c]);
			while ((value = link_value(&links[c]))) {
				bool over = take_answer(value);

				free(value);
				if (!over)
					continue;
				got++;
				if (asked < count)
					ask_pay(&links[c], asked++);
			}
		}
	}
	return now() - begin;
}

static int by_took(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	return (x->took > y->took) - (x->took < y->took);
}

int main(int argc, char **argv)
{
	long in_flight, connections;
	double seconds;

	if (argc < 6 || argc > 8) {
		fprintf(stderr, "usage: pay PAYER_SOCKET PAYEE_SOCKET COUNT IN_FLIGHT AMOUNT_MSAT [CONNECTIONS [ROUTE]]\n");
		return 2;
	}
	count = strtol(argv[3], NULL, 10);
	in_flight = strtol(argv[4], NULL, 10);
	connections = argc > 6 ? strtol(argv[6], NULL, 10) : 1;
	route = argc > 7 ? argv[7] : NULL;
	if (connections > in_flight)
		connections = in_flight;
	if (count < 1 || in_flight < 1 || connections < 1 || connections > CONNECTIONS_MAX) {
		fprintf(stderr, "pay: COUNT, IN_FLIGHT and CONNECTIONS (up to %d) are positive\n", CONNECTIONS_MAX);
		return 2;
	}
	calls = need(calloc((size_t)count, sizeof(*calls)));
	make_invoices(argv[2], argv[5]);
	for (int c = 0; c < connections; c++)
		link_open(&links[c], argv[1]);
	/* Whoever measures the nodes' processor time begins here. */
	if (getenv("PAY_WAIT")) {
		printf("ready\n");
		fflush(stdout);
		if (getchar() == EOF)
			return 1;
	}
	seconds = pay_all(in_flight, (int)connections);
	for (int c = 0; c < connections; c++)
		link_close(&links[c]);
	qsort(calls, (size_t)count, sizeof(*calls), by_took);
	printf("{\"count\": %ld, \"failed\": %ld, \"in_flight\": %ld, \"seconds\": %.3f, \"per_second\": %.1f, "
	       "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
	       count, failed, in_flight, seconds, (double)count / seconds, calls[count / 2].took * 1e3,
	       calls[(count * 99) / 100].took * 1e3, calls[count - 1].took * 1e3);
	for (long i = 0; i < count; i++) {
		free(calls[i].bolt11);
		free(calls[i].hash);
		free(calls[i].secret);
	}
	free(calls);
	return failed ? 1 : 0;
}
