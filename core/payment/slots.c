#include "payment/slots.h"

#include <string.h>

#include "wire/records_forward.h"

struct channel_use {
	uint8_t key[8];
	uint32_t count[SLOT_CLASSES];
	struct amount_msat value;
};

struct share {
	uint8_t key[8 + 33];
	uint32_t count[SLOT_CLASSES];
	struct amount_msat value;
};

struct earner {
	struct pubkey peer;
	uint64_t earned, lost, at_ms; /* millisatoshi, as of then */
};

static struct bytes use_key(const void *p)
{
	return BYTES_OF(((const struct channel_use *)p)->key);
}

static struct bytes share_key(const void *p)
{
	return BYTES_OF(((const struct share *)p)->key);
}

static struct bytes earner_key(const void *p)
{
	return BYTES_OF(((const struct earner *)p)->peer.v);
}

void slots_init(struct slots *s, const uint8_t seed16[16])
{
	table_init(&s->channels, use_key, seed16);
	table_init(&s->shares, share_key, seed16);
	table_init(&s->peers, earner_key, seed16);
}

static void release(struct table *t)
{
	uint32_t at = 0;
	void *p;

	while ((p = table_next(t, &at)))
		mem_free(p);
	table_release(t);
}

void slots_release(struct slots *s)
{
	release(&s->channels);
	release(&s->shares);
	release(&s->peers);
}

static enum slot_class class_of(const struct slots *s, struct amount_msat amount)
{
	return MSAT_LESS(amount, s->limits.small) ? SLOT_SMALL : SLOT_REGULAR;
}

static void name_share(uint8_t out41[41], uint64_t channel_key, const struct pubkey *from)
{
	store_be64(out41, channel_key);
	memcpy(out41 + 8, from->v, 33);
}

static struct channel_use *use_of(const struct slots *s, uint64_t channel_key)
{
	uint8_t key[8];

	store_be64(key, channel_key);
	return table_get(&s->channels, BYTES_OF(key));
}

static struct share *share_of(const struct slots *s, uint64_t channel_key, const struct pubkey *from)
{
	uint8_t key[41];

	name_share(key, channel_key, from);
	return table_get(&s->shares, BYTES_OF(key));
}

uint32_t slots_used(const struct slots *s, uint64_t channel_key)
{
	const struct channel_use *u = use_of(s, channel_key);

	return u ? u->count[SLOT_SMALL] + u->count[SLOT_REGULAR] : 0;
}

/* --- what is taken --- */

void slots_take(struct slots *s, uint64_t channel_key, const struct pubkey *from, struct amount_msat amount)
{
	struct channel_use *u = use_of(s, channel_key);
	struct share *h = share_of(s, channel_key, from);
	enum slot_class c = class_of(s, amount);

	if (!u) {
		u = NEW(struct channel_use);
		store_be64(u->key, channel_key);
		table_add(&s->channels, u);
	}
	if (!h) {
		h = NEW(struct share);
		name_share(h->key, channel_key, from);
		table_add(&s->shares, h);
	}
	u->count[c]++;
	h->count[c]++;
	ASSERT(msat_add(&u->value, u->value, amount) && msat_add(&h->value, h->value, amount));
}

static bool is_empty(const uint32_t count[SLOT_CLASSES])
{
	return count[SLOT_SMALL] + count[SLOT_REGULAR] == 0;
}

void slots_give_back(struct slots *s, uint64_t channel_key, const struct pubkey *from, struct amount_msat amount)
{
	struct channel_use *u = use_of(s, channel_key);
	struct share *h = share_of(s, channel_key, from);
	enum slot_class c = class_of(s, amount);

	ASSERT(u && h && u->count[c] && h->count[c]);
	u->count[c]--;
	h->count[c]--;
	ASSERT(msat_sub(&u->value, u->value, amount) && msat_sub(&h->value, h->value, amount));
	if (is_empty(h->count)) {
		ASSERT(table_remove(&s->shares, share_key(h)) == h);
		mem_free(h);
	}
	if (is_empty(u->count)) {
		ASSERT(table_remove(&s->channels, use_key(u)) == u);
		mem_free(u);
	}
}

/* --- what is earned --- */

/* Half after each half-life, and straight lines between. */
static uint64_t decayed(uint64_t v, uint64_t elapsed_ms)
{
	uint64_t lives = elapsed_ms / SLOTS_HALF_LIFE_MS, rest = elapsed_ms % SLOTS_HALF_LIFE_MS;

	if (lives >= 64)
		return 0;
	v >>= lives;
	/* In thousandths of a half-life: a product of what all money is with it fits. */
	return v - v / 2000 * (rest * 1000 / SLOTS_HALF_LIFE_MS);
}

static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static struct earner *earner_of(struct slots *s, const struct pubkey *peer, uint64_t now_ms)
{
	struct earner *e = table_get(&s->peers, BYTES_OF(peer->v));

	if (!e) {
		e = NEW(struct earner);
		e->peer = *peer;
		table_add(&s->peers, e);
	}
	e->earned = decayed(e->earned, since(now_ms, e->at_ms));
	e->lost = decayed(e->lost, since(now_ms, e->at_ms));
	e->at_ms = now_ms;
	return e;
}

bool slots_learn(struct slots *s, const struct pubkey *from, struct amount_msat fee, bool settled, uint64_t held_ms, uint64_t now_ms)
{
	struct earner *e = earner_of(s, from, now_ms);
	uint64_t turns = held_ms / SLOTS_HELD_MS;

	s->earned = decayed(s->earned, since(now_ms, s->earned_ms));
	s->earned_ms = now_ms;
	if (settled) {
		e->earned = plus(e->earned, fee.v);
		s->earned = plus(s->earned, fee.v);
	}
	if (turns)
		e->lost = plus(e->lost, fee.v > UINT64_MAX / turns ? UINT64_MAX : fee.v * turns);
	/* What failed at once costs nobody anything, a write least of all. */
	return fee.v && (settled || turns);
}

