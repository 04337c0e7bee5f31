/* One whole node in this process: the core, the executor, a store in memory, a real signer and a wallet that makes
 * coins as they are asked for.  The test is everybody else: peers, chain, users, clock.  What the node lets out is
 * kept in order until the test takes it.  Two of them can talk to one another (rig_link, rig_pump).
 *
 * Used by unit tests and by the fuzzer of the node, so it checks with ASSERT. */
#ifndef TESTS_NODE_SETUP_H
#define TESTS_NODE_SETUP_H

#include <stdio.h>
#include <string.h>

#include "bitcoin/script.h"
#include "channel/view.h"
#include "crypto/hash.h"
#include "node/node.h"
#include "node/view.h"
#include "route/job.h"
#include "runtime/exec/exec.h"
#include "runtime/signer/delayed.h"
#include "runtime/signer/local.h"
#include "runtime/store/fetch.h"
#include "tests/stored_invoice.h"
#include "tests/stored_payment.h"
#include "wire/message.h"

#define RIG_HEIGHT 500u
#define RIG_COINS 64
#define RIG_CALLS 8192
#define RIG_JOBS 1024

/* An effect that left the node, copied. */
struct rig_item {
	struct rig_item *next;
	enum effect_kind kind;
	uint64_t id;           /* connection, call or broadcast */
	struct bytes data;     /* SEND: the message; BROADCAST: the transaction */
	struct pubkey peer;    /* CONNECT, NOTIFY */
	enum notify_kind notify;
	struct held_thing held; /* NOTIFY_HELD */
	struct watch watch;    /* WATCH: its outpoint alone */
	struct reply reply;    /* REPLY: texts and transactions copied, other views dead */
};

struct rig_stored_read {
	struct rig_stored_read *next;
	uint64_t id;
	struct record_range range;
};

struct rig_question {
	struct rig_question *next;
	uint64_t id;
	enum funds_kind kind;
	uint64_t reservation;
	struct bytes script;
	struct amount_sat amount;
	bool all;
	bool cannot;           /* it has no coins for what pays an anchor's parent */
};

struct rig {
	struct node_config config;
	uint8_t seed[32];
	struct pubkey id;
	struct log_sink log;
	char last_log[600];
	bool verbose;

	struct local_signer *signer;
	struct delayed_signer *slow;   /* answers when rig_signer_tick is called, if signer_late */
	bool signer_late, wallet_late, wallet_fails, worker_late;
	bool store_late;               /* reads are answered when rig_store_answers is called */
	struct rig_stored_read *reads;
	struct { uint64_t id; struct route_job *job; } jobs[RIG_JOBS]; /* that wait */
	uint32_t job_count;
	bool has_fake;                 /* the wallet lies about what it builds */
	struct outpoint fake;
	/* The edge of gossip, for those who turn it on: obeys an order, and reads the log back before a start. */
	void (*gossip)(struct rig *r, const struct gossip_note *order);
	void (*gossip_load)(struct rig *r);
	bool has_spendable;
	struct amount_sat spendable;   /* what the wallet says it has */
	struct feerate built_at;       /* asked for by the last FUNDS_BUILD */
	struct bytes found;            /* a backup that lies beside the disk */
	struct memory_disk *disk;
	struct store *store;
	struct exec *exec;
	struct node *node;
	uint64_t now_ms;
	uint32_t lives;

	struct arena kept;             /* items, questions */
	struct rig_item *head, **tail;
	struct rig_question *questions;
	uint64_t next_call, next_address;
	uint32_t answers[RIG_CALLS];   /* by call: how often it was answered (INV-N3) */
	struct { uint64_t reservation; struct buf tx; } coins[RIG_COINS];
	uint32_t asked_addresses, released, spent, retained;

	uint32_t height;
	struct block_hash chain[4096]; /* by height - RIG_HEIGHT */
	uint32_t forks;
};

/* --- the wallet --- */

