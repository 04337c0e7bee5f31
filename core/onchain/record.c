/* RECORD_ONCHAIN: written in the batch in which the spend is seen, a claim goes out, a block shows a spend or takes it
 * back, or the end of an HTLC is told; once a batch, for hundreds of claims may go out in one. */
#include "onchain/state.h"

#define ONCHAIN_VERSION 2

/* Flags of an output. */
#define FLAG_PREIMAGE 1u
#define FLAG_COMMITTED 2u
#define FLAG_SPENT_BY_US 4u

struct onchain *onchain_alloc(const struct channel_record *r)
{
	struct onchain *o = NEW(struct onchain);

	o->record = r;
	o->past_known = true;
	o->terms.type = r->type;
	arena_init(&o->memory);
	return o;
}

void onchain_free(struct onchain *o)
{
	if (!o)
		return;
	while (o->claims) {
		struct claim *c = o->claims;

		o->claims = c->next;
		onchain_claim_free(c);
	}
	arena_release(&o->memory);
	mem_free(o->outputs);
	mem_free(o->ways);
	mem_free(o->offered);
	mem_wipe_free(o, sizeof(*o));
}

uint32_t onchain_append(struct onchain *o, const struct outpoint *p, struct amount_sat amount, uint32_t height)
{
	uint32_t i = o->count++;

	ASSERT(o->count <= OUTPUTS_MAX);
	if (o->count > o->capacity) {
		o->capacity = o->capacity ? 2 * o->capacity : 8;
		o->outputs = mem_realloc(o->outputs, o->capacity, sizeof(*o->outputs));
		o->ways = mem_realloc(o->ways, o->capacity, sizeof(*o->ways));
	}
	o->outputs[i] = (struct onchain_output){ .outpoint = *p, .amount = amount, .height = height, .htlc_id = ONCHAIN_NO_HTLC };
	o->ways[i] = (struct way){ .kind = WAY_NONE };
	return i;
}

/* --- writing --- */

static void add_script(struct buf *b, struct bytes script)
{
	ASSERT(script.size <= UINT16_MAX);
	buf_add_be16(b, (uint16_t)script.size);
	buf_add_bytes(b, script);
}

static void add_terms(struct buf *b, const struct terms *t)
{
	buf_add_u8(b, (uint8_t)t->type);
	buf_add_be16(b, t->to_self_delay);
	buf_add(b, t->point.v, 33);
	buf_add_be64(b, t->number);
	buf_add(b, t->delayed.v, 33);
	buf_add(b, t->htlc.v, 33);
	buf_add(b, t->revocation.v, 33);
	buf_add_u8(b, t->revoked);
	if (t->revoked)
		buf_add(b, t->secret.v, 32);
	add_script(b, t->stage_script);
}

static void add_way(struct buf *b, const struct onchain *o, const struct onchain_output *v, const struct way *w)
{
	bool htlc = v->what == ONCHAIN_HTLC_OURS || v->what == ONCHAIN_HTLC_THEIRS;

	buf_add_u8(b, (uint8_t)w->kind);
	buf_add_u8(b, (uint8_t)((w->has_preimage ? FLAG_PREIMAGE : 0) | (w->committed ? FLAG_COMMITTED : 0) |
				(v->spent_by_us ? FLAG_SPENT_BY_US : 0)));
	buf_add_be32(b, v->spendable_height);
	buf_add_be32(b, v->deadline);
	buf_add_be32(b, w->start);
	buf_add_be32(b, w->floor.per_kw);
	add_script(b, w->witness_script);
	if (htlc)
		buf_add(b, w->payment_hash.v, 32);
	if (w->has_preimage)
		buf_add(b, w->preimage.v, 32);
	if (htlc && o->kind == ONCHAIN_OUR_COMMITMENT)
		buf_add(b, w->countersignature.v, 64);
}

static void add_output(struct buf *b, const struct onchain *o, uint32_t i)
{
	const struct onchain_output *v = &o->outputs[i];

	if (i >= o->base_count) {
		buf_add(b, v->outpoint.txid.v, 32);
		buf_add_be32(b, v->outpoint.index);
		buf_add_be32(b, v->height);
	}
	buf_add_be64(b, v->amount.v);
	buf_add_u8(b, (uint8_t)v->what);
	buf_add_be64(b, v->htlc_id);
	buf_add_be32(b, v->cltv_expiry);
	buf_add_be32(b, v->spent_height);
	if (v->spent_height)
		buf_add(b, v->spent_by.v, 32);
	add_way(b, o, v, &o->ways[i]);
}

