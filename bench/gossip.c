/* Gossip at the network's size: what a start costs, what it takes in memory, and how fast signatures are verified.
 *
 *	bench/gossip [--log] GRAPH.tsv [DIRECTORY]
 *
 * GRAPH.tsv as in the shared vectors (xz -dc of it).  Announcements are built from it without signatures: nothing
 * is verified when a log is read back.  With DIRECTORY the log is left there as gossip.log of regtest, for a daemon
 * to be started on; with --log that is all.  One line of JSON for each figure. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"
#include "bitcoin/network.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "gossip/gossip.h"
#include "gossip/log.h"
#include "runtime/gossip/verify.h"

#define LOTS 64u
#define LOT 256u
#define BENCH_CHECKS_MAX 1024u

static uint32_t resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size = 0, resident = 0;

	if (f) {
		if (fscanf(f, "%lu %lu", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return (uint32_t)(resident * 4);
}

/* ---- A log of the whole network ---- */

static void add_update(struct buf *log, const struct msg_channel_announcement *c, uint32_t direction, const unsigned long long p[6],
		       struct buf *raw)
{
	struct msg_channel_update u = {
		.chain_hash = c->chain_hash,
		.short_channel_id = c->short_channel_id,
		.timestamp = (uint32_t)time(NULL) - 86400,
		.message_flags = 1,
		.channel_flags = (uint8_t)(direction | (p[0] ? 0 : 2)),
		.cltv_expiry_delta = (uint16_t)p[3],
		.htlc_minimum_msat = MSAT(p[4]),
		.fee_base_msat = (uint32_t)p[1],
		.fee_proportional_millionths = (uint32_t)p[2],
		.htlc_maximum_msat = MSAT(p[5]),
	};

	buf_clear(raw);
	msg_channel_update_encode(&u, raw);
	log_record_encode(LOG_UPDATE, BYTES_NONE, buf_view(raw), log);
}

static bool add_line(struct buf *log, const char *line, const struct block_hash *chain, struct buf *raw)
{
	unsigned long long capacity, p[2][6];
	struct msg_channel_announcement c = { .chain_hash = *chain };
	unsigned height, index, output;
	char one[67], two[67];
	uint8_t fixed[40] = { 0 };

	if (sscanf(line, "%ux%ux%u %66s %66s %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &height, &index, &output,
		   one, two, &capacity, &p[0][0], &p[0][1], &p[0][2], &p[0][3], &p[0][4], &p[0][5], &p[1][0], &p[1][1], &p[1][2],
		   &p[1][3], &p[1][4], &p[1][5]) != 18)
		return false;
	c.short_channel_id = scid_make(height, index, (uint16_t)output);
	if (!hex_decode(c.node_id_1.v, 33, one, 66) || !hex_decode(c.node_id_2.v, 33, two, 66))
		return false;
	store_be64(fixed, capacity);
	store_be64(fixed + 8, c.short_channel_id.v);
	buf_clear(raw);
	msg_channel_announcement_encode(&c, raw);
	log_record_encode(LOG_CHANNEL, BYTES_OF(fixed), buf_view(raw), log);
	for (uint32_t i = 0; i < 2; i++)
		add_update(log, &c, i, p[i], raw);
	return true;
}

static void add_node(struct buf *log, const struct pubkey *id, struct buf *raw)
{
	struct msg_node_announcement n = { .node_id = *id, .timestamp = (uint32_t)time(NULL) - 86400, .features = BYTES("\x80\x82", 2),
					   .addresses = BYTES("\x01\x01\x02\x03\x04\x26\x07", 7) };

	memcpy(n.alias, id->v, 8);
	buf_clear(raw);
	msg_node_announcement_encode(&n, raw);
	log_record_encode(LOG_NODE, BYTES_NONE, buf_view(raw), log);
}

static bool build_log(struct buf *log, const char *path, const struct block_hash *chain)
{
	struct buf raw = BUF_EMPTY;
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f)
		return false;
	log_header_encode(buf_extend(log, LOG_HEADER_SIZE), chain);
	while (fgets(line, sizeof(line), f))
		(void)add_line(log, line, chain, &raw);
	fclose(f);
	buf_release(&raw);
	return true;
}

