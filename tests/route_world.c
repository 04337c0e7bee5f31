#include "tests/route_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_NAME "vectors/graph/mainnet-2026-02-03.tsv.xz"
#define FIELDS 16

uint64_t route_world_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool split_fields(char *line, char **fields)
{
	int count = 0;

	for (char *at = line; at && count < FIELDS; count++) {
		fields[count] = strsep(&at, "\t\n");
		if (count == FIELDS - 1)
			return true;
	}
	return false;
}

static struct route_policy policy_of(char *const *f)
{
	return (struct route_policy){
		.enabled = f[0][0] == '1', .fee_base_msat = (uint32_t)strtoul(f[1], NULL, 10),
		.fee_ppm = (uint32_t)strtoul(f[2], NULL, 10), .cltv_delta = (uint16_t)strtoul(f[3], NULL, 10),
		.htlc_min = MSAT(strtoull(f[4], NULL, 10)), .htlc_max = MSAT(strtoull(f[5], NULL, 10)),
	};
}

static bool parse_line(char *line, struct route_channel *c)
{
	char *f[FIELDS], *at;
	uint32_t block, tx;

	if (!split_fields(line, f))
		return false;
	block = (uint32_t)strtoul(f[0], &at, 10);
	tx = (uint32_t)strtoul(at + 1, &at, 10);
	c->scid = scid_make(block, tx, (uint16_t)strtoul(at + 1, NULL, 10));
	c->capacity = SAT(strtoull(f[3], NULL, 10));
	c->policy[0] = policy_of(f + 4);
	c->policy[1] = policy_of(f + 10);
	return hex_decode(c->node[0].v, 33, f[1], strlen(f[1])) && hex_decode(c->node[1].v, 33, f[2], strlen(f[2]));
}

static struct route_graph *read_graph(FILE *in)
{
	const uint8_t seed[16] = { 7 };
	struct route_builder *b = route_builder_new(seed);
	char line[1024];

	while (fgets(line, sizeof(line), in)) {
		struct route_channel c = { 0 };

		if (line[0] != '#' && !(parse_line(line, &c) && route_builder_add(b, &c)))
			fprintf(stderr, "route_world: a line that is no channel: %s\n", line);
	}
	return route_builder_finish(b);
}

struct route_graph *route_world_load(void)
{
	const char *shared = getenv("LAMPO_SHARED");
	char name[1024], command[1100];
	struct route_graph *g;
	FILE *in;

	snprintf(name, sizeof(name), "%s/" FILE_NAME, shared ? shared : "../shared");
	if (access(name, R_OK) != 0) {
		fprintf(stderr, "route_world: %s: %s\n", name, strerror(errno));
		return NULL;
	}
	snprintf(command, sizeof(command), "xz -dc '%s'", name);
	in = popen(command, "r");
	if (!in)
		return NULL;
	g = read_graph(in);
	if (pclose(in) == 0 && g->edge_count)
		return g;
	fprintf(stderr, "route_world: xz could not read %s\n", name);
	route_graph_free(g);
	return NULL;
}

struct sized_node {
	uint64_t capacity;
	uint32_t node;
};

static int compare_sizes(const void *a, const void *b)
{
	const struct sized_node *x = a, *y = b;

	return x->capacity != y->capacity ? (x->capacity < y->capacity ? 1 : -1) : x->node < y->node ? -1 : x->node > y->node;
}

uint32_t route_world_largest(const struct route_graph *g, uint32_t *out, uint32_t count)
{
	struct sized_node *sizes = NEW_ARRAY(struct sized_node, g->node_count + 1);

	for (uint32_t n = 0; n < g->node_count; n++)
		sizes[n].node = n;
	for (uint32_t e = 0; e < g->edge_count; e++)
		for (int d = 0; d < 2; d++)
			sizes[g->edges[e].node[d]].capacity += g->edges[e].capacity_sat;
	qsort(sizes, g->node_count, sizeof(*sizes), compare_sizes);
	if (count > g->node_count)
		count = g->node_count;
	for (uint32_t i = 0; i < count; i++)
		out[i] = sizes[i].node;
	mem_free(sizes);
	return count;
}
