/* A wallet with a store, a set of watches and a chain of its own, for tests.
 *
 * Every change is followed by wallet_check, and by reading the wallet anew from its records: what a crash would leave
 * must be the same wallet. */
#ifndef TESTS_UNIT_WALLET_WORLD_H
#define TESTS_UNIT_WALLET_WORLD_H

#include <string.h>

#include "bitcoin/bip39.h"
#include "bitcoin/script.h"
#include "tests/test.h"
#include "wallet/wallet.h"

#define WORLD_RECORDS 4096
#define WORLD_WATCHES 8192
#define WORLD_BLOCKS 600

struct world {
	struct secp *secp;
	struct wallet_config config;
	struct wallet_keys keys;
	struct wallet *wallet;
	struct effects out;
	struct arena arena; /* lives as long as the world */
	struct {
		struct buf key, value;
	} records[WORLD_RECORDS];
	uint32_t record_count;
	struct bytes watches[WORLD_WATCHES];
	uint32_t watch_count;
	struct {
		struct tx *txs[64];
		uint32_t count;
		bool coinbase;
	} blocks[WORLD_BLOCKS];
	uint32_t height;
	uint64_t serial; /* makes transactions differ */
	bool no_reload;
};

static inline void world_put(struct world *w, struct bytes key, struct bytes value)
{
	uint32_t i = 0;

	while (i < w->record_count && !bytes_equal(buf_view(&w->records[i].key), key))
		i++;
	if (i == w->record_count) {
		CHECK(w->record_count < WORLD_RECORDS);
		buf_add_bytes(&w->records[w->record_count++].key, key);
	}
	buf_clear(&w->records[i].value);
	buf_add_bytes(&w->records[i].value, value);
}

static inline void world_drop(struct world *w, struct bytes key)
{
	for (uint32_t i = 0; i < w->record_count; i++)
		if (bytes_equal(buf_view(&w->records[i].key), key)) {
			buf_release(&w->records[i].key);
			buf_release(&w->records[i].value);
			w->records[i] = w->records[--w->record_count];
			buf_init(&w->records[w->record_count].key);
			buf_init(&w->records[w->record_count].value);
			return;
		}
}

static inline bool world_watches(const struct world *w, struct bytes what)
{
	for (uint32_t i = 0; i < w->watch_count; i++)
		if (bytes_equal(w->watches[i], what))
			return true;
	return false;
}

static inline struct bytes world_outpoint(struct world *w, const struct outpoint *o)
{
	uint8_t *p = arena_alloc(&w->arena, 36);

	memcpy(p, o->txid.v, 32);
	store_be32(p + 32, o->index);
	return BYTES(p, 36);
}

static inline void world_effects(struct world *w)
{
	for (struct effect *e = w->out.head; e; e = e->next) {
		if (e->kind == EFFECT_PERSIST) {
			CHECK(e->u.persist.kind == RECORD_WALLET);
			if (e->u.persist.remove)
				world_drop(w, e->u.persist.key);
			else
				world_put(w, e->u.persist.key, e->u.persist.value);
			continue;
		}
		CHECK(e->kind == EFFECT_WATCH);
		struct bytes what = e->u.watch.is_outpoint ? world_outpoint(w, &e->u.watch.outpoint)
							   : arena_bytes(&w->arena, e->u.watch.script);

		if (!e->u.watch.remove && !world_watches(w, what)) {
			CHECK(w->watch_count < WORLD_WATCHES);
			w->watches[w->watch_count++] = what;
		}
		for (uint32_t i = 0; e->u.watch.remove && i < w->watch_count; i++)
			if (bytes_equal(w->watches[i], what))
				w->watches[i--] = w->watches[--w->watch_count];
	}
	effects_reset(&w->out);
}

static inline bool world_coin_in(const struct wallet *wallet, const struct wallet_coin *c)
{
	struct wallet_coin d;

	for (uint32_t at = 0; wallet_view_coin(wallet, &at, &d);)
		if (outpoint_equal(&c->outpoint, &d.outpoint))
			return c->amount.v == d.amount.v && bytes_equal(c->script, d.script) && c->height == d.height &&
			       c->spent == d.spent && c->spent_height == d.spent_height && c->reservation == d.reservation &&
			       c->coinbase == d.coinbase && c->index == d.index && c->chain == d.chain && c->tag == d.tag;
	return false;
}

