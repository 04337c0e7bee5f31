/* Disclosed attacks on whoever pays: what an invoice of a hostile payee may say.  docs/ATTACKS.md tells of each. */
#include "tests/unit/node_net.h"

/* A payee that everybody can reach, and one that only hints lead to. */
enum { PUBLIC = 3, HIDDEN = 4 };

static void start(void)
{
	net_square();
	net_private[PUBLIC][HIDDEN] = true;
	net_link(PUBLIC, HIDDEN);
	net_pump();
	net_open(PUBLIC, HIDDEN, NET_SAT);
	net_restart(0);
	net_pump();
}

static uint64_t fee_limit(uint64_t msat)
{
	return msat / 200 < 5000 ? 5000 : msat / 200;
}

/* Whatever the hints say, the public payee gets its money within the limit for fees, or nobody gets anything. */
static void check_public(struct invoice_route *routes, uint32_t count)
{
	const uint64_t msat = 20000000, before = net_msat(0);
	struct net_bill bill = net_bill(PUBLIC, msat);
	const struct reply *reply;

	net_set_hints(&bill, PUBLIC, routes, count);
	reply = net_pay(&bill);
	CHECK_EQ(reply->code, REPLY_OK);
	CHECK(net_paid(PUBLIC, &bill));
	CHECK(before - net_msat(0) <= msat + fee_limit(msat));
	CHECK_EQ(reply->u.pay.sent.v, before - net_msat(0));
	net_is_quiet();
}

/* The hidden payee cannot be reached by these, and that costs nothing. */
static void check_hidden(struct invoice_route *routes, uint32_t count)
{
	const uint64_t before = net_msat(0);
	struct net_bill bill = net_bill(HIDDEN, 20000000);

	net_set_hints(&bill, HIDDEN, routes, count);
	CHECK(net_pay(&bill)->code != REPLY_OK);
	CHECK(!net_paid(HIDDEN, &bill));
	CHECK_EQ(net_msat(0), before);
	net_is_quiet();
}

/* LDK 0.2.3 (2026): hints whose fees overflow end the process.  Core Lightning 25.12.1: fees that do not fit 32 bits. */
TEST(hints_with_absurd_terms)
{
	static const struct { uint32_t base, ppm; uint16_t delta; } terms[] = {
		{ UINT32_MAX, 0, 34 }, { 0, UINT32_MAX, 34 }, { UINT32_MAX, UINT32_MAX, UINT16_MAX }, { 0, 0, UINT16_MAX },
		{ 100001, 0, 34 }, { 0, 5001, 34 },
	};

	start();
	for (size_t i = 0; i < ARRAY_COUNT(terms); i++) {
		struct invoice_hop hop = net_hop(PUBLIC, HIDDEN);
		struct invoice_route route = { &hop, 1 };

		hop.fee_base_msat = terms[i].base;
		hop.fee_proportional_millionths = terms[i].ppm;
		hop.cltv_expiry_delta = terms[i].delta;
		check_hidden(&route, 1);
		/* The same of a channel that is known: gossip's word counts. */
		hop.node = net[1].id;
		hop.scid = net_scid(1, PUBLIC);
		check_public(&route, 1);
	}
}

/* A row of hops, each of which asks for all that 32 bits hold. */
TEST(hints_with_absurd_terms_of_many_hops)
{
	struct invoice_hop hops[10];
	struct invoice_route routes[6];

	start();
	for (size_t i = 0; i < ARRAY_COUNT(hops); i++) {
		hops[i] = net_hop(PUBLIC, HIDDEN);
		hops[i].node = net[i % 5].id;
		hops[i].scid.v = 1000 + i;
		hops[i].fee_base_msat = hops[i].fee_proportional_millionths = UINT32_MAX;
		hops[i].cltv_expiry_delta = UINT16_MAX;
	}
	for (size_t i = 0; i < ARRAY_COUNT(routes); i++)
		routes[i] = (struct invoice_route){ hops + i % 5, (uint32_t)(ARRAY_COUNT(hops) - i % 5) };
	check_hidden(routes, ARRAY_COUNT(routes));
	check_public(routes, ARRAY_COUNT(routes));
}

/* Core Lightning 0.10.1: a hint that leads to the payer itself; 26.06: hints in a circle. */
TEST(hints_in_circles)
{
	struct invoice_hop to_payer[2], from_payer[2], circle[4], itself[2];
	struct invoice_route routes[4];

	start();
	to_payer[0] = net_hop(PUBLIC, 1);
	to_payer[1] = net_hop(1, 0);
	from_payer[0] = net_hop(0, 1);
	from_payer[1] = net_hop(1, PUBLIC);
	circle[0] = net_hop(1, PUBLIC);
	circle[1] = net_hop(PUBLIC, 2);
	circle[2] = net_hop(2, 0);
	circle[3] = net_hop(0, 1);
	itself[0] = net_hop(PUBLIC, HIDDEN);
	itself[1] = itself[0];
	itself[1].node = net[HIDDEN].id;
	routes[0] = (struct invoice_route){ to_payer, 2 };
	routes[1] = (struct invoice_route){ from_payer, 2 };
	routes[2] = (struct invoice_route){ circle, 4 };
	routes[3] = (struct invoice_route){ itself, 2 };
	for (uint32_t i = 0; i < ARRAY_COUNT(routes); i++)
		check_public(&routes[i], 1);
	check_public(routes, ARRAY_COUNT(routes));
	/* They all end at the payee, as the invoice says: from nowhere near it. */
	check_hidden(routes, 3);
}

/* Core Lightning 25.12.1: failures from deep inside a hint.  What the hint says of the forwarder's channel is not so. */
TEST(failures_from_inside_a_hint)
{
	struct invoice_hop hops[2];
	struct invoice_route route = { hops, 2 };

	start();
	hops[0] = net_hop(1, PUBLIC);
	hops[1] = net_hop(PUBLIC, HIDDEN);
	hops[1].scid.v ^= 1; /* no such channel */
	check_hidden(&route, 1);
	hops[1] = net_hop(PUBLIC, HIDDEN);
	hops[1].fee_base_msat = hops[1].fee_proportional_millionths = 0; /* it asks for more */
	net[PUBLIC].config.forward_fee_base = MSAT(3000);
	net_restart(PUBLIC);
	net_pump();
	net_tick(700000);
	check_hidden(&route, 1);
	hops[1] = net_hop(PUBLIC, HIDDEN);
	hops[1].cltv_expiry_delta = 0;
	check_hidden(&route, 1);
	hops[0].scid.v = 0;
	hops[1].scid.v = UINT64_MAX;
	check_hidden(&route, 1);
}
