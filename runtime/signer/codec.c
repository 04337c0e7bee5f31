#include "runtime/signer/codec.h"

#include <string.h>

#define HTLC_SIZE (8 + 1 + 8 + 32 + 4)
#define SPEND_INPUT_SIZE_MIN (1 + 8 + 33 + 8 + 32 + 4 + 8 + 4 + 4)

/* ---- Pieces ---- */

static void put_sized(struct buf *out, struct bytes b)
{
	buf_add_be32(out, (uint32_t)b.size);
	buf_add_bytes(out, b);
}

static struct bytes get_sized(struct cursor *c)
{
	return cursor_bytes(c, cursor_be32(c));
}

static void put_bool(struct buf *out, bool v)
{
	buf_add_u8(out, v);
}

/* One form for each value. */
static bool get_bool(struct cursor *c)
{
	uint8_t v = cursor_u8(c);

	if (v > 1)
		cursor_fail(c);
	return v == 1;
}

static void put_tx(struct buf *out, const struct tx *t)
{
	struct buf raw = BUF_EMPTY;

	tx_encode(t, &raw);
	put_sized(out, buf_view(&raw));
	buf_release(&raw);
}

static struct tx *get_tx(struct arena *a, struct cursor *c)
{
	struct bytes raw = get_sized(c);
	struct tx *t = cursor_ok(c) ? tx_parse(a, raw) : NULL;

	if (!t)
		cursor_fail(c);
	return t;
}

static void put_basepoints(struct buf *out, const struct basepoints *b)
{
	buf_add(out, b->funding.v, 33);
	buf_add(out, b->revocation.v, 33);
	buf_add(out, b->payment.v, 33);
	buf_add(out, b->delayed_payment.v, 33);
	buf_add(out, b->htlc.v, 33);
}

static void get_basepoints(struct cursor *c, struct basepoints *b)
{
	cursor_copy(c, b->funding.v, 33);
	cursor_copy(c, b->revocation.v, 33);
	cursor_copy(c, b->payment.v, 33);
	cursor_copy(c, b->delayed_payment.v, 33);
	cursor_copy(c, b->htlc.v, 33);
}

static void put_signatures(struct buf *out, const struct sig64 *s, uint32_t count)
{
	buf_add_be32(out, count);
	for (uint32_t i = 0; i < count; i++)
		buf_add(out, s[i].v, 64);
}

static struct sig64 *get_signatures(struct arena *a, struct cursor *c, uint32_t *count)
{
	struct sig64 *s;

	*count = cursor_be32(c);
	if (*count > c->left / 64) {
		cursor_fail(c);
		*count = 0;
	}
	s = ARENA_ARRAY(a, struct sig64, *count);
	for (uint32_t i = 0; i < *count; i++)
		cursor_copy(c, s[i].v, 64);
	return s;
}

/* ---- Commitments ---- */

static void put_htlc(struct buf *out, const struct commitment_htlc *h)
{
	buf_add_be64(out, h->id);
	put_bool(out, h->offered_by_broadcaster);
	buf_add_be64(out, h->amount.v);
	buf_add(out, h->payment_hash.v, 32);
	buf_add_be32(out, h->cltv_expiry);
}

static void get_htlc(struct cursor *c, struct commitment_htlc *h)
{
	h->id = cursor_be64(c);
	h->offered_by_broadcaster = get_bool(c);
	h->amount = MSAT(cursor_be64(c));
	cursor_copy(c, h->payment_hash.v, 32);
	h->cltv_expiry = cursor_be32(c);
}

static void put_commitment(struct buf *out, const struct commitment_spec *s)
{
	buf_add_u8(out, (uint8_t)s->type);
	buf_add(out, s->funding.txid.v, 32);
	buf_add_be32(out, s->funding.index);
	buf_add_be64(out, s->funding_amount.v);
	put_basepoints(out, s->broadcaster);
	put_basepoints(out, s->countersignatory);
	buf_add(out, s->per_commitment_point.v, 33);
	put_bool(out, s->broadcaster_is_opener);
	buf_add_be64(out, s->number);
	buf_add_be32(out, s->feerate.per_kw);
	buf_add_be64(out, s->dust_limit.v);
	buf_add_be16(out, s->to_self_delay);
	buf_add_be64(out, s->broadcaster_balance.v);
	buf_add_be64(out, s->countersignatory_balance.v);
	buf_add_be32(out, s->htlc_count);
	for (uint32_t i = 0; i < s->htlc_count; i++)
		put_htlc(out, &s->htlcs[i]);
}

