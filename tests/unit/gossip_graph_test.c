/* The graph: random changes against its own invariants, and the network of 2026 in memory. */
#include "gossip/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/cipher.h"
#include "tests/test.h"

static const uint8_t seed[16] = { 1, 2, 3 };

static struct pubkey id_of(uint32_t n)
{
	struct pubkey p = { { 2 } };

	store_be32(p.v + 29, n);
	return p;
}

static uint32_t add(struct graph *g, uint64_t scid, uint32_t a, uint32_t b)
{
	struct pubkey one = id_of(a < b ? a : b), two = id_of(a < b ? b : a);
	struct graph_new_channel c = { .scid = { scid }, .node_id = { &one, &two }, .capacity = SAT(1000) };

	return graph_add_channel(g, &c);
}

TEST(nodes_come_and_go_with_their_channels)
{
	struct graph *g = graph_new(seed);
	struct pubkey two = id_of(2);
	uint32_t first = add(g, 100, 1, 2), second = add(g, 200, 2, 3), node;
	uint64_t version = graph_version(g);

	CHECK_EQ(graph_channel_count(g), 2);
	CHECK_EQ(graph_node_count(g), 3);
	node = graph_find_node(g, &two);
	CHECK_EQ(graph_node_at(g, node)->channel_count, 2);
	CHECK_EQ(graph_node_at(g, node)->first, second);
	CHECK_EQ(graph_next(graph_channel_at(g, second), node), first);
	CHECK_EQ(graph_next(graph_channel_at(g, first), node), GRAPH_NONE);
	graph_remove_channel(g, second);
	CHECK(graph_version(g) > version);
	CHECK_EQ(graph_node_count(g), 2);
	CHECK(!graph_channel_at(g, second));
	CHECK_EQ(graph_find_channel(g, (struct scid){ 200 }), GRAPH_NONE);
	/* Its number is used again. */
	CHECK_EQ(add(g, 300, 1, 4), second);
	graph_check(g);
	graph_remove_channel(g, first);
	graph_remove_channel(g, second);
	CHECK_EQ(graph_node_count(g), 0);
	CHECK_EQ(graph_find_node(g, &two), GRAPH_NONE);
	graph_check(g);
	graph_free(g);
}

TEST(what_a_policy_makes_usable)
{
	struct graph *g = graph_new(seed);
	uint32_t c = add(g, 100, 1, 2);
	struct graph_policy p = { .timestamp = 5, .htlc_minimum = MSAT(1), .htlc_maximum = MSAT(1000000), .fee_ppm = 7 };

	CHECK(!graph_usable(graph_channel_at(g, c), 0) && !graph_usable(graph_channel_at(g, c), 1));
	graph_set_policy(g, c, 1, &p);
	CHECK(!graph_usable(graph_channel_at(g, c), 0) && graph_usable(graph_channel_at(g, c), 1));
	CHECK_EQ(graph_channel_at(g, c)->policy[1].fee_ppm, 7);
	/* B7.channel_update.32: more than the capacity. */
	p.htlc_maximum = MSAT(1000001);
	graph_set_policy(g, c, 1, &p);
	CHECK(!graph_usable(graph_channel_at(g, c), 1));
	/* B7.channel_update.31: the maximum below the minimum. */
	p.htlc_minimum = MSAT(500);
	p.htlc_maximum = MSAT(499);
	graph_set_policy(g, c, 1, &p);
	CHECK(!graph_usable(graph_channel_at(g, c), 1));
	p.htlc_maximum = MSAT(500);
	graph_set_policy(g, c, 1, &p);
	CHECK(graph_usable(graph_channel_at(g, c), 1));
	p.flags = GRAPH_DISABLED;
	graph_set_policy(g, c, 1, &p);
	CHECK(!graph_usable(graph_channel_at(g, c), 1));
	p.flags = 0;
	graph_set_policy(g, c, 1, &p);
	graph_set_spent(g, c, 800000);
	CHECK(!graph_usable(graph_channel_at(g, c), 1));
	graph_set_spent(g, c, 0);
	CHECK(graph_usable(graph_channel_at(g, c), 1));
	graph_clear_policy(g, c, 1);
	CHECK(!graph_usable(graph_channel_at(g, c), 1));
	graph_free(g);
}

#define SCIDS 700u

