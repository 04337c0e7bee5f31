/* What the past costs: a node with N paid invoices, N payments of its own and N forwards behind it, and a closed channel for
 * a hundred of them, for N from none on.
 *
 * Each database is filled directly.  A process of its own then starts a whole node on it (SQLite, its threads, no network),
 * and measures: the start (the best of five), the resident memory, an invoice, a payment (to itself: everything but a
 * channel), a page of each list from somewhere in it, and one entry by its name (medians of two hundred).  With no past
 * the lists show what was made meanwhile.  The last column of each row is its ratio to the first with anything to show.
 *
 * What is filled goes away again, unless --keep says that it stays for other runs: filling takes most of the time. */
#include <lampo/lampo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "bench/clock.h"
#include "channel/record.h"
#include "crypto/hash.h"
#include "payment/history.h"
#include "payment/receive.h"
#include "payment/send.h"
#include "runtime/store/store.h"

#define BATCH 20000u
#define ROUNDS 200u
#define SIZES_MAX 5
/* What an invoice and a payment of the past take of the disk, with what they are found by. */
#define BYTES_EACH 1500u
#define PAYMENTS_A_CHANNEL 100u

#define STARTS 5
#define FORWARDS_IN 7u
#define FORWARD_UNKNOWN 1401
#define CLOSED_KEYS (1ull << 40)

enum figure {
	START, MEMORY, MEMORY_LATER, INVOICE, PAY, PAGE_INVOICES, PAGE_PAYS, PAGE_FORWARDS, PAGE_CLOSED, PAGE_PENDING,
	BY_LABEL, BY_HASH, DEL_FORWARD, FIGURES
};

static const char *const names[FIGURES] = {
	"start, ms", "memory after it, MiB", "memory after all, MiB", "invoice, us", "pay, us", "listinvoices of 100, us", "listpays of 100, us",
	"listforwards of 100, us", "listclosedchannels of 10, us", "listpays of those pending, us",
	"listinvoices by label, us", "listpays by hash, us", "delforward, us",
};

static void die(const char *what)
{
	fprintf(stderr, "past: %s\n", what);
	exit(1);
}

/* ---- A past ---- */

struct name {
	struct sha256 hash;
	uint64_t number;
};

struct filler {
	struct store *store;
	struct store_op *ops;
	uint32_t count;
	struct arena memory; /* of a batch */
};

static void flush(struct filler *f)
{
	if (f->count && !f->store->commit(f->store, f->ops, f->count))
		die(f->store->error);
	f->store->idle(f->store);
	f->count = 0;
	arena_reset(&f->memory);
}

static void put(struct filler *f, enum record_kind kind, struct bytes key, struct bytes value)
{
	f->ops[f->count++] = (struct store_op){ kind, false, arena_bytes(&f->memory, key), arena_bytes(&f->memory, value) };
	if (f->count == BATCH)
		flush(f);
}

/* The n-th of them: 1 to N; invoices and payments have hashes of their own. */
static void make_name(struct name *out, struct preimage *preimage, uint8_t of, uint64_t number)
{
	memset(preimage, of, sizeof(*preimage));
	store_be64(preimage->v, number);
	out->hash = sha256(preimage->v, sizeof(preimage->v));
	out->number = number;
}

static void put_invoice(struct filler *f, const struct name *n, const struct preimage *preimage, struct bytes bolt11)
{
	const char *label = arena_printf(&f->memory, "order-%010llu", (unsigned long long)n->number);
	struct record_invoice r = {
		.kind = INVOICE_BOLT11, .state = INVOICE_PAID, .preimage = *preimage, .amount = MSAT(1000000), .min_final_cltv = 18,
		.created_at_s = 1700000000 + n->number, .expires_at_s = 1700604800 + n->number, .created_index = n->number,
		.label = bytes_from_string(label), .description = bytes_from_string("a cup of tea"), .bolt11 = bolt11,
		.received = MSAT(1000000), .parts = 1, .paid_at_s = 1700000060 + n->number, .paid_index = n->number,
	};
	struct buf value = BUF_EMPTY;
	uint8_t key[RECEIVE_KEY_SIZE];

	store_be64(key, n->number);
	memcpy(key + 8, n->hash.v, 32);
	record_invoice_encode(&r, &value);
	put(f, RECORD_INVOICE_PAST, BYTES_OF(key), buf_view(&value));
	buf_release(&value);
}

