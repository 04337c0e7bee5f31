/* The simulator's mempool: what it relays, replaces, bundles and drops. */
#include "tests/unit/sim_setup.h"

/* --- standardness --- */

TEST(fees_below_the_relay_fee)
{
	struct setup s;
	struct coin coin;
	struct tx *t;
	uint64_t fee;

	setup_init(&s);
	coin = grant(&s, 100000);
	fee = fee_at(spend(&s, &(struct how){ .coins = &coin, .fee = 0 }), 1);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = fee - 1 });
	REFUSED(offer(&s, t), "min relay fee not met");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = fee })));
	setup_release(&s);
}

TEST(versions_and_sizes)
{
	static uint8_t pushes[2000];
	struct setup s;
	struct coin coin;
	struct tx *t;

	setup_init(&s);
	coin = grant(&s, 100000000);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .version = 4 })), "version");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000000, .inflate = 2400 })), "tx-size");
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	t->inputs[0].script_sig = BYTES(pushes, 1651);
	REFUSED(offer(&s, t), "scriptsig-size");
	pushes[0] = OP_DUP;
	t->inputs[0].script_sig = BYTES(pushes, 1);
	REFUSED(offer(&s, t), "scriptsig-not-pushonly");
	t->inputs[0].script_sig = BYTES_NONE;
	t->outputs[0].script = BYTES("\x6a", 1);
	REFUSED(offer(&s, t), "tx-size-small");
	setup_release(&s);
}

TEST(outputs_that_are_not_relayed)
{
	static const uint8_t odd[] = { OP_1, OP_1, OP_DUP, OP_DUP, OP_DUP, OP_DUP }, data[] = { OP_RETURN, 2, 1, 2 };
	uint8_t long_data[84] = { OP_RETURN, 0x4c, 81 };
	struct setup s;
	struct coin coin;

	setup_init(&s);
	coin = grant(&s, 100000);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .script = BYTES_OF(odd) })), "scriptpubkey");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .script = BYTES_OF(long_data) })), "scriptpubkey");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000, .output_count = 2, .script = BYTES_OF(data) })),
		"multi-op-return");
	/* 330 satoshi is the least of a P2WSH output. */
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .sat = 329 })), "dust");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .sat = 330 })));
	setup_release(&s);
}

TEST(witnesses_that_are_not_relayed)
{
	uint8_t big[81] = { 0 };
	static const uint8_t one[] = { OP_1 };
	struct bytes items[2] = { BYTES_OF(big), BYTES_OF(one) };
	struct setup s;
	struct coin coin;
	struct tx *t;

	setup_init(&s);
	coin = grant(&s, 100000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	tx_set_witness(&s.a, t, 0, items, 2);
	REFUSED(offer(&s, t), "bad-witness-nonstandard");
	items[0].size = 80;
	tx_set_witness(&s.a, t, 0, items, 2);
	REFUSED(offer(&s, t), "mempool-script-verify-flag-failed (CLEANSTACK)");
	setup_release(&s);
}

/* --- BIP 125 --- */

TEST(a_replacement_pays_for_what_it_replaces)
{
	struct setup s;
	struct coin coin, change;
	struct tx *t, *child;
	uint64_t vsize;

	setup_init(&s);
	coin = grant(&s, 1000000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	vsize = fee_at(t, 1);
	change = coin_of(t, 0);
	child = spend(&s, &(struct how){ .coins = &change, .fee = 3000 });
	TAKEN(offer(&s, t));
	TAKEN(offer(&s, child));
	/* Rule 3: all of it; rule 4: and its own relay. */
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 3999 })), "insufficient fee");
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 4000 + vsize - 1 })), "insufficient fee");
	CHECK(in_mempool(&s, t) && in_mempool(&s, child));
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 4000 + vsize })));
	CHECK(!in_mempool(&s, t) && !in_mempool(&s, child));
	CHECK_EQ(sim_chain_mempool(s.c), 1);
	setup_release(&s);
}

TEST(a_replacement_pays_more_by_the_byte)
{
	struct setup s;
	struct coin coin[2];

	setup_init(&s);
	coin[0] = grant(&s, 1000000);
	coin[1] = grant(&s, 1000000);
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = coin, .fee = 2000 })));
	/* More in all, less by the byte: what an adversary would pin with. */
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = coin, .coin_count = 2, .fee = 5000, .inflate = 50 })), "insufficient fee");
	setup_release(&s);
}

