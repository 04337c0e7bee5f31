#include "onion/attribution.h"

#include <string.h>

#include "crypto/hash.h"
#include "onion/sphinx.h"

#define HMAC ATTRIBUTION_HMAC_SIZE

/* The HMACs of the node so many hops downstream: one for each distance that it may have from the last node, the largest
 * first. */
static uint32_t block_of(uint32_t node)
{
	return node * ATTRIBUTION_HOPS - node * (node - 1) / 2;
}

static uint32_t block_size(uint32_t node)
{
	return ATTRIBUTION_HOPS - node;
}

static uint8_t *hmac_at(struct attribution *a, uint32_t index)
{
	return a->v + ATTRIBUTION_TIMES_SIZE + (size_t)index * HMAC;
}

/* That of a node which is so far from the last one: 0 is the last one itself. */
static uint8_t *hmac_of(struct attribution *a, uint32_t node, uint32_t distance)
{
	return hmac_at(a, block_of(node) + block_size(node) - 1 - distance);
}

uint32_t attribution_units(uint64_t held_ms)
{
	const uint64_t units = held_ms / ATTRIBUTION_UNIT_MS;

	return units < UINT32_MAX ? (uint32_t)units : UINT32_MAX;
}

/* --- shifts --- */

/* B4.intermediate_nodes.1: what would belong to a 21st node goes. */
static void shift_downstream(struct attribution *a)
{
	memmove(a->v + 4, a->v, ATTRIBUTION_TIMES_SIZE - 4);
	for (uint32_t node = ATTRIBUTION_HOPS - 1; node > 0; node--)
		memmove(hmac_at(a, block_of(node)), hmac_at(a, block_of(node - 1) + 1), (size_t)block_size(node) * HMAC);
}

/* The other way: what has gone is zero. */
static void shift_upstream(struct attribution *a)
{
	memmove(a->v, a->v + 4, ATTRIBUTION_TIMES_SIZE - 4);
	memset(a->v + ATTRIBUTION_TIMES_SIZE - 4, 0, 4);
	for (uint32_t node = 0; node < ATTRIBUTION_HOPS; node++) {
		memset(hmac_at(a, block_of(node)), 0, HMAC);
		if (node + 1 < ATTRIBUTION_HOPS)
			memcpy(hmac_at(a, block_of(node) + 1), hmac_at(a, block_of(node + 1)), (size_t)block_size(node + 1) * HMAC);
	}
}

static void stream_xor(struct attribution *a, const struct secret32 *shared_secret)
{
	struct secret32 key = onion_key("ammagext", shared_secret);

	onion_stream_xor(a->v, sizeof(a->v), &key);
	mem_wipe(&key, sizeof(key));
}

/* --- HMACs --- */

/* Under the node's key, the return packet taken in: what all its HMACs begin with is hashed once. */
static void start_hmac(struct hmac_state *h, const struct secret32 *shared_secret, struct bytes report)
{
	struct secret32 um = onion_key("um", shared_secret);

	hmac_state_init(h, BYTES_OF(um.v));
	hmac_state_add(h, report);
	mem_wipe(&um, sizeof(um));
}

/* h has taken in the return packet and the hold times of `distance` + 1 nodes.  Of the first node, at that distance. */
static void finish_hmac(uint8_t out4[HMAC], struct hmac_state h, struct attribution *a, uint32_t distance)
{
	uint8_t downstream[HMAC * ATTRIBUTION_HOPS];
	struct sha256 full;

	for (uint32_t node = 1; node <= distance; node++)
		memcpy(downstream + (size_t)(node - 1) * HMAC, hmac_of(a, node, distance - node), HMAC);
	hmac_state_add(&h, BYTES(downstream, (size_t)distance * HMAC));
	full = hmac_state_finish(&h);
	memcpy(out4, full.v, HMAC);
}

void attribution_add(struct attribution *a, const struct secret32 *shared_secret, uint32_t hold_time, struct bytes report)
{
	struct hmac_state h;

	shift_downstream(a);
	/* B4.intermediate_nodes.3 */
	store_be32(a->v, hold_time);
	start_hmac(&h, shared_secret, report);
	for (uint32_t distance = 0; distance < ATTRIBUTION_HOPS; distance++) {
		hmac_state_add(&h, BYTES(a->v + (size_t)4 * distance, 4));
		finish_hmac(hmac_of(a, 0, distance), h, a, distance);
	}
	mem_wipe(&h, sizeof(h));
	stream_xor(a, shared_secret);
}

/* --- the origin --- */

void attribution_reader_init(struct attribution_reader *r, struct bytes data, uint32_t hop_count)
{
	memset(r, 0, sizeof(*r));
	if (data.size != ATTRIBUTION_SIZE || hop_count > ATTRIBUTION_HOPS)
		return;
	r->report.present = true;
	r->hop_count = hop_count;
	memcpy(r->left.v, data.data, sizeof(r->left.v));
}

/* Whether the first node's HMAC for that distance covers nothing but zeros from downstream. */
static bool heard_nothing(struct attribution *a, uint32_t distance)
{
	uint32_t any = 0;

	for (uint32_t node = 1; node <= distance; node++)
		any |= load_be32(a->v + (size_t)4 * node) | load_be32(hmac_of(a, node, distance - node));
	return any == 0;
}

void attribution_read(struct attribution_reader *r, const struct secret32 *shared_secret, struct bytes report)
{
	/* Behind the route there is nothing to find, and as much to do. */
	const bool real = r->at < r->hop_count;
	const uint32_t distance = real ? r->hop_count - 1 - r->at : 0;
	uint8_t expected[HMAC];
	struct hmac_state h;

	if (!r->report.present || r->at == ATTRIBUTION_HOPS)
		return;
	stream_xor(&r->left, shared_secret);
	start_hmac(&h, shared_secret, report);
	hmac_state_add(&h, BYTES(r->left.v, (size_t)4 * (distance + 1)));
	finish_hmac(expected, h, &r->left, distance);
	mem_wipe(&h, sizeof(h));
	if (!mem_equal_secret(expected, hmac_of(&r->left, 0, distance), HMAC))
		r->broken = true;
	if (real && !r->broken) {
		r->report.hold_times[r->report.verified++] = load_be32(r->left.v);
		r->report.silent = heard_nothing(&r->left, distance);
	}
	shift_upstream(&r->left);
	r->at++;
}

void attribution_open(struct attribution_report *out, const struct secret32 *secrets, uint32_t hop_count, struct bytes data)
{
	struct attribution_reader r;

	attribution_reader_init(&r, data, hop_count);
	for (uint32_t i = 0; i < r.hop_count; i++)
		attribution_read(&r, &secrets[i], BYTES_NONE);
	*out = r.report;
}
