/* The signatures of a network of today's size through the real ingest: core/gossip, and runtime/gossip with its threads
 * and its file, fed as a sync would, beside what libsecp256k1 verifies with two threads.
 *
 *	verify DIRECTORY [CHANNELS NODES]
 *
 * DIRECTORY takes the file.  The chain's answers are made up: each channel has its output.  Bare verifications come
 * before and after, on a machine that is shared both vary; one line of JSON. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"
#include "bench/load/letters.h"
#include "bitcoin/network.h"
#include "crypto/hash.h"
#include "runtime/gossip/edge.h"

#define PEERS 8u
#define BARE_SECONDS 2.0
#define LOOKUPS_OPEN 64u
/* As a sync does, no more than the machine has room for. */
#define HELD_MOST (1500u << 10)
#define CANDIDATES_MOST 2048u
#define A_TURN 128u

struct question {
	uint64_t id;
	struct scid scids[128];
	uint32_t count;
};

struct bench {
	struct crowd *crowd;
	struct letters letters, scripts;
	uint32_t sent;
	struct gossip *gossip;
	struct gossip_edge *edge;
	struct loop *loop;
	struct loop_wake *more;
	struct step step;
	struct effects effects;
	struct table asked;
	uint64_t next_ask;
	struct drbg entropy;
	struct log_sink log;
	struct question questions[LOOKUPS_OPEN];
	uint32_t question_count;
};

/* ---- Messages: a channel with both updates, all of them, then the nodes ---- */

static void write_letter(const void *context, uint32_t number, struct buf *out)
{
	const struct crowd *n = context;
	uint32_t timestamp = (uint32_t)time(NULL) - 86400;

	if (number >= 3 * n->channels)
		crowd_node(n, number - 3 * n->channels, timestamp, out);
	else if (number % 3 == 0)
		crowd_announcement(n, number / 3, out);
	else
		crowd_update(n, number / 3, number % 3 - 1, timestamp, out);
}

static void write_script(const void *context, uint32_t channel, struct buf *out)
{
	struct arena a;

	arena_init(&a);
	buf_add_bytes(out, crowd_script(context, &a, channel));
	arena_release(&a);
}

static uint32_t signatures(const struct crowd *n)
{
	return 6 * n->channels + n->nodes;
}

/* ---- The machine and its edge ---- */

static void obey(struct bench *b, struct gossip_notes *notes)
{
	for (const struct gossip_note *n = notes->head; n; n = n->next)
		if (n->kind != GOSSIP_HANG_UP && n->kind != GOSSIP_PEER_POLICY && n->kind != GOSSIP_ANNOUNCED)
			gossip_edge_obey(b->edge, n);
	*notes = (struct gossip_notes){ 0 };
}

static void on_event(void *context, const struct event *e)
{
	struct bench *b = context;
	struct gossip_notes notes = { 0 };

	gossip_answer(b->gossip, &b->step, &notes, e->u.gossip);
	obey(b, &notes);
}

static void on_send(void *context, uint64_t connection, struct bytes message)
{
	(void)context;
	(void)connection;
	(void)message;
}

static void on_lookup(void *context, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count)
{
	struct bench *b = context;
	struct question *q = &b->questions[b->question_count++];

	(void)height;
	ASSERT(b->question_count <= LOOKUPS_OPEN && count <= ARRAY_COUNT(q->scids));
	q->id = id;
	q->count = count;
	memcpy(q->scids, scids, count * sizeof(*scids));
}

static void fatal(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "verify: %s\n", text);
	exit(1);
}

static void quiet(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	if (level >= LOG_WARN)
		fprintf(stderr, "%s: %s\n", room, text);
}

