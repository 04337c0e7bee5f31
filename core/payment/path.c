#include "payment/path.h"

bool path_amounts(const struct path *p, struct amount_msat *amounts, uint32_t *cltv_expiries,
		  struct amount_msat final_amount, uint32_t final_cltv)
{
	const struct amount_msat supply = msat_of_sat(SAT(SUPPLY_SAT));

	ASSERT(p->count && p->count <= ONION_HOPS_MAX);
	amounts[p->count - 1] = final_amount;
	cltv_expiries[p->count - 1] = final_cltv;
	if (MSAT_LESS(supply, final_amount))
		return false;
	for (uint32_t i = p->count - 1; i > 0; i--) {
		const struct path_hop *h = &p->hops[i];
		struct amount_msat *before = &amounts[i - 1];

		/* BOLT 7 "HTLC Fees" */
		if (!msat_add(before, amounts[i], MSAT(h->fee_base_msat)) ||
		    !msat_add(before, *before, msat_ppm(amounts[i], h->fee_ppm)) || MSAT_LESS(supply, *before) ||
		    cltv_expiries[i] > UINT32_MAX - h->cltv_delta)
			return false;
		cltv_expiries[i - 1] = cltv_expiries[i] + h->cltv_delta;
	}
	return true;
}

struct amount_msat path_capacity(const struct path *p, struct amount_msat limit)
{
	struct amount_msat a = msat_min(limit, msat_of_sat(SAT(SUPPLY_SAT)));

	for (uint32_t i = 1; i < p->count; i++)
		a = msat_before_ppm(msat_sub_or_zero(a, MSAT(p->hops[i].fee_base_msat)), p->hops[i].fee_ppm);
	return a;
}

bool path_fee(const struct path *p, struct amount_msat *out, struct amount_msat final_amount)
{
	struct amount_msat amounts[ONION_HOPS_MAX];
	uint32_t cltv_expiries[ONION_HOPS_MAX];

	return path_amounts(p, amounts, cltv_expiries, final_amount, 0) && msat_sub(out, amounts[0], final_amount);
}

bool path_given_onion(const struct path_hop *path, uint32_t count, const struct amount_msat *amounts,
		      const uint32_t *cltv_expiries, struct buf *out, const struct secp *secp,
		      const struct secret32 *session_key, const struct sha256 *payment_hash, const struct payload *final)
{
	struct onion_hop hops[ONION_HOPS_MAX];
	struct secret32 secrets[ONION_HOPS_MAX];
	struct buf payloads[ONION_HOPS_MAX];
	struct onion_request r = {
		.hops = hops, .hop_count = count, .packet_size = ONION_PACKET_SIZE,
		.session_key = *session_key, .associated = BYTES_OF(payment_hash->v),
	};
	bool good;

	ASSERT(count && count <= ONION_HOPS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct payload forward = { 0 };

		if (i + 1 < count) {
			forward.amount = amounts[i + 1];
			forward.cltv_expiry = cltv_expiries[i + 1];
			forward.scid = path[i + 1].scid;
		}
		buf_init(&payloads[i]);
		payload_write(i + 1 < count ? &forward : final, &payloads[i]);
		hops[i] = (struct onion_hop){ path[i].node_id, buf_view(&payloads[i]) };
	}
	good = onion_build(out, secrets, secp, &r);
	for (uint32_t i = 0; i < count; i++)
		buf_wipe(&payloads[i]);
	mem_wipe(secrets, sizeof(secrets));
	mem_wipe(&r, sizeof(r));
	return good;
}

bool path_onion(const struct path *p, struct buf *out, const struct secp *secp, const struct secret32 *session_key,
		const struct sha256 *payment_hash, const struct payload *final)
{
	struct amount_msat amounts[ONION_HOPS_MAX];
	uint32_t cltv_expiries[ONION_HOPS_MAX];

	return path_amounts(p, amounts, cltv_expiries, final->amount, final->cltv_expiry) &&
	       path_given_onion(p->hops, p->count, amounts, cltv_expiries, out, secp, session_key, payment_hash, final);
}

static bool same_node(const struct pubkey *a, const struct pubkey *b)
{
	return SAME(*a, *b);
}

/* The last hop of the hint that is the node, so that the way along it is the shortest; hint->count if there is none. */
static uint32_t hint_entry(const struct path_hint *hint, const struct pubkey *node)
{
	for (uint32_t i = hint->count; i-- > 0;)
		if (same_node(&hint->hops[i].node_id, node))
			return i;
	return hint->count;
}

static void start_path(struct path *p, const struct path_channel *channel)
{
	memset(p, 0, sizeof(*p));
	p->channel_key = channel->key;
	p->spendable = channel->spendable;
	p->htlc_min = channel->htlc_min;
	p->hops[0].node_id = channel->peer;
	p->count = 1;
}

static void follow_hint(struct path *p, const struct path_hint *hint, uint32_t from, const struct pubkey *payee)
{
	for (uint32_t i = from; i < hint->count; i++) {
		const struct path_hint_hop *h = &hint->hops[i];
		struct path_hop *next = &p->hops[p->count++];

		next->node_id = i + 1 < hint->count ? hint->hops[i + 1].node_id : *payee;
		next->scid = h->scid;
		next->fee_base_msat = h->fee_base_msat;
		next->fee_ppm = h->fee_ppm;
		next->cltv_delta = h->cltv_delta;
	}
}

/* The hop of the hint at which a path from the channel enters it; hint->count: no path. */
static uint32_t usable_entry(const struct path_hint *hint, const struct path_channel *channel, const struct pubkey *payee)
{
	uint32_t from = hint_entry(hint, &channel->peer);

	/* From the payee itself no hint leads to it better than the channel does. */
	if (same_node(&channel->peer, payee) || hint->count - from + 1 > ONION_HOPS_MAX)
		return hint->count;
	return from;
}

struct path_list path_find(struct arena *a, const struct path_channel *channels, uint32_t channel_count,
			   const struct path_hint *hints, uint32_t hint_count, const struct pubkey *payee)
{
	struct path_list list = { 0 };
	uint32_t most = 0;

	for (uint32_t c = 0; c < channel_count; c++) {
		most += same_node(&channels[c].peer, payee);
		for (uint32_t h = 0; h < hint_count; h++)
			most += usable_entry(&hints[h], &channels[c], payee) < hints[h].count;
	}
	if (!most)
		return list;
	list.paths = ARENA_ARRAY(a, struct path, most);
	for (uint32_t c = 0; c < channel_count; c++)
		if (same_node(&channels[c].peer, payee))
			start_path(&list.paths[list.count++], &channels[c]);
	for (uint32_t h = 0; h < hint_count; h++) {
		for (uint32_t c = 0; c < channel_count; c++) {
			uint32_t from = usable_entry(&hints[h], &channels[c], payee);

			if (from == hints[h].count)
				continue;
			start_path(&list.paths[list.count], &channels[c]);
			follow_hint(&list.paths[list.count++], &hints[h], from, payee);
		}
	}
	ASSERT(list.count == most);
	return list;
}
