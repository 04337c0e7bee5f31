#include "chain/match.h"

#include <string.h>

#include "bitcoin/block.h"

#define OUTPOINT_SIZE 36u

struct watched {
	uint32_t count;
	size_t key_size;
	uint8_t key[]; /* 's' and a script, or 'o' and an outpoint */
};

static struct bytes watched_key(const void *p)
{
	const struct watched *x = p;

	return BYTES(x->key, x->key_size);
}

static void outpoint_key(uint8_t out[1 + OUTPOINT_SIZE], const struct outpoint *o)
{
	out[0] = 'o';
	memcpy(out + 1, o->txid.v, 32);
	store_le32(out + 33, o->index);
}

void watches_init(struct watches *w, const uint8_t seed16[16])
{
	table_init(&w->things, watched_key, seed16);
}

void watches_release(struct watches *w)
{
	struct watched *x;
	uint32_t at = 0;

	while ((x = table_next(&w->things, &at)))
		mem_free(x);
	table_release(&w->things);
}

static void watch_key(struct watches *w, struct bytes key, bool remove)
{
	struct watched *x = table_get(&w->things, key);

	if (remove) {
		if (!x || --x->count)
			return;
		ASSERT(table_remove(&w->things, key) == x);
		mem_free(x);
		return;
	}
	if (!x) {
		x = mem_alloc(sizeof(*x) + key.size);
		x->key_size = key.size;
		memcpy(x->key, key.data, key.size);
		table_add(&w->things, x);
	}
	x->count++;
}

void watches_apply(struct watches *w, const struct watch *watch)
{
	uint8_t outpoint[1 + OUTPOINT_SIZE];
	struct buf script = BUF_EMPTY;

	if (watch->is_outpoint) {
		outpoint_key(outpoint, &watch->outpoint);
		watch_key(w, BYTES_OF(outpoint), watch->remove);
		return;
	}
	buf_add_u8(&script, 's');
	buf_add_bytes(&script, watch->script);
	watch_key(w, buf_view(&script), watch->remove);
	buf_release(&script);
}

/* ---- Matching ---- */

struct matching {
	const struct watches *watches;
	struct arena *arena;    /* of the event */
	struct arena scratch;   /* of one transaction */
	struct buf key;
	struct watches created; /* outputs of this block whose spend in it matters too */
	struct block_tx *found;
	uint32_t count, capacity;
	struct outpoint *spent; /* by anybody */
	uint32_t spent_count, spent_capacity;
};

static void follow_output(struct matching *m, const struct txid *id, uint32_t index)
{
	struct watch output = { .is_outpoint = true, .outpoint = { *id, index } };

	watches_apply(&m->created, &output);
}

static bool creates(struct matching *m, const struct tx *t, const struct txid *id)
{
	bool any = false;

	for (uint32_t i = 0; i < t->output_count; i++) {
		buf_clear(&m->key);
		buf_add_u8(&m->key, 's');
		buf_add_bytes(&m->key, t->outputs[i].script);
		if (!table_get(&m->watches->things, buf_view(&m->key)))
			continue;
		any = true;
		follow_output(m, id, i);
	}
	return any;
}

static bool spends_any(const struct watches *w, const struct tx *t)
{
	uint8_t key[1 + OUTPOINT_SIZE];

	for (uint32_t i = 0; i < t->input_count; i++) {
		outpoint_key(key, &t->inputs[i].prev);
		if (table_get(&w->things, BYTES_OF(key)))
			return true;
	}
	return false;
}

/* What a spend of something watched creates would be watched from the next block on: a commitment's HTLC can be
 * claimed in the very block of the commitment, and the preimage stands there only once. */
static bool spends(struct matching *m, const struct tx *t, const struct txid *id)
{
	if (!spends_any(m->watches, t))
		return spends_any(&m->created, t);
	for (uint32_t i = 0; i < t->output_count; i++)
		follow_output(m, id, i);
	return true;
}

static void add(struct matching *m, struct bytes raw, uint32_t index)
{
	if (m->count == m->capacity) {
		struct block_tx *more;

		m->capacity = m->capacity ? 2 * m->capacity : 8;
		more = ARENA_ARRAY(m->arena, struct block_tx, m->capacity);
		if (m->count)
			memcpy(more, m->found, m->count * sizeof(*more));
		m->found = more;
	}
	m->found[m->count].raw = raw;
	m->found[m->count].index = index;
	m->count++;
}

static void note_spent(struct matching *m, const struct tx *t)
{
	for (uint32_t i = 0; i < t->input_count; i++) {
		if (m->spent_count == m->spent_capacity) {
			m->spent_capacity = m->spent_capacity ? 2 * m->spent_capacity : 64;
			m->spent = mem_realloc(m->spent, m->spent_capacity, sizeof(*m->spent));
		}
		m->spent[m->spent_count++] = t->inputs[i].prev;
	}
}

static bool match_all(struct matching *m, struct block_reader *r)
{
	const uint8_t *start = r->rest.data;
	struct txid id;
	struct tx *t;

	while ((t = block_next(r, &m->scratch, &id))) {
		bool is_creator = creates(m, t, &id), is_spender = spends(m, t, &id);

		if (is_creator || is_spender)
			add(m, BYTES(start, (size_t)(r->rest.data - start)), r->tx_index - 1);
		if (r->tx_index > 1) /* the coinbase spends nothing */
			note_spent(m, t);
		start = r->rest.data;
		arena_reset(&m->scratch);
	}
	return block_complete(r);
}

bool match_block(struct event *event, struct arena *a, const struct watches *w, struct bytes raw,
		 const struct block_hash *hash)
{
	struct matching m = { .watches = w, .arena = a };
	struct block_reader r;
	bool ok;

	if (!block_open(&r, raw) || !SAME(r.hash, *hash))
		return false;
	arena_init(&m.scratch);
	watches_init(&m.created, w->things.seed);
	ok = match_all(&m, &r);
	event->kind = EVENT_BLOCK;
	event->u.block.time = r.header.time;
	event->u.block.hash = r.hash;
	event->u.block.previous = r.header.prev;
	event->u.block.txs = m.found;
	event->u.block.tx_count = m.count;
	event->u.block.spent = arena_copy(a, m.spent, m.spent_count * sizeof(*m.spent));
	event->u.block.spent_count = m.spent_count;
	mem_free(m.spent);
	watches_release(&m.created);
	arena_release(&m.scratch);
	buf_release(&m.key);
	return ok;
}
