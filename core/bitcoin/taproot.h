/* Taproot outputs: tweaks, leaves and branches of script trees (BIP 341). */
#ifndef BITCOIN_TAPROOT_H
#define BITCOIN_TAPROOT_H

#include "bitcoin/script.h"
#include "crypto/keys.h"

#define TAPROOT_LEAF_TAPSCRIPT 0xc0u /* BIP 342 */

struct sha256 taproot_leaf_hash(uint8_t leaf_version, struct bytes script);
/* The two children in either order. */
struct sha256 taproot_branch_hash(const struct sha256 *a, const struct sha256 *b);
/* merkle_root NULL: no scripts. */
struct sha256 taproot_tweak(const struct xonly *internal, const struct sha256 *merkle_root);
/* The output key and the parity of its Y, which a control block repeats.  False if internal is no point. */
MUST_USE bool taproot_output_key(struct xonly *out, int *parity, const struct xonly *internal,
				 const struct sha256 *merkle_root);
/* Turns the internal private key into the output's.  False if k is invalid (or, at 2^-128, the tweak). */
MUST_USE bool taproot_seckey(const struct secp *s, struct secret32 *k, const struct sha256 *merkle_root);
/* The control block of a leaf whose path from the leaf to the root is path[0..depth). */
void taproot_control_block(struct buf *out, uint8_t leaf_version, int parity, const struct xonly *internal,
			   const struct sha256 *path, uint32_t depth);

#endif
