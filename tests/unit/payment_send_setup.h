/* A payer in a step of its own, the channels it can use, and the nodes that its onions pass.  Questions are answered
 * by a planner of a few lines: over one way if that is possible, the cheapest; else over as few as possible, the widest
 * first.  Ways go straight to the payee, or along a hint. */
#ifndef TESTS_UNIT_PAYMENT_SEND_SETUP_H
#define TESTS_UNIT_PAYMENT_SEND_SETUP_H

#include "onion/opening.h"
#include "payment/send.h"
#include "tests/preimages.h"
#include "tests/test.h"
#include "tests/unit/step_shown.h"

#define START_MS 1700000000000ull
#define HEIGHT 800000u

/* Node 0 is the payer; keys are the node's number + 1, repeated. */
enum { PAYER = 0, PEER_A = 1, PEER_B = 2, PAYEE = 3, FAR_NODE = 4 };

/* A channel of ours that can offer an HTLC now; its scid is own_scid. */
struct scene_channel {
	uint64_t key;
	struct pubkey peer;
	struct amount_msat spendable, htlc_min;
};

/* What is in flight somewhere, as the facts say. */
struct scene_load {
	struct scid scid;
	uint8_t direction;
	uint64_t msat;
};

struct scene {
	struct send *send;
	struct effects effects;
	struct drbg entropy;
	struct step step;
	struct scene_channel channels[64];
	uint32_t channel_count;
	struct send_offers offers;
	struct send_questions questions;
	struct scene_load loads[64];
	uint32_t load_count;
	struct send_fact facts[256]; /* of this step */
	uint32_t fact_count;
	struct arena arena;
};

static inline struct secp *secp(void)
{
	static struct secp *s;
	static const uint8_t seed[32] = { 7 };

	if (!s)
		s = secp_new(seed);
	return s;
}

static inline struct secret32 node_key(uint8_t n)
{
	struct secret32 k;

	memset(k.v, n + 1, sizeof(k.v));
	return k;
}

static inline struct pubkey node_id(uint8_t n)
{
	struct secret32 k = node_key(n);
	struct pubkey p;

	pubkey_of(secp(), &p, &k);
	return p;
}

static inline struct scene *scene(void)
{
	struct scene *s = test_alloc(sizeof(*s));
	static const uint8_t seed[32] = { 5 };
	struct send_config c = { .self = node_id(PAYER), .pending_max = 5 };

	s->send = send_new(&c, seed);
	effects_init(&s->effects);
	arena_init(&s->arena);
	drbg_init(&s->entropy, seed);
	s->step.out = &s->effects;
	s->step.now_ms = START_MS;
	s->step.height = HEIGHT;
	s->step.entropy = &s->entropy;
	return s;
}

static inline void scene_release(struct scene *s)
{
	send_check_invariants(s->send);
	send_free(s->send);
	effects_release(&s->effects);
	arena_release(&s->arena);
}

static inline struct scene_load *load_of(struct scene *s, struct scid scid, uint8_t direction)
{
	for (uint32_t i = 0; i < s->load_count; i++)
		if (s->loads[i].scid.v == scid.v && s->loads[i].direction == direction)
			return &s->loads[i];
	CHECK(s->load_count < ARRAY_COUNT(s->loads));
	s->loads[s->load_count] = (struct scene_load){ scid, direction, 0 };
	return &s->loads[s->load_count++];
}

static inline void take_facts(struct scene *s)
{
	uint32_t count;
	const struct send_fact *f = send_facts(s->send, &count);

	for (; count; f++, count--) {
		struct scene_load *l = load_of(s, f->scid, f->direction);

		CHECK(s->fact_count < ARRAY_COUNT(s->facts));
		s->facts[s->fact_count++] = *f;
		if (f->kind == SEND_FACT_TAKEN)
			l->msat += f->amount.v;
		if (f->kind == SEND_FACT_FREED) {
			CHECK(l->msat >= f->amount.v);
			l->msat -= f->amount.v;
		}
	}
	send_facts_taken(s->send);
}

