/* Addresses: text for scriptPubKeys, and private keys in WIF (BIP 141, 173, 350, base58check). */
#ifndef BITCOIN_ADDRESS_H
#define BITCOIN_ADDRESS_H

#include "base/arena.h"
#include "bitcoin/network.h"

#define ADDRESS_SIZE 91u /* the longest text with its NUL */

/* The script that text pays to, in the arena.  False, with the reason for a human in *why, where text is no address
 * of this network. */
MUST_USE bool address_decode(struct arena *a, struct bytes *script, const char **why, const struct network *n,
			     struct bytes text);
/* False, with out empty, for a script that has no address. */
MUST_USE bool address_encode(char out[ADDRESS_SIZE], const struct network *n, struct bytes script);

/* A private key as wallets export it.  compressed tells which public key it stands for. */
MUST_USE bool wif_decode(struct secret32 *k, bool *compressed, const struct network *n, struct bytes text);
void wif_encode(struct buf *out, const struct network *n, const struct secret32 *k, bool compressed);

#endif