static void get_htlcs(struct arena *a, struct cursor *c, struct commitment_spec *s)
{
	struct commitment_htlc *h;

	s->htlc_count = cursor_be32(c);
	if (s->htlc_count > COMMITMENT_HTLCS_MAX || s->htlc_count > c->left / HTLC_SIZE) {
		cursor_fail(c);
		s->htlc_count = 0;
	}
	h = ARENA_ARRAY(a, struct commitment_htlc, s->htlc_count);
	for (uint32_t i = 0; i < s->htlc_count; i++)
		get_htlc(c, &h[i]);
	s->htlcs = h;
}

static struct commitment_spec *get_commitment(struct arena *a, struct cursor *c)
{
	struct commitment_spec *s = ARENA_NEW(a, struct commitment_spec);
	struct basepoints *both = ARENA_ARRAY(a, struct basepoints, 2);
	uint8_t type = cursor_u8(c);

	if (type != COMMITMENT_STATIC_REMOTEKEY && type != COMMITMENT_ANCHORS)
		cursor_fail(c);
	s->type = (enum commitment_type)type;
	cursor_copy(c, s->funding.txid.v, 32);
	s->funding.index = cursor_be32(c);
	s->funding_amount = SAT(cursor_be64(c));
	get_basepoints(c, &both[0]);
	get_basepoints(c, &both[1]);
	s->broadcaster = &both[0];
	s->countersignatory = &both[1];
	cursor_copy(c, s->per_commitment_point.v, 33);
	s->broadcaster_is_opener = get_bool(c);
	s->number = cursor_be64(c);
	s->feerate = FEERATE(cursor_be32(c));
	s->dust_limit = SAT(cursor_be64(c));
	s->to_self_delay = cursor_be16(c);
	s->broadcaster_balance = MSAT(cursor_be64(c));
	s->countersignatory_balance = MSAT(cursor_be64(c));
	get_htlcs(a, c, s);
	return s;
}

/* ---- Requests by kind ---- */

static void put_remote_commitment(struct buf *out, const struct sign_request *r)
{
	put_commitment(out, r->u.commitment);
	put_bool(out, r->remote_revoked != NULL);
	if (r->remote_revoked)
		buf_add(out, r->remote_revoked->v, 32);
}

static void get_remote_commitment(struct arena *a, struct cursor *c, struct sign_request *r)
{
	struct secret32 *secret;

	r->u.commitment = get_commitment(a, c);
	if (!get_bool(c))
		return;
	secret = ARENA_NEW(a, struct secret32);
	cursor_copy(c, secret->v, 32);
	r->remote_revoked = secret;
}

static void put_revoke(struct buf *out, const struct sign_revoke *v)
{
	buf_add_be64(out, v->number);
	put_bool(out, v->next != NULL);
	if (v->next)
		put_commitment(out, v->next);
	buf_add(out, v->signature.v, 64);
	put_signatures(out, v->htlc_signatures, v->htlc_signature_count);
}

static void get_revoke(struct arena *a, struct cursor *c, struct sign_revoke *v)
{
	v->number = cursor_be64(c);
	v->next = get_bool(c) ? get_commitment(a, c) : NULL;
	cursor_copy(c, v->signature.v, 64);
	v->htlc_signatures = get_signatures(a, c, &v->htlc_signature_count);
}

static void put_close(struct buf *out, const struct sign_request *r)
{
	put_tx(out, r->u.mutual_close.tx);
	buf_add_be64(out, r->u.mutual_close.funding_amount.v);
	buf_add(out, r->u.mutual_close.remote_funding.v, 33);
	buf_add_be64(out, r->u.mutual_close.to_local.v);
	buf_add_be64(out, r->u.mutual_close.to_remote.v);
	put_sized(out, r->u.mutual_close.local_script);
	buf_add_be64(out, r->u.mutual_close.local_balance.v);
	put_bool(out, r->u.mutual_close.local_pays_fee);
}

static void get_close(struct arena *a, struct cursor *c, struct sign_request *r)
{
	r->u.mutual_close.tx = get_tx(a, c);
	r->u.mutual_close.funding_amount = SAT(cursor_be64(c));
	cursor_copy(c, r->u.mutual_close.remote_funding.v, 33);
	r->u.mutual_close.to_local = SAT(cursor_be64(c));
	r->u.mutual_close.to_remote = SAT(cursor_be64(c));
	r->u.mutual_close.local_script = get_sized(c);
	r->u.mutual_close.local_balance = MSAT(cursor_be64(c));
	r->u.mutual_close.local_pays_fee = get_bool(c);
}

