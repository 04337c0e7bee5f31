#include <string.h>

#include "bitcoin/network.h"
#include "bitcoin/script.h"
#include "tests/script/interpreter.h"
#include "tests/sim/chain_state.h"

#define MEDIAN_BLOCKS 11u
#define LOCKTIME_THRESHOLD 500000000u /* below: a height, else a time */
#define SEQUENCE_FINAL 0xffffffffu
/* BIP 68. */
#define SEQUENCE_DISABLED (1u << 31)
#define SEQUENCE_IS_TIME (1u << 22)
#define SEQUENCE_MASK 0xffffu
#define SEQUENCE_SECONDS_SHIFT 9
#define COINBASE_SCRIPT_MIN 2u
#define COINBASE_SCRIPT_MAX 100u
#define GENESIS_TIME 1296688602u

void entries_add(struct entries *s, struct entry *e)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 32;
		s->list = mem_realloc(s->list, s->capacity, sizeof(struct entry *));
	}
	s->list[s->count++] = e;
}

void entries_release(struct entries *s)
{
	mem_free(s->list);
	*s = (struct entries){ NULL, 0, 0 };
}

/* --- entries --- */

static struct bytes key_of_wtxid(const void *object)
{
	return BYTES_OF(((const struct entry *)object)->t.wtxid.v);
}

static struct bytes key_of_txid(const void *object)
{
	return BYTES_OF(((const struct entry *)object)->t.id.v);
}

struct entry *chain_live(const struct sim_chain *c, const struct txid *id)
{
	return table_get(&c->live, BYTES_OF(id->v));
}

static bool is_null(const struct outpoint *o)
{
	return o->index == UINT32_MAX && bytes_all_zero(BYTES_OF(o->txid.v));
}

static bool is_coinbase(const struct tx *t)
{
	return t->input_count == 1 && is_null(&t->inputs[0].prev);
}

struct entry *chain_entry(struct sim_chain *c, struct bytes raw, uint64_t from)
{
	struct sha256 h = sha256d(raw.data, raw.size);
	struct entry *e = table_get(&c->known, BYTES_OF(h.v));
	struct tx *t;
	struct bytes kept;

	if (e)
		return e;
	kept = arena_bytes(&c->memory, raw);
	t = tx_parse(&c->memory, kept);
	if (!t)
		return NULL;
	e = ARENA_NEW(&c->memory, struct entry);
	e->t = (struct sim_tx){ .id = tx_id(t), .raw = kept, .tx = t, .weight = tx_weight(t), .from = from };
	memcpy(e->t.wtxid.v, h.v, sizeof(h.v));
	e->spenders = ARENA_ARRAY(&c->memory, struct entry *, t->output_count);
	e->coinbase = is_coinbase(t);
	table_add(&c->known, e);
	return e;
}

/* --- what consensus asks --- */

uint32_t chain_median_time(const struct sim_chain *c, uint32_t height)
{
	uint32_t times[MEDIAN_BLOCKS], n = 0;

	for (; n < MEDIAN_BLOCKS && n <= height; n++) {
		uint32_t time = c->blocks[height - n]->time, i = n;

		for (; i && times[i - 1] > time; i--)
			times[i] = times[i - 1];
		times[i] = time;
	}
	return times[n / 2];
}

static bool is_final(const struct sim_chain *c, const struct tx *t)
{
	uint32_t limit = t->locktime < LOCKTIME_THRESHOLD ? c->count : chain_median_time(c, c->count - 1);

	if (t->locktime < limit)
		return true;
	for (uint32_t i = 0; i < t->input_count; i++)
		if (t->inputs[i].sequence != SEQUENCE_FINAL)
			return false;
	return true;
}

/* BIP 68, for the next block. */
static bool is_old_enough(const struct sim_chain *c, const struct tx *t, uint32_t input, const struct entry *owner)
{
	uint32_t sequence = t->inputs[input].sequence, lock = sequence & SEQUENCE_MASK;
	uint32_t mined = owner->t.height ? owner->t.height : c->count;

	if ((uint32_t)t->version < 2 || sequence & SEQUENCE_DISABLED)
		return true;
	if (sequence & SEQUENCE_IS_TIME)
		return (uint64_t)chain_median_time(c, mined - 1) + ((uint64_t)lock << SEQUENCE_SECONDS_SHIFT) <=
		       chain_median_time(c, c->count - 1);
	return mined + lock <= c->count;
}