/* Only what is out: what is being made is made anew. */
static void add_claim(struct buf *b, const struct claim *c)
{
	buf_add_be16(b, (uint16_t)c->count);
	for (uint32_t i = 0; i < c->count; i++)
		buf_add_be16(b, (uint16_t)c->outputs[i]);
	buf_add(b, c->txid.v, 32);
	buf_add_be32(b, c->feerate.per_kw);
	buf_add_be64(b, c->fee.v);
	buf_add_be32(b, c->height);
	buf_add_be64(b, c->reservation);
}

static void add_claims(struct buf *b, const struct onchain *o)
{
	uint16_t count = 0;

	for (const struct claim *c = o->claims; c; c = c->next)
		count += c->out;
	buf_add_be16(b, count);
	for (const struct claim *c = o->claims; c; c = c->next)
		if (c->out)
			add_claim(b, c);
}

static void add_offered(struct buf *b, const struct offered *h)
{
	buf_add_be64(b, h->htlc.id);
	buf_add_be64(b, h->htlc.amount.v);
	buf_add(b, h->htlc.payment_hash.v, 32);
	buf_add_be32(b, h->htlc.upstream_expiry);
	buf_add_be32(b, h->output);
	buf_add_u8(b, (uint8_t)h->depth);
	buf_add_u8(b, (uint8_t)h->fate);
}

void onchain_persist(struct onchain *o, struct step *s)
{
	(void)s;
	o->changed = true;
}

void onchain_flush(struct onchain *o, struct step *s)
{
	struct buf b = BUF_EMPTY;
	uint8_t key[8];

	if (!o->changed)
		return;
	o->changed = false;
	buf_add_u8(&b, ONCHAIN_VERSION);
	buf_add_u8(&b, (uint8_t)o->kind);
	buf_add_be32(&b, o->height);
	buf_add(&b, o->txid.v, 32);
	add_script(&b, o->destination);
	add_terms(&b, &o->terms);
	buf_add_u8(&b, o->past_known);
	buf_add_be16(&b, (uint16_t)o->base_count);
	buf_add_be16(&b, (uint16_t)o->count);
	for (uint32_t i = 0; i < o->count; i++)
		add_output(&b, o, i);
	add_claims(&b, o);
	buf_add_be16(&b, (uint16_t)o->offered_count);
	for (uint32_t i = 0; i < o->offered_count; i++)
		add_offered(&b, &o->offered[i]);
	channel_record_key(key, o->record->key);
	effect_persist(s->out, RECORD_ONCHAIN, BYTES_OF(key), buf_view(&b));
	buf_wipe(&b);
}

/* --- reading --- */

uint32_t onchain_in_range(struct cursor *c, uint32_t v, uint32_t low, uint32_t high)
{
	if (v < low || v > high)
		cursor_fail(c);
	return cursor_ok(c) ? v : low;
}

static struct bytes read_script(struct onchain *o, struct cursor *c)
{
	return arena_bytes(&o->memory, cursor_bytes(c, cursor_be16(c)));
}

static void read_terms(struct onchain *o, struct cursor *c)
{
	struct terms *t = &o->terms;

	t->type = (enum commitment_type)onchain_in_range(c, cursor_u8(c), COMMITMENT_STATIC_REMOTEKEY, COMMITMENT_ANCHORS);
	t->to_self_delay = cursor_be16(c);
	cursor_copy(c, t->point.v, 33);
	t->number = cursor_be64(c);
	cursor_copy(c, t->delayed.v, 33);
	cursor_copy(c, t->htlc.v, 33);
	cursor_copy(c, t->revocation.v, 33);
	t->revoked = onchain_in_range(c, cursor_u8(c), 0, 1);
	if (t->revoked)
		cursor_copy(c, t->secret.v, 32);
	t->stage_script = read_script(o, c);
}