static inline void rig_answer(struct rig *r, const struct rig_question *q)
{
	struct funds_answer a = { .failed = r->wallet_fails || q->cannot, .code = 301, .reason = "the wallet says no" };
	uint32_t index[1] = { 0 };
	struct amount_sat amounts[1] = { q->all ? SAT(1000000) : q->amount };
	uint8_t program[20] = { 0 };
	struct buf script = BUF_EMPTY, raw = BUF_EMPTY;
	struct arena arena;
	struct buf *coin = NULL;
	struct tx *t;

	arena_init(&arena);
	/* A claim that the wallet should pay for: this one has no such coins. */
	if (q->reservation & RESERVATION_CLAIM)
		a.failed = true;
	for (uint32_t i = 0; i < RIG_COINS && !a.failed; i++)
		if (!coin && (r->coins[i].reservation == q->reservation || !r->coins[i].reservation)) {
			r->coins[i].reservation = q->reservation;
			coin = &r->coins[i].tx;
		}
	ASSERT(coin || a.failed);
	if (q->kind == FUNDS_ADDRESS) {
		store_be64(program, ++r->next_address);
		program[19] = r->seed[0];
		script_op(&script, OP_0);
		script_push(&script, BYTES_OF(program));
		a.script = buf_view(&script);
		a.text = "an address";
		a.has_spendable = r->has_spendable;
		a.spendable = r->spendable;
		r->asked_addresses++;
	} else if (q->kind == FUNDS_BUILD && !a.failed) {
		t = tx_new(&arena, 2, 1, 1, 0);
		memset(t->inputs[0].prev.txid.v, r->seed[0], 32);
		store_be64(t->inputs[0].prev.txid.v, q->reservation);
		t->inputs[0].sequence = 0xfffffffd;
		t->outputs[0] = (struct tx_output){ amounts[0], q->script };
		buf_clear(coin);
		tx_encode(t, coin);
		a.tx = buf_view(coin);
		a.txid = tx_id(t);
		a.output_index = index;
		a.output_amounts = amounts;
		if (r->has_fake) {
			a.txid = r->fake.txid;
			index[0] = r->fake.index;
		}
	} else if (q->kind == FUNDS_SIGN && !a.failed) {
		struct bytes item = BYTES("signed", 6);

		t = tx_parse(&arena, buf_view(coin));
		if (!t) {
			a.failed = true;
			a.reason = "no such reservation";
		} else {
			tx_set_witness(&arena, t, 0, &item, 1);
			tx_encode(t, &raw);
			a.tx = buf_view(&raw);
			a.txid = tx_id(t);
		}
	}
	exec_funded(r->exec, q->id, &a);
	buf_release(&script);
	buf_release(&raw);
	arena_release(&arena);
}

static inline void rig_funds(void *context, uint64_t id, const struct funds_request *request, struct exec *exec)
{
	struct rig *r = context;
	struct rig_question *q, **end = &r->questions;

	(void)exec;
	if (request->kind == FUNDS_BUILD)
		r->built_at = request->feerate;
	r->released += request->kind == FUNDS_RELEASE;
	r->spent += request->kind == FUNDS_SPENT;
	r->retained += request->kind == FUNDS_RETAIN ? request->retain_count : 0;
	if (request->kind == FUNDS_RELEASE || request->kind == FUNDS_SPENT || request->kind == FUNDS_RETAIN)
		return;
	q = ARENA_NEW(&r->kept, struct rig_question);
	q->id = id;
	q->kind = request->kind;
	q->reservation = request->reservation;
	q->cannot = request->kind == FUNDS_BUILD && !request->output_count;
	if (request->kind == FUNDS_BUILD && !q->cannot) {
		q->script = arena_bytes(&r->kept, request->outputs->script);
		q->amount = request->outputs->amount;
		q->all = request->outputs->all;
	}
	if (!r->wallet_late) {
		rig_answer(r, q);
		return;
	}
	while (*end)
		end = &(*end)->next;
	*end = q;
}

/* Answers the number-th question that waits; false if there are not so many. */
static inline bool rig_wallet_answers(struct rig *r, uint32_t number)
{
	struct rig_question **at = &r->questions, *q;

	while (*at && number--)
		at = &(*at)->next;
	if (!*at)
		return false;
	q = *at;
	*at = q->next;
	rig_answer(r, q);
	exec_run(r->exec, r->now_ms);
	return true;
}

/* --- what comes out --- */

static inline const char *rig_text(struct rig *r, const char *s)
{
	return s ? arena_string(&r->kept, s) : NULL;
}