static void put_payment(struct filler *f, const struct name *n, const struct preimage *preimage, struct bytes bolt11)
{
	struct record_payment r = {
		.kind = PAYMENT_BOLT11, .state = PAYMENT_COMPLETE, .amount = MSAT(1000000), .total = MSAT(1000000),
		.fee_limit = MSAT(5000), .created_at_s = 1700000000 + n->number, .created_index = n->number, .bolt11 = bolt11,
		.preimage = *preimage, .sent = MSAT(1001000), .parts = 1, .completed_at_s = 1700000001 + n->number,
	};
	struct buf value = BUF_EMPTY;
	uint8_t key[48];

	store_be64(key, n->number);
	send_index_key(key + 8, &n->hash, 1);
	memset(r.payee.v, 2, sizeof(r.payee.v));
	record_payment_encode(&r, &value);
	put(f, RECORD_PAYMENT_PAST, BYTES_OF(key), buf_view(&value));
	buf_release(&value);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct name *)a)->hash.v, ((const struct name *)b)->hash.v, 32);
}

/* In order of keys, which is what makes it quick. */
static void put_index(struct filler *f, bool invoices, struct name *all, uint64_t count)
{
	struct buf key = BUF_EMPTY;
	uint8_t value[8];

	qsort(all, count, sizeof(*all), by_hash);
	for (uint64_t i = 0; i < count; i++) {
		buf_clear(&key);
		if (invoices)
			receive_index_key(&key, RECEIVE_INDEX_HASH, BYTES_OF(all[i].hash.v));
		else
			buf_add(&key, all[i].hash.v, 32);
		buf_add_be64(&key, invoices ? all[i].number : 1);
		store_be64(value, all[i].number);
		put(f, invoices ? RECORD_INVOICE_INDEX : RECORD_PAYMENT_INDEX, buf_view(&key), BYTES_OF(value));
	}
	buf_release(&key);
}

static void put_numbered(struct filler *f, char of, uint64_t count)
{
	struct buf key = BUF_EMPTY;
	uint8_t number[8];

	for (uint64_t n = 1; n <= count; n++) {
		char label[32];

		snprintf(label, sizeof(label), "order-%010llu", (unsigned long long)n);
		store_be64(number, n);
		buf_clear(&key);
		receive_index_key(&key, of, of == RECEIVE_INDEX_LABEL ? bytes_from_string(label) : BYTES_OF(number));
		if (of == RECEIVE_INDEX_LABEL)
			buf_add_be64(&key, n);
		put(f, RECORD_INVOICE_INDEX, buf_view(&key), BYTES_OF(number));
	}
	buf_release(&key);
}

static void put_numbers(struct filler *f, uint64_t count)
{
	uint8_t invoices[17] = { 1 }, payments[9] = { 1 };

	store_be64(invoices + 1, count);
	store_be64(invoices + 9, count);
	store_be64(payments + 1, count);
	put(f, RECORD_NODE, bytes_from_string(RECEIVE_NUMBERS_KEY), BYTES_OF(invoices));
	put(f, RECORD_NODE, bytes_from_string(SEND_NUMBERS_KEY), BYTES_OF(payments));
}

static void put_payments(struct filler *f, uint64_t count)
{
	struct name *all = NEW_ARRAY(struct name, count + 1);
	struct preimage preimage;
	char text[220];

	memset(text, 'q', sizeof(text));
	memcpy(text, "lnbcrt", 6);
	for (int kind = 0; kind < 2; kind++) {
		for (uint64_t n = 1; n <= count; n++) {
			make_name(&all[n - 1], &preimage, (uint8_t)kind, n);
			if (kind == 0)
				put_invoice(f, &all[n - 1], &preimage, BYTES_OF(text));
			else
				put_payment(f, &all[n - 1], &preimage, BYTES_OF(text));
		}
		put_index(f, kind == 0, all, count);
	}
	put_numbered(f, RECEIVE_INDEX_LABEL, count);
	put_numbered(f, RECEIVE_INDEX_PAID, count);
	put_numbers(f, count);
	mem_free(all);
}

