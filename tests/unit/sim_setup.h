/* A chain with coins that anybody can spend, and transactions of them. */
#ifndef TESTS_UNIT_SIM_SETUP_H
#define TESTS_UNIT_SIM_SETUP_H

#include <stdlib.h>
#include <string.h>

#include "bitcoin/script.h"
#include "tests/sim/chain.h"
#include "tests/test.h"

struct coin {
	struct outpoint at;
	uint64_t sat;
};

struct setup {
	struct sim_chain *c;
	struct arena a;
	struct bytes anybody; /* the script of the coins */
};

/* Fields of zero have the usual meaning: one input and output, version 2, sequence fffffffd. */
struct how {
	const struct coin *coins;
	uint32_t coin_count;
	uint64_t fee;
	uint32_t output_count; /* the money in equal parts */
	int32_t version;
	uint32_t sequence, locktime;
	struct bytes script;   /* of each output */
	uint32_t padding;      /* bytes of OP_RETURNs: enough for 3 of 80 is 1 output of data alone */
	uint64_t sat;          /* of each output, whatever is left over */
	uint32_t inflate;      /* outputs of 43 bytes more that weigh */
};

static inline void setup_init(struct setup *s)
{
	static const uint8_t one[] = { OP_1 };

	arena_init(&s->a);
	s->c = sim_chain_new(1);
	s->anybody = script_p2wsh(&s->a, BYTES_OF(one));
}

/* With LAMPO_SIM_TRACE=FILE what happened is written there, for tests/interop/simchain_test.py. */
static inline void setup_release(struct setup *s)
{
	const char *path = getenv("LAMPO_SIM_TRACE");

	if (path)
		CHECK(sim_chain_write_trace(s->c, path));
	sim_chain_free(s->c);
	arena_release(&s->a);
}

static inline struct bytes raw_of(struct setup *s, const struct tx *t)
{
	struct buf b = BUF_EMPTY;
	struct bytes raw;

	tx_encode(t, &b);
	raw = arena_bytes(&s->a, buf_view(&b));
	buf_release(&b);
	return raw;
}

static inline void open_input(struct setup *s, struct tx *t, uint32_t i)
{
	static const uint8_t one[] = { OP_1 };
	struct bytes item = BYTES_OF(one);

	tx_set_witness(&s->a, t, i, &item, 1);
}

static inline struct tx *spend(struct setup *s, const struct how *h)
{
	uint32_t outputs = h->output_count ? h->output_count : 1, coins = h->coin_count ? h->coin_count : 1;
	struct tx *t = tx_new(&s->a, h->version ? h->version : 2, coins, outputs + h->inflate, h->locktime);
	uint64_t sum = 0, each;

	for (uint32_t i = 0; i < coins; i++) {
		t->inputs[i].prev = h->coins[i].at;
		t->inputs[i].sequence = h->sequence ? h->sequence : 0xfffffffd;
		open_input(s, t, i);
		sum += h->coins[i].sat;
	}
	for (uint32_t i = outputs; i < outputs + h->inflate; i++) {
		t->outputs[i] = (struct tx_output){ SAT(1000), s->anybody };
		sum -= 1000;
	}
	each = h->sat ? h->sat : (sum - h->fee) / outputs;
	for (uint32_t i = 0; i < outputs; i++)
		t->outputs[i] = (struct tx_output){ SAT(each), h->script.size ? h->script : s->anybody };
	return t;
}

static inline struct coin coin_of(const struct tx *t, uint32_t index)
{
	return (struct coin){ { tx_id(t), index }, t->outputs[index].amount.v };
}

static inline const char *offer(struct setup *s, const struct tx *t)
{
	struct bytes raw = raw_of(s, t);

	return sim_chain_offer(s->c, &raw, 1, 7);
}

static inline const char *offer_two(struct setup *s, const struct tx *parent, const struct tx *child)
{
	struct bytes both[2] = { raw_of(s, parent), raw_of(s, child) };

	return sim_chain_offer(s->c, both, 2, 7);
}

static inline void check_taken(const char *file, int line, const char *why)
{
	if (why)
		test_failed(file, line, "refused: %s", why);
}

static inline void check_refused(const char *file, int line, const char *why, const char *expect)
{
	if (!why || strcmp(why, expect) != 0)
		test_failed(file, line, "%s, not %s", why ? why : "taken", expect);
}

#define TAKEN(what) check_taken(__FILE__, __LINE__, (what))
#define REFUSED(what, expect) check_refused(__FILE__, __LINE__, (what), (expect))

static inline bool in_mempool(const struct setup *s, const struct tx *t)
{
	struct txid id = tx_id(t);
	const struct sim_tx *found = sim_chain_find(s->c, &id);

	return found && found->in_mempool;
}

/* The height of its block; 0: none. */
static inline uint32_t height_of(const struct setup *s, const struct tx *t)
{
	struct txid id = tx_id(t);
	const struct sim_tx *found = sim_chain_find(s->c, &id);

	return found ? found->height : 0;
}

static inline void mine(struct setup *s, uint32_t count)
{
	while (count--)
		sim_chain_mine(s->c, NULL);
}

/* A confirmed coin. */
static inline struct coin grant(struct setup *s, uint64_t sat)
{
	const struct sim_tx *t;

	sim_chain_grant(s->c, &s->anybody, 1, SAT(sat));
	t = sim_chain_mempool_at(s->c, sim_chain_mempool(s->c) - 1);
	mine(s, 1);
	CHECK(t->height);
	return (struct coin){ { t->id, 0 }, sat };
}

/* Fee of a transaction at a rate in sat/vB. */
static inline uint64_t fee_at(const struct tx *t, uint64_t per_vbyte)
{
	return (tx_weight(t) + 3) / 4 * per_vbyte;
}

#endif
