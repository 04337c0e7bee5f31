/* A bitcoind made of a thread and a socket: enough HTTP and JSON-RPC to lie to
 * the chain source in every way that a real one can. */
#ifndef TESTS_UNIT_BITCOIND_MOCK_H
#define TESTS_UNIT_BITCOIND_MOCK_H

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bitcoin/block.h"
#include "bitcoin/network.h"
#include "tests/test.h"

#define MOCK_HEIGHT_MAX 1200
#define MOCK_BRANCHES 3

struct mock_block {
	struct buf raw;
	struct block_hash hash;
};

struct mock {
	int listener, client;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	/* Under the lock. */
	struct mock_block blocks[MOCK_BRANCHES][MOCK_HEIGHT_MAX];
	uint8_t branch_at[MOCK_HEIGHT_MAX]; /* of the best chain */
	uint32_t height, headers;
	const char *authorization; /* NULL: anyone */
	const char *chain;
	int http_status;   /* not 0: answers so, without JSON */
	int error_code;    /* not 0: every call fails so */
	const char *error_text;
	const char *fail_method; /* only this one fails; NULL: all */
	const char *garbage;     /* answers this text */
	bool hang_up;            /* after reading a request */
	uint32_t delay_ms;
	double fee_btc_per_kvb;  /* 0: no estimate */
	int64_t fee_blocks_max;  /* the longest that was asked for */
	bool no_submitpackage;
	const char *package_message;
	const char *package_error;
	const char *package_child_error; /* of the last; NULL: package_error */
	bool package_accepts;            /* what has no error */
	uint32_t package_hides;          /* so many have no result */
	char sent[4096];         /* transactions that came, in hex, one word each */
	uint32_t calls, refused, block_calls;
	bool stop;
};

/* ---- Its chain ---- */

static inline void mock_make_block(struct mock *m, uint8_t branch, uint32_t height, const struct block_hash *previous)
{
	struct mock_block *b = &m->blocks[branch][height];
	struct block_header h = { .version = 4, .time = height, .bits = 0x207fffff, .nonce = branch };
	uint8_t header[BLOCK_HEADER_SIZE], number[5] = { branch };
	struct merkle merkle;
	struct arena a;
	struct tx *t;
	struct txid id;

	arena_init(&a);
	t = tx_new(&a, 2, 1, 1, 0);
	store_be32(number + 1, height);
	t->inputs[0].prev.index = UINT32_MAX;
	t->inputs[0].script_sig = arena_bytes(&a, BYTES_OF(number));
	t->outputs[0].amount = SAT(5000000000);
	t->outputs[0].script = arena_bytes(&a, BYTES("\x51", 1));
	id = tx_id(t);
	merkle_init(&merkle);
	merkle_add(&merkle, &id);
	h.merkle_root = merkle_root(&merkle);
	h.prev = *previous;
	b->hash = block_header_hash(&h);
	block_header_encode(header, &h);
	buf_add(&b->raw, header, sizeof(header));
	buf_add_varint(&b->raw, 1);
	tx_encode(t, &b->raw);
	arena_release(&a);
}

static inline const struct block_hash *mock_hash(const struct mock *m, uint32_t height)
{
	return height ? &m->blocks[m->branch_at[height]][height].hash : &network_by_name("regtest")->genesis;
}

/* The best chain becomes `branch` above `fork`, up to `height`. */
static inline void mock_chain(struct mock *m, uint8_t branch, uint32_t fork, uint32_t height)
{
	pthread_mutex_lock(&m->lock);
	for (uint32_t h = fork + 1; h <= height; h++) {
		if (!m->blocks[branch][h].raw.size)
			mock_make_block(m, branch, h, mock_hash(m, h - 1));
		m->branch_at[h] = branch;
	}
	m->height = m->headers = height;
	pthread_mutex_unlock(&m->lock);
}

/* ---- Its answers ---- */

static inline json_t *mock_hex_hash(const struct block_hash *h)
{
	char hex[65];

	hash_to_hex(hex, h->v);
	return json_string(hex);
}

static inline json_t *mock_find_block(const struct mock *m, const char *hex)
{
	struct block_hash want;

	if (!hash_from_hex(want.v, hex))
		return NULL;
	for (int b = 0; b < MOCK_BRANCHES; b++)
		for (uint32_t h = 1; h < MOCK_HEIGHT_MAX; h++)
			if (m->blocks[b][h].raw.size && SAME(m->blocks[b][h].hash, want)) {
				struct buf text = BUF_EMPTY;
				json_t *j;

				buf_add_hex(&text, buf_view(&m->blocks[b][h].raw));
				j = json_stringn((const char *)text.data, text.size);
				buf_release(&text);
				return j;
			}
	return NULL;
}

