/* Entries of the history of forwards by what users call them: incoming channel and HTLC (RECORD_FORWARD_INDEX).
 *
 * An entry and its place in the index are written in one batch, and go in one.  Entries of older versions have none: after a
 * start they get theirs, INDEX_PAGE in a batch.  One that is deleted between the reading of its page and that batch, once
 * in a database's life, leaves a place that names nothing. */
#include "node/state.h"

#include <string.h>

#define INDEX_PAGE 1000u
#define SEARCHES_MAX 16u
/* Entries of one HTLC: two if another channel was called so before. */
#define SEARCH_NUMBERS 8u

/* An entry that is to be deleted, and that is being looked for. */
struct history_search {
	struct history_search *next;
	uint64_t call;
	struct scid in_channel;
	uint64_t in_htlc_id;
	enum history_status status;
	bool indexed;              /* the index has answered */
	uint8_t numbers[SEARCH_NUMBERS][8];
	uint32_t count, at;
};

void node_history_free(struct node *n)
{
	struct history_search *h;

	while ((h = n->searches)) {
		n->searches = h->next;
		mem_free(h);
	}
}

/* --- entries of older versions --- */

static void ask_old(const struct node *n, struct step *s)
{
	uint8_t from[8];
	const struct record_range range = { .kind = RECORD_FORWARD, .from = BYTES_OF(from), .limit = INDEX_PAGE };

	store_be64(from, n->history_unindexed);
	effect_fetch_range(s->out, step_ask(s, OWNER_FORWARDS, 0), &range);
}

void node_history_start(struct node *n, struct step *s)
{
	if (n->history_unindexed < n->history_indexed)
		ask_old(n, s);
}

static void index_page(struct node *n, struct step *s, const struct event *e)
{
	uint64_t next = n->history_indexed;
	struct history_entry h;

	for (uint32_t i = 0; i < e->u.fetched.count; i++) {
		const struct fetched *f = &e->u.fetched.records[i];

		if (!history_decode(f->key, f->value, &h) || h.index >= n->history_indexed)
			continue;
		history_put_index(s, &h);
		if (e->u.fetched.count == INDEX_PAGE)
			next = h.index + 1;
	}
	n->history_unindexed = next;
	node_history_store_numbers(n, s);
	node_history_start(n, s);
}

/* --- delforward --- */

static void ask(struct step *s, const struct history_search *h, const struct record_range *range)
{
	effect_fetch_range(s->out, step_ask(s, OWNER_FORWARDS, h->call), range);
}

void node_del_forward(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	const struct history_entry named = { .in_channel = cmd->u.del_forward.in_channel, .in_htlc_id = cmd->u.del_forward.in_htlc_id };
	uint8_t key[HISTORY_INDEX_KEY];
	struct history_search *h;
	uint32_t count = 0;

	for (h = n->searches; h; h = h->next)
		count++;
	if (count >= SEARCHES_MAX) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED, "too many forwards are being looked for: try again");
		return;
	}
	h = NEW(struct history_search);
	h->call = call;
	h->in_channel = named.in_channel;
	h->in_htlc_id = named.in_htlc_id;
	h->status = (enum history_status)cmd->u.del_forward.status;
	h->next = n->searches;
	n->searches = h;
	history_index_key(key, &named);
	/* Without the number: those of that HTLC. */
	ask(s, h, &(struct record_range){ .kind = RECORD_FORWARD_INDEX, .prefix = BYTES(key, 16), .limit = SEARCH_NUMBERS });
}

static void search_end(struct node *n, struct history_search *h)
{
	struct history_search **at = &n->searches;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	mem_free(h);
}

static void take_index(struct history_search *h, const struct event *e)
{
	h->indexed = true;
	for (uint32_t i = 0; i < e->u.fetched.count && h->count < SEARCH_NUMBERS; i++)
		if (e->u.fetched.records[i].value.size == 8)
			memcpy(h->numbers[h->count++], e->u.fetched.records[i].value.data, 8);
}

/* Whether it was the one, and is deleted. */
MUST_USE static bool take_entry(struct node *n, struct step *s, const struct history_search *h, const struct fetched *record)
{
	struct history_entry e;

	if (!history_decode(record->key, record->value, &e) || e.in_channel.v != h->in_channel.v || e.in_htlc_id != h->in_htlc_id ||
	    e.status != h->status)
		return false;
	history_remove(s, &e);
	if (h->status != HISTORY_SETTLED)
		node_history_lost(n, s);
	return true;
}

void node_history_fetched(struct node *n, struct step *s, uint64_t call, const struct event *e)
{
	struct history_search *h = n->searches;

	/* No call has this number: it is a page of entries of older versions. */
	if (!call) {
		index_page(n, s, e);
		return;
	}
	while (h && h->call != call)
		h = h->next;
	if (!h)
		return;
	if (!h->indexed) {
		take_index(h, e);
	} else if (e->u.fetched.count && take_entry(n, s, h, e->u.fetched.records)) {
		node_reply(s, call, COMMAND_DEL_FORWARD);
		search_end(n, h);
		return;
	}
	if (h->at < h->count) {
		ask(s, h, &(struct record_range){ .kind = RECORD_FORWARD, .prefix = BYTES_OF(h->numbers[h->at]), .limit = 1 });
		h->at++;
		return;
	}
	if (n->history_unindexed < n->history_indexed)
		node_reply_error(s, call, COMMAND_DEL_FORWARD, REPLY_FAILED,
				 "it is not found, and entries of an older version are still being indexed: try again");
	else
		node_reply_error(s, call, COMMAND_DEL_FORWARD, REPLY_FORWARD_UNKNOWN, "no such forward: see listforwards");
	search_end(n, h);
}
