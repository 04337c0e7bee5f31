/* delpay: payments that are over are in no memory, so the store is asked which there are of a hash, then for each. */
#include "node/state.h"

/* Orders at a time. */
#define DELETIONS_MAX 16u

struct node_deletion {
	struct node_deletion *next;
	uint64_t call;
	struct payment_deletion what;
	struct arena memory;
	bool indexed;              /* the index has answered */
	uint8_t (*numbers)[8];     /* created indexes of the payments of that hash */
	uint32_t count, at;
	struct deleted_payment *gone;
	uint32_t gone_count;
};

static void deletion_free(struct node_deletion *d)
{
	arena_wipe(&d->memory);
	arena_release(&d->memory);
	mem_wipe_free(d, sizeof(*d));
}

void node_deletions_free(struct node *n)
{
	while (n->deletions) {
		struct node_deletion *next = n->deletions->next;

		deletion_free(n->deletions);
		n->deletions = next;
	}
}

static void ask(struct step *s, const struct node_deletion *d, const struct record_range *range)
{
	effect_fetch_range(s->out, step_ask(s, OWNER_DELPAY, d->call), range);
}

/* Why the order is none, or NULL. */
static const char *refusal(const struct node *n, const struct payment_deletion *what, enum reply_code *code)
{
	uint32_t count = 0;

	*code = REPLY_INVALID;
	if (what->has_part && !what->has_group)
		return "a part is one of a group: give both";
	for (const struct node_deletion *d = n->deletions; d; d = d->next)
		count++;
	*code = REPLY_FAILED;
	return count >= DELETIONS_MAX ? "too many payments are being forgotten: try again" : NULL;
}

void node_del_pay(struct node *n, struct step *s, uint64_t call, const struct payment_deletion *what)
{
	uint8_t key[SEND_INDEX_KEY];
	enum reply_code code;
	const char *why = refusal(n, what, &code);
	struct node_deletion *d;

	if (why) {
		node_reply_error(s, call, COMMAND_DELPAY, code, why);
		return;
	}
	d = NEW(struct node_deletion);
	arena_init(&d->memory);
	d->call = call;
	d->what = *what;
	d->next = n->deletions;
	n->deletions = d;
	send_index_key(key, &what->payment_hash, what->group);
	ask(s, d, &(struct record_range){ .kind = RECORD_PAYMENT_INDEX, .prefix = BYTES(key, what->has_group ? SEND_INDEX_KEY : 32) });
}

static void take_index(struct node_deletion *d, const struct event *e)
{
	const uint32_t count = e->u.fetched.count;

	d->indexed = true;
	d->numbers = arena_array(&d->memory, count, sizeof(*d->numbers));
	d->gone = ARENA_ARRAY(&d->memory, struct deleted_payment, count);
	for (uint32_t i = 0; i < count; i++)
		if (e->u.fetched.records[i].value.size == sizeof(*d->numbers))
			memcpy(d->numbers[d->count++], e->u.fetched.records[i].value.data, sizeof(*d->numbers));
}

static void take_payment(struct step *s, struct node_deletion *d, const struct event *e)
{
	for (uint32_t i = 0; i < e->u.fetched.count; i++) {
		const struct fetched *f = &e->u.fetched.records[i];

		d->gone_count += send_delete(s, &d->memory, f->key, f->value, &d->what, &d->gone[d->gone_count]);
	}
}

static void finish(struct node *n, struct step *s, struct node_deletion *d)
{
	const bool known = d->count || send_by_hash(n->send, &d->what.payment_hash);
	struct node_deletion **at = &n->deletions;
	struct reply *reply;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	if (d->gone_count) {
		reply = node_reply(s, d->call, COMMAND_DELPAY);
		reply->u.delpay.payment_hash = d->what.payment_hash;
		reply->u.delpay.payments = d->gone;
		reply->u.delpay.count = d->gone_count;
		send_copy_deleted(&s->out->arena, reply);
	} else if (known) {
		node_reply_error(s, d->call, COMMAND_DELPAY, REPLY_PAY_STATUS,
				 "no such payment has ended so, or a part of it is still in flight");
	} else {
		node_reply_error(s, d->call, COMMAND_DELPAY, REPLY_PAY_UNKNOWN, "there is no such payment");
	}
	deletion_free(d);
}

void node_deletion_fetched(struct node *n, struct step *s, uint64_t call, const struct event *e)
{
	struct node_deletion *d = n->deletions;

	while (d && d->call != call)
		d = d->next;
	if (!d)
		return;
	if (!d->indexed)
		take_index(d, e);
	else
		take_payment(s, d, e);
	if (d->at == d->count) {
		finish(n, s, d);
		return;
	}
	ask(s, d, &(struct record_range){ .kind = RECORD_PAYMENT_PAST, .prefix = BYTES_OF(d->numbers[d->at]), .limit = 1 });
	d->at++;
}
