#include "tests/route_pay.h"

#include "crypto/hash.h"
#include "node/ways.h"
#include "onion/failure.h"
#include "payment/send.h"

#define START_MS 1700000000000ull
#define HEIGHT 800000u
#define HTLCS_MAX (SEND_ATTEMPTS_MAX + SEND_PARTS_MAX)
#define PAYEE_WAITS_MS 60000u

/* One HTLC that left. */
struct flight {
	uint64_t channel_key, id;
	const struct payment_part *part;
	bool travelled, over;
	uint32_t arcs[ROUTE_HOPS_MAX];
	uint64_t amounts[ROUTE_HOPS_MAX];
	uint32_t hop_count;
};

struct route_payer {
	const struct route_network *net;
	struct route_desk *desk;
	struct liquidity *facts;
	struct route_layer *reserved;
	uint64_t told, plans;
	struct drbg entropy;
	struct secp *secp;
	/* The payment at work. */
	struct send *send;
	struct step step;
	struct effects effects;
	uint32_t source;
	struct sha256 hash;
	struct preimage preimage;
	struct flight flights[HTLCS_MAX];
	uint32_t flight_count;
	struct route_paid paid;
};

static const uint8_t seed16[16] = { 4, 2 };

static struct route_builder *builder_of(const struct route_graph *g)
{
	struct route_builder *b = route_builder_new(seed16);

	for (uint32_t i = 0; i < g->edge_count; i++) {
		const struct route_edge *e = &g->edges[i];
		struct route_channel c = { .scid = e->scid, .node = { g->nodes[e->node[0]], g->nodes[e->node[1]] },
					   .capacity = SAT(e->capacity_sat) };

		for (int d = 0; d < 2; d++) {
			const struct route_arc *a = e->arc[d] == ROUTE_NONE ? NULL : &g->arcs[e->arc[d]];

			if (a)
				c.policy[d] = (struct route_policy){ true, a->fee_base_msat, a->fee_ppm, a->cltv_delta, MSAT(a->htlc_min_msat),
								     MSAT(a->htlc_max_msat) };
		}
		ASSERT(route_builder_add(b, &c));
	}
	return b;
}

struct route_payer *route_payer_new(const struct route_network *net)
{
	static const uint8_t seed[32] = { 9, 9 };
	struct route_payer *p = NEW(struct route_payer);
	struct route_job *j;

	p->net = net;
	p->desk = route_desk_new(seed16);
	p->facts = liquidity_new(seed16, LIQUIDITY_CHANNELS_MAX, LIQUIDITY_HALF_LIFE_S);
	p->reserved = route_layer_new(seed16, "in flight");
	p->secp = secp_new(seed);
	drbg_init(&p->entropy, seed);
	effects_init(&p->effects);
	j = route_job_new(p->desk, ROUTE_JOB_BUILD);
	j->builder = builder_of(net->g);
	route_job_run(j);
	route_job_free(j);
	return p;
}

void route_payer_free(struct route_payer *p)
{
	route_desk_free(p->desk);
	liquidity_free(p->facts);
	route_layer_free(p->reserved);
	secp_free(p->secp);
	effects_release(&p->effects);
	mem_free(p);
}

/* The desk forgets what it is told to know nothing of. */
void route_payer_forget(struct route_payer *p)
{
	const struct liquidity_entry *e = NULL;
	struct route_job *j = route_job_new(p->desk, ROUTE_JOB_PLAN);

	j->learned = ARENA_ARRAY(&j->memory, struct liquidity_entry, liquidity_count(p->facts));
	while ((e = liquidity_next(p->facts, e)))
		j->learned[j->learned_count++] = (struct liquidity_entry){ .scid = e->scid };
	route_job_run(j);
	route_job_free(j);
	liquidity_free(p->facts);
	p->facts = liquidity_new(seed16, LIQUIDITY_CHANNELS_MAX, LIQUIDITY_HALF_LIFE_S);
	p->told = 0;
}

/* --- questions --- */

static uint32_t head_of(const struct route_graph *g, uint32_t arc)
{
	return g->edges[g->arcs[arc].way >> 1].node[!(g->arcs[arc].way & 1)];
}

