/* Payments over a network of which nobody knows where the liquidity lies: HTLCs walk hop by hop and fail where it ends, or
 * for any other reason; the payee waits for the whole; the process dies at any batch.  Never is more sent than the
 * amount, never do fees leave the limit, a payment is complete when the payee has been paid and not otherwise, and
 * what payments say they learned is true. */
#include "tests/unit/payment_send_setup.h"

enum { NODES = 6, TARGET = 5, CHANNELS = 11, HTLCS = 64, STORED = 128, STEPS = 400, CLTV_DELTA = 10, FEE_BASE = 10, FEE_PPM = 500 };

/* From the node with the smaller number; bal[0] is its own. */
struct pipe {
	uint8_t node[2];
	int64_t bal[2];
};

struct walk {
	uint64_t key, id;          /* of our channel */
	struct send_offer offer;
	struct path_hop hops[NODES];
	uint8_t nodes[NODES];      /* hop by hop */
	uint32_t count, at;        /* channels that it has locked */
	bool paid;                 /* the preimage is on its way back */
};

static struct {
	struct scene *s;
	struct pipe pipes[CHANNELS];
	struct walk walks[HTLCS];
	uint32_t walk_count;
	struct { enum record_kind kind; struct bytes key, value; bool gone; } stored[STORED];
	uint32_t stored_count;
	uint64_t amount, fee_limit, next_id, random;
	bool claimed;              /* the payee has given the preimage away */
	uint64_t claimed_msat;
} net;

static uint64_t dice(uint64_t sides)
{
	net.random ^= net.random << 13;
	net.random ^= net.random >> 7;
	net.random ^= net.random << 17;
	return (net.random >> 11) % sides;
}

static struct scid scid_of(uint32_t pipe)
{
	return (struct scid){ 700 + pipe };
}

/* Which side of it the node is. */
static uint32_t side_of(uint32_t pipe, uint8_t node)
{
	return net.pipes[pipe].node[1] == node;
}

static void new_net(uint64_t seed)
{
	static const uint8_t ends[CHANNELS][2] = { { 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 2 }, { 1, 4 }, { 1, 5 },
						   { 2, 4 }, { 2, 5 }, { 3, 4 }, { 3, 5 }, { 4, 5 } };
	memset(&net, 0, sizeof(net));
	net.random = seed * 0x9E3779B97F4A7C15ull + 1;
	net.next_id = 1;
	net.s = scene();
	for (uint32_t i = 0; i < CHANNELS; i++) {
		int64_t capacity = 50000000 + (int64_t)dice(100000000), ours = (int64_t)dice((uint64_t)capacity);

		memcpy(net.pipes[i].node, ends[i], 2);
		net.pipes[i].bal[0] = ours;
		net.pipes[i].bal[1] = capacity - ours;
	}
	net.amount = 1000000 + dice(60000000);
	net.fee_limit = net.amount / 100 + 1000;
}

/* --- the disk --- */

static void keep(void)
{
	for (struct effect *e = net.s->effects.head; e; e = e->next) {
		uint32_t i = 0;

		if (e->kind != EFFECT_PERSIST)
			continue;
		while (i < net.stored_count && (net.stored[i].kind != e->u.persist.kind || !bytes_equal(net.stored[i].key, e->u.persist.key)))
			i++;
		CHECK(i < STORED);
		net.stored_count += i == net.stored_count;
		net.stored[i].kind = e->u.persist.kind;
		net.stored[i].key = arena_bytes(&net.s->arena, e->u.persist.key);
		net.stored[i].value = arena_bytes(&net.s->arena, e->u.persist.value);
		net.stored[i].gone = e->u.persist.remove;
	}
}

static struct send_request order(void)
{
	struct send_request q = request(1, net.amount);

	q.payee = node_id(TARGET);
	q.basic_mpp = true;
	q.has_fee_limit = true;
	q.fee_limit = MSAT(net.fee_limit);
	return q;
}

static bool has_htlc(const void *context, uint64_t key, uint64_t id)
{
	(void)context;
	for (uint32_t i = 0; i < net.walk_count; i++)
		if (net.walks[i].key == key && net.walks[i].id == id)
			return true;
	return false;
}

