/* Deletes what is over and old: invoices, payments, the history of forwards.
 *
 * A sweep reads the kinds of records of the past from their first key to their last, CLEAN_PAGE records at a time, each
 * page in a batch of its own, and removes those that are older than their subsystem's age, with what they are found by.
 * One sweep at a time: those of the configuration come once a cycle, those that are ordered when their turn is. */
#include "node/state.h"

#include <string.h>

#include "base/cursor.h"
#include "node/view.h"
#include "payment/history.h"

#define CLEAN_VERSION 1
/* Records that one batch looks at. */
#define CLEAN_PAGE 200u
/* Orders that wait for their turn. */
#define CLEAN_ORDERS_MAX 100u

static const enum record_kind kinds[] = { RECORD_FORWARD, RECORD_PAYMENT_PAST, RECORD_INVOICE_PAST };

struct clean_order {
	struct clean_order *next;
	uint64_t call;
	enum clean_subsystem subsystem;
	uint64_t age_s;
};

static bool wants_any(const uint64_t age_s[CLEAN_SUBSYSTEMS])
{
	for (int i = 0; i < CLEAN_SUBSYSTEMS; i++)
		if (age_s[i])
			return true;
	return false;
}

static bool wants_kind(const struct node_clean *c, enum record_kind kind)
{
	switch (kind) {
	case RECORD_FORWARD:
		return c->age_s[CLEAN_SUCCEEDED_FORWARDS] || c->age_s[CLEAN_FAILED_FORWARDS];
	case RECORD_PAYMENT_PAST:
		return c->age_s[CLEAN_SUCCEEDED_PAYS] || c->age_s[CLEAN_FAILED_PAYS];
	default:
		return c->age_s[CLEAN_PAID_INVOICES] || c->age_s[CLEAN_EXPIRED_INVOICES];
	}
}

void node_clean_start(struct node *n, struct step *s)
{
	if (n->config->autoclean_cycle_s && wants_any(n->config->autoclean_age_s))
		n->clean.due_ms = s->now_ms + 1000ull * n->config->autoclean_cycle_s;
	else
		n->clean.due_ms = UINT64_MAX;
}

void node_clean_free(struct node *n)
{
	while (n->clean.orders) {
		struct clean_order *next = n->clean.orders->next;

		mem_free(n->clean.orders);
		n->clean.orders = next;
	}
	buf_release(&n->clean.from);
}

bool node_clean_load(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);

	if (cursor_u8(&c) != CLEAN_VERSION)
		return false;
	for (int i = 0; i < CLEAN_SUBSYSTEMS; i++)
		n->clean.ever[i] = cursor_be64(&c);
	return cursor_done(&c);
}

static void store_counts(const struct node *n, struct step *s)
{
	struct buf value = BUF_EMPTY;

	buf_add_u8(&value, CLEAN_VERSION);
	for (int i = 0; i < CLEAN_SUBSYSTEMS; i++)
		buf_add_be64(&value, n->clean.ever[i]);
	effect_persist(s->out, RECORD_NODE, bytes_from_string(CLEAN_COUNTS_KEY), buf_view(&value));
	buf_release(&value);
}

/* --- a sweep --- */

/* Whose it is, and when it was over.  False: nobody's, because it is damaged. */
static bool judge(const struct fetched *f, struct arena *a, enum clean_subsystem *whose, uint64_t *over_s)
{
	struct history_entry e;
	bool good;

	switch (f->kind) {
	case RECORD_FORWARD:
		if (!history_decode(f->key, f->value, &e))
			return false;
		*whose = e.status == HISTORY_SETTLED ? CLEAN_SUCCEEDED_FORWARDS : CLEAN_FAILED_FORWARDS;
		*over_s = e.resolved_ms / 1000;
		return true;
	case RECORD_PAYMENT_PAST:
		*whose = send_past_state(f->key, f->value, a, over_s) == PAYMENT_COMPLETE ? CLEAN_SUCCEEDED_PAYS : CLEAN_FAILED_PAYS;
		return *over_s;
	default:
		good = receive_past_state(f->key, f->value, a, over_s) == INVOICE_PAID;
		*whose = good ? CLEAN_PAID_INVOICES : CLEAN_EXPIRED_INVOICES;
		return *over_s;
	}
}

static void delete_record(struct step *s, const struct fetched *f)
{
	struct history_entry e;

	if (f->kind == RECORD_PAYMENT_PAST)
		send_delete_past(s, f->key);
	else if (f->kind == RECORD_INVOICE_PAST)
		receive_delete_past(s, f->key, f->value);
	else if (history_decode(f->key, f->value, &e))
		history_remove(s, &e);
}

