/* Layers with a name, and what users reserve, as a whole node keeps them. */
#include "tests/unit/node_pair.h"

#include "node/state.h"

static struct command order(enum layer_order what, const char *layer)
{
	struct command c = { .kind = COMMAND_LAYER };

	c.u.layer.order = what;
	c.u.layer.layer = layer;
	c.u.layer.scid = scid_make(7, 7, 7);
	c.u.layer.direction = 1;
	return c;
}

static const struct reply *obeyed(struct command *c)
{
	const struct reply *r = reply_of(&a, rig_command(&a, c));

	node_check(a.node);
	return r;
}

static enum reply_code code(struct command *c)
{
	return obeyed(c)->code;
}

static void create(const char *name, bool persistent)
{
	struct command c = order(LAYER_CREATE, name);

	c.u.layer.persistent = persistent;
	CHECK_EQ(code(&c), REPLY_OK);
}

static const struct route_layer *rules(const char *name)
{
	struct layer_view v;

	return node_view_layer_named(a.node, name, &v) ? v.rules : NULL;
}

static const struct route_rule *rule(const char *name, enum route_rule_kind kind)
{
	return route_layer_find(rules(name), kind, scid_make(7, 7, 7), kind == ROUTE_RULE_CREATE ? 0 : 1, NULL);
}

static const struct route_rule *rule_of_b(const char *name, enum route_rule_kind kind)
{
	return route_layer_find(rules(name), kind, (struct scid){ 0 }, 0, &b.id);
}

static void again(void)
{
	rig_restart(&a);
	node_check(a.node);
}

TEST(a_layer_has_a_name_of_its_own)
{
	struct command c = order(LAYER_CREATE, "one");
	char name[LAYERS_NAME_MAX + 2];

	one();
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(code(&c), REPLY_INVALID);
	c.u.layer.persistent = true;
	CHECK_EQ(code(&c), REPLY_INVALID);
	/* A persistent one may be created twice: a plugin that starts need not know whether it ran before. */
	create("two", true);
	create("two", true);
	c = order(LAYER_CREATE, "");
	CHECK_EQ(code(&c), REPLY_INVALID);
	c = order(LAYER_CREATE, "auto.mine");
	CHECK_EQ(code(&c), REPLY_INVALID);
	memset(name, 'x', sizeof(name));
	name[LAYERS_NAME_MAX + 1] = '\0';
	c = order(LAYER_CREATE, name);
	CHECK_EQ(code(&c), REPLY_INVALID);
	name[LAYERS_NAME_MAX] = '\0';
	CHECK_EQ(code(&c), REPLY_OK);
	c = order(LAYER_REMOVE, "three");
	CHECK_EQ(code(&c), REPLY_INVALID);
	c = order(LAYER_REMOVE, "one");
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK(!rules("one") && rules("two") && rules(name));
	again();
	CHECK(!rules("one") && rules("two") && !rules(name));
	c = order(LAYER_REMOVE, "two");
	CHECK_EQ(code(&c), REPLY_OK);
	again();
	CHECK(!rules("two"));
}

TEST(layers_are_bounded)
{
	char name[16];
	struct command c = order(LAYER_CREATE, name);

	one();
	for (uint32_t i = 0; i < LAYERS_MAX; i++) {
		snprintf(name, sizeof(name), "layer %u", i);
		CHECK_EQ(code(&c), REPLY_OK);
	}
	strcpy(name, "more");
	CHECK_EQ(code(&c), REPLY_INVALID);
	rig_stop(&a);
	one();
	create("full", false);
	c = order(LAYER_BIAS_CHANNEL, "full");
	for (uint32_t i = 0; i < ROUTE_LAYER_RULES_MAX; i++) {
		c.u.layer.scid.v = i;
		rig_command(&a, &c);
		rig_forget(&a);
		a.answers[a.next_call--] = 0;
	}
	CHECK_EQ(route_layer_count(rules("full")), ROUTE_LAYER_RULES_MAX);
	CHECK_EQ(code(&c), REPLY_OK);
	c.u.layer.scid.v = ROUTE_LAYER_RULES_MAX;
	CHECK_EQ(code(&c), REPLY_INVALID);
	CHECK_EQ(route_layer_count(rules("full")), ROUTE_LAYER_RULES_MAX);
	c = order(LAYER_REMOVE, "full");
	CHECK_EQ(code(&c), REPLY_OK);
}