static void die(void)
{
	struct send_config c = { .self = node_id(PAYER), .pending_max = 5 };
	const uint8_t seed[32] = { 9 };
	const struct payment *p;
	uint32_t at = 0;

	send_free(net.s->send);
	net.s->send = send_new(&c, seed);
	net.s->load_count = net.s->fact_count = 0;
	for (uint32_t i = net.stored_count; i-- > 0;)
		CHECK(net.stored[i].gone || send_load(net.s->send, net.stored[i].kind, net.stored[i].key, net.stored[i].value));
	CHECK(send_resume(net.s->send, &net.s->step, has_htlc, NULL));
	while ((p = send_interrupted(net.s->send, &net.s->step, &at))) {
		struct send_request q = order();

		send_carry_on(net.s->send, &net.s->step, p, &q);
	}
	send_resumed(net.s->send, &net.s->step);
}

/* --- a planner that guesses --- */

static bool forbidden(const struct send_question *q, const struct path_hop *h, uint8_t from, bool last)
{
	struct pubkey id = node_id(from);

	for (uint32_t i = 0; i < q->limit_count; i++) {
		const struct send_limit *l = &q->limits[i];

		if (l->is_node ? !last && SAME(l->node, h->node)
			       : l->scid.v == h->scid.v && MSAT_LESS(l->most, h->amount) && l->direction == path_direction(&id, &h->node))
			return true;
	}
	return false;
}

/* A random walk that repeats no node. */
static bool wander(struct walk *w)
{
	uint8_t at = 0, seen = 1;

	for (w->count = 0; at != TARGET; w->count++) {
		uint32_t pipe = (uint32_t)dice(CHANNELS);
		uint8_t next = net.pipes[pipe].node[!side_of(pipe, at)];

		if ((net.pipes[pipe].node[0] != at && net.pipes[pipe].node[1] != at) || seen & 1 << next)
			return false;
		seen |= (uint8_t)(1 << next);
		w->nodes[w->count] = next;
		w->hops[w->count] = (struct path_hop){ .node = node_id(next), .scid = scid_of(pipe) };
		at = next;
	}
	return true;
}

static void price(struct walk *w, const struct send_question *q, uint64_t deliver)
{
	for (uint32_t i = w->count; i-- > 0;) {
		struct path_hop *h = &w->hops[i];

		h->amount = MSAT(i + 1 == w->count ? deliver : h[1].amount.v + FEE_BASE + h[1].amount.v * FEE_PPM / 1000000);
		h->cltv = i + 1 == w->count ? q->final_cltv : h[1].cltv + CLTV_DELTA;
	}
}

static bool allowed(const struct walk *w, const struct send_question *q, const uint64_t used[CHANNELS], uint64_t deliver, uint64_t fees)
{
	const uint32_t own = (uint32_t)(w->hops[0].scid.v - 700);

	for (uint32_t i = 0; i < w->count; i++)
		if (forbidden(q, &w->hops[i], i ? w->nodes[i - 1] : 0, i + 1 == w->count))
			return false;
	return (int64_t)(used[own] + w->hops[0].amount.v) <= net.pipes[own].bal[0] && w->hops[0].cltv <= q->cltv_max &&
	       fees + w->hops[0].amount.v - deliver <= q->fee_limit.v && (!q->hops_max || w->count <= q->hops_max);
}

