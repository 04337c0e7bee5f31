/* A payer in a step of its own, the channels it can use, and the nodes that its
 * onions pass. */
#ifndef TESTS_UNIT_PAYMENT_SEND_SETUP_H
#define TESTS_UNIT_PAYMENT_SEND_SETUP_H

#include "crypto/hash.h"
#include "onion/opening.h"
#include "payment/send.h"
#include "tests/test.h"

#define START_MS 1700000000000ull
#define HEIGHT 800000u

/* Node 0 is the payer; keys are the node's number + 1, repeated. */
enum { PAYER = 0, PEER_A = 1, PEER_B = 2, PAYEE = 3, FAR_NODE = 4 };

struct scene {
	struct send *send;
	struct effects effects;
	struct drbg entropy;
	struct step step;
	struct path_channel channels[64];
	uint32_t channel_count;
	struct send_offers offers;
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

static struct secret32 node_key(uint8_t n)
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

static inline struct preimage preimage_of(uint8_t v)
{
	struct preimage p;

	memset(p.v, v, sizeof(p.v));
	return p;
}

static struct sha256 hash_of(uint8_t v)
{
	struct preimage p = preimage_of(v);

	return sha256(p.v, sizeof(p.v));
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

/* Forgets what was said so far. */
static inline void next_step(struct scene *s)
{
	send_check_invariants(s->send);
	effects_reset(&s->effects);
	s->offers = (struct send_offers){ 0 };
}

static inline void add_channel(struct scene *s, uint64_t key, uint8_t peer, uint64_t spendable)
{
	s->channels[s->channel_count++] = (struct path_channel){ key, node_id(peer), MSAT(spendable), MSAT(1) };
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

static inline void flush(struct scene *s)
{
	next_step(s);
	send_flush(s->send, &s->step, s->channels, s->channel_count, &s->offers);
}

static uint32_t count_offers(const struct scene *s)
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

static const struct reply *find_reply(const struct scene *s, uint64_t call)
{
	for (struct effect *e = s->effects.head; e; e = e->next)
		if (e->kind == EFFECT_REPLY && e->u.reply.call == call)
			return e->u.reply.reply;
	return NULL;
}

static inline const struct reply *reply_to(const struct scene *s, uint64_t call)
{
	CHECK(find_reply(s, call));
	return find_reply(s, call);
}

static uint32_t count_effects(const struct scene *s, enum effect_kind kind)
{
	uint32_t n = 0;

	for (struct effect *e = s->effects.head; e; e = e->next)
		n += e->kind == kind;
	return n;
}

/* Records of a kind written (or removed) in this step. */
static uint32_t count_records(const struct scene *s, enum record_kind kind, bool remove)
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
	struct secret32 secrets[5];
	struct bytes onion = o->onion;
	struct buf b = BUF_EMPTY;
	struct bytes out;

	for (uint32_t i = 0; i < count; i++) {
		struct seen seen = open_at(s, onion, &o->payment_hash, nodes[i]);

		secrets[i] = seen.secret;
		onion = seen.next;
	}
	failure_seal(&b, &secrets[count - 1], f);
	for (uint32_t i = count - 1; i-- > 0;)
		failure_wrap(b.data, b.size, &secrets[i]);
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