static void answer_lookup(struct bench *b, const struct question *q, struct gossip_notes *notes)
{
	struct gossip_funding fundings[ARRAY_COUNT(q->scids)];

	for (uint32_t i = 0; i < q->count; i++) {
		/* crowd_place's order */
		uint32_t channel = (scid_height(q->scids[i]) - 1) * 100 + scid_output(q->scids[i]);
		struct sha256 id = sha256(&q->scids[i].v, sizeof(q->scids[i].v));

		fundings[i] = (struct gossip_funding){ .state = FUNDING_UNSPENT, .amount = SAT(1000000),
						       .script = letter(&b->scripts, channel) };
		memcpy(fundings[i].txid.v, id.v, sizeof(id.v));
	}
	gossip_funding(b->gossip, &b->step, notes, q->id, fundings, q->count);
}

static void answer_lookups(struct bench *b, struct gossip_notes *notes)
{
	uint32_t count = b->question_count;
	struct question *now_asked = NEW_ARRAY(struct question, count + 1);

	memcpy(now_asked, b->questions, count * sizeof(*now_asked));
	b->question_count = 0;
	for (uint32_t i = 0; i < count; i++)
		answer_lookup(b, &now_asked[i], notes);
	mem_free(now_asked);
}

/* Nodes are told of once their channels are in, as a sync's answers bring them. */
static bool may_send(const struct bench *b)
{
	struct gossip_figures f = gossip_figures(b->gossip);

	if (b->sent == b->letters.count || f.held_bytes > HELD_MOST || f.candidates > CANDIDATES_MOST)
		return false;
	return b->sent < 3 * b->crowd->channels || f.channels == b->crowd->channels;
}

static bool done(const struct bench *b)
{
	return b->sent == b->letters.count && !gossip_figures(b->gossip).held;
}

static void turn(void *context, uint64_t now_ms)
{
	struct bench *b = context;
	struct gossip_notes notes = { 0 };

	b->step.now_ms = now_ms;
	answer_lookups(b, &notes);
	if (may_send(b))
		for (uint32_t i = 0; i < A_TURN && b->sent < b->letters.count; i++) {
			/* A channel and its updates come from one peer. */
			uint64_t connection = 1 + b->sent / 3 % PEERS;

			gossip_message(b->gossip, &b->step, &notes, connection, letter(&b->letters, b->sent++));
		}
	gossip_flush(b->gossip, &b->step, &notes);
	obey(b, &notes);
	gossip_edge_flush(b->edge);
	effects_reset(&b->effects);
	if (done(b))
		loop_stop(b->loop);
	else if (may_send(b) || b->question_count)
		loop_wake_ring(b->more);
}

static void nothing(void *context)
{
	(void)context;
}

/* While a block's channels gather. */
static uint64_t deadline(void *context)
{
	struct bench *b = context;

	return b->step.now_ms + 5;
}

static void tick(void *context, uint64_t now_ms)
{
	(void)context;
	(void)now_ms;
}

static void set_up(struct bench *b, const char *directory)
{
	static const uint8_t seed[32] = { 1 };
	struct gossip_config config = { .chain = b->crowd->chain, .gather_ms = 20, .sync = true };
	struct loop_client client = { .context = b, .turn = turn, .deadline = deadline, .tick = tick };
	struct gossip_edge_config edge = { .directory = directory, .chain = config.chain, .log = &b->log, .context = b,
					   .event = on_event, .send = on_send, .lookup = on_lookup, .fatal = fatal };
	char error[GOSSIP_EDGE_ERROR_SIZE];
	struct gossip_notes notes = { 0 };

	b->gossip = gossip_new(&config, seed);
	gossip_loaded(b->gossip, 44);
	b->loop = loop_new(&client);
	b->more = loop_wake_new(b->loop, nothing, b);
	b->log = (struct log_sink){ quiet, NULL, LOG_WARN };
	b->edge = gossip_edge_new(b->loop, &edge, error);
	if (!b->edge)
		fatal(NULL, error);
	effects_init(&b->effects);
	step_asked_init(&b->asked, seed);
	drbg_init(&b->entropy, seed);
	b->step = (struct step){ .out = &b->effects, .now_ms = loop_now_ms(b->loop), .height = 100000, .entropy = &b->entropy,
				 .log = &b->log, .asked = &b->asked, .next_ask = &b->next_ask };
	for (uint64_t connection = 1; connection <= PEERS; connection++) {
		struct gossip_link link = { .connection = connection };

		gossip_peer_up(b->gossip, &b->step, &notes, &link);
	}
}

