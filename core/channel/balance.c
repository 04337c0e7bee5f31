/* The HTLC set: lists by state, and for each view the sums that the checks of
 * BOLT 2 ask for, kept as HTLCs move so that no check ever walks all of them. */
#include <string.h>

#include "channel/machine.h"

static struct bytes htlc_table_key(const void *p)
{
	return BYTES_OF(((const struct channel_htlc *)p)->table_key);
}

static void write_table_key(uint8_t out9[9], enum side owner, uint64_t id)
{
	out9[0] = (uint8_t)owner;
	store_be64(out9 + 1, id);
}

struct channel_htlc *htlc_find(const struct channel *ch, enum side owner, uint64_t id)
{
	uint8_t key[9];

	write_table_key(key, owner, id);
	return table_get(&ch->htlcs, BYTES_OF(key));
}

void htlc_set_bytes(struct bytes *owned, struct bytes v)
{
	uint8_t *copy = NULL;

	if (v.size > 0) {
		copy = mem_alloc(v.size);
		memcpy(copy, v.data, v.size);
	}
	mem_free((void *)(uintptr_t)owned->data);
	*owned = BYTES(copy, v.size);
}

static void list_append(struct htlc_list *l, struct channel_htlc *h)
{
	h->next = NULL;
	h->previous = l->tail;
	if (l->tail)
		l->tail->next = h;
	else
		l->head = h;
	l->tail = h;
	l->count++;
}

static void list_unlink(struct htlc_list *l, struct channel_htlc *h)
{
	if (h->previous)
		h->previous->next = h->next;
	else
		l->head = h->next;
	if (h->next)
		h->next->previous = h->previous;
	else
		l->tail = h->previous;
	h->next = h->previous = NULL;
	ASSERT(l->count > 0);
	l->count--;
}

bool view_trims(const struct channel *ch, enum htlc_view v, struct feerate rate, enum side owner, struct amount_msat amount)
{
	enum side broadcaster = view_side(v);

	/* B2.funding_signed.1: the negotiated type, always. */
	return htlc_is_trimmed(ch->r.type, rate, ch->r.side[broadcaster].dust_limit, owner == broadcaster, amount);
}

struct amount_msat view_cost(const struct channel *ch, enum htlc_view v, struct feerate rate, uint32_t more)
{
	return msat_of_sat(commitment_cost(ch->r.type, rate, ch->views[v].untrimmed + more));
}

/* Adding and taking of amounts that INV-C2 bounds. */
static void gain(struct amount_msat *a, struct amount_msat by)
{
	ASSERT(msat_add(a, *a, by));
}

static void lose(struct amount_msat *a, struct amount_msat by)
{
	ASSERT(msat_sub(a, *a, by));
}

/* Where an HTLC stands in a view. */
enum standing {
	STANDING_OUT,  /* not yet, or taken back: its amount is its owner's */
	STANDING_IN,
	STANDING_PAID, /* gone, and its amount is the other side's */
};

static enum standing standing_of(enum htlc_state state, enum htlc_resolution resolution, enum htlc_view v)
{
	if (htlc_state_in(state, v))
		return STANDING_IN;
	return htlc_state_removing(state) && resolution == HTLC_FULFILLED ? STANDING_PAID : STANDING_OUT;
}

static void count_trim(struct channel *ch, struct channel_htlc *h, enum htlc_view v)
{
	struct balance *b = &ch->views[v];

	if (view_trims(ch, v, b->feerate, h->owner, h->amount)) {
		h->trimmed |= 1u << v;
		gain(&b->dust, h->amount);
		return;
	}
	h->trimmed &= ~(1u << v);
	b->untrimmed++;
	if (v == VIEW_REMOTE)
		h->remote_untrimmed = true;
}

static void enter(struct channel *ch, struct channel_htlc *h, enum htlc_view v)
{
	struct balance *b = &ch->views[v];

	gain(&b->offered[h->owner], h->amount);
	b->count[h->owner]++;
	count_trim(ch, h, v);
}

static void leave(struct channel *ch, struct channel_htlc *h, enum htlc_view v)
{
	struct balance *b = &ch->views[v];

	lose(&b->offered[h->owner], h->amount);
	ASSERT(b->count[h->owner] > 0);
	b->count[h->owner]--;
	if (h->trimmed >> v & 1) {
		h->trimmed &= ~(1u << v);
		lose(&b->dust, h->amount);
	} else {
		ASSERT(b->untrimmed > 0);
		b->untrimmed--;
	}
}

/* Only what changes moves: whoever was paid may have spent it already. */
static void restand(struct channel *ch, struct channel_htlc *h, enum htlc_view v, enum standing from, enum standing to)
{
	struct amount_msat *own = &ch->views[v].left[h->owner], *other = &ch->views[v].left[side_other(h->owner)];

	if (from == to)
		return;
	if (to == STANDING_OUT)
		gain(own, h->amount);
	if (to == STANDING_PAID)
		gain(other, h->amount);
	if (from == STANDING_PAID)
		lose(other, h->amount);
	if (from == STANDING_OUT)
		lose(own, h->amount);
	if (from == STANDING_IN)
		leave(ch, h, v);
	if (to == STANDING_IN)
		enter(ch, h, v);
}