/* Whether this step showed that. */
static inline bool has_fact(struct scene *s, enum send_fact_kind kind, uint64_t scid, uint64_t msat)
{
	take_facts(s);
	for (uint32_t i = 0; i < s->fact_count; i++)
		if (s->facts[i].kind == kind && s->facts[i].scid.v == scid && s->facts[i].amount.v == msat)
			return true;
	return false;
}

static inline uint32_t count_facts(struct scene *s, enum send_fact_kind kind)
{
	uint32_t n = 0;

	take_facts(s);
	for (uint32_t i = 0; i < s->fact_count; i++)
		n += s->facts[i].kind == kind;
	return n;
}

/* Forgets what was said so far. */
static inline void next_step(struct scene *s)
{
	send_check_invariants(s->send);
	take_facts(s);
	s->fact_count = 0;
	effects_reset(&s->effects);
	s->offers = (struct send_offers){ 0 };
	s->questions = (struct send_questions){ 0 };
}

static inline void add_channel(struct scene *s, uint64_t key, uint8_t peer, uint64_t spendable)
{
	s->channels[s->channel_count++] = (struct scene_channel){ key, node_id(peer), MSAT(spendable), MSAT(1) };
}

/* An invoice of the payee: payment v, so much, one hour. */
static inline struct send_request request(uint8_t v, uint64_t amount)
{
	struct send_request q = {
		.call = 100 + v, .kind = PAYMENT_BOLT11, .payee = node_id(PAYEE), .amount = MSAT(amount),
		.payment_hash = hash_of(v), .invoice_amount = MSAT(amount), .has_secret = true,
		.has_min_final_cltv = true, .min_final_cltv = 24, .expires_at_s = START_MS / 1000 + 3600,
		.bolt11 = "lnbcrt1", .label = "tea",
	};

	memset(q.secret.v, 0x5e, sizeof(q.secret.v));
	return q;
}

/* --- a planner --- */

static inline struct scid own_scid(uint64_t key)
{
	return (struct scid){ key + 9000 };
}

/* A way without its amounts. */
struct scene_way {
	const struct scene_channel *channel;
	struct path_hint_hop terms[8]; /* of hop i > 0: what the node before it takes */
	struct path_hop hops[8];
	uint32_t count;
};

static inline uint32_t list_ways(const struct scene *s, const struct send_question *q, struct scene_way *out)
{
	uint32_t n = 0;

	for (uint32_t c = 0; c < s->channel_count; c++)
		if (SAME(s->channels[c].peer, q->payee))
			out[n++] = (struct scene_way){ .channel = &s->channels[c], .count = 1 };
	for (uint32_t h = 0; h < q->hint_count; h++)
		for (uint32_t c = 0; c < s->channel_count; c++) {
			struct scene_way w = { .channel = &s->channels[c], .count = 1 };

			if (!SAME(s->channels[c].peer, q->hints[h].hops[0].node_id) || SAME(s->channels[c].peer, q->payee))
				continue;
			for (uint32_t i = 0; i < q->hints[h].count; i++)
				w.terms[w.count++] = q->hints[h].hops[i];
			out[n++] = w;
		}
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < out[i].count; k++) {
			struct path_hop *hop = &out[i].hops[k];

			hop->node = k + 1 < out[i].count ? out[i].terms[k + 1].node_id : q->payee;
			hop->scid = k ? out[i].terms[k].scid : own_scid(out[i].channel->key);
		}
	return n;
}

/* The amounts and blocks for what is to arrive; false if something on the way forbids it. */
static inline bool price_way(struct scene *s, const struct send_question *q, struct scene_way *w, uint64_t deliver, uint64_t used)
{
	for (uint32_t i = w->count; i-- > 0;) {
		const struct path_hint_hop *t = &w->terms[i + 1];
		struct path_hop *hop = &w->hops[i];
		const struct pubkey self = node_id(PAYER);
		uint8_t direction = path_direction(i ? &w->hops[i - 1].node : &self, &hop->node);

		hop->amount = i + 1 == w->count ? MSAT(deliver) : MSAT(hop[1].amount.v + t->fee_base_msat + hop[1].amount.v * t->fee_ppm / 1000000);
		hop->cltv = i + 1 == w->count ? q->final_cltv : hop[1].cltv + t->cltv_delta;
		for (uint32_t k = 0; k < q->limit_count; k++) {
			const struct send_limit *l = &q->limits[k];

			if (l->is_node ? i + 1 < w->count && SAME(l->node, hop->node)
				       : l->scid.v == hop->scid.v && l->direction == direction &&
						 hop->amount.v + load_of(s, hop->scid, direction)->msat > l->most.v)
				return false;
		}
	}
	return (!q->hops_max || w->count <= q->hops_max) && w->hops[0].amount.v + used <= w->channel->spendable.v &&
	       w->hops[0].amount.v >= w->channel->htlc_min.v;
}

