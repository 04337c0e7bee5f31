#include "route/liquidity.h"

#include "wire/records_route.h"

#define NONE UINT32_MAX
#define BUCKETS_MIN 64u

/* Entries never move while they live: the index of one is its slot. */
struct liquidity {
	struct liquidity_entry *entries;
	uint32_t *buckets;       /* heads of chains; a power of two of them */
	struct scid *gone;       /* stored once, and dropped since the last flush */
	uint32_t used, capacity, bucket_count, live, free;
	uint32_t newest, oldest;
	uint32_t gone_count, gone_capacity;
	uint32_t channels_max, half_life_s;
	uint64_t changed, flushed;
	uint8_t seed[16];
};

struct liquidity *liquidity_new(const uint8_t seed16[16], uint32_t channels_max, uint32_t half_life_s)
{
	struct liquidity *l = NEW(struct liquidity);

	ASSERT(channels_max && channels_max < NONE && half_life_s);
	l->channels_max = channels_max;
	l->half_life_s = half_life_s;
	l->newest = l->oldest = l->free = NONE;
	l->bucket_count = BUCKETS_MIN;
	l->buckets = NEW_ARRAY(uint32_t, l->bucket_count);
	memset(l->buckets, 0xff, l->bucket_count * sizeof(*l->buckets));
	memcpy(l->seed, seed16, sizeof(l->seed));
	return l;
}

struct liquidity *liquidity_clone(const struct liquidity *l)
{
	struct liquidity *copy = NEW(struct liquidity);

	*copy = *l;
	copy->entries = NEW_ARRAY(struct liquidity_entry, l->capacity + 1);
	copy->buckets = NEW_ARRAY(uint32_t, l->bucket_count);
	copy->gone = NEW_ARRAY(struct scid, l->gone_capacity + 1);
	if (l->used)
		memcpy(copy->entries, l->entries, l->used * sizeof(*l->entries));
	memcpy(copy->buckets, l->buckets, l->bucket_count * sizeof(*l->buckets));
	if (l->gone_count)
		memcpy(copy->gone, l->gone, l->gone_count * sizeof(*l->gone));
	return copy;
}

void liquidity_free(struct liquidity *l)
{
	if (!l)
		return;
	mem_free(l->entries);
	mem_free(l->buckets);
	mem_free(l->gone);
	mem_free(l);
}

/* --- the index and the order --- */

static uint32_t *bucket_of(const struct liquidity *l, struct scid scid)
{
	uint8_t key[8];

	store_be64(key, scid.v);
	return &l->buckets[siphash24(l->seed, BYTES_OF(key)) & (l->bucket_count - 1)];
}

static uint32_t find(const struct liquidity *l, struct scid scid)
{
	uint32_t i = *bucket_of(l, scid);

	while (i != NONE && l->entries[i].scid.v != scid.v)
		i = l->entries[i].next;
	return i;
}

static void unlink_order(struct liquidity *l, uint32_t i)
{
	struct liquidity_entry *e = &l->entries[i];

	*(e->newer == NONE ? &l->newest : &l->entries[e->newer].older) = e->older;
	*(e->older == NONE ? &l->oldest : &l->entries[e->older].newer) = e->newer;
}

static void link_newest(struct liquidity *l, uint32_t i)
{
	struct liquidity_entry *e = &l->entries[i];

	e->newer = NONE;
	e->older = l->newest;
	*(l->newest == NONE ? &l->oldest : &l->entries[l->newest].newer) = i;
	l->newest = i;
	e->changed = ++l->changed;
}

static void remember_gone(struct liquidity *l, struct scid scid)
{
	if (l->gone_count == l->gone_capacity) {
		l->gone_capacity = l->gone_capacity ? l->gone_capacity * 2 : 16;
		l->gone = mem_realloc(l->gone, l->gone_capacity, sizeof(*l->gone));
	}
	l->gone[l->gone_count++] = scid;
}

static void drop(struct liquidity *l, uint32_t i)
{
	struct liquidity_entry *e = &l->entries[i];
	uint32_t *at = bucket_of(l, e->scid);

	while (*at != i)
		at = &l->entries[*at].next;
	*at = e->next;
	unlink_order(l, i);
	if (e->stored)
		remember_gone(l, e->scid);
	*e = (struct liquidity_entry){ .next = l->free };
	l->free = i;
	l->live--;
	/* Whoever keeps a clone must see that it is stale. */
	l->changed++;
}

static void grow_buckets(struct liquidity *l)
{
	mem_free(l->buckets);
	l->bucket_count *= 2;
	l->buckets = NEW_ARRAY(uint32_t, l->bucket_count);
	memset(l->buckets, 0xff, l->bucket_count * sizeof(*l->buckets));
	for (uint32_t i = l->newest; i != NONE; i = l->entries[i].older) {
		uint32_t *bucket = bucket_of(l, l->entries[i].scid);

		l->entries[i].next = *bucket;
		*bucket = i;
	}
}

