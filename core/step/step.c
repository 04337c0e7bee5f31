#include "step/step.h"

struct ask {
	uint8_t key[8];
	enum owner_kind kind;
	uint64_t owner;
};

static struct bytes ask_key(const void *p)
{
	return BYTES_OF(((const struct ask *)p)->key);
}

void step_asked_init(struct table *asked, const uint8_t seed16[16])
{
	table_init(asked, ask_key, seed16);
}

void step_asked_release(struct table *asked)
{
	uint32_t at = 0;
	struct ask *a;

	while ((a = table_next(asked, &at)))
		mem_free(a);
	table_release(asked);
}

uint64_t step_ask(struct step *s, enum owner_kind kind, uint64_t owner)
{
	struct ask *a = NEW(struct ask);
	uint64_t id = ++*s->next_ask;

	store_be64(a->key, id);
	a->kind = kind;
	a->owner = owner;
	table_add(s->asked, a);
	return id;
}

bool step_take(struct step *s, uint64_t id, enum owner_kind *kind, uint64_t *owner)
{
	uint8_t key[8];
	struct ask *a;

	store_be64(key, id);
	a = table_remove(s->asked, BYTES_OF(key));
	if (!a)
		return false;
	*kind = a->kind;
	*owner = a->owner;
	mem_free(a);
	return true;
}

uint64_t step_reservation(struct step *s)
{
	ASSERT(s->next_reservation && *s->next_reservation < RESERVATION_CLAIM - 1);
	return RESERVATION_CLAIM | ++*s->next_reservation;
}

struct sign_request *step_sign_request(struct step *s, enum sign_kind kind, uint64_t channel_key, const struct pubkey *peer)
{
	struct sign_request *r = ARENA_NEW(&s->out->arena, struct sign_request);

	r->kind = kind;
	r->channel_key = channel_key;
	if (peer)
		r->peer = *peer;
	return r;
}

struct funds_request *step_funds_request(struct step *s, enum funds_kind kind)
{
	struct funds_request *r = ARENA_NEW(&s->out->arena, struct funds_request);

	r->kind = kind;
	return r;
}