TEST(a_channel_of_a_layer_is_of_use_once_it_has_a_policy)
{
	struct command c = order(LAYER_CREATE_CHANNEL, "l");

	one();
	c.u.layer.direction = 0;
	c.u.layer.node = a.id;
	c.u.layer.other = b.id;
	c.u.layer.amount = MSAT(5000999);
	CHECK_EQ(code(&c), REPLY_INVALID);
	create("l", true);
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK(rule("l", ROUTE_RULE_CREATE)->u.create.capacity.v == 5000);
	/* The same again, from either end; nothing else under that id. */
	c.u.layer.node = b.id;
	c.u.layer.other = a.id;
	CHECK_EQ(code(&c), REPLY_OK);
	c.u.layer.amount = MSAT(6000000);
	CHECK_EQ(code(&c), REPLY_INVALID);
	c.u.layer.other = b.id;
	c.u.layer.scid.v++;
	CHECK_EQ(code(&c), REPLY_INVALID);
	c = order(LAYER_UPDATE_CHANNEL, "l");
	c.u.layer.has_fee_ppm = true;
	c.u.layer.fee_ppm = 5;
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(rule("l", ROUTE_RULE_UPDATE)->u.update.sets, ROUTE_SETS_ENABLED | ROUTE_SETS_FEE_PPM);
	CHECK(rule("l", ROUTE_RULE_UPDATE)->u.update.policy.enabled);
	c.u.layer.has_enabled = true;
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK(!rule("l", ROUTE_RULE_UPDATE)->u.update.policy.enabled);
	c.u.layer.has_enabled = false;
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK(!rule("l", ROUTE_RULE_UPDATE)->u.update.policy.enabled);
	again();
	CHECK(rule("l", ROUTE_RULE_CREATE) && rule("l", ROUTE_RULE_UPDATE)->u.update.policy.fee_ppm == 5);
	c = order(LAYER_REMOVE_UPDATE, "l");
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(code(&c), REPLY_INVALID);
	again();
	CHECK(rule("l", ROUTE_RULE_CREATE) && !rule("l", ROUTE_RULE_UPDATE));
}

TEST(what_is_told_of_a_channel_is_its_newest_bound)
{
	struct command c = order(LAYER_INFORM, "l");
	const struct reply *r;

	one();
	create("l", true);
	c.u.layer.amount = MSAT(1000);
	c.u.layer.what = INFORM_CONSTRAINED;
	r = obeyed(&c);
	CHECK(r->u.layer.has_high && !r->u.layer.has_low && r->u.layer.high.v == 999);
	c.u.layer.amount = MSAT(300);
	c.u.layer.what = INFORM_UNCONSTRAINED;
	r = obeyed(&c);
	CHECK(r->u.layer.has_high && r->u.layer.has_low && r->u.layer.high.v == 999 && r->u.layer.low.v == 300);
	c.u.layer.amount = MSAT(1500);
	r = obeyed(&c);
	CHECK(!r->u.layer.has_high && r->u.layer.has_low && r->u.layer.low.v == 1500);
	c.u.layer.what = INFORM_SUCCEEDED;
	c.u.layer.amount = MSAT(200);
	r = obeyed(&c);
	CHECK_EQ(r->u.layer.moved.v, 200);
	CHECK_EQ(rule("l", ROUTE_RULE_MOVE)->u.moved.v, 200);
	again();
	CHECK_EQ(rule("l", ROUTE_RULE_MOVE)->u.moved.v, 200);
	CHECK_EQ(rule("l", ROUTE_RULE_CONSTRAIN)->u.constrain.low.v, 1500);
	/* What others reserved there was not at hand for that payment; and what had moved is in the new bound. */
	node_ways_reserve(a.node, c.u.layer.scid, 1, MSAT(50));
	c.u.layer.what = INFORM_CONSTRAINED;
	c.u.layer.amount = MSAT(1000);
	r = obeyed(&c);
	CHECK_EQ(r->u.layer.high.v, 1049);
	CHECK(!r->u.layer.has_low);
	CHECK(!rule("l", ROUTE_RULE_MOVE));
	again();
	CHECK(!rule("l", ROUTE_RULE_MOVE) && rule("l", ROUTE_RULE_CONSTRAIN)->u.constrain.high.v == 1049);
}