TEST(no_new_unconfirmed_inputs)
{
	struct setup s;
	struct coin coin[2], both[2];
	struct tx *parent;

	setup_init(&s);
	coin[0] = grant(&s, 1000000);
	coin[1] = grant(&s, 1000000);
	parent = spend(&s, &(struct how){ .coins = &coin[1], .fee = 1000 });
	TAKEN(offer(&s, parent));
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin[0], .fee = 1000 })));
	both[0] = coin[0];
	both[1] = coin_of(parent, 0);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = both, .coin_count = 2, .fee = 90000 })), "replacement-adds-unconfirmed");
	/* Nor what it replaces itself. */
	both[0] = coin[1];
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = both, .coin_count = 2, .fee = 90000 })), "bad-txns-spends-conflicting-tx");
	setup_release(&s);
}

TEST(no_more_than_a_hundred_are_replaced)
{
	struct coin coins[5], change;
	struct setup s;
	struct tx *t;

	setup_init(&s);
	for (int i = 0; i < 5; i++)
		coins[i] = grant(&s, 10000000);
	for (int i = 0; i < 5; i++) {
		t = spend(&s, &(struct how){ .coins = &coins[i], .fee = 3000, .output_count = 20 });
		TAKEN(offer(&s, t));
		for (uint32_t j = 0; j < 20; j++) {
			change = coin_of(t, j);
			TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &change, .fee = 1000 })));
		}
	}
	/* 4 * 21 are fewer, 5 * 21 more. */
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = coins, .coin_count = 5, .fee = 9000000 })), "too many potential replacements");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = coins, .coin_count = 4, .fee = 9000000 })));
	CHECK_EQ(sim_chain_mempool(s.c), 22);
	setup_release(&s);
}

/* --- families --- */

TEST(chains_have_an_end)
{
	struct setup s;
	struct coin coin;
	struct tx *t;

	setup_init(&s);
	coin = grant(&s, 1000000);
	for (int i = 0; i < 25; i++) {
		t = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
		TAKEN(offer(&s, t));
		coin = coin_of(t, 0);
	}
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000 })), "too-long-mempool-chain");
	/* A block ends the matter. */
	mine(&s, 1);
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000 })));
	setup_release(&s);
}

TEST(a_full_family_takes_one_small_child_more)
{
	struct setup s;
	struct coin coin;
	struct tx *t, *child;

	setup_init(&s);
	coin = grant(&s, 10000000);
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 5000, .output_count = 27 });
	TAKEN(offer(&s, t));
	for (uint32_t i = 0; i < 24; i++) {
		coin = coin_of(t, i);
		child = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
		TAKEN(offer(&s, child));
	}
	/* Not a grandchild, which has two ancestors. */
	coin = coin_of(child, 0);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000 })), "too-long-mempool-chain");
	/* The carve-out, once. */
	coin = coin_of(t, 24);
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000 })));
	coin = coin_of(t, 25);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000 })), "too-long-mempool-chain");
	setup_release(&s);
}

TEST(a_family_has_a_size)
{
	struct setup s;
	struct coin coin;
	struct tx *t;

	setup_init(&s);
	coin = grant(&s, 100000000);
	/* About 91,000 vbytes, as a pin would be. */
	t = spend(&s, &(struct how){ .coins = &coin, .fee = 100000, .inflate = 2100 });
	TAKEN(offer(&s, t));
	coin = coin_of(t, 0);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 100000, .inflate = 400 })), "too-long-mempool-chain");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 1000 })));
	setup_release(&s);
}

/* BIP 431. */
TEST(truc_families_are_two)
{
	struct setup s;
	struct coin coin, out[2];
	struct tx *parent, *child;

	setup_init(&s);
	coin = grant(&s, 1000000);
	parent = spend(&s, &(struct how){ .coins = &coin, .fee = 0, .version = 3, .output_count = 2 });
	out[0] = coin_of(parent, 0);
	out[1] = coin_of(parent, 1);
	REFUSED(offer(&s, parent), "min relay fee not met");
	REFUSED(offer_two(&s, parent, spend(&s, &(struct how){ .coins = out, .fee = 3000, .version = 3, .inflate = 30 })), "TRUC-violation");
	REFUSED(offer_two(&s, parent, spend(&s, &(struct how){ .coins = out, .fee = 3000 })), "TRUC-violation");
	child = spend(&s, &(struct how){ .coins = out, .fee = 3000, .version = 3 });
	TAKEN(offer_two(&s, parent, child));
	CHECK(in_mempool(&s, parent) && in_mempool(&s, child));
	out[0] = coin_of(child, 0);
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = out, .fee = 3000, .version = 3 })), "TRUC-violation");
	/* A second child takes the place of the first, if it pays for it. */
	REFUSED(offer(&s, spend(&s, &(struct how){ .coins = &out[1], .fee = 3000, .version = 3 })), "insufficient fee");
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &out[1], .fee = 4000, .version = 3 })));
	CHECK(in_mempool(&s, parent) && !in_mempool(&s, child));
	setup_release(&s);
}

