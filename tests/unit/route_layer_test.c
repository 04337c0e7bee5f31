#include "tests/unit/route_setup.h"

/* 1 reaches 4 over 2 (cheap) or 3 (dear). */
static const struct lane diamond[] = {
	{ 12, 1, 2, 1000000, { 0, 0 }, { 0, 0 } }, { 24, 2, 4, 1000000, { 100, 0 }, { 0, 0 } },
	{ 13, 1, 3, 1000000, { 0, 0 }, { 0, 0 } }, { 34, 3, 4, 1000000, { 300, 0 }, { 0, 0 } },
};

struct stack {
	struct scene s;
	struct route_layer *layer[2];
	const struct route_layer *layers[2];
	struct route_request q;
};

static void stack_open(struct stack *k, uint64_t amount_msat)
{
	scene_open(&k->s, diamond, 4);
	k->q = request_of(1, 4, amount_msat);
	/* Fees decide, but for what is said here. */
	k->q.taste = (struct route_taste){ 1, 1, 1 };
	for (int i = 0; i < 2; i++)
		k->layers[i] = k->layer[i] = route_layer_new(seed16, i ? "upper" : "lower");
	k->q.layers = k->layers;
	k->q.layer_count = 2;
}

static void stack_close(struct stack *k)
{
	scene_close(&k->s);
	route_layer_free(k->layer[0]);
	route_layer_free(k->layer[1]);
}

static uint64_t fee(struct stack *k)
{
	PLAN(&k->s, &k->q, ROUTE_FOUND);
	return k->s.plan.fee.v;
}

TEST(exclusions_of_any_layer_count)
{
	struct pubkey three = node_id(3), one = node_id(1);
	struct stack k;

	stack_open(&k, 100000);
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_exclude(k.layer[0], scid_of(24), 0));
	CHECK_EQ(fee(&k), 300);
	CHECK(route_layer_exclude_node(k.layer[1], &three));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	CHECK(route_layer_drop(k.layer[0], ROUTE_RULE_EXCLUDE, scid_of(24), 0, NULL));
	CHECK(!route_layer_drop(k.layer[0], ROUTE_RULE_EXCLUDE, scid_of(24), 0, NULL));
	CHECK_EQ(fee(&k), 100);
	/* A payer is no forwarder. */
	CHECK(route_layer_exclude_node(k.layer[1], &one));
	CHECK_EQ(fee(&k), 100);
	/* The other direction is another matter. */
	CHECK(route_layer_exclude(k.layer[0], scid_of(24), 1));
	CHECK_EQ(fee(&k), 100);
	stack_close(&k);
}

TEST(biases_add_up)
{
	struct pubkey three = node_id(3);
	struct stack k;

	stack_open(&k, 100000);
	CHECK(!route_layer_bias(k.layer[0], scid_of(34), 0, 101));
	CHECK(!route_layer_bias(k.layer[0], scid_of(34), 0, -101));
	CHECK(route_layer_bias(k.layer[0], scid_of(34), 0, 30));
	CHECK(route_layer_bias(k.layer[1], scid_of(34), 0, 30));
	CHECK_EQ(fee(&k), 300);
	/* What speaks against it is added to what speaks for it. */
	CHECK(route_layer_bias_node(k.layer[1], &three, -60));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_bias(k.layer[1], scid_of(24), 0, -100));
	CHECK_EQ(fee(&k), 300);
	stack_close(&k);
}

TEST(reservations_add_up_and_are_taken_back)
{
	struct stack k;

	stack_open(&k, 600000000);
	k.q.parts_max = 1;
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_reserve(k.layer[0], scid_of(24), 0, MSAT(300000000)));
	CHECK(route_layer_reserve(k.layer[1], scid_of(24), 0, MSAT(200000000)));
	CHECK_EQ(fee(&k), 300);
	CHECK(!route_layer_release(k.layer[1], scid_of(24), 0, MSAT(200000001)));
	CHECK(route_layer_release(k.layer[1], scid_of(24), 0, MSAT(200000000)));
	CHECK_EQ(route_layer_count(k.layer[1]), 0);
	CHECK(!route_layer_release(k.layer[1], scid_of(24), 0, MSAT(1)));
	CHECK(route_layer_release(k.layer[0], scid_of(24), 0, MSAT(299999999)));
	CHECK_EQ(fee(&k), 100);
	CHECK(!route_layer_reserve(k.layer[0], scid_of(24), 0, MSAT(UINT64_MAX)));
	CHECK(!route_layer_reserve(k.layer[0], scid_of(24), 0, msat_of_sat(SAT(SUPPLY_SAT))));
	stack_close(&k);
}

TEST(the_later_constraint_counts)
{
	struct amount_msat low = MSAT(100000000), high = MSAT(500000000);
	struct stack k;

	stack_open(&k, 600000000);
	k.q.parts_max = 1;
	CHECK(!route_layer_constrain(k.layer[0], scid_of(24), 0, &high, &low));
	CHECK(route_layer_constrain(k.layer[0], scid_of(24), 0, NULL, &high));
	CHECK_EQ(fee(&k), 300);
	high = MSAT(700000000);
	low = MSAT(600000000);
	CHECK(route_layer_constrain(k.layer[1], scid_of(24), 0, &low, &high));
	CHECK_EQ(fee(&k), 100);
	/* What is surely there makes a plan surer. */
	CHECK(k.s.plan.chance_q30 < MODEL_ONE_Q30);
	low = MSAT(1000000000);
	CHECK(route_layer_constrain(k.layer[1], scid_of(34), 0, &low, NULL));
	CHECK(route_layer_constrain(k.layer[1], scid_of(13), 0, &low, NULL));
	CHECK_EQ(fee(&k), 300);
	CHECK_EQ(k.s.plan.chance_q30, MODEL_ONE_Q30);
	stack_close(&k);
}

