/* Invoices being made: drafted, signed and stored. */
#include "node/deadlines.h"
#include "node/state.h"

#include <string.h>

#include "crypto/hash.h"
#include "invoice/invoice.h"

/* An invoice that waits for the store, which says whether its names are free, then for its signature. */
struct node_invoice {
	uint8_t key[8];
	uint64_t call;
	struct arena memory;
	struct command command;     /* in `memory`, like all text here */
	struct invoice_draft draft;
	struct preimage preimage;
	struct sha256 payment_hash;
	struct secret32 secret;
	uint32_t min_final_cltv;
	uint64_t created_at_s, expires_at_s;
	struct receive_claim *claim;
	enum invoice_warning warning;
	uint64_t label_ask, hash_ask; /* of the store; 0: answered, or not asked */
};

static struct bytes invoice_key(const void *p)
{
	return BYTES_OF(((const struct node_invoice *)p)->key);
}

static struct node_invoice *invoice_get(const struct node *n, uint64_t serial)
{
	uint8_t key[8];

	store_be64(key, serial);
	return table_get(&n->invoices, BYTES_OF(key));
}

static void invoice_free(struct node_invoice *i)
{
	arena_release(&i->memory);
	mem_wipe_free(i, sizeof(*i));
}

void node_invoices_init(struct node *n, const uint8_t seed16[16])
{
	table_init(&n->invoices, invoice_key, seed16);
}

void node_invoices_free(struct node *n)
{
	uint32_t at = 0;
	struct node_invoice *i;

	while ((i = table_next(&n->invoices, &at)))
		invoice_free(i);
	table_release(&n->invoices);
}

/* A label for a caller that gave none: unlike every other, and of no meaning. */
static const char *made_up_label(struct step *s, struct arena *a)
{
	uint8_t raw[4];

	drbg_fill(s->entropy, raw, sizeof(raw));
	return arena_printf(a, "invoice-%llu-%08x", (unsigned long long)s->now_ms, load_be32(raw));
}

static void copy_command(struct node_invoice *i, struct step *s, const struct command *cmd)
{
	struct command *c = &i->command;

	*c = *cmd;
	c->u.invoice.label = cmd->u.invoice.label ? arena_string(&i->memory, cmd->u.invoice.label) : made_up_label(s, &i->memory);
	c->u.invoice.description = arena_string(&i->memory, cmd->u.invoice.description);
	c->u.invoice.fallbacks = ARENA_ARRAY(&i->memory, struct bytes, cmd->u.invoice.fallback_count);
	for (uint32_t k = 0; k < cmd->u.invoice.fallback_count; k++)
		c->u.invoice.fallbacks[k] = arena_bytes(&i->memory, cmd->u.invoice.fallbacks[k]);
	c->u.invoice.exposed = arena_copy(&i->memory, cmd->u.invoice.exposed, cmd->u.invoice.exposed_count * sizeof(struct scid));
}

static struct node_invoice *invoice_make(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_invoice *i = NEW(struct node_invoice);

	arena_init(&i->memory);
	store_be64(i->key, ++n->next_serial);
	i->call = call;
	copy_command(i, s, cmd);
	if (cmd->u.invoice.has_preimage)
		i->preimage = cmd->u.invoice.preimage;
	else
		drbg_fill(s->entropy, i->preimage.v, sizeof(i->preimage.v));
	i->payment_hash = sha256(i->preimage.v, sizeof(i->preimage.v)); /* B11.tagged_fields.3 */
	drbg_fill(s->entropy, i->secret.v, sizeof(i->secret.v));
	i->min_final_cltv = cmd->u.invoice.min_final_cltv ? cmd->u.invoice.min_final_cltv : n->config->cltv_final_blocks;
	/* B2.cltv_expiry_delta.6: what leaves us less would be refused. */
	if (i->min_final_cltv < DEADLINE_TAKE_BLOCKS)
		i->min_final_cltv = DEADLINE_TAKE_BLOCKS;
	i->created_at_s = s->now_ms / 1000;
	i->expires_at_s = i->created_at_s + cmd->u.invoice.expiry_s;
	return i;
}