static void reply_to_question(const struct send_question *q)
{
	static struct walk found[SEND_PARTS_MAX];
	struct send_way ways[SEND_PARTS_MAX];
	struct send_answer a = { .verdict = SEND_NO_WAY, .ways = ways };
	uint64_t used[CHANNELS] = { 0 }, left = q->amount.v, fees = 0;

	for (uint32_t i = 0; i < 400 && left && a.count < q->parts_max; i++) {
		struct walk *w = &found[a.count];
		uint64_t deliver = dice(2) || left < 2000 || a.count + 1 == q->parts_max ? left : 1000 + dice(left - 1000);

		if (!wander(w))
			continue;
		price(w, q, deliver);
		if (!allowed(w, q, used, deliver, fees))
			continue;
		used[w->hops[0].scid.v - 700] += w->hops[0].amount.v;
		fees += w->hops[0].amount.v - deliver;
		left -= deliver;
		ways[a.count++] = (struct send_way){ w->hops[0].scid.v, w->hops, w->count };
	}
	if (!left)
		a.verdict = SEND_FOUND;
	else
		a.count = 0;
	net.s->offers = (struct send_offers){ 0 };
	send_planned(net.s->send, &net.s->step, q->id, &a, &net.s->offers);
	for (const struct send_offer *o = net.s->offers.head; o; o = o->next) {
		struct walk *w = &net.walks[net.walk_count];
		uint32_t k = 0;

		if (net.walk_count == HTLCS || dice(30) == 0) {
			send_refused(net.s->send, &net.s->step, o, "too many HTLCs");
			continue;
		}
		while (found[k].hops[0].amount.v != o->amount.v || found[k].hops[0].scid.v != o->channel_key ||
		       found[k].hops[found[k].count - 1].amount.v != o->part->r.amount.v)
			k++;
		*w = found[k];
		w->key = o->channel_key;
		w->id = net.next_id++;
		w->at = 1;
		w->offer = *o;
		w->offer.onion = arena_bytes(&net.s->arena, o->onion);
		net.pipes[w->key - 700].bal[0] -= (int64_t)o->amount.v;
		net.walk_count++;
		send_offered(net.s->send, &net.s->step, o, w->id);
	}
}

/* --- HTLCs --- */

static struct pipe *pipe_of(const struct walk *w, uint32_t hop, uint32_t *from)
{
	const uint32_t pipe = (uint32_t)(w->hops[hop].scid.v - 700);

	*from = side_of(pipe, hop ? w->nodes[hop - 1] : 0);
	return &net.pipes[pipe];
}

/* What it has locked goes back, or forward. */
static void unlock(const struct walk *w)
{
	for (uint32_t i = 0; i < w->at; i++) {
		uint32_t from;
		struct pipe *p = pipe_of(w, i, &from);

		p->bal[w->paid ? !from : from] += (int64_t)w->hops[i].amount.v;
	}
}

static void gone(uint32_t i)
{
	unlock(&net.walks[i]);
	net.walks[i] = net.walks[--net.walk_count];
}

/* The node that it has reached says no. */
static void refuse(uint32_t i, uint16_t code)
{
	struct walk w = net.walks[i];
	struct send_failure f = { .kind = SEND_FAILURE_REPORT };
	struct failure why = code == FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS ? failure_payment_details(MSAT(1), 1) : failure_plain(code);

	f.reason = report_of(net.s, &w.offer, w.nodes, w.at, &why);
	if (dice(40) == 0)
		f = (struct send_failure){ .kind = SEND_FAILURE_LOCAL, .text = "the channel is gone" };
	gone(i);
	send_failed(net.s->send, &net.s->step, w.key, w.id, &f);
}

static uint64_t waiting(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < net.walk_count; i++)
		if (net.walks[i].at == net.walks[i].count && !net.walks[i].paid)
			sum += net.walks[i].hops[net.walks[i].count - 1].amount.v;
	return sum;
}

/* At the payee: the set is whole, or waits; after the claim everything else is refused. */
static void arrive(uint32_t i)
{
	const uint64_t sum = waiting();

	/* B4.basic_multi_part_payments.8 INV-S1 */
	CHECK(net.claimed || sum <= net.amount);
	if (net.claimed) {
		refuse(i, FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS);
		return;
	}
	if (sum < net.amount)
		return;
	net.claimed = true;
	net.claimed_msat = sum;
	for (uint32_t k = 0; k < net.walk_count; k++)
		net.walks[k].paid = net.walks[k].at == net.walks[k].count;
}