static void own_channels(const struct route_payer *p, struct route_job *j)
{
	const struct route_network *net = p->net;
	const struct route_graph *g = net->g;
	uint32_t begin = net->first_out[p->source], end = net->first_out[p->source + 1];
	struct route_own *own = ARENA_ARRAY(&j->memory, struct route_own, end - begin);

	for (uint32_t i = begin; i < end; i++) {
		uint32_t a = net->out[i];

		if (net->hidden[a] > net->in_flight[a])
			own[j->request.own_count++] = (struct route_own){
				.scid = g->edges[g->arcs[a].way >> 1].scid, .peer = g->nodes[head_of(g, a)],
				.spendable = MSAT(net->hidden[a] - net->in_flight[a]), .htlc_min = MSAT(g->arcs[a].htlc_min_msat),
				.htlc_max = MSAT(g->arcs[a].htlc_max_msat), .htlcs = 483,
			};
	}
	j->request.has_own = true;
	j->request.own = own;
}

static void tell(struct route_payer *p, struct route_job *j)
{
	const struct liquidity_entry *e = NULL;
	const struct route_rule *r;
	uint32_t count = 0;

	while ((e = liquidity_next(p->facts, e)) && e->changed > p->told)
		j->learned_count++;
	j->learned = ARENA_ARRAY(&j->memory, struct liquidity_entry, j->learned_count);
	e = NULL;
	for (uint32_t i = j->learned_count; i; i--) {
		e = liquidity_next(p->facts, e);
		j->learned[i - 1] = *e;
	}
	p->told = liquidity_changed(p->facts);
	j->reserved_anew = true;
	j->reserved = ARENA_ARRAY(&j->memory, struct route_reservation, route_layer_count(p->reserved));
	for (uint64_t at = 0; (r = route_layer_next(p->reserved, &at));)
		j->reserved[count++] = (struct route_reservation){ r->scid, r->direction, false, r->u.reserve };
	j->reserved_count = count;
}

static struct send_way way_of(struct route_payer *p, const struct route_part *part)
{
	struct path_hop *hops = ARENA_ARRAY(&p->effects.arena, struct path_hop, part->hop_count);

	for (uint32_t i = 0; i < part->hop_count; i++)
		hops[i] = (struct path_hop){ part->hops[i].node, part->hops[i].scid, part->hops[i].amount, part->hops[i].cltv };
	/* A channel's key is its number here. */
	return (struct send_way){ 1 + route_graph_edge(p->net->g, part->hops[0].scid), hops, part->hop_count };
}

/* --- HTLCs --- */

static void leave(struct route_payer *p, const struct send_offer *o)
{
	const struct route_graph *g = p->net->g;
	struct flight *f = &p->flights[p->flight_count];
	const struct record_part *r = &o->part->r;
	uint32_t node = p->source;

	*f = (struct flight){ .channel_key = o->channel_key, .id = p->flight_count, .part = o->part, .hop_count = r->nodes_count };
	ASSERT(p->flight_count < HTLCS_MAX && r->scids_count == r->nodes_count && r->amounts_count == r->nodes_count);
	for (uint32_t i = 0; i < f->hop_count; i++) {
		const struct route_edge *e = &g->edges[route_graph_edge(g, r->scids[i])];

		f->arcs[i] = e->arc[e->node[0] == node ? 0 : 1];
		f->amounts[i] = r->amounts[i].v;
		node = head_of(g, f->arcs[i]);
	}
	if (p->net->hidden[f->arcs[0]] < p->net->in_flight[f->arcs[0]] + f->amounts[0]) {
		send_refused(p->send, &p->step, o, "not so much is there");
		return;
	}
	send_offered(p->send, &p->step, o, f->id);
	p->net->in_flight[f->arcs[0]] += f->amounts[0];
	p->flight_count++;
	p->paid.tried++;
}

static void give_back(struct route_payer *p, struct flight *f, uint32_t hops)
{
	for (uint32_t i = 0; i < hops; i++)
		p->net->in_flight[f->arcs[i]] -= f->amounts[i];
	f->over = true;
}

