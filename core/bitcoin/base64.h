/* Base64 with padding (RFC 4648 section 4): PSBTs as text. */
#ifndef BITCOIN_BASE64_H
#define BITCOIN_BASE64_H

#include "base/bytes.h"

void base64_encode(struct buf *out, struct bytes b);
/* Appends; false, out unchanged, unless text is the one encoding of its bytes. */
MUST_USE bool base64_decode(struct buf *out, struct bytes text);

#endif
