/* The channel of BOLT 3 Appendix B and C: keys, HTLCs and a commitment_spec, for the tests of contract/ and of
 * the signer.  "local" is the broadcaster and the opener. */
#ifndef TESTS_CONTRACT_SETUP_H
#define TESTS_CONTRACT_SETUP_H

#include "contract/htlc_tx.h"
#include "crypto/hash.h"
#include "tests/test.h"

#define APPENDIX_HTLC_COUNT 7

struct appendix_channel {
	struct secp *secp;
	struct basepoint_secrets local_secrets, remote_secrets;
	struct basepoints local, remote;
	struct secret32 per_commitment_secret;
	struct pubkey per_commitment_point;
	struct preimage preimages[APPENDIX_HTLC_COUNT];
	struct commitment_htlc htlcs[APPENDIX_HTLC_COUNT];
	struct commitment_spec spec; /* no balances, no HTLCs */
};

static inline void read_hex(void *out, size_t size, const char *hex)
{
	CHECK(hex_decode(out, size, hex, strlen(hex)));
}

static inline void secret_of_byte(struct secret32 *out, uint8_t byte)
{
	memset(out->v, byte, sizeof(out->v));
}

static inline void appendix_basepoints(const struct secp *secp, struct basepoints *out,
				       const struct basepoint_secrets *in)
{
	pubkey_of(secp, &out->funding, &in->funding);
	pubkey_of(secp, &out->revocation, &in->revocation);
	pubkey_of(secp, &out->payment, &in->payment);
	pubkey_of(secp, &out->delayed_payment, &in->delayed_payment);
	pubkey_of(secp, &out->htlc, &in->htlc);
}

static inline void appendix_secrets(struct appendix_channel *ch)
{
	read_hex(ch->local_secrets.funding.v, 32, "30ff4956bbdd3222d44cc5e8a1261dab1e07957bdac5ae88fe3261ef321f3749");
	secret_of_byte(&ch->local_secrets.payment, 0x11);
	secret_of_byte(&ch->local_secrets.htlc, 0x11);
	secret_of_byte(&ch->local_secrets.delayed_payment, 0x33);
	secret_of_byte(&ch->local_secrets.revocation, 0x55); /* the appendix has no use for it */
	read_hex(ch->remote_secrets.funding.v, 32, "1552dfba4f6cf29a62a0af13c8d6981d36d0ef8d61ba10fb0fe90da7634d7e13");
	secret_of_byte(&ch->remote_secrets.payment, 0x44);
	secret_of_byte(&ch->remote_secrets.htlc, 0x44);
	secret_of_byte(&ch->remote_secrets.revocation, 0x22);
	secret_of_byte(&ch->remote_secrets.delayed_payment, 0x66); /* nor for this */
	read_hex(ch->per_commitment_secret.v, 32, "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100");
}

static inline void appendix_htlcs(struct appendix_channel *ch)
{
	static const struct {
		bool offered;
		uint64_t amount_msat;
		uint32_t expiry;
		uint8_t preimage;
	} table[APPENDIX_HTLC_COUNT] = {
		{ false, 1000000, 500, 0 }, { false, 2000000, 501, 1 }, { true, 2000000, 502, 2 },
		{ true, 3000000, 503, 3 }, { false, 4000000, 504, 4 }, { true, 5000000, 506, 5 },
		{ true, 5000001, 505, 5 },
	};

	for (uint32_t i = 0; i < APPENDIX_HTLC_COUNT; i++) {
		memset(ch->preimages[i].v, table[i].preimage, 32);
		ch->htlcs[i] = (struct commitment_htlc){
			.id = i,
			.offered_by_broadcaster = table[i].offered,
			.amount = MSAT(table[i].amount_msat),
			.payment_hash = sha256(ch->preimages[i].v, 32),
			.cltv_expiry = table[i].expiry,
		};
	}
}

/* ch->secp is the caller's to free. */
static inline void appendix_channel_init(struct appendix_channel *ch)
{
	static const uint8_t seed[32] = { 7 };

	memset(ch, 0, sizeof(*ch));
	ch->secp = secp_new(seed);
	appendix_secrets(ch);
	appendix_htlcs(ch);
	appendix_basepoints(ch->secp, &ch->local, &ch->local_secrets);
	appendix_basepoints(ch->secp, &ch->remote, &ch->remote_secrets);
	pubkey_of(ch->secp, &ch->per_commitment_point, &ch->per_commitment_secret);
	ch->spec = (struct commitment_spec){
		.type = COMMITMENT_STATIC_REMOTEKEY,
		.funding_amount = SAT(10000000),
		.broadcaster = &ch->local,
		.countersignatory = &ch->remote,
		.per_commitment_point = ch->per_commitment_point,
		.broadcaster_is_opener = true,
		.number = 42,
		.dust_limit = SAT(546),
		.to_self_delay = 144,
	};
	CHECK(txid_from_hex(&ch->spec.funding.txid,
			    "8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be"));
}

#endif
