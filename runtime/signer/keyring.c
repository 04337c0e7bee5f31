#include "runtime/signer/keyring.h"

#include "base/table.h"
#include "contract/commitment.h"
#include "crypto/hash.h"
#include "crypto/shachain.h"

#define PURPOSE 9735u
/* Beyond so many channels the cached keys are dropped and derived again: 16 MB at the most. */
#define CACHE_MAX 16384u

/* Channels that revoke between two idle moments and have the next point ready; the others compute it when it is due. */
#define EXPECTED_MAX 64u

enum branch { BRANCH_NODE = 0, BRANCH_CHANNELS = 1, BRANCH_COMMITMENTS = 2 };

struct keyring {
	struct secp *secp;
	const struct network *network;
	struct bip32_key master;
	struct secret32 node_secret;
	struct pubkey node_id;
	struct secret32 channel_root, commitment_root;
	struct table channels; /* of struct cached, by key */
	struct memo *memo;
	struct {
		uint64_t key, number;
	} expected[EXPECTED_MAX];
	uint32_t expected_count;
};

struct cached {
	uint8_t key8[8];
	struct channel_keys keys;
};

static struct bytes cached_key(const void *p)
{
	return BYTES_OF(((const struct cached *)p)->key8);
}

/* Not derivable at 2^-127: no seed of ours ever meets it. */
static void derive_branch(const struct keyring *k, struct secret32 *out, enum branch branch)
{
	uint32_t path[3] = { BIP32_HARDENED | PURPOSE, BIP32_HARDENED | k->network->coin_type,
			     BIP32_HARDENED | (uint32_t)branch };
	struct bip32_key child;

	ASSERT(bip32_derive(k->secp, &child, &k->master, path, ARRAY_COUNT(path)));
	*out = child.secret;
	bip32_wipe(&child);
}

struct keyring *keyring_new(const struct network *network, struct bytes seed, const uint8_t blinding32[32])
{
	static const uint8_t table_seed[16] = "channel keys";
	struct keyring *k;

	if (seed.size < KEYRING_SEED_MIN || seed.size > KEYRING_SEED_MAX)
		return NULL;
	k = NEW(struct keyring);
	k->network = network;
	k->secp = secp_new(blinding32);
	ASSERT(bip32_master(k->secp, &k->master, seed));
	derive_branch(k, &k->node_secret, BRANCH_NODE);
	derive_branch(k, &k->channel_root, BRANCH_CHANNELS);
	derive_branch(k, &k->commitment_root, BRANCH_COMMITMENTS);
	pubkey_of(k->secp, &k->node_id, &k->node_secret);
	/* Key ids are ours, not a stranger's choice: the seed needs no secrecy. */
	table_init(&k->channels, cached_key, table_seed);
	return k;
}

static void drop_cache(struct keyring *k)
{
	struct cached *c;

	for (uint32_t i = 0; (c = table_next(&k->channels, &i)); ) {
		table_remove(&k->channels, cached_key(c));
		mem_wipe_free(c, sizeof(*c));
	}
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	drop_cache(k);
	table_release(&k->channels);
	secp_free(k->secp);
	mem_wipe_free(k, sizeof(*k));
}

void keyring_share(struct keyring *k, struct memo *memo)
{
	k->memo = memo;
}

const struct secp *keyring_secp(const struct keyring *k)
{
	return k->secp;
}

const struct secret32 *keyring_node_secret(const struct keyring *k)
{
	return &k->node_secret;
}

const struct pubkey *keyring_node_id(const struct keyring *k)
{
	return &k->node_id;
}

bool keyring_account(const struct keyring *k, struct bip32_key *out, enum bip32_purpose purpose)
{
	return bip32_account(k->secp, out, &k->master, purpose, k->network, 0);
}

static void take_secret(struct secret32 *out, const uint8_t *from)
{
	memcpy(out->v, from, sizeof(out->v));
	ASSERT(seckey_valid(out)); /* fails at 2^-127 */
}

static void derive_basepoints(const struct keyring *k, struct channel_keys *c)
{
	pubkey_of(k->secp, &c->points.funding, &c->secrets.funding);
	pubkey_of(k->secp, &c->points.revocation, &c->secrets.revocation);
	pubkey_of(k->secp, &c->points.payment, &c->secrets.payment);
	pubkey_of(k->secp, &c->points.delayed_payment, &c->secrets.delayed_payment);
	pubkey_of(k->secp, &c->points.htlc, &c->secrets.htlc);
}

static void derive_channel(const struct keyring *k, struct channel_keys *c, struct bytes key8)
{
	uint8_t raw[5 * 32];

	hkdf_sha256(raw, sizeof(raw), bytes_from_string("lampo channel"), BYTES_OF(k->channel_root.v), key8);
	take_secret(&c->secrets.funding, raw);
	take_secret(&c->secrets.revocation, raw + 32);
	take_secret(&c->secrets.payment, raw + 64);
	take_secret(&c->secrets.delayed_payment, raw + 96);
	take_secret(&c->secrets.htlc, raw + 128);
	mem_wipe(raw, sizeof(raw));
	/* B3.per_commitment_secret_requirements.1: its own unguessable seed for each channel */
	hkdf_sha256(c->shachain_seed.v, sizeof(c->shachain_seed.v), bytes_from_string("lampo commitments"),
		    BYTES_OF(k->commitment_root.v), key8);
	derive_basepoints(k, c);
}

struct channel_keys *keyring_channel(struct keyring *k, uint64_t key)
{
	struct cached *c;
	uint8_t key8[8];

	store_be64(key8, key);
	c = table_get(&k->channels, BYTES_OF(key8));
	if (c)
		return &c->keys;
	if (table_count(&k->channels) >= CACHE_MAX)
		drop_cache(k);
	c = NEW(struct cached);
	memcpy(c->key8, key8, sizeof(key8));
	c->keys.key = key;
	derive_channel(k, &c->keys, BYTES_OF(c->key8));
	table_add(&k->channels, c);
	return &c->keys;
}

void channel_keys_secret(const struct channel_keys *c, struct secret32 *out, uint64_t number)
{
	ASSERT(number <= COMMITMENT_NUMBER_MAX);
	/* B3.per_commitment_secret_requirements.3: the first has the highest index */
	*out = shachain_from_seed(&c->shachain_seed, SHACHAIN_FIRST - number);
}

void channel_keys_point(struct keyring *k, struct channel_keys *c, struct pubkey *out, uint64_t number)
{
	uint32_t slot = number % ARRAY_COUNT(c->recent);
	struct secret32 secret;

	if (!c->recent[slot].filled || c->recent[slot].number != number) {
		channel_keys_secret(c, &secret, number);
		memo_point(k->memo, k->secp, &c->recent[slot].point, &secret);
		mem_wipe(&secret, sizeof(secret));
		c->recent[slot].number = number;
		c->recent[slot].filled = true;
	}
	*out = c->recent[slot].point;
}

void keyring_expect(struct keyring *k, uint64_t key, uint64_t number)
{
	if (k->expected_count == EXPECTED_MAX || number > COMMITMENT_NUMBER_MAX)
		return;
	k->expected[k->expected_count].key = key;
	k->expected[k->expected_count++].number = number;
}

bool keyring_ahead(struct keyring *k)
{
	struct pubkey unused;

	if (k->expected_count == 0)
		return false;
	k->expected_count--;
	channel_keys_point(k, keyring_channel(k, k->expected[k->expected_count].key), &unused,
			   k->expected[k->expected_count].number);
	return true;
}