static void tear_down(struct bench *b)
{
	gossip_edge_free(b->edge);
	loop_wake_free(b->more);
	loop_free(b->loop);
	gossip_free(b->gossip);
	effects_release(&b->effects);
	step_asked_release(&b->asked);
	letters_release(&b->letters);
	letters_release(&b->scripts);
	crowd_free(b->crowd);
}

/* ---- Bare verifications ---- */

struct bare {
	const struct crowd *crowd;
	double per_second, per_cpu_second;
};

/* What costs beside the verification counts as the ingest's.  With the policy of its threads: on a machine that has other
 * things to do, this is what they could get of it. */
static void *verify_bare(void *context)
{
	struct bare *bare = context;
	struct sha256 hash = sha256("bare", 4);
	struct secret32 k = { { 0x42 } };
	double began = now(), spent;
	struct sig64 signature;
	struct pubkey key;
	const struct sched_param any = { 0 };
	long count = 0;

	(void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &any);
	ecdsa_sign(bare->crowd->secp, &signature, &hash, &k, false);
	pubkey_of(bare->crowd->secp, &key, &k);
	do {
		for (int i = 0; i < 64; i++, count++)
			if (!ecdsa_verify(&signature, &hash, &key))
				exit(1);
		spent = now() - began;
	} while (spent < BARE_SECONDS);
	bare->per_second = (double)count / spent;
	bare->per_cpu_second = (double)count / thread_cpu();
	return NULL;
}

/* Of two threads; per_cpu_second of one. */
static struct bare verifies_bare(const struct crowd *n)
{
	struct bare two[2] = { { n, 0, 0 }, { n, 0, 0 } };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		ASSERT(!pthread_create(&threads[i], NULL, verify_bare, &two[i]));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	two[0].per_second += two[1].per_second;
	two[0].per_cpu_second = (two[0].per_cpu_second + two[1].per_cpu_second) / 2;
	return two[0];
}

int main(int argc, char **argv)
{
	uint32_t channels = argc > 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : CROWD_CHANNELS;
	uint32_t nodes = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : CROWD_NODES;
	struct gossip_figures f;
	struct bare before, after;
	double seconds, used;
	struct bench *b;

	if (argc < 2 || nodes < 2 || channels < nodes) {
		fprintf(stderr, "usage: verify DIRECTORY [CHANNELS NODES]\n");
		return 2;
	}
	b = NEW(struct bench);
	b->crowd = crowd_new(channels, nodes, &network_by_name("regtest")->genesis);
	letters_write(&b->letters, 3 * channels + nodes, write_letter, b->crowd);
	letters_write(&b->scripts, channels, write_script, b->crowd);
	set_up(b, argv[1]);
	before = verifies_bare(b->crowd);
	seconds = now();
	used = cpu();
	loop_run(b->loop);
	seconds = now() - seconds;
	used = cpu() - used;
	after = verifies_bare(b->crowd);
	f = gossip_figures(b->gossip);
	printf("{\"channels\": %u, \"nodes\": %u, \"messages\": %u, \"accepted\": %llu, \"over_bound\": %llu, \"signatures\": %u, "
	       "\"seconds\": %.3f, \"per_second\": %.0f, \"per_cpu_second\": %.0f, \"bare_per_second\": %.0f, "
	       "\"bare_per_cpu_second\": %.0f}\n",
	       f.channels, f.nodes, b->letters.count, (unsigned long long)f.accepted, (unsigned long long)f.over_bound,
	       signatures(b->crowd), seconds, signatures(b->crowd) / seconds, signatures(b->crowd) / used,
	       (before.per_second + after.per_second) / 2, (before.per_cpu_second + after.per_cpu_second) / 2);
	tear_down(b);
	mem_free(b);
	return 0;
}