static struct gossip *load(struct buf *log, const struct block_hash *chain, double *seconds)
{
	static const uint8_t seed[32] = { 1 };
	struct gossip_config config = { .chain = *chain, .sync = true };
	struct gossip *g = gossip_new(&config, seed);
	struct log_reader r = { .log = buf_view(log) };
	struct bytes record;
	struct arena a;
	double start = cpu();
	uint32_t ref;

	arena_init(&a);
	while (log_next(&r, &ref, &record))
		if (!gossip_load(g, &a, ref, record))
			break;
	gossip_loaded(g, r.at);
	arena_release(&a);
	*seconds = cpu() - start;
	return g;
}

static void append_nodes(struct buf *log, const struct gossip *g)
{
	const struct graph *graph = gossip_graph(g);
	struct buf raw = BUF_EMPTY;

	for (uint32_t i = 0; i < graph_node_limit(graph); i++)
		if (graph_node_at(graph, i))
			add_node(log, &graph_node_at(graph, i)->id, &raw);
	buf_release(&raw);
}

static void leave(const struct buf *log, const char *directory)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/gossip.log", directory);
	f = fopen(path, "w");
	if (!f || fwrite(log->data, 1, log->size, f) != log->size)
		fprintf(stderr, "cannot write %s\n", path);
	if (f)
		fclose(f);
}

/* ---- What a message costs the loop ---- */

struct flood {
	struct gossip *g;
	struct step step;
	struct effects effects;
	struct table asked;
	uint64_t next_ask;
	struct drbg entropy;
	struct log_sink log;
	bool good[BENCH_CHECKS_MAX];
	uint32_t sent;
};

static void quiet(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	(void)level;
	(void)room;
	(void)text;
}

/* The threads find everything good at once; what they would have taken is not counted. */
static void answer(struct flood *f, struct gossip_notes *notes)
{
	for (const struct gossip_note *n = notes->head; n; n = n->next)
		if (n->kind == GOSSIP_VERIFY)
			gossip_verified(f->g, &f->step, notes, n->id, f->good, n->count);
	*notes = (struct gossip_notes){ 0 };
}

static void flood_one(struct flood *f, const struct graph_channel *c, uint8_t direction, const struct block_hash *chain, struct buf *raw)
{
	struct msg_channel_update u = { .chain_hash = *chain, .short_channel_id = c->scid, .timestamp = (uint32_t)time(NULL),
					.message_flags = 1, .channel_flags = direction, .htlc_maximum_msat = MSAT(1000) };
	struct gossip_notes notes = { 0 };

	buf_clear(raw);
	msg_channel_update_encode(&u, raw);
	gossip_message(f->g, &f->step, &notes, 1, buf_view(raw));
	/* As many as one read of a socket brings share a flush. */
	if (++f->sent % 64 == 0) {
		gossip_flush(f->g, &f->step, &notes);
		answer(f, &notes);
		effects_reset(&f->effects);
	}
}

/* A newer channel_update for every direction that there is. */
static void flood(struct gossip *g, const struct block_hash *chain)
{
	static const uint8_t seed[32] = { 1 };
	struct gossip_link link = { .connection = 1 };
	struct gossip_notes notes = { 0 };
	struct buf raw = BUF_EMPTY;
	struct flood f;
	double start;

	memset(&f, 0, sizeof(f));
	memset(f.good, 1, sizeof(f.good));
	f.g = g;
	effects_init(&f.effects);
	step_asked_init(&f.asked, seed);
	drbg_init(&f.entropy, seed);
	f.log = (struct log_sink){ quiet, NULL, LOG_ERROR };
	f.step = (struct step){ .out = &f.effects, .now_ms = (uint64_t)time(NULL) * 1000, .height = 940000, .entropy = &f.entropy,
				.log = &f.log, .asked = &f.asked, .next_ask = &f.next_ask };
	gossip_peer_up(g, &f.step, &notes, &link);
	start = cpu();
	for (uint32_t i = 0; i < graph_channel_limit(gossip_graph(g)); i++)
		for (uint8_t direction = 0; direction < 2; direction++)
			flood_one(&f, graph_channel_at(gossip_graph(g), i), direction, chain, &raw);
	printf("{\"figure\": \"updates through the core, verification aside\", \"taken\": %llu, \"cpu_us_each\": %.2f}\n",
	       (unsigned long long)gossip_figures(g).accepted, (cpu() - start) * 1e6 / f.sent);
	effects_release(&f.effects);
	step_asked_release(&f.asked);
	buf_release(&raw);
}

