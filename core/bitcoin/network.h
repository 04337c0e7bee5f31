/* The Bitcoin networks and what differs between them.
 *
 * One table; every pointer to a struct network points into it, so networks compare by pointer.  Sources: BIP 44,
 * BIP 84, BIP 173, BOLT 0, BOLT 1, BOLT 11 and Bitcoin Core's chain parameters. */
#ifndef BITCOIN_NETWORK_H
#define BITCOIN_NETWORK_H

#include "base/bytes.h"
#include "base/types.h"

struct network {
	const char *name;          /* ours: "bitcoin", "testnet", "testnet4", "signet", "regtest" */
	const char *core_name;     /* what Bitcoin Core's getblockchaininfo calls it */
	const char *hrp;           /* BIP 173 */
	const char *bolt11_prefix; /* BOLT 11: "ln" and the hrp, but lntbs for signet */
	struct block_hash genesis; /* BOLT 0's chain_hash */
	uint32_t bip32_public, bip32_private; /* version bytes: xpub, xprv or tpub, tprv */
	uint32_t coin_type;        /* BIP 44 */
	uint32_t pow_limit_bits;   /* the easiest target */
	uint16_t lightning_port;   /* BOLT 1 */
	uint16_t core_rpc_port;
	uint8_t p2pkh_version, p2sh_version, wif_version; /* base58check */
	bool worthless; /* its coins have no price: looser defaults are allowed */
};

enum { NETWORK_COUNT = 5 };
extern const struct network networks[NETWORK_COUNT];

/* NULL where there is none. */
MUST_USE const struct network *network_by_name(const char *name);
MUST_USE const struct network *network_by_genesis(const struct block_hash *genesis);

#endif
