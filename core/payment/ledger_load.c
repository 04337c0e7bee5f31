#include "payment/ledger.h"

#include "crypto/hash.h"

static bool tries_are_sound(const struct payment *p)
{
	if (p->r.tries_count > SEND_ATTEMPTS_MAX + SEND_PARTS_MAX || (p->r.state == PAYMENT_PENDING && p->r.tries_count))
		return false;
	for (uint32_t i = 0; i < p->r.tries_count; i++)
		if (p->r.tries[i].state != PAYMENT_COMPLETE && p->r.tries[i].state != PAYMENT_FAILED)
			return false;
	return true;
}

static bool payment_is_sound(const struct payment *p)
{
	struct sha256 h = sha256(p->r.preimage.v, sizeof(p->r.preimage.v));

	if (p->group == 0 || p->r.kind < PAYMENT_BOLT11 || p->r.kind > PAYMENT_ROUTE || !tries_are_sound(p) ||
	    p->r.exclude_count > SEND_EXCLUDE_MAX || p->r.layers_count > SEND_LAYERS_MAX || p->r.hints_count > SEND_HINT_HOPS_MAX || MSAT_LESS(ledger_total(p), p->r.amount))
		return false;
	switch ((enum payment_state)p->r.state) {
	case PAYMENT_PENDING:
		return true;
	case PAYMENT_COMPLETE:
		return SAME(h, p->payment_hash);
	case PAYMENT_FAILED:
		return p->r.fail_code != REPLY_OK;
	}
	return false;
}

struct payment *ledger_read(struct bytes key, struct bytes value)
{
	struct sha256 payment_hash;
	struct payment *p;

	if (key.size != LEDGER_PAYMENT_KEY)
		return NULL;
	memcpy(payment_hash.v, key.data + 8, sizeof(payment_hash.v));
	p = ledger_new(&payment_hash, load_be64(key.data + 40));
	buf_add_bytes(&p->stored, value);
	if (ledger_read_stored(p) && load_be64(key.data) == p->r.created_index && payment_is_sound(p))
		return p;
	ledger_payment_free(p);
	return NULL;
}

static bool load_payment(struct send *s, struct bytes key, struct bytes value)
{
	struct payment *p = ledger_read(key, value);

	if (!p)
		return false;
	if (!table_get(&s->payments, BYTES_OF(p->key))) {
		ledger_index(s, p);
		return true;
	}
	ledger_payment_free(p);
	return false;
}

/* Before version 2 a part had no scids and no amounts. */
static bool ways_are_sound(const struct record_part *r)
{
	return r->scids_count == r->amounts_count && (r->scids_count == 0 || r->scids_count == r->nodes_count);
}

static void own_arrays(struct record_part *out, const struct record_part *r)
{
	out->nodes = NEW_ARRAY(struct pubkey, r->nodes_count);
	memcpy(out->nodes, r->nodes, r->nodes_count * sizeof(*r->nodes));
	if (!r->scids_count)
		return;
	out->scids = NEW_ARRAY(struct scid, r->scids_count);
	memcpy(out->scids, r->scids, r->scids_count * sizeof(*r->scids));
	out->amounts = NEW_ARRAY(struct amount_msat, r->amounts_count);
	memcpy(out->amounts, r->amounts, r->amounts_count * sizeof(*r->amounts));
}

static bool load_part(struct send *s, struct bytes key, struct bytes value)
{
	struct record_part r;
	struct loaded_part *l;
	struct arena a;
	bool good;

	arena_init(&a);
	good = key.size == LEDGER_PART_KEY && record_part_decode(value, &a, &r) && r.nodes_count &&
	       r.nodes_count <= ONION_HOPS_MAX && !MSAT_LESS(r.sent, r.amount) && ways_are_sound(&r);
	if (good) {
		l = NEW(struct loaded_part);
		memcpy(l->payment_key, key.data + 8, sizeof(l->payment_key));
		l->part = NEW(struct payment_part);
		l->part->id = load_be64(key.data + 48);
		l->part->r = r;
		own_arrays(&l->part->r, &r);
		l->next = s->loaded;
		s->loaded = l;
	}
	mem_wipe(&r, sizeof(r));
	arena_release(&a);
	return good;
}

bool send_load(struct send *s, enum record_kind kind, struct bytes key, struct bytes value)
{
	if (kind == RECORD_PAYMENT)
		return load_payment(s, key, value);
	ASSERT(kind == RECORD_PART);
	return load_part(s, key, value);
}

/* What is in flight of a payment, with one more part; false if it is more than the payment (INV-S1). */
static bool fits(const struct payment *p, const struct payment_part *more)
{
	struct amount_msat sum = more->r.amount;

	for (const struct payment_part *part = p->parts; part; part = part->next)
		if (part->id == more->id || !msat_add(&sum, sum, part->r.amount))
			return false;
	return !MSAT_LESS(p->r.amount, sum);
}

