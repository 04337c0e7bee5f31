#include "payment/ledger.h"

#include "crypto/hash.h"

static struct bytes payment_key(const void *object)
{
	return BYTES_OF(((const struct payment *)object)->key);
}

static struct bytes hash_key(const void *object)
{
	return BYTES_OF(((const struct payment *)object)->payment_hash.v);
}

static struct bytes part_key(const void *object)
{
	return BYTES_OF(((const struct payment_part *)object)->htlc_key);
}

static struct bytes question_key(const void *object)
{
	return BYTES_OF(((const struct payment *)object)->plan->question_key);
}

struct send *send_new(const struct send_config *config, const uint8_t seed32[32])
{
	struct send *s = NEW(struct send);

	s->config = *config;
	s->wait_deadline_ms = UINT64_MAX;
	s->shelf_tail = &s->shelf;
	s->secp = secp_new(seed32);
	table_init(&s->payments, payment_key, seed32);
	table_init(&s->latest, hash_key, seed32);
	table_init(&s->pending, payment_key, seed32);
	table_init(&s->asked, question_key, seed32);
	table_init(&s->parts, part_key, seed32);
	return s;
}

void ledger_part_free(struct payment_part *part)
{
	mem_wipe_free(part->shared, part->r.nodes_count * sizeof(*part->shared));
	mem_free(part->r.nodes);
	mem_free(part->r.scids);
	mem_free(part->r.amounts);
	mem_free(part->hold_times);
	mem_wipe_free(part, sizeof(*part));
}

static void parts_free(struct payment_part *part)
{
	while (part) {
		struct payment_part *next = part->next;

		ledger_part_free(part);
		part = next;
	}
}

void ledger_tries_free(struct payment *p)
{
	while (p->tries) {
		struct payment_try *next = p->tries->next;

		mem_free((void *)p->tries->r.words.data);
		mem_free((void *)p->tries->r.message.data);
		mem_free(p->tries->r.hold_times);
		mem_free(p->tries);
		p->tries = next;
	}
	p->try_count = 0;
}

void ledger_payment_free(struct payment *p)
{
	while (p->calls) {
		struct send_call *next = p->calls->next;

		mem_free(p->calls);
		p->calls = next;
	}
	parts_free(p->parts);
	ledger_tries_free(p);
	plan_free(p->plan);
	buf_wipe(&p->stored);
	arena_release(&p->memory);
	mem_wipe_free(p, sizeof(*p));
}

void send_free(struct send *s)
{
	struct payment *p;
	uint32_t at = 0;

	if (!s)
		return;
	while ((p = table_next(&s->pending, &at)))
		if (p->r.kind == PAYMENT_PROBE)
			ledger_payment_free(p);
	at = 0;
	while ((p = table_next(&s->payments, &at)))
		ledger_payment_free(p);
	while (s->loaded) {
		struct loaded_part *next = s->loaded->next;

		ledger_part_free(s->loaded->part);
		mem_free(s->loaded);
		s->loaded = next;
	}
	table_release(&s->payments);
	table_release(&s->latest);
	table_release(&s->pending);
	table_release(&s->asked);
	table_release(&s->parts);
	mem_free(s->facts);
	secp_free(s->secp);
	mem_free(s);
}

bool ledger_read_stored(struct payment *p)
{
	struct arena memory;
	bool good;

	arena_init(&memory);
	good = record_payment_decode(buf_view(&p->stored), &memory, &p->r);
	arena_release(&p->memory);
	p->memory = memory;
	return good;
}

struct payment *ledger_new(const struct sha256 *payment_hash, uint64_t group)
{
	struct payment *p = NEW(struct payment);

	arena_init(&p->memory);
	p->payment_hash = *payment_hash;
	p->group = group;
	memcpy(p->key, payment_hash->v, 32);
	store_be64(p->key + 32, group);
	return p;
}

/* Keys run with time: what is stored together lies together, and a batch touches few pages. */
void ledger_record_key(uint8_t out48[LEDGER_PAYMENT_KEY], const struct payment *p)
{
	store_be64(out48, p->r.created_index);
	memcpy(out48 + 8, p->key, sizeof(p->key));
}

void ledger_store(struct payment *p, struct step *step)
{
	struct buf next = BUF_EMPTY;
	uint8_t key[LEDGER_PAYMENT_KEY];

	if (p->r.kind == PAYMENT_PROBE)
		return;
	ledger_record_key(key, p);
	record_payment_encode(&p->r, &next);
	buf_wipe(&p->stored);
	p->stored = next;
	ASSERT(ledger_read_stored(p));
	effect_persist(step->out, RECORD_PAYMENT, BYTES_OF(key), buf_view(&p->stored));
}

