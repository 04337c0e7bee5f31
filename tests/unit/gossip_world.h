/* Gossip machines with everything around them that the edges would be: a chain of
 * funding outputs, threads that verify, a signer, a log, and wires between them. */
#ifndef TESTS_UNIT_GOSSIP_WORLD_H
#define TESTS_UNIT_GOSSIP_WORLD_H

#include <string.h>

#include "contract/scripts.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "gossip/gossip.h"
#include "gossip/log.h"
#include "gossip/state.h"
#include "tests/test.h"
#include "wire/descriptor.h"

#define START_S 1700000000u
#define HEIGHT 800000u
#define SENT_MAX 40000u

static inline struct secp *secp(void)
{
	static struct secp *s;
	static const uint8_t seed[32] = { 7 };

	if (!s)
		s = secp_new(seed);
	return s;
}

/* Key n of kind 'n' (node) or 'f' (funding). */
static inline struct secret32 key_of(char kind, uint32_t n)
{
	struct secret32 k;
	uint8_t text[5] = { (uint8_t)kind };
	struct sha256 h;

	store_be32(text + 1, n);
	h = sha256(text, sizeof(text));
	memcpy(k.v, h.v, 32);
	return k;
}

static inline struct pubkey point_of(char kind, uint32_t n)
{
	struct secret32 k = key_of(kind, n);
	struct pubkey p;

	pubkey_of(secp(), &p, &k);
	return p;
}

static inline struct block_hash test_chain(void)
{
	struct block_hash h;

	memset(h.v, 6, sizeof(h.v));
	return h;
}

/* ---- Messages ---- */

static inline struct sig64 sign_with(char kind, uint32_t n, struct bytes what)
{
	struct secret32 k = key_of(kind, n);
	struct sha256 hash = sha256d(what.data, what.size);
	struct sig64 sig;

	ecdsa_sign(secp(), &sig, &hash, &k, false);
	return sig;
}

static inline struct own_announcement ends_of(struct scid scid, uint32_t a, uint32_t b)
{
	return (struct own_announcement){ .chain = test_chain(), .scid = scid, .node = { point_of('n', a), point_of('n', b) },
					  .funding = { point_of('f', a), point_of('f', b) } };
}

/* Memory of the test's end. */
static inline struct bytes kept(struct buf *b)
{
	uint8_t *p = test_alloc(b->size ? b->size : 1);
	struct bytes v = BYTES(p, b->size);

	memcpy(p, b->data, b->size);
	buf_release(b);
	return v;
}

/* Signed by nodes a and b with their node and funding keys. */
static inline struct bytes make_channel(struct scid scid, uint32_t a, uint32_t b)
{
	struct own_announcement o = ends_of(scid, a, b);
	struct buf raw = BUF_EMPTY;
	struct sig64 node[2], funding[2];
	struct bytes what;

	own_announcement_build(&o, &raw);
	what = channel_announcement_signed(buf_view(&raw));
	node[0] = sign_with('n', a, what);
	node[1] = sign_with('n', b, what);
	funding[0] = sign_with('f', a, what);
	funding[1] = sign_with('f', b, what);
	own_announcement_sign(&o, &raw, node, funding);
	return kept(&raw);
}

static inline struct own_update say_update(struct scid scid, uint32_t from, uint32_t to, uint32_t timestamp)
{
	return (struct own_update){ .chain = test_chain(), .scid = scid, .node = { point_of('n', from), point_of('n', to) },
				    .timestamp = timestamp, .cltv_delta = 40, .htlc_minimum = MSAT(1),
				    .htlc_maximum = MSAT(900000000), .fee_base_msat = 1000, .fee_ppm = 10 };
}

static inline struct bytes sign_update(const struct own_update *u, uint32_t from)
{
	struct buf raw = BUF_EMPTY;
	struct sig64 sig;

	own_update_build(u, &raw);
	sig = sign_with('n', from, channel_update_signed(buf_view(&raw)));
	own_message_sign(&raw, &sig);
	return kept(&raw);
}

static inline struct bytes make_update(struct scid scid, uint32_t from, uint32_t to, uint32_t timestamp)
{
	struct own_update u = say_update(scid, from, to, timestamp);

	return sign_update(&u, from);
}