static inline void rig_keep_reply(struct rig *r, struct rig_item *i, uint64_t call, const struct reply *reply)
{
	i->id = call;
	i->reply = *reply;
	i->reply.message = rig_text(r, reply->message);
	ASSERT(call && call < RIG_CALLS);
	ASSERT(++r->answers[call] == 1); /* INV-N3 */
	if (reply->kind == COMMAND_WAIT_SENDPAY && reply->u.sendpay.has_failure)
		i->reply.u.sendpay.failure_message = arena_bytes(&r->kept, reply->u.sendpay.failure_message);
	if (reply->code != REPLY_OK)
		return;
	if (reply->kind == COMMAND_INVOICE)
		i->reply.u.invoice.bolt11 = rig_text(r, reply->u.invoice.bolt11);
	if (reply->kind == COMMAND_SENDPAY || reply->kind == COMMAND_WAIT_SENDPAY) {
		i->reply.u.sendpay.label = rig_text(r, reply->u.sendpay.label);
		i->reply.u.sendpay.bolt11 = rig_text(r, reply->u.sendpay.bolt11);
	}
	if (reply->kind == COMMAND_SET_CHANNEL) {
		struct channel_set *kept = ARENA_ARRAY(&r->kept, struct channel_set, reply->u.set_channel.count + 1);

		for (uint32_t k = 0; k < reply->u.set_channel.count; k++)
			kept[k] = reply->u.set_channel.channels[k];
		i->reply.u.set_channel.channels = kept;
	}
	if (reply->kind == COMMAND_CONNECT)
		i->reply.u.connect.host = rig_text(r, reply->u.connect.host);
	if (reply->kind == COMMAND_CLOSE)
		i->reply.u.close.tx = arena_bytes(&r->kept, reply->u.close.tx);
	if (reply->kind == COMMAND_FUND_CHANNEL)
		i->reply.u.fund_channel.tx = arena_bytes(&r->kept, reply->u.fund_channel.tx);
}

static inline void rig_read(struct rig *r, uint64_t id, const struct record_range *range)
{
	struct fetch got;
	struct event e;

	ASSERT(fetch_read(&got, r->store, range, 1));
	e = fetch_event(&got, id, r->now_ms);
	exec_event(r->exec, &e);
	fetch_release(&got);
}

/* What the core says then is in the next batch. */
static inline void rig_fetch(struct rig *r, const struct effect *f)
{
	struct rig_stored_read *later, **end = &r->reads;

	if (!r->store_late) {
		rig_read(r, f->u.fetch.id, &f->u.fetch.range);
		return;
	}
	later = ARENA_NEW(&r->kept, struct rig_stored_read);
	later->id = f->u.fetch.id;
	later->range = f->u.fetch.range;
	later->range.prefix = arena_bytes(&r->kept, f->u.fetch.range.prefix);
	later->range.from = arena_bytes(&r->kept, f->u.fetch.range.from);
	while (*end)
		end = &(*end)->next;
	*end = later;
}

static inline uint32_t count_records(struct rig *r, enum record_kind kind)
{
	const struct record_range all = { .kind = kind };
	struct fetch got;
	uint32_t count;

	ASSERT(fetch_read(&got, r->store, &all, 1));
	count = got.count;
	fetch_release(&got);
	return count;
}

/* Answers the read that has waited longest; false: none waits. */
static inline bool rig_store_answers(struct rig *r)
{
	struct rig_stored_read *first = r->reads;

	if (!first)
		return false;
	r->reads = first->next;
	rig_read(r, first->id, &first->range);
	exec_run(r->exec, r->now_ms);
	return true;
}

/* All reads that wait are answered, in one batch. */
static inline void rig_read_all(struct rig *r)
{
	struct rig_stored_read *first = r->reads;

	r->reads = NULL;
	for (; first; first = first->next)
		rig_read(r, first->id, &first->range);
	exec_run(r->exec, r->now_ms);
}

/* The oldest job. */
static inline void rig_work(struct rig *r)
{
	struct event e = { .kind = EVENT_COMPUTED, .now_ms = r->now_ms };

	e.u.computed.id = r->jobs[0].id;
	route_job_run(r->jobs[0].job);
	memmove(r->jobs, r->jobs + 1, --r->job_count * sizeof(r->jobs[0]));
	exec_event(r->exec, &e);
}