static void put_spend(struct buf *out, const struct sign_request *r)
{
	put_tx(out, r->u.spend.tx);
	buf_add_be32(out, r->u.spend.count);
	for (uint32_t i = 0; i < r->u.spend.count; i++) {
		const struct spend_input *s = &r->u.spend.inputs[i];

		buf_add_u8(out, (uint8_t)s->kind);
		buf_add_be64(out, s->channel_key);
		buf_add(out, s->per_commitment_point.v, 33);
		buf_add_be64(out, s->commitment_number);
		buf_add(out, s->remote_secret.v, 32);
		put_sized(out, s->witness_script);
		buf_add_be64(out, s->amount.v);
		buf_add_be32(out, s->input);
		buf_add_be32(out, s->hash_type);
	}
}

static void get_spend_input(struct cursor *c, struct spend_input *s)
{
	uint8_t kind = cursor_u8(c);

	if (kind < SPEND_TO_LOCAL_DELAYED || kind > SPEND_REVOKED)
		cursor_fail(c);
	s->kind = (enum spend_kind)kind;
	s->channel_key = cursor_be64(c);
	cursor_copy(c, s->per_commitment_point.v, 33);
	s->commitment_number = cursor_be64(c);
	cursor_copy(c, s->remote_secret.v, 32);
	s->witness_script = get_sized(c);
	s->amount = SAT(cursor_be64(c));
	s->input = cursor_be32(c);
	s->hash_type = cursor_be32(c);
}

static void get_spend(struct arena *a, struct cursor *c, struct sign_request *r)
{
	r->u.spend.tx = get_tx(a, c);
	r->u.spend.count = cursor_be32(c);
	if (r->u.spend.count > c->left / SPEND_INPUT_SIZE_MIN) {
		cursor_fail(c);
		r->u.spend.count = 0;
	}
	r->u.spend.inputs = ARENA_ARRAY(a, struct spend_input, r->u.spend.count);
	for (uint32_t i = 0; i < r->u.spend.count; i++)
		get_spend_input(c, &r->u.spend.inputs[i]);
}

/* ---- Requests ---- */

void sign_request_encode(const struct sign_request *r, struct buf *out)
{
	buf_add_u8(out, SIGN_CODEC_VERSION);
	buf_add_u8(out, (uint8_t)r->kind);
	buf_add_be64(out, r->channel_key);
	buf_add(out, r->peer.v, 33);
	switch (r->kind) {
	case SIGN_CHANNEL_NEW:
		return;
	case SIGN_REMOTE_COMMITMENT:
		put_remote_commitment(out, r);
		return;
	case SIGN_LOCAL_COMMITMENT:
		put_commitment(out, r->u.commitment);
		return;
	case SIGN_REVOKE:
		put_revoke(out, &r->u.revoke);
		return;
	case SIGN_MUTUAL_CLOSE:
		put_close(out, r);
		return;
	case SIGN_SPEND:
		put_spend(out, r);
		return;
	case SIGN_ECDH:
		buf_add(out, r->u.point.v, 33);
		return;
	case SIGN_INVOICE:
	case SIGN_GOSSIP:
	case SIGN_ANNOUNCEMENT:
		put_sized(out, r->u.message);
		return;
	case SIGN_POINT:
		buf_add_be64(out, r->u.number);
		return;
	}
	UNREACHABLE();
}

/* False for a number that is no kind. */
static bool get_body(struct arena *a, struct cursor *c, struct sign_request *r)
{
	switch (r->kind) {
	case SIGN_CHANNEL_NEW:
		return true;
	case SIGN_REMOTE_COMMITMENT:
		get_remote_commitment(a, c, r);
		return true;
	case SIGN_LOCAL_COMMITMENT:
		r->u.commitment = get_commitment(a, c);
		return true;
	case SIGN_REVOKE:
		get_revoke(a, c, &r->u.revoke);
		return true;
	case SIGN_MUTUAL_CLOSE:
		get_close(a, c, r);
		return true;
	case SIGN_SPEND:
		get_spend(a, c, r);
		return true;
	case SIGN_ECDH:
		cursor_copy(c, r->u.point.v, 33);
		return true;
	case SIGN_INVOICE:
	case SIGN_GOSSIP:
	case SIGN_ANNOUNCEMENT:
		r->u.message = get_sized(c);
		return true;
	case SIGN_POINT:
		r->u.number = cursor_be64(c);
		return true;
	}
	return false;
}

struct sign_request *sign_request_decode(struct arena *a, struct bytes b)
{
	struct sign_request *r = ARENA_NEW(a, struct sign_request);
	struct cursor c = cursor_of(b);