static inline struct bytes make_node(uint32_t n, uint32_t timestamp, struct bytes features, struct bytes addresses)
{
	struct own_node o = { .id = point_of('n', n), .features = features, .timestamp = timestamp, .addresses = addresses };
	struct buf raw = BUF_EMPTY;
	struct sig64 sig;

	own_node_build(&o, &raw);
	sig = sign_with('n', n, node_announcement_signed(buf_view(&raw)));
	own_message_sign(&raw, &sig);
	return kept(&raw);
}

static inline int direction_of(uint32_t from, uint32_t to)
{
	struct pubkey a = point_of('n', from), b = point_of('n', to);

	return memcmp(a.v, b.v, 33) < 0 ? 0 : 1;
}

/* ---- The chain ---- */

struct output {
	struct scid scid;
	struct outpoint outpoint;
	struct pubkey funding[2];
	struct amount_sat amount;
	bool spent, hidden, away;
};

struct chain {
	struct output *at;
	uint32_t count, capacity;
};

static inline struct output *chain_output(struct chain *c, struct scid scid)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->at[i].scid.v == scid.v)
			return &c->at[i];
	return NULL;
}

static inline void chain_fund(struct chain *c, struct scid scid, uint32_t a, uint32_t b)
{
	struct output *o;
	struct sha256 id;
	uint8_t key[8];

	if (c->count == c->capacity) {
		c->capacity = c->capacity ? c->capacity * 2 : 64;
		c->at = mem_realloc(c->at, c->capacity, sizeof(*c->at));
	}
	o = &c->at[c->count++];
	memset(o, 0, sizeof(*o));
	store_be64(key, scid.v);
	id = sha256(key, 8);
	memcpy(o->outpoint.txid.v, id.v, 32);
	o->outpoint.index = scid_output(scid);
	o->scid = scid;
	o->funding[0] = point_of('f', a);
	o->funding[1] = point_of('f', b);
	o->amount = SAT(1000000);
}

/* ---- A machine ---- */

struct sent {
	uint64_t connection;
	struct bytes raw; /* of the test */
	bool stored;      /* came out of the log */
};

struct world {
	struct gossip *g;
	struct chain *chain; /* shared */
	uint32_t me;
	struct step step;
	struct effects effects;
	struct drbg entropy;
	struct table asked;
	uint64_t next_ask;
	struct log_sink sink;
	struct buf log;      /* the file */
	struct spent_record { uint8_t key[8], value[5]; } spent[256]; /* RECORD_SPENT in the store */
	uint32_t spent_count;
	struct sent *sent;
	uint32_t sent_count, delivered;
	uint64_t hung_up[64];
	uint32_t hung_up_count;
	bool no_verifying, no_lookups, no_signing;
	struct gossip_note *waiting_verify, *waiting_lookup; /* the last that was not answered */
	uint32_t settled;
	uint32_t checks, verify_lots, lookups, lookup_scids;
	uint32_t heights[4096]; /* of lookups */
	uint32_t policies, announced;
	struct graph_policy peer_policy;
	struct gossip_note *compact;
	struct arena kept_arena;
	struct world *wire[16]; /* of connection i; the other's number of it is the same */
};

static inline void quiet(void *context, enum log_level level, const char *room, const char *text)
{
	(void)context;
	(void)level;
	(void)room;
	(void)text;
}

static inline struct gossip_config config_of(uint32_t me)
{
	return (struct gossip_config){ .chain = test_chain(), .node_id = point_of('n', me), .sync = true,
				       .alias = BYTES("test", 4) };
}

static inline struct world *world_new_with(struct chain *chain, uint32_t me, const struct gossip_config *config)
{
	static const uint8_t seed[32] = { 3, 1 };
	struct world *w = NEW(struct world);

	w->chain = chain;
	w->me = me;
	w->g = gossip_new(config, seed);
	effects_init(&w->effects);
	drbg_init(&w->entropy, seed);
	step_asked_init(&w->asked, seed);
	arena_init(&w->kept_arena);
	w->sink = (struct log_sink){ quiet, NULL, LOG_ERROR };
	w->step = (struct step){ .out = &w->effects, .now_ms = (uint64_t)START_S * 1000, .height = HEIGHT, .entropy = &w->entropy,
				 .log = &w->sink, .asked = &w->asked, .next_ask = &w->next_ask };
	w->sent = NEW_ARRAY(struct sent, SENT_MAX);
	log_header_encode(buf_extend(&w->log, LOG_HEADER_SIZE), &config->chain);
	return w;
}

