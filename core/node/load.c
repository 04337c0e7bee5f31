/* What a run begins with: the stored records, each to the machine that wrote it, and then the start of all of them in the
 * order in which they need one another. */
#include <string.h>

#include "base/cursor.h"
#include "node/state.h"

#define COUNTERS_VERSION 1

struct load_part {
	struct load_part *next;
	enum record_kind kind;
	struct bytes key, value;
};

/* INV-N5 */
void node_counters_flush(struct node *n, struct step *s)
{
	struct buf b = BUF_EMPTY;

	if (!n->counters_changed && n->next_reservation == n->reservations_stored)
		return;
	buf_add_u8(&b, COUNTERS_VERSION);
	buf_add_be64(&b, n->next_channel_key);
	buf_add_be64(&b, n->next_reservation);
	buf_add_be64(&b, n->next_outbox);
	effect_persist(s->out, RECORD_NODE, bytes_from_string("counters"), buf_view(&b));
	buf_release(&b);
	n->counters_changed = false;
}

static bool counters_load(struct node *n, struct bytes key, struct bytes value)
{
	struct cursor c = cursor_of(value);

	if (bytes_equal(key, bytes_from_string("forwards")))
		return node_history_load(n, value);
	if (bytes_equal(key, bytes_from_string(RECEIVE_NUMBERS_KEY)))
		return receive_load_numbers(n->receive, value);
	if (bytes_equal(key, bytes_from_string(CLOSED_COUNT_KEY)))
		return node_closed_load_count(n, value);
	if (bytes_equal(key, bytes_from_string(CLEAN_COUNTS_KEY)))
		return node_clean_load(n, value);
	if (bytes_equal(key, bytes_from_string(SEND_NUMBERS_KEY)))
		return send_load_numbers(n->send, value);
	if (!bytes_equal(key, bytes_from_string("counters")) || cursor_u8(&c) != COUNTERS_VERSION)
		return false;
	n->next_channel_key = cursor_be64(&c);
	n->next_reservation = cursor_be64(&c);
	n->next_outbox = cursor_be64(&c);
	return cursor_done(&c);
}

static bool peer_load(struct node *n, struct bytes key, struct bytes value)
{
	struct peer *loaded = peer_decode(key, value);
	struct node_peer *p;

	if (!loaded)
		return false;
	p = node_peer_make(n, &loaded->id);
	peer_free(p->peer);
	p->peer = loaded;
	return true;
}

static bool channel_load_record(struct node *n, struct bytes value)
{
	struct channel *ch = channel_load(&n->channel_policy, value);

	if (!ch)
		return false;
	node_channel_adopt(n, node_peer_make(n, channel_peer(ch)), ch);
	return true;
}

/* Belongs to a channel that may not be loaded yet. */
static void keep_part(struct node *n, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct load_part *p = ARENA_NEW(&n->load_memory, struct load_part);

	p->kind = kind;
	p->key = arena_bytes(&n->load_memory, key);
	p->value = arena_bytes(&n->load_memory, value);
	p->next = n->load_parts;
	n->load_parts = p;
}

bool node_load_record(struct node *n, enum record_kind kind, struct bytes key, struct bytes value)
{
	switch (kind) {
	case RECORD_NODE:
		return counters_load(n, key, value);
	case RECORD_CHANNEL:
		return channel_load_record(n, value);
	case RECORD_HTLC:
	case RECORD_HTLC_ONION:
	case RECORD_COMMIT_SIGS:
	case RECORD_SHACHAIN:
	case RECORD_ONCHAIN:
	case RECORD_ANCHOR:
	case RECORD_POLICY:
		if (key.size < 8)
			return false;
		keep_part(n, kind, key, value);
		return true;
	case RECORD_FORWARD: /* read by who lists them */
	case RECORD_FORWARD_INDEX:
	case RECORD_HTLC_PAST: /* fetched when they are asked for (record_is_past) */
	case RECORD_INVOICE_PAST:
	case RECORD_INVOICE_INDEX:
	case RECORD_PAYMENT_PAST:
	case RECORD_PAYMENT_INDEX:
	case RECORD_CLOSED_PAST:
	case RECORD_CLOSED_INDEX:
		return true;
	case RECORD_PEER:
		return peer_load(n, key, value);
	case RECORD_INVOICE:
		return receive_load(n->receive, key, value);
	case RECORD_PAYMENT:
	case RECORD_PART:
		return send_load(n->send, kind, key, value);
	case RECORD_CHAIN:
		return node_tip_load(n, key, value);
	case RECORD_WALLET: /* the wallet's own */
		return true;
	case RECORD_LIQUIDITY:
		return node_ways_load(n, key, value);
	case RECORD_EARNED:
		return slots_load(&n->forwards.slots, key, value);
	case RECORD_LAYER:
		return node_layers_load(n, key, value);
	case RECORD_OUTBOX:
		return node_outbox_load(n, key, value);
	case RECORD_CLOSED:
		return node_closed_load_old(n, key, value);
	case RECORD_BACKUP:
		return node_backup_load(n, key, value);
	case RECORD_STORAGE:
		return node_storage_load(n, key, value);
	case RECORD_SPENT:
		return node_load_spent(n, key, value);
	case RECORD_KINDS:
		return false;
	}
	return false;
}