static const char *words_of(enum reply_code code)
{
	return code == REPLY_INVOICE_LABEL ? "an invoice with that label exists already" :
	       code == REPLY_INVOICE_PREIMAGE ? "an invoice with that preimage exists already" :
	       "there are too many unpaid invoices";
}

/* Ends one that does not come to be. */
static void refuse(struct node *n, struct step *s, struct node_invoice *i, enum reply_code code, const char *why)
{
	node_reply_error(s, i->call, COMMAND_INVOICE, code, why);
	if (i->claim)
		receive_unclaim(n->receive, i->claim);
	table_remove(&n->invoices, BYTES_OF(i->key));
	invoice_free(i);
}

/* Whether an invoice of the past has that name. */
static uint64_t ask_store(struct step *s, const struct node_invoice *i, char of, struct bytes name)
{
	struct buf prefix = BUF_EMPTY;
	struct record_range range = { .kind = RECORD_INVOICE_INDEX, .limit = 1 };
	uint64_t id = step_ask(s, OWNER_INVOICE, load_be64(i->key));

	receive_index_key(&prefix, of, name);
	range.prefix = buf_view(&prefix);
	effect_fetch_range(s->out, id, &range);
	buf_release(&prefix);
	return id;
}

static void command_invoice(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_invoice *i = invoice_make(n, s, call, cmd);
	enum reply_code code = receive_claim(n->receive, s, &i->claim, i->command.u.invoice.label, &i->payment_hash);

	if (code != REPLY_OK) {
		refuse(n, s, i, code, words_of(code));
		return;
	}
	table_add(&n->invoices, i);
	i->label_ask = ask_store(s, i, RECEIVE_INDEX_LABEL, bytes_from_string(i->command.u.invoice.label));
	/* A random one is nobody else's. */
	if (cmd->u.invoice.has_preimage)
		i->hash_ask = ask_store(s, i, RECEIVE_INDEX_HASH, BYTES_OF(i->payment_hash.v));
}

static bool draft(struct node *n, struct node_invoice *i, const struct node_hints *hints, const char **why)
{
	const struct command *cmd = &i->command;
	struct invoice v;

	invoice_init(&v, n->config->network);
	v.has_amount = !cmd->u.invoice.any_amount;
	v.amount = cmd->u.invoice.amount;
	v.timestamp_s = i->created_at_s;
	v.expiry_s = cmd->u.invoice.expiry_s;
	v.payment_hash = i->payment_hash;
	v.payment_secret = i->secret;
	/* B11.tagged_fields.5, B11.tagged_fields.6: whole in any case, and kept with the invoice where its hash stands for it. */
	v.has_description = !cmd->u.invoice.hash_description;
	v.description = bytes_from_string(cmd->u.invoice.description);
	v.description_hash = sha256(cmd->u.invoice.description, strlen(cmd->u.invoice.description));
	v.min_final_cltv = i->min_final_cltv;
	v.features = buf_view(&n->features_invoice);
	v.fallbacks = cmd->u.invoice.fallbacks;
	v.fallback_count = cmd->u.invoice.fallback_count;
	v.routes = hints->routes; /* B11.tagged_fields.12 */
	v.route_count = hints->count;
	v.payee = n->config->node_id;
	return invoice_draft(&i->memory, &i->draft, why, &v);
}

static void ask_signature(struct node *n, struct step *s, struct node_invoice *i)
{
	struct sign_request *r;
	struct node_hints hints;
	const char *why = NULL;

	if (!node_hints_choose(n, &i->command, &i->memory, &hints)) {
		refuse(n, s, i, REPLY_INVOICE_NO_HINT, "none of the channels in exposeprivatechannels can be a way to us now");
		return;
	}
	i->warning = hints.warning;
	if (!draft(n, i, &hints, &why)) {
		refuse(n, s, i, REPLY_INVALID, why);
		return;
	}
	r = step_sign_request(s, SIGN_INVOICE, 0, NULL);
	r->u.message = arena_bytes(&s->out->arena, i->draft.payload);
	effect_sign(s->out, step_ask(s, OWNER_INVOICE, load_be64(i->key)), r);
}

