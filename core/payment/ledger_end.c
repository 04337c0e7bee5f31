/* The book of our payments: what was tried, how it ended and who is told. */
#include "payment/ledger.h"

static void tell(struct step *step, enum notify_kind kind, const struct payment *p, const char *text)
{
	struct notify *n = &effect_add(step->out, EFFECT_NOTIFY)->u.notify;

	n->kind = kind;
	n->payment_hash = p->payment_hash;
	n->amount = p->r.amount;
	n->text = text;
}

/* --- what was tried --- */

/* Longer than any message of BOLT 4 is; a hostile node may say what it likes, a hundred times. */
#define MESSAGE_MAX 1024u

static struct bytes own_copy(struct bytes b)
{
	return b.size ? BYTES(memcpy(mem_alloc(b.size), b.data, b.size), b.size) : BYTES_NONE;
}

/* Of a part that the user tries again the last try counts, and of all no more than one payment may have. */
static void drop_tries(struct payment *p, uint64_t part)
{
	for (struct payment_try **at = &p->tries, *t; (t = *at);) {
		if (t->r.part != part && p->try_count < SEND_ATTEMPTS_MAX) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		p->try_count--;
		mem_free((void *)t->r.words.data);
		mem_free((void *)t->r.message.data);
		mem_free(t->r.hold_times);
		mem_free(t);
	}
}

void ledger_try(struct payment *p, const struct payment_part *part, const struct record_payment_try *said, uint64_t now_s)
{
	struct payment_try *t = NEW(struct payment_try), **end = &p->tries;

	drop_tries(p, part->id);
	t->r = *said;
	t->r.part = part->id;
	t->r.state = PAYMENT_FAILED;
	t->r.amount = part->r.amount;
	t->r.sent = part->r.sent;
	t->r.created_at_s = part->r.created_at_s;
	t->r.completed_at_s = now_s;
	t->r.hops = part->r.nodes_count;
	t->r.words = own_copy(said->words);
	t->r.message = own_copy(BYTES(said->message.data, said->message.size < MESSAGE_MAX ? said->message.size : MESSAGE_MAX));
	t->r.hold_times = NULL;
	if (said->hold_times_count) {
		t->r.hold_times = NEW_ARRAY(uint32_t, said->hold_times_count);
		memcpy(t->r.hold_times, said->hold_times, said->hold_times_count * sizeof(*said->hold_times));
	}
	while (*end)
		end = &(*end)->next;
	*end = t;
	p->try_count++;
}

void ledger_held(struct payment *p, const struct payment_part *part, struct step *step)
{
	for (uint32_t i = 0; part->hold_time_count && i < p->r.tries_count; i++) {
		struct record_payment_try *t = &p->r.tries[i];

		if (t->part != part->id || t->state != PAYMENT_COMPLETE)
			continue;
		t->hold_times = part->hold_times;
		t->hold_times_count = part->hold_time_count;
		ledger_store(p, step);
		return;
	}
}

const struct record_payment_try *ledger_find_try(const struct payment *p, uint64_t part)
{
	const struct record_payment_try *found = NULL;

	for (const struct payment_try *t = p->tries; t; t = t->next)
		if (t->r.part == part)
			found = &t->r;
	for (uint32_t i = 0; !found && i < p->r.tries_count; i++)
		if (p->r.tries[i].part == part)
			found = &p->r.tries[i];
	return found;
}

static struct record_payment_try try_in_flight(const struct payment *p, const struct payment_part *part)
{
	return (struct record_payment_try){
		.part = part->id, .state = p->r.state, .amount = part->r.amount, .sent = part->r.sent,
		.created_at_s = part->r.created_at_s, .hops = part->r.nodes_count,
		.completed_at_s = p->r.completed_at_s, .hold_times = part->hold_times, .hold_times_count = part->hold_time_count,
	};
}