TEST(other_policies)
{
	struct route_policy p = policy_of(10, 0), off = policy_of(0, 0);
	struct stack k;

	stack_open(&k, 100000);
	off.enabled = false;
	CHECK(route_layer_update(k.layer[0], scid_of(34), 0, &p));
	CHECK_EQ(fee(&k), 10);
	p.fee_base_msat = 200;
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_update(k.layer[1], scid_of(24), 0, &off));
	CHECK_EQ(fee(&k), 200);
	/* What a layer below excludes stays excluded under another policy. */
	CHECK(route_layer_exclude(k.layer[0], scid_of(34), 0));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	/* A policy for a channel that is nowhere. */
	CHECK(route_layer_update(k.layer[1], scid_of(99), 0, &p));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	stack_close(&k);
}

TEST(another_policy_keeps_what_layers_below_said)
{
	struct route_policy p = policy_of(10, 0);
	struct stack k;

	stack_open(&k, 600000000);
	k.q.parts_max = 1;
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p));
	CHECK_EQ(fee(&k), 10);
	CHECK(route_layer_exclude(k.layer[0], scid_of(34), 0));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_drop(k.layer[0], ROUTE_RULE_EXCLUDE, scid_of(34), 0, NULL));
	CHECK(route_layer_reserve(k.layer[0], scid_of(34), 0, MSAT(400000001)));
	CHECK_EQ(fee(&k), 100);
	stack_close(&k);
}

TEST(rules_about_nodes_end_with_their_request)
{
	struct pubkey two = node_id(2), three = node_id(3);
	struct stack k;

	stack_open(&k, 100000);
	CHECK(route_layer_exclude_node(k.layer[0], &two));
	CHECK_EQ(fee(&k), 300);
	CHECK(route_layer_drop(k.layer[0], ROUTE_RULE_EXCLUDE_NODE, (struct scid){ 0 }, 0, &two));
	CHECK(route_layer_bias_node(k.layer[0], &three, -1));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_bias_node(k.layer[0], &two, -100));
	CHECK_EQ(fee(&k), 300);
	CHECK(route_layer_drop(k.layer[0], ROUTE_RULE_BIAS_NODE, (struct scid){ 0 }, 0, &two));
	CHECK_EQ(fee(&k), 100);
	stack_close(&k);
}

TEST(channels_that_gossip_does_not_know)
{
	const struct lane direct = { 14, 1, 4, 1000, { 0, 0 }, { 0, 0 } }, beyond = { 49, 4, 9, 1000, { 7, 0 }, { 0, 0 } };
	struct route_channel c = channel_of(&direct);
	struct route_policy off = policy_of(0, 0);
	struct stack k;

	stack_open(&k, 100000);
	CHECK(route_layer_create(k.layer[0], &c));
	CHECK_EQ(fee(&k), 0);
	c = channel_of(&beyond);
	CHECK(route_layer_create(k.layer[1], &c));
	k.q.target = node_id(9);
	CHECK_EQ(fee(&k), 7);
	/* A reservation counts whichever layer has the channel. */
	CHECK(route_layer_reserve(k.layer[0], scid_of(49), 0, MSAT(900001)));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	CHECK(route_layer_release(k.layer[0], scid_of(49), 0, MSAT(1)));
	CHECK_EQ(fee(&k), 7);
	c.node[0] = c.node[1];
	CHECK(!route_layer_create(k.layer[1], &c));
	off.enabled = false;
	CHECK(route_layer_update(k.layer[1], scid_of(49), 0, &off));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	stack_close(&k);
}

TEST(rules_come_back_in_order_and_a_clone_is_its_own)
{
	struct route_layer *l = route_layer_new(seed16, "many"), *copy;
	const struct route_rule *r;
	uint32_t count = 0;
	int kind = 0;

	for (uint32_t i = 0; i < ROUTE_LAYER_RULES_MAX; i++)
		CHECK(i & 1 ? route_layer_exclude(l, scid_of(i), 0) : route_layer_bias(l, scid_of(i), 1, 5));
	CHECK(!route_layer_exclude(l, scid_of(1000000), 0));
	/* One that is there already may change. */
	CHECK(route_layer_bias(l, scid_of(0), 1, -5));
	CHECK_EQ(route_layer_count(l), ROUTE_LAYER_RULES_MAX);
	copy = route_layer_clone(l);
	CHECK(route_layer_drop(l, ROUTE_RULE_BIAS, scid_of(0), 1, NULL));
	CHECK_EQ(route_layer_count(copy), ROUTE_LAYER_RULES_MAX);
	CHECK_STR(route_layer_name(copy), "many");
	for (uint64_t at = 0; (r = route_layer_next(copy, &at)); count++) {
		CHECK((int)r->kind >= kind);
		kind = (int)r->kind;
	}
	CHECK_EQ(count, ROUTE_LAYER_RULES_MAX);
	route_layer_free(l);
	route_layer_free(copy);
}
