/* RECORD_ONCHAIN: written when the spend is seen, when a claim goes out, when a block shows a spend or takes it
 * back, and when the end of an HTLC is told. */
#include "onchain/state.h"

#define ONCHAIN_VERSION 1

struct onchain *onchain_alloc(const struct channel_record *r, uint32_t output_count, uint32_t offered_count)
{
	struct onchain *o = NEW(struct onchain);

	o->record = r;
	arena_init(&o->memory);
	o->count = output_count;
	o->outputs = NEW_ARRAY(struct onchain_output, output_count);
	o->claims = NEW_ARRAY(struct claim, output_count);
	o->offered_count = offered_count;
	o->offered = NEW_ARRAY(struct offered, offered_count);
	for (uint32_t i = 0; i < output_count; i++)
		arena_init(&o->claims[i].signing);
	return o;
}

void onchain_free(struct onchain *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; i < o->count; i++)
		arena_release(&o->claims[i].signing);
	arena_release(&o->memory);
	mem_free(o->outputs);
	mem_free(o->claims);
	mem_free(o->offered);
	mem_free(o);
}

/* --- writing --- */

static void add_script(struct buf *b, struct bytes script)
{
	ASSERT(script.size <= UINT16_MAX);
	buf_add_be16(b, (uint16_t)script.size);
	buf_add_bytes(b, script);
}

static void add_output(struct buf *b, const struct onchain_output *v, const struct claim *c)
{
	buf_add_be64(b, v->amount.v);
	buf_add_u8(b, (uint8_t)v->what);
	buf_add_be32(b, v->cltv_expiry);
	buf_add_be32(b, v->spent_height);
	if (v->spent_height)
		buf_add(b, v->spent_by.v, 32);
	buf_add_u8(b, (uint8_t)c->kind);
	if (!c->kind)
		return;
	buf_add_be32(b, v->spendable_height);
	buf_add(b, v->claim.v, 32);
	buf_add_be32(b, v->claim_feerate.per_kw);
	buf_add_be32(b, v->claim_height);
	buf_add_u8(b, (uint8_t)c->type);
	buf_add_be16(b, c->to_self_delay);
	buf_add(b, c->point.v, 33);
	buf_add(b, c->key.v, 33);
	buf_add_be64(b, c->number);
	add_script(b, c->witness_script);
}

static void add_offered(struct buf *b, const struct offered *h)
{
	buf_add_be64(b, h->htlc.id);
	buf_add_be64(b, h->htlc.amount.v);
	buf_add(b, h->htlc.payment_hash.v, 32);
	buf_add_be32(b, h->output);
	buf_add_u8(b, (uint8_t)h->depth);
	buf_add_u8(b, (uint8_t)h->fate);
}

void onchain_persist(const struct onchain *o, struct step *s)
{
	struct buf b = BUF_EMPTY;
	uint8_t key[8];

	buf_add_u8(&b, ONCHAIN_VERSION);
	buf_add_u8(&b, (uint8_t)o->kind);
	buf_add_be32(&b, o->height);
	buf_add(&b, o->txid.v, 32);
	add_script(&b, o->destination);
	buf_add_be16(&b, (uint16_t)o->count);
	for (uint32_t i = 0; i < o->count; i++)
		add_output(&b, &o->outputs[i], &o->claims[i]);
	buf_add_be16(&b, (uint16_t)o->offered_count);
	for (uint32_t i = 0; i < o->offered_count; i++)
		add_offered(&b, &o->offered[i]);
	channel_record_key(key, o->record->key);
	effect_persist(s->out, RECORD_ONCHAIN, BYTES_OF(key), buf_view(&b));
	buf_release(&b);
}

/* --- reading: what is out of range fails the cursor, and then the whole record --- */

static uint32_t in_range(struct cursor *c, uint32_t v, uint32_t low, uint32_t high)
{
	if (v < low || v > high)
		cursor_fail(c);
	return cursor_ok(c) ? v : low;
}

static struct bytes read_script(struct onchain *o, struct cursor *c)
{
	return arena_bytes(&o->memory, cursor_bytes(c, cursor_be16(c)));
}