/* All came in over one channel. */
static void put_forwards(struct filler *f, uint64_t count)
{
	struct history_entry e = { .status = HISTORY_SETTLED, .in_channel = { FORWARDS_IN }, .in_amount = MSAT(1001000), .out_channel = { 9 },
				   .has_out_htlc = true, .out_amount = MSAT(1000000) };
	uint8_t key[HISTORY_INDEX_KEY], numbers[41] = { 3 };
	struct buf value = BUF_EMPTY;

	for (int index = 0; index < 2; index++)
		for (uint64_t n = 1; n <= count; n++) {
			e.index = e.in_htlc_id = e.out_htlc_id = n;
			e.received_ms = (1700000000 + n) * 1000;
			e.resolved_ms = e.received_ms + 700;
			history_index_key(key, &e);
			buf_clear(&value);
			history_encode(&e, &value);
			if (index)
				put(f, RECORD_FORWARD_INDEX, BYTES_OF(key), BYTES(key + 16, 8));
			else
				put(f, RECORD_FORWARD, BYTES(key + 16, 8), buf_view(&value));
		}
	store_be64(numbers + 1, count);
	put(f, RECORD_NODE, bytes_from_string("forwards"), BYTES_OF(numbers));
	buf_release(&value);
}

static struct pubkey some_point(void)
{
	struct pubkey out;

	if (!hex_decode(out.v, sizeof(out.v), "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", 66))
		die("no point");
	return out;
}

static void put_closed(struct filler *f, uint64_t count)
{
	const struct pubkey point = some_point();
	const struct basepoints points = { point, point, point, point, point };
	struct channel_record r = { .peer = point, .state = CLOSED, .type = COMMITMENT_ANCHORS, .funding_amount = SAT(1000000),
				    .local_points = { point, point }, .remote_points = { point, point } };
	struct buf value = BUF_EMPTY;
	uint8_t key[16], number[9] = { 1 };

	r.side[0].points = r.side[1].points = points;
	for (uint64_t n = 1; n <= count; n++) {
		r.key = CLOSED_KEYS + n;
		r.scid.v = r.key;
		r.alias_local.v = ~r.key;
		store_be64(r.id.v, n);
		buf_clear(&value);
		channel_record_encode(&r, &value);
		store_be64(key, n);
		store_be64(key + 8, r.key);
		put(f, RECORD_CLOSED_PAST, BYTES_OF(key), buf_view(&value));
		put(f, RECORD_CLOSED_INDEX, BYTES(key + 8, 8), BYTES(key, 8));
	}
	store_be64(number + 1, count);
	put(f, RECORD_NODE, bytes_from_string("closed"), BYTES_OF(number));
	buf_release(&value);
}

static bool note_one(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	(void)kind;
	(void)key;
	(void)value;
	*(bool *)context = true;
	return false;
}

/* What is there already, with --keep, stays as it is. */
static bool lacks(struct filler *f, enum record_kind kind)
{
	const struct record_range range = { .kind = kind, .limit = 1 };
	bool has = false;

	if (!f->store->fetch(f->store, &range, note_one, &has))
		die(f->store->error);
	return !has;
}

static void fill(const char *folder, uint64_t count)
{
	struct filler f = { .ops = NEW_ARRAY(struct store_op, BATCH) };
	char error[STORE_ERROR_SIZE];

	f.store = store_open_sqlite(folder, error);
	if (!f.store)
		die(error);
	arena_init(&f.memory);
	if (lacks(&f, RECORD_PAYMENT_PAST))
		put_payments(&f, count);
	if (lacks(&f, RECORD_FORWARD))
		put_forwards(&f, count);
	if (lacks(&f, RECORD_CLOSED_PAST))
		put_closed(&f, count / PAYMENTS_A_CHANNEL);
	flush(&f);
	f.store->close(f.store);
	arena_release(&f.memory);
	mem_free(f.ops);
}

/* ---- A chain of one block ---- */

static const char genesis[] =
	"0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e"
	"67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f200200000001010000000100000000000000000000"
	"00000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f"
	"4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f75742066"
	"6f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a6"
	"7962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000";
static const char genesis_hash[] = "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";

static enum lampo_verdict tip(void *context, struct lampo_tip *out, char *error)
{
	(void)context;
	(void)error;
	out->height = out->headers = 0;
	return hex_decode(out->hash32, 32, genesis_hash, 64) ? LAMPO_OK : LAMPO_AWAY;
}

