/* Which channels an invoice names. */
#include "tests/unit/node_pair.h"

#include "invoice/invoice.h"
#include "node/state.h"
#include "tests/unit/node_gossip.h"

/* There is nothing in the chain that anybody would ask for. */
static void look_up(struct rig *r, const struct gossip_note *n)
{
	(void)r;
	(void)n;
	CHECK(0);
}

/* a has channels to b; b is to be paid. */
static void pair(bool announce, uint32_t channels)
{
	struct command open = { .kind = COMMAND_FUND_CHANNEL };

	begin();
	turn_on(&a);
	turn_on(&b);
	meet();
	open.u.fund_channel.peer = b.id;
	open.u.fund_channel.announce = announce;
	for (uint32_t i = 0; i < channels; i++) {
		open.u.fund_channel.amount = SAT(1000000 + 100000 * i);
		(void)mine_funding(1, rig_command(&a, &open));
		rig_blocks(&a, 6);
		rig_blocks(&b, 6);
		rig_pump(&a, &b, 1);
	}
}

/* b's answer to an order for an invoice; NULL label: made up. */
static const struct reply *ask(struct command *c, uint64_t sat)
{
	c->kind = COMMAND_INVOICE;
	c->u.invoice.any_amount = sat == 0;
	c->u.invoice.amount = MSAT(sat * 1000);
	c->u.invoice.description = "a cup";
	c->u.invoice.expiry_s = 3600;
	return reply_of(&b, rig_command(&b, c));
}

static struct invoice made(struct command *c, uint64_t sat, enum invoice_warning warning)
{
	const struct reply *reply = ask(c, sat);
	struct invoice v;
	const char *why;

	CHECK_EQ(reply->code, REPLY_OK);
	CHECK_EQ(reply->u.invoice.warning, warning);
	CHECK(invoice_decode(&b.kept, &v, &why, b.config.network, bytes_from_string(reply->u.invoice.bolt11)));
	return v;
}

static const struct channel_record *channel_of_b(void)
{
	return channel_record_of(rig_channel(&b));
}

TEST(a_hidden_channel_is_named_if_there_is_no_other)
{
	struct command c = { 0 };
	struct invoice v;

	pair(false, 1);
	/* B11.tagged_fields.12 */
	v = made(&c, 1000, WARN_NOTHING);
	CHECK_EQ(v.route_count, 1);
	CHECK_EQ(v.routes[0].hop_count, 1);
	CHECK(SAME(v.routes[0].hops[0].node, a.id));
	/* By the name that its peer gave it, and with the peer's terms. */
	CHECK(channel_of_b()->alias_remote.v && v.routes[0].hops[0].scid.v == channel_of_b()->alias_remote.v);
	CHECK_EQ(v.routes[0].hops[0].fee_base_msat, a.config.forward_fee_base.v);
	CHECK_EQ(v.routes[0].hops[0].fee_proportional_millionths, a.config.forward_fee_ppm);
	CHECK_EQ(v.routes[0].hops[0].cltv_expiry_delta, a.config.forward_cltv_delta);
	v = made(&c, 0, WARN_NOTHING);
	CHECK_EQ(v.route_count, 1);
	v = made(&c, 2000000, WARN_CAPACITY);
	CHECK_EQ(v.route_count, 1);
	c.u.invoice.expose = EXPOSE_ALL;
	v = made(&c, 1000, WARN_NOTHING);
	CHECK_EQ(v.route_count, 1);
	c.u.invoice.expose = EXPOSE_NONE;
	v = made(&c, 1000, WARN_PRIVATE_UNUSED);
	CHECK_EQ(v.route_count, 0);
}