/* The wallet as its records tell it, instead of the one that was there. */
static inline void world_reload(struct world *w)
{
	static const uint8_t seed[32] = { 77 };
	struct wallet *old = w->wallet, *new = wallet_new(&w->config, seed);
	struct wallet_balance before, after;
	struct wallet_coin c;

	for (uint32_t i = 0; i < w->record_count; i++)
		CHECK(wallet_load(new, buf_view(&w->records[i].key), buf_view(&w->records[i].value)));
	CHECK(wallet_start(new, &w->out));
	/* It watches for no less than the old one did. */
	for (uint32_t at = 0; wallet_view_coin(new, &at, &c);)
		CHECK(world_watches(w, world_outpoint(w, &c.outpoint)));
	world_effects(w);
	wallet_check(new);
	wallet_view_balance(old, &before);
	wallet_view_balance(new, &after);
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
	CHECK_EQ(wallet_height(old), wallet_height(new));
	for (uint32_t at = 0; wallet_view_coin(old, &at, &c);)
		CHECK(world_coin_in(new, &c));
	for (uint32_t at = 0; wallet_view_coin(new, &at, &c);)
		CHECK(world_coin_in(old, &c));
	wallet_free(old);
	w->wallet = new;
}

static inline void world_settle(struct world *w)
{
	world_effects(w);
	wallet_check(w->wallet);
	if (!w->no_reload)
		world_reload(w);
}

#define WORLD_WORDS \
	"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

static inline struct world *world_new(const char *network, uint32_t gap)
{
	static const uint8_t blinding[32] = { 1 };
	struct world *w = test_alloc(sizeof(*w));
	struct bip32_key master;
	uint8_t seed[64];

	memset(w, 0, sizeof(*w));
	effects_init(&w->out);
	arena_init(&w->arena);
	w->secp = secp_new(blinding);
	w->keys.secp = w->secp;
	CHECK(bip39_seed(seed, bytes_from_string(WORLD_WORDS), BYTES_NONE));
	CHECK(bip32_master(w->secp, &master, BYTES_OF(seed)));
	CHECK(wallet_derive(&w->config, &w->keys, &master, network_by_name(network)));
	w->config.gap = gap;
	w->wallet = wallet_new(&w->config, blinding);
	CHECK(wallet_start(w->wallet, &w->out));
	world_effects(w);
	w->height = 100;
	return w;
}

static inline void world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->record_count; i++) {
		buf_release(&w->records[i].key);
		buf_release(&w->records[i].value);
	}
	wallet_free(w->wallet);
	secp_free(w->secp);
	effects_release(&w->out);
	arena_release(&w->arena);
}

/* A stranger's transaction that pays these scripts. */
static inline struct tx *world_payment(struct world *w, const struct bytes *scripts, const uint64_t *amounts, uint32_t count)
{
	struct tx *t = tx_new(&w->arena, 2, 1, count, 0);

	store_be64(t->inputs[0].prev.txid.v, ++w->serial);
	for (uint32_t i = 0; i < count; i++)
		t->outputs[i] = (struct tx_output){ SAT(amounts[i]), arena_bytes(&w->arena, scripts[i]) };
	return t;
}

/* Whether the chain source would tell the wallet of it. */
static inline bool world_seen(struct world *w, const struct tx *t)
{
	for (uint32_t i = 0; i < t->output_count; i++)
		if (world_watches(w, t->outputs[i].script))
			return true;
	for (uint32_t i = 0; i < t->input_count; i++)
		if (world_watches(w, world_outpoint(w, &t->inputs[i].prev)))
			return true;
	return false;
}

static inline void world_tell_block(struct world *w, uint32_t height)
{
	struct block_tx txs[64];
	struct event e = { .kind = EVENT_BLOCK };
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->blocks[height].count; i++) {
		struct buf raw = BUF_EMPTY;

		if (!world_seen(w, w->blocks[height].txs[i]))
			continue;
		tx_encode(w->blocks[height].txs[i], &raw);
		txs[count].raw = arena_bytes(&w->arena, buf_view(&raw));
		txs[count++].index = w->blocks[height].coinbase ? i : i + 1;
		buf_release(&raw);
	}
	e.u.block.height = height;
	e.u.block.txs = txs;
	e.u.block.tx_count = count;
	wallet_block(w->wallet, &e, &w->out);
	world_settle(w);
}

