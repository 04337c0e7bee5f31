#include "tests/sim/funds.h"

#include "bitcoin/network.h"
#include "bitcoin/script.h"
#include "wallet/wallet.h"

/* The wallet's chain of receiving keys: public from there on. */
static struct bip32_key receive_chain(struct bytes seed)
{
	static const uint8_t blinding[32];
	struct secp *s = secp_new(blinding);
	struct wallet_config config = { .gap = 0 };
	struct wallet_keys keys = { .secp = s };
	struct bip32_key master, chain;

	ASSERT(bip32_master(s, &master, seed) && wallet_derive(&config, &keys, &master, network_by_name("regtest")));
	ASSERT(bip32_child(NULL, &chain, &config.account84, 0));
	bip32_wipe(&master);
	wallet_keys_wipe(&keys);
	secp_free(s);
	return chain;
}

static struct bytes script_at(struct arena *a, const struct bip32_key *chain, uint32_t index)
{
	struct bip32_key key;

	ASSERT(index < WALLET_GAP && bip32_child(NULL, &key, chain, index));
	return script_p2wpkh(a, &key.point);
}

struct bytes sim_funds_script(struct arena *a, struct bytes seed, uint32_t index)
{
	struct bip32_key chain = receive_chain(seed);

	return script_at(a, &chain, index);
}

void sim_funds_grant(struct sim_chain *c, struct bytes seed, uint32_t coins, struct amount_sat each)
{
	struct bip32_key chain = receive_chain(seed);
	struct bytes scripts[WALLET_GAP];
	struct arena a;

	ASSERT(coins <= WALLET_GAP);
	arena_init(&a);
	for (uint32_t i = 0; i < coins; i++)
		scripts[i] = script_at(&a, &chain, i);
	sim_chain_grant(c, scripts, coins, each);
	arena_release(&a);
}
