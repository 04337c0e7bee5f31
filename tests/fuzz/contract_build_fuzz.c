/* Commitments, closings and their spends from arbitrary numbers: nothing asserts, no satoshi appears or is lost,
 * and the order holds. */
#include "contract/closing.h"
#include "contract/sweep.h"

static struct basepoints side_of(const struct secp *s, uint8_t byte)
{
	struct basepoints b;
	struct secret32 k;
	struct pubkey *points[5] = { &b.funding, &b.revocation, &b.payment, &b.delayed_payment, &b.htlc };

	for (uint8_t i = 0; i < 5; i++) {
		memset(k.v, byte + i, sizeof(k.v));
		pubkey_of(s, points[i], &k);
	}
	return b;
}

static struct amount_sat sum_of(const struct tx *t)
{
	struct amount_sat sum = SAT(0);

	for (uint32_t i = 0; i < t->output_count; i++) {
		ASSERT(sat_add(&sum, sum, t->outputs[i].amount));
		ASSERT(i == 0 || !SAT_LESS(t->outputs[i].amount, t->outputs[i - 1].amount));
	}
	return sum;
}

static void check_fee(const struct tx *t, struct amount_sat funding, struct amount_sat fee)
{
	struct amount_sat all;

	ASSERT(sat_add(&all, sum_of(t), fee) && sat_cmp(all, funding) == 0);
}

static void check_sweeps(struct arena *a, const struct commitment *c)
{
	static const struct preimage preimage;
	static const struct secret32 secret = { { 1 } };
	struct sweep_input in;

	for (uint32_t i = 0; i < c->htlc_count; i++) {
		struct htlc_tx *h = htlc_tx_build(a, c, i);

		ASSERT(c->htlcs[i].index < c->tx->output_count);
		ASSERT(!SAT_LESS(h->input_amount, h->tx->outputs[0].amount));
		ASSERT(sweep_htlc_timeout(&in, c, i) == !c->htlcs[i].htlc.offered_by_broadcaster);
		if (sweep_htlc_preimage(&in, c, i, &preimage))
			ASSERT(c->htlcs[i].htlc.offered_by_broadcaster);
		ASSERT(sweep_revoked_htlc(&in, c, i, &secret));
		ASSERT(sweep_input_weight(&in) > 164);
	}
	ASSERT(sweep_to_local(&in, c) == (c->to_local != COMMITMENT_NO_OUTPUT));
	ASSERT(sweep_to_remote(&in, c) == (c->to_remote != COMMITMENT_NO_OUTPUT));
	ASSERT(sweep_local_anchor(&in, c) == (c->local_anchor != COMMITMENT_NO_OUTPUT));
}

static void read_htlcs(struct arena *a, struct cursor *c, struct commitment_spec *spec)
{
	struct commitment_htlc *htlcs = ARENA_ARRAY(a, struct commitment_htlc, c->left / 8 + 1);

	while (c->left >= 8) {
		struct commitment_htlc *h = &htlcs[spec->htlc_count++];

		h->id = cursor_u8(c);
		h->offered_by_broadcaster = h->id & 1;
		h->amount = MSAT((uint64_t)cursor_be32(c) << (h->id >> 4));
		h->payment_hash.v[0] = cursor_u8(c);
		h->cltv_expiry = cursor_be16(c);
	}
	spec->htlcs = htlcs;
}

static void fuzz_commitment(struct arena *a, struct cursor *c, struct commitment_spec *spec)
{
	uint8_t flags = cursor_u8(c);
	struct commitment *built;
	uint64_t number;

	spec->type = flags & 1 ? COMMITMENT_ANCHORS : COMMITMENT_STATIC_REMOTEKEY;
	spec->broadcaster_is_opener = flags & 2;
	spec->funding_amount = SAT(cursor_be64(c));
	spec->broadcaster_balance = MSAT(cursor_be64(c));
	spec->countersignatory_balance = MSAT(cursor_be64(c));
	spec->feerate = FEERATE(cursor_be32(c));
	spec->dust_limit = SAT(flags & 4 ? cursor_be64(c) : cursor_be16(c));
	spec->to_self_delay = cursor_be16(c);
	spec->number = cursor_be64(c) & (flags & 8 ? COMMITMENT_NUMBER_MAX : UINT64_MAX);
	read_htlcs(a, c, spec);
	built = commitment_build(a, spec);
	if (!built)
		return;
	check_fee(built->tx, spec->funding_amount, built->fee);
	ASSERT(built->htlc_count == commitment_untrimmed_count(spec));
	ASSERT(commitment_number_of(built->tx,
				    spec->broadcaster_is_opener
				    ? commitment_obscuring_factor(&spec->broadcaster->payment,
								  &spec->countersignatory->payment)
				    : commitment_obscuring_factor(&spec->countersignatory->payment,
								  &spec->broadcaster->payment), &number));
	ASSERT(number == spec->number);
	check_sweeps(a, built);
}

static void fuzz_closing(struct arena *a, struct cursor *c, const struct commitment_spec *channel)
{
	uint8_t flags = cursor_u8(c);
	struct closing_spec spec = { .form = flags & 1 ? CLOSING_LEGACY : CLOSING_SIMPLE };
	struct closing *built;

	spec.payer_funding = channel->broadcaster->funding;
	spec.other_funding = channel->countersignatory->funding;
	spec.payer.omit = flags & 2;
	spec.other.omit = flags & 4;
	spec.funding_amount = SAT(cursor_be64(c));
	spec.payer.balance = MSAT(cursor_be64(c));
	spec.other.balance = MSAT(cursor_be64(c));
	spec.fee = SAT(cursor_be64(c));
	spec.dust_limit = SAT(cursor_be32(c));
	spec.payer.script = cursor_bytes(c, cursor_u8(c));
	spec.other.script = cursor_rest(c);
	(void)shutdown_script_valid(spec.payer.script, flags & 8, flags & 16);
	built = closing_build(a, &spec);
	if (built)
		check_fee(built->tx, spec.funding_amount, built->fee);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct basepoints one, other;
	static struct commitment_keys keys;
	static bool ready;
	struct cursor c = cursor_of(BYTES(data, size));
	struct commitment_spec spec = { .broadcaster = &one, .countersignatory = &other, .keys = &keys };
	struct arena a;

	if (!ready) {
		static const uint8_t seed[32] = { 1 };
		struct secp *s = secp_new(seed);

		one = side_of(s, 1);
		other = side_of(s, 20);
		ASSERT(commitment_keys_derive(&keys, &one, &other, &one.funding));
		secp_free(s);
		ready = true;
	}
	spec.per_commitment_point = keys.per_commitment_point;
	arena_init(&a);
	if (cursor_u8(&c) & 1)
		fuzz_commitment(&a, &c, &spec);
	else
		fuzz_closing(&a, &c, &spec);
	arena_release(&a);
	return 0;
}