void ledger_index(struct send *s, struct payment *p)
{
	struct payment *latest = ledger_latest(s, &p->payment_hash);

	table_add(&s->payments, p);
	if (!latest || latest->group < p->group) {
		if (latest)
			ASSERT(table_remove(&s->latest, hash_key(latest)) == latest);
		table_add(&s->latest, p);
	}
	if (p->r.state == PAYMENT_PENDING)
		table_add(&s->pending, p);
	if (p->r.created_index > s->last_created_index) {
		s->last_created_index = p->r.created_index;
		s->numbers_changed = true;
	}
}

void ledger_index_recalled(struct send *s, struct payment *p)
{
	table_add(&s->payments, p);
}

void ledger_name_latest(struct send *s, struct payment *p)
{
	if (!ledger_latest(s, &p->payment_hash))
		table_add(&s->latest, p);
}

void ledger_forget(struct send *s, struct payment *p)
{
	ASSERT(table_remove(&s->payments, payment_key(p)) == p);
	if (ledger_latest(s, &p->payment_hash) == p)
		ASSERT(table_remove(&s->latest, hash_key(p)) == p);
	ledger_payment_free(p);
}

void ledger_index_probe(struct send *s, struct payment *p)
{
	s->probe_count++;
	table_add(&s->pending, p);
}

struct payment *ledger_latest(const struct send *s, const struct sha256 *payment_hash)
{
	return table_get(&s->latest, BYTES_OF(payment_hash->v));
}

struct payment *ledger_get(const struct send *s, const struct sha256 *payment_hash, uint64_t group)
{
	uint8_t key[40];

	memcpy(key, payment_hash->v, 32);
	store_be64(key + 32, group);
	return table_get(&s->payments, BYTES_OF(key));
}

uint32_t ledger_pending(const struct send *s)
{
	return table_count(&s->pending);
}

struct payment *ledger_next_pending(const struct send *s, uint32_t *at)
{
	return table_next(&s->pending, at);
}

/* --- who wants to ask, who has asked --- */

void ledger_want_flush(struct send *s, struct payment *p)
{
	struct payment_plan *plan = p->plan;

	if (plan->question) {
		plan->again = true;
		return;
	}
	if (plan->wants_flush)
		return;
	plan->ask_again_ms = UINT64_MAX;
	plan->wants_flush = true;
	plan->want_before = s->want_last;
	plan->want_next = NULL;
	if (s->want_last)
		s->want_last->plan->want_next = p;
	else
		s->want_first = p;
	s->want_last = p;
}

void ledger_unwant(struct send *s, struct payment *p)
{
	struct payment_plan *plan = p->plan;

	plan->wants_flush = false;
	if (plan->want_before)
		plan->want_before->plan->want_next = plan->want_next;
	else
		s->want_first = plan->want_next;
	if (plan->want_next)
		plan->want_next->plan->want_before = plan->want_before;
	else
		s->want_last = plan->want_before;
}

struct payment *ledger_take_flush(struct send *s)
{
	struct payment *p = s->want_first;

	if (p)
		ledger_unwant(s, p);
	return p;
}

uint64_t ledger_ask(struct send *s, struct payment *p)
{
	ASSERT(!p->plan->question && !p->plan->wants_flush);
	p->plan->question = ++s->last_question;
	store_be64(p->plan->question_key, p->plan->question);
	table_add(&s->asked, p);
	return p->plan->question;
}

struct payment *ledger_answered(struct send *s, uint64_t question)
{
	struct payment *p;
	uint8_t key[8];

	store_be64(key, question);
	p = table_remove(&s->asked, BYTES_OF(key));
	if (p)
		p->plan->question = 0;
	return p;
}

void ledger_ask_again(struct send *s, struct payment *p, uint64_t at_ms)
{
	p->plan->ask_again_ms = at_ms;
	if (at_ms < s->wait_deadline_ms)
		s->wait_deadline_ms = at_ms;
}

/* --- what the network showed --- */

static void add_fact(struct send *s, enum send_fact_kind kind, const struct payment_part *part, uint32_t hop)
{
	/* What our own channels can do is known, not learned. */
	if (hop == 0 || hop >= part->r.scids_count || !part->r.scids[hop].v)
		return;
	if (s->fact_count == s->fact_capacity) {
		s->fact_capacity = s->fact_capacity ? 2 * s->fact_capacity : 64;
		s->facts = mem_realloc(s->facts, s->fact_capacity, sizeof(*s->facts));
	}
	s->facts[s->fact_count++] = (struct send_fact){
		kind, part->r.scids[hop], path_direction(&part->r.nodes[hop - 1], &part->r.nodes[hop]), part->r.amounts[hop],
	};
}