/* What may be spent how: a record that says otherwise would have us sign nonsense. */
static bool way_fits(const struct onchain *o, enum onchain_what what, enum way_kind kind)
{
	bool ours = o->kind == ONCHAIN_OUR_COMMITMENT;

	switch (kind) {
	case WAY_NONE:
		return true;
	case WAY_DELAYED:
		return ours && (what == ONCHAIN_TO_US || what == ONCHAIN_STAGE_OURS);
	case WAY_TO_REMOTE_STATIC:
	case WAY_TO_REMOTE_ANCHORS:
		return !ours && what == ONCHAIN_TO_US;
	case WAY_PREIMAGE:
		return !ours && what == ONCHAIN_HTLC_THEIRS;
	case WAY_TIMEOUT:
		return !ours && what == ONCHAIN_HTLC_OURS;
	case WAY_HTLC_TIMEOUT:
		return ours && what == ONCHAIN_HTLC_OURS;
	case WAY_HTLC_SUCCESS:
		return ours && what == ONCHAIN_HTLC_THEIRS;
	case WAY_REVOKED_DELAYED:
		return o->terms.revoked && (what == ONCHAIN_TO_THEM || what == ONCHAIN_STAGE_THEIRS);
	case WAY_REVOKED_HTLC:
		return o->terms.revoked && (what == ONCHAIN_HTLC_OURS || what == ONCHAIN_HTLC_THEIRS);
	}
	return false;
}

static void read_way(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct onchain_output *v = &o->outputs[i];
	struct way *w = &o->ways[i];
	bool htlc = v->what == ONCHAIN_HTLC_OURS || v->what == ONCHAIN_HTLC_THEIRS;
	uint8_t kind = cursor_u8(c), flags = cursor_u8(c);

	v->spendable_height = cursor_be32(c);
	v->deadline = cursor_be32(c);
	w->start = cursor_be32(c);
	w->floor = FEERATE(cursor_be32(c));
	w->witness_script = read_script(o, c);
	if (htlc)
		cursor_copy(c, w->payment_hash.v, 32);
	w->has_preimage = flags & FLAG_PREIMAGE;
	w->committed = flags & FLAG_COMMITTED;
	v->spent_by_us = flags & FLAG_SPENT_BY_US;
	if (w->has_preimage)
		cursor_copy(c, w->preimage.v, 32);
	if (htlc && o->kind == ONCHAIN_OUR_COMMITMENT)
		cursor_copy(c, w->countersignature.v, 64);
	if (flags > 7 || w->floor.per_kw > UINT32_MAX / 2 || !way_fits(o, v->what, (enum way_kind)kind) || (v->spent_by_us && !v->spent_height) ||
	    ((kind == WAY_PREIMAGE || kind == WAY_HTLC_SUCCESS) && !w->has_preimage)) {
		cursor_fail(c);
		return;
	}
	w->kind = (enum way_kind)kind;
	v->ours = kind != WAY_NONE;
}

static void read_output(struct onchain *o, uint32_t base_count, struct cursor *c)
{
	struct outpoint p = { o->txid, o->count };
	uint32_t height = o->height, i;
	struct onchain_output *v;

	if (o->count >= base_count) {
		cursor_copy(c, p.txid.v, 32);
		p.index = cursor_be32(c);
		height = cursor_be32(c);
		onchain_in_range(c, height, o->count ? o->outputs[o->count - 1].height : o->height, UINT32_MAX);
	}
	i = onchain_append(o, &p, SAT(cursor_be64(c)), height);
	v = &o->outputs[i];
	v->what = (enum onchain_what)onchain_in_range(c, cursor_u8(c), ONCHAIN_OTHER, ONCHAIN_STAGE_THEIRS);
	v->htlc_id = cursor_be64(c);
	v->cltv_expiry = cursor_be32(c);
	v->spent_height = cursor_be32(c);
	if (v->spent_height) {
		onchain_in_range(c, v->spent_height, height, UINT32_MAX);
		cursor_copy(c, v->spent_by.v, 32);
	}
	/* More than there is would overflow sums. */
	if (v->amount.v > SUPPLY_SAT)
		cursor_fail(c);
	read_way(o, i, c);
}

