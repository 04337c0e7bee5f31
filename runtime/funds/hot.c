#include "runtime/funds/hot.h"

struct hot_funds {
	struct wallet *wallet;
	struct secp *secp;
	struct wallet_keys keys;
};

struct hot_funds *hot_funds_new(const struct network *network, struct bytes seed, const uint8_t entropy32[32])
{
	struct hot_funds *h = NEW(struct hot_funds);
	struct wallet_config config = { .gap = 0 };
	struct bip32_key master;
	bool ok;

	h->secp = secp_new(entropy32);
	h->keys.secp = h->secp;
	ok = bip32_master(h->secp, &master, seed) && wallet_derive(&config, &h->keys, &master, network);
	bip32_wipe(&master);
	if (!ok) {
		hot_funds_free(h);
		return NULL;
	}
	h->wallet = wallet_new(&config, entropy32);
	return h;
}

void hot_funds_free(struct hot_funds *h)
{
	if (h->wallet)
		wallet_free(h->wallet);
	wallet_keys_wipe(&h->keys);
	secp_free(h->secp);
	mem_wipe_free(h, sizeof(*h));
}

bool hot_funds_load(struct hot_funds *h, struct bytes key, struct bytes value)
{
	return wallet_load(h->wallet, key, value);
}

bool hot_funds_start(struct hot_funds *h, struct exec *exec)
{
	return wallet_start(h->wallet, exec_effects(exec));
}

static void request(void *context, uint64_t id, const struct funds_request *r, struct exec *exec)
{
	struct hot_funds *h = context;
	struct funds_answer answer = { .failed = false };

	wallet_request(h->wallet, &h->keys, r, &answer, exec_effects(exec));
	switch (r->kind) {
	case FUNDS_ADDRESS:
	case FUNDS_BUILD:
	case FUNDS_SIGN:
		exec_funded(exec, id, &answer);
		return;
	case FUNDS_RELEASE:
	case FUNDS_SPENT:
	case FUNDS_RETAIN:
		return;
	}
	UNREACHABLE();
}

static void block(void *context, const struct event *event, struct exec *exec)
{
	wallet_block(((struct hot_funds *)context)->wallet, event, exec_effects(exec));
}

struct funds_port hot_funds_port(struct hot_funds *h)
{
	return (struct funds_port){ .context = h, .request = request, .block = block };
}

const struct wallet *hot_funds_wallet(const struct hot_funds *h)
{
	return h->wallet;
}