/* About every channel of the way but our own, up to that many. */
static void add_facts(struct send *s, enum send_fact_kind kind, const struct payment_part *part, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		add_fact(s, kind, part, i);
}

/* --- parts --- */

static void part_record_key(uint8_t out56[LEDGER_PART_KEY], const struct payment_part *part)
{
	ledger_record_key(out56, part->payment);
	store_be64(out56 + LEDGER_PAYMENT_KEY, part->id);
}

void ledger_add_part(struct payment *p, struct payment_part *part)
{
	struct payment_part **end = &p->parts;

	part->payment = p;
	while (*end)
		end = &(*end)->next;
	*end = part;
	p->part_count++;
	if (part->id >= p->next_part)
		p->next_part = part->id + 1;
}

void ledger_index_part(struct send *s, struct payment_part *part)
{
	part->offered = true;
	store_be64(part->htlc_key, part->r.channel_key);
	store_be64(part->htlc_key + 8, part->r.htlc_id);
	table_add(&s->parts, part);
	add_facts(s, SEND_FACT_TAKEN, part, part->r.scids_count);
}

struct payment_part *ledger_plan_part(struct payment *p, uint64_t id, uint64_t channel_key, const struct path_hop *hops,
				      uint32_t hop_count, const struct path_keys *keys)
{
	struct payment_part *part = NEW(struct payment_part);
	struct record_part *r = &part->r;

	part->id = id;
	r->channel_key = channel_key;
	r->amount = hops[hop_count - 1].amount;
	r->sent = hops[0].amount;
	r->session_key = keys->session;
	r->nodes = NEW_ARRAY(struct pubkey, hop_count);
	r->scids = NEW_ARRAY(struct scid, hop_count);
	r->amounts = NEW_ARRAY(struct amount_msat, hop_count);
	r->nodes_count = r->scids_count = r->amounts_count = hop_count;
	part->shared = NEW_ARRAY(struct secret32, hop_count);
	memcpy(part->shared, keys->shared, hop_count * sizeof(*part->shared));
	for (uint32_t i = 0; i < hop_count; i++) {
		r->nodes[i] = hops[i].node;
		r->scids[i] = hops[i].scid;
		r->amounts[i] = hops[i].amount;
	}
	ledger_add_part(p, part);
	return part;
}

/* INV-S5 */
static void persist_part(const struct payment_part *part, struct step *step)
{
	struct buf value = BUF_EMPTY;
	uint8_t key[LEDGER_PART_KEY];

	if (part->payment->r.kind == PAYMENT_PROBE)
		return;
	part_record_key(key, part);
	record_part_encode(&part->r, &value);
	effect_persist(step->out, RECORD_PART, BYTES_OF(key), buf_view(&value));
	buf_wipe(&value);
}

void ledger_start_part(struct send *s, struct step *step, struct payment_part *part, uint64_t htlc_id)
{
	ASSERT(!part->offered);
	part->r.htlc_id = htlc_id;
	part->r.created_at_s = step->now_ms / 1000;
	ledger_index_part(s, part);
	persist_part(part, step);
}

void ledger_end_part(struct send *s, struct step *step, struct payment_part *part, const struct ledger_shown *shown)
{
	struct payment_part **at = &part->payment->parts;
	uint8_t key[LEDGER_PART_KEY];

	while (*at != part)
		at = &(*at)->next;
	*at = part->next;
	part->payment->part_count--;
	if (part->offered) {
		ASSERT(table_remove(&s->parts, part_key(part)) == part);
		add_facts(s, SEND_FACT_FREED, part, part->r.scids_count);
	}
	if (shown) {
		add_facts(s, SEND_FACT_COULD, part, shown->carried);
		add_fact(s, SEND_FACT_COULD_NOT, part, shown->full);
		add_facts(s, SEND_FACT_MOVED, part, shown->paid ? part->r.scids_count : 0);
	}
	if (part->offered && part->payment->r.kind != PAYMENT_PROBE) {
		part_record_key(key, part);
		effect_remove(step->out, RECORD_PART, BYTES_OF(key));
	}
	ledger_settled(s, part->payment);
	ledger_part_free(part);
}

struct payment_part *ledger_part(const struct send *s, uint64_t channel_key, uint64_t htlc_id)
{
	uint8_t key[16];

	store_be64(key, channel_key);
	store_be64(key + 8, htlc_id);
	return table_get(&s->parts, BYTES_OF(key));
}

struct payment_part *ledger_next_part(const struct send *s, uint32_t *at)
{
	return table_next(&s->parts, at);
}

const struct send_fact *send_facts(const struct send *s, uint32_t *count)
{
	*count = s->fact_count;
	return s->facts;
}

void send_facts_taken(struct send *s)
{
	s->fact_count = 0;
}
