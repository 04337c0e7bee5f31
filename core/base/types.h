/* The fixed-length values of Bitcoin and Lightning, each a type of its own so
 * that a txid never goes where a payment hash belongs.  All are plain bytes in
 * the order in which the wire carries them (txid and block hash: the internal
 * order; RPC shows them reversed). */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sha256 { uint8_t v[32]; };
struct ripemd160 { uint8_t v[20]; };
struct hash160 { uint8_t v[20]; };
struct txid { uint8_t v[32]; };
struct block_hash { uint8_t v[32]; };
struct channel_id { uint8_t v[32]; };
struct preimage { uint8_t v[32]; };
struct secret32 { uint8_t v[32]; }; /* a private key or shared secret: wipe it */
struct pubkey { uint8_t v[33]; };   /* compressed; may be invalid until checked */
struct xonly { uint8_t v[32]; };
struct sig64 { uint8_t v[64]; };    /* compact ECDSA (r, s) or BIP 340 */
struct outpoint { struct txid txid; uint32_t index; };
/* BOLT 7 short_channel_id: block << 40 | transaction << 16 | output; 0 = none. */
struct scid { uint64_t v; };

#define SAME(a, b) (memcmp((a).v, (b).v, sizeof((a).v)) == 0)

static inline struct scid scid_make(uint32_t height, uint32_t tx_index, uint16_t output)
{
	return (struct scid){ (uint64_t)height << 40 | (uint64_t)tx_index << 16 | output };
}
static inline uint32_t scid_height(struct scid s) { return (uint32_t)(s.v >> 40); }
static inline uint32_t scid_tx_index(struct scid s) { return (uint32_t)(s.v >> 16) & 0xffffff; }
static inline uint16_t scid_output(struct scid s) { return (uint16_t)s.v; }

static inline bool outpoint_equal(const struct outpoint *a, const struct outpoint *b)
{
	return a->index == b->index && SAME(a->txid, b->txid);
}

#endif
