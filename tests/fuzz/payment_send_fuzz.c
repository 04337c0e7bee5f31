/* Any order of orders, answers (late ones too), refusals, failures, preimages, time and restarts: the payer's
 * invariants hold (INV-S1 to INV-S6), every call is answered in the end, no hash is paid twice, and what the facts say
 * is in flight is what is. */
#include "crypto/hash.h"
#include "payment/send.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HASHES = 3, RECORDS = 4096 };

struct flying {
	uint64_t channel_key, htlc_id;
	struct amount_msat amount;
	uint8_t hash;
	struct sha256 payment_hash;
};

struct world {
	struct send *send;
	struct effects effects;
	struct drbg entropy;
	struct step step;
	struct pubkey payee, between[2];
	struct send_question asked[64]; /* and not answered */
	uint32_t asked_count;
	int64_t loads[8];         /* in flight over the channel with that scid, in msat */
	struct { enum record_kind kind; struct buf key, value; } *records;
	uint32_t record_count;
	struct flying flying[512];
	uint32_t flying_count;
	uint64_t next_htlc, next_call, calls_open;
	uint32_t completed[HASHES];
};

static const uint8_t seed[32] = { 1 };

static struct preimage preimage_of(uint8_t v)
{
	struct preimage p;

	memset(p.v, v + 1, sizeof(p.v));
	return p;
}

static struct pubkey node(struct secp *secp, uint8_t v)
{
	struct secret32 k;
	struct pubkey p;

	memset(k.v, v, sizeof(k.v));
	pubkey_of(secp, &p, &k);
	return p;
}

static void keep_record(struct world *w, const struct effect *e)
{
	uint32_t i = 0;

	while (i < w->record_count && (w->records[i].kind != e->u.persist.kind ||
				       !bytes_equal(buf_view(&w->records[i].key), e->u.persist.key)))
		i++;
	ASSERT(i < RECORDS);
	if (i == w->record_count)
		w->record_count++;
	w->records[i].kind = e->u.persist.kind;
	buf_clear(&w->records[i].key);
	buf_clear(&w->records[i].value);
	buf_add_bytes(&w->records[i].key, e->u.persist.key);
	if (!e->u.persist.remove)
		buf_add_bytes(&w->records[i].value, e->u.persist.value);
}

/* What is in flight over channels that are not ours. */
static void take_facts(struct world *w)
{
	uint32_t count;
	const struct send_fact *f = send_facts(w->send, &count);

	for (; count; f++, count--) {
		int64_t *load = &w->loads[f->scid.v % 8];

		ASSERT(f->scid.v && f->direction < 2 && f->amount.v);
		if (f->kind == SEND_FACT_TAKEN)
			*load += (int64_t)f->amount.v;
		if (f->kind == SEND_FACT_FREED)
			*load -= (int64_t)f->amount.v;
		ASSERT(*load >= 0);
	}
	send_facts_taken(w->send);
}

static void take_effects(struct world *w)
{
	for (struct effect *e = w->effects.head; e; e = e->next) {
		if (e->kind == EFFECT_PERSIST)
			keep_record(w, e);
		if (e->kind == EFFECT_REPLY) {
			ASSERT(w->calls_open);
			w->calls_open--;
		}
		if (e->kind == EFFECT_NOTIFY && e->u.notify.kind == NOTIFY_PAYMENT_SENT)
			for (uint8_t v = 0; v < HASHES; v++) {
				struct preimage p = preimage_of(v);
				struct sha256 h = sha256(p.v, sizeof(p.v));

				/* INV-S2 */
				if (SAME(h, e->u.notify.payment_hash))
					ASSERT(++w->completed[v] == 1);
			}
	}
	take_facts(w);
	effects_reset(&w->effects);
	send_check_invariants(w->send);
}

static void offer_all(struct world *w, const struct send_offers *offers, uint8_t choice)
{
	for (struct send_offer *o = offers->head; o; o = o->next, choice = (uint8_t)(choice * 5 + 1)) {
		ASSERT(o->kind == SEND_OFFER_HTLC && o->onion.size == ONION_PACKET_SIZE);
		if (choice & 1 || w->flying_count == ARRAY_COUNT(w->flying)) {
			send_refused(w->send, &w->step, o, "full");
			continue;
		}
		w->flying[w->flying_count++] = (struct flying){ o->channel_key, w->next_htlc, o->amount, 0, o->payment_hash };
		send_offered(w->send, &w->step, o, w->next_htlc++);
	}
}

/* One part: straight to the payee, or over a node that takes a fee, as far as the question allows. */
static struct send_way way(const struct world *w, struct path_hop *hops, const struct send_question *q, uint64_t msat, uint8_t kind)
{
	const bool far = kind & 1 && q->hops_max != 1 && q->fee_limit.v >= 100 * SEND_PARTS_MAX && q->cltv_max >= q->final_cltv + 6;

	hops[far] = (struct path_hop){ q->payee, { far ? 50u + (kind >> 1 & 1) : 90u + (kind & 3) }, MSAT(msat), q->final_cltv };
	if (far)
		hops[0] = (struct path_hop){ w->between[kind >> 1 & 1], { 92u + (kind & 3) }, MSAT(msat + 100), q->final_cltv + 6 };
	return (struct send_way){ kind & 3, hops, 1u + far };
}