const struct record_payment_try *send_tries(const struct payment *p, struct arena *a, uint32_t *count)
{
	struct record_payment_try *list = ARENA_ARRAY(a, struct record_payment_try, p->try_count + p->part_count);

	if (p->r.tries_count) {
		*count = p->r.tries_count;
		return p->r.tries;
	}
	*count = 0;
	for (const struct payment_try *t = p->tries; t; t = t->next)
		list[(*count)++] = t->r;
	for (const struct payment_part *part = p->parts; part; part = part->next)
		if (part->offered)
			list[(*count)++] = try_in_flight(p, part);
	return list;
}

/* --- the end --- */

/* It is not pending any more, and the record says so. */
static void close_book(struct send *s, struct step *step, struct payment *p)
{
	uint32_t count;

	p->r.completed_at_s = step->now_ms / 1000;
	p->r.tries = (struct record_payment_try *)send_tries(p, &step->out->arena, &count);
	p->r.tries_count = count;
	ledger_store(p, step);
	ASSERT(table_remove(&s->pending, BYTES_OF(p->key)) == p);
	ledger_tries_free(p);
	if (p->plan && p->plan->wants_flush)
		ledger_unwant(s, p);
	if (p->plan && p->plan->question)
		ASSERT(ledger_answered(s, p->plan->question) == p);
	plan_free(p->plan);
	p->plan = NULL;
	ledger_settled(s, p);
}

/* Nothing of it is stored: what the answer shows is the payment's own, so it comes first. */
static void end_probe(struct send *s, struct step *step, struct payment *p)
{
	p->r.completed_at_s = step->now_ms / 1000;
	p->r.tries = (struct record_payment_try *)send_tries(p, &step->out->arena, &p->r.tries_count);
	ledger_answer(step, p);
	close_book(s, step, p);
	s->probe_count--;
	ledger_payment_free(p);
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
	memset(&p->r.preimage, 0, sizeof(p->r.preimage));
	if (p->r.kind == PAYMENT_PROBE) {
		end_probe(s, step, p);
		return;
	}
	close_book(s, step, p);
	tell(step, NOTIFY_PAYMENT_FAILED, p,
	     arena_printf(&step->out->arena, "%.*s", (int)p->r.fail_words.size, (const char *)p->r.fail_words.data));
	ledger_answer(step, p);
}

void ledger_probed(struct send *s, struct step *step, struct payment *p, const struct record_payment_try *reached)
{
	ASSERT(p->r.kind == PAYMENT_PROBE && !p->parts);
	p->r.state = PAYMENT_COMPLETE;
	p->r.sent = reached->sent;
	p->r.parts = 1;
	end_probe(s, step, p);
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

static struct record_payment_try *copy_tries(struct arena *a, const struct record_payment_try *tries, uint32_t count)
{
	struct record_payment_try *copy = arena_copy(a, tries, count * sizeof(*tries));

	for (uint32_t i = 0; i < count; i++) {
		copy[i].words = arena_bytes(a, tries[i].words);
		copy[i].message = arena_bytes(a, tries[i].message);
		copy[i].hold_times = arena_copy(a, tries[i].hold_times, tries[i].hold_times_count * sizeof(*tries[i].hold_times));
	}
	return copy;
}

/* The payee has the preimage and has not claimed all of it yet. */
static bool is_partial(const struct payment *p)
{
	const struct payment_part *part = p->parts;

	while (part && part->paid)
		part = part->next;
	return p->r.state == PAYMENT_COMPLETE && part && p->r.kind != PAYMENT_PROBE;
}

static struct reply *reply_about(struct arena *a, const struct payment *p, enum payment_kind kind)
{
	struct reply *reply = ARENA_NEW(a, struct reply);

	reply->kind = kind == PAYMENT_KEYSEND ? COMMAND_KEYSEND : kind == PAYMENT_PROBE ? COMMAND_PROBE : COMMAND_PAY;
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
	reply->u.pay.partial = is_partial(p);
	reply->u.pay.tries = copy_tries(a, p->r.tries, p->r.tries_count);
	reply->u.pay.try_count = p->r.tries_count;
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