static inline uint64_t widest_of(struct scene *s, const struct send_question *q, struct scene_way *w, uint64_t most, uint64_t used)
{
	uint64_t low = 0, high = most;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (price_way(s, q, w, middle, used))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static inline void add_way(struct scene *s, struct send_way *out, const struct scene_way *w)
{
	*out = (struct send_way){ w->channel->key, arena_copy(&s->arena, w->hops, w->count * sizeof(*w->hops)), w->count };
}

static inline enum send_verdict plan_one(struct scene *s, const struct send_question *q, struct scene_way *ways, uint32_t n,
					 struct send_way *out)
{
	enum send_verdict v = SEND_NO_WAY;
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < n; i++) {
		if (!price_way(s, q, &ways[i], q->amount.v, 0))
			continue;
		if (ways[i].hops[0].cltv > q->cltv_max) {
			v = v == SEND_NO_WAY ? SEND_TOO_SLOW : v;
		} else if (ways[i].hops[0].amount.v - q->amount.v > q->fee_limit.v) {
			v = v == SEND_FOUND ? v : SEND_TOO_EXPENSIVE;
		} else if (ways[i].hops[0].amount.v < best) {
			best = ways[i].hops[0].amount.v;
			add_way(s, out, &ways[i]);
			v = SEND_FOUND;
		}
	}
	return v;
}

static inline enum send_verdict plan_many(struct scene *s, const struct send_question *q, struct scene_way *ways, uint32_t n,
					  struct send_way *out, uint32_t *count)
{
	uint64_t left = q->amount.v, fees = 0, used[64] = { 0 };

	for (*count = 0; left; ++*count) {
		struct scene_way *best = NULL;
		uint64_t most = 0;

		for (uint32_t i = 0; i < n; i++) {
			uint64_t v = ways[i].hops[0].cltv > q->cltv_max ? 0 : widest_of(s, q, &ways[i], left, used[ways[i].channel - s->channels]);

			if (v > most) {
				most = v;
				best = &ways[i];
			}
		}
		if (!best)
			return SEND_NO_WAY;
		if (*count == q->parts_max)
			return SEND_TOO_MANY_PARTS;
		CHECK(price_way(s, q, best, most, used[best->channel - s->channels]));
		used[best->channel - s->channels] += best->hops[0].amount.v;
		fees += best->hops[0].amount.v - most;
		left -= most;
		add_way(s, &out[*count], best);
	}
	return fees > q->fee_limit.v ? SEND_TOO_EXPENSIVE : SEND_FOUND;
}

/* Answers a question from the channels as they are. */
static inline void answer(struct scene *s, const struct send_question *q)
{
	static struct scene_way ways[256];
	struct send_way out[SEND_PARTS_MAX];
	struct send_answer a = { .ways = out, .count = 1 };
	uint32_t n = list_ways(s, q, ways);

	a.verdict = plan_one(s, q, ways, n, out);
	if (a.verdict != SEND_FOUND && q->parts_max > 1) {
		enum send_verdict many = plan_many(s, q, ways, n, out, &a.count);

		a.verdict = many == SEND_FOUND || a.verdict == SEND_NO_WAY ? many : a.verdict;
	}
	if (a.verdict != SEND_FOUND)
		a.count = 0;
	if (!s->channel_count)
		a.verdict = SEND_NO_CHANNEL;
	send_planned(s->send, &s->step, q->id, &a, &s->offers);
}

