#include "bench/load/crowd.h"

#include <stdio.h>
#include <string.h>

#include "contract/scripts.h"
#include "crypto/hash.h"
#include "gossip/message.h"

struct secret32 crowd_key(char kind, uint32_t number)
{
	uint8_t text[5] = { (uint8_t)kind };
	struct secret32 k;
	struct sha256 h;

	store_be32(text + 1, number);
	h = sha256(text, sizeof(text));
	memcpy(k.v, h.v, sizeof(k.v));
	return k;
}

static struct pubkey point_of(const struct crowd *n, char kind, uint32_t number)
{
	struct secret32 k = crowd_key(kind, number);
	struct pubkey p;

	pubkey_of(n->secp, &p, &k);
	return p;
}

static uint32_t draw(uint32_t channel, uint32_t which, uint32_t below)
{
	uint8_t text[8];
	struct sha256 h;

	store_be32(text, channel);
	store_be32(text + 4, which);
	h = sha256(text, sizeof(text));
	return load_be32(h.v) % below;
}

/* The first channels join every node to one before it; the rest prefer the first nodes. */
static void draw_ends(struct crowd *n)
{
	for (uint32_t i = 0; i < n->channels; i++) {
		uint32_t a = i + 1 < n->nodes ? i + 1 : draw(i, 0, n->nodes);
		uint32_t b = draw(i, 1, draw(i, 2, a ? a : n->nodes - 1) + 1);

		if (a == b)
			b = a ? a - 1 : 1;
		if (memcmp(n->ids[a].v, n->ids[b].v, sizeof(n->ids[a].v)) > 0) {
			uint32_t swap = a;

			a = b;
			b = swap;
		}
		n->ends[i][0] = a;
		n->ends[i][1] = b;
	}
}

struct crowd *crowd_new(uint32_t channels, uint32_t nodes, const struct block_hash *chain)
{
	static const uint8_t seed[32] = { 9 };
	struct crowd *n = NEW(struct crowd);

	ASSERT(nodes >= 2 && channels >= nodes);
	n->secp = secp_new(seed);
	n->chain = *chain;
	n->channels = channels;
	n->nodes = nodes;
	n->ids = NEW_ARRAY(struct pubkey, nodes);
	n->ends = mem_alloc(channels * sizeof(*n->ends));
	n->scids = NEW_ARRAY(struct scid, channels);
	for (uint32_t i = 0; i < nodes; i++)
		n->ids[i] = point_of(n, 'n', i);
	draw_ends(n);
	crowd_place(n, 1, 1, 100);
	return n;
}

void crowd_free(struct crowd *n)
{
	secp_free(n->secp);
	mem_free(n->ids);
	mem_free(n->ends);
	mem_free(n->scids);
	mem_free(n);
}

void crowd_place(struct crowd *n, uint32_t height, uint32_t tx_index, uint32_t per_block)
{
	for (uint32_t i = 0; i < n->channels; i++)
		n->scids[i] = scid_make(height + i / per_block, tx_index, (uint16_t)(i % per_block));
}

/* ---- Messages ---- */

static struct sig64 sign(const struct crowd *n, char kind, uint32_t number, struct bytes what)
{
	struct secret32 k = crowd_key(kind, number);
	struct sha256 hash = sha256d(what.data, what.size);
	struct sig64 sig;

	ecdsa_sign(n->secp, &sig, &hash, &k, false);
	return sig;
}

struct bytes crowd_script(const struct crowd *n, struct arena *a, uint32_t channel)
{
	struct pubkey one = point_of(n, '1', channel), two = point_of(n, '2', channel);

	return funding_script_pubkey(a, &one, &two);
}

void crowd_announcement(const struct crowd *n, uint32_t channel, struct buf *out)
{
	const uint32_t *ends = n->ends[channel];
	struct own_announcement o = { .chain = n->chain, .scid = n->scids[channel],
				      .node = { n->ids[ends[0]], n->ids[ends[1]] },
				      .funding = { point_of(n, '1', channel), point_of(n, '2', channel) } };
	struct sig64 node[2], funding[2];
	struct buf raw = BUF_EMPTY;
	struct bytes what;

	own_announcement_build(&o, &raw);
	what = channel_announcement_signed(buf_view(&raw));
	node[0] = sign(n, 'n', ends[0], what);
	node[1] = sign(n, 'n', ends[1], what);
	funding[0] = sign(n, '1', channel, what);
	funding[1] = sign(n, '2', channel, what);
	own_announcement_sign(&o, &raw, node, funding);
	buf_add_bytes(out, buf_view(&raw));
	buf_release(&raw);
}

void crowd_update(const struct crowd *n, uint32_t channel, uint32_t direction, uint32_t timestamp, struct buf *out)
{
	uint32_t from = n->ends[channel][direction], to = n->ends[channel][!direction];
	struct own_update u = { .chain = n->chain, .scid = n->scids[channel], .node = { n->ids[from], n->ids[to] },
				.timestamp = timestamp, .cltv_delta = 40, .htlc_minimum = MSAT(1000),
				.htlc_maximum = MSAT(9000000), .fee_base_msat = 1000, .fee_ppm = 1 + draw(channel, 3, 500) };
	struct buf raw = BUF_EMPTY;
	struct sig64 sig;

	own_update_build(&u, &raw);
	sig = sign(n, 'n', from, channel_update_signed(buf_view(&raw)));
	own_message_sign(&raw, &sig);
	buf_add_bytes(out, buf_view(&raw));
	buf_release(&raw);
}

void crowd_node(const struct crowd *n, uint32_t node, uint32_t timestamp, struct buf *out)
{
	struct own_node o = { .id = n->ids[node], .features = BYTES("\x80\x82", 2), .timestamp = timestamp,
			      .addresses = BYTES("\x01\x01\x02\x03\x04\x26\x07", 7) };
	struct buf raw = BUF_EMPTY;
	struct sig64 sig;
	char alias[32];

	snprintf(alias, sizeof(alias), "node %u", node);
	ASSERT(own_node_alias(o.alias, bytes_from_string(alias)));
	own_node_build(&o, &raw);
	sig = sign(n, 'n', node, node_announcement_signed(buf_view(&raw)));
	own_message_sign(&raw, &sig);
	buf_add_bytes(out, buf_view(&raw));
	buf_release(&raw);
}
