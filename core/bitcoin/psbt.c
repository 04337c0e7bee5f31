#include "bitcoin/psbt.h"

#include <stdlib.h>

#include "bitcoin/base64.h"
#include "bitcoin/psbt_fields.h"

static const uint8_t magic[5] = { 'p', 's', 'b', 't', 0xff };

static void map_reserve(struct arena *a, struct psbt_map *m)
{
	struct psbt_pair *wider;

	if (m->count < m->capacity)
		return;
	m->capacity = m->capacity ? 2 * m->capacity : 4;
	wider = ARENA_ARRAY(a, struct psbt_pair, m->capacity);
	if (m->count)
		memcpy(wider, m->pairs, m->count * sizeof(*wider));
	m->pairs = wider;
}

static struct bytes read_sized(struct cursor *c, uint64_t size)
{
	if (size > c->left) {
		cursor_fail(c);
		return BYTES_NONE;
	}
	return cursor_bytes(c, (size_t)size);
}

/* Splits the key; false where its type is not minimally encoded or not there. */
static bool split_key(struct psbt_pair *pair)
{
	struct cursor c = cursor_of(pair->key);

	pair->type = cursor_varint(&c);
	pair->data = cursor_rest(&c);
	return cursor_ok(&c);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct psbt_pair *x = a, *y = b;

	return bytes_compare(x->key, y->key);
}

/* Pairs up to the separator. */
static bool read_map(struct arena *a, struct cursor *c, struct psbt_map *m)
{
	uint64_t size;

	while ((size = cursor_varint(c)) != 0 && cursor_ok(c)) {
		struct psbt_pair *pair;

		map_reserve(a, m);
		pair = &m->pairs[m->count++];
		pair->key = read_sized(c, size);
		pair->value = read_sized(c, cursor_varint(c));
		if (!cursor_ok(c) || !split_key(pair))
			return false;
	}
	if (!cursor_ok(c))
		return false;
	if (m->count > 1)
		qsort(m->pairs, m->count, sizeof(*m->pairs), compare_pairs);
	for (uint32_t i = 1; i < m->count; i++)
		if (compare_pairs(&m->pairs[i - 1], &m->pairs[i]) == 0)
			return false;
	return true;
}

/* Version 2's counts; false where there is none, or more than the bytes that are left can hold. */
static bool read_count(const struct psbt_map *m, uint64_t type, size_t left, uint32_t *count)
{
	struct bytes value;
	struct cursor c;
	uint64_t v;

	if (!psbt_get(m, type, BYTES_NONE, &value))
		return false;
	c = cursor_of(value);
	v = cursor_varint(&c);
	*count = (uint32_t)v;
	return cursor_done(&c) && v <= left && v <= UINT32_MAX;
}

static bool read_counts(struct psbt *p, size_t left, struct arena *scratch)
{
	struct bytes value;
	struct cursor c;
	struct tx *t;

	if (p->version == 2)
		return read_count(&p->global, PSBT_GLOBAL_INPUT_COUNT, left, &p->input_count) &&
		       read_count(&p->global, PSBT_GLOBAL_OUTPUT_COUNT, left, &p->output_count);
	if (!psbt_get(&p->global, PSBT_GLOBAL_UNSIGNED_TX, BYTES_NONE, &value))
		return false;
	c = cursor_of(value);
	t = tx_decode_stripped(scratch, &c);
	if (!t)
		return false;
	p->input_count = t->input_count;
	p->output_count = t->output_count;
	return p->input_count <= left && p->output_count <= left;
}

static bool read_maps(struct psbt *p, struct cursor *c, struct psbt_map *maps, uint32_t count, enum psbt_scope scope,
		      struct arena *scratch)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!read_map(p->arena, c, &maps[i]) || !psbt_fields_good(&maps[i], scope, p->version, scratch))
			return false;
		arena_reset(scratch);
	}
	return true;
}

static bool read_all(struct psbt *p, struct cursor *c, struct arena *scratch)
{
	uint8_t head[sizeof(magic)];
	struct bytes value;

	cursor_copy(c, head, sizeof(head));
	if (memcmp(head, magic, sizeof(magic)) != 0 || !read_map(p->arena, c, &p->global))
		return false;
	if (psbt_get(&p->global, PSBT_GLOBAL_VERSION, BYTES_NONE, &value)) {
		if (value.size != 4)
			return false;
		p->version = load_le32(value.data);
	}
	/* BIP 370: there is no version 1. */
	if ((p->version != 0 && p->version != 2) || !psbt_fields_good(&p->global, PSBT_SCOPE_GLOBAL, p->version, scratch) ||
	    !read_counts(p, c->left, scratch))
		return false;
	p->inputs = ARENA_ARRAY(p->arena, struct psbt_map, p->input_count);
	p->outputs = ARENA_ARRAY(p->arena, struct psbt_map, p->output_count);
	return read_maps(p, c, p->inputs, p->input_count, PSBT_SCOPE_INPUT, scratch) &&
	       read_maps(p, c, p->outputs, p->output_count, PSBT_SCOPE_OUTPUT, scratch) && cursor_done(c);
}

