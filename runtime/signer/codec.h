/* Questions to a signer and its answers as bytes, for one in another process.
 *
 * Version 1, integers big endian.  A request: version (1), kind (1), channel
 * key (8), peer (33), then by kind:
 *
 *	CHANNEL_NEW              -
 *	REMOTE_COMMITMENT        commitment, revoked (1: the secret (32) follows)
 *	LOCAL_COMMITMENT         commitment
 *	REVOKE                   number (8), next (1: a commitment follows), signature (64), count (4), signatures
 *	                         (64 each)
 *	MUTUAL_CLOSE             tx, funding amount (8), remote funding key (33), to local (8), to remote (8),
 *	                         script, local balance in msat (8), local pays (1)
 *	SPEND                    tx, count (4), inputs
 *	ECDH                     point (33)
 *	INVOICE GOSSIP ANNOUNCEMENT   message
 *	POINT                    number (8)
 *
 * tx, script and message are a size (4) and bytes.  A commitment is everything
 * of struct commitment_spec in its order, keys left out, basepoints 5 * 33
 * each, the HTLCs with their count (4) before them.  An answer: version (1),
 * refused (1); refused: a reason in words; else what its kind fills of struct
 * sign_answer, in its order, signatures with their count (4).
 *
 * What is decoded lives in the arena and in the bytes.  Decoders take anything:
 * they are where another process reaches the keys. */
#ifndef RUNTIME_SIGNER_CODEC_H
#define RUNTIME_SIGNER_CODEC_H

#include "base/arena.h"
#include "base/cursor.h"
#include "step/sign.h"

#define SIGN_CODEC_VERSION 1
#define SIGN_REQUEST_SIZE_MAX (4u << 20)

void sign_request_encode(const struct sign_request *r, struct buf *out);
/* NULL: no request of this version. */
MUST_USE struct sign_request *sign_request_decode(struct arena *a, struct bytes b);

/* kind: of the request that it answers. */
void sign_answer_encode(const struct sign_answer *answer, enum sign_kind kind, struct buf *out);
MUST_USE bool sign_answer_decode(struct sign_answer *out, struct arena *a, enum sign_kind kind, struct bytes b);

#endif