static enum lampo_verdict block_hash(void *context, uint32_t height, uint8_t hash32[32], char *error)
{
	(void)context;
	(void)error;
	return hex_decode(hash32, 32, genesis_hash, 64) && !height ? LAMPO_OK : LAMPO_NO;
}

static enum lampo_verdict block(void *context, const uint8_t hash32[32], struct lampo_buffer *out, char *error)
{
	uint8_t raw[sizeof(genesis) / 2];

	(void)context;
	(void)hash32;
	(void)error;
	if (!hex_decode(raw, sizeof(raw), genesis, sizeof(genesis) - 1))
		return LAMPO_NO;
	lampo_buffer_add(out, raw, sizeof(raw));
	return LAMPO_OK;
}

static enum lampo_verdict broadcast(void *context, const struct lampo_bytes *txs, size_t count, char *error)
{
	(void)context;
	(void)txs;
	(void)count;
	(void)error;
	return LAMPO_NO;
}

static enum lampo_verdict feerate(void *context, uint32_t blocks, uint32_t *per_kw, char *error)
{
	(void)context;
	(void)blocks;
	(void)error;
	*per_kw = 1000;
	return LAMPO_OK;
}

static enum lampo_verdict utxo(void *context, const struct lampo_outpoint *o, uint64_t *sat, struct lampo_buffer *script, char *error)
{
	(void)context;
	(void)o;
	(void)sat;
	(void)script;
	(void)error;
	return LAMPO_NO;
}

/* ---- Measuring ---- */

struct run {
	struct lampo_node *node;
	uint64_t count;
	uint32_t round;
	enum figure figure;
	bool only_start;
	double began, figures[FIGURES], samples[FIGURES][ROUNDS];
	uint32_t sampled[FIGURES];
	char bolt11[2000];
	char hashes[ROUNDS][65]; /* of the invoices that were made, and paid by this node itself */
};

static void go_on(struct run *r);

