/* Every vector of BOLT 3's appendices B, C, E and F: transactions and signatures to the byte. */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/contract_setup.h"
#include "tests/unit/contract_vectors.h"

static struct arena arena;

static void check_tx(const struct tx *t, const char *hex)
{
	struct buf b = BUF_EMPTY;
	struct bytes copy;

	tx_encode(t, &b);
	copy = arena_bytes(&arena, buf_view(&b));
	buf_release(&b);
	CHECK_HEX(copy, hex);
}

static void check_der(const struct sig64 *sig, const char *hex)
{
	uint8_t der[72];
	size_t size = sig_to_der(der, sig);

	CHECK_HEX(BYTES(der, size), hex);
}

/* Appendix E. */
TEST(appendix_e_keys_are_derived)
{
	struct secret32 base, per_commitment, out;
	struct pubkey basepoint, point, derived;
	uint8_t seed[32] = { 3 };
	struct secp *secp = secp_new(seed);

	read_hex(base.v, 32, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	read_hex(per_commitment.v, 32, "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100");
	pubkey_of(secp, &basepoint, &base);
	pubkey_of(secp, &point, &per_commitment);
	secp_free(secp);
	CHECK_HEX(BYTES_OF(basepoint.v), "036d6caac248af96f6afa7f904f550253a0f3ef3f5aa2fe6838a95b216691468e2");
	CHECK_HEX(BYTES_OF(point.v), "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486");
	CHECK(derive_pubkey(&derived, &basepoint, &point));
	CHECK_HEX(BYTES_OF(derived.v), "0235f2dbfaa89b57ec7b055afe29849ef7ddfeb1cefdb9ebdc43f5494984db29e5");
	CHECK(derive_seckey(&out, &base, &basepoint, &point));
	CHECK_HEX(BYTES_OF(out.v), "cbced912d3b21bf196a766651e436aff192362621ce317704ea2f75d87e7be0f");
	CHECK(derive_revocation_pubkey(&derived, &basepoint, &point));
	CHECK_HEX(BYTES_OF(derived.v), "02916e326636d19c33f13e8c0c3a03dd157f332f3e99c317c141dd865eb01f8ff0");
	CHECK(derive_revocation_seckey(&out, &base, &basepoint, &per_commitment, &point));
	CHECK_HEX(BYTES_OF(out.v), "d09ffff62ddb2297ab000cc85bcb4283fdeb6aa052affbc9dddcf33b61078110");
}

/* Appendix B: the funding output, whichever key comes first. */
TEST(appendix_b_funding_output)
{
	struct appendix_channel ch;
	struct bytes script, swapped, output;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	script = funding_witness_script(&arena, &ch.local.funding, &ch.remote.funding);
	swapped = funding_witness_script(&arena, &ch.remote.funding, &ch.local.funding);
	output = funding_script_pubkey(&arena, &ch.local.funding, &ch.remote.funding);
	CHECK_HEX(script, "5221023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb"
			  "21030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c152ae");
	CHECK(bytes_equal(script, swapped));
	CHECK_HEX(output, "0020c015c4a6be010e21657068fc2e6a9d02b27ebe4d490a25846f7237f104d1a3cd");
	arena_release(&arena);
}

/* Appendix C's introduction: the keys of its commitments and the obscured number. */
TEST(appendix_c_keys)
{
	struct appendix_channel ch;
	struct commitment_keys keys;
	struct secret32 key;

	appendix_channel_init(&ch);
	secp_free(ch.secp);
	CHECK_HEX(BYTES_OF(ch.local.payment.v), "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa");
	CHECK_HEX(BYTES_OF(ch.remote.payment.v), "032c0b7cf95324a07d05398b240174dc0c2be444d96b159aa6c7f7b1e668680991");
	CHECK(commitment_obscuring_factor(&ch.local.payment, &ch.remote.payment) == 0x2bb038521914);
	CHECK(commitment_keys_of(&keys, SIDE_LOCAL, &ch.local, &ch.remote, &ch.per_commitment_point));
	CHECK_HEX(BYTES_OF(keys.revocation.v), "0212a140cd0c6539d07cd08dfe09984dec3251ea808b892efeac3ede9402bf2b19");
	CHECK_HEX(BYTES_OF(keys.broadcaster_delayed.v),
		  "03fd5960528dc152014952efdb702a88f71e3c1653b2314431701ec77e57fde83c");
	CHECK_HEX(BYTES_OF(keys.broadcaster_htlc.v),
		  "030d417a46946384f88d5f3337267c5e579765875dc4daca813e21734b140639e7");
	CHECK_HEX(BYTES_OF(keys.countersignatory_htlc.v),
		  "0394854aa6eab5b2a8122cc726e9dded053a2184d88256816826d6231c068d4a5b");
	CHECK(SAME(keys.countersignatory_payment, ch.remote.payment));
	CHECK(derive_seckey(&key, &ch.local_secrets.delayed_payment, &ch.local.delayed_payment,
			    &ch.per_commitment_point));
	CHECK_HEX(BYTES_OF(key.v), "adf3464ce9c2f230fd2582fda4c6965e4993ca5524e8c9580e3df0cf226981ad");
	/* From the other side of the table the same commitment is a remote one. */
	CHECK(commitment_keys_of(&keys, SIDE_REMOTE, &ch.remote, &ch.local, &ch.per_commitment_point));
	CHECK_HEX(BYTES_OF(keys.revocation.v), "0212a140cd0c6539d07cd08dfe09984dec3251ea808b892efeac3ede9402bf2b19");
}

/* The HTLCs of a vector: 1, 5 and 6 where two share a preimage, else 0 to 4. */
static uint32_t vector_htlcs(struct commitment_htlc *out, const struct appendix_channel *ch,
			     const struct commitment_vector *v)
{
	uint32_t count = 0;

	if (!v->has_htlcs)
		return 0;
	for (uint32_t i = 0; i < APPENDIX_HTLC_COUNT; i++) {
		bool twins = strstr(v->name, "same amount and preimage") != NULL;

		if (twins ? i == 1 || i >= 5 : i < 5)
			out[count++] = ch->htlcs[i];
	}
	return count;
}

static void sign_commitment(struct sig64 *out, const struct appendix_channel *ch, const struct commitment *c,
			    const struct secret32 *funding)
{
	/* The appendices sign with the plain nonce of RFC 6979. */
	ecdsa_sign(ch->secp, out, &c->sighash, funding, false);
}

static void check_commitment_vector(const struct appendix_channel *ch, struct commitment *c,
				    const struct commitment_vector *v)
{
	struct sig64 local, remote;
	uint64_t number;

	sign_commitment(&local, ch, c, &ch->local_secrets.funding);
	sign_commitment(&remote, ch, c, &ch->remote_secrets.funding);
	check_der(&remote, v->remote_sig);
	/* B3.appendix_b_funding_transaction_test_vect.1: over everything, SIGHASH_ALL */
	CHECK(ecdsa_verify(&remote, &c->sighash, &ch->remote.funding));
	commitment_set_witness(&arena, c, &local, &remote);
	/* B3.trimmed_outputs.1, B3.trimmed_outputs.2, B3.trimmed_outputs.3, B3.trimmed_outputs.4,
	 * B3.trimmed_outputs.5, B3.trimmed_outputs.6, B3.trimmed_outputs.7, B3.trimmed_outputs.8,
	 * B3.trimmed_outputs.9: the vectors step the rate, or the dust limit, over each threshold by one */
	check_tx(c->tx, v->tx);
	/* B3.fee_calculation.5 */
	if (v->base_fee_sat >= 0)
		CHECK_EQ(c->base_fee.v, v->base_fee_sat);
	if (v->fee_sat >= 0)
		CHECK_EQ(c->fee.v, v->fee_sat);
	CHECK(commitment_number_of(c->tx, commitment_obscuring_factor(&ch->local.payment, &ch->remote.payment),
				   &number));
	CHECK_EQ(number, 42);
}

static void check_htlc_vector(const struct appendix_channel *ch, const struct commitment *c, uint32_t position,
			      const struct sha256 *countersign_hash, const struct htlc_vector *v)
{
	struct htlc_tx *h = htlc_tx_build(&arena, c, position);
	struct sha256 hash = htlc_tx_countersign_hash(h);
	struct sig64 local_sig, remote_sig;
	struct secret32 local, remote;
	uint32_t id = (uint32_t)c->htlcs[position].htlc.id;

	if (v->htlc >= 0)
		CHECK_EQ(id, v->htlc);
	CHECK(derive_seckey(&local, &ch->local_secrets.htlc, &ch->local.htlc, &ch->per_commitment_point));
	CHECK(derive_seckey(&remote, &ch->remote_secrets.htlc, &ch->remote.htlc, &ch->per_commitment_point));
	CHECK(SAME(hash, *countersign_hash));
	ecdsa_sign(ch->secp, &remote_sig, &hash, &remote, false);
	check_der(&remote_sig, v->remote_sig);
	hash = htlc_tx_broadcaster_hash(h, h->tx, 0);
	ecdsa_sign(ch->secp, &local_sig, &hash, &local, false);
	htlc_tx_set_witness(&arena, h, h->tx, 0, &remote_sig, &local_sig, h->success ? &ch->preimages[id] : NULL);
	/* B3.fee_calculation.1, B3.fee_calculation.2, B3.fee_calculation.3, B3.fee_calculation.4 */
	check_tx(h->tx, v->tx);
}

static void check_vector(const struct appendix_channel *ch, const struct commitment_vector *v)
{
	struct commitment_htlc htlcs[APPENDIX_HTLC_COUNT];
	struct commitment_spec spec = ch->spec;
	struct sha256 hashes[APPENDIX_HTLC_COUNT];
	struct commitment *c;

	spec.type = v->type;
	spec.feerate = FEERATE(v->feerate_per_kw);
	spec.dust_limit = SAT(v->dust_limit_sat);
	spec.broadcaster_balance = MSAT(v->to_local_msat);
	spec.countersignatory_balance = MSAT(v->to_remote_msat);
	spec.htlcs = htlcs;
	spec.htlc_count = vector_htlcs(htlcs, ch, v);
	c = commitment_build(&arena, &spec);
	CHECK(c);
	check_commitment_vector(ch, c, v);
	CHECK_EQ(c->htlc_count, v->htlc_count);
	CHECK_EQ(commitment_untrimmed_count(&spec), v->htlc_count);
	htlc_tx_countersign_hashes(&arena, c, hashes);
	for (uint32_t i = 0; i < c->htlc_count; i++)
		check_htlc_vector(ch, c, i, &hashes[i], &v->htlcs[i]);
	arena_reset(&arena);
}

static uint32_t check_vectors(enum commitment_type type)
{
	struct appendix_channel ch;
	uint32_t count = 0;

	appendix_channel_init(&ch);
	for (size_t i = 0; i < ARRAY_COUNT(COMMITMENT_VECTORS); i++)
		if (COMMITMENT_VECTORS[i].type == type) {
			check_vector(&ch, &COMMITMENT_VECTORS[i]);
			count++;
		}
	secp_free(ch.secp);
	arena_release(&arena);
	return count;
}

TEST(appendix_c_commitments_and_htlcs)
{
	CHECK_EQ(check_vectors(COMMITMENT_STATIC_REMOTEKEY), 16);
}

TEST(appendix_f_commitments_and_htlcs)
{
	CHECK_EQ(check_vectors(COMMITMENT_ANCHORS), 9);
}

/* The vectors typed in are those of the specification, and none is missing. */
TEST(vectors_are_the_specification_s)
{
	const char *text = (const char *)test_shared_file("specs/bolts/03-transactions.md").data;
	uint32_t signatures = 0, htlc_txs = 0, typed = 0;

	for (size_t i = 0; i < ARRAY_COUNT(COMMITMENT_VECTORS); i++) {
		const struct commitment_vector *v = &COMMITMENT_VECTORS[i];

		CHECK(strstr(text, v->name) && strstr(text, v->tx) && strstr(text, v->remote_sig));
		for (uint32_t j = 0; j < v->htlc_count; j++)
			CHECK(strstr(text, v->htlcs[j].tx) && strstr(text, v->htlcs[j].remote_sig));
		typed += v->htlc_count;
	}
	for (const char *p = text; (p = strstr(p, "output commit_tx: ")); p++)
		signatures++;
	for (const char *p = text; (p = strstr(p, "\"ExpectedCommitmentTxHex\"")); p++)
		signatures++;
	for (const char *p = text; (p = strstr(p, "remote_htlc_signature = ")); p++)
		htlc_txs++;
	for (const char *p = text; (p = strstr(p, "\"ResolutionTxHex\"")); p++)
		htlc_txs++;
	CHECK_EQ(signatures, ARRAY_COUNT(COMMITMENT_VECTORS));
	CHECK_EQ(htlc_txs, typed);
	CHECK(typed > 40);
}