static uint32_t take_slot(struct liquidity *l)
{
	uint32_t i = l->free;

	if (i != NONE) {
		l->free = l->entries[i].next;
		return i;
	}
	if (l->used == l->capacity) {
		l->capacity = l->capacity ? l->capacity * 2 : 64;
		l->entries = mem_realloc(l->entries, l->capacity, sizeof(*l->entries));
	}
	return l->used++;
}

static struct liquidity_entry *touch(struct liquidity *l, struct scid scid)
{
	uint32_t i = find(l, scid), *bucket;

	if (i != NONE) {
		unlink_order(l, i);
		link_newest(l, i);
		return &l->entries[i];
	}
	if (l->live == l->channels_max)
		drop(l, l->oldest);
	if (l->live >= l->bucket_count)
		grow_buckets(l);
	i = take_slot(l);
	bucket = bucket_of(l, scid);
	l->entries[i] = (struct liquidity_entry){ .scid = scid, .next = *bucket };
	*bucket = i;
	link_newest(l, i);
	l->live++;
	return &l->entries[i];
}

/* --- facts --- */

void liquidity_could(struct liquidity *l, struct scid scid, int direction, struct amount_msat amount, uint64_t now_s)
{
	struct liquidity_side *s = &touch(l, scid)->side[direction];

	/* What an older success proved of more still counts; the time is that of the newer, lesser proof only where the
	 * older has faded below it. */
	if (!MSAT_LESS(amount, s->could) || now_s < s->could_at_s ||
	    !MSAT_LESS(amount, MSAT(model_scale(s->could.v, model_memory_q16(now_s - s->could_at_s, l->half_life_s))))) {
		s->could = amount;
		s->could_at_s = now_s;
	}
	/* It was refused so much, and now it passed. */
	if (s->could_not.v && !MSAT_LESS(amount, s->could_not))
		s->could_not = MSAT(0);
}

void liquidity_could_not(struct liquidity *l, struct scid scid, int direction, struct amount_msat amount, uint64_t now_s)
{
	struct liquidity_side *s = &touch(l, scid)->side[direction];

	if (!amount.v)
		amount = MSAT(1);
	if (!s->could_not.v || !MSAT_LESS(s->could_not, amount) || now_s < s->could_not_at_s ||
	    now_s - s->could_not_at_s > l->half_life_s) {
		s->could_not = amount;
		s->could_not_at_s = now_s;
	}
	if (!MSAT_LESS(s->could, amount))
		s->could = MSAT(0);
}

void liquidity_moved(struct liquidity *l, struct scid scid, int direction, struct amount_msat amount, uint64_t now_s)
{
	struct liquidity_entry *e = touch(l, scid);
	struct liquidity_side *from = &e->side[direction], *to = &e->side[!direction];

	from->could = msat_sub_or_zero(from->could, amount);
	if (from->could_not.v)
		from->could_not = MSAT_LESS(amount, from->could_not) ? msat_sub_or_zero(from->could_not, amount) : MSAT(1);
	if (!msat_add(&to->could, to->could, amount))
		to->could = amount;
	to->could_at_s = now_s;
	if (to->could_not.v && !msat_add(&to->could_not, to->could_not, amount))
		to->could_not = MSAT(0);
}

void liquidity_forget(struct liquidity *l, struct scid scid)
{
	uint32_t i = find(l, scid);

	if (i != NONE)
		drop(l, i);
}

void liquidity_put(struct liquidity *l, const struct liquidity_entry *e)
{
	struct liquidity_entry *own = touch(l, e->scid);

	own->side[0] = e->side[0];
	own->side[1] = e->side[1];
}

/* --- reading --- */

struct bound {
	uint64_t v, at_s;
};

static uint32_t memory(const struct liquidity *l, uint64_t at_s, uint64_t now_s)
{
	/* A clock that went back makes a fact new, not old. */
	return model_memory_q16(now_s > at_s ? now_s - at_s : 0, l->half_life_s);
}

static struct bound low_of(const struct liquidity *l, const struct liquidity_side *s, uint64_t capacity, uint64_t now_s)
{
	uint64_t could = s->could.v < capacity ? s->could.v : capacity;

	return (struct bound){ model_scale(could, memory(l, s->could_at_s, now_s)), s->could_at_s };
}

static struct bound high_of(const struct liquidity *l, const struct liquidity_side *s, uint64_t capacity, uint64_t now_s)
{
	uint64_t high;

	if (!s->could_not.v || s->could_not.v > capacity)
		return (struct bound){ capacity, 0 };
	high = s->could_not.v - 1;
	return (struct bound){ capacity - model_scale(capacity - high, memory(l, s->could_not_at_s, now_s)), s->could_not_at_s };
}