/* ---- Signatures ---- */

static struct loop *loop;
static uint32_t lots;

static void done(void *context, uint64_t id, const bool *good, uint32_t count)
{
	(void)context;
	(void)id;
	for (uint32_t i = 0; i < count; i++)
		if (!good[i])
			abort();
	if (++lots == LOTS)
		loop_stop(loop);
}

static void turn(void *context, uint64_t now_ms)
{
	(void)context;
	(void)now_ms;
}

static uint64_t deadline(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static void verify(void)
{
	static const uint8_t seed[32] = { 7 };
	struct loop_client client = { .turn = turn, .deadline = deadline };
	struct verifier_owner owner = { NULL, done };
	struct gossip_check *checks = NEW_ARRAY(struct gossip_check, LOT);
	struct secp *s = secp_new(seed);
	struct verifier *v;
	double start;

	for (uint32_t i = 0; i < LOT; i++) {
		struct secret32 k = { { 1 } };

		store_be32(k.v + 4, i);
		checks[i].hash = sha256(&i, sizeof(i));
		pubkey_of(s, &checks[i].key, &k);
		ecdsa_sign(s, &checks[i].signature, &checks[i].hash, &k, false);
	}
	start = now();
	for (uint32_t lot = 0; lot < LOTS / 4; lot++)
		for (uint32_t i = 0; i < LOT; i++)
			if (!ecdsa_verify(&checks[i].signature, &checks[i].hash, &checks[i].key))
				abort();
	printf("{\"figure\": \"verifications on one thread\", \"per_second\": %.0f}\n", LOTS / 4 * LOT / (now() - start));
	for (uint32_t threads = 1; threads <= 2; threads++) {
		loop = loop_new(&client);
		v = verifier_new(loop, &owner, threads);
		lots = 0;
		start = now();
		for (uint32_t lot = 0; lot < LOTS; lot++)
			verifier_ask(v, lot, checks, LOT);
		loop_run(loop);
		printf("{\"figure\": \"verifications by %u workers\", \"per_second\": %.0f}\n", threads, LOTS * LOT / (now() - start));
		verifier_free(v);
		loop_free(loop);
	}
	secp_free(s);
	mem_free(checks);
}

int main(int argc, char **argv)
{
	const struct block_hash *chain = &network_by_name("regtest")->genesis;
	struct buf log = BUF_EMPTY;
	struct gossip_figures f;
	bool only_log = argc > 1 && !strcmp(argv[1], "--log");
	uint32_t before;
	struct gossip *g;
	double seconds;

	argv += only_log;
	argc -= only_log;
	if (argc < 2 || !build_log(&log, argv[1], chain)) {
		fprintf(stderr, "usage: gossip [--log] GRAPH.tsv [DIRECTORY]\n");
		return 1;
	}
	g = load(&log, chain, &seconds);
	append_nodes(&log, g);
	gossip_free(g);
	if (argc > 2)
		leave(&log, argv[2]);
	if (only_log) {
		buf_release(&log);
		return 0;
	}
	before = resident_kib();
	g = load(&log, chain, &seconds);
	f = gossip_figures(g);
	printf("{\"figure\": \"log read back\", \"channels\": %u, \"nodes\": %u, \"log_bytes\": %zu, \"cpu_ms\": %.0f, "
	       "\"graph_bytes\": %zu, \"resident_kib\": %u}\n", f.channels, f.nodes, f.log_bytes, seconds * 1e3, f.graph_bytes,
	       resident_kib() - before);
	flood(g, chain);
	gossip_free(g);
	buf_release(&log);
	verify();
	return 0;
}
