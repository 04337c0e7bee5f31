/* Memory and disk stay within bounds.
 *
 *  - While it runs: what waits for a commit, and what a node keeps on disk for each channel and payment that it had; and
 *    what it tells of itself is what there is.
 *  - When every channel is history: nothing of channels is left on the disk but their history, nothing of the outbox. */
#include <sys/resource.h>

#include "channel/view.h"
#include "tests/sim/check.h"

#define BACKLOG_MAX (8u << 20)
#define RECORD_MAX (64u << 10)
#define MEMORY_MAX_KB (1u << 20) /* of the whole run; sanitizers need most of it */

struct tally {
	uint32_t count[RECORD_KINDS + 64];
	size_t bytes, largest;
	uint32_t outbox_height; /* at which the last one of the outbox confirmed */
};

static bool tally_one(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct tally *t = context;

	ASSERT((uint32_t)kind < ARRAY_COUNT(t->count));
	t->count[kind]++;
	t->bytes += key.size + value.size;
	if (value.size > t->largest)
		t->largest = value.size;
	if (kind == RECORD_OUTBOX && value.size >= 10)
		t->outbox_height = load_be32(value.data + 5);
	return true;
}

static void read_disk(const struct sim_node *n, struct tally *t)
{
	struct store *s = store_open_memory(n->disk);

	*t = (struct tally){ .bytes = 0 };
	if (!store_load_all(s, tally_one, t))
		world_fail(n->world, "%s's disk cannot be read", n->name);
	s->close(s);
}

/* What it tells of itself is what is there. */
static void check_info(struct checks *k, const struct sim_node *n)
{
	const struct channel *ch;
	struct node_info i;
	uint32_t at = 0, channels = 0;

	node_view_info(n->node, &i);
	while ((ch = node_view_channel(n->node, &at)))
		channels++;
	if (i.height != n->follow.height || i.peers_connected >= (uint32_t)k->w->node_count ||
	    i.channels_active + i.channels_inactive + i.channels_pending > channels)
		world_fail(k->w, "%s says it is at %u of %u, with %u peers and %u + %u + %u of %u channels", n->name, i.height,
			   n->follow.height, i.peers_connected, i.channels_active, i.channels_inactive, i.channels_pending, channels);
}

void check_bounds_node(struct checks *k, const struct sim_node *n)
{
	struct rusage use;
	struct tally t;

	check_info(k, n);
	if (exec_backlog(n->exec) > BACKLOG_MAX)
		world_fail(k->w, "%s keeps %zu bytes of effects on a quiet core", n->name, exec_backlog(n->exec));
	read_disk(n, &t);
	if (t.largest > RECORD_MAX)
		world_fail(k->w, "%s stores a record of %zu bytes", n->name, t.largest);
	if (t.count[RECORD_CHAIN] > FOLLOW_KNOWN_MAX + 1)
		world_fail(k->w, "%s stores %u headers", n->name, t.count[RECORD_CHAIN]);
	/* One that is stored may wait for its link before it is on the wire. */
	if (t.count[RECORD_HTLC] > k->htlc_count + k->b->wish_count || t.count[RECORD_HTLC_ONION] > t.count[RECORD_HTLC])
		world_fail(k->w, "%s stores %u HTLCs and %u onions, and %u were seen", n->name, t.count[RECORD_HTLC],
			   t.count[RECORD_HTLC_ONION], k->htlc_count);
	if (getrusage(RUSAGE_SELF, &use) == 0 && use.ru_maxrss > (long)MEMORY_MAX_KB)
		world_fail(k->w, "the run takes %ld kB of memory", use.ru_maxrss);
}

void check_bounds_end(struct checks *k, bool buried)
{
	static const struct { enum record_kind kind; const char *what; } gone[] = {
		{ RECORD_HTLC, "HTLCs" }, { RECORD_HTLC_ONION, "onions" }, { RECORD_HTLC_PAST, "past HTLCs" },
		{ RECORD_ONCHAIN, "closes" }, { RECORD_OUTBOX, "transactions" }, { RECORD_PART, "parts of payments" },
	};

	for (int i = 0; i < k->w->node_count; i++) {
		const struct sim_node *n = &k->w->nodes[i];
		struct tally t;

		if (n->adversary)
			continue;
		check_bounds_node(k, n);
		read_disk(n, &t);
		for (uint32_t g = 0; g < ARRAY_COUNT(gone) && buried; g++)
			if (t.count[gone[g].kind])
				world_fail(k->w, "%s still stores %u %s at height %u (confirmed at %u)", n->name, t.count[gone[g].kind],
					   gone[g].what, n->follow.height, t.outbox_height);
	}
}