/* Node `hop` of its way says why, and the others wrap it. */
static void fail(struct route_payer *p, struct flight *f, uint32_t hop, uint16_t code)
{
	const struct record_part *r = &f->part->r;
	struct onion_hop hops[ROUTE_HOPS_MAX] = { 0 };
	struct secret32 secrets[ROUTE_HOPS_MAX];
	struct onion_request q = { .hops = hops, .hop_count = r->nodes_count, .session_key = r->session_key };
	struct failure why = failure_plain(code);
	struct buf reason = BUF_EMPTY;
	struct send_failure failure = { .kind = SEND_FAILURE_REPORT };

	for (uint32_t i = 0; i < r->nodes_count; i++)
		hops[i].node_id = r->nodes[i];
	ASSERT(onion_secrets(secrets, p->secp, &q));
	failure_seal(&reason, NULL, &secrets[hop], &why);
	for (uint32_t i = hop; i; i--)
		failure_wrap(reason.data, reason.size, NULL, &secrets[i - 1]);
	failure.reason = buf_view(&reason);
	send_failed(p->send, &p->step, f->channel_key, f->id, &failure);
	buf_release(&reason);
}

static void travel(struct route_payer *p, struct flight *f)
{
	f->travelled = true;
	for (uint32_t i = 1; i < f->hop_count; i++) {
		uint32_t a = f->arcs[i];

		if (p->net->hidden[a] < p->net->in_flight[a] + f->amounts[i]) {
			give_back(p, f, i);
			fail(p, f, i - 1, FAIL_TEMPORARY_CHANNEL_FAILURE);
			return;
		}
		p->net->in_flight[a] += f->amounts[i];
	}
}

static bool travel_all(struct route_payer *p)
{
	bool moved = false;

	for (uint32_t i = 0; i < p->flight_count; i++)
		if (!p->flights[i].travelled) {
			travel(p, &p->flights[i]);
			moved = true;
		}
	return moved;
}

static uint64_t arrived(const struct route_payer *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->flight_count; i++)
		if (p->flights[i].travelled && !p->flights[i].over)
			sum += p->flights[i].amounts[p->flights[i].hop_count - 1];
	return sum;
}

static void settle_all(struct route_payer *p)
{
	for (uint32_t i = 0; i < p->flight_count; i++) {
		struct flight *f = &p->flights[i];

		if (f->over)
			continue;
		p->paid.parts++;
		p->paid.fee = MSAT(p->paid.fee.v + f->amounts[0] - f->amounts[f->hop_count - 1]);
		give_back(p, f, f->hop_count);
		ASSERT(send_fulfilled(p->send, &p->step, f->channel_key, f->id, &p->preimage));
	}
}

/* The payee has waited long enough for the rest. */
static void let_time_out(struct route_payer *p)
{
	p->step.now_ms += PAYEE_WAITS_MS;
	for (uint32_t i = 0; i < p->flight_count; i++) {
		struct flight *f = &p->flights[i];

		if (f->over)
			continue;
		give_back(p, f, f->hop_count);
		fail(p, f, f->hop_count - 1, FAIL_MPP_TIMEOUT);
	}
	send_tick(p->send, &p->step);
}

/* --- what was learned, as core/node/ways.c takes it --- */

static void learn(struct route_payer *p)
{
	uint64_t now_s = p->step.now_ms / 1000;
	const struct route_rule *r;
	uint32_t count;
	const struct send_fact *f = send_facts(p->send, &count);

	for (uint32_t i = 0; i < count; i++, f++) {
		struct amount_msat amount = f->amount;

		switch (f->kind) {
		case SEND_FACT_TAKEN:
			ASSERT(route_layer_reserve(p->reserved, f->scid, f->direction, amount));
			break;
		case SEND_FACT_FREED:
			ASSERT(route_layer_release(p->reserved, f->scid, f->direction, amount));
			break;
		case SEND_FACT_COULD:
			liquidity_could(p->facts, f->scid, f->direction, amount, now_s);
			break;
		case SEND_FACT_COULD_NOT:
			r = route_layer_find(p->reserved, ROUTE_RULE_RESERVE, f->scid, f->direction, NULL);
			liquidity_could_not(p->facts, f->scid, f->direction, MSAT(amount.v + (r ? r->u.reserve.v : 0)), now_s);
			break;
		case SEND_FACT_MOVED:
			/* Here nothing moves for good: the liquidity is the same for the next payment. */
			liquidity_could(p->facts, f->scid, f->direction, amount, now_s);
			break;
		}
	}
	send_facts_taken(p->send);
}

/* --- a payment --- */