TEST(likings_and_what_is_old)
{
	struct command c = order(LAYER_BIAS_CHANNEL, "l");
	const struct reply *r;
	uint64_t middle_s;

	one();
	create("l", true);
	c.u.layer.bias = 7;
	c.u.layer.note = "fast";
	CHECK_EQ(obeyed(&c)->u.layer.bias, 7);
	c.u.layer.relative = true;
	c.u.layer.note = NULL;
	CHECK_EQ(obeyed(&c)->u.layer.bias, 14);
	CHECK_STR(rule("l", ROUTE_RULE_BIAS)->u.bias.note, "fast");
	c.u.layer.bias = 87;
	CHECK_EQ(code(&c), REPLY_INVALID);
	CHECK_EQ(rule("l", ROUTE_RULE_BIAS)->u.bias.v, 14);
	rig_tick(&a, 10000);
	middle_s = a.now_ms / 1000;
	c = order(LAYER_BIAS_NODE, "l");
	c.u.layer.node = b.id;
	c.u.layer.bias = -3;
	CHECK_EQ(obeyed(&c)->u.layer.bias, -3);
	c.u.layer.in = true;
	c.u.layer.bias = 4;
	r = obeyed(&c);
	CHECK(r->u.layer.bias == -3 && r->u.layer.bias_in == 4);
	c = order(LAYER_DISABLE_NODE, "l");
	c.u.layer.node = b.id;
	CHECK_EQ(code(&c), REPLY_OK);
	again();
	CHECK(rule("l", ROUTE_RULE_BIAS)->u.bias.v == 14 && rule_of_b("l", ROUTE_RULE_BIAS_NODE_IN)->u.bias.v == 4);
	CHECK(rule_of_b("l", ROUTE_RULE_BIAS_NODE)->u.bias.v == -3 && rule_of_b("l", ROUTE_RULE_EXCLUDE_NODE));
	c = order(LAYER_AGE, "l");
	c.u.layer.before_s = middle_s;
	CHECK_EQ(obeyed(&c)->u.layer.removed, 1);
	CHECK(!rule("l", ROUTE_RULE_BIAS) && rule_of_b("l", ROUTE_RULE_BIAS_NODE));
	/* What is disabled does not age. */
	c.u.layer.before_s = UINT64_MAX;
	CHECK_EQ(obeyed(&c)->u.layer.removed, 2);
	again();
	CHECK_EQ(route_layer_count(rules("l")), 1);
	CHECK(rule_of_b("l", ROUTE_RULE_EXCLUDE_NODE));
}

TEST(a_question_keeps_the_rules_that_it_began_with)
{
	struct held_rules *held;
	struct command c = order(LAYER_BIAS_CHANNEL, "l");

	one();
	create("l", false);
	c.u.layer.bias = 7;
	CHECK_EQ(code(&c), REPLY_OK);
	held = node_layers_hold(a.node, "l");
	CHECK(held->rules == rules("l"));
	c.u.layer.bias = 8;
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(rule("l", ROUTE_RULE_BIAS)->u.bias.v, 8);
	CHECK_EQ(route_layer_find(held->rules, ROUTE_RULE_BIAS, scid_make(7, 7, 7), 1, NULL)->u.bias.v, 7);
	c = order(LAYER_REMOVE, "l");
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(route_layer_count(held->rules), 1);
	held_rules_let_go(held);
	CHECK(!node_layers_hold(a.node, "l"));
}

