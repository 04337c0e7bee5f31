/* Orders about a payment hash wait here until the store has said what is known of it.
 *
 * What is over is in no memory (payment/send.h).  All orders about one hash that come meanwhile stand in one line: so none
 * of them acts on an answer that is older than what another has done.  The line is gone once they have been obeyed. */
#include "node/state.h"

#include <string.h>

struct recall_order {
	struct recall_order *next;
	uint64_t call;
	struct command command; /* in the recall's memory */
};

struct node_recall {
	uint8_t key[SEND_INDEX_KEY]; /* payment hash, group; 0: the latest */
	uint8_t serial_key[8];
	bool indexed;                /* the index has answered: the record is asked for */
	bool missed;                 /* there was no record of ... */
	uint8_t number[8];           /* ... the number that the index gave last */
	struct arena memory;
	struct recall_order *first, **last;
};

static struct bytes recall_key(const void *p)
{
	return BYTES_OF(((const struct node_recall *)p)->key);
}

static struct bytes serial_key(const void *p)
{
	return BYTES_OF(((const struct node_recall *)p)->serial_key);
}

void node_recalls_init(struct node *n, const uint8_t seed16[16])
{
	table_init(&n->recalls, recall_key, seed16);
	table_init(&n->recalls_by_serial, serial_key, seed16);
}

/* The orders name payment secrets (COMMAND_SENDPAY). */
static void recall_free(struct node_recall *r)
{
	arena_wipe(&r->memory);
	arena_release(&r->memory);
	mem_wipe_free(r, sizeof(*r));
}

void node_recalls_free(struct node *n)
{
	struct node_recall *r;
	uint32_t at = 0;

	while ((r = table_next(&n->recalls, &at)))
		recall_free(r);
	table_release(&n->recalls);
	table_release(&n->recalls_by_serial);
}

static const char *copy_text(struct arena *a, const char *text)
{
	return text ? arena_string(a, text) : NULL;
}

static const char *const *copy_texts(struct arena *a, const char *const *texts, uint32_t count)
{
	const char **out = ARENA_ARRAY(a, const char *, count);

	for (uint32_t i = 0; i < count; i++)
		out[i] = arena_string(a, texts[i]);
	return out;
}

/* Of the kinds that come here. */
static void copy_command(struct arena *a, struct command *out, const struct command *cmd)
{
	*out = *cmd;
	if (cmd->kind == COMMAND_PAY) {
		out->u.pay.bolt11 = copy_text(a, cmd->u.pay.bolt11);
		out->u.pay.label = copy_text(a, cmd->u.pay.label);
		out->u.pay.description = copy_text(a, cmd->u.pay.description);
		out->u.pay.exclude = arena_copy(a, cmd->u.pay.exclude, cmd->u.pay.exclude_count * sizeof(*cmd->u.pay.exclude));
		out->u.pay.layers = copy_texts(a, cmd->u.pay.layers, cmd->u.pay.layer_count);
	}
	if (cmd->kind == COMMAND_SENDPAY) {
		out->u.sendpay.hops = arena_copy(a, cmd->u.sendpay.hops, cmd->u.sendpay.hop_count * sizeof(*cmd->u.sendpay.hops));
		out->u.sendpay.metadata = arena_bytes(a, cmd->u.sendpay.metadata);
		out->u.sendpay.label = copy_text(a, cmd->u.sendpay.label);
		out->u.sendpay.bolt11 = copy_text(a, cmd->u.sendpay.bolt11);
	}
}

static void ask(struct step *s, const struct node_recall *r, const struct record_range *range)
{
	effect_fetch_range(s->out, step_ask(s, OWNER_RECALL, load_be64(r->serial_key)), range);
}

static void ask_index(struct step *s, const struct node_recall *r)
{
	const bool latest = load_be64(r->key + 32) == 0;

	ask(s, r, &(struct record_range){ .kind = RECORD_PAYMENT_INDEX, .prefix = BYTES(r->key, latest ? 32 : SEND_INDEX_KEY),
					  .limit = 1, .reverse = true });
}

static struct node_recall *begin(struct node *n, struct step *s, const uint8_t key[SEND_INDEX_KEY])
{
	struct node_recall *r = NEW(struct node_recall);

	memcpy(r->key, key, sizeof(r->key));
	store_be64(r->serial_key, ++n->next_serial);
	arena_init(&r->memory);
	r->last = &r->first;
	table_add(&n->recalls, r);
	table_add(&n->recalls_by_serial, r);
	ask_index(s, r);
	return r;
}

bool node_recall(struct node *n, struct step *s, const struct sha256 *payment_hash, uint64_t group, uint64_t call,
		 const struct command *cmd)
{
	uint8_t key[SEND_INDEX_KEY];
	struct node_recall *r;
	struct recall_order *o;

	send_index_key(key, payment_hash, group);
	if (send_knows(n->send, payment_hash, group) || (n->recalled && memcmp(n->recalled->key, key, sizeof(key)) == 0))
		return false;
	r = table_get(&n->recalls, BYTES_OF(key));
	if (!r)
		r = begin(n, s, key);
	o = ARENA_NEW(&r->memory, struct recall_order);
	o->call = call;
	copy_command(&r->memory, &o->command, cmd);
	*r->last = o;
	r->last = &o->next;
	return true;
}

/* readable: what the store has of the hash, or that it has nothing, is known. */
static void obey(struct node *n, struct step *s, struct node_recall *r, bool readable)
{
	ASSERT(table_remove(&n->recalls, recall_key(r)) == r);
	ASSERT(table_remove(&n->recalls_by_serial, serial_key(r)) == r);
	n->recalled = r;
	for (struct recall_order *o = r->first; o; o = o->next) {
		if (readable)
			node_payment_command(n, s, o->call, &o->command);
		else
			node_reply_error(s, o->call, o->command.kind, REPLY_FAILED,
					 "the index of payments names one of that hash, and its record is damaged or missing: whether it "
					 "was paid is not known, so nothing is done");
	}
	n->recalled = NULL;
	recall_free(r);
}

/* The index says again what there was no record of. */
static bool is_missing(const struct node_recall *r, struct bytes number)
{
	return r->missed && memcmp(r->number, number.data, sizeof(r->number)) == 0;
}

void node_recall_fetched(struct node *n, struct step *s, uint64_t serial, const struct event *e)
{
	uint8_t key[8];
	struct node_recall *r;
	const struct fetched *found = e->u.fetched.count ? e->u.fetched.records : NULL;
	bool readable;

	store_be64(key, serial);
	r = table_get(&n->recalls_by_serial, BYTES_OF(key));
	if (!r)
		return;
	if (found && !r->indexed && found->value.size == sizeof(r->number) && !is_missing(r, found->value)) {
		r->indexed = true;
		memcpy(r->number, found->value.data, sizeof(r->number));
		ask(s, r, &(struct record_range){ .kind = RECORD_PAYMENT_PAST, .prefix = found->value, .limit = 1 });
		return;
	}
	/* Deleted since the index answered (delpay, autoclean)?  Then its entry there is gone too. */
	if (!found && r->indexed) {
		r->indexed = false;
		r->missed = true;
		ask_index(s, r);
		return;
	}
	if (found)
		readable = r->indexed && send_recall(n->send, found->key, found->value, load_be64(r->key + 32) == 0);
	else
		readable = true;
	if (!readable)
		log_write(s->log, LOG_ERROR, "payment", "a stored payment of the past is damaged or missing");
	obey(n, s, r, readable); /* INV-S2 */
}
