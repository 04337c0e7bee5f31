#include "onion/blinding.h"

#include "crypto/cipher.h"
#include "crypto/hash.h"

static const uint8_t zero_nonce[12];

/* B4.route_blinding.15 */
static struct bytes seal(struct arena *a, const struct secret32 *secret, struct bytes tlvs)
{
	struct secret32 rho = onion_key("rho", secret);
	uint8_t *out = arena_alloc(a, tlvs.size + AEAD_TAG_SIZE);

	aead_seal(out, rho.v, zero_nonce, BYTES_NONE, tlvs);
	mem_wipe(&rho, sizeof(rho));
	return BYTES(out, tlvs.size + AEAD_TAG_SIZE);
}

/* B4.route_blinding.11: B_i = HMAC256("blinded_node_id", ss_i) * N_i */
static bool blind_node(struct pubkey *out, const struct pubkey *node, const struct secret32 *secret)
{
	return onion_blinded_key(out, node, secret);
}

bool blinding_build(struct arena *a, struct wire_blinded_path_hop *hops, struct pubkey *first_path_key,
		    const struct secp *secp, const struct blinding_request *r)
{
	struct secret32 e = r->path_secret, secret = { { 0 } };
	bool good = seckey_valid(&e);

	ASSERT(r->count);
	for (uint32_t i = 0; good && i < r->count; i++) {
		struct pubkey path_key;
		struct sha256 factor;

		pubkey_of(secp, &path_key, &e);
		if (i == 0)
			*first_path_key = path_key; /* B4.route_blinding.10 */
		/* B4.route_blinding.6 */
		good = ecdh(secp, &secret, &r->nodes[i], &e) && blind_node(&hops[i].blinded_node_id, &r->nodes[i], &secret);
		if (!good)
			break;
		hops[i].encrypted_recipient_data = seal(a, &secret, r->tlvs[i]);
		/* B4.route_blinding.8 */
		factor = onion_blinding_factor(&path_key, &secret);
		good = seckey_mul(&e, factor.v);
	}
	mem_wipe(&e, sizeof(e));
	mem_wipe(&secret, sizeof(secret));
	return good;
}

/* B4.route_blinding.25 */
static bool unseal(struct arena *a, struct bytes *out, const struct secret32 *secret, struct bytes encrypted)
{
	struct secret32 rho = onion_key("rho", secret);
	uint8_t *plain;
	bool good;

	if (encrypted.size < AEAD_TAG_SIZE)
		return false;
	plain = arena_alloc(a, encrypted.size);
	good = aead_open(plain, rho.v, zero_nonce, BYTES_NONE, encrypted);
	*out = BYTES(plain, encrypted.size - AEAD_TAG_SIZE);
	mem_wipe(&rho, sizeof(rho));
	return good;
}

bool blinding_open(struct arena *a, struct blinded_data *out, const struct pubkey *path_key,
		   const struct secret32 *secret, struct bytes encrypted)
{
	struct sha256 factor;
	struct bytes tlvs;

	memset(out, 0, sizeof(*out));
	/* B4.route_blinding.26 */
	if (!unseal(a, &tlvs, secret, encrypted) || tlvs_encrypted_data_decode(tlvs, a, &out->tlvs, NULL) != DECODE_OK)
		return false;
	if (out->tlvs.next_path_key_override) {
		/* B4.route_blinding.27 */
		out->next_path_key = *out->tlvs.next_path_key_override;
		return true;
	}
	/* B4.route_blinding.28 */
	factor = onion_blinding_factor(path_key, secret);
	return pubkey_mul(&out->next_path_key, path_key, factor.v);
}

bool blinding_permits(const struct tlvs_encrypted_data *t, const struct blinded_htlc *h)
{
	const struct tlv_encrypted_data_payment_constraints *c = t->payment_constraints;

	/* B4.packet_structure.32, B4.packet_structure.33 */
	if (c && (h->cltv_expiry > c->max_cltv_expiry || MSAT_LESS(h->amount, c->htlc_minimum_msat)))
		return false;
	/* B4.packet_structure.34, B4.packet_structure.35: we know no feature of a payment. */
	if (t->allowed_features && !bytes_all_zero(*t->allowed_features))
		return false;
	/* B4.packet_structure.36 */
	return !t->short_channel_id || !t->next_node_id;
}

bool blinding_relay(struct blinded_htlc *out, const struct tlvs_encrypted_data *t, const struct blinded_htlc *in)
{
	const struct tlv_encrypted_data_payment_relay *relay = t->payment_relay;
	struct amount_msat rest;

	/* B4.packet_structure.39, B4.packet_structure.40 */
	if ((!t->short_channel_id && !t->next_node_id) || !relay)
		return false;
	if (MSAT_LESS(msat_of_sat(SAT(SUPPLY_SAT)), in->amount) ||
	    !msat_sub(&rest, in->amount, MSAT(relay->fee_base_msat)) || in->cltv_expiry < relay->cltv_expiry_delta)
		return false;
	/* B4.packet_structure.41, B4.packet_structure.42 */
	out->amount = msat_before_ppm_up(rest, relay->fee_proportional_millionths);
	out->cltv_expiry = in->cltv_expiry - relay->cltv_expiry_delta;
	return true;
}

bool blinding_cost(struct blinded_cost *out, const struct tlv_encrypted_data_payment_relay *relays,
		   uint32_t count, uint32_t min_final_cltv)
{
	const uint64_t million = 1000000;
	uint64_t base = 0, ppm = 0, delta = min_final_cltv;

	/* From the recipient back: each node takes its share of what those behind it take, too. */
	for (uint32_t i = count; i-- > 0;) {
		uint64_t r_base = relays[i].fee_base_msat, r_ppm = relays[i].fee_proportional_millionths;
		unsigned __int128 b = (unsigned __int128)r_base * million + (unsigned __int128)base * (million + r_ppm);
		unsigned __int128 p = (unsigned __int128)(ppm + r_ppm) * million + (unsigned __int128)ppm * r_ppm;

		/* B4.packet_structure.7, B4.packet_structure.8, B4.packet_structure.9 */
		b = (b + million - 1) / million;
		p = (p + million - 1) / million;
		delta += relays[i].cltv_expiry_delta;
		if (b > UINT32_MAX || p > UINT32_MAX || delta > UINT32_MAX)
			return false;
		base = (uint64_t)b;
		ppm = (uint64_t)p;
	}
	*out = (struct blinded_cost){ (uint32_t)base, (uint32_t)ppm, (uint32_t)delta };
	return true;
}
