#include "runtime/daemon/load.h"

#include <string.h>

struct header {
	uint32_t height;
	struct block_hash hash;
};

struct loading {
	struct node *node;
	const struct daemon_funds *funds;
	bool has_tip;
	struct header tip;
	struct header *recent; /* in order of height, because keys are */
	uint32_t count, capacity;
};

static void add_recent(struct loading *l, const struct header *h)
{
	if (l->count == l->capacity) {
		l->capacity = l->capacity ? 2 * l->capacity : 256;
		l->recent = mem_realloc(l->recent, l->capacity, sizeof(*l->recent));
	}
	l->recent[l->count++] = *h;
}

/* RECORD_CHAIN: "tip" is height and hash, a height is its hash (step/record.h). */
static bool load_chain(struct loading *l, struct bytes key, struct bytes value)
{
	struct header h;

	if (key.size == 4 && value.size == 32) {
		h.height = load_be32(key.data);
		memcpy(h.hash.v, value.data, 32);
		add_recent(l, &h);
		return true;
	}
	if (value.size != 36)
		return false;
	l->has_tip = true;
	l->tip.height = load_be32(value.data);
	memcpy(l->tip.hash.v, value.data + 4, 32);
	return true;
}

static bool each(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct loading *l = context;

	if (kind == RECORD_WALLET)
		return !l->funds->load || l->funds->load(l->funds->port.context, key, value);
	if (kind == RECORD_CHAIN && !load_chain(l, key, value))
		return false;
	return node_load_record(l->node, kind, key, value);
}

static void fill_follow(const struct loading *l, struct follow *follow)
{
	follow_init(follow);
	if (!l->has_tip)
		return;
	follow_load_tip(follow, l->tip.height, &l->tip.hash);
	/* One by one from the top: each must sit right below what is known. */
	for (uint32_t i = l->count; i; i--)
		follow_load_recent(follow, &l->recent[i - 1].hash, l->recent[i - 1].height, 1);
}

bool load_records(struct store *s, struct node *node, const struct daemon_funds *funds, struct follow *follow)
{
	struct loading l = { .node = node, .funds = funds };
	bool ok = store_load(s, each, &l);

	fill_follow(&l, follow);
	mem_free(l.recent);
	return ok;
}