struct psbt *psbt_decode(struct arena *a, struct bytes raw)
{
	struct psbt *p = ARENA_NEW(a, struct psbt);
	struct cursor c = cursor_of(raw);
	struct arena scratch;
	bool good;

	p->arena = a;
	arena_init(&scratch);
	good = read_all(p, &c, &scratch);
	arena_release(&scratch);
	return good ? p : NULL;
}

struct psbt *psbt_decode_base64(struct arena *a, struct bytes text)
{
	struct buf raw = BUF_EMPTY;
	struct psbt *p = NULL;

	if (base64_decode(&raw, text))
		p = psbt_decode(a, arena_bytes(a, buf_view(&raw)));
	buf_release(&raw);
	return p;
}

static void write_map(struct buf *out, const struct psbt_map *m)
{
	for (uint32_t i = 0; i < m->count; i++) {
		buf_add_varint(out, m->pairs[i].key.size);
		buf_add_bytes(out, m->pairs[i].key);
		buf_add_varint(out, m->pairs[i].value.size);
		buf_add_bytes(out, m->pairs[i].value);
	}
	buf_add_u8(out, 0);
}

void psbt_encode(const struct psbt *p, struct buf *out)
{
	buf_add(out, magic, sizeof(magic));
	write_map(out, &p->global);
	for (uint32_t i = 0; i < p->input_count; i++)
		write_map(out, &p->inputs[i]);
	for (uint32_t i = 0; i < p->output_count; i++)
		write_map(out, &p->outputs[i]);
}

void psbt_encode_base64(const struct psbt *p, struct buf *out)
{
	struct buf raw = BUF_EMPTY;

	psbt_encode(p, &raw);
	base64_encode(out, buf_view(&raw));
	buf_release(&raw);
}

bool psbt_get(const struct psbt_map *m, uint64_t type, struct bytes data, struct bytes *value)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->pairs[i].type == type && bytes_equal(m->pairs[i].data, data)) {
			*value = m->pairs[i].value;
			return true;
		}
	return false;
}

const struct psbt_pair *psbt_next(const struct psbt_map *m, uint64_t type, uint32_t *at)
{
	while (*at < m->count) {
		const struct psbt_pair *pair = &m->pairs[(*at)++];

		if (pair->type == type)
			return pair;
	}
	return NULL;
}

/* Where a key is or belongs. */
static uint32_t place_of(const struct psbt_map *m, struct bytes key, bool *there)
{
	uint32_t from = 0, to = m->count;

	*there = false;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		int order = bytes_compare(m->pairs[middle].key, key);

		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

void psbt_set(struct psbt *p, struct psbt_map *m, uint64_t type, struct bytes data, struct bytes value)
{
	struct psbt_pair pair = { .value = arena_bytes(p->arena, value) };
	struct buf key = BUF_EMPTY;
	uint32_t at;
	bool there;

	buf_add_varint(&key, type);
	buf_add_bytes(&key, data);
	pair.key = arena_bytes(p->arena, buf_view(&key));
	buf_release(&key);
	ASSERT(split_key(&pair));
	at = place_of(m, pair.key, &there);
	if (!there) {
		map_reserve(p->arena, m);
		memmove(&m->pairs[at + 1], &m->pairs[at], (m->count - at) * sizeof(pair));
		m->count++;
	}
	m->pairs[at] = pair;
}

static void remove_at(struct psbt_map *m, uint32_t at)
{
	m->count--;
	memmove(&m->pairs[at], &m->pairs[at + 1], (m->count - at) * sizeof(*m->pairs));
}

void psbt_remove(struct psbt_map *m, uint64_t type, struct bytes data)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->pairs[i].type == type && bytes_equal(m->pairs[i].data, data)) {
			remove_at(m, i);
			return;
		}
}

void psbt_remove_all(struct psbt_map *m, uint64_t type)
{
	for (uint32_t i = m->count; i > 0; i--)
		if (m->pairs[i - 1].type == type)
			remove_at(m, i - 1);
}