/* Whether the transaction makes sense by itself (Bitcoin Core's CheckTransaction). */
const char *chain_check_shape(const struct entry *e)
{
	const struct tx *t = e->t.tx;
	struct amount_sat sum = SAT(0);

	if (!t->input_count)
		return "bad-txns-vin-empty";
	if (!t->output_count)
		return "bad-txns-vout-empty";
	for (uint32_t i = 0; i < t->output_count; i++) {
		if (t->outputs[i].amount.v > INT64_MAX)
			return "bad-txns-vout-negative";
		if (t->outputs[i].amount.v > SUPPLY_SAT)
			return "bad-txns-vout-toolarge";
		if (!sat_add(&sum, sum, t->outputs[i].amount) || sum.v > SUPPLY_SAT)
			return "bad-txns-txouttotal-toolarge";
	}
	for (uint32_t i = 0; i < t->input_count; i++) {
		for (uint32_t j = 0; j < i; j++)
			if (outpoint_equal(&t->inputs[i].prev, &t->inputs[j].prev))
				return "bad-txns-inputs-duplicate";
		if (!e->coinbase && is_null(&t->inputs[i].prev))
			return "bad-txns-prevout-null";
	}
	if (!e->coinbase)
		return NULL;
	if (t->inputs[0].script_sig.size < COINBASE_SCRIPT_MIN || t->inputs[0].script_sig.size > COINBASE_SCRIPT_MAX)
		return "bad-cb-length";
	return "coinbase";
}

static const char *check_inputs(struct sim_chain *c, struct entry *e)
{
	const struct tx *t = e->t.tx;
	struct amount_sat in = SAT(0), out = SAT(0);

	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct outpoint *o = &t->inputs[i].prev;
		const struct entry *owner = chain_live(c, &o->txid);

		if (!owner || !(owner->t.in_mempool || owner->t.height) || o->index >= owner->t.tx->output_count ||
		    (owner->spenders[o->index] && owner->spenders[o->index]->t.height && owner->spenders[o->index] != e))
			return "bad-txns-inputs-missingorspent";
		if (owner->coinbase && owner->t.height + COINBASE_MATURITY > c->count)
			return "bad-txns-premature-spend-of-coinbase";
		ASSERT(sat_add(&in, in, owner->t.tx->outputs[o->index].amount));
	}
	for (uint32_t i = 0; i < t->output_count; i++)
		ASSERT(sat_add(&out, out, t->outputs[i].amount));
	if (!sat_sub(&e->t.fee, in, out))
		return "bad-txns-in-belowout";
	for (uint32_t i = 0; i < t->input_count; i++)
		if (!is_old_enough(c, t, i, chain_live(c, &t->inputs[i].prev.txid)))
			return "non-BIP68-final";
	return NULL;
}

const char *chain_check(struct sim_chain *c, struct entry *e)
{
	const char *why = chain_check_shape(e);

	if (why)
		return why;
	if (!is_final(c, e->t.tx))
		return "non-final";
	return check_inputs(c, e);
}

static enum script_error judge(const struct sim_chain *c, const struct entry *e, uint32_t flags)
{
	struct tx_output *spent = NEW_ARRAY(struct tx_output, e->t.tx->input_count);
	enum script_error why;
	struct spending s;

	for (uint32_t i = 0; i < e->t.tx->input_count; i++)
		spent[i] = *sim_chain_output(c, &e->t.tx->inputs[i].prev);
	spending_init(&s, e->t.tx, spent);
	why = spending_verify_all(&s, flags);
	mem_free(spent);
	return why;
}

const char *chain_check_scripts(struct sim_chain *c, struct entry *e, bool standard)
{
	enum script_error why;

	if (e->standard || (e->consensus && !standard))
		return NULL;
	/* What passes the mempool's flags passes a block's. */
	why = judge(c, e, standard ? SCRIPT_STANDARD : SCRIPT_CONSENSUS);
	if (why)
		return arena_printf(&c->memory, "%s-script-verify-flag-failed (%s)", standard ? "mempool" : "block", script_error_name(why));
	e->consensus = true;
	e->standard = standard;
	return NULL;
}

/* --- living and not --- */

void chain_enter(struct sim_chain *c, struct entry *e)
{
	const struct tx *t = e->t.tx;

	for (uint32_t i = 0; !e->coinbase && i < t->input_count; i++) {
		struct entry **at = &chain_live(c, &t->inputs[i].prev.txid)->spenders[t->inputs[i].prev.index];

		ASSERT(!*at);
		*at = e;
	}
	table_add(&c->live, e);
}

void chain_leave(struct sim_chain *c, struct entry *e)
{
	const struct tx *t = e->t.tx;

	for (uint32_t i = 0; i < t->output_count; i++)
		ASSERT(!e->spenders[i]);
	for (uint32_t i = 0; !e->coinbase && i < t->input_count; i++) {
		struct entry **at = &chain_live(c, &t->inputs[i].prev.txid)->spenders[t->inputs[i].prev.index];

		ASSERT(*at == e);
		*at = NULL;
	}
	ASSERT(table_remove(&c->live, BYTES_OF(e->t.id.v)) == e);
}

