#include "payment/path.h"

bool path_onion(const struct path_hop *path, uint32_t count, uint32_t height, struct buf *out, const struct secp *secp,
		struct path_keys *keys, const struct sha256 *payment_hash, const struct payload *final)
{
	struct onion_hop hops[ONION_HOPS_MAX];
	struct buf payloads[ONION_HOPS_MAX];
	struct onion_request r = {
		.hops = hops, .hop_count = count, .packet_size = ONION_PACKET_SIZE,
		.session_key = keys->session, .associated = BYTES_OF(payment_hash->v),
	};
	bool good;

	ASSERT(count && count <= ONION_HOPS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t to = i + 1 < count ? i + 1 : i;
		struct payload p = { 0 };

		if (to == i)
			p = *final;
		else
			p.scid = path[to].scid;
		p.amount = path[to].amount;
		p.cltv_expiry = height + path[to].cltv;
		buf_init(&payloads[i]);
		payload_write(&p, &payloads[i]);
		hops[i] = (struct onion_hop){ path[i].node, buf_view(&payloads[i]) };
		mem_wipe(&p, sizeof(p));
	}
	good = onion_build(out, keys->shared, secp, &r);
	for (uint32_t i = 0; i < count; i++)
		buf_wipe(&payloads[i]);
	mem_wipe(&r, sizeof(r));
	return good;
}