static inline struct world *world_new(struct chain *chain, uint32_t me)
{
	struct gossip_config config = config_of(me);

	return world_new_with(chain, me, &config);
}

static inline void world_free(struct world *w)
{
	gossip_free(w->g);
	effects_release(&w->effects);
	step_asked_release(&w->asked);
	arena_release(&w->kept_arena);
	buf_release(&w->log);
	mem_free(w->sent);
	mem_free(w);
}

static inline void world_sent(struct world *w, uint64_t connection, struct bytes raw, bool stored)
{
	uint8_t *p = test_alloc(raw.size ? raw.size : 1);

	memcpy(p, raw.data, raw.size);
	CHECK(w->sent_count < SENT_MAX);
	w->sent[w->sent_count++] = (struct sent){ connection, BYTES(p, raw.size), stored };
}

static inline struct bytes world_record(const struct world *w, uint32_t ref)
{
	uint32_t size;

	CHECK(ref + LOG_RECORD_HEADER <= w->log.size);
	size = log_record_size(w->log.data + ref);
	CHECK(size && ref + size <= w->log.size);
	return BYTES(w->log.data + ref, size);
}

static inline void world_verify(struct world *w, const struct gossip_note *n, struct gossip_notes *out)
{
	bool *good = NEW_ARRAY(bool, n->count ? n->count : 1);

	for (uint32_t i = 0; i < n->count; i++)
		good[i] = ecdsa_verify(&n->checks[i].signature, &n->checks[i].hash, &n->checks[i].key);
	gossip_verified(w->g, &w->step, out, n->id, good, n->count);
	mem_free(good);
}

static inline void world_lookup(struct world *w, const struct gossip_note *n, struct gossip_notes *out)
{
	struct gossip_funding *answers = ARENA_ARRAY(&w->effects.arena, struct gossip_funding, n->count);

	for (uint32_t i = 0; i < n->count; i++) {
		struct output *o = chain_output(w->chain, n->scids[i]);

		CHECK_EQ(scid_height(n->scids[i]), n->height);
		answers[i].state = !o ? FUNDING_MISSING : o->away ? FUNDING_AWAY : o->hidden ? FUNDING_UNKNOWN : o->spent ? FUNDING_SPENT : FUNDING_UNSPENT;
		if (!o)
			continue;
		answers[i].txid = o->outpoint.txid;
		answers[i].amount = o->amount;
		answers[i].script = funding_script_pubkey(&w->effects.arena, &o->funding[0], &o->funding[1]);
	}
	gossip_funding(w->g, &w->step, out, n->id, answers, n->count);
}

static inline struct gossip_note *keep_note(struct world *w, const struct gossip_note *n)
{
	struct gossip_note *k = arena_copy(&w->kept_arena, n, sizeof(*n));

	if (n->checks)
		k->checks = arena_copy(&w->kept_arena, n->checks, n->count * sizeof(*n->checks));
	if (n->scids)
		k->scids = arena_copy(&w->kept_arena, n->scids, n->count * sizeof(*n->scids));
	if (n->moves)
		k->moves = arena_copy(&w->kept_arena, n->moves, n->count * sizeof(*n->moves));
	return k;
}

