/* Every key of a node, from its seed.
 *
 * BIP 32 master of the seed (the 64 bytes of a BIP 39 sentence, or 32 of any
 * other), then hardened branches, so that none leads to another:
 *
 *	m/84'/coin'/0', m/86'/coin'/0'  the wallet (BIP 84, BIP 86)
 *	m/9735'/coin'/0'                the node key
 *	m/9735'/coin'/1'                the root of the channels' basepoint secrets
 *	m/9735'/coin'/2'                the root of their per-commitment secrets
 *
 * The secrets of channel `key` are HKDF-SHA256 of the root with the key id
 * (big endian) as info, so a seed and a key id are all that a recovery needs.
 * The layout is forever: changing it loses channels.  One thread. */
#ifndef RUNTIME_SIGNER_KEYRING_H
#define RUNTIME_SIGNER_KEYRING_H

#include "bitcoin/bip32.h"
#include "contract/memo.h"

#define KEYRING_SEED_MIN 32u
#define KEYRING_SEED_MAX 64u

struct keyring;

/* The keys of one channel.  The keyring's; it wipes them. */
struct channel_keys {
	uint64_t key;
	struct basepoint_secrets secrets;
	struct basepoints points;
	struct secret32 shachain_seed;
	/* Per-commitment points computed last: each commitment asks for the same few. */
	struct {
		bool filled;
		uint64_t number;
		struct pubkey point;
	} recent[4];
};

/* Returns owned; NULL if the seed's size is not 32 to 64 bytes.  blinding is fresh entropy of this run. */
MUST_USE struct keyring *keyring_new(const struct network *network, struct bytes seed, const uint8_t blinding32[32]);
void keyring_free(struct keyring *k); /* wipes */

/* The memo that its owner shares with those who check revealed secrets; borrowed, NULL: none. */
void keyring_share(struct keyring *k, struct memo *memo);
const struct secp *keyring_secp(const struct keyring *k);
const struct secret32 *keyring_node_secret(const struct keyring *k);
const struct pubkey *keyring_node_id(const struct keyring *k);
/* The wallet's private account key; the caller wipes it. */
MUST_USE bool keyring_account(const struct keyring *k, struct bip32_key *out, enum bip32_purpose purpose);

/* Borrowed until the next call. */
struct channel_keys *keyring_channel(struct keyring *k, uint64_t key);
/* BOLT 3 "Per-commitment Secret Requirements", for a commitment number that counts up from 0. */
/* Says that this point will be asked for; forgotten when many are. */
void keyring_expect(struct keyring *k, uint64_t key, uint64_t number);
/* Computes one of those; false: there is none. */
MUST_USE bool keyring_ahead(struct keyring *k);
void channel_keys_secret(const struct channel_keys *c, struct secret32 *out, uint64_t number);
void channel_keys_point(struct keyring *k, struct channel_keys *c, struct pubkey *out, uint64_t number);

#endif
