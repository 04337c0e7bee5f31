/* Bech32 and bech32m (BIP 173, BIP 350), without their limit of 90 characters where the caller says so: BOLT 11
 * invoices are longer, and BOLT 12 uses the alphabet without the checksum. */
#ifndef BITCOIN_BECH32_H
#define BITCOIN_BECH32_H

#include "base/arena.h"
#include "base/bytes.h"

/* The constant that the checksum ends on. */
enum bech32_variant { BECH32 = 1, BECH32M = 0x2bc830a3 };

#define BECH32_SIZE_MAX 90u /* characters of an address */

struct bech32 {
	const char *hrp;     /* lower case, NUL-terminated, in the arena */
	const uint8_t *data; /* values of 5 bits, without the checksum, in the arena */
	size_t count;
	enum bech32_variant variant;
};

/* Appends hrp, the separator, data and checksum, in lower case. */
void bech32_encode(struct buf *out, const char *hrp, const uint8_t *data5, size_t count, enum bech32_variant variant);
/* False where text is neither: a character that is none, mixed case, no human-readable part, a wrong checksum, or
 * longer than size_max. */
MUST_USE bool bech32_decode(struct arena *a, struct bech32 *out, struct bytes text, size_t size_max);
/* The same without a checksum (BOLT 12).  The variant is not set. */
void bech32_encode_plain(struct buf *out, const char *hrp, const uint8_t *data5, size_t count);
MUST_USE bool bech32_decode_plain(struct arena *a, struct bech32 *out, struct bytes text, size_t size_max);

/* Regroups values of from bits into values of to bits (each 1 to 8), most significant first.  pad: the last group
 * is filled with zeros.  Without pad, bits left over must be fewer than from and zero, or it returns false. */
MUST_USE bool bech32_convert_bits(struct buf *out, unsigned to, const uint8_t *in, size_t count, unsigned from, bool pad);

#endif
