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

struct send *send_new(const struct send_config *config, const uint8_t seed32[32])
{
	struct send *s = NEW(struct send);

	s->config = *config;
	s->wait_deadline_ms = UINT64_MAX;
	s->secp = secp_new(seed32);
	table_init(&s->payments, payment_key, seed32);
	table_init(&s->latest, hash_key, seed32);
	table_init(&s->pending, payment_key, seed32);
	table_init(&s->parts, part_key, seed32);
	return s;
}

void ledger_part_free(struct payment_part *part)
{
	mem_free(part->r.nodes);
	mem_free(part->hops);
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

void ledger_payment_free(struct payment *p)
{
	while (p->calls) {
		struct send_call *next = p->calls->next;

		mem_free(p->calls);
		p->calls = next;
	}
	parts_free(p->parts);
	route_failures_free(p);
	plan_free(p->plan);
	buf_release(&p->stored);
	mem_free(p);
}

void send_free(struct send *s)
{
	struct payment *p;
	uint32_t at = 0;

	if (!s)
		return;
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
	table_release(&s->parts);
	secp_free(s->secp);
	mem_free(s);
}

bool ledger_read_stored(struct payment *p)
{
	struct arena a;
	bool good;

	/* The record has no arrays, so nothing of it lives in the arena. */
	arena_init(&a);
	good = record_payment_decode(buf_view(&p->stored), &a, &p->r);
	arena_release(&a);
	return good;
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

	ledger_record_key(key, p);
	record_payment_encode(&p->r, &next);
	buf_release(&p->stored);
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
	if (p->r.created_index > s->last_created_index)
		s->last_created_index = p->r.created_index;
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

void ledger_want_flush(struct send *s, struct payment *p)
{
	if (!p->plan->wants_flush)
		s->want_count++;
	p->plan->wants_flush = true;
}

struct payment *ledger_take_flush(struct send *s, uint32_t *at)
{
	struct payment *p;

	while (s->want_count && (p = table_next(&s->pending, at))) {
		if (!p->plan || !p->plan->wants_flush)
			continue;
		p->plan->wants_flush = false;
		s->want_count--;
		return p;
	}
	return NULL;
}

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
}

struct payment_part *ledger_plan_part(struct payment *p, const struct plan_part *planned,
				      const struct secret32 *session_key)
{
	struct payment_part *part = NEW(struct payment_part);
	uint32_t count = planned->path->count;

	part->id = p->next_part;
	part->r.channel_key = planned->path->channel_key;
	part->r.amount = planned->amount;
	part->r.sent = planned->sent;
	part->r.session_key = *session_key;
	part->r.nodes = NEW_ARRAY(struct pubkey, count);
	part->r.nodes_count = count;
	part->hops = NEW_ARRAY(struct path_hop, count);
	memcpy(part->hops, planned->path->hops, count * sizeof(*part->hops));
	for (uint32_t i = 0; i < count; i++)
		part->r.nodes[i] = part->hops[i].node_id;
	ledger_add_part(p, part);
	return part;
}

void ledger_start_part(struct send *s, struct step *step, struct payment_part *part, uint64_t htlc_id)
{
	struct buf value = BUF_EMPTY;
	uint8_t key[LEDGER_PART_KEY];

	ASSERT(!part->offered);
	part->r.htlc_id = htlc_id;
	ledger_index_part(s, part);
	part_record_key(key, part);
	record_part_encode(&part->r, &value);
	effect_persist(step->out, RECORD_PART, BYTES_OF(key), buf_view(&value));
	buf_wipe(&value);
}

void ledger_end_part(struct send *s, struct step *step, struct payment_part *part)
{
	struct payment_part **at = &part->payment->parts;
	uint8_t key[LEDGER_PART_KEY];

	while (*at != part)
		at = &(*at)->next;
	*at = part->next;
	part->payment->part_count--;
	if (part->offered) {
		ASSERT(table_remove(&s->parts, part_key(part)) == part);
		part_record_key(key, part);
		effect_remove(step->out, RECORD_PART, BYTES_OF(key));
	}
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

static void tell(struct step *step, enum notify_kind kind, const struct payment *p, const char *text)
{
	struct notify *n = &effect_add(step->out, EFFECT_NOTIFY)->u.notify;

	n->kind = kind;
	n->payment_hash = p->payment_hash;
	n->amount = p->r.amount;
	n->text = text;
}

/* It is not pending any more, and the record says so. */
static void close_book(struct send *s, struct step *step, struct payment *p)
{
	p->r.completed_at_s = step->now_ms / 1000;
	ledger_store(p, step);
	ASSERT(table_remove(&s->pending, payment_key(p)) == p);
	if (p->plan && p->plan->wants_flush)
		s->want_count--;
	plan_free(p->plan);
	p->plan = NULL;
}

void ledger_complete(struct send *s, struct step *step, struct payment *p, const struct preimage *preimage,
		     struct amount_msat sent, uint32_t parts)
{
	ASSERT(p->r.state == PAYMENT_PENDING);
	p->r.state = PAYMENT_COMPLETE;
	p->r.preimage = *preimage;
	p->r.sent = sent;
	p->r.parts = parts;
	close_book(s, step, p);
	tell(step, NOTIFY_PAYMENT_SENT, p, NULL);
	ledger_answer(step, p);
}

void ledger_fail(struct send *s, struct step *step, struct payment *p, enum reply_code code, const char *words)
{
	/* INV-S3 */
	ASSERT(p->r.state == PAYMENT_PENDING && !p->parts && code != REPLY_OK);
	p->r.state = PAYMENT_FAILED;
	p->r.fail_code = code;
	p->r.fail_words = bytes_from_string(words);
	close_book(s, step, p);
	tell(step, NOTIFY_PAYMENT_FAILED, p,
	     arena_printf(&step->out->arena, "%.*s", (int)p->r.fail_words.size, (const char *)p->r.fail_words.data));
	ledger_answer(step, p);
}

void ledger_wait(struct payment *p, uint64_t call, enum payment_kind kind)
{
	struct send_call *c = NEW(struct send_call), **end = &p->calls;

	c->call = call;
	c->kind = kind;
	c->deadline_ms = UINT64_MAX;
	while (*end)
		end = &(*end)->next;
	*end = c;
}

static struct reply *reply_about(struct arena *a, const struct payment *p, enum payment_kind kind)
{
	struct reply *reply = ARENA_NEW(a, struct reply);

	reply->kind = kind == PAYMENT_KEYSEND ? COMMAND_KEYSEND : COMMAND_PAY;
	if (p->r.state == PAYMENT_FAILED) {
		reply->code = (enum reply_code)p->r.fail_code;
		reply->message = arena_printf(a, "%.*s", (int)p->r.fail_words.size, (const char *)p->r.fail_words.data);
	}
	reply->u.pay.payment_hash = p->payment_hash;
	reply->u.pay.preimage = p->r.preimage;
	reply->u.pay.destination = p->r.payee;
	reply->u.pay.amount = p->r.amount;
	reply->u.pay.sent = p->r.sent;
	reply->u.pay.created_at_s = p->r.created_at_s;
	reply->u.pay.parts = p->r.parts;
	return reply;
}

void ledger_answer(struct step *step, struct payment *p)
{
	ASSERT(p->r.state != PAYMENT_PENDING);
	while (p->calls) {
		struct send_call *c = p->calls;

		effect_reply(step->out, c->call, c->kind == PAYMENT_ROUTE ? route_reply(&step->out->arena, p, c->part) :
						 reply_about(&step->out->arena, p, c->kind));
		p->calls = c->next;
		mem_free(c);
	}
}

/* Only who asked for a payment that is pending still waits. */
void send_call_gone(struct send *s, uint64_t call)
{
	struct payment *p;
	uint32_t i = 0;

	while ((p = table_next(&s->pending, &i)))
		for (struct send_call **at = &p->calls, *c; (c = *at);) {
			if (c->call != call) {
				at = &c->next;
				continue;
			}
			*at = c->next;
			mem_free(c);
		}
}
