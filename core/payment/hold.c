#include "payment/hold.h"

#include <string.h>

#include "wire/message.h"

static struct bytes hold_key(const void *p)
{
	return BYTES_OF(((const struct hold *)p)->key);
}

static void name_key(uint8_t out33[33], const struct hold_name *name)
{
	memset(out33, 0, 33);
	out33[0] = (uint8_t)name->kind;
	switch (name->kind) {
	case HOLD_FORWARD:
		store_be64(out33 + 1, name->channel_key);
		store_be64(out33 + 9, name->htlc_id);
		return;
	case HOLD_INVOICE:
		memcpy(out33 + 1, name->payment_hash.v, 32);
		return;
	}
	UNREACHABLE();
}

void holds_init(struct holds *h, const uint8_t seed16[16])
{
	table_init(&h->table, hold_key, seed16);
}

void holds_release(struct holds *h)
{
	uint32_t at = 0;
	struct hold *p;

	while ((p = table_next(&h->table, &at)))
		mem_free(p);
	table_release(&h->table);
}

const struct hold *hold_get(const struct holds *h, const struct hold_name *name)
{
	uint8_t key[33];

	name_key(key, name);
	return table_get(&h->table, BYTES_OF(key));
}

void hold_over(struct holds *h, const struct hold_name *name)
{
	uint8_t key[33];

	name_key(key, name);
	mem_free(table_remove(&h->table, BYTES_OF(key)));
}

void hold_add(struct holds *h, struct step *s, const struct held_thing *what)
{
	struct hold *p = NEW(struct hold);
	struct held_thing *told = ARENA_NEW(&s->out->arena, struct held_thing);
	struct effect *f;

	hold_over(h, &what->name);
	name_key(p->key, &what->name);
	p->what = *what;
	table_add(&h->table, p);
	*told = *what;
	f = effect_add(s->out, EFFECT_NOTIFY);
	f->u.notify.kind = NOTIFY_HELD;
	f->u.notify.payment_hash = what->payment_hash;
	f->u.notify.amount = what->in_amount;
	f->u.notify.held = told;
}

const struct hold *hold_due(const struct holds *h, uint32_t height, uint64_t now_ms)
{
	uint32_t at = 0;
	const struct hold *p;

	while ((p = table_next(&h->table, &at)))
		if (height >= p->what.deadline_height || now_ms >= p->what.deadline_ms)
			return p;
	return NULL;
}

uint64_t holds_deadline(const struct holds *h)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;
	const struct hold *p;

	while ((p = table_next(&h->table, &at)))
		if (p->what.deadline_ms < first)
			first = p->what.deadline_ms;
	return first;
}

bool hold_code_fits(enum hold_kind kind, uint16_t code)
{
	switch (code) {
	case FAIL_TEMPORARY_NODE_FAILURE:
	case FAIL_PERMANENT_NODE_FAILURE:
	case FAIL_REQUIRED_NODE_FEATURE_MISSING:
		return true;
	case FAIL_TEMPORARY_CHANNEL_FAILURE:
	case FAIL_PERMANENT_CHANNEL_FAILURE:
	case FAIL_REQUIRED_CHANNEL_FEATURE_MISSING:
	case FAIL_UNKNOWN_NEXT_PEER:
		return kind == HOLD_FORWARD;
	case FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS:
	case FAIL_MPP_TIMEOUT:
		return kind == HOLD_INVOICE;
	default: /* a number of somebody outside */
		return false;
	}
}
