#include "runtime/signer/delayed.h"

#include "crypto/cipher.h"

struct late {
	struct late *next;
	uint32_t ticks; /* still to wait */
	uint64_t id;
	signer_done *done;
	void *owner;
	struct sign_answer answer; /* owns its signatures and its reason */
};

struct delayed_signer {
	struct signer_port inner;
	uint32_t ticks_max;
	struct drbg drbg;
	bool away;
	struct late *waiting, *due; /* due: those of the tick under way */
	uint32_t count;             /* of waiting */
};

/* The request that inner is answering. */
struct asked {
	struct delayed_signer *signer;
	signer_done *done;
	void *owner;
};

struct delayed_signer *delayed_signer_new(struct signer_port inner, uint32_t ticks_max, const uint8_t seed32[32])
{
	struct delayed_signer *d = NEW(struct delayed_signer);

	d->inner = inner;
	d->ticks_max = ticks_max;
	drbg_init(&d->drbg, seed32);
	return d;
}

static void free_late(struct late *l)
{
	char *reason = (char *)(uintptr_t)l->answer.reason;

	mem_free(l->answer.signatures);
	mem_free(reason);
	mem_wipe_free(l, sizeof(*l));
}

static void drop_list(struct late **list)
{
	while (*list) {
		struct late *l = *list;

		*list = l->next;
		free_late(l);
	}
}

void delayed_signer_drop(struct delayed_signer *d)
{
	drop_list(&d->waiting);
	drop_list(&d->due);
	d->count = 0;
}

void delayed_signer_free(struct delayed_signer *d)
{
	if (!d)
		return;
	delayed_signer_drop(d);
	mem_free(d);
}

void delayed_signer_set_away(struct delayed_signer *d, bool away)
{
	d->away = away;
}

uint32_t delayed_signer_waiting(const struct delayed_signer *d)
{
	return d->count;
}

static uint32_t draw(struct delayed_signer *d, uint32_t below)
{
	uint64_t r;

	drbg_fill(&d->drbg, &r, sizeof(r));
	return (uint32_t)(r % below);
}

static void copy_answer(struct sign_answer *out, const struct sign_answer *in)
{
	*out = *in;
	out->signatures = NULL;
	out->reason = NULL;
	if (in->signature_count) {
		out->signatures = NEW_ARRAY(struct sig64, in->signature_count);
		memcpy(out->signatures, in->signatures, in->signature_count * sizeof(in->signatures[0]));
	}
	if (in->reason) {
		size_t size = strlen(in->reason) + 1;
		char *reason = mem_alloc(size);

		memcpy(reason, in->reason, size);
		out->reason = reason;
	}
}

/* A place in the list drawn at random, so that answers of one tick come in any order. */
static struct late **any_place(struct delayed_signer *d)
{
	struct late **place = &d->waiting;

	for (uint32_t skip = draw(d, d->count + 1); skip > 0; skip--)
		place = &(*place)->next;
	return place;
}

static void keep(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct asked *a = owner;
	struct delayed_signer *d = a->signer;
	struct late *l = NEW(struct late), **place = any_place(d);

	l->ticks = draw(d, d->ticks_max + 1);
	l->id = id;
	l->done = a->done;
	l->owner = a->owner;
	copy_answer(&l->answer, answer);
	l->next = *place;
	*place = l;
	d->count++;
	mem_free(a);
}

static void delayed_request(void *context, const struct sign_request *request, signer_done *done, void *owner,
			    uint64_t id)
{
	struct delayed_signer *d = context;
	struct asked *a = NEW(struct asked);

	*a = (struct asked){ d, done, owner };
	d->inner.request(d->inner.context, request, keep, a, id);
}

struct signer_port delayed_signer_port(struct delayed_signer *d)
{
	return (struct signer_port){ d, delayed_request, NULL, false };
}

/* Takes those that are due out of the list, in its order. */
static void take_due(struct delayed_signer *d)
{
	struct late **tail = &d->due, **place = &d->waiting;

	while (*tail)
		tail = &(*tail)->next;
	while (*place) {
		struct late *l = *place;

		if (l->ticks > 0) {
			l->ticks--;
			place = &l->next;
			continue;
		}
		*place = l->next;
		l->next = NULL;
		*tail = l;
		tail = &l->next;
		d->count--;
	}
}

uint32_t delayed_signer_tick(struct delayed_signer *d)
{
	uint32_t count = 0;

	if (d->away)
		return 0;
	take_due(d);
	/* What `done` asks anew waits for a later tick; it may also drop the rest. */
	while (d->due) {
		struct late *l = d->due;

		d->due = l->next;
		l->done(l->owner, l->id, &l->answer);
		free_late(l);
		count++;
	}
	return count;
}