struct model_range liquidity_range(const struct liquidity *l, const struct liquidity_entry *e, int direction,
				   struct amount_msat capacity_msat, uint64_t now_s)
{
	uint64_t capacity = capacity_msat.v;
	const struct liquidity_side *own = &e->side[direction], *other = &e->side[!direction];
	struct bound low = low_of(l, own, capacity, now_s), high = high_of(l, own, capacity, now_s);
	struct bound other_low = low_of(l, other, capacity, now_s), other_high = high_of(l, other, capacity, now_s);

	/* What the other side has, this one has not. */
	if (capacity - other_high.v > low.v)
		low = (struct bound){ capacity - other_high.v, other_high.at_s };
	if (capacity - other_low.v < high.v)
		high = (struct bound){ capacity - other_low.v, other_low.at_s };
	if (low.v > high.v) {
		if (low.at_s > high.at_s)
			high.v = low.v;
		else
			low.v = high.v;
	}
	return (struct model_range){ low.v, high.v, capacity };
}

const struct liquidity_entry *liquidity_find(const struct liquidity *l, struct scid scid)
{
	uint32_t i = find(l, scid);

	return i == NONE ? NULL : &l->entries[i];
}

uint32_t liquidity_count(const struct liquidity *l)
{
	return l->live;
}

uint64_t liquidity_changed(const struct liquidity *l)
{
	return l->changed;
}

const struct liquidity_entry *liquidity_next(const struct liquidity *l, const struct liquidity_entry *e)
{
	uint32_t i = e ? e->older : l->newest;

	return i == NONE ? NULL : &l->entries[i];
}

uint32_t liquidity_slot(const struct liquidity *l, const struct liquidity_entry *e)
{
	return (uint32_t)(e - l->entries);
}

const struct liquidity_entry *liquidity_at(const struct liquidity *l, uint32_t slot)
{
	return slot < l->used ? &l->entries[slot] : NULL;
}

/* --- records --- */

static void persist(struct liquidity_entry *e, struct step *step)
{
	struct record_liquidity r = {
		.could_0 = e->side[0].could, .could_0_at_s = e->side[0].could_at_s,
		.could_not_0 = e->side[0].could_not, .could_not_0_at_s = e->side[0].could_not_at_s,
		.could_1 = e->side[1].could, .could_1_at_s = e->side[1].could_at_s,
		.could_not_1 = e->side[1].could_not, .could_not_1_at_s = e->side[1].could_not_at_s,
	};
	struct buf value = BUF_EMPTY;
	uint8_t key[8];

	store_be64(key, e->scid.v);
	record_liquidity_encode(&r, &value);
	effect_persist(step->out, RECORD_LIQUIDITY, BYTES_OF(key), buf_view(&value));
	buf_release(&value);
	e->stored = true;
}

void liquidity_flush(struct liquidity *l, struct step *step)
{
	for (uint32_t k = 0; k < l->gone_count; k++) {
		uint8_t key[8];

		/* One that came back is written below: of a batch the last word counts. */
		store_be64(key, l->gone[k].v);
		effect_remove(step->out, RECORD_LIQUIDITY, BYTES_OF(key));
	}
	l->gone_count = 0;
	for (uint32_t i = l->newest; i != NONE && l->entries[i].changed > l->flushed; i = l->entries[i].older)
		persist(&l->entries[i], step);
	l->flushed = l->changed;
}

bool liquidity_load(struct liquidity *l, struct bytes key, struct bytes value)
{
	struct record_liquidity r;
	struct arena memory_of_record;
	struct liquidity_entry *e;
	bool good;

	arena_init(&memory_of_record);
	good = key.size == 8 && record_liquidity_decode(value, &memory_of_record, &r);
	arena_release(&memory_of_record);
	if (!good)
		return false;
	e = touch(l, (struct scid){ load_be64(key.data) });
	e->side[0] = (struct liquidity_side){ r.could_0, r.could_not_0, r.could_0_at_s, r.could_not_0_at_s };
	e->side[1] = (struct liquidity_side){ r.could_1, r.could_not_1, r.could_1_at_s, r.could_not_1_at_s };
	e->stored = true;
	/* What has just been read need not be written again. */
	l->flushed = l->changed;
	return true;
}

void liquidity_check(const struct liquidity *l)
{
	uint32_t count = 0;

	for (uint32_t i = l->newest; i != NONE; i = l->entries[i].older, count++) {
		const struct liquidity_entry *e = &l->entries[i];

		ASSERT(find(l, e->scid) == i);
		ASSERT(e->older == NONE ? l->oldest == i : l->entries[e->older].newer == i);
		ASSERT(e->older == NONE || l->entries[e->older].changed < e->changed);
	}
	ASSERT(count == l->live && count <= l->channels_max);
}