static void clean_one(struct node *n, struct step *s, const struct fetched *f)
{
	struct node_clean *c = &n->clean;
	enum clean_subsystem whose;
	uint64_t over_s = 0;

	if (!judge(f, &s->out->arena, &whose, &over_s) || !c->age_s[whose])
		return;
	if (s->now_ms / 1000 < c->age_s[whose] || over_s > s->now_ms / 1000 - c->age_s[whose]) {
		c->left[whose]++;
		return;
	}
	delete_record(s, f);
	if (whose == CLEAN_FAILED_FORWARDS)
		node_history_lost(n, s);
	c->cleaned[whose]++;
	c->ever[whose]++;
}

static void ask(struct node *n, struct step *s)
{
	const struct record_range range = { .kind = kinds[n->clean.kind], .from = buf_view(&n->clean.from), .limit = CLEAN_PAGE };

	effect_fetch_range(s->out, step_ask(s, OWNER_CLEAN, n->clean.sweep), &range);
}

static void finish(struct node *n, struct step *s);

/* The next kind that anything is wanted of. */
static void next_kind(struct node *n, struct step *s)
{
	struct node_clean *c = &n->clean;

	buf_clear(&c->from);
	while (c->kind < ARRAY_COUNT(kinds) && !wants_kind(c, kinds[c->kind]))
		c->kind++;
	if (c->kind < ARRAY_COUNT(kinds))
		ask(n, s);
	else
		finish(n, s);
}

static void begin(struct node *n, struct step *s, const uint64_t age_s[CLEAN_SUBSYSTEMS])
{
	struct node_clean *c = &n->clean;

	c->sweep++;
	c->sweeping = true;
	c->kind = 0;
	memcpy(c->age_s, age_s, sizeof(c->age_s));
	memset(c->cleaned, 0, sizeof(c->cleaned));
	memset(c->left, 0, sizeof(c->left));
	next_kind(n, s);
}

static void begin_order(struct node *n, struct step *s)
{
	const struct clean_order *o = n->clean.orders;
	uint64_t age_s[CLEAN_SUBSYSTEMS] = { 0 };

	n->clean.ordered = true;
	age_s[o->subsystem] = o->age_s;
	begin(n, s, age_s);
}

static void answer_order(struct node *n, struct step *s)
{
	struct clean_order *o = n->clean.orders;
	struct reply *r = node_reply(s, o->call, COMMAND_CLEAN);

	r->u.clean.subsystem = o->subsystem;
	r->u.clean.cleaned = n->clean.cleaned[o->subsystem];
	r->u.clean.left = n->clean.left[o->subsystem];
	n->clean.orders = o->next;
	mem_free(o);
}

static void finish(struct node *n, struct step *s)
{
	struct node_clean *c = &n->clean;

	c->sweeping = false;
	if (c->ordered)
		answer_order(n, s);
	else
		c->due_ms = s->now_ms + 1000ull * n->config->autoclean_cycle_s;
	c->ordered = false;
	if (c->orders)
		begin_order(n, s);
}

void node_clean_fetched(struct node *n, struct step *s, uint64_t sweep, const struct event *e)
{
	struct node_clean *c = &n->clean;
	const struct fetched *last = e->u.fetched.count ? &e->u.fetched.records[e->u.fetched.count - 1] : NULL;
	uint64_t before = 0, after = 0;

	ASSERT(c->sweeping && c->sweep == sweep);
	for (int i = 0; i < CLEAN_SUBSYSTEMS; i++)
		before += c->ever[i];
	for (uint32_t i = 0; i < e->u.fetched.count; i++)
		clean_one(n, s, &e->u.fetched.records[i]);
	for (int i = 0; i < CLEAN_SUBSYSTEMS; i++)
		after += c->ever[i];
	if (after != before)
		store_counts(n, s);
	if (e->u.fetched.truncated && last) {
		buf_clear(&c->from);
		buf_add_bytes(&c->from, last->key);
		buf_add_u8(&c->from, 0); /* the least key behind it */
		ask(n, s);
		return;
	}
	c->kind++;
	next_kind(n, s);
}

void node_clean_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct clean_order *o, **end = &n->clean.orders;
	uint32_t count = 0;

	for (; *end; end = &(*end)->next)
		count++;
	if (count >= CLEAN_ORDERS_MAX) {
		node_reply_error(s, call, COMMAND_CLEAN, REPLY_FAILED, "too many orders to clean up are waiting");
		return;
	}
	o = NEW(struct clean_order);
	o->call = call;
	o->subsystem = cmd->u.clean.subsystem;
	o->age_s = cmd->u.clean.age_s;
	*end = o;
	if (!n->clean.sweeping)
		begin_order(n, s);
}

void node_clean_tick(struct node *n, struct step *s)
{
	if (s->now_ms < n->clean.due_ms || n->clean.sweeping)
		return;
	n->clean.due_ms = UINT64_MAX;
	begin(n, s, n->config->autoclean_age_s);
}

uint64_t node_clean_deadline(const struct node *n)
{
	return n->clean.sweeping ? UINT64_MAX : n->clean.due_ms;
}

uint64_t node_view_cleaned(const struct node *n, enum clean_subsystem subsystem)
{
	return n->clean.ever[subsystem];
}
