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
	CHECK(!route_layer_bias(k.layer[0], scid_of(34), 0, 101, NULL));
	CHECK(!route_layer_bias(k.layer[0], scid_of(34), 0, -101, NULL));
	CHECK(route_layer_bias(k.layer[0], scid_of(34), 0, 30, NULL));
	CHECK(route_layer_bias(k.layer[1], scid_of(34), 0, 30, NULL));
	CHECK_EQ(fee(&k), 300);
	/* What speaks against it is added to what speaks for it. */
	CHECK(route_layer_bias_node(k.layer[1], &three, false, -60, NULL));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_bias(k.layer[1], scid_of(24), 0, -100, NULL));
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
	CHECK(route_layer_update(k.layer[0], scid_of(34), 0, &p, ROUTE_SETS_ALL));
	CHECK_EQ(fee(&k), 10);
	p.fee_base_msat = 200;
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p, ROUTE_SETS_ALL));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_update(k.layer[1], scid_of(24), 0, &off, ROUTE_SETS_ALL));
	CHECK_EQ(fee(&k), 200);
	/* What a layer below excludes stays excluded under another policy. */
	CHECK(route_layer_exclude(k.layer[0], scid_of(34), 0));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	/* A policy for a channel that is nowhere. */
	CHECK(route_layer_update(k.layer[1], scid_of(99), 0, &p, ROUTE_SETS_ALL));
	PLAN(&k.s, &k.q, ROUTE_NO_WAY);
	stack_close(&k);
}

TEST(a_piece_of_a_policy)
{
	struct route_policy p = { .fee_base_msat = 10, .htlc_max = MSAT(99999) };
	struct stack k;

	stack_open(&k, 100000);
	/* The rest is as gossip says. */
	CHECK(route_layer_update(k.layer[0], scid_of(34), 0, &p, ROUTE_SETS_FEE_BASE));
	CHECK_EQ(fee(&k), 10);
	CHECK_EQ(k.s.plan.parts[0].cltv, 18 + 40);
	/* Another piece, of the layer above; the first still counts. */
	p.cltv_delta = 70;
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p, ROUTE_SETS_CLTV_DELTA));
	CHECK_EQ(fee(&k), 10);
	CHECK_EQ(k.s.plan.parts[0].cltv, 18 + 70);
	/* Pieces of one layer add up. */
	p.fee_base_msat = 20;
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p, ROUTE_SETS_FEE_BASE));
	CHECK_EQ(fee(&k), 20);
	CHECK_EQ(k.s.plan.parts[0].cltv, 18 + 70);
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p, ROUTE_SETS_HTLC_MAX));
	CHECK_EQ(fee(&k), 100);
	/* Off, and another piece does not turn it on. */
	CHECK(route_layer_update(k.layer[0], scid_of(24), 0, &p, ROUTE_SETS_ENABLED));
	CHECK(route_layer_update(k.layer[1], scid_of(24), 0, &p, ROUTE_SETS_FEE_BASE));
	/* In two parts, for one would be more than the other channel takes now. */
	CHECK_EQ(fee(&k), 40);
	stack_close(&k);
}

TEST(what_moved_is_there_no_more)
{
	struct amount_msat high = MSAT(500000);
	struct stack k;

	stack_open(&k, 300000);
	k.q.parts_max = 1;
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_move(k.layer[0], scid_of(24), 0, MSAT(999700000)));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_move(k.layer[0], scid_of(24), 0, MSAT(1)));
	CHECK_EQ(fee(&k), 300);
	/* The other way, it came back. */
	CHECK(route_layer_move(k.layer[1], scid_of(24), 1, MSAT(1)));
	CHECK_EQ(fee(&k), 100);
	/* A bound is newer than all that moved in its layer, but not than what moves after it. */
	CHECK(route_layer_constrain(k.layer[0], scid_of(24), 0, NULL, &high));
	CHECK(!route_layer_find(k.layer[0], ROUTE_RULE_MOVE, scid_of(24), 0, NULL));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_move(k.layer[0], scid_of(24), 0, MSAT(200002)));
	CHECK_EQ(fee(&k), 300);
	stack_close(&k);
}

TEST(what_leads_into_a_node_can_be_disliked)
{
	struct pubkey two = node_id(2);
	struct stack k;

	/* What leads out of the source costs nothing but its risk. */
	stack_open(&k, 400000000);
	k.q.taste = (struct route_taste){ 0 };
	k.q.parts_max = 1;
	CHECK(route_layer_bias_node(k.layer[0], &two, true, -100, "slow"));
	CHECK_EQ(fee(&k), 300);
	CHECK_STR(route_layer_find(k.layer[0], ROUTE_RULE_BIAS_NODE_IN, (struct scid){ 0 }, 0, &two)->u.bias.note, "slow");
	CHECK(route_layer_bias_node(k.layer[0], &two, true, 100, NULL));
	CHECK_STR(route_layer_find(k.layer[0], ROUTE_RULE_BIAS_NODE_IN, (struct scid){ 0 }, 0, &two)->u.bias.note, "slow");
	CHECK_EQ(fee(&k), 100);
	stack_close(&k);
}

