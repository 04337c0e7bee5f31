/* Payments that a user wants forgotten: those that are over and in the store. */
#include "payment/ledger.h"

static bool is_meant(const struct record_payment *r, uint64_t group, const struct payment_deletion *d)
{
	if (r->state != (d->complete ? PAYMENT_COMPLETE : PAYMENT_FAILED) || (d->has_group && group != d->group))
		return false;
	for (uint32_t i = 0; d->has_part && i < r->tries_count; i++)
		if (r->tries[i].part == d->part)
			return true;
	return !d->has_part;
}

/* Parts the tries into those that stay, which are first, and those that go. */
static void split(struct arena *a, const struct record_payment *r, uint64_t part, struct record_payment *stays,
		  struct record_payment *goes)
{
	*stays = *goes = *r;
	stays->tries = ARENA_ARRAY(a, struct record_payment_try, r->tries_count);
	goes->tries = ARENA_ARRAY(a, struct record_payment_try, r->tries_count);
	stays->tries_count = goes->tries_count = 0;
	for (uint32_t i = 0; i < r->tries_count; i++) {
		struct record_payment *to = r->tries[i].part == part ? goes : stays;

		to->tries[to->tries_count++] = r->tries[i];
	}
}

bool send_delete(struct step *step, struct arena *a, struct bytes key, struct bytes value, const struct payment_deletion *d,
		 struct deleted_payment *out)
{
	struct record_payment r, stays = { 0 };
	struct buf b = BUF_EMPTY;

	if (key.size != LEDGER_PAYMENT_KEY || memcmp(key.data + 8, d->payment_hash.v, 32) != 0 ||
	    !record_payment_decode(arena_bytes(a, value), a, &r) || !is_meant(&r, load_be64(key.data + 40), d))
		return false;
	*out = (struct deleted_payment){ .group = load_be64(key.data + 40), .r = r };
	if (d->has_part)
		split(a, &r, d->part, &stays, &out->r);
	if (stays.tries_count) {
		record_payment_encode(&stays, &b);
		effect_persist(step->out, RECORD_PAYMENT_PAST, key, buf_view(&b));
		buf_wipe(&b);
		return true;
	}
	effect_remove(step->out, RECORD_PAYMENT_PAST, key);
	effect_remove(step->out, RECORD_PAYMENT_INDEX, BYTES(key.data + 8, SEND_INDEX_KEY));
	return true;
}

void send_copy_deleted(struct arena *a, struct reply *reply)
{
	struct deleted_payment *copy = ARENA_ARRAY(a, struct deleted_payment, reply->u.delpay.count);
	struct buf b = BUF_EMPTY;

	for (uint32_t i = 0; i < reply->u.delpay.count; i++) {
		const struct deleted_payment *from = &reply->u.delpay.payments[i];

		buf_clear(&b);
		record_payment_encode(&from->r, &b);
		copy[i].group = from->group;
		ASSERT(record_payment_decode(arena_bytes(a, buf_view(&b)), a, &copy[i].r));
	}
	reply->u.delpay.payments = copy;
	buf_wipe(&b);
}