static inline void rig_release(void *context, const struct effect *f)
{
	struct rig *r = context;
	struct rig_item *i = ARENA_NEW(&r->kept, struct rig_item);
	uint16_t type;

	i->kind = f->kind;
	switch (f->kind) {
	case EFFECT_SEND:
		/* B1.lightning_message_format.1: tests/house/numbers.py says what the codecs know. */
		ASSERT(msg_type(f->u.send.message, &type) && msg_codec(type) && f->u.send.message.size <= MESSAGE_SIZE_MAX);
		i->id = f->u.send.connection;
		i->data = arena_bytes(&r->kept, f->u.send.message);
		break;
	case EFFECT_CONNECT:
		i->peer = f->u.connect.peer;
		break;
	case EFFECT_DISCONNECT:
		i->id = f->u.disconnect.connection;
		break;
	case EFFECT_BROADCAST:
		i->id = f->u.broadcast.id;
		i->data = arena_bytes(&r->kept, f->u.broadcast.txs[0]);
		break;
	case EFFECT_WATCH:
		i->watch = f->u.watch;
		break;
	case EFFECT_NOTIFY:
		i->notify = f->u.notify.kind;
		if (f->u.notify.held)
			i->held = *f->u.notify.held;
		i->peer = f->u.notify.peer;
		break;
	case EFFECT_REPLY:
		rig_keep_reply(r, i, f->u.reply.call, f->u.reply.reply);
		break;
	case EFFECT_FETCH:
		rig_fetch(r, f);
		break;
	case EFFECT_GOSSIP:
		ASSERT(r->gossip);
		r->gossip(r, f->u.gossip);
		return;
	case EFFECT_PERSIST:
	case EFFECT_SIGN:
	case EFFECT_FUNDS:
	case EFFECT_COMPUTE:
		UNREACHABLE();
	}
	*r->tail = i;
	r->tail = &i->next;
}

/* A worker without a thread.  If `worker_late`, jobs wait for rig_worker_tick. */
static inline void rig_compute(void *context, uint64_t id, struct route_job *job)
{
	struct rig *r = context;

	ASSERT(r->job_count < RIG_JOBS);
	r->jobs[r->job_count].id = id;
	r->jobs[r->job_count++].job = job;
	while (!r->worker_late && r->job_count)
		rig_work(r);
}

/* Runs the oldest job that waits; false if none does. */
static inline bool rig_worker_tick(struct rig *r)
{
	if (!r->job_count)
		return false;
	rig_work(r);
	exec_run(r->exec, r->now_ms);
	return true;
}

/* An invoice of the node's, wherever it is kept; of one that is over without texts. */
static inline struct record_invoice rig_invoice(struct rig *r, const struct sha256 *hash)
{
	const struct received_invoice *i = receive_by_hash(node_view_invoices(r->node), hash);
	struct record_invoice v;

	if (i)
		return i->r;
	ASSERT(stored_invoice(r->store, hash, &v));
	return v;
}

/* The latest payment of that hash, wherever it is kept; NULL: there is none. */
static inline const struct record_payment *rig_payment(struct rig *r, const struct sha256 *hash)
{
	return stored_payment(r->store, hash, &r->kept);
}

/* Takes one item out of the list. */
static inline void rig_unlink(struct rig *r, struct rig_item *i)
{
	struct rig_item **at = &r->head;

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	r->tail = &r->head;
	while (*r->tail)
		r->tail = &(*r->tail)->next;
}

/* The oldest item of that kind; NULL if there is none. */
static inline struct rig_item *rig_take(struct rig *r, enum effect_kind kind)
{
	for (struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == kind) {
			rig_unlink(r, i);
			return i;
		}
	return NULL;
}

/* The oldest message of that type; empty if there is none. */
static inline struct bytes rig_sent(struct rig *r, uint16_t type)
{
	uint16_t t;

	for (struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == EFFECT_SEND && msg_type(i->data, &t) && t == type) {
			rig_unlink(r, i);
			return i->data;
		}
	return BYTES_NONE;
}

static inline bool rig_has_sent(const struct rig *r, uint64_t connection, uint16_t type)
{
	uint16_t t;

	for (const struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == EFFECT_SEND && i->id == connection && msg_type(i->data, &t) && t == type)
			return true;
	return false;
}

static inline void rig_forget(struct rig *r)
{
	r->head = NULL;
	r->tail = &r->head;
}

