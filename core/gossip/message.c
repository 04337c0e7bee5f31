#include "gossip/message.h"

#include <string.h>

#include "crypto/hash.h"
#include "wire/features.h"
#include "wire/utf8.h"

#define TYPE_SIZE 2u
#define SIG_SIZE 64u

/* ---- What is signed ---- */

static struct bytes after(struct bytes raw, size_t skip)
{
	ASSERT(raw.size >= skip);
	return BYTES(raw.data + skip, raw.size - skip);
}

struct bytes channel_announcement_signed(struct bytes raw)
{
	return after(raw, TYPE_SIZE + 4 * SIG_SIZE);
}

struct bytes node_announcement_signed(struct bytes raw)
{
	return after(raw, TYPE_SIZE + SIG_SIZE);
}

struct bytes channel_update_signed(struct bytes raw)
{
	return after(raw, TYPE_SIZE + SIG_SIZE);
}

static struct sha256 signed_hash(struct bytes b)
{
	return sha256d(b.data, b.size);
}

uint32_t channel_announcement_checks(struct gossip_check out[4], const struct msg_channel_announcement *m, struct bytes raw)
{
	/* B7.channel_announcement.9: one hash for all four. */
	struct sha256 hash = signed_hash(channel_announcement_signed(raw));

	out[0] = (struct gossip_check){ hash, m->node_signature_1, m->node_id_1 };
	out[1] = (struct gossip_check){ hash, m->node_signature_2, m->node_id_2 };
	out[2] = (struct gossip_check){ hash, m->bitcoin_signature_1, m->bitcoin_key_1 };
	out[3] = (struct gossip_check){ hash, m->bitcoin_signature_2, m->bitcoin_key_2 };
	return 4;
}

uint32_t node_announcement_checks(struct gossip_check out[1], const struct msg_node_announcement *m, struct bytes raw)
{
	out[0] = (struct gossip_check){ signed_hash(node_announcement_signed(raw)), m->signature, m->node_id };
	return 1;
}

uint32_t channel_update_checks(struct gossip_check out[1], const struct msg_channel_update *m, struct bytes raw,
			       const struct pubkey *origin)
{
	out[0] = (struct gossip_check){ signed_hash(channel_update_signed(raw)), m->signature, *origin };
	return 1;
}

/* ---- Checksums and policies ---- */

/* chain_hash and scid, then everything after the timestamp. */
uint32_t channel_update_checksum(struct bytes raw)
{
	struct bytes s = channel_update_signed(raw);

	ASSERT(s.size >= 44);
	return crc32c(crc32c(0, BYTES(s.data, 40)), after(s, 44));
}

struct graph_policy channel_update_policy(const struct msg_channel_update *m, struct bytes raw)
{
	return (struct graph_policy){
		.htlc_minimum = m->htlc_minimum_msat,
		.htlc_maximum = m->htlc_maximum_msat,
		.timestamp = m->timestamp,
		.fee_base_msat = m->fee_base_msat,
		.fee_ppm = m->fee_proportional_millionths,
		.checksum = channel_update_checksum(raw),
		.cltv_delta = m->cltv_expiry_delta,
		.flags = m->channel_flags & UPDATE_DISABLE ? GRAPH_DISABLED : 0,
	};
}

bool features_unknown_even(struct bytes features)
{
	for (uint32_t bit = 0; bit < features.size * 8; bit += 2)
		if (features_bit(features, bit) && !feature_name(bit))
			return true;
	return false;
}

uint64_t features_low(struct bytes features)
{
	uint64_t v = 0;

	for (uint32_t bit = 0; bit < 64 && bit < features.size * 8; bit++)
		v |= (uint64_t)features_bit(features, bit) << bit;
	return v;
}

/* ---- Arrays ---- */

bool scids_decode(struct bytes encoded, struct arena *a, struct scid **out, uint32_t *count)
{
	struct cursor c = cursor_of(encoded);

	*out = NULL;
	*count = 0;
	if (cursor_u8(&c) != ENCODING_PLAIN || !cursor_ok(&c) || c.left % 8)
		return false;
	*count = (uint32_t)(c.left / 8);
	*out = ARENA_ARRAY(a, struct scid, *count);
	for (uint32_t i = 0; i < *count; i++)
		(*out)[i].v = cursor_be64(&c);
	return cursor_done(&c);
}

/* B7.query_short_channel_ids_reply_short_chan.4, .5 */
void scids_encode(const struct scid *list, uint32_t count, struct buf *out)
{
	buf_add_u8(out, ENCODING_PLAIN);
	for (uint32_t i = 0; i < count; i++)
		buf_add_be64(out, list[i].v);
}

