/* From records back to a channel: BOLT 2 "Message Retransmission" begins here.
 *
 * Records may come in any order, so HTLCs and onions wait in struct loading
 * until channel_start has all of them.  What does not fit together is a
 * damaged store: the program must not go on with it. */
#include <stdlib.h>
#include <string.h>

#include "channel/machine.h"

struct loading_onion {
	struct loading_onion *next;
	enum side owner;
	uint64_t id;
	struct bytes onion; /* owned */
};

struct loading {
	struct channel_htlc **htlcs;
	uint32_t htlc_count, htlc_capacity;
	struct loading_onion *onions;
	bool has_sigs, has_secrets;
};

void load_free(struct channel *ch)
{
	struct loading *l = ch->loading;

	if (!l)
		return;
	for (uint32_t i = 0; i < l->htlc_count; i++) {
		htlc_set_bytes(&l->htlcs[i]->onion, BYTES_NONE);
		htlc_set_bytes(&l->htlcs[i]->reason, BYTES_NONE);
		htlc_set_bytes(&l->htlcs[i]->attribution, BYTES_NONE);
		mem_free(l->htlcs[i]);
	}
	while (l->onions) {
		struct loading_onion *o = l->onions;

		l->onions = o->next;
		htlc_set_bytes(&o->onion, BYTES_NONE);
		mem_free(o);
	}
	mem_free(l->htlcs);
	mem_free(l);
	ch->loading = NULL;
}

static bool record_sound(const struct channel_record *r)
{
	struct amount_msat sum;

	return r->state != OPENINGD && r->local_number - r->local_revoked <= 1 && r->remote_number - r->remote_revoked <= 1 &&
	       r->local_number <= COMMITMENT_NUMBER_MAX && r->remote_number <= COMMITMENT_NUMBER_MAX && r->feerates[0].per_kw == 0 &&
	       r->feerates[4].per_kw != 0 && !SAT_LESS(SAT(SUPPLY_SAT), r->funding_amount) &&
	       msat_add(&sum, r->settled[0], r->settled[1]) && msat_cmp(sum, msat_of_sat(r->funding_amount)) == 0;
}

struct channel *channel_load(const struct channel_policy *policy, struct bytes value)
{
	struct channel *ch = channel_new(policy, 0);

	if (!channel_record_decode(value, &ch->r) || !record_sound(&ch->r)) {
		channel_free(ch);
		return NULL;
	}
	ch->loading = NEW(struct loading);
	return ch;
}

static bool load_htlc(struct channel *ch, struct bytes key, struct bytes value)
{
	struct loading *l = ch->loading;
	struct channel_htlc *h = NEW(struct channel_htlc);
	struct bytes reason, attribution;
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = channel_htlc_decode(key, value, &a, h);
	reason = h->reason;
	attribution = h->attribution;
	h->reason = h->attribution = BYTES_NONE;
	if (ok) {
		htlc_set_bytes(&h->reason, reason);
		htlc_set_bytes(&h->attribution, attribution);
	}
	arena_release(&a);
	if (!ok) {
		mem_free(h);
		return false;
	}
	if (l->htlc_count == l->htlc_capacity) {
		l->htlc_capacity = l->htlc_capacity ? 2 * l->htlc_capacity : 16;
		l->htlcs = mem_realloc(l->htlcs, l->htlc_capacity, sizeof(*l->htlcs));
	}
	h->stored = true;
	l->htlcs[l->htlc_count++] = h;
	return true;
}

static bool load_onion(struct channel *ch, struct bytes key, struct bytes value)
{
	struct loading_onion *o;
	uint64_t channel_key;

	if (value.size != ONION_SIZE)
		return false;
	o = NEW(struct loading_onion);
	o->next = ch->loading->onions;
	ch->loading->onions = o;
	htlc_set_bytes(&o->onion, value);
	return htlc_record_key_read(key, &channel_key, &o->owner, &o->id);
}

static bool load_sigs(struct channel *ch, struct bytes value)
{
	struct commit_sigs sigs;
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = commit_sigs_decode(value, &a, &sigs);
	if (ok) {
		mem_free(ch->sigs.htlcs);
		ch->sigs = sigs;
		ch->sigs.htlcs = NULL;
		if (sigs.htlc_count > 0) {
			ch->sigs.htlcs = NEW_ARRAY(struct sig64, sigs.htlc_count);
			memcpy(ch->sigs.htlcs, sigs.htlcs, sigs.htlc_count * sizeof(struct sig64));
		}
	}
	arena_release(&a);
	ch->loading->has_sigs = ok;
	return ok;
}

