/* simchain [TRANSACTIONS]
 *
 * How fast the simulator's chain is, in transactions a second of one core: offers (all rules and scripts judged), blocks
 * (what was judged once is not judged again), and a reorganization.  Beside them what one signature costs to check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bitcoin/script.h"
#include "crypto/keys.h"
#include "tests/sim/chain.h"

#define ROUND 400u /* transactions a block */

struct bench {
	struct sim_chain *c;
	struct secp *secp;
	struct secret32 key;
	struct pubkey point;
	struct bytes script, code;
	struct arena a;
	struct outpoint coins[ROUND];
	uint64_t sat[ROUND];
	struct bytes raw[ROUND];
};

static void begin(struct bench *b)
{
	static const uint8_t blinding[32] = { 1 };
	static struct bytes scripts[ROUND];
	const struct sim_tx *t;

	arena_init(&b->a);
	b->c = sim_chain_new(1);
	b->secp = secp_new(blinding);
	memset(b->key.v, 5, sizeof(b->key.v));
	pubkey_of(b->secp, &b->point, &b->key);
	b->script = script_p2wpkh(&b->a, &b->point);
	b->code = script_code_p2wpkh(&b->a, &b->point);
	for (uint32_t i = 0; i < ROUND; i++)
		scripts[i] = b->script;
	sim_chain_grant(b->c, scripts, ROUND, SAT(10000000));
	t = sim_chain_mempool_at(b->c, 0);
	for (uint32_t i = 0; i < ROUND; i++) {
		b->coins[i] = (struct outpoint){ t->id, i };
		b->sat[i] = 10000000;
	}
	sim_chain_mine(b->c, NULL);
}

/* Signs the next payment of each coin to itself. */
static void prepare(struct bench *b)
{
	for (uint32_t i = 0; i < ROUND; i++) {
		struct tx *t = tx_new(&b->a, 2, 1, 1, 0);
		struct buf raw = BUF_EMPTY;
		struct bytes items[2];
		struct sha256 h;
		struct sig64 sig;
		uint8_t der[73];
		size_t size;

		t->inputs[0].prev = b->coins[i];
		t->outputs[0] = (struct tx_output){ SAT(b->sat[i] - 500 - i), b->script };
		h = sighash_segwit(t, 0, b->code, SAT(b->sat[i]), SIGHASH_ALL);
		ecdsa_sign(b->secp, &sig, &h, &b->key, true);
		size = sig_to_der(der, &sig);
		der[size++] = SIGHASH_ALL;
		items[0] = BYTES(der, size);
		items[1] = BYTES_OF(b->point.v);
		tx_set_witness(&b->a, t, 0, items, 2);
		tx_encode(t, &raw);
		b->raw[i] = arena_bytes(&b->a, buf_view(&raw));
		buf_release(&raw);
		b->coins[i] = (struct outpoint){ tx_id(t), 0 };
		b->sat[i] -= 500 + i;
	}
}

static double verify_us(struct bench *b)
{
	struct sha256 h = { { 3 } };
	struct sig64 sig;
	double before;

	ecdsa_sign(b->secp, &sig, &h, &b->key, true);
	before = cpu();
	for (int i = 0; i < 2000; i++)
		if (!ecdsa_verify(&sig, &h, &b->point))
			abort();
	return (cpu() - before) / 2000 * 1e6;
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint32_t rounds = (argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 8000) / ROUND, blocks;
	double offered = 0, mined = 0, empty, before;

	begin(&b);
	for (uint32_t r = 0; r < rounds; r++) {
		prepare(&b);
		before = cpu();
		for (uint32_t i = 0; i < ROUND; i++)
			if (sim_chain_offer(b.c, &b.raw[i], 1, 0))
				abort();
		offered += cpu() - before;
		before = cpu();
		sim_chain_mine(b.c, NULL);
		mined += cpu() - before;
	}
	before = cpu();
	for (blocks = 0; blocks < 2000; blocks++)
		sim_chain_mine(b.c, NULL);
	empty = cpu() - before;
	printf("offers        %9.0f transactions/s\n", rounds * ROUND / offered);
	printf("blocks        %9.0f transactions/s, %.0f empty blocks/s\n", rounds * ROUND / mined, blocks / empty);
	before = cpu();
	sim_chain_reorg(b.c, blocks + rounds);
	printf("reorganized   %9.0f transactions/s\n", rounds * ROUND / (cpu() - before));
	printf("one signature %9.1f us to verify\n", verify_us(&b));
	sim_chain_free(b.c);
	secp_free(b.secp);
	arena_release(&b.a);
	return 0;
}