static void check_same(const struct route_layer *a, const struct route_layer *b)
{
	const struct route_rule *r, *o;

	CHECK_EQ(route_layer_count(a), route_layer_count(b));
	for (uint64_t at = 0; (r = route_layer_next(a, &at));) {
		struct buf x = BUF_EMPTY, y = BUF_EMPTY;

		o = route_layer_find(b, r->kind, r->scid, r->direction, &r->node);
		CHECK(o && o->at_s == r->at_s);
		route_rule_encode(r, &x);
		route_rule_encode(o, &y);
		CHECK(bytes_equal(buf_view(&x), buf_view(&y)));
		buf_release(&x);
		buf_release(&y);
	}
}

TEST(rules_survive_being_stored)
{
	const struct lane beyond = { 49, 4, 9, 1000, { 7, 8 }, { 9, 10 } };
	struct route_layer *l = route_layer_new(seed16, "stored"), *back = route_layer_new(seed16, "stored");
	struct route_channel c = channel_of(&beyond);
	struct route_policy p = policy_of(11, 12);
	struct amount_msat low = MSAT(5), high = MSAT(6);
	struct pubkey two = node_id(2);
	const struct route_rule *r;

	route_layer_at(l, 77);
	CHECK(route_layer_create(l, &c) && route_layer_update(l, scid_of(1), 1, &p, ROUTE_SETS_FEE_PPM | ROUTE_SETS_ENABLED));
	route_layer_at(l, 78);
	CHECK(route_layer_constrain(l, scid_of(2), 0, &low, &high) && route_layer_constrain(l, scid_of(3), 1, NULL, &high));
	CHECK(route_layer_move(l, scid_of(2), 1, MSAT(9)) && route_layer_bias(l, scid_of(4), 0, -100, "a note"));
	CHECK(route_layer_bias_node(l, &two, true, 100, NULL) && route_layer_bias_node(l, &two, false, 0, "none"));
	CHECK(route_layer_exclude(l, scid_of(5), 1) && route_layer_exclude_node(l, &two));
	/* In any order. */
	for (int pass = 0; pass < 2; pass++)
		for (uint64_t at = 0, i = 0; (r = route_layer_next(l, &at)); i++) {
			struct buf value = BUF_EMPTY;

			route_rule_encode(r, &value);
			CHECK((i & 1) != (uint64_t)pass || route_layer_load(back, BYTES_OF(r->key), buf_view(&value)));
			/* Cut short it is damaged. */
			value.size--;
			CHECK(!route_layer_load(back, BYTES_OF(r->key), buf_view(&value)));
			CHECK(!route_layer_load(back, BYTES(r->key, ROUTE_KEY_SIZE - 1), buf_view(&value)));
			buf_release(&value);
		}
	check_same(l, back);
	check_same(back, l);
	r = route_layer_find(back, ROUTE_RULE_UPDATE, scid_of(1), 1, NULL);
	CHECK(r && r->at_s == 77 && r->u.update.sets == (ROUTE_SETS_FEE_PPM | ROUTE_SETS_ENABLED) && r->u.update.policy.fee_ppm == 12);
	r = route_layer_find(back, ROUTE_RULE_BIAS, scid_of(4), 0, NULL);
	CHECK(r && r->at_s == 78 && r->u.bias.v == -100);
	CHECK_STR(r->u.bias.note, "a note");
	route_layer_free(l);
	route_layer_free(back);
}

TEST(another_policy_keeps_what_layers_below_said)
{
	struct route_policy p = policy_of(10, 0);
	struct stack k;

	stack_open(&k, 600000000);
	k.q.parts_max = 1;
	CHECK(route_layer_update(k.layer[1], scid_of(34), 0, &p, ROUTE_SETS_ALL));
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
	CHECK(route_layer_bias_node(k.layer[0], &three, false, -1, NULL));
	CHECK_EQ(fee(&k), 100);
	CHECK(route_layer_bias_node(k.layer[0], &two, false, -100, NULL));
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
	CHECK(route_layer_update(k.layer[1], scid_of(49), 0, &off, ROUTE_SETS_ALL));
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
		CHECK(i & 1 ? route_layer_exclude(l, scid_of(i), 0) : route_layer_bias(l, scid_of(i), 1, 5, NULL));
	CHECK(!route_layer_exclude(l, scid_of(1000000), 0));
	/* One that is there already may change. */
	CHECK(route_layer_bias(l, scid_of(0), 1, -5, NULL));
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
