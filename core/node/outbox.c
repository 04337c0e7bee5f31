/* The outbox: transactions that must confirm (INV-N4).
 *
 * A transaction may name a parent: while that waits too, both are offered as one package, for one that pays too little
 * alone, and the child alone as well, where the parent is known already. */
#include "node/state.h"

#include <string.h>

#include "base/cursor.h"

/* A record of version 1 began with the height of a block: no chain has this many. */
#define NOT_VERSION_1 UINT32_MAX
#define OUTBOX_VERSION 2

static void outbox_persist(struct step *s, const struct outbox_entry *o)
{
	uint8_t key[8];
	struct buf b = BUF_EMPTY;

	store_be64(key, o->id);
	buf_add_be32(&b, NOT_VERSION_1);
	buf_add_u8(&b, OUTBOX_VERSION);
	buf_add_be32(&b, o->confirmed_height);
	buf_add_u8(&b, o->has_parent);
	if (o->has_parent)
		buf_add(&b, o->parent.v, sizeof(o->parent.v));
	buf_add_bytes(&b, o->tx);
	effect_persist(s->out, RECORD_OUTBOX, BYTES_OF(key), buf_view(&b));
	buf_release(&b);
}

static void outbox_free(struct outbox_entry *o)
{
	mem_free((void *)o->tx.data);
	mem_free(o->inputs);
	mem_free(o);
}

static struct outbox_entry *outbox_get(const struct node *n, const struct txid *txid)
{
	struct outbox_entry *o = n->outbox;

	while (o && !SAME(o->txid, *txid))
		o = o->next;
	return o;
}

/* B5.failing_a_channel.5 */
static void offer(const struct node *n, struct step *s, const struct outbox_entry *o, uint64_t call)
{
	const struct outbox_entry *parent = o->has_parent ? outbox_get(n, &o->parent) : NULL;
	struct bytes both[2];

	if (!parent || parent->confirmed_height) {
		effect_broadcast(s->out, step_ask(s, OWNER_CALL, call), &o->tx, 1);
		return;
	}
	both[0] = parent->tx;
	both[1] = o->tx;
	effect_broadcast(s->out, step_ask(s, OWNER_CALL, call), both, 2);
}

/* The spend of an input is how we see it confirmed, or replaced. */
static void watch(struct step *s, const struct outbox_entry *o)
{
	for (uint32_t i = 0; i < o->input_count; i++)
		effect_watch_outpoint(s->out, &o->inputs[i]);
}

static void outbox_remove(struct step *s, struct outbox_entry **at)
{
	struct outbox_entry *o = *at;
	uint8_t key[8];

	store_be64(key, o->id);
	effect_remove(s->out, RECORD_OUTBOX, BYTES_OF(key));
	for (uint32_t i = 0; i < o->input_count; i++)
		effect_unwatch_outpoint(s->out, &o->inputs[i]);
	*at = o->next;
	outbox_free(o);
}

/* NULL: it is no transaction that could confirm. */
static struct outbox_entry *outbox_insert(struct node *n, uint64_t id, struct bytes tx)
{
	struct outbox_entry *o, **end = &n->outbox;
	struct arena a;
	struct tx *t;

	arena_init(&a);
	t = tx_parse(&a, tx);
	if (!t || !t->input_count) {
		arena_release(&a);
		return NULL;
	}
	o = NEW(struct outbox_entry);
	o->id = id;
	o->txid = tx_id(t);
	o->input_count = t->input_count;
	o->inputs = NEW_ARRAY(struct outpoint, t->input_count);
	for (uint32_t i = 0; i < t->input_count; i++)
		o->inputs[i] = t->inputs[i].prev;
	arena_release(&a);
	o->tx = BYTES(memcpy(mem_alloc(tx.size), tx.data, tx.size), tx.size);
	while (*end)
		end = &(*end)->next;
	*end = o;
	return o;
}

static void add(struct node *n, struct step *s, const struct txid *txid, struct bytes tx, const struct txid *parent, uint64_t call)
{
	struct outbox_entry *o = outbox_get(n, txid);

	if (!o) {
		o = outbox_insert(n, ++n->next_outbox, tx);
		ASSERT(o && SAME(o->txid, *txid));
		n->counters_changed = true;
		o->has_parent = parent != NULL;
		if (parent)
			o->parent = *parent;
		outbox_persist(s, o);
		watch(s, o);
	}
	offer(n, s, o, call);
}

void node_outbox_add(struct node *n, struct step *s, const struct txid *txid, struct bytes tx, uint64_t call)
{
	add(n, s, txid, tx, NULL, call);
}