bool query_flags_decode(const struct tlv_query_short_channel_ids_query_flags *t, struct arena *a, uint32_t count,
			uint64_t **out)
{
	struct cursor c = cursor_of(t->encoded_query_flags);

	if (t->encoding_type != ENCODING_PLAIN)
		return false;
	*out = ARENA_ARRAY(a, uint64_t, count);
	for (uint32_t i = 0; i < count; i++)
		(*out)[i] = cursor_bigsize(&c);
	return cursor_done(&c);
}

/* ---- Ours ---- */

/* Whether our node is node_id_1. */
static bool ours_is_first(const struct pubkey node[2])
{
	return memcmp(node[0].v, node[1].v, sizeof(node[0].v)) < 0;
}

void own_announcement_build(const struct own_announcement *o, struct buf *out)
{
	int first = ours_is_first(o->node) ? 0 : 1; /* B7.channel_announcement.7, .8 */
	struct msg_channel_announcement m = {
		.features = features_trimmed(o->features), /* B7.channel_announcement.12, .13 */
		.chain_hash = o->chain,                    /* B7.channel_announcement.1 */
		.short_channel_id = o->scid,
		.node_id_1 = o->node[first],
		.node_id_2 = o->node[!first],
		.bitcoin_key_1 = o->funding[first],
		.bitcoin_key_2 = o->funding[!first],
	};

	msg_channel_announcement_encode(&m, out);
}

void own_announcement_sign(const struct own_announcement *o, struct buf *message, const struct sig64 node[2],
			   const struct sig64 funding[2])
{
	int first = ours_is_first(o->node) ? 0 : 1;
	uint8_t *p = message->data + TYPE_SIZE;

	/* B7.channel_announcement.10, .11 */
	memcpy(p, node[first].v, SIG_SIZE);
	memcpy(p + SIG_SIZE, node[!first].v, SIG_SIZE);
	memcpy(p + 2 * SIG_SIZE, funding[first].v, SIG_SIZE);
	memcpy(p + 3 * SIG_SIZE, funding[!first].v, SIG_SIZE);
}

void own_update_build(const struct own_update *u, struct buf *out)
{
	struct msg_channel_update m = {
		.chain_hash = u->chain, /* B7.channel_update.6 */
		.short_channel_id = u->scid,
		.timestamp = u->timestamp,
		/* B7.channel_update.3, .12, .13 */
		.message_flags = (uint8_t)(UPDATE_MUST_BE_ONE | (u->to_peer_only ? UPDATE_DONT_FORWARD : 0)),
		/* B7.channel_update.7, .8 */
		.channel_flags = (uint8_t)((ours_is_first(u->node) ? 0 : UPDATE_DIRECTION) | (u->disabled ? UPDATE_DISABLE : 0)),
		.cltv_expiry_delta = u->cltv_delta,
		.htlc_minimum_msat = u->htlc_minimum,
		.fee_base_msat = u->fee_base_msat,
		.fee_proportional_millionths = u->fee_ppm,
		.htlc_maximum_msat = u->htlc_maximum,
	};

	ASSERT(u->timestamp > 0); /* B7.channel_update.14 */
	msg_channel_update_encode(&m, out);
}

bool own_node_alias(uint8_t out32[32], struct bytes alias)
{
	size_t size = alias.size < 32 ? alias.size : 32;

	memset(out32, 0, 32);
	if (!utf8_valid(alias))
		return false;
	while (!utf8_valid(BYTES(alias.data, size)))
		size--;
	if (size)
		memcpy(out32, alias.data, size); /* B7.node_announcement.5 */
	return true;
}

void own_node_build(const struct own_node *n, struct buf *out)
{
	struct msg_node_announcement m = {
		.features = features_trimmed(n->features), /* B7.node_announcement.13, .14 */
		.timestamp = n->timestamp,
		.node_id = n->id,
		.addresses = n->addresses, /* B7.node_announcement.7: the encoder counts them */
	};

	memcpy(m.rgb_color, n->rgb, sizeof(m.rgb_color));
	memcpy(m.alias, n->alias, sizeof(m.alias));
	msg_node_announcement_encode(&m, out);
}

void own_message_sign(struct buf *message, const struct sig64 *signature)
{
	ASSERT(message->size >= TYPE_SIZE + SIG_SIZE);
	memcpy(message->data + TYPE_SIZE, signature->v, SIG_SIZE);
}
