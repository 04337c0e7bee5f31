/* Hierarchical keys: BIP 32, with the account paths of BIP 44, BIP 84 and BIP 86. */
#ifndef BITCOIN_BIP32_H
#define BITCOIN_BIP32_H

#include "bitcoin/network.h"
#include "crypto/keys.h"

#define BIP32_HARDENED 0x80000000u
#define BIP32_DEPTH_MAX 255u
#define BIP32_SEED_SIZE_MIN 16u
#define BIP32_SEED_SIZE_MAX 64u

/* An extended key.  Wipe one that is private. */
struct bip32_key {
	uint8_t depth;
	uint8_t parent4[4]; /* fingerprint of the parent, zeros for a master */
	uint32_t index;     /* as which child */
	struct secret32 chain_code;
	bool is_private;
	struct secret32 secret; /* where is_private */
	struct pubkey point;
};

enum bip32_purpose { BIP32_BIP44 = 44, BIP32_BIP84 = 84, BIP32_BIP86 = 86 };

/* False if the seed's size is not 16 to 64 bytes, or if (at 2^-127) it gives no key. */
MUST_USE bool bip32_master(const struct secp *s, struct bip32_key *out, struct bytes seed);
/* One step down.  A private parent gives a private child; s may be NULL for a public one.  False for a hardened
 * child of a public key, below depth 255, and (at 2^-127) where the child does not exist.  out may be parent. */
MUST_USE bool bip32_child(const struct secp *s, struct bip32_key *out, const struct bip32_key *parent, uint32_t index);
MUST_USE bool bip32_derive(const struct secp *s, struct bip32_key *out, const struct bip32_key *from,
			   const uint32_t *path, size_t count);
/* m / purpose' / coin' / account' from a private master. */
MUST_USE bool bip32_account(const struct secp *s, struct bip32_key *out, const struct bip32_key *master,
			    enum bip32_purpose purpose, const struct network *n, uint32_t account);
/* Drops the private half. */
void bip32_neuter(struct bip32_key *k);
void bip32_wipe(struct bip32_key *k);
void bip32_fingerprint(uint8_t out4[4], const struct bip32_key *k);

/* xprv or tprv of a private key, xpub or tpub of a public one. */
void bip32_encode(struct buf *out, const struct network *n, const struct bip32_key *k);
/* False for what BIP 32's test vector 5 lists, and for a key of other networks.  s is needed for private keys. */
MUST_USE bool bip32_decode(const struct secp *s, struct bip32_key *out, const struct network *n, struct bytes text);

/* "m/84'/0'/0'/1/5", with ', h or H; "m" alone is the empty path.  False if malformed or longer than path_max. */
MUST_USE bool bip32_parse_path(uint32_t *path, size_t *count, size_t path_max, struct bytes text);

#endif