void htlc_mark(struct channel *ch, struct channel_htlc *h)
{
	if (h->dirty)
		return;
	h->dirty = true;
	h->dirty_next = ch->dirty_head;
	ch->dirty_head = h;
}

static void insert(struct channel *ch, struct channel_htlc *h)
{
	write_table_key(h->table_key, h->owner, h->id);
	table_add(&ch->htlcs, h);
	list_append(&ch->lists[h->state], h);
}

/* Whether the balances of a view bear all HTLCs; credits before debits. */
static bool affordable(const struct channel *ch, struct channel_htlc *const *htlcs, uint32_t count, enum htlc_view v)
{
	struct amount_msat left[2] = { ch->r.settled[0], ch->r.settled[1] };

	for (uint32_t i = 0; i < count; i++) {
		const struct channel_htlc *h = htlcs[i];

		if (standing_of(h->state, h->resolution, v) == STANDING_PAID &&
		    !msat_add(&left[side_other(h->owner)], left[side_other(h->owner)], h->amount))
			return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct channel_htlc *h = htlcs[i];

		if (standing_of(h->state, h->resolution, v) != STANDING_OUT && !msat_sub(&left[h->owner], left[h->owner], h->amount))
			return false;
	}
	return true;
}

static void stand_all(struct channel *ch, struct channel_htlc *const *htlcs, uint32_t count, enum htlc_view v)
{
	struct balance *b = &ch->views[v];

	for (uint32_t i = 0; i < count; i++)
		if (standing_of(htlcs[i]->state, htlcs[i]->resolution, v) == STANDING_PAID)
			gain(&b->left[side_other(htlcs[i]->owner)], htlcs[i]->amount);
	for (uint32_t i = 0; i < count; i++) {
		enum standing now = standing_of(htlcs[i]->state, htlcs[i]->resolution, v);

		if (now != STANDING_OUT)
			lose(&b->left[htlcs[i]->owner], htlcs[i]->amount);
		if (now == STANDING_IN)
			enter(ch, htlcs[i], v);
	}
}

bool htlcs_adopt(struct channel *ch, struct channel_htlc *const *htlcs, uint32_t count)
{
	for (int v = 0; v < HTLC_VIEWS; v++)
		if (!affordable(ch, htlcs, count, (enum htlc_view)v))
			return false;
	balances_start(ch);
	for (uint32_t i = 0; i < count; i++)
		insert(ch, htlcs[i]);
	for (int v = 0; v < HTLC_VIEWS; v++)
		stand_all(ch, htlcs, count, (enum htlc_view)v);
	return true;
}

struct channel_htlc *htlc_add(struct channel *ch, enum side owner, uint64_t id, enum htlc_state state, struct amount_msat amount)
{
	struct channel_htlc *h = NEW(struct channel_htlc);

	h->owner = owner;
	h->id = id;
	h->state = state;
	h->amount = amount;
	insert(ch, h);
	for (int v = 0; v < HTLC_VIEWS; v++)
		restand(ch, h, (enum htlc_view)v, STANDING_OUT, standing_of(state, HTLC_UNRESOLVED, (enum htlc_view)v));
	htlc_mark(ch, h);
	return h;
}

void htlc_resolve(struct channel *ch, struct channel_htlc *h, enum htlc_state state, enum htlc_resolution resolution)
{
	ASSERT(htlc_state_owner(state) == h->owner);
	for (int v = 0; v < HTLC_VIEWS; v++)
		restand(ch, h, (enum htlc_view)v, standing_of(h->state, h->resolution, (enum htlc_view)v),
			standing_of(state, resolution, (enum htlc_view)v));
	list_unlink(&ch->lists[h->state], h);
	h->state = state;
	h->resolution = resolution;
	list_append(&ch->lists[state], h);
	htlc_mark(ch, h);
}

void htlc_move(struct channel *ch, struct channel_htlc *h, enum htlc_state state)
{
	htlc_resolve(ch, h, state, h->resolution);
}

static void unmark(struct channel *ch, struct channel_htlc *h)
{
	struct channel_htlc **p = &ch->dirty_head;

	if (!h->dirty)
		return;
	while (*p != h)
		p = &(*p)->dirty_next;
	*p = h->dirty_next;
	h->dirty = false;
}

static void persist_past(struct step *s, const struct channel_htlc *h, struct bytes key)
{
	struct htlc_past past = { h->id, h->owner, h->payment_hash, h->cltv_expiry, h->amount, h->remote_first, h->remote_last };
	struct buf value = BUF_EMPTY;

	htlc_past_encode(&past, &value);
	effect_persist(s->out, RECORD_HTLC_PAST, key, buf_view(&value));
	buf_release(&value);
}