/* The answer to a call, which stays in the list; NULL if it has not come. */
static inline const struct reply *rig_reply(struct rig *r, uint64_t call)
{
	for (struct rig_item *i = r->head; i; i = i->next)
		if (i->kind == EFFECT_REPLY && i->id == call)
			return &i->reply;
	return NULL;
}

/* --- lives --- */

static inline void rig_log(void *context, enum log_level level, const char *room, const char *text)
{
	struct rig *r = context;

	if (r->verbose)
		printf("    %u %s: %s\n", r->seed[0], room, text);
	if (level >= LOG_INFO)
		snprintf(r->last_log, sizeof(r->last_log), "%s", text);
}

static inline void rig_core_step(void *context, const struct event *event, struct effects *out)
{
	node_step(((struct rig *)context)->node, event, out);
}

static inline void rig_core_flush(void *context, uint64_t now_ms, struct effects *out)
{
	node_flush(((struct rig *)context)->node, now_ms, out);
}

static inline uint64_t rig_core_deadline(void *context)
{
	return node_deadline(((struct rig *)context)->node);
}

static inline void rig_commit(void *context, const struct store_op *ops, uint32_t count, struct exec *exec)
{
	struct rig *r = context;

	ASSERT(r->store->commit(r->store, ops, count));
	exec_committed(exec);
}

static inline void rig_ask(void *context, const struct sign_request *request, signer_done *done, void *owner, uint64_t id)
{
	struct rig *r = context;
	struct signer_port port = r->signer_late ? delayed_signer_port(r->slow) : local_signer_port(r->signer);

	port.request(port.context, request, done, owner, id);
}

/* Answers of a late signer that are due now. */
static inline uint32_t rig_signer_tick(struct rig *r)
{
	uint32_t given = delayed_signer_tick(r->slow);

	exec_run(r->exec, r->now_ms);
	return given;
}

static inline bool rig_load(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	return node_load_record(((struct rig *)context)->node, kind, key, value);
}

static inline void rig_event(struct rig *r, struct event *e)
{
	e->now_ms = r->now_ms;
	exec_event(r->exec, e);
	exec_run(r->exec, r->now_ms);
	node_check(r->node);
}

static inline void rig_synced(struct rig *r)
{
	struct event e = { .kind = EVENT_CHAIN_SYNCED };

	e.u.synced.height = e.u.synced.best_height = r->height;
	rig_event(r, &e);
}

static inline struct block_hash rig_block_hash(const struct rig *r, uint32_t height)
{
	uint8_t raw[8];
	struct sha256 h;
	struct block_hash out;

	store_be32(raw, height);
	store_be32(raw + 4, r->forks);
	h = sha256(raw, sizeof(raw));
	memcpy(out.v, h.v, 32);
	return out;
}

static inline uint32_t rig_spent(struct outpoint *out, uint32_t most, const struct bytes *txs, uint32_t count)
{
	uint32_t spent = 0;
	struct arena arena;

	arena_init(&arena);
	for (uint32_t i = 0; i < count; i++) {
		const struct tx *t = tx_parse(&arena, txs[i]);

		for (uint32_t k = 0; t && k < t->input_count && spent < most; k++)
			out[spent++] = t->inputs[k].prev;
	}
	arena_release(&arena);
	return spent;
}

/* The next block of the best chain. */
static inline void rig_block(struct rig *r, const struct bytes *txs, uint32_t count)
{
	struct event e = { .kind = EVENT_BLOCK };
	struct block_tx list[16];
	struct outpoint spent[64];

	ASSERT(count <= ARRAY_COUNT(list));
	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct block_tx){ txs[i], i + 1 };
	e.u.block.spent = spent;
	e.u.block.spent_count = rig_spent(spent, ARRAY_COUNT(spent), txs, count);
	e.u.block.previous = r->chain[r->height - RIG_HEIGHT];
	e.u.block.height = ++r->height;
	ASSERT(r->height - RIG_HEIGHT < ARRAY_COUNT(r->chain));
	e.u.block.hash = r->chain[r->height - RIG_HEIGHT] = rig_block_hash(r, r->height);
	e.u.block.txs = list;
	e.u.block.tx_count = count;
	rig_event(r, &e);
}

static inline void rig_blocks(struct rig *r, uint32_t count)
{
	while (count--)
		rig_block(r, NULL, 0);
}