void node_outbox_add_child(struct node *n, struct step *s, const struct txid *txid, struct bytes tx, const struct txid *parent)
{
	add(n, s, txid, tx, parent, 0);
}

void node_outbox_withdraw(struct node *n, struct step *s, const struct txid *txid)
{
	for (struct outbox_entry **at = &n->outbox; *at; at = &(*at)->next) {
		if (!SAME((*at)->txid, *txid))
			continue;
		outbox_remove(s, at);
		return;
	}
}

/* --- loading --- */

struct stored {
	uint32_t confirmed_height;
	bool has_parent;
	struct txid parent;
	struct bytes tx;
};

static bool read_stored(struct stored *out, struct bytes value)
{
	struct cursor c = cursor_of(value);

	memset(out, 0, sizeof(*out));
	out->confirmed_height = cursor_be32(&c);
	if (out->confirmed_height == NOT_VERSION_1) {
		uint8_t version = cursor_u8(&c), has_parent;

		out->confirmed_height = cursor_be32(&c);
		has_parent = cursor_u8(&c);
		out->has_parent = has_parent;
		if (version != OUTBOX_VERSION || has_parent > 1)
			return false;
		if (has_parent)
			cursor_copy(&c, out->parent.v, sizeof(out->parent.v));
	}
	out->tx = cursor_rest(&c);
	return cursor_ok(&c);
}

bool node_outbox_load(struct node *n, struct bytes key, struct bytes value)
{
	struct outbox_entry *o;
	struct stored stored;

	if (key.size != 8 || !read_stored(&stored, value))
		return false;
	o = outbox_insert(n, load_be64(key.data), stored.tx);
	if (!o)
		return false;
	o->confirmed_height = stored.confirmed_height;
	o->has_parent = stored.has_parent;
	o->parent = stored.parent;
	if (o->id > n->next_outbox)
		n->next_outbox = o->id;
	return true;
}

void node_outbox_start(struct node *n, struct step *s)
{
	for (const struct outbox_entry *o = n->outbox; o; o = o->next)
		watch(s, o);
	node_outbox_offer(n, s);
}

void node_outbox_release(struct node *n)
{
	while (n->outbox) {
		struct outbox_entry *next = n->outbox->next;

		outbox_free(n->outbox);
		n->outbox = next;
	}
}

/* --- offering --- */

void node_outbox_offer(struct node *n, struct step *s)
{
	for (const struct outbox_entry *o = n->outbox; o; o = o->next)
		if (!o->confirmed_height)
			offer(n, s, o, 0);
}

void node_on_broadcast(struct node *n, struct step *s, const struct event *e)
{
	enum owner_kind kind;
	uint64_t call;

	if (!step_take(s, e->u.broadcast.id, &kind, &call) || kind != OWNER_CALL)
		return;
	if (!e->u.broadcast.accepted)
		log_write(s->log, LOG_INFO, "chain", "a transaction was not accepted (it is offered again at each block): %s",
			  e->u.broadcast.reason);
	if (call)
		node_call_broadcast(n, s, call, e->u.broadcast.accepted, e->u.broadcast.reason);
}

/* --- blocks --- */

/* Does t spend anything that o spends?  Then o cannot confirm any more, unless t is o. */
static bool conflicts(const struct outbox_entry *o, const struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++)
		for (uint32_t j = 0; j < o->input_count; j++)
			if (outpoint_equal(&t->inputs[i].prev, &o->inputs[j]))
				return true;
	return false;
}

void node_outbox_tx(struct node *n, struct step *s, const struct tx *t, const struct txid *id, uint32_t height)
{
	for (struct outbox_entry *o = n->outbox; o; o = o->next) {
		if (o->confirmed_height || !(SAME(o->txid, *id) || conflicts(o, t)))
			continue;
		/* Replaced or confirmed: either way it need not be offered unless this block goes. */
		o->confirmed_height = height;
		outbox_persist(s, o);
	}
}

void node_outbox_block(struct node *n, struct step *s, uint32_t height)
{
	struct outbox_entry **at = &n->outbox, *o;

	if (n->synced) /* INV-N4 */
		node_outbox_offer(n, s);
	while ((o = *at)) {
		if (o->confirmed_height && height >= o->confirmed_height + OUTBOX_DEPTH_BLOCKS)
			outbox_remove(s, at);
		else
			at = &o->next;
	}
}

void node_outbox_undone(struct node *n, struct step *s, uint32_t height)
{
	for (struct outbox_entry *o = n->outbox; o; o = o->next) {
		if (o->confirmed_height != height)
			continue;
		o->confirmed_height = 0;
		outbox_persist(s, o);
		offer(n, s, o, 0);
	}
}
