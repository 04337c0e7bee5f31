/* What is stored (RECORD_WALLET).  The first byte of a key tells the kind:
 *
 *	'c' outpoint    a coin
 *	'p' id (be64)   a plan
 *	'k' chain       what a chain of keys has given out and seen used
 *	'f' script      a foreign script
 *	't'             the height
 *
 * The first byte of a value is the version of its format. */
#include "base/cursor.h"
#include "wallet/state.h"

#define VERSION 1u

enum coin_flag { COIN_COINBASE = 1, COIN_SPENT = 2 };

static void persist(struct effects *out, struct buf *key, struct buf *value)
{
	effect_persist(out, RECORD_WALLET, buf_view(key), buf_view(value));
	buf_release(key);
	buf_release(value);
}

static void forget(struct effects *out, struct buf *key)
{
	effect_remove(out, RECORD_WALLET, buf_view(key));
	buf_release(key);
}

static void start(struct buf *key, struct buf *value, char kind, struct bytes name)
{
	buf_init(key);
	buf_init(value);
	buf_add_u8(key, (uint8_t)kind);
	buf_add_bytes(key, name);
	buf_add_u8(value, VERSION);
}

static void start_gone(struct buf *key, char kind, struct bytes name)
{
	buf_init(key);
	buf_add_u8(key, (uint8_t)kind);
	buf_add_bytes(key, name);
}

void record_coin(struct wallet *w, const struct coin *c, struct effects *out)
{
	struct buf key, value;

	(void)w;
	start(&key, &value, 'c', BYTES_OF(c->key36));
	buf_add_u8(&value, (uint8_t)((c->coinbase ? COIN_COINBASE : 0) | (c->spent ? COIN_SPENT : 0)));
	buf_add_be64(&value, c->amount.v);
	buf_add_u8(&value, (uint8_t)c->owner->chain);
	buf_add_be32(&value, c->owner->index);
	buf_add_be32(&value, c->height);
	buf_add_be32(&value, c->lost_height);
	buf_add(&value, c->spender.v, sizeof(c->spender.v));
	buf_add_be32(&value, c->spent_height);
	buf_add_be64(&value, c->reservation);
	buf_add_bytes(&value, buf_view(&c->owner->script));
	persist(out, &key, &value);
}

void record_coin_gone(const struct coin *c, struct effects *out)
{
	struct buf key;

	start_gone(&key, 'c', BYTES_OF(c->key36));
	forget(out, &key);
}

void record_plan(const struct plan *p, struct effects *out)
{
	struct buf key, value;

	start(&key, &value, 'p', BYTES_OF(p->key8));
	buf_add_u8(&value, (uint8_t)p->state);
	buf_add_be32(&value, p->height);
	buf_add_be64(&value, p->fee.v);
	buf_add_be32(&value, p->feerate.per_kw);
	buf_add_be64(&value, p->replaces);
	buf_add_be32(&value, p->foreign_count);
	tx_encode_stripped(p->tx, &value);
	for (uint32_t i = 0; i < p->tx->input_count; i++)
		tx_output_encode(&p->spent[i], &value);
	persist(out, &key, &value);
}

void record_plan_gone(const struct plan *p, struct effects *out)
{
	struct buf key;

	start_gone(&key, 'p', BYTES_OF(p->key8));
	forget(out, &key);
}

void record_chain(const struct wallet *w, enum wallet_chain chain, struct effects *out)
{
	uint8_t name = (uint8_t)chain;
	struct buf key, value;

	start(&key, &value, 'k', BYTES(&name, 1));
	buf_add_be32(&value, w->chains[chain].next);
	buf_add_be32(&value, w->chains[chain].used_count);
	persist(out, &key, &value);
}

void record_foreign(const struct owner *o, struct effects *out)
{
	struct buf key, value;

	start(&key, &value, 'f', buf_view(&o->script));
	buf_add_be64(&value, o->tag);
	persist(out, &key, &value);
}

void record_foreign_gone(const struct owner *o, struct effects *out)
{
	struct buf key;

	start_gone(&key, 'f', buf_view(&o->script));
	forget(out, &key);
}

void record_height(const struct wallet *w, struct effects *out)
{
	struct buf key, value;

	start(&key, &value, 't', BYTES_NONE);
	buf_add_be32(&value, w->height);
	persist(out, &key, &value);
}

