/* Base58 and base58check: old addresses, private keys and BIP 32's extended keys. */
#ifndef BITCOIN_BASE58_H
#define BITCOIN_BASE58_H

#include "base/bytes.h"

/* The work grows with the square of the size: longer text is refused, longer data asserted. */
#define BASE58_TEXT_MAX 1024u

void base58_encode(struct buf *out, struct bytes b);
/* Appends; false (out unchanged) for a character outside the alphabet or text that is too long. */
MUST_USE bool base58_decode(struct buf *out, struct bytes text);
/* With four bytes of the double SHA-256. */
void base58check_encode(struct buf *out, struct bytes b);
/* Without those four bytes; false if they are wrong. */
MUST_USE bool base58check_decode(struct buf *out, struct bytes text);

#endif