static inline struct send_question *only_question(struct scene *s)
{
	CHECK(s->questions.head && s->questions.head == s->questions.last);
	return s->questions.head;
}

/* What the question says of a channel's direction or a node; NULL: nothing. */
static inline const struct send_limit *limit_of(const struct send_question *q, uint64_t scid, const struct pubkey *node)
{
	for (uint32_t i = 0; i < q->limit_count; i++)
		if (node ? q->limits[i].is_node && SAME(q->limits[i].node, *node)
			 : !q->limits[i].is_node && q->limits[i].scid.v == scid)
			return &q->limits[i];
	return NULL;
}

/* Questions only. */
static inline void ask(struct scene *s)
{
	next_step(s);
	send_flush(s->send, &s->step, 256, &s->questions, &s->offers);
}

static inline void flush(struct scene *s)
{
	ask(s);
	for (const struct send_question *q = s->questions.head; q; q = q->next)
		answer(s, q);
}

static inline uint32_t count_offers(const struct scene *s)
{
	uint32_t n = 0;

	for (struct send_offer *o = s->offers.head; o; o = o->next)
		n++;
	return n;
}

static inline struct send_offer *only_offer(struct scene *s)
{
	CHECK_EQ(count_offers(s), 1);
	return s->offers.head;
}

/* Registers the payment, flushes, and puts each offer into its channel as HTLC 10, 11, ... */
static inline void pay(struct scene *s, const struct send_request *q)
{
	uint64_t id = 10;

	next_step(s);
	send_pay(s->send, &s->step, q);
	flush(s);
	for (struct send_offer *o = s->offers.head; o; o = o->next)
		send_offered(s->send, &s->step, o, id++);
}

/* Records of a kind written (or removed) in this step. */
static inline uint32_t count_records(const struct scene *s, enum record_kind kind, bool remove)
{
	uint32_t n = 0;

	for (struct effect *e = s->effects.head; e; e = e->next)
		n += e->kind == EFFECT_PERSIST && e->u.persist.kind == kind && e->u.persist.remove == remove;
	return n;
}

/* What a node finds in the onion that reaches it. */
struct seen {
	struct payload payload;
	struct bytes next;
	struct secret32 secret;
};

static inline struct seen open_at(struct scene *s, struct bytes onion, const struct sha256 *hash, uint8_t n)
{
	struct secret32 key = node_key(n), secret;
	struct opening o;

	CHECK_EQ(opening_start(&o, onion.data, hash, NULL), OPENING_ASK);
	CHECK(ecdh(secp(), &secret, &o.ask, &key));
	CHECK_EQ(opening_answer(&o, &s->arena, &secret), OPENING_DONE);
	return (struct seen){ o.payload, o.next, o.shared_secret };
}

/* The failure that the last of these nodes returns through the others. */
static inline struct bytes report_of(struct scene *s, const struct send_offer *o, const uint8_t *nodes, uint32_t count,
			      const struct failure *f)
{
	struct secret32 secrets[8] = { 0 };
	struct bytes onion = o->onion;
	struct buf b = BUF_EMPTY;
	struct bytes out;

	for (uint32_t i = 0; i < count; i++) {
		struct seen seen = open_at(s, onion, &o->payment_hash, nodes[i]);

		secrets[i] = seen.secret;
		onion = seen.next;
	}
	failure_seal(&b, NULL, &secrets[count - 1], f);
	for (uint32_t i = count - 1; i-- > 0;)
		failure_wrap(b.data, b.size, NULL, &secrets[i]);
	out = arena_bytes(&s->arena, buf_view(&b));
	buf_release(&b);
	return out;
}

/* The offer's HTLC comes back with a failure from the last of the nodes.  Keeps the offers of this step. */
static inline void fail_offer(struct scene *s, const struct send_offer *o, uint64_t htlc_id, const uint8_t *nodes,
		       uint32_t count, struct failure f)
{
	struct send_failure failure = { .kind = SEND_FAILURE_REPORT };

	failure.reason = report_of(s, o, nodes, count, &f);
	send_failed(s->send, &s->step, o->channel_key, htlc_id, &failure);
}

#endif