/* The number-th question that is out, in up to four parts. */
static void answer(struct world *w, uint32_t number, uint8_t choice)
{
	struct send_question q = w->asked[number];
	struct path_hop hops[4][2];
	struct send_way ways[4];
	struct send_answer a = { .verdict = (enum send_verdict)(choice % 7), .ways = ways };
	struct send_offers offers = { 0 };
	uint64_t left = q.amount.v;

	w->asked[number] = w->asked[--w->asked_count];
	for (a.count = 0; a.verdict == SEND_FOUND && left; a.count++) {
		uint64_t msat = a.count + 1 < q.parts_max && a.count < 3 ? left - left * (choice >> 4) / 16 : left;

		ways[a.count] = way(w, hops[a.count], &q, msat, (uint8_t)(choice >> a.count));
		left -= msat;
	}
	send_planned(w->send, &w->step, q.id, &a, &offers);
	offer_all(w, &offers, choice);
}

static void flush(struct world *w)
{
	struct send_offers offers = { 0 };
	struct send_questions questions = { 0 };

	send_flush(w->send, &w->step, (uint32_t)ARRAY_COUNT(w->asked) - w->asked_count, &questions, &offers);
	ASSERT(!offers.head);
	for (const struct send_question *q = questions.head; q; q = q->next) {
		ASSERT(w->asked_count < ARRAY_COUNT(w->asked) && q->amount.v && q->parts_max);
		w->asked[w->asked_count++] = *q;
	}
}

static void pay(struct world *w, uint8_t v, uint8_t amount, uint8_t flags)
{
	struct preimage p = preimage_of(v);
	struct send_request q = {
		.call = w->next_call++, .payee = w->payee,
		.kind = !(flags & 1) ? PAYMENT_BOLT11 : flags & 4 ? PAYMENT_PROBE : PAYMENT_KEYSEND, .bolt11 = "lnbcrt1",
		.amount = MSAT(1000ull * amount), .any_amount = true, .payment_hash = sha256(p.v, sizeof(p.v)),
		.has_secret = true, .basic_mpp = flags & 2, .expires_at_s = w->step.now_ms / 1000 + (flags >> 4),
		.retry_for_s = flags >> 5, .has_fee_limit = flags & 8, .fee_limit = MSAT(100ull * amount),
		.total = MSAT(flags & 16 ? 2000ull * amount : 0),
	};

	w->calls_open++;
	send_pay(w->send, &w->step, &q);
}

/* Along a route of the fuzzer's, in parts, and somebody who waits for its end. */
static void send_along(struct world *w, uint8_t v, const uint8_t *b)
{
	struct preimage p = preimage_of(v);
	struct route_hop hops[2] = { { w->payee, { 0 }, MSAT(1000ull * b[2] + (b[3] & 3)), b[3] }, { w->payee, { 9 }, MSAT(1000ull * b[2]), 9 } };
	struct send_route q = {
		.hops = hops, .hop_count = 1 + (b[3] >> 7), .payment_hash = sha256(p.v, sizeof(p.v)), .has_secret = b[3] & 4,
		.part = b[1] >> 6, .has_total = b[3] & 8, .total = MSAT(4000ull * b[2]), .has_group = b[3] & 16, .group = b[3] & 3,
	};
	struct send_route_offer offer;
	const struct payment *known;
	enum reply_code code;
	const char *why;

	switch (send_route(w->send, &w->step, &q, &offer, &known, &code, &why)) {
	case SEND_ROUTE_OFFER:
		ASSERT(offer.onion.size == ONION_PACKET_SIZE && !MSAT_LESS(offer.amount, hops[q.hop_count - 1].amount));
		if (w->flying_count == ARRAY_COUNT(w->flying))
			break;
		w->flying[w->flying_count++] = (struct flying){ 3, w->next_htlc, offer.amount, 0, q.payment_hash };
		(void)send_route_offered(w->send, &w->step, &q, &offer, 3, w->next_htlc++);
		break;
	case SEND_ROUTE_KNOWN:
		ASSERT(known);
		break;
	case SEND_ROUTE_REFUSED:
		ASSERT(code != REPLY_OK && why);
		break;
	}
	w->calls_open++;
	send_route_wait(w->send, &w->step, w->next_call++, &q.payment_hash, b[3] & 32, b[3] & 3, q.part,
			b[3] & 64 ? w->step.now_ms + b[2] : UINT64_MAX);
}

/* A hop's own words, or rubbish. */
static void fail(struct world *w, uint32_t i, const uint8_t *b)
{
	struct send_failure f = { .kind = (enum send_failure_kind)(b[2] % 3), .code = FAIL_INVALID_ONION_HMAC, .text = "gone" };
	uint8_t reason[292] = { 0 };

	memcpy(reason, b, 4);
	f.reason = BYTES(reason, b[3] & 1 ? sizeof(reason) : b[3]);
	/* A probe's of before a restart is nobody's. */
	if (send_owns(w->send, w->flying[i].channel_key, w->flying[i].htlc_id))
		send_failed(w->send, &w->step, w->flying[i].channel_key, w->flying[i].htlc_id, &f);
	w->flying[i] = w->flying[--w->flying_count];
}