/* Whether it left a trace in the peer's revoked commitments that a penalty needs. */
static bool leaves_trace(const struct channel_htlc *h)
{
	return h->remote_untrimmed && !htlc_state_live(h->state) && htlc_state_removing(h->state);
}

void htlc_remove(struct channel *ch, struct step *s, struct channel_htlc *h)
{
	uint8_t key[17];

	htlc_record_key(key, ch->r.key, h->owner, h->id);
	if (htlc_state_removing(h->state) && h->resolution == HTLC_FULFILLED) {
		/* Paid in every view: only the account on which they rest moves. */
		ASSERT(htlc_state_views(h->state) == 0);
		lose(&ch->r.settled[h->owner], h->amount);
		gain(&ch->r.settled[side_other(h->owner)], h->amount);
		ch->r.counts[h->owner].fulfilled++;
		gain(&ch->r.counts[h->owner].fulfilled_amount, h->amount);
	} else {
		for (int v = 0; v < HTLC_VIEWS; v++)
			restand(ch, h, (enum htlc_view)v, standing_of(h->state, h->resolution, (enum htlc_view)v), STANDING_OUT);
	}
	if (leaves_trace(h))
		persist_past(s, h, BYTES_OF(key));
	if (h->stored)
		effect_remove(s->out, RECORD_HTLC, BYTES_OF(key));
	if (h->onion_stored)
		effect_remove(s->out, RECORD_HTLC_ONION, BYTES_OF(key));
	unmark(ch, h);
	list_unlink(&ch->lists[h->state], h);
	ASSERT(table_remove(&ch->htlcs, BYTES_OF(h->table_key)) == h);
	htlc_set_bytes(&h->onion, BYTES_NONE);
	htlc_set_bytes(&h->reason, BYTES_NONE);
	htlc_set_bytes(&h->attribution, BYTES_NONE);
	mem_free(h);
	ch->record_dirty = true;
}

void balances_init(struct channel *ch)
{
	static const uint8_t seed[16]; /* ids are consecutive: nobody can choose them to collide */

	table_init(&ch->htlcs, htlc_table_key, seed);
}

void balances_start(struct channel *ch)
{
	ASSERT(table_count(&ch->htlcs) == 0);
	for (int v = 0; v < HTLC_VIEWS; v++) {
		ch->views[v].left[0] = ch->r.settled[0];
		ch->views[v].left[1] = ch->r.settled[1];
		ch->views[v].feerate = channel_record_feerate(&ch->r, (enum htlc_view)v);
	}
}

/* After a feerate has moved: other HTLCs are trimmed now. */
static void retrim(struct channel *ch, enum htlc_view v)
{
	struct balance *b = &ch->views[v];
	struct feerate rate = channel_record_feerate(&ch->r, v);

	if (rate.per_kw == b->feerate.per_kw)
		return;
	b->feerate = rate;
	b->dust = MSAT(0);
	b->untrimmed = 0;
	for (int i = 0; i < HTLC_STATES; i++)
		if (htlc_state_in((enum htlc_state)i, v))
			for (struct channel_htlc *h = ch->lists[i].head; h; h = h->next)
				count_trim(ch, h, v);
}

static void retrim_all(struct channel *ch)
{
	for (int v = 0; v < HTLC_VIEWS; v++)
		retrim(ch, (enum htlc_view)v);
	ch->record_dirty = true;
}

void feerates_after(struct channel_record *r, enum htlc_event e)
{
	enum htlc_state first = r->opener == SIDE_LOCAL ? SENT_ADD_HTLC : RCVD_ADD_HTLC;

	/* From the oldest, so that none moves twice and a newer one replaces it. */
	for (int i = 3; i >= 0; i--) {
		if (r->feerates[i].per_kw == 0 || htlc_state_after(first + i, e) == first + i)
			continue;
		r->feerates[i + 1] = r->feerates[i];
		r->feerates[i] = FEERATE(0);
	}
}

void feerates_move(struct channel *ch, enum htlc_event e)
{
	struct feerate before[5];

	memcpy(before, ch->r.feerates, sizeof(before));
	feerates_after(&ch->r, e);
	if (memcmp(before, ch->r.feerates, sizeof(before)) == 0)
		return;
	retrim_all(ch);
}

void feerates_set(struct channel *ch, uint32_t index, struct feerate rate)
{
	ch->r.feerates[index] = rate;
	retrim_all(ch);
}

void view_at_feerate(const struct channel *ch, enum htlc_view v, struct feerate rate, uint32_t *untrimmed, struct amount_msat *dust)
{
	*untrimmed = 0;
	*dust = MSAT(0);
	for (int i = 0; i < HTLC_STATES; i++) {
		if (!htlc_state_in((enum htlc_state)i, v))
			continue;
		for (const struct channel_htlc *h = ch->lists[i].head; h; h = h->next) {
			if (view_trims(ch, v, rate, h->owner, h->amount))
				gain(dust, h->amount);
			else
				(*untrimmed)++;
		}
	}
}