static inline void world_note(struct world *w, const struct gossip_note *n, struct gossip_notes *out)
{
	enum log_kind kind;
	struct bytes body;

	switch (n->kind) {
	case GOSSIP_SEND:
		world_sent(w, n->connection, n->message, false);
		return;
	case GOSSIP_SEND_STORED:
		CHECK(log_record_decode(world_record(w, n->ref), &kind, &body));
		world_sent(w, n->connection, log_message(kind, body), true);
		return;
	case GOSSIP_HANG_UP:
		CHECK(w->hung_up_count < ARRAY_COUNT(w->hung_up));
		w->hung_up[w->hung_up_count++] = n->connection;
		world_sent(w, n->connection, test_unhex("0001"), false); /* the warning that node/ sends */
		return;
	case GOSSIP_VERIFY:
		w->checks += n->count;
		w->verify_lots++;
		if (w->no_verifying)
			w->waiting_verify = keep_note(w, n);
		else
			world_verify(w, n, out);
		return;
	case GOSSIP_LOOKUP:
		w->heights[w->lookups++ % ARRAY_COUNT(w->heights)] = n->height;
		w->lookup_scids += n->count;
		if (w->no_lookups)
			w->waiting_lookup = keep_note(w, n);
		else
			world_lookup(w, n, out);
		return;
	case GOSSIP_STORE:
		CHECK_EQ(n->ref, w->log.size);
		buf_add_bytes(&w->log, n->message);
		return;
	case GOSSIP_COMPACT:
		CHECK_EQ(n->ref, w->log.size);
		w->compact = keep_note(w, n);
		return;
	case GOSSIP_PEER_POLICY:
		w->policies++;
		w->peer_policy = n->policy;
		return;
	case GOSSIP_ANNOUNCED:
		w->announced++;
		return;
	}
}

static inline void world_store(struct world *w, const struct effect *e)
{
	uint32_t i = 0;

	CHECK(e->u.persist.kind == RECORD_SPENT && e->u.persist.key.size == 8);
	while (i < w->spent_count && memcmp(w->spent[i].key, e->u.persist.key.data, 8) != 0)
		i++;
	if (e->u.persist.remove) {
		CHECK(i < w->spent_count);
		w->spent[i] = w->spent[--w->spent_count];
		return;
	}
	CHECK(e->u.persist.value.size == 5 && i < ARRAY_COUNT(w->spent));
	memcpy(w->spent[i].key, e->u.persist.key.data, 8);
	memcpy(w->spent[i].value, e->u.persist.value.data, 5);
	w->spent_count += i == w->spent_count;
}

/* The signer: node `me`, funding key `me` for every channel. */
static inline bool world_sign(struct world *w, struct gossip_notes *out)
{
	struct effect *list = w->effects.head;
	bool any = false;

	w->effects.head = NULL;
	w->effects.tail = &w->effects.head;
	w->effects.count = 0;
	for (struct effect *e = list; e; e = e->next) {
		struct sign_answer answer = { .refused = w->no_signing, .reason = "no" };
		enum owner_kind kind;
		uint64_t owner;

		if (e->kind == EFFECT_PERSIST) {
			world_store(w, e);
			continue;
		}
		CHECK_EQ(e->kind, EFFECT_SIGN);
		CHECK(step_take(&w->step, e->u.sign.id, &kind, &owner) && kind == OWNER_GOSSIP);
		answer.signature = sign_with('n', w->me, e->u.sign.request->u.message);
		if (e->u.sign.request->kind == SIGN_ANNOUNCEMENT)
			answer.signature2 = sign_with('f', w->me, e->u.sign.request->u.message);
		gossip_signed(w->g, &w->step, out, owner, &answer);
		any = true;
	}
	return any;
}

/* Until nothing moves any more. */
static inline void world_settle(struct world *w, struct gossip_notes *out)
{
	struct gossip_note *n = out->head;

	for (;;) {
		for (; n; n = n->next) {
			world_note(w, n, out);
			if (!n->next) {
				/* What came of it was added behind it. */
				if (out->last == n)
					break;
			}
		}
		out->head = out->last = NULL;
		gossip_flush(w->g, &w->step, out);
		if (world_sign(w, out) || out->head) {
			n = out->head;
			if (n)
				continue;
		}
		if (!out->head)
			break;
		n = out->head;
	}
	/* Reads everything: not each time where there is much. */
	if (w->settled++ % (1 + graph_channel_count(gossip_graph(w->g)) / 16) == 0)
		gossip_check_invariants(w->g);
	effects_reset(&w->effects);
}

static inline void world_hear(struct world *w, uint64_t connection, struct bytes raw)
{
	struct gossip_notes out = { 0 };

	gossip_message(w->g, &w->step, &out, connection, raw);
	world_settle(w, &out);
}

#define QUERIES "0440" /* gossip_queries_ex, gossip_queries */

static inline void world_peer_features(struct world *w, uint64_t connection, uint32_t who, struct bytes features, bool other_chain)
{
	struct gossip_link link = { .connection = connection, .id = point_of('n', who), .features = features,
				    .other_chain = other_chain };
	struct gossip_notes out = { 0 };

	gossip_peer_up(w->g, &w->step, &out, &link);
	world_settle(w, &out);
}