static inline void rig_undo(struct rig *r)
{
	struct event e = { .kind = EVENT_BLOCK_UNDONE };

	ASSERT(r->height > RIG_HEIGHT);
	e.u.undone.height = r->height;
	e.u.undone.hash = r->chain[r->height - RIG_HEIGHT];
	r->height--;
	e.u.undone.previous = r->chain[r->height - RIG_HEIGHT];
	r->forks++;
	rig_event(r, &e);
}

static inline void rig_fees(struct rig *r, uint32_t normal)
{
	struct event e = { .kind = EVENT_FEES };

	for (int i = 0; i < FEE_TARGETS; i++)
		e.u.fees.rates[i] = FEERATE(normal);
	e.u.fees.rates[FEE_URGENT] = FEERATE(2 * normal);
	rig_event(r, &e);
}

/* From the stored records; with what node_start lets out. */
static inline bool rig_try_start(struct rig *r)
{
	uint8_t fresh[32] = { 0 };
	struct exec_ports ports = {
		.core = { .context = r, .step = rig_core_step, .flush = rig_core_flush, .deadline = rig_core_deadline, .ahead = NULL },
		.signer = { .context = r, .request = rig_ask },
		.funds = { r, rig_funds, NULL },
		.compute = { r, rig_compute },
		.commit = { r, rig_commit },
		.release = { r, rig_release, NULL },
	};

	r->lives++;
	fresh[0] = r->seed[0];
	store_be32(fresh + 1, r->lives);
	r->node = node_new(&r->config, fresh, &r->log);
	r->store = store_open_memory(r->disk);
	r->exec = exec_new(&ports);
	if (r->gossip_load)
		r->gossip_load(r);
	if (r->found.size)
		node_found_backup(r->node, r->found);
	if (!store_load(r->store, rig_load, r) || !node_start(r->node, r->now_ms, exec_effects(r->exec)))
		return false;
	exec_run(r->exec, r->now_ms);
	return true;
}

static inline void rig_start(struct rig *r)
{
	ASSERT(rig_try_start(r));
	if (r->lives == 1)
		rig_block(r, NULL, 0);
	rig_synced(r);
}

static inline void rig_stop(struct rig *r)
{
	if (!r->node)
		return;
	delayed_signer_drop(r->slow);
	exec_free(r->exec);
	node_free(r->node);
	r->store->close(r->store);
	r->node = NULL;
	r->exec = NULL;
	r->job_count = 0;
	r->questions = NULL;
	r->reads = NULL;
}

/* The process dies between two events and starts again; nobody answers what was asked before. */
static inline void rig_restart(struct rig *r)
{
	rig_stop(r);
	rig_start(r);
}

/* The same with an empty disk: only the wallet's seed is left, and `found` if there is one. */
static inline void rig_lose_disk(struct rig *r)
{
	rig_stop(r);
	memory_disk_free(r->disk);
	r->disk = memory_disk_new();
	rig_start(r);
}

/* The configuration may be changed before rig_start. */
static inline void rig_init(struct rig *r, uint8_t name)
{
	uint8_t blinding[32] = { 1 };

	memset(r, 0, sizeof(*r));
	arena_init(&r->kept);
	rig_forget(r);
	memset(r->seed, name, sizeof(r->seed));
	r->now_ms = 1700000000000ull;
	r->height = RIG_HEIGHT;
	r->chain[0] = rig_block_hash(r, RIG_HEIGHT);
	r->log = (struct log_sink){ rig_log, r, LOG_DEBUG };
	r->disk = memory_disk_new();
	node_config_default(&r->config, network_by_name("regtest"));
	r->signer = local_signer_new(r->config.network, BYTES_OF(r->seed), blinding);
	r->slow = delayed_signer_new(local_signer_port(r->signer), 3, r->seed);
	r->id = r->config.node_id = local_signer_node_id(r->signer);
}

static inline void rig_free(struct rig *r)
{
	if (!r->disk)
		return;
	rig_stop(r);
	delayed_signer_free(r->slow);
	local_signer_free(r->signer);
	memory_disk_free(r->disk);
	for (uint32_t i = 0; i < RIG_COINS; i++)
		buf_release(&r->coins[i].tx);
	arena_release(&r->kept);
	memset(r, 0, sizeof(*r));
}

/* --- peers --- */