TEST(a_channel_may_be_chosen_by_any_of_its_names)
{
	struct command c = { 0 };
	struct scid names[2] = { { 1 } };

	pair(false, 1);
	c.u.invoice.expose = EXPOSE_LISTED;
	c.u.invoice.exposed = names;
	c.u.invoice.exposed_count = 1;
	CHECK_EQ(ask(&c, 1000)->code, REPLY_INVOICE_NO_HINT);
	c.u.invoice.exposed_count = 0;
	CHECK_EQ(ask(&c, 1000)->code, REPLY_INVOICE_NO_HINT);
	c.u.invoice.exposed_count = 2;
	names[1] = channel_of_b()->scid;
	CHECK_EQ(made(&c, 1000, WARN_NOTHING).route_count, 1);
	names[1] = channel_of_b()->alias_remote;
	CHECK_EQ(made(&c, 1000, WARN_NOTHING).route_count, 1);
	names[1] = channel_of_b()->alias_local;
	CHECK_EQ(made(&c, 1000, WARN_NOTHING).route_count, 1);
	/* A name that was refused is free again. */
	c.u.invoice.label = "same";
	names[1].v = 1;
	CHECK_EQ(ask(&c, 1000)->code, REPLY_INVOICE_NO_HINT);
	names[1] = channel_of_b()->scid;
	CHECK_EQ(made(&c, 1000, WARN_NOTHING).route_count, 1);
}

/* B2.channel_ready.12 */
TEST(a_channel_is_never_named_by_its_place_where_that_is_secret)
{
	struct command c = { 0 };

	pair(false, 1);
	((struct channel_record *)channel_of_b())->scid_alias = true;
	CHECK_EQ(made(&c, 1000, WARN_NOTHING).routes[0].hops[0].scid.v, channel_of_b()->alias_remote.v);
	CHECK(channel_of_b()->alias_remote.v != channel_of_b()->scid.v);
}

TEST(a_peer_that_is_away_is_not_named)
{
	struct command c = { 0 };

	pair(false, 1);
	rig_unlink_both(&a, &b, 1);
	CHECK_EQ(made(&c, 1000, WARN_OFFLINE).route_count, 0);
}

TEST(an_announced_channel_needs_no_name)
{
	struct command c = { 0 };
	struct scid name;

	pair(true, 1);
	/* Its peer has no other channel that is known: nobody but the peer can pay. */
	CHECK_EQ(made(&c, 1000, WARN_DEAD_ENDS).route_count, 0);
	c.u.invoice.expose = EXPOSE_ALL;
	CHECK_EQ(made(&c, 1000, WARN_DEAD_ENDS).route_count, 0);
	name = channel_of_b()->scid;
	c.u.invoice.expose = EXPOSE_LISTED;
	c.u.invoice.exposed = &name;
	c.u.invoice.exposed_count = 1;
	CHECK_EQ(made(&c, 1000, WARN_NOTHING).route_count, 1);
}

TEST(the_channels_that_take_the_most_come_first_and_no_more_than_are_needed)
{
	struct command c = { 0 };
	struct invoice v;

	pair(false, 10);
	v = made(&c, 100, WARN_NOTHING);
	CHECK_EQ(v.route_count, 1); /* the last is the largest */
	v = made(&c, 1500000, WARN_NOTHING);
	CHECK_EQ(v.route_count, 2);
	v = made(&c, 2500000, WARN_MPP);
	CHECK_EQ(v.route_count, 3);
	v = made(&c, 0, WARN_NOTHING);
	CHECK_EQ(v.route_count, 4);
	v = made(&c, 10000000, WARN_MPP);
	CHECK_EQ(v.route_count, 8);
	for (uint32_t i = 1; i < v.route_count; i++)
		CHECK(v.routes[i].hops[0].scid.v != v.routes[0].hops[0].scid.v);
	/* Whoever lists them wants them all. */
	c.u.invoice.expose = EXPOSE_LISTED;
	c.u.invoice.exposed = test_alloc(3 * sizeof(struct scid));
	c.u.invoice.exposed_count = 3;
	for (uint32_t i = 0; i < 3; i++)
		((struct scid *)c.u.invoice.exposed)[i] = v.routes[i].hops[0].scid;
	v = made(&c, 100, WARN_NOTHING);
	CHECK_EQ(v.route_count, 3);
	v = made(&c, 0, WARN_NOTHING);
	CHECK_EQ(v.route_count, 3);
}