static bool place_part(struct send *s, const struct loaded_part *l)
{
	struct payment *p = table_get(&s->payments, BYTES_OF(l->payment_key));

	/* INV-S3, INV-S5 */
	if (!p || p->r.state == PAYMENT_FAILED || !fits(p, l->part) ||
	    ledger_part(s, l->part->r.channel_key, l->part->r.htlc_id))
		return false;
	ledger_add_part(p, l->part);
	ledger_index_part(s, l->part);
	return true;
}

/* INV-S2 */
static bool one_alive(const struct send *s)
{
	const struct payment *p;
	uint32_t at = 0;

	while ((p = table_next(&s->payments, &at)))
		if (p->r.state != PAYMENT_FAILED && !p->recalled && ledger_latest(s, &p->payment_hash) != p)
			return false;
	return true;
}

/* An older version left those that were over among the others. */
static void put_on_shelf(struct send *s)
{
	struct payment *p;
	uint32_t at = 0;

	while ((p = table_next(&s->payments, &at)))
		ledger_settled(s, p);
}

bool ledger_sound(struct send *s)
{
	while (s->loaded) {
		struct loaded_part *l = s->loaded;

		if (!place_part(s, l))
			return false;
		s->loaded = l->next;
		mem_free(l);
	}
	put_on_shelf(s);
	return one_alive(s);
}

const struct payment *send_by_hash(const struct send *s, const struct sha256 *payment_hash)
{
	return ledger_latest(s, payment_hash);
}

const struct payment *send_next(const struct send *s, uint32_t *at)
{
	return table_next(&s->payments, at);
}

const struct payment *send_get(const struct send *s, const struct sha256 *payment_hash, uint64_t group)
{
	return ledger_get(s, payment_hash, group);
}

uint32_t send_pending_count(const struct send *s)
{
	return ledger_pending(s);
}

static void check_limits(const struct payment *p)
{
	struct amount_msat sum = MSAT(0), sent = MSAT(0), fees;

	for (const struct payment_part *part = p->parts; part; part = part->next) {
		ASSERT(part->payment == p && part->id < p->next_part);
		ASSERT(msat_add(&sum, sum, part->r.amount) && msat_add(&sent, sent, part->r.sent));
	}
	/* INV-S1 */
	ASSERT(!MSAT_LESS(p->r.amount, sum) && msat_sub(&fees, sent, sum));
	ASSERT(p->r.kind == PAYMENT_ROUTE || !MSAT_LESS(p->r.fee_limit, fees));
}

static void check_plan(const struct send *s, const struct payment *p)
{
	const struct payment_plan *plan = p->plan;
	bool waits = plan->question || plan->wants_flush || plan->ask_again_ms != UINT64_MAX;

	/* INV-S6 */
	ASSERT(waits || p->parts);
	ASSERT(!plan->question || table_get(&s->asked, BYTES_OF(plan->question_key)) == p);
	ASSERT(!plan->wants_flush || (!plan->question && (plan->want_before || s->want_first == p)));
	ASSERT(plan->ask_again_ms == UINT64_MAX || plan->ask_again_ms >= s->wait_deadline_ms);
}

static void check_payment(const struct send *s, const struct payment *p)
{
	uint32_t count = 0;

	for (const struct payment_part *part = p->parts; part; part = part->next) {
		/* INV-S5 */
		ASSERT(!part->offered || ledger_part(s, part->r.channel_key, part->r.htlc_id) == part);
		count++;
	}
	ASSERT(count == p->part_count);
	check_limits(p);
	/* INV-S3, INV-S4 */
	ASSERT(p->r.kind == PAYMENT_PROBE || payment_is_sound(p));
	ASSERT(p->r.state != PAYMENT_FAILED || !p->parts);
	ASSERT(p->r.state == PAYMENT_PENDING || !p->plan);
	ASSERT(p->on_shelf == (p->r.state != PAYMENT_PENDING && p->r.kind != PAYMENT_PROBE && !p->parts));
	ASSERT((table_get(&s->pending, BYTES_OF(p->key)) == p) == (p->r.state == PAYMENT_PENDING));
	if (p->plan)
		check_plan(s, p);
}

void send_check_invariants(const struct send *s)
{
	const struct payment *p;
	uint32_t at = 0, wants = 0, asked = 0, probes = 0;

	ASSERT(one_alive(s));
	while ((p = table_next(&s->payments, &at)))
		check_payment(s, p);
	at = 0;
	while ((p = table_next(&s->pending, &at))) {
		if (p->r.kind == PAYMENT_PROBE)
			check_payment(s, p);
		probes += p->r.kind == PAYMENT_PROBE;
		wants += p->plan && p->plan->wants_flush;
		asked += p->plan && p->plan->question;
	}
	ASSERT(asked == table_count(&s->asked));
	for (p = s->want_first; p; p = p->plan->want_next)
		wants--;
	ASSERT(wants == 0 && probes == s->probe_count && probes <= SEND_PROBES_MAX);
}