/* --- a mempool that is full --- */

/* Crowds the mempool until it asks for more than the relay fee. */
static void crowd(struct setup *s, uint64_t per_vbyte)
{
	struct coin coins[12];

	for (int i = 0; i < 12; i++)
		coins[i] = grant(s, 10000000);
	sim_chain_set_limit(s->c, 400000);
	for (int i = 0; i < 12; i++) {
		struct tx *t = spend(s, &(struct how){ .coins = &coins[i], .fee = 0, .inflate = 200 });

		t = spend(s, &(struct how){ .coins = &coins[i], .fee = fee_at(t, per_vbyte), .inflate = 200 });
		if (offer(s, t))
			break;
	}
	CHECK(sim_chain_minimum(s->c).per_kw > 250 * per_vbyte);
}

TEST(a_full_mempool_drops_who_pays_least)
{
	struct setup s;
	struct coin coin;
	struct tx *poor;
	uint32_t minimum;

	setup_init(&s);
	coin = grant(&s, 1000000);
	poor = spend(&s, &(struct how){ .coins = &coin, .fee = 300 });
	TAKEN(offer(&s, poor));
	/* The grants of the crowd are mined without it. */
	sim_chain_set_floor(s.c, 1000);
	crowd(&s, 5);
	sim_chain_set_floor(s.c, 0);
	CHECK(!in_mempool(&s, poor));
	REFUSED(offer(&s, poor), "mempool min fee not met");
	minimum = sim_chain_minimum(s.c).per_kw;
	CHECK(sim_chain_estimate(s.c, 1).per_kw >= minimum);
	mine(&s, 1);
	CHECK(sim_chain_minimum(s.c).per_kw < minimum);
	mine(&s, 400);
	CHECK_EQ(sim_chain_minimum(s.c).per_kw, 250);
	TAKEN(offer(&s, poor));
	setup_release(&s);
}

/* --- packages --- */

static bool only_this(void *context, const struct sim_tx *t)
{
	return SAME(t->id, *(const struct txid *)context);
}

TEST(a_child_pays_for_its_parent)
{
	struct setup s;
	struct coin coin, change;
	struct tx *parent, *child, *stingy;

	setup_init(&s);
	coin = grant(&s, 1000000);
	crowd(&s, 5);
	parent = spend(&s, &(struct how){ .coins = &coin, .fee = 200 });
	change = coin_of(parent, 0);
	stingy = spend(&s, &(struct how){ .coins = &change, .fee = 500 });
	child = spend(&s, &(struct how){ .coins = &change, .fee = 5000 });
	REFUSED(offer(&s, parent), "mempool min fee not met");
	REFUSED(offer(&s, child), "bad-txns-inputs-missingorspent");
	REFUSED(offer_two(&s, parent, stingy), "mempool min fee not met");
	CHECK(!in_mempool(&s, parent));
	TAKEN(offer_two(&s, parent, child));
	CHECK(in_mempool(&s, parent) && in_mempool(&s, child));
	TAKEN(offer_two(&s, parent, child)); /* they are there */
	/* A mined parent is no obstacle, until it has been spent. */
	sim_chain_mine(s.c, &(struct sim_mine){ .include = only_this, .context = &(struct txid[]){ tx_id(parent) } });
	CHECK(height_of(&s, parent) && in_mempool(&s, child));
	TAKEN(offer_two(&s, parent, child));
	coin = coin_of(child, 0);
	change = coin;
	REFUSED(offer_two(&s, child, spend(&s, &(struct how){ .coins = &change, .fee = 300 })), "mempool min fee not met");
	mine(&s, 1);
	stingy = spend(&s, &(struct how){ .coins = &change, .fee = 5000 });
	TAKEN(offer_two(&s, child, stingy));
	REFUSED(offer_two(&s, parent, child), "bad-txns-inputs-missingorspent");
	REFUSED(offer(&s, parent), "bad-txns-inputs-missingorspent");
	setup_release(&s);
}

