/* Invoices being made: drafted, signed and stored. */
#include "node/deadlines.h"
#include "node/state.h"

#include <string.h>

#include "crypto/hash.h"
#include "invoice/invoice.h"

/* An invoice that waits for its signature. */
struct node_invoice {
	uint8_t key[8];
	uint64_t call;
	struct arena memory;
	struct invoice_draft draft; /* in `memory`, like all text here */
	struct preimage preimage;
	struct sha256 payment_hash;
	struct secret32 secret;
	bool any_amount;
	struct amount_msat amount;
	uint32_t min_final_cltv;
	uint64_t expires_at_s;
	const char *label, *description;
};

static struct bytes invoice_key(const void *p)
{
	return BYTES_OF(((const struct node_invoice *)p)->key);
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

static struct node_invoice *invoice_make(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_invoice *i = NEW(struct node_invoice);

	arena_init(&i->memory);
	store_be64(i->key, ++n->next_serial);
	i->call = call;
	if (cmd->u.invoice.has_preimage)
		i->preimage = cmd->u.invoice.preimage;
	else
		drbg_fill(s->entropy, i->preimage.v, sizeof(i->preimage.v));
	i->payment_hash = sha256(i->preimage.v, sizeof(i->preimage.v)); /* B11.tagged_fields.3 */
	drbg_fill(s->entropy, i->secret.v, sizeof(i->secret.v));
	i->any_amount = cmd->u.invoice.any_amount;
	i->amount = cmd->u.invoice.amount;
	i->min_final_cltv = cmd->u.invoice.min_final_cltv ? cmd->u.invoice.min_final_cltv : n->config->cltv_final_blocks;
	/* B2.cltv_expiry_delta.6: what leaves us less would be refused. */
	if (i->min_final_cltv < DEADLINE_TAKE_BLOCKS)
		i->min_final_cltv = DEADLINE_TAKE_BLOCKS;
	i->expires_at_s = s->now_ms / 1000 + cmd->u.invoice.expiry_s;
	i->label = arena_string(&i->memory, cmd->u.invoice.label);
	i->description = arena_string(&i->memory, cmd->u.invoice.description);
	return i;
}

static bool draft(struct node *n, struct step *s, struct node_invoice *i, const struct command *cmd, const char **why)
{
	struct invoice v;

	invoice_init(&v, n->config->network);
	v.has_amount = !i->any_amount;
	v.amount = i->amount;
	v.timestamp_s = s->now_ms / 1000;
	v.expiry_s = cmd->u.invoice.expiry_s;
	v.payment_hash = i->payment_hash;
	v.payment_secret = i->secret;
	/* B11.tagged_fields.5, B11.tagged_fields.6: whole in any case, and kept with the invoice where its hash stands for it. */
	v.has_description = !cmd->u.invoice.hash_description;
	v.description = bytes_from_string(i->description);
	v.description_hash = sha256(i->description, strlen(i->description));
	v.min_final_cltv = i->min_final_cltv;
	v.features = buf_view(&n->features_invoice);
	v.fallbacks = cmd->u.invoice.fallbacks;
	v.fallback_count = cmd->u.invoice.fallback_count;
	v.payee = n->config->node_id;
	return invoice_draft(&i->memory, &i->draft, why, &v);
}

static const char *words_of(enum reply_code code)
{
	return code == REPLY_INVOICE_LABEL ? "an invoice with that label exists already" :
	       code == REPLY_INVOICE_PREIMAGE ? "an invoice with that preimage exists already" :
	       "there are too many unpaid invoices";
}

void node_invoice_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct node_invoice *i = invoice_make(n, s, call, cmd);
	enum reply_code code = receive_check(n->receive, s, i->label, &i->payment_hash);
	struct sign_request *r;
	const char *why = NULL;

	if (code != REPLY_OK) {
		node_reply_error(s, call, cmd->kind, code, words_of(code));
		invoice_free(i);
		return;
	}
	if (!draft(n, s, i, cmd, &why)) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID, why);
		invoice_free(i);
		return;
	}
	table_add(&n->invoices, i);
	r = step_sign_request(s, SIGN_INVOICE, 0, NULL);
	r->u.message = arena_bytes(&s->out->arena, i->draft.payload);
	effect_sign(s->out, step_ask(s, OWNER_INVOICE, load_be64(i->key)), r);
}

/* Whether anybody could pay it at all over our channels. */
static bool lacks_capacity(const struct node *n, struct amount_msat amount)
{
	uint32_t at = 0;
	uint64_t sum = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		if (!c->dead && channel_state_of(c->channel) == CHANNELD_NORMAL)
			sum += channel_receivable(c->channel).v;
	return sum < amount.v || sum == 0;
}

static void stored(struct node *n, struct step *s, struct node_invoice *i, const char *bolt11)
{
	struct receive_new_invoice v = {
		.payment_hash = i->payment_hash,
		.preimage = i->preimage,
		.secret = i->secret,
		.any_amount = i->any_amount,
		.amount = i->amount,
		.min_final_cltv = i->min_final_cltv,
		.expires_at_s = i->expires_at_s,
		.label = i->label,
		.description = i->description,
		.bolt11 = bolt11,
	};
	const struct received_invoice *kept;
	enum reply_code code = receive_add(n->receive, s, &v, &kept);
	struct reply *r;

	if (code != REPLY_OK) {
		node_reply_error(s, i->call, COMMAND_INVOICE, code, words_of(code));
		return;
	}
	r = node_reply(s, i->call, COMMAND_INVOICE);
	r->u.invoice.bolt11 = bolt11;
	r->u.invoice.payment_hash = i->payment_hash;
	r->u.invoice.payment_secret = i->secret;
	r->u.invoice.expires_at_s = i->expires_at_s;
	r->u.invoice.created_index = kept->r.created_index;
	r->u.invoice.warn_capacity = lacks_capacity(n, i->amount);
}

void node_invoice_answered(struct node *n, struct step *s, uint64_t serial, const struct sign_answer *a)
{
	struct node_invoice *i;
	struct buf text = BUF_EMPTY;
	uint8_t key[8];

	store_be64(key, serial);
	i = table_remove(&n->invoices, BYTES_OF(key));
	if (!i)
		return;
	if (a->refused) {
		node_reply_error(s, i->call, COMMAND_INVOICE, REPLY_FAILED, a->reason);
	} else {
		invoice_finish(&i->draft, a->recoverable, &text);
		buf_add_u8(&text, 0);
		stored(n, s, i, arena_string(&s->out->arena, (const char *)text.data));
	}
	buf_release(&text);
	invoice_free(i);
}