TEST(random_changes_keep_it_whole)
{
	static const uint8_t entropy[32] = { 9 };
	struct graph *g = graph_new(seed);
	bool there[SCIDS] = { false };
	uint32_t live = 0;
	struct drbg d;

	drbg_init(&d, entropy);
	for (int i = 0; i < 20000; i++) {
		uint32_t r[3], which, number;

		drbg_fill(&d, r, sizeof(r));
		which = r[0] % SCIDS;
		number = graph_find_channel(g, (struct scid){ which });
		CHECK((number != GRAPH_NONE) == there[which]);
		if (there[which]) {
			graph_remove_channel(g, number);
			live--;
		} else {
			uint32_t a = r[1] % 60;

			CHECK(add(g, which, a, a + 1 + r[2] % 20) != GRAPH_NONE);
			live++;
		}
		there[which] = !there[which];
		CHECK_EQ(graph_channel_count(g), live);
		if (i % 500 == 0)
			graph_check(g);
	}
	graph_check(g);
	CHECK(graph_channel_limit(g) <= SCIDS);
	graph_free(g);
}

static uint64_t scid_read(const char *text)
{
	uint32_t block = 0, tx = 0;
	unsigned output = 0;

	if (sscanf(text, "%ux%ux%u", &block, &tx, &output) != 3)
		return 0;
	return scid_make(block, tx, (uint16_t)output).v;
}

/* The file of 50,808 channels: everything in a few megabytes. */
TEST(the_whole_network_is_small)
{
	const char *root = getenv("LAMPO_SHARED");
	struct graph *g = graph_new(seed);
	char command[600], line[512];
	uint32_t channels = 0, edges = 0;
	FILE *f;

	snprintf(command, sizeof(command), "xz -dc %s/vectors/graph/mainnet-2026-02-03.tsv.xz 2>/dev/null", root ? root : "../shared");
	f = popen(command, "r");
	while (f && fgets(line, sizeof(line), f)) {
		char scid[40], one[67], two[67];
		unsigned long long capacity, p[2][6];
		struct pubkey id[2];
		struct graph_new_channel c = { .node_id = { &id[0], &id[1] } };
		uint32_t number;

		if (line[0] == '#' || sscanf(line, "%39s %66s %66s %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu",
					     scid, one, two, &capacity, &p[0][0], &p[0][1], &p[0][2], &p[0][3], &p[0][4], &p[0][5],
					     &p[1][0], &p[1][1], &p[1][2], &p[1][3], &p[1][4], &p[1][5]) != 16)
			continue;
		CHECK(hex_decode(id[0].v, 33, one, 66) && hex_decode(id[1].v, 33, two, 66));
		c.scid.v = scid_read(scid);
		c.capacity = SAT(capacity);
		if (memcmp(id[0].v, id[1].v, 33) > 0) {
			c.node_id[0] = &id[1];
			c.node_id[1] = &id[0];
		}
		number = graph_add_channel(g, &c);
		CHECK(number != GRAPH_NONE);
		for (int side = 0; side < 2; side++) {
			struct graph_policy policy = { .timestamp = 1, .fee_base_msat = (uint32_t)p[side][1],
						       .fee_ppm = (uint32_t)p[side][2], .cltv_delta = (uint16_t)p[side][3],
						       .htlc_minimum = MSAT(p[side][4]), .htlc_maximum = MSAT(p[side][5]) };

			policy.flags = p[side][0] ? 0 : GRAPH_DISABLED;
			graph_set_policy(g, number, side, &policy);
		}
	}
	if (f)
		pclose(f);
	if (!graph_channel_count(g)) {
		graph_free(g);
		test_skip("no graph file, or no xz to read it");
	}
	graph_check(g);
	for (uint32_t i = 0; i < graph_node_limit(g); i++) {
		const struct graph_node *n = graph_node_at(g, i);

		for (uint32_t c = n ? n->first : GRAPH_NONE; c != GRAPH_NONE; c = graph_next(graph_channel_at(g, c), i))
			edges++;
	}
	channels = graph_channel_count(g);
	printf("  %u channels, %u nodes, %zu bytes\n", channels, graph_node_count(g), graph_memory(g));
	CHECK_EQ(edges, 2 * channels);
	CHECK_EQ(channels, 50808);
	CHECK_EQ(graph_node_count(g), 17324);
	CHECK(graph_memory(g) < 10000000);
	graph_free(g);
}