static bool is_own_kind(uint8_t kind)
{
	return kind == SWEEP_DELAYED || kind == SWEEP_TO_REMOTE_STATIC || kind == SWEEP_TO_REMOTE_ANCHORS;
}

static void read_claim(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct onchain_output *v = &o->outputs[i];
	struct claim *k = &o->claims[i];

	v->spendable_height = cursor_be32(c);
	cursor_copy(c, v->claim.v, 32);
	v->claim_feerate = FEERATE(cursor_be32(c));
	v->claim_height = cursor_be32(c);
	k->type = (enum commitment_type)in_range(c, cursor_u8(c), COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_ANCHORS);
	k->to_self_delay = cursor_be16(c);
	cursor_copy(c, k->point.v, 33);
	cursor_copy(c, k->key.v, 33);
	k->number = cursor_be64(c);
	k->witness_script = read_script(o, c);
}

static void read_output(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct onchain_output *v = &o->outputs[i];
	uint8_t kind;

	v->outpoint = (struct outpoint){ o->txid, i };
	v->amount = SAT(cursor_be64(c));
	v->what = (enum onchain_what)in_range(c, cursor_u8(c), ONCHAIN_OTHER, ONCHAIN_HTLC_THEIRS);
	v->cltv_expiry = cursor_be32(c);
	v->spent_height = cursor_be32(c);
	if (v->spent_height) {
		in_range(c, v->spent_height, o->height, UINT32_MAX);
		cursor_copy(c, v->spent_by.v, 32);
	}
	kind = cursor_u8(c);
	if (!kind)
		return;
	if (!is_own_kind(kind) || v->what != ONCHAIN_TO_US)
		cursor_fail(c);
	v->ours = true;
	o->claims[i].kind = (enum sweep_kind)kind;
	read_claim(o, i, c);
}

static void read_offered(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct offered *h = &o->offered[i];

	h->htlc.id = cursor_be64(c);
	h->htlc.amount = MSAT(cursor_be64(c));
	cursor_copy(c, h->htlc.payment_hash.v, 32);
	h->output = cursor_be32(c);
	if (h->output < o->count ? o->outputs[h->output].what != ONCHAIN_HTLC_OURS :
				   h->output != NOWHERE && h->output != BY_AMOUNT)
		cursor_fail(c);
	h->depth = cursor_u8(c);
	h->fate = (enum htlc_fate)in_range(c, cursor_u8(c), FATE_OPEN, FATE_GONE);
}

static bool read_body(struct onchain *o, struct cursor *c, uint32_t output_count)
{
	uint32_t offered_count;

	for (uint32_t i = 0; i < output_count && cursor_ok(c); i++)
		read_output(o, i, c);
	offered_count = cursor_be16(c);
	if (!cursor_ok(c))
		return false;
	mem_free(o->offered);
	o->offered = NEW_ARRAY(struct offered, offered_count);
	o->offered_count = offered_count;
	for (uint32_t i = 0; i < offered_count; i++)
		read_offered(o, i, c);
	return cursor_done(c);
}

struct onchain *onchain_load(const struct channel_record *r, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint32_t version = cursor_u8(&c), kind, height, count;
	struct txid txid;
	struct bytes destination;
	struct onchain *o;

	kind = in_range(&c, cursor_u8(&c), ONCHAIN_MUTUAL_CLOSE, ONCHAIN_UNKNOWN);
	height = cursor_be32(&c);
	cursor_copy(&c, txid.v, 32);
	destination = cursor_bytes(&c, cursor_be16(&c));
	count = in_range(&c, cursor_be16(&c), 0, ONCHAIN_OUTPUTS_MAX);
	if (!cursor_ok(&c) || version != ONCHAIN_VERSION)
		return NULL;
	o = onchain_alloc(r, count, 0);
	o->kind = (enum onchain_spend)kind;
	o->height = height;
	o->txid = txid;
	o->destination = arena_bytes(&o->memory, destination);
	if (read_body(o, &c, count))
		return o;
	onchain_free(o);
	return NULL;
}