void slots_store(const struct slots *s, struct step *step, const struct pubkey *peer)
{
	const struct earner *e = table_get(&s->peers, BYTES_OF(peer->v));
	struct buf value = BUF_EMPTY;

	ASSERT(e);
	record_earned_encode(&(struct record_earned){ .earned = e->earned, .lost = e->lost, .at_ms = e->at_ms }, &value);
	effect_persist(step->out, RECORD_EARNED, BYTES_OF(peer->v), buf_view(&value));
	buf_release(&value);
}

bool slots_load(struct slots *s, struct bytes key, struct bytes value)
{
	struct record_earned r;
	struct arena memory;
	struct earner *e;
	bool good;

	arena_init(&memory);
	good = record_earned_decode(value, &memory, &r);
	arena_release(&memory);
	if (!good || key.size != sizeof(e->peer.v) || table_get(&s->peers, key))
		return false;
	e = NEW(struct earner);
	memcpy(e->peer.v, key.data, sizeof(e->peer.v));
	e->earned = r.earned;
	e->lost = r.lost;
	e->at_ms = r.at_ms;
	table_add(&s->peers, e);
	/* The sum, as of the newest of them. */
	if (r.at_ms >= s->earned_ms) {
		s->earned = plus(decayed(s->earned, since(r.at_ms, s->earned_ms)), r.earned);
		s->earned_ms = r.at_ms;
	} else {
		s->earned = plus(s->earned, decayed(r.earned, since(s->earned_ms, r.at_ms)));
	}
	return true;
}

void slots_forget(struct slots *s, struct step *step, const struct pubkey *peer)
{
	struct earner *e = table_remove(&s->peers, BYTES_OF(peer->v));
	uint64_t part;

	if (!e)
		return;
	s->earned = decayed(s->earned, since(step->now_ms, s->earned_ms));
	s->earned_ms = step->now_ms;
	part = decayed(e->earned, since(step->now_ms, e->at_ms));
	s->earned -= part < s->earned ? part : s->earned;
	effect_remove(step->out, RECORD_EARNED, BYTES_OF(e->peer.v));
	mem_free(e);
}

bool slots_has_earned(const struct slots *s, const struct pubkey *from, uint32_t peers, uint64_t now_ms)
{
	const struct earner *e = table_get(&s->peers, BYTES_OF(from->v));
	uint64_t earned, lost, all = decayed(s->earned, since(now_ms, s->earned_ms));

	if (!e)
		return false;
	earned = decayed(e->earned, since(now_ms, e->at_ms));
	lost = decayed(e->lost, since(now_ms, e->at_ms));
	return earned > lost && earned - lost >= all / 2 / (peers ? peers : 1);
}

/* --- decisions --- */

static uint32_t percent_of(uint32_t count, uint32_t percent)
{
	return (uint32_t)((uint64_t)count * (percent < 100 ? percent : 100) / 100);
}

/* A peer's share, never less than its part among all. */
static uint32_t share_percent(uint32_t limit, uint32_t peers)
{
	uint32_t part = (100 + peers - 1) / peers;

	return limit > part ? limit : part;
}

const char *slots_refuse(const struct slots *s, const struct slot_question *q)
{
	const struct slot_limits *l = &s->limits;
	const struct channel_use *u = use_of(s, q->channel_key);
	const struct share *h = share_of(s, q->channel_key, q->from);
	const uint32_t open = q->channel_slots - percent_of(q->channel_slots, l->own_percent);
	enum slot_class c = class_of(s, q->amount);
	uint32_t small, mine;
	struct amount_msat sum;

	if (slots_used(s, q->channel_key) >= open)
		return "the slots that are left are for payments of this node";
	if (q->other_peers < 2)
		return NULL;
	small = l->small.v ? percent_of(open, l->small_percent) : 0;
	mine = c == SLOT_SMALL ? small : open - small;
	/* The last ones of the class are not for everybody. */
	if (!slots_has_earned(s, q->from, q->other_peers, q->now_ms))
		mine -= percent_of(mine, l->protected_percent);
	if (u && u->count[c] >= mine)
		return c == SLOT_SMALL ? "the slots for small HTLCs are taken" : "the slots for HTLCs are taken";
	if (!h)
		return mine ? NULL : "there are no slots for it";
	if (h->count[c] >= percent_of(mine, share_percent(l->peer_percent, q->other_peers)) && h->count[c])
		return "the peer has its share of the slots";
	if (!msat_add(&sum, h->value, q->amount) ||
	    MSAT_LESS(msat_ppm(q->channel_value, share_percent(l->peer_value_percent, q->other_peers) * 10000), sum))
		return "the peer has its share of the value";
	return NULL;
}

void slots_check(const struct slots *s)
{
	const struct channel_use *u;
	const struct share *h;
	uint64_t used = 0, shared = 0, value = 0, shared_value = 0;
	uint32_t at;

	for (at = 0; (u = table_next(&s->channels, &at));) {
		ASSERT(!is_empty(u->count));
		used += u->count[SLOT_SMALL] + u->count[SLOT_REGULAR];
		value += u->value.v;
	}
	for (at = 0; (h = table_next(&s->shares, &at));) {
		ASSERT(!is_empty(h->count));
		shared += h->count[SLOT_SMALL] + h->count[SLOT_REGULAR];
		shared_value += h->value.v;
	}
	ASSERT(used == shared && value == shared_value);
}