static inline void world_peer(struct world *w, uint64_t connection, uint32_t who)
{
	world_peer_features(w, connection, who, test_unhex(QUERIES), false);
}

static inline void world_peer_gone(struct world *w, uint64_t connection)
{
	struct gossip_notes out = { 0 };

	gossip_peer_down(w->g, &w->step, &out, connection);
	world_settle(w, &out);
}

static inline void world_later(struct world *w, uint64_t ms)
{
	struct gossip_notes out = { 0 };

	w->step.now_ms += ms;
	gossip_tick(w->g, &w->step, &out);
	world_settle(w, &out);
}

static inline void world_drained(struct world *w, uint64_t connection)
{
	struct gossip_notes out = { 0 };

	gossip_drained(w->g, &w->step, &out, connection);
	world_settle(w, &out);
}

/* The peer reads until nothing more comes. */
static inline void world_drained_dry(struct world *w, uint64_t connection)
{
	uint32_t before;

	do {
		before = w->sent_count;
		world_drained(w, connection);
	} while (w->sent_count > before);
}

static inline void world_block(struct world *w, const struct outpoint *spent)
{
	struct gossip_notes out = { 0 };

	w->step.height++;
	if (spent)
		gossip_spent(w->g, &w->step, &out, spent);
	gossip_block(w->g, &w->step, &out);
	world_settle(w, &out);
}

/* How many messages of a type went to a connection (0: any) since `from`. */
static inline uint32_t count_sent(const struct world *w, uint32_t from, uint64_t connection, uint16_t type)
{
	uint32_t count = 0;

	for (uint32_t i = from; i < w->sent_count; i++)
		count += (!connection || w->sent[i].connection == connection) && load_be16(w->sent[i].raw.data) == type;
	return count;
}

static inline struct bytes last_sent(const struct world *w, uint64_t connection, uint16_t type)
{
	for (uint32_t i = w->sent_count; i-- > 0;)
		if (w->sent[i].connection == connection && load_be16(w->sent[i].raw.data) == type)
			return w->sent[i].raw;
	return BYTES_NONE;
}

static inline bool hung_up(const struct world *w, uint64_t connection)
{
	for (uint32_t i = 0; i < w->hung_up_count; i++)
		if (w->hung_up[i] == connection)
			return true;
	return false;
}

/* A channel in graph and chain, heard from connection 1. */
static inline uint32_t world_channel(struct world *w, struct scid scid, uint32_t a, uint32_t b)
{
	chain_fund(w->chain, scid, a, b);
	world_hear(w, 1, make_channel(scid, a, b));
	return graph_find_channel(gossip_graph(w->g), scid);
}

static inline const struct graph_channel *world_at(const struct world *w, struct scid scid)
{
	uint32_t channel = graph_find_channel(gossip_graph(w->g), scid);

	return channel == GRAPH_NONE ? NULL : graph_channel_at(gossip_graph(w->g), channel);
}

static inline struct scid scid_at(uint32_t height)
{
	return scid_make(height, 1, 0);
}

/* Another machine over the same log, as after a restart. */
static inline struct world *world_restart(struct world *w)
{
	struct gossip_config config = config_of(w->me);
	struct world *n = world_new_with(w->chain, w->me, &config);
	struct log_reader r = { .log = buf_view(&w->log) };
	struct bytes record;
	uint32_t ref;

	n->step.now_ms = w->step.now_ms;
	n->step.height = w->step.height;
	CHECK(log_header_check(w->log.data, &config.chain));
	memcpy(n->spent, w->spent, sizeof(n->spent));
	n->spent_count = w->spent_count;
	for (uint32_t i = 0; i < n->spent_count; i++)
		CHECK(gossip_load_spent(n->g, BYTES_OF(n->spent[i].key), BYTES_OF(n->spent[i].value)));
	while (log_next(&r, &ref, &record)) {
		CHECK(gossip_load(n->g, &n->kept_arena, ref, record));
		arena_reset(&n->kept_arena);
	}
	gossip_loaded(n->g, r.at);
	buf_clear(&n->log);
	buf_add(&n->log, w->log.data, r.at);
	gossip_check_invariants(n->g);
	return n;
}

#endif
