/* The history of forwards: an entry is written where a forward ends, and read by whoever lists it (api/). */
#include "node/state.h"

#include <string.h>

#include "base/cursor.h"
#include "node/view.h"

/* Before version 2 the failed ones were not counted, before version 3 entries had no index. */
#define HISTORY_VERSION 3
/* Entries that one look for the oldest that failed reads. */
#define TRIM_PAGE 1000u

static bool has_failed(enum history_status status)
{
	return status != HISTORY_SETTLED;
}

/* How many there were, and are, is known without looking: once a batch, as writes of one record are. */
void node_history_store_numbers(const struct node *n, struct step *s)
{
	struct buf b = BUF_EMPTY;

	buf_add_u8(&b, HISTORY_VERSION);
	buf_add_be64(&b, n->history_last);
	buf_add_be64(&b, n->history_failed);
	buf_add_be64(&b, n->history_from);
	buf_add_be64(&b, n->history_unindexed);
	buf_add_be64(&b, n->history_indexed);
	effect_persist(s->out, RECORD_NODE, bytes_from_string("forwards"), buf_view(&b));
	buf_release(&b);
}

/* --- what is too much --- */

/* A forward that fails costs its sender nothing, so of their entries the oldest make room.  What was earned stays. */
static void ask_oldest(struct node *n, struct step *s)
{
	uint8_t from[8];
	const struct record_range range = { .kind = RECORD_FORWARD, .from = BYTES_OF(from), .limit = TRIM_PAGE };

	store_be64(from, n->history_from);
	n->history_trimming = true;
	effect_fetch_range(s->out, step_ask(s, OWNER_HISTORY, 0), &range);
}

void node_history_trim(struct node *n, struct step *s, const struct event *e)
{
	const uint64_t most = n->config->forwards_failed_max;
	struct history_entry h;

	n->history_trimming = false;
	for (uint32_t i = 0; i < e->u.fetched.count && n->history_failed > most; i++) {
		const struct fetched *f = &e->u.fetched.records[i];

		n->history_from = f->key.size == 8 ? load_be64(f->key.data) + 1 : n->history_from;
		if (!history_decode(f->key, f->value, &h) || !has_failed(h.status))
			continue;
		history_remove(s, &h);
		n->history_failed--;
	}
	/* There are none left: they went otherwise. */
	if (!e->u.fetched.count)
		n->history_failed = 0;
	node_history_store_numbers(n, s);
	if (n->history_failed > most)
		ask_oldest(n, s);
}

void node_history_lost(struct node *n, struct step *s)
{
	n->history_failed -= n->history_failed > 0;
	node_history_store_numbers(n, s);
}

/* Stores it, with the number that it takes and the time. */
static void add(struct node *n, struct step *s, struct history_entry *e)
{
	const uint64_t most = n->config->forwards_failed_max;

	e->resolved_ms = s->now_ms;
	e->index = ++n->history_last;
	history_put(s, e);
	n->history_failed += has_failed(e->status);
	node_history_store_numbers(n, s);
	/* Some at a time. */
	if (n->history_failed > most + most / 100 && !n->history_trimming)
		ask_oldest(n, s);
}

bool node_history_load(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint8_t version = cursor_u8(&c);

	if (version < 1 || version > HISTORY_VERSION)
		return false;
	n->history_last = cursor_be64(&c);
	if (version >= 2) {
		n->history_failed = cursor_be64(&c);
		n->history_from = cursor_be64(&c);
	}
	n->history_unindexed = version >= 3 ? cursor_be64(&c) : 1;
	n->history_indexed = version >= 3 ? cursor_be64(&c) : n->history_last + 1;
	return cursor_done(&c);
}

static struct history_entry entry_of(const struct forward *w)
{
	return (struct history_entry){
		.in_channel = w->in_scid,
		.in_htlc_id = w->in.id,
		.in_amount = w->in.amount,
		.out_channel = w->out_scid,
		.has_out_htlc = true,
		.out_htlc_id = w->out.id,
		.out_amount = w->out.amount,
		.received_ms = w->received_ms,
	};
}

void node_history_end(struct node *n, struct step *s, const struct forward *w, enum history_status status, uint16_t code)
{
	struct history_entry e = entry_of(w);
	const uint64_t held = w->received_ms && s->now_ms > w->received_ms ? s->now_ms - w->received_ms : 0;

	if (slots_learn(&n->forwards.slots, &w->from, msat_sub_or_zero(w->in.amount, w->out.amount), status == HISTORY_SETTLED, held,
			s->now_ms))
		slots_store(&n->forwards.slots, s, &w->from);
	e.status = status;
	e.fail_code = code;
	add(n, s, &e);
}

void node_history_without(struct node *n, struct step *s, const struct node_onion *o, enum history_status status, uint16_t code)
{
	struct history_entry e = {
		.status = status,
		.in_channel = node_channel_scid(node_channel_by_key(n, o->channel_key)),
		.in_htlc_id = o->htlc_id,
		.in_amount = o->amount,
		.out_channel = o->opening.payload.scid,
		.out_amount = o->opening.payload.amount,
		.fail_code = code,
		.received_ms = o->received_ms,
	};

	add(n, s, &e);
}

/* --- for views --- */

bool node_view_forward(const struct node *n, uint32_t *at, struct history_entry *out)
{
	const struct forward *w;

	while ((w = forward_next(&n->forwards, at)))
		if (w->state == FORWARD_OUT) {
			*out = entry_of(w);
			return true;
		}
	return false;
}

uint64_t node_view_history_last(const struct node *n)
{
	return n->history_last;
}