/* --- reading --- */

uint32_t sim_chain_height(const struct sim_chain *c)
{
	return c->count - 1;
}

uint32_t sim_chain_reorgs(const struct sim_chain *c)
{
	return c->reorgs;
}

const struct sim_block *sim_chain_block(const struct sim_chain *c, uint32_t height)
{
	ASSERT(height < c->count);
	return c->blocks[height];
}

const struct sim_block *sim_chain_tip(const struct sim_chain *c)
{
	return c->blocks[c->count - 1];
}

const struct sim_tx *sim_chain_find(const struct sim_chain *c, const struct txid *id)
{
	struct entry *e = chain_live(c, id);

	return e ? &e->t : NULL;
}

static const struct entry *owner_of(const struct sim_chain *c, const struct outpoint *o)
{
	const struct entry *e = chain_live(c, &o->txid);

	return e && o->index < e->t.tx->output_count ? e : NULL;
}

const struct sim_tx *sim_chain_spender(const struct sim_chain *c, const struct outpoint *o)
{
	const struct entry *owner = owner_of(c, o);

	return owner && owner->spenders[o->index] ? &owner->spenders[o->index]->t : NULL;
}

const struct tx_output *sim_chain_output(const struct sim_chain *c, const struct outpoint *o)
{
	const struct entry *owner = owner_of(c, o);

	return owner ? &owner->t.tx->outputs[o->index] : NULL;
}

bool sim_chain_unspent(const struct sim_chain *c, const struct outpoint *o)
{
	const struct entry *owner = owner_of(c, o);

	return owner && owner->t.height && !(owner->spenders[o->index] && owner->spenders[o->index]->t.height);
}

/* --- blocks as bytes --- */

void sim_block_encode(const struct sim_block *b, struct buf *out)
{
	buf_add(out, b->header, sizeof(b->header));
	buf_add_varint(out, b->count);
	for (uint32_t i = 0; i < b->count; i++)
		buf_add_bytes(out, b->txs[i]);
}

/* --- beginning and end --- */

/* The regtest genesis.  Nobody can spend its coinbase, so it has no transactions here. */
static void add_genesis(struct sim_chain *c)
{
	static const struct sha256 root = { { 0x3b, 0xa3, 0xed, 0xfd, 0x7a, 0x7b, 0x12, 0xb2, 0x7a, 0xc7, 0x2c, 0x3e, 0x67, 0x76, 0x8f, 0x61,
					      0x7f, 0xc8, 0x1b, 0xc3, 0x88, 0x8a, 0x51, 0x32, 0x3a, 0x9f, 0xb8, 0xaa, 0x4b, 0x1e, 0x5e, 0x4a } };
	const struct network *n = network_by_name("regtest");
	struct block_header h = { .version = 1, .merkle_root = root, .time = GENESIS_TIME, .bits = n->pow_limit_bits, .nonce = 2 };
	struct sim_block *b = ARENA_NEW(&c->memory, struct sim_block);

	b->time = GENESIS_TIME;
	b->hash = block_header_hash(&h);
	ASSERT(SAME(b->hash, n->genesis));
	block_header_encode(b->header, &h);
	c->capacity = 256;
	c->blocks = NEW_ARRAY(struct sim_block *, c->capacity);
	c->blocks[c->count++] = b;
}

struct sim_chain *sim_chain_new(uint64_t seed)
{
	struct sim_chain *c = NEW(struct sim_chain);
	struct sim_mine how = { .time = SIM_START_TIME - SIM_FIRST_HEIGHT * SIM_BLOCK_SECONDS };
	static const uint8_t anybody[] = { OP_1 };

	arena_init(&c->memory);
	store_be64(c->seed, seed);
	table_init(&c->known, key_of_wtxid, c->seed);
	table_init(&c->live, key_of_txid, c->seed);
	c->faucet_script = script_p2wsh(&c->memory, BYTES_OF(anybody));
	add_genesis(c);
	for (uint32_t h = 1; h <= SIM_FIRST_HEIGHT; h++, how.time = 0)
		sim_chain_mine(c, &how);
	return c;
}

void sim_chain_free(struct sim_chain *c)
{
	if (!c)
		return;
	table_release(&c->known);
	table_release(&c->live);
	arena_release(&c->memory);
	mem_free(c->blocks);
	mem_free(c->trace);
	mem_free(c->pool);
	mem_free(c->faucet);
	mem_free(c->notices);
	mem_free(c);
}