bool channel_load_part(struct channel *ch, enum record_kind kind, struct bytes key, struct bytes value)
{
	ASSERT(ch->loading);
	switch (kind) {
	case RECORD_HTLC:
		return load_htlc(ch, key, value);
	case RECORD_HTLC_ONION:
		return load_onion(ch, key, value);
	case RECORD_COMMIT_SIGS:
		return load_sigs(ch, value);
	case RECORD_SHACHAIN:
		ch->loading->has_secrets = shachain_decode(&ch->secrets, value);
		return ch->loading->has_secrets;
	default:
		/* RECORD_HTLC_PAST is for penalties alone; nothing else is a channel's. */
		return kind == RECORD_HTLC_PAST;
	}
}

/* By age, which is the order of the lists. */
static int order_of(const void *one, const void *other)
{
	const struct channel_htlc *a = *(struct channel_htlc *const *)one, *b = *(struct channel_htlc *const *)other;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static bool attach_onions(struct channel *ch)
{
	struct loading_onion **p = &ch->loading->onions;

	while (*p) {
		struct loading_onion *o = *p;
		struct channel_htlc *h = htlc_find(ch, o->owner, o->id);

		if (!h || h->onion.size > 0)
			return false;
		h->onion = o->onion;
		h->onion_stored = true;
		*p = o->next;
		mem_free(o);
	}
	return true;
}

static bool htlc_sound(const struct channel *ch, const struct channel_htlc *h)
{
	bool resolved = h->resolution != HTLC_UNRESOLVED;

	if (h->id >= ch->r.next_htlc_id[h->owner] || h->onion.size > ONION_SIZE)
		return false;
	if (htlc_state_removing(h->state) != resolved && !(resolved && h->state == RCVD_ADD_ACK_REVOCATION))
		return false;
	/* What may have to be sent or read again must be there. */
	if (h->owner == SIDE_LOCAL ? h->state == SENT_ADD_COMMIT : !resolved)
		return h->onion.size == ONION_SIZE;
	return true;
}

static bool adopt_all(struct channel *ch)
{
	struct loading *l = ch->loading;
	bool ok = true;

	if (l->htlc_count)
		qsort(l->htlcs, l->htlc_count, sizeof(l->htlcs[0]), order_of);
	for (uint32_t i = 1; i < l->htlc_count; i++)
		if (l->htlcs[i]->owner == l->htlcs[i - 1]->owner && l->htlcs[i]->id == l->htlcs[i - 1]->id)
			return false;
	if (l->htlc_count > 2 * COMMITMENT_HTLCS_MAX || !htlcs_adopt(ch, l->htlcs, l->htlc_count))
		return false;
	l->htlc_count = 0; /* owned by the lists now */
	ok = attach_onions(ch);
	for (int i = 0; i < HTLC_STATES; i++)
		for (const struct channel_htlc *h = ch->lists[i].head; h; h = h->next)
			ok = ok && htlc_sound(ch, h);
	return ok;
}

static void tell_again(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	for (int i = 0; i < HTLC_STATES; i++) {
		for (const struct channel_htlc *h = ch->lists[i].head; h; h = h->next) {
			if (h->state == RCVD_ADD_ACK_REVOCATION && h->resolution == HTLC_UNRESOLVED)
				update_note_in(ch, s, notes, h);
			if (h->owner == SIDE_LOCAL && h->has_preimage)
				update_note_fulfilled(ch, s, notes, h, BYTES_NONE);
		}
	}
}

bool channel_start(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	struct loading *l = ch->loading;

	ASSERT(l);
	if (!l->has_sigs || !l->has_secrets || ch->sigs.number != ch->r.local_number ||
	    ch->secrets.next_index != SHACHAIN_FIRST - ch->r.remote_revoked || !adopt_all(ch)) {
		channel_log(ch, s, LOG_ERROR, "the stored records of this channel contradict one another");
		return false;
	}
	load_free(ch);
	channel_check(ch, true);
	channel_note(ch, s, notes, CHANNEL_NOTE_WATCH_FUNDING);
	tell_again(ch, s, notes);
	if (ch->r.state == AWAITING_UNILATERAL)
		fail_publish(ch, s);
	return true;
}