static void fulfil(struct world *w, uint32_t i, uint8_t v)
{
	struct preimage p = preimage_of(v);
	struct sha256 h = sha256(p.v, sizeof(p.v));
	bool good;

	if (!send_owns(w->send, w->flying[i].channel_key, w->flying[i].htlc_id))
		return;
	good = send_fulfilled(w->send, &w->step, w->flying[i].channel_key, w->flying[i].htlc_id, &p);
	ASSERT(good == SAME(h, w->flying[i].payment_hash));
	if (good)
		w->flying[i] = w->flying[--w->flying_count];
}

static bool has_htlc(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	const struct world *w = context;

	for (uint32_t i = 0; i < w->flying_count; i++)
		if (w->flying[i].channel_key == channel_key && w->flying[i].htlc_id == htlc_id)
			return true;
	return false;
}

/* The newest HTLC may not have been committed when the process ended. */
static void restart(struct world *w, bool lose_one, bool carry_on)
{
	struct send_config c = { .pending_max = 3 };
	const struct payment *p;
	uint32_t at = 0;

	if (lose_one && w->flying_count)
		w->flying_count--;
	send_free(w->send);
	w->send = send_new(&c, seed);
	w->calls_open = 0;
	for (uint32_t i = w->record_count; i-- > 0;)
		if (w->records[i].value.size)
			ASSERT(send_load(w->send, w->records[i].kind, buf_view(&w->records[i].key),
					 buf_view(&w->records[i].value)));
	memset(w->loads, 0, sizeof(w->loads));
	w->asked_count = 0;
	ASSERT(send_resume(w->send, &w->step, has_htlc, w));
	while (carry_on && (p = send_interrupted(w->send, &w->step, &at))) {
		struct send_request q = { .kind = p->r.kind, .payee = p->r.payee, .amount = p->r.amount, .has_secret = true,
					  .basic_mpp = true, .expires_at_s = w->step.now_ms / 1000 + 5 };

		send_carry_on(w->send, &w->step, p, &q);
	}
	send_resumed(w->send, &w->step);
}

static void act(struct world *w, const uint8_t *b)
{
	uint32_t i = w->flying_count ? b[1] % w->flying_count : 0;

	switch (b[0] & 7) {
	case 0:
	case 1:
		if (w->record_count < RECORDS - 300 && b[0] & 8)
			send_along(w, (uint8_t)(b[1] % HASHES), b);
		else if (w->record_count < RECORDS - 300)
			pay(w, (uint8_t)(b[1] % HASHES), b[2], b[3]);
		break;
	case 2:
	case 3:
		flush(w);
		if (w->asked_count && b[0] & 8)
			answer(w, b[2] % w->asked_count, b[1]);
		break;
	case 4:
		if (w->flying_count)
			fail(w, i, b);
		break;
	case 5:
		if (w->flying_count)
			fulfil(w, i, (uint8_t)(b[2] % HASHES));
		break;
	case 6:
		w->step.now_ms += 100u * b[1];
		send_tick(w->send, &w->step);
		break;
	default:
		restart(w, b[1] & 1, b[1] & 2);
		break;
	}
	take_effects(w);
}

static void init(struct world *w)
{
	struct secp *secp = secp_new(seed);
	struct send_config c = { .pending_max = 3 };

	w->send = send_new(&c, seed);
	effects_init(&w->effects);
	drbg_init(&w->entropy, seed);
	w->step.out = &w->effects;
	w->step.entropy = &w->entropy;
	w->step.now_ms = 1000000;
	w->step.height = 100;
	w->payee = node(secp, 9);
	for (uint8_t i = 0; i < 2; i++)
		w->between[i] = node(secp, (uint8_t)(i + 2));
	w->records = mem_alloc_array(RECORDS, sizeof(*w->records));
	secp_free(secp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	init(&w);
	for (; size >= 4; data += 4, size -= 4)
		act(&w, data);
	/* In the end everything comes back, and nobody waits. */
	while (send_pending_count(w.send) || w.flying_count) {
		static const uint8_t local[4] = { 0, 0, SEND_FAILURE_LOCAL, 0 };

		if (w.flying_count)
			fail(&w, 0, local);
		w.step.now_ms += 1000;
		send_tick(w.send, &w.step);
		flush(&w);
		if (w.asked_count)
			answer(&w, 0, SEND_NO_WAY);
		take_effects(&w);
	}
	ASSERT(w.calls_open == 0 && !send_wants_flush(w.send));
	for (uint32_t i = 0; i < ARRAY_COUNT(w.loads); i++)
		ASSERT(w.loads[i] == 0);
	send_free(w.send);
	effects_release(&w.effects);
	for (uint32_t i = 0; i < RECORDS; i++) {
		buf_release(&w.records[i].key);
		buf_release(&w.records[i].value);
	}
	mem_free(w.records);
	return 0;
}