TEST(users_reserve_paths)
{
	struct reserved_hop hops[2] = { { scid_make(7, 7, 7), 1, MSAT(500), NULL }, { scid_make(8, 8, 8), 0, MSAT(400), "l" } };
	struct command c = { .kind = COMMAND_RESERVE };
	struct reservation_view v;
	const void *after = NULL;

	one();
	c.u.reserve.hops = hops;
	c.u.reserve.hop_count = 2;
	c.u.reserve.command_id = "cli:1";
	/* All or nothing: there is no such layer. */
	CHECK_EQ(code(&c), REPLY_INVALID);
	CHECK(!node_view_reservation(a.node, &after, &v));
	CHECK_EQ(node_ways_reserved(a.node, hops[0].scid, 1).v, 0);
	create("l", true);
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(node_ways_reserved(a.node, hops[0].scid, 1).v, 1000);
	CHECK_EQ(node_ways_reserved(a.node, hops[1].scid, 0).v, 0);
	CHECK_EQ(route_layer_find(rules("l"), ROUTE_RULE_RESERVE, hops[1].scid, 0, NULL)->u.reserve.v, 800);
	after = NULL;
	CHECK(node_view_reservation(a.node, &after, &v) && v.scid.v == hops[0].scid.v && v.amount.v == 500);
	CHECK_STR(v.command_id, "cli:1");
	CHECK(node_view_reservation(a.node, &after, &v) && v.scid.v == hops[1].scid.v);
	c.u.reserve.back = true;
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(node_ways_reserved(a.node, hops[0].scid, 1).v, 500);
	/* Another amount is another reservation. */
	hops[0].amount = MSAT(499);
	CHECK_EQ(code(&c), REPLY_INVALID);
	CHECK_EQ(node_ways_reserved(a.node, hops[0].scid, 1).v, 500);
	CHECK(!route_layer_find(rules("l"), ROUTE_RULE_RESERVE, hops[1].scid, 0, NULL));
	hops[0].amount = MSAT(500);
	c.u.reserve.hop_count = 1;
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(code(&c), REPLY_INVALID);
	after = NULL;
	CHECK(!node_view_reservation(a.node, &after, &v));
	/* They die with the process; the layer stays. */
	c.u.reserve.back = false;
	CHECK_EQ(code(&c), REPLY_OK);
	again();
	after = NULL;
	CHECK(!node_view_reservation(a.node, &after, &v) && rules("l"));
}

/* --- ways that are sought and not paid --- */

static struct command seek(const struct pubkey *to, uint64_t msat)
{
	struct command c = { .kind = COMMAND_ROUTES };

	c.u.routes.own = true;
	c.u.routes.destination = *to;
	c.u.routes.amount = MSAT(msat);
	c.u.routes.fee_limit = MSAT(msat);
	c.u.routes.final_cltv = 18;
	c.u.routes.cltv_max = 2016;
	c.u.routes.parts_max = 16;
	return c;
}

TEST(ways_are_sought_without_paying)
{
	struct sciddir_or_pubkey without = { .is_pubkey = false };
	const char *names[1] = { "l" };
	struct command c;
	const struct reply *r;

	two();
	c = seek(&b.id, 5000000);
	r = obeyed(&c);
	CHECK_EQ(r->code, REPLY_OK);
	CHECK_EQ(r->u.routes.count, 1);
	/* What is not bound to be paid holds nothing: it is there again, and again. */
	c = seek(&b.id, 900000000);
	CHECK_EQ(code(&c), REPLY_OK);
	CHECK_EQ(code(&c), REPLY_OK);
	c = seek(&b.id, 990000000);
	CHECK_EQ(code(&c), REPLY_PAY_NO_ROUTE);
	/* Nothing of ours is public here. */
	c = seek(&b.id, 5000000);
	c.u.routes.own = false;
	c.u.routes.source = a.id;
	CHECK_EQ(code(&c), REPLY_PAY_NO_ROUTE);
	c = seek(&b.id, 5000000);
	without.scid = channel_record_of(rig_channel(&a))->scid;
	without.direction = memcmp(a.id.v, b.id.v, 33) < 0 ? 0 : 1;
	c.u.routes.exclude = &without;
	c.u.routes.exclude_count = 1;
	CHECK_EQ(code(&c), REPLY_PAY_NO_ROUTE);
	c = seek(&b.id, 5000000);
	c.u.routes.layers = names;
	c.u.routes.layer_count = 1;
	CHECK_EQ(code(&c), REPLY_INVALID);
	create("l", false);
	CHECK_EQ(code(&c), REPLY_OK);
	c.u.routes.parts_max = 0;
	CHECK_EQ(code(&c), REPLY_INVALID);
}

TEST(payments_come_before_ways_that_are_sought)
{
	struct command c;

	two();
	a.worker_late = true;
	c = seek(&b.id, 5000000);
	for (uint32_t i = 0; i < SEEK_QUESTIONS_MAX; i++)
		(void)rig_command(&a, &c);
	CHECK_EQ(node_ways_room(a.node), WAYS_QUESTIONS_MAX - SEEK_QUESTIONS_MAX);
	CHECK_EQ(code(&c), REPLY_FAILED);
	CHECK(rig_worker_tick(&a));
	(void)rig_command(&a, &c);
	CHECK_EQ(node_ways_room(a.node), WAYS_QUESTIONS_MAX - SEEK_QUESTIONS_MAX);
	while (rig_worker_tick(&a))
		;
	CHECK_EQ(node_ways_room(a.node), WAYS_QUESTIONS_MAX);
}