	if (b.size > SIGN_REQUEST_SIZE_MAX || cursor_u8(&c) != SIGN_CODEC_VERSION)
		return NULL;
	r->kind = (enum sign_kind)cursor_u8(&c);
	r->channel_key = cursor_be64(&c);
	cursor_copy(&c, r->peer.v, 33);
	return get_body(a, &c, r) && cursor_done(&c) ? r : NULL;
}

/* ---- Answers ---- */

static void put_answer_body(const struct sign_answer *s, enum sign_kind kind, struct buf *out)
{
	switch (kind) {
	case SIGN_CHANNEL_NEW:
		put_basepoints(out, &s->basepoints);
		buf_add(out, s->first_points[0].v, 33);
		buf_add(out, s->first_points[1].v, 33);
		return;
	case SIGN_REMOTE_COMMITMENT:
		buf_add(out, s->signature.v, 64);
		put_signatures(out, s->signatures, s->signature_count);
		return;
	case SIGN_LOCAL_COMMITMENT:
	case SIGN_MUTUAL_CLOSE:
	case SIGN_GOSSIP:
		buf_add(out, s->signature.v, 64);
		return;
	case SIGN_ANNOUNCEMENT:
		buf_add(out, s->signature.v, 64);
		buf_add(out, s->signature2.v, 64);
		return;
	case SIGN_SPEND:
		put_signatures(out, s->signatures, s->signature_count);
		return;
	case SIGN_REVOKE:
		buf_add(out, s->secret.v, 32);
		buf_add(out, s->next_point.v, 33);
		return;
	case SIGN_ECDH:
		buf_add(out, s->secret.v, 32);
		return;
	case SIGN_INVOICE:
		buf_add(out, s->recoverable, sizeof(s->recoverable));
		return;
	case SIGN_POINT:
		buf_add(out, s->next_point.v, 33);
		return;
	}
	UNREACHABLE();
}

static void get_answer_body(struct sign_answer *s, struct arena *a, enum sign_kind kind, struct cursor *c)
{
	switch (kind) {
	case SIGN_CHANNEL_NEW:
		get_basepoints(c, &s->basepoints);
		cursor_copy(c, s->first_points[0].v, 33);
		cursor_copy(c, s->first_points[1].v, 33);
		return;
	case SIGN_REMOTE_COMMITMENT:
		cursor_copy(c, s->signature.v, 64);
		s->signatures = get_signatures(a, c, &s->signature_count);
		return;
	case SIGN_LOCAL_COMMITMENT:
	case SIGN_MUTUAL_CLOSE:
	case SIGN_GOSSIP:
		cursor_copy(c, s->signature.v, 64);
		return;
	case SIGN_ANNOUNCEMENT:
		cursor_copy(c, s->signature.v, 64);
		cursor_copy(c, s->signature2.v, 64);
		return;
	case SIGN_SPEND:
		s->signatures = get_signatures(a, c, &s->signature_count);
		return;
	case SIGN_REVOKE:
		cursor_copy(c, s->secret.v, 32);
		cursor_copy(c, s->next_point.v, 33);
		return;
	case SIGN_ECDH:
		cursor_copy(c, s->secret.v, 32);
		return;
	case SIGN_INVOICE:
		cursor_copy(c, s->recoverable, sizeof(s->recoverable));
		return;
	case SIGN_POINT:
		cursor_copy(c, s->next_point.v, 33);
		return;
	}
	UNREACHABLE();
}

void sign_answer_encode(const struct sign_answer *answer, enum sign_kind kind, struct buf *out)
{
	buf_add_u8(out, SIGN_CODEC_VERSION);
	put_bool(out, answer->refused);
	if (answer->refused)
		buf_add_string(out, answer->reason ? answer->reason : "");
	else
		put_answer_body(answer, kind, out);
}

bool sign_answer_decode(struct sign_answer *out, struct arena *a, enum sign_kind kind, struct bytes b)
{
	struct cursor c = cursor_of(b);
	struct bytes words;
	char *reason;

	memset(out, 0, sizeof(*out));
	if (cursor_u8(&c) != SIGN_CODEC_VERSION)
		return false;
	out->refused = get_bool(&c);
	if (!out->refused) {
		get_answer_body(out, a, kind, &c);
		return cursor_done(&c);
	}
	words = cursor_rest(&c);
	reason = arena_alloc(a, words.size + 1);
	if (words.size)
		memcpy(reason, words.data, words.size);
	out->reason = reason;
	return cursor_ok(&c);
}