static void read_claim(struct onchain *o, struct cursor *c)
{
	uint32_t count = onchain_in_range(c, cursor_be16(c), 1, CLAIM_OUTPUTS_MAX);
	struct claim *k;

	if (!cursor_ok(c))
		return;
	k = onchain_claim_new(o);
	k->out = true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t output = cursor_be16(c);

		if (!cursor_ok(c) || output >= o->count || o->ways[output].claim || !o->ways[output].kind ||
		    way_is_stage(o->ways[output].kind) != way_is_stage(o->ways[k->count ? k->outputs[0] : output].kind)) {
			cursor_fail(c);
			return;
		}
		onchain_claim_add(o, k, output);
	}
	cursor_copy(c, k->txid.v, 32);
	k->feerate = FEERATE(cursor_be32(c));
	k->fee = SAT(cursor_be64(c));
	k->height = cursor_be32(c);
	k->reservation = cursor_be64(c);
	/* Rates are raised by fractions of themselves. */
	if (k->feerate.per_kw > UINT32_MAX / 2 || k->fee.v > SUPPLY_SAT)
		cursor_fail(c);
	for (uint32_t i = 0; i < k->count; i++) {
		o->outputs[k->outputs[i]].claim = k->txid;
		o->outputs[k->outputs[i]].claim_feerate = k->feerate;
		o->outputs[k->outputs[i]].claim_height = k->height;
	}
}

static void read_offered(struct onchain *o, uint32_t i, struct cursor *c)
{
	struct offered *h = &o->offered[i];

	h->htlc.id = cursor_be64(c);
	h->htlc.amount = MSAT(cursor_be64(c));
	cursor_copy(c, h->htlc.payment_hash.v, 32);
	h->htlc.upstream_expiry = cursor_be32(c);
	h->output = cursor_be32(c);
	if (h->output < o->base_count ? o->outputs[h->output].what != ONCHAIN_HTLC_OURS :
				   h->output != NOWHERE && h->output != BY_AMOUNT)
		cursor_fail(c);
	h->depth = cursor_u8(c);
	h->fate = (enum htlc_fate)onchain_in_range(c, cursor_u8(c), FATE_OPEN, FATE_GONE);
}

static bool read_body(struct onchain *o, struct cursor *c)
{
	uint32_t base_count, count, claim_count;

	read_terms(o, c);
	o->past_known = onchain_in_range(c, cursor_u8(c), 0, 1);
	base_count = onchain_in_range(c, cursor_be16(c), 0, SPEND_OUTPUTS_MAX);
	count = onchain_in_range(c, cursor_be16(c), base_count, OUTPUTS_MAX);
	if (!o->past_known && !o->terms.revoked)
		cursor_fail(c);
	for (uint32_t i = 0; i < count && cursor_ok(c); i++)
		read_output(o, base_count, c);
	if (!cursor_ok(c))
		return false;
	o->base_count = base_count;
	claim_count = cursor_be16(c);
	for (uint32_t i = 0; i < claim_count && cursor_ok(c); i++)
		read_claim(o, c);
	o->offered_count = onchain_in_range(c, cursor_be16(c), 0, UINT16_MAX);
	o->offered = NEW_ARRAY(struct offered, o->offered_count);
	for (uint32_t i = 0; i < o->offered_count && cursor_ok(c); i++)
		read_offered(o, i, c);
	return cursor_done(c);
}

static struct onchain *load_version_2(const struct channel_record *r, struct cursor *c)
{
	struct onchain *o = onchain_alloc(r);

	o->kind = (enum onchain_spend)onchain_in_range(c, cursor_u8(c), ONCHAIN_MUTUAL_CLOSE, ONCHAIN_UNKNOWN);
	o->height = cursor_be32(c);
	cursor_copy(c, o->txid.v, 32);
	o->destination = read_script(o, c);
	if (cursor_ok(c) && read_body(o, c))
		return o;
	onchain_free(o);
	return NULL;
}

struct onchain *onchain_load(const struct channel_record *r, struct bytes value)
{
	struct cursor c = cursor_of(value);

	switch (cursor_u8(&c)) {
	case 1:
		return onchain_load_version_1(r, &c);
	case ONCHAIN_VERSION:
		return load_version_2(r, &c);
	default:
		return NULL;
	}
}