static inline void mock_note_sent(struct mock *m, const char *hex)
{
	size_t at = strlen(m->sent);

	snprintf(m->sent + at, sizeof(m->sent) - at, "%s%s", at ? " " : "", hex);
}

static inline json_t *mock_package(struct mock *m, const json_t *txs, int *code)
{
	json_t *each, *results = json_object(), *one;
	size_t i;

	if (m->no_submitpackage) {
		json_decref(results);
		*code = -32601;
		return NULL;
	}
	mock_note_sent(m, "package");
	json_array_foreach((json_t *)txs, i, each)
	{
		mock_note_sent(m, json_string_value(each));
		if (i < m->package_hides)
			continue;
		one = json_object();
		if (m->package_child_error && i + 1 == json_array_size(txs))
			json_object_set_new(one, "error", json_string(m->package_child_error));
		else if (m->package_error)
			json_object_set_new(one, "error", json_string(m->package_error));
		else if (m->package_accepts)
			json_object_set_new(one, "vsize", json_integer(110));
		json_object_set_new(results, json_string_value(each), one);
	}
	return json_pack("{s:s, s:o}", "package_msg", m->package_message ? m->package_message : "success", "tx-results", results);
}

/* NULL: *code says which error. */
static inline json_t *mock_result(struct mock *m, const char *method, const json_t *params, int *code)
{
	const json_t *first = json_array_get(params, 0);

	if (strcmp(method, "getblockchaininfo") == 0)
		return json_pack("{s:s, s:i, s:i, s:o}", "chain", m->chain, "blocks", m->height, "headers", m->headers,
				 "bestblockhash", mock_hex_hash(mock_hash(m, m->height)));
	if (strcmp(method, "getblockhash") == 0) {
		if (json_integer_value(first) <= (json_int_t)m->height)
			return mock_hex_hash(mock_hash(m, (uint32_t)json_integer_value(first)));
		*code = -8;
		return NULL;
	}
	if (strcmp(method, "getblock") == 0) {
		m->block_calls++;
		*code = -5;
		return mock_find_block(m, json_string_value(first));
	}
	if (strcmp(method, "estimatesmartfee") == 0 && json_integer_value(first) > m->fee_blocks_max)
		m->fee_blocks_max = json_integer_value(first);
	if (strcmp(method, "estimatesmartfee") == 0)
		return m->fee_btc_per_kvb > 0 ? json_pack("{s:f, s:i}", "feerate", m->fee_btc_per_kvb, "blocks", 2)
					      : json_pack("{s:[s], s:i}", "errors", "Insufficient data", "blocks", 2);
	if (strcmp(method, "getmempoolinfo") == 0)
		return json_pack("{s:f, s:f}", "mempoolminfee", 0.00001000, "minrelaytxfee", 0.00002000);
	if (strcmp(method, "sendrawtransaction") == 0) {
		mock_note_sent(m, json_string_value(first));
		return json_string("txid");
	}
	if (strcmp(method, "submitpackage") == 0)
		return mock_package(m, first, code);
	if (strcmp(method, "gettxout") == 0)
		return json_integer_value(json_array_get(params, 1)) ? json_null()
			: json_pack("{s:f, s:{s:s}}", "value", 0.12345678, "scriptPubKey", "hex", "0014ff");
	*code = -32601;
	return NULL;
}

static inline json_t *mock_answer(struct mock *m, const char *body)
{
	json_t *call = json_loads(body, 0, NULL), *result = NULL, *answer;
	const char *method = json_string_value(json_object_get(call, "method"));
	int code = m->error_code;
	const char *text = m->error_text ? m->error_text : "no";

	if (!code || (m->fail_method && strcmp(m->fail_method, method))) {
		code = -1;
		result = mock_result(m, method, json_object_get(call, "params"), &code);
	}
	if (result)
		answer = json_pack("{s:o, s:n, s:s}", "result", result, "error", "id", "lampo");
	else
		answer = json_pack("{s:n, s:{s:i, s:s}, s:s}", "result", "error", "code", code, "message", text, "id", "lampo");
	json_decref(call);
	return answer;
}

/* ---- Its HTTP ---- */