static inline void world_mine(struct world *w, struct tx *const *txs, uint32_t count)
{
	w->height++;
	CHECK(w->height < WORLD_BLOCKS && count <= 64);
	w->blocks[w->height].count = count;
	w->blocks[w->height].coinbase = false;
	for (uint32_t i = 0; i < count; i++)
		w->blocks[w->height].txs[i] = txs[i];
	world_tell_block(w, w->height);
}

static inline void world_mine_one(struct world *w, struct tx *t)
{
	world_mine(w, &t, 1);
}

static inline void world_mine_empty(struct world *w, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		world_mine(w, NULL, 0);
}

static inline void world_undo(struct world *w)
{
	struct event e = { .kind = EVENT_BLOCK_UNDONE };

	e.u.undone.height = w->height;
	wallet_block(w->wallet, &e, &w->out);
	w->height--;
	world_settle(w);
}

/* The answer, in the world's memory. */
static inline struct funds_answer world_ask(struct world *w, const struct funds_request *r)
{
	struct funds_answer a;

	wallet_request(w->wallet, &w->keys, r, &a, &w->out);
	if (a.reason)
		a.reason = arena_string(&w->arena, a.reason);
	if (a.text)
		a.text = arena_string(&w->arena, a.text);
	a.script = arena_bytes(&w->arena, a.script);
	a.tx = arena_bytes(&w->arena, a.tx);
	a.psbt = arena_bytes(&w->arena, a.psbt);
	if (a.output_index) {
		a.output_index = arena_copy(&w->arena, a.output_index, r->output_count * sizeof(*a.output_index));
		a.output_amounts = arena_copy(&w->arena, a.output_amounts, r->output_count * sizeof(*a.output_amounts));
	}
	world_settle(w);
	return a;
}

static inline struct funds_answer world_tell(struct world *w, enum funds_kind kind, uint64_t reservation)
{
	struct funds_request r = { .kind = kind, .reservation = reservation };

	return world_ask(w, &r);
}

static inline struct bytes world_address(struct world *w, enum address_kind kind)
{
	struct funds_request r = { .kind = FUNDS_ADDRESS, .address = kind };
	struct funds_answer a = world_ask(w, &r);

	CHECK(!a.failed);
	return a.script;
}

/* A confirmed deposit to a fresh address. */
static inline struct outpoint world_deposit(struct world *w, enum address_kind kind, uint64_t amount)
{
	struct bytes script = world_address(w, kind);
	struct tx *t = world_payment(w, &script, &amount, 1);

	world_mine_one(w, t);
	return (struct outpoint){ tx_id(t), 0 };
}

static inline struct wallet_balance world_balance(const struct world *w)
{
	struct wallet_balance b;

	wallet_view_balance(w->wallet, &b);
	return b;
}

static inline bool world_coin(const struct world *w, const struct outpoint *o, struct wallet_coin *c)
{
	for (uint32_t at = 0; wallet_view_coin(w->wallet, &at, c);)
		if (outpoint_equal(&c->outpoint, o))
			return true;
	return false;
}

/* Somebody else's script, of 22 bytes. */
static inline struct bytes world_stranger(void)
{
	return test_unhex("0014aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static inline struct funds_request world_pay(uint64_t reservation, struct funds_output *o, uint64_t amount)
{
	o->script = world_stranger();
	o->amount = SAT(amount);
	o->all = false;
	return (struct funds_request){ .kind = FUNDS_BUILD, .reservation = reservation, .outputs = o, .output_count = 1,
				       .feerate = FEERATE(1000), .min_confirmations = 1 };
}

static inline struct tx *world_tx(struct world *w, struct bytes raw)
{
	struct tx *t = tx_parse(&w->arena, raw);

	CHECK(t);
	return t;
}

/* Builds, signs and sends: the final transaction. */
static inline struct tx *world_send(struct world *w, const struct funds_request *r)
{
	struct funds_answer a = world_ask(w, r);

	if (a.failed)
		test_failed(__FILE__, __LINE__, "%s", a.reason);
	a = world_tell(w, FUNDS_SIGN, r->reservation);
	CHECK(!a.failed);
	CHECK(!world_tell(w, FUNDS_SPENT, r->reservation).failed);
	return world_tx(w, a.tx);
}

#endif