static bool load_parts(struct node *n)
{
	for (const struct load_part *p = n->load_parts; p; p = p->next) {
		struct node_channel *c = node_channel_by_key(n, load_be64(p->key.data));

		if (!c)
			return false;
		if (p->kind == RECORD_ONCHAIN) {
			c->onchain = onchain_load(channel_record_of(c->channel), p->value);
			if (!c->onchain)
				return false;
		} else if (p->kind == RECORD_ANCHOR) {
			c->anchor = anchor_load(channel_record_of(c->channel), p->value);
			if (!c->anchor)
				return false;
		} else if (p->kind == RECORD_POLICY) {
			if (!node_terms_load(c, p->value))
				return false;
		} else if (!channel_load_part(c->channel, p->kind, p->key, p->value)) {
			return false;
		}
	}
	n->load_parts = NULL;
	arena_release(&n->load_memory);
	return true;
}

/* What the channels say when they start is routed once the payments know which of their HTLCs exist. */
static bool start_channels(struct node *n, struct step *s, struct channel_notes *notes)
{
	uint32_t at = 0, i = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		channel_notes_init(&notes[i]);
		if (!channel_start(c->channel, s, &notes[i++])) {
			log_write(n->log, LOG_ERROR, "node", "a stored channel is damaged");
			return false;
		}
		node_touch(n, c);
	}
	return true;
}

static void start_claims(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		struct onchain_notes claims;

		if (!c->onchain || c->dead)
			continue;
		onchain_notes_init(&claims);
		onchain_start(c->onchain, s, &claims);
		node_onchain_destination(s, c);
		node_route_onchain(n, s, c, &claims);
	}
}

static bool has_htlc(const void *context, uint64_t channel_key, uint64_t htlc_id)
{
	const struct node_channel *c = node_channel_by_key(context, channel_key);

	return c && channel_htlc_get(c->channel, SIDE_LOCAL, htlc_id);
}

/* Funding transactions that a crash kept from being signed or sent: the wallet still has them. */
static void resume_fundings(struct node *n, struct step *s)
{
	uint32_t at = 0, count = 0;
	struct node_channel *c;
	struct funds_request *r = step_funds_request(s, FUNDS_RETAIN);
	uint64_t *kept = ARENA_ARRAY(&s->out->arena, uint64_t, table_count(&n->channels) + 1);

	while ((c = table_next(&n->channels, &at))) {
		const struct channel_record *k = channel_record_of(c->channel);

		if (k->opener != SIDE_LOCAL || k->state != CHANNELD_AWAITING_LOCKIN || k->funding_height)
			continue;
		c->reservation = k->key;
		kept[count++] = k->key;
	}
	r->retain = kept;
	r->retain_count = count;
	effect_funds(s->out, 0, r);
	for (at = 0; (c = table_next(&n->channels, &at));)
		if (c->reservation)
			node_ask_funding_signature(s, c);
}

bool node_start(struct node *n, uint64_t now_ms, struct effects *out)
{
	struct step s = node_begin(n, now_ms, out);
	uint32_t at = 0, count = table_count(&n->channels);
	struct channel_notes *notes = ARENA_ARRAY(&out->arena, struct channel_notes, count);
	struct node_peer *p;

	if (!load_parts(n)) {
		log_write(n->log, LOG_ERROR, "node", "the stored channels contradict one another");
		return false;
	}
	if (!start_channels(n, &s, notes))
		return false;
	if (!node_forwards_rebuild(n)) {
		log_write(n->log, LOG_ERROR, "node", "the stored HTLCs that were forwarded contradict one another");
		return false;
	}
	if (!send_resume(n->send, &s, has_htlc, n)) {
		log_write(n->log, LOG_ERROR, "node", "the stored payments contradict one another");
		return false;
	}
	node_pay_resume(n, &s);
	for (uint32_t i = 0; i < count; i++)
		node_route(n, &s, &notes[i]);
	/* First the wallet forgets what nobody wants any more: claims ask it for coins. */
	resume_fundings(n, &s);
	start_claims(n, &s);
	node_outbox_start(n, &s);
	node_backup_start(n, &s);
	node_clean_start(n, &s);
	node_closed_start(n, &s);
	node_history_start(n, &s);
	node_gossip_start(n, &s);
	node_ways_start(n, &s);
	node_policies_start(n, &s);
	for (at = 0; (p = table_next(&n->peers, &at));)
		p->peer->keep |= p->channels != NULL;
	node_counters_flush(n, &s);
	node_bury(n, &s);
	n->started = true;
	return true;
}