static inline void mock_reply(int fd, int status, const char *body)
{
	struct buf text = BUF_EMPTY;

	buf_printf(&text, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body),
		   body);
	if (send(fd, text.data, text.size, MSG_NOSIGNAL) < 0)
		perror("mock"); /* the client has gone: its business */
	buf_release(&text);
}

/* False: hang up. */
static inline bool mock_serve(struct mock *m, int fd, const char *head, const char *body)
{
	uint32_t delay;
	bool go_on = true;

	pthread_mutex_lock(&m->lock);
	m->calls++;
	delay = m->delay_ms;
	pthread_mutex_unlock(&m->lock);
	usleep(delay * 1000);
	pthread_mutex_lock(&m->lock);
	if (m->hang_up) {
		go_on = false;
	} else if (m->authorization && !strstr(head, m->authorization)) {
		m->refused++;
		mock_reply(fd, 401, "");
	} else if (m->http_status) {
		mock_reply(fd, m->http_status, "Work queue depth exceeded");
	} else if (m->garbage) {
		mock_reply(fd, 200, m->garbage);
	} else {
		json_t *answer = mock_answer(m, body);
		char *text = json_dumps(answer, 0);

		mock_reply(fd, json_is_null(json_object_get(answer, "result")) ? 500 : 200, text);
		json_decref(answer);
		free(text);
	}
	pthread_mutex_unlock(&m->lock);
	return go_on;
}

/* One request from what has come so far; false if it is not whole yet. */
static inline bool mock_take_request(struct mock *m, int fd, struct buf *in, bool *open)
{
	char *end, *length;
	size_t head, body;

	buf_add_u8(in, 0);
	in->size--;
	end = in->data ? strstr((char *)in->data, "\r\n\r\n") : NULL;
	length = end ? strcasestr((char *)in->data, "content-length:") : NULL;
	if (!length)
		return false;
	head = (size_t)(end + 4 - (char *)in->data);
	body = strtoul(length + 15, NULL, 10);
	if (in->size < head + body)
		return false;
	end[2] = 0;
	*open = mock_serve(m, fd, (char *)in->data, (char *)in->data + head);
	buf_consume(in, head + body);
	return true;
}

static inline bool mock_stopped(struct mock *m)
{
	bool stop;

	pthread_mutex_lock(&m->lock);
	stop = m->stop;
	pthread_mutex_unlock(&m->lock);
	return stop;
}

static inline void mock_talk(struct mock *m, int fd)
{
	struct buf in = BUF_EMPTY;
	bool open = true;

	while (open && !mock_stopped(m)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char chunk[65536];
		ssize_t n;

		if (poll(&p, 1, 20) <= 0)
			continue;
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			break;
		buf_add(&in, chunk, (size_t)n);
		while (open && mock_take_request(m, fd, &in, &open))
			;
	}
	buf_release(&in);
	close(fd);
}

static inline void *mock_run(void *context)
{
	struct mock *m = context;

	while (!mock_stopped(m)) {
		struct pollfd p = { .fd = m->listener, .events = POLLIN };

		if (poll(&p, 1, 20) > 0) {
			int fd = accept(m->listener, NULL, NULL);

			if (fd >= 0)
				mock_talk(m, fd);
		}
	}
	close(m->listener);
	return NULL;
}

/* port 0: any. */
static inline void mock_listen(struct mock *m, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof(a);
	int one = 1;

	m->stop = false;
	m->listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(m->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	CHECK(!bind(m->listener, (struct sockaddr *)&a, sizeof(a)));
	CHECK(!listen(m->listener, 16));
	CHECK(!getsockname(m->listener, (struct sockaddr *)&a, &size));
	m->port = ntohs(a.sin_port);
	CHECK(!pthread_create(&m->thread, NULL, mock_run, m));
}

static inline struct mock *mock_new(void)
{
	struct mock *m = NEW(struct mock);

	m->chain = "regtest";
	pthread_mutex_init(&m->lock, NULL);
	mock_listen(m, 0);
	return m;
}

/* The process ends; its chain stays for the next one. */
static inline void mock_down(struct mock *m)
{
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
}

static inline void mock_free(struct mock *m)
{
	mock_down(m);
	for (int b = 0; b < MOCK_BRANCHES; b++)
		for (uint32_t h = 0; h < MOCK_HEIGHT_MAX; h++)
			buf_release(&m->blocks[b][h].raw);
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}

#endif
