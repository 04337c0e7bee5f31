/* A blinded path whose maker is hostile: any encrypted_data_tlv, and any bytes in
 * its place, at a node that reads and obeys it. */
#include "onion/blinding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void obey(struct arena *a, const struct pubkey *path_key, const struct secret32 *secret, struct bytes encrypted,
		 const struct blinded_htlc *in)
{
	struct blinded_data d;
	struct blinded_htlc out;

	if (!blinding_open(a, &d, path_key, secret, encrypted))
		return;
	ASSERT(d.tlvs.next_path_key_override || pubkey_valid(&d.next_path_key));
	(void)(blinding_permits(&d.tlvs, in) ? 1 : 0);
	if (blinding_relay(&out, &d.tlvs, in)) {
		ASSERT(!MSAT_LESS(in->amount, out.amount));
		ASSERT(out.cltv_expiry <= in->cltv_expiry);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = { 1 };
	static struct secp *secp;
	struct secret32 key = { { 0 } }, secret;
	struct blinded_htlc in;
	struct wire_blinded_path_hop hop;
	struct pubkey node, first;
	struct bytes tlvs;
	struct arena a;

	if (size < 12)
		return 0;
	if (!secp)
		secp = secp_new(seed);
	key.v[31] = 5;
	pubkey_of(secp, &node, &key);
	in = (struct blinded_htlc){ MSAT(load_be64(data)), load_be32(data + 8) };
	tlvs = BYTES(data + 12, size - 12);
	arena_init(&a);
	ASSERT(blinding_build(&a, &hop, &first, secp, &(struct blinding_request){ &node, &tlvs, 1, key }));
	ASSERT(ecdh(secp, &secret, &first, &key));
	obey(&a, &first, &secret, hop.encrypted_recipient_data, &in);
	obey(&a, &first, &secret, tlvs, &in);
	arena_release(&a);
	return 0;
}