/* A transaction, its child, and a child of both. */
static const char *offer_three(struct setup *s, const struct tx *t, const struct tx *child)
{
	struct coin both[2] = { coin_of(t, 1), coin_of(child, 0) };
	struct tx *last = spend(s, &(struct how){ .coins = both, .coin_count = 2, .fee = 9000 });
	struct bytes all[3] = { raw_of(s, t), raw_of(s, child), raw_of(s, last) };

	return sim_chain_offer(s->c, all, 3, 7);
}

TEST(a_package_is_parents_and_their_child)
{
	struct setup s;
	struct coin coin[2], change;
	struct tx *parent;

	setup_init(&s);
	coin[0] = grant(&s, 1000000);
	coin[1] = grant(&s, 1000000);
	parent = spend(&s, &(struct how){ .coins = &coin[0], .fee = 200, .output_count = 2 });
	change = coin_of(parent, 0);
	REFUSED(offer_two(&s, parent, spend(&s, &(struct how){ .coins = &coin[1], .fee = 9000 })), "package topology disallowed");
	/* A parent of the parent is one too many. */
	REFUSED(offer_three(&s, parent, spend(&s, &(struct how){ .coins = &change, .fee = 200 })), "package topology disallowed");
	/* Nobody pays for a parent without a relay fee but in TRUC. */
	parent = spend(&s, &(struct how){ .coins = &coin[0], .fee = 10 });
	change = coin_of(parent, 0);
	REFUSED(offer_two(&s, parent, spend(&s, &(struct how){ .coins = &change, .fee = 9000 })), "min relay fee not met");
	CHECK_EQ(sim_chain_mempool(s.c), 0);
	setup_release(&s);
}

TEST(a_package_replaces_a_rival)
{
	struct setup s;
	struct coin coin, change;
	struct tx *rival, *rivals_child, *grandchild, *parent;

	setup_init(&s);
	coin = grant(&s, 1000000);
	rival = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	TAKEN(offer(&s, rival));
	parent = spend(&s, &(struct how){ .coins = &coin, .fee = 300 });
	change = coin_of(parent, 0);
	REFUSED(offer_two(&s, parent, spend(&s, &(struct how){ .coins = &change, .fee = 800 })), "package RBF failed");
	CHECK(in_mempool(&s, rival) && !in_mempool(&s, parent));
	/* A rival with a child of its own still goes; with a grandchild it is pinned. */
	coin = coin_of(rival, 0);
	rivals_child = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	TAKEN(offer(&s, rivals_child));
	coin = coin_of(rivals_child, 0);
	grandchild = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	TAKEN(offer(&s, grandchild));
	REFUSED(offer_two(&s, parent, spend(&s, &(struct how){ .coins = &change, .fee = 20000 })),
		"package RBF failed");
	CHECK(in_mempool(&s, grandchild));
	coin = coin_of(rival, 0);
	TAKEN(offer(&s, spend(&s, &(struct how){ .coins = &coin, .fee = 4000 })));
	CHECK(!in_mempool(&s, grandchild));
	TAKEN(offer_two(&s, parent, spend(&s, &(struct how){ .coins = &change, .fee = 20000 })));
	CHECK(in_mempool(&s, parent) && !in_mempool(&s, rival));
	CHECK_EQ(sim_chain_mempool(s.c), 2);
	setup_release(&s);
}

TEST(a_refused_offer_changes_nothing)
{
	struct setup s;
	struct coin coin, change;
	struct tx *first, *child, *bad;
	static const uint8_t two[] = { OP_2 };
	struct bytes wrong = BYTES_OF(two);

	setup_init(&s);
	coin = grant(&s, 1000000);
	first = spend(&s, &(struct how){ .coins = &coin, .fee = 1000 });
	change = coin_of(first, 0);
	child = spend(&s, &(struct how){ .coins = &change, .fee = 1000 });
	TAKEN(offer(&s, first));
	TAKEN(offer(&s, child));
	bad = spend(&s, &(struct how){ .coins = &coin, .fee = 90000 });
	tx_set_witness(&s.a, bad, 0, &wrong, 1);
	REFUSED(offer(&s, bad), "mempool-script-verify-flag-failed (WITNESS_PROGRAM_MISMATCH)");
	CHECK(in_mempool(&s, first) && in_mempool(&s, child));
	CHECK(SAME(sim_chain_spender(s.c, &coin.at)->id, tx_id(first)));
	CHECK(SAME(sim_chain_spender(s.c, &change.at)->id, tx_id(child)));
	mine(&s, 1);
	CHECK(height_of(&s, first) && height_of(&s, child));
	setup_release(&s);
}
