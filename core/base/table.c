#include "base/table.h"

#include <string.h>

#define SLOT_EMPTY UINT32_MAX
#define SLOT_GONE (UINT32_MAX - 1)

struct table_entry {
	void *object; /* NULL: a hole */
	uint64_t hash;
};

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t siphash24(const uint8_t seed16[16], struct bytes b)
{
	uint64_t k0 = load_le64(seed16), k1 = load_le64(seed16 + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			  k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	uint64_t last = (uint64_t)b.size << 56;
	size_t whole = b.size / 8 * 8;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t m = load_le64(b.data + i);

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = whole; i < b.size; i++)
		last |= (uint64_t)b.data[i] << (8 * (i - whole));
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void table_init(struct table *t, struct bytes (*key)(const void *object), const uint8_t seed16[16])
{
	memset(t, 0, sizeof(*t));
	t->key = key;
	memcpy(t->seed, seed16, 16);
}

void table_release(struct table *t)
{
	mem_free(t->entries);
	mem_free(t->slots);
	t->entries = NULL;
	t->slots = NULL;
	t->entry_count = t->entry_capacity = t->slot_count = t->live = 0;
}

static void place(struct table *t, uint32_t entry)
{
	uint32_t mask = t->slot_count - 1, i = (uint32_t)t->entries[entry].hash & mask;

	while (t->slots[i] < SLOT_GONE)
		i = (i + 1) & mask;
	t->slots[i] = entry;
}

/* Squeezes out holes and sizes both arrays for the live objects and one more. */
static void rebuild(struct table *t)
{
	uint32_t capacity = 8, kept = 0;

	while (capacity < (t->live + 1) * 2)
		capacity *= 2;
	for (uint32_t i = 0; i < t->entry_count; i++)
		if (t->entries[i].object)
			t->entries[kept++] = t->entries[i];
	ASSERT(kept == t->live);
	t->entries = mem_realloc(t->entries, capacity, sizeof(*t->entries));
	t->entry_count = kept;
	t->entry_capacity = capacity;
	t->slot_count = capacity * 2;
	t->slots = mem_realloc(t->slots, t->slot_count, sizeof(*t->slots));
	memset(t->slots, 0xff, t->slot_count * sizeof(*t->slots));
	for (uint32_t i = 0; i < kept; i++)
		place(t, i);
}

/* The slot that holds the key, or SLOT_EMPTY. */
static uint32_t find(const struct table *t, struct bytes key, uint64_t hash)
{
	uint32_t mask = t->slot_count - 1;

	if (!t->slot_count)
		return SLOT_EMPTY;
	for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
		uint32_t entry = t->slots[i];

		if (entry == SLOT_EMPTY)
			return SLOT_EMPTY;
		if (entry != SLOT_GONE && t->entries[entry].hash == hash &&
		    bytes_equal(t->key(t->entries[entry].object), key))
			return i;
	}
}

void table_add(struct table *t, void *object)
{
	struct bytes key = t->key(object);
	uint64_t hash = siphash24(t->seed, key);

	ASSERT(find(t, key, hash) == SLOT_EMPTY);
	if (t->entry_count == t->entry_capacity)
		rebuild(t);
	t->entries[t->entry_count] = (struct table_entry){ object, hash };
	place(t, t->entry_count++);
	t->live++;
}

void *table_get(const struct table *t, struct bytes key)
{
	uint32_t slot = find(t, key, siphash24(t->seed, key));

	return slot == SLOT_EMPTY ? NULL : t->entries[t->slots[slot]].object;
}

void *table_remove(struct table *t, struct bytes key)
{
	uint32_t slot = find(t, key, siphash24(t->seed, key));
	void *object;

	if (slot == SLOT_EMPTY)
		return NULL;
	object = t->entries[t->slots[slot]].object;
	t->entries[t->slots[slot]].object = NULL;
	t->slots[slot] = SLOT_GONE;
	t->live--;
	return object;
}

void *table_next(const struct table *t, uint32_t *position)
{
	while (*position < t->entry_count) {
		void *object = t->entries[(*position)++].object;

		if (object)
			return object;
	}
	return NULL;
}