static double resident_mib(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		die("/proc/self/statm cannot be read");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* The text of that name in an object. */
static void copy_field(char *out, size_t size, const char *json, const char *name)
{
	char head[40];
	const char *at;

	snprintf(head, sizeof(head), "\"%s\":\"", name);
	at = strstr(json, head);
	if (!at)
		die(json);
	at += strlen(head);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void answered(void *context, int code, const char *json)
{
	struct run *r = context;

	if (code && !(code == FORWARD_UNKNOWN && r->figure == DEL_FORWARD))
		die(json);
	if (r->figure == INVOICE) {
		copy_field(r->bolt11, sizeof(r->bolt11), json, "bolt11");
		copy_field(r->hashes[r->round / 2], sizeof(r->hashes[0]), json, "payment_hash");
	}
	r->samples[r->figure][r->sampled[r->figure]++] = (now() - r->began) * 1e6;
	r->round++;
	go_on(r);
}

static void call(struct run *r, const char *method, const char *params)
{
	r->began = now();
	lampo_node_call(r->node, method, params, answered, r);
}

/* An entry somewhere in the past; without one, of those that were made. */
static void ask_for_one(struct run *r, uint64_t number)
{
	struct preimage preimage;
	struct name name;
	char text[100], hash[65];

	if (r->figure == BY_LABEL) {
		if (r->count)
			snprintf(text, sizeof(text), "{\"label\":\"order-%010llu\"}", (unsigned long long)number);
		else
			snprintf(text, sizeof(text), "{\"label\":\"new-%ld-%u\"}", (long)getpid(), r->round);
		call(r, "listinvoices", text);
		return;
	}
	make_name(&name, &preimage, 1, number);
	hex_encode(hash, name.hash.v, 32);
	snprintf(text, sizeof(text), "{\"payment_hash\":\"%s\"}", r->count ? hash : r->hashes[r->round]);
	call(r, "listpays", text);
}

static const char *const lists[FIGURES] = {
	[PAGE_INVOICES] = "listinvoices", [PAGE_PAYS] = "listpays", [PAGE_FORWARDS] = "listforwards",
	[PAGE_CLOSED] = "listclosedchannels",
};

static void ask(struct run *r)
{
	/* Entries all over the past. */
	const uint64_t number = r->count ? 1 + (r->round * 7919ull * 104729ull) % r->count : 1;
	char text[2100];

	if (r->figure == INVOICE) {
		snprintf(text, sizeof(text), "[1000,\"new-%ld-%u\",\"tea\"]", (long)getpid(), r->round / 2);
		call(r, "invoice", text);
	} else if (r->figure == PAY) {
		snprintf(text, sizeof(text), "[\"%s\"]", r->bolt11);
		call(r, "pay", text);
	} else if (lists[r->figure]) {
		snprintf(text, sizeof(text), "{%s\"start\":%llu,\"limit\":%u}", r->figure == PAGE_CLOSED ? "" : "\"index\":\"created\",",
			 (unsigned long long)(r->figure == PAGE_CLOSED ? 1 + number / PAYMENTS_A_CHANNEL : number),
			 r->figure == PAGE_CLOSED ? 10u : 100u);
		call(r, lists[r->figure], text);
	} else if (r->figure == PAGE_PENDING) {
		call(r, "listpays", "{\"status\":\"pending\"}");
	} else if (r->figure == DEL_FORWARD) {
		/* Others than an earlier run on what --keep has kept. */
		snprintf(text, sizeof(text), "[\"0x0x%u\",%llu,\"settled\"]", FORWARDS_IN,
			 (unsigned long long)(r->count ? 1 + (number + (uint64_t)getpid() * ROUNDS) % r->count : number));
		call(r, "delforward", text);
	} else {
		ask_for_one(r, number);
	}
}

/* An invoice and its payment in turn, then the lists. */
static void go_on(struct run *r)
{
	if (r->figure <= PAY && r->round < 2 * ROUNDS) {
		r->figure = r->round % 2 ? PAY : INVOICE;
	} else if (r->figure <= PAY || r->round == ROUNDS) {
		r->figure = r->figure <= PAY ? PAGE_INVOICES : (enum figure)(r->figure + 1);
		r->round = 0;
	}
	if (r->figure == FIGURES) {
		r->figures[MEMORY_LATER] = resident_mib();
		lampo_node_stop(r->node);
		return;
	}
	ask(r);
}

/* The node answers, and its chain is followed: from here on it can be paid. */
static void started(void *context, int code, const char *json)
{
	struct run *r = context;

	if (code || strstr(json, "\"sync_in_progress\":true")) {
		lampo_node_call(r->node, "getinfo", NULL, started, r);
		return;
	}
	r->figures[START] = (now() - r->began) * 1e3;
	r->figures[MEMORY] = resident_mib();
	if (r->only_start) {
		lampo_node_stop(r->node);
		return;
	}
	r->figure = INVOICE;
	go_on(r);
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *folder, uint64_t count, bool only_start, double out[FIGURES])
{
	const struct lampo_backend backend = { .size = sizeof(backend), .tip = tip, .block_hash = block_hash, .block = block,
					       .broadcast = broadcast, .feerate = feerate, .utxo = utxo };
	struct lampo_config *c = lampo_config_new("regtest");
	struct run r = { .count = count, .only_start = only_start };
	char error[LAMPO_ERROR_SIZE];
	uint8_t seed[32];

	memset(seed, 7, sizeof(seed));
	lampo_config_directory(c, folder);
	lampo_config_backend(c, &backend);
	lampo_config_seed(c, seed, sizeof(seed));
	r.began = now();
	r.node = lampo_node_new(c, error);
	if (!r.node)
		die(error);
	lampo_config_free(c);
	lampo_node_call(r.node, "getinfo", NULL, started, &r);
	lampo_node_run(r.node);
	lampo_node_free(r.node);
	for (int i = INVOICE; i < FIGURES; i++) {
		qsort(r.samples[i], ROUNDS, sizeof(double), by_value);
		r.figures[i] = r.samples[i][ROUNDS / 2];
	}
	memcpy(out, r.figures, sizeof(r.figures));
}

/* In a process of its own: its memory is its own, and so are its mistakes. */
static void measure_apart(const char *folder, uint64_t count, bool only_start, double out[FIGURES])
{
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) || (pid = fork()) < 0)
		die("no process can be made");
	if (!pid) {
		measure(folder, count, only_start, out);
		_exit(write(fds[1], out, FIGURES * sizeof(*out)) == FIGURES * (ssize_t)sizeof(*out) ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], out, FIGURES * sizeof(*out)) != FIGURES * (ssize_t)sizeof(*out))
		die("a measurement failed");
	close(fds[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		die("a measurement did not end well");
}

/* The measurements must not inherit its memory. */
static void fill_apart(const char *folder, uint64_t count)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("no process can be made");
	if (!pid) {
		fill(folder, count);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("the database could not be filled");
}

static void measure_all(const char *folder, uint64_t count, double out[FIGURES])
{
	double start[FIGURES], best;

	measure_apart(folder, count, true, start);
	best = start[START];
	for (int i = 1; i < STARTS; i++) {
		measure_apart(folder, count, true, start);
		best = start[START] < best ? start[START] : best;
	}
	measure_apart(folder, count, false, out);
	out[START] = best;
	out[MEMORY] = start[MEMORY];
}

/* Without a past there is nothing of it to show. */
static bool is_shown(int figure, uint64_t size)
{
	return size || (figure != PAGE_FORWARDS && figure != PAGE_CLOSED && figure != DEL_FORWARD);
}

static void show(const uint64_t *sizes, double figures[][FIGURES], int count)
{
	printf("| |");
	for (int i = 0; i < count; i++)
		printf(" %llu |", (unsigned long long)sizes[i]);
	printf(" ratio |\n|---|");
	for (int i = 0; i <= count; i++)
		printf("---:|");
	printf("\n");
	for (int f = 0; f < FIGURES; f++) {
		printf("| %s |", names[f]);
		for (int i = 0; i < count; i++)
			if (is_shown(f, sizes[i]))
				printf(" %.*f |", figures[i][f] < 100, figures[i][f]);
			else
				printf(" |");
		printf(" %.2f |\n", figures[count - 1][f] / figures[!is_shown(f, 0)][f]);
	}
}

/* Before anything is written. */
static void look_for_room(uint64_t most)
{
	const double needed = (double)most * BYTES_EACH / 1e9;
	struct statvfs disk;
	double there;

	if (statvfs(".", &disk))
		die("the folder's disk cannot be asked for its room");
	there = (double)disk.f_bavail * (double)disk.f_frsize / 1e9;
	fprintf(stderr, "past: up to %llu of each need %.1f GB here, %.1f GB are free\n", (unsigned long long)most, needed, there);
	if (there < needed * 1.1)
		die("that is too little: another --folder, or a smaller --most");
}

static void fill_and_measure(const char *base, uint64_t count, bool keep, double out[FIGURES])
{
	char folder[300], gone[400];
	double began = now();

	snprintf(folder, sizeof(folder), "%s/%llu", base, (unsigned long long)count);
	if (access(folder, F_OK) && mkdir(folder, 0700))
		die("no folder can be made here");
	fill_apart(folder, count);
	fprintf(stderr, "past: %llu filled in %.0f s\n", (unsigned long long)count, now() - began);
	measure_all(folder, count, out);
	snprintf(gone, sizeof(gone), "rm -rf '%s'", folder);
	if (!keep && system(gone))
		die("a folder stays behind");
}

static const char usage[] =
	"usage: past [--most N] [--folder DIR] [--keep DIR]\n"
	"  --most N      none, 10000, 100000 ... up to N invoices, payments and forwards: 1000000 without it, 10000000 at\n"
	"                most.  The disk needs 1.5 GB a million, 15 GB for 10000000, as long as it runs.\n"
	"  --folder DIR  where: the current folder without it\n"
	"  --keep DIR    in DIR, where what is filled stays and is taken again the next time";

int main(int argc, char **argv)
{
	static const uint64_t sizes[SIZES_MAX] = { 0, 10000, 100000, 1000000, 10000000 };
	static double figures[SIZES_MAX][FIGURES];
	char base[200] = "lampo-past.XXXXXX";
	uint64_t most = 1000000;
	bool keep = false;
	int count = 0;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			die(usage);
		if (strcmp(argv[i], "--most") == 0)
			most = strtoull(argv[i + 1], NULL, 10);
		else if ((strcmp(argv[i], "--folder") && strcmp(argv[i], "--keep")) || chdir(argv[i + 1]))
			die(usage);
		keep = keep || strcmp(argv[i], "--keep") == 0;
	}
	look_for_room(most);
	if (keep)
		snprintf(base, sizeof(base), ".");
	else if (!mkdtemp(base))
		die("no folder can be made here");
	for (; count < SIZES_MAX && sizes[count] <= most; count++)
		fill_and_measure(base, sizes[count], keep, figures[count]);
	if (!keep && rmdir(base))
		die("a folder stays behind");
	show(sizes, figures, count);
	return 0;
}