static void walk_on(uint32_t i)
{
	static const uint16_t excuses[] = { FAIL_TEMPORARY_NODE_FAILURE, FAIL_CHANNEL_DISABLED, FAIL_FEE_INSUFFICIENT, FAIL_UNKNOWN_NEXT_PEER,
					    FAIL_EXPIRY_TOO_SOON };
	struct walk *w = &net.walks[i];
	struct preimage preimage = preimage_of(1);
	uint32_t from;
	struct pipe *p;

	if (w->paid) {
		uint64_t key = w->key, id = w->id;

		gone(i);
		CHECK(send_fulfilled(net.s->send, &net.s->step, key, id, &preimage));
	} else if (w->at == w->count) {
		if (dice(12) == 0)
			refuse(i, FAIL_MPP_TIMEOUT);
	} else if (dice(20) == 0) {
		refuse(i, excuses[dice(ARRAY_COUNT(excuses))]);
	} else {
		p = pipe_of(w, w->at, &from);
		if (p->bal[from] < (int64_t)w->hops[w->at].amount.v) {
			refuse(i, FAIL_TEMPORARY_CHANNEL_FAILURE);
			return;
		}
		p->bal[from] -= (int64_t)w->hops[w->at].amount.v;
		if (++w->at == w->count)
			arrive(i);
	}
}

/* --- checks --- */

/* COULD_NOT is said where the HTLC did not fit: what is there is less, as nothing has moved in between. */
static void facts_are_true(void)
{
	take_facts(net.s);
	for (uint32_t i = 0; i < net.s->fact_count; i++) {
		const struct send_fact *f = &net.s->facts[i];
		const struct pipe *p = &net.pipes[f->scid.v - 700];
		struct pubkey one = node_id(p->node[0]), other = node_id(p->node[1]);
		const uint32_t side = path_direction(&one, &other) != f->direction;

		if (f->kind == SEND_FACT_COULD_NOT)
			CHECK(p->bal[side] < (int64_t)f->amount.v);
		if (f->kind == SEND_FACT_COULD)
			CHECK(p->bal[side] >= (int64_t)f->amount.v);
	}
}

static void end_batch(void)
{
	facts_are_true();
	keep();
	next_step(net.s);
}

static bool over(void)
{
	struct sha256 hash = hash_of(1);

	return !net.walk_count && send_by_hash(net.s->send, &hash)->r.state != PAYMENT_PENDING;
}

static void one_step(uint32_t n)
{
	struct send_questions questions = { 0 };
	struct send_offers offers = { 0 };

	net.s->step.now_ms += dice(4) ? 50 : 1000;
	send_tick(net.s->send, &net.s->step);
	send_flush(net.s->send, &net.s->step, 8, &questions, &offers);
	/* Some answers never come, in this life. */
	for (const struct send_question *q = questions.head; q; q = q->next)
		reply_to_question(q);
	end_batch();
	if (n < STEPS && dice(25) == 0)
		die();
	if (net.walk_count)
		walk_on((uint32_t)dice(net.walk_count));
	end_batch();
}

static bool play(uint64_t seed, uint32_t *tries)
{
	struct sha256 hash = hash_of(1);
	const struct payment *p;
	struct send_request q;
	bool complete;

	new_net(seed);
	q = order();
	send_pay(net.s->send, &net.s->step, &q);
	end_batch();
	for (uint32_t n = 0; n < STEPS || !over(); n++) {
		CHECK(n < 20 * STEPS);
		one_step(n);
	}
	p = send_by_hash(net.s->send, &hash);
	complete = p->r.state == PAYMENT_COMPLETE;
	CHECK_EQ(complete, net.claimed);
	CHECK(!complete || (net.claimed_msat == net.amount && p->r.sent.v >= net.amount && p->r.sent.v - net.amount <= net.fee_limit));
	*tries += p->r.tries_count;
	for (uint32_t i = 0; i < net.s->load_count; i++)
		CHECK_EQ(net.s->loads[i].msat, 0);
	scene_release(net.s);
	return complete;
}

TEST(payments_over_hidden_liquidity_with_restarts)
{
	uint32_t complete = 0, tries = 0, games = 60;

	for (uint64_t seed = 1; seed <= games; seed++)
		complete += play(seed, &tries);
	/* Both ends are seen, and more tries than payments. */
	CHECK(complete > games / 4 && complete < games && tries > 2 * games);
}