static inline void rig_connected(struct rig *r, const struct pubkey *peer, uint64_t connection, bool outbound)
{
	struct event e = { .kind = EVENT_CONNECTED };

	e.u.connected.connection = connection;
	e.u.connected.peer = *peer;
	e.u.connected.outbound = outbound;
	e.u.connected.host = "127.0.0.1";
	e.u.connected.port = 9735;
	rig_event(r, &e);
}

static inline void rig_disconnected(struct rig *r, uint64_t connection)
{
	struct event e = { .kind = EVENT_DISCONNECTED };

	e.u.disconnected.connection = connection;
	e.u.disconnected.reason = "the line was cut";
	rig_event(r, &e);
}

static inline void rig_message(struct rig *r, uint64_t connection, struct bytes message)
{
	struct event e = { .kind = EVENT_MESSAGE };

	e.u.message.connection = connection;
	e.u.message.message = message;
	rig_event(r, &e);
}

/* An init with our own features. */
static inline void rig_say_init(struct rig *r, uint64_t connection)
{
	struct node_info info;
	struct msg_init m = { 0 };
	struct buf b = BUF_EMPTY;

	node_view_info(r->node, &info);
	m.features = info.features_init;
	msg_init_encode(&m, &b);
	rig_message(r, connection, buf_view(&b));
	buf_release(&b);
}

/* A stranger's id. */
static inline struct pubkey rig_stranger(uint32_t number)
{
	struct pubkey p = { { 3 } };

	store_be32(p.v + 29, number);
	return p;
}

/* A peer with its init exchanged; what the node said so far is forgotten. */
static inline void rig_ready(struct rig *r, const struct pubkey *peer, uint64_t connection)
{
	rig_connected(r, peer, connection, false);
	rig_say_init(r, connection);
}

static inline bool rig_is_ready(const struct rig *r, const struct pubkey *peer)
{
	struct peer_view p;

	return node_view_peer_by_id(r->node, peer, &p) && p.connected;
}

static inline void rig_tick(struct rig *r, uint64_t milliseconds)
{
	struct event e = { .kind = EVENT_TICK };

	r->now_ms += milliseconds;
	rig_event(r, &e);
}

/* --- users --- */

static inline uint64_t rig_command(struct rig *r, struct command *c)
{
	struct event e = { .kind = EVENT_COMMAND };

	e.u.command.call = ++r->next_call;
	e.u.command.command = c;
	rig_event(r, &e);
	return r->next_call;
}

/* --- two nodes --- */

static inline void rig_link(struct rig *a, struct rig *b, uint64_t connection)
{
	rig_connected(a, &b->id, connection, true);
	rig_connected(b, &a->id, connection, false);
}

static inline void rig_unlink_both(struct rig *a, struct rig *b, uint64_t connection)
{
	rig_disconnected(a, connection);
	rig_disconnected(b, connection);
}

/* Hands every message over the connection to the other side, until both are silent.  False if they were. */
static inline bool rig_pump_some(struct rig *a, struct rig *b, uint64_t connection)
{
	bool moved = true, any = false;

	while (moved) {
		moved = false;
		for (int side = 0; side < 2; side++) {
			struct rig *from = side ? b : a, *to = side ? a : b;

			for (struct rig_item *i = from->head; i; i = i->next)
				if (i->kind == EFFECT_SEND && i->id == connection) {
					rig_unlink(from, i);
					rig_message(to, connection, i->data);
					moved = any = true;
					break;
				}
		}
	}
	return any;
}

static inline void rig_pump(struct rig *a, struct rig *b, uint64_t connection)
{
	(void)rig_pump_some(a, b, connection);
}

static inline const struct channel *rig_channel(const struct rig *r)
{
	uint32_t at = 0;

	return node_view_channel(r->node, &at);
}

/* Answers every broadcast as a network that takes all, and returns the transaction of the last. */
static inline struct bytes rig_accept_broadcasts(struct rig *r)
{
	struct bytes last = BYTES_NONE;
	struct rig_item *i;

	while ((i = rig_take(r, EFFECT_BROADCAST))) {
		struct event e = { .kind = EVENT_BROADCAST };

		e.u.broadcast.id = i->id;
		e.u.broadcast.accepted = true;
		last = i->data;
		rig_event(r, &e);
	}
	return last;
}

#endif