static bool load_coin(struct wallet *w, struct cursor *key, struct cursor *value)
{
	struct outpoint o;
	struct coin *c;
	uint8_t flags, chain;

	cursor_copy(key, o.txid.v, sizeof(o.txid.v));
	o.index = cursor_be32(key);
	if (!cursor_done(key) || coin_find(w, &o))
		return false;
	flags = cursor_u8(value);
	c = coin_add(w, &o, SAT(cursor_be64(value)), NULL);
	c->coinbase = flags & COIN_COINBASE;
	c->spent = flags & COIN_SPENT;
	chain = cursor_u8(value);
	c->stored_chain = chain;
	c->stored_index = cursor_be32(value);
	c->height = cursor_be32(value);
	c->lost_height = cursor_be32(value);
	cursor_copy(value, c->spender.v, sizeof(c->spender.v));
	c->spent_height = cursor_be32(value);
	c->reservation = cursor_be64(value);
	buf_add_bytes(&c->stored_script, cursor_rest(value));
	return (chain < WALLET_CHAINS || chain == WALLET_FOREIGN) && c->amount.v <= SUPPLY_SAT;
}

static bool load_spent(struct plan *p, struct cursor *c)
{
	p->spent = ARENA_ARRAY(&p->arena, struct tx_output, p->tx->input_count);
	for (uint32_t i = 0; i < p->tx->input_count; i++) {
		uint64_t size;

		p->spent[i].amount = SAT(cursor_le64(c));
		size = cursor_varint(c);
		if (size > c->left)
			return false;
		p->spent[i].script = arena_bytes(&p->arena, cursor_bytes(c, (size_t)size));
	}
	return true;
}

static bool load_plan(struct wallet *w, struct cursor *key, struct cursor *value)
{
	uint64_t id = cursor_be64(key);
	struct arena scratch;
	struct plan *p;
	struct tx *t;
	uint8_t state;

	if (!cursor_done(key) || plan_find(w, id))
		return false;
	p = wallet_plan_new(w, id);
	state = cursor_u8(value);
	p->state = state;
	p->height = cursor_be32(value);
	p->fee = SAT(cursor_be64(value));
	p->feerate = FEERATE(cursor_be32(value));
	p->replaces = cursor_be64(value);
	p->foreign_count = cursor_be32(value);
	arena_init(&scratch);
	t = tx_decode_stripped(&scratch, value);
	p->tx = t ? tx_copy(&p->arena, t) : tx_new(&p->arena, 0, 0, 0, 0);
	arena_release(&scratch);
	p->txid = tx_id(p->tx);
	return t && load_spent(p, value) && cursor_done(value) && state >= PLAN_RESERVED && state <= PLAN_GIVEN_UP &&
	       p->foreign_count <= p->tx->input_count;
}

static bool load_chain(struct wallet *w, struct cursor *key, struct cursor *value)
{
	uint8_t chain = cursor_u8(key);

	if (!cursor_done(key) || chain >= WALLET_CHAINS)
		return false;
	w->chains[chain].next = cursor_be32(value);
	w->chains[chain].used_count = cursor_be32(value);
	return w->chains[chain].next < BIP32_HARDENED && w->chains[chain].used_count < BIP32_HARDENED;
}

static bool load_foreign(struct wallet *w, struct cursor *key, struct cursor *value)
{
	struct bytes script = cursor_rest(key);

	if (keychain_find(w, script))
		return false;
	keychain_add_foreign(w, script, cursor_be64(value));
	return true;
}

static bool load_kind(struct wallet *w, uint8_t kind, struct cursor *key, struct cursor *value)
{
	switch (kind) {
	case 'c':
		return load_coin(w, key, value);
	case 'p':
		return load_plan(w, key, value);
	case 'k':
		return load_chain(w, key, value);
	case 'f':
		return load_foreign(w, key, value);
	case 't':
		w->height = cursor_be32(value);
		return cursor_done(key);
	}
	return false;
}

bool wallet_load(struct wallet *w, struct bytes key, struct bytes value)
{
	struct cursor k = cursor_of(key), v = cursor_of(value);
	uint8_t kind = cursor_u8(&k);

	return cursor_u8(&v) == VERSION && load_kind(w, kind, &k, &v) && cursor_done(&v);
}