static void answer(struct route_payer *p, const struct send_question *q)
{
	struct route_job *j = route_job_new(p->desk, ROUTE_JOB_PLAN);
	struct route_layer *limits = node_ways_limits(seed16, q);
	const struct route_layer *layers[1] = { limits };
	struct send_offers offers = { 0 };
	struct send_answer a = { .verdict = SEND_NO_WAY };
	struct send_way *ways;

	j->number = j->settled = ++p->plans;
	j->without_facts = q->anew;
	j->request = (struct route_request){
		.source = p->net->g->nodes[p->source], .target = q->payee, .amount = q->amount, .fee_limit = q->fee_limit,
		.final_cltv = q->final_cltv, .cltv_max = q->cltv_max, .parts_max = q->parts_max, .hops_max = q->hops_max,
		.part_min = q->part_min, .layers = layers, .layer_count = 1, .now_s = p->step.now_ms / 1000, .seed = p->plans,
		.taste = { .delay_ppb = q->delay_ppb },
	};
	own_channels(p, j);
	tell(p, j);
	route_job_run(j);
	p->paid.plans++;
	ways = ARENA_ARRAY(&p->effects.arena, struct send_way, j->plan.part_count);
	for (uint32_t i = 0; i < j->plan.part_count; i++)
		ways[i] = way_of(p, &j->plan.parts[i]);
	if (j->plan.verdict == ROUTE_FOUND)
		a = (struct send_answer){ .verdict = SEND_FOUND, .ways = ways, .count = j->plan.part_count };
	else if (j->plan.verdict == ROUTE_TOO_EXPENSIVE)
		a = (struct send_answer){ .verdict = SEND_TOO_EXPENSIVE, .fee = j->plan.fee };
	a.facts = j->plan.facts;
	send_planned(p->send, &p->step, q->id, &a, &offers);
	for (const struct send_offer *o = offers.head; o; o = o->next)
		leave(p, o);
	learn(p);
	route_layer_free(limits);
	route_job_free(j);
}

static void ask(struct route_payer *p)
{
	struct send_questions questions = { 0 };
	struct send_offers offers = { 0 };

	send_flush(p->send, &p->step, 1, &questions, &offers);
	ASSERT(!offers.head);
	for (const struct send_question *q = questions.head; q; q = q->next)
		answer(p, q);
}

static void begin(struct route_payer *p, uint32_t source, uint32_t target, struct amount_msat amount, struct amount_msat fee_limit)
{
	struct send_config config = { .self = p->net->g->nodes[source], .pending_max = 1 };
	struct send_request q = { .call = 1, .kind = PAYMENT_BOLT11, .payee = p->net->g->nodes[target], .amount = amount,
				  .invoice_amount = amount, .has_secret = true, .basic_mpp = true, .has_min_final_cltv = true,
				  .min_final_cltv = 18, .expires_at_s = UINT64_MAX / 1000, .bolt11 = "made up",
				  .has_fee_limit = true, .fee_limit = fee_limit };
	uint8_t seed[32];

	drbg_fill(&p->entropy, seed, sizeof(seed));
	drbg_fill(&p->entropy, p->preimage.v, sizeof(p->preimage.v));
	p->hash = q.payment_hash = sha256(p->preimage.v, sizeof(p->preimage.v));
	p->send = send_new(&config, seed);
	p->source = source;
	p->flight_count = 0;
	p->paid = (struct route_paid){ 0 };
	p->step = (struct step){ .out = &p->effects, .now_ms = START_MS, .height = HEIGHT, .entropy = &p->entropy };
	send_pay(p->send, &p->step, &q);
}

struct route_paid route_payer_pay(struct route_payer *p, uint32_t source, uint32_t target, struct amount_msat amount,
				  struct amount_msat fee_limit)
{
	const struct payment *payment;

	begin(p, source, target, amount, fee_limit);
	while ((payment = send_by_hash(p->send, &p->hash)) && payment->r.state == PAYMENT_PENDING) {
		if (send_wants_flush(p->send))
			ask(p);
		else if (travel_all(p))
			learn(p);
		else if (arrived(p) == amount.v)
			settle_all(p);
		else
			let_time_out(p);
		learn(p);
		effects_reset(&p->effects);
	}
	p->paid.complete = payment && payment->r.state == PAYMENT_COMPLETE;
	ASSERT(!p->paid.complete || !MSAT_LESS(fee_limit, p->paid.fee));
	send_check_invariants(p->send);
	send_free(p->send);
	return p->paid;
}