void node_invoice_fetched(struct node *n, struct step *s, uint64_t serial, const struct event *e)
{
	struct node_invoice *i = invoice_get(n, serial);

	if (!i)
		return;
	if (e->u.fetched.count) {
		const enum reply_code code = e->u.fetched.id == i->label_ask ? REPLY_INVOICE_LABEL : REPLY_INVOICE_PREIMAGE;

		refuse(n, s, i, code, words_of(code));
		return;
	}
	if (e->u.fetched.id == i->label_ask)
		i->label_ask = 0;
	else
		i->hash_ask = 0;
	if (!i->label_ask && !i->hash_ask)
		ask_signature(n, s, i);
}

static void stored(struct node *n, struct step *s, struct node_invoice *i, const char *bolt11)
{
	const struct receive_new_invoice v = {
		.payment_hash = i->payment_hash,
		.preimage = i->preimage,
		.secret = i->secret,
		.any_amount = i->command.u.invoice.any_amount,
		.amount = i->command.u.invoice.amount,
		.min_final_cltv = i->min_final_cltv,
		.expires_at_s = i->expires_at_s,
		.description = i->command.u.invoice.description,
		.bolt11 = bolt11,
	};
	const struct received_invoice *kept = receive_add(n->receive, s, i->claim, &v);
	struct reply *r = node_reply(s, i->call, COMMAND_INVOICE);

	i->claim = NULL;
	r->u.invoice.bolt11 = bolt11;
	r->u.invoice.payment_hash = i->payment_hash;
	r->u.invoice.payment_secret = i->secret;
	r->u.invoice.expires_at_s = i->expires_at_s;
	r->u.invoice.created_index = kept->r.created_index;
	r->u.invoice.label = arena_string(&s->out->arena, i->command.u.invoice.label);
	r->u.invoice.warning = i->warning;
}

void node_invoice_answered(struct node *n, struct step *s, uint64_t serial, const struct sign_answer *a)
{
	struct node_invoice *i = invoice_get(n, serial);
	struct buf text = BUF_EMPTY;

	if (!i)
		return;
	if (a->refused) {
		refuse(n, s, i, REPLY_FAILED, a->reason);
		return;
	}
	invoice_finish(&i->draft, a->recoverable, &text);
	buf_add_u8(&text, 0);
	stored(n, s, i, arena_string(&s->out->arena, (const char *)text.data));
	buf_release(&text);
	ASSERT(table_remove(&n->invoices, BYTES_OF(i->key)) == i);
	invoice_free(i);
}

/* --- orders about invoices --- */

static void command_wait_any(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	uint64_t deadline_ms = UINT64_MAX;

	if (cmd->u.wait_any_invoice.has_timeout)
		deadline_ms = s->now_ms + 1000ull * cmd->u.wait_any_invoice.timeout_s;
	receive_wait_any(n->receive, s, call, cmd->u.wait_any_invoice.last_paid_index, deadline_ms);
}

static void command_delete(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct receive_verdicts verdicts = { 0 };

	receive_delete(n->receive, s, call, cmd, &verdicts);
	node_receive_act(n, s, &verdicts);
}

void node_invoice_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	if (cmd->kind == COMMAND_WAIT_INVOICE)
		receive_wait(n->receive, s, call, cmd->u.wait_invoice.label);
	else if (cmd->kind == COMMAND_WAIT_ANY_INVOICE)
		command_wait_any(n, s, call, cmd);
	else if (cmd->kind == COMMAND_DELETE_INVOICE)
		command_delete(n, s, call, cmd);
	else
		command_invoice(n, s, call, cmd);
}
