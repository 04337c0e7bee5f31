/* Payments that are over: they leave memory for records of the past, and come back for as long as somebody asks. */
#include "base/cursor.h"
#include "payment/ledger.h"

#define NUMBERS_VERSION 1

void ledger_settled(struct send *s, struct payment *p)
{
	/* A complete one waits for the rest of its parts. */
	if (p->on_shelf || p->r.kind == PAYMENT_PROBE || p->r.state == PAYMENT_PENDING || p->parts)
		return;
	p->on_shelf = true;
	*s->shelf_tail = p;
	s->shelf_tail = &p->shelf_next;
}

void send_index_key(uint8_t out40[SEND_INDEX_KEY], const struct sha256 *payment_hash, uint64_t group)
{
	memcpy(out40, payment_hash->v, 32);
	store_be64(out40 + 32, group);
}

static void move_record(struct step *step, const struct payment *p)
{
	uint8_t key[LEDGER_PAYMENT_KEY], value[8];

	ledger_record_key(key, p);
	store_be64(value, p->r.created_index);
	effect_remove(step->out, RECORD_PAYMENT, BYTES_OF(key));
	effect_persist(step->out, RECORD_PAYMENT_PAST, BYTES_OF(key), buf_view(&p->stored));
	effect_persist(step->out, RECORD_PAYMENT_INDEX, BYTES_OF(p->key), BYTES_OF(value));
}

static void store_numbers(struct send *s, struct step *step)
{
	uint8_t value[9] = { NUMBERS_VERSION };

	store_be64(value + 1, s->last_created_index);
	effect_persist(step->out, RECORD_NODE, bytes_from_string(SEND_NUMBERS_KEY), BYTES_OF(value));
	s->numbers_changed = false;
}

void send_put_away(struct send *s, struct step *step)
{
	struct payment *p;

	for (uint32_t left = SEND_PUT_AWAY_MAX; (p = s->shelf) && left; left--) {
		ASSERT(!p->calls && !p->parts && !p->plan);
		s->shelf = p->shelf_next;
		if (!p->recalled)
			move_record(step, p);
		ledger_forget(s, p);
	}
	if (!s->shelf)
		s->shelf_tail = &s->shelf;
	if (s->numbers_changed)
		store_numbers(s, step);
}

bool send_load_numbers(struct send *s, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint64_t created;

	if (cursor_u8(&c) != NUMBERS_VERSION)
		return false;
	created = cursor_be64(&c);
	s->numbers_changed = created < s->last_created_index;
	if (created > s->last_created_index)
		s->last_created_index = created;
	return cursor_done(&c);
}

bool send_knows(const struct send *s, const struct sha256 *payment_hash, uint64_t group)
{
	return group ? ledger_get(s, payment_hash, group) != NULL : ledger_latest(s, payment_hash) != NULL;
}

bool send_recall(struct send *s, struct bytes key, struct bytes value, bool latest)
{
	struct payment *p = ledger_read(key, value), *known;

	if (!p)
		return false;
	known = ledger_get(s, &p->payment_hash, p->group);
	/* Somebody has asked for it already, perhaps by its group alone, or it is not put away yet. */
	if (p->r.state == PAYMENT_PENDING || known) {
		ledger_payment_free(p);
		if (known && latest)
			ledger_name_latest(s, known);
		return true;
	}
	p->recalled = true;
	ledger_index_recalled(s, p);
	if (latest)
		ledger_name_latest(s, p);
	ledger_settled(s, p);
	return true;
}

enum payment_state send_past_state(struct bytes key, struct bytes value, struct arena *a, uint64_t *over_s)
{
	struct record_payment r;
	const bool good = key.size == LEDGER_PAYMENT_KEY && record_payment_decode(value, a, &r) && r.state != PAYMENT_PENDING;

	*over_s = good ? r.completed_at_s : 0;
	return good ? (enum payment_state)r.state : PAYMENT_FAILED;
}

void send_delete_past(struct step *step, struct bytes key)
{
	effect_remove(step->out, RECORD_PAYMENT_PAST, key);
	effect_remove(step->out, RECORD_PAYMENT_INDEX, BYTES(key.data + 8, SEND_INDEX_KEY));
}
