/* Nothing revoked is ever broadcast by an honest node: no commitment whose secret it has revealed on the wire, whatever
 * it crashed through since. */
#include <string.h>

#include "bitcoin/tx.h"
#include "channel/view.h"
#include "tests/sim/check.h"
#include "wire/message.h"

struct revealed {
	struct channel_id id;
	int node;
	uint64_t count;          /* secrets of different commitments: those of numbers 0 to count - 1 */
	struct secret32 last;
};

static struct revealed *of(struct checks *k, const struct channel_id *id, int node)
{
	struct revealed *r;

	for (uint32_t i = 0; i < k->revealed_count; i++)
		if (k->revealed[i].node == node && SAME(k->revealed[i].id, *id))
			return &k->revealed[i];
	if (k->revealed_count == k->revealed_capacity) {
		k->revealed_capacity = k->revealed_capacity ? 2 * k->revealed_capacity : 16;
		k->revealed = mem_realloc(k->revealed, k->revealed_capacity, sizeof(*k->revealed));
	}
	r = &k->revealed[k->revealed_count++];
	memset(r, 0, sizeof(*r));
	r->id = *id;
	r->node = node;
	return r;
}

void check_revoked_message(struct checks *k, int from, struct bytes m)
{
	struct channel_id id;
	struct revealed *r;
	uint16_t type;

	if (!msg_type(m, &type) || type != MSG_REVOKE_AND_ACK || m.size < 2 + 32 + 32)
		return;
	memcpy(id.v, m.data + 2, 32);
	r = of(k, &id, from);
	if (r->count && memcmp(r->last.v, m.data + 34, 32) == 0) /* said again after a reconnection */
		return;
	memcpy(r->last.v, m.data + 34, 32);
	r->count++;
}

void check_revoked_broadcast(struct checks *k, const struct sim_node *n, struct bytes raw)
{
	struct book_channel *c;
	const struct channel *ch;
	struct arena a;
	struct tx *t;
	uint64_t number;

	arena_init(&a);
	t = tx_parse(&a, raw);
	if (!t)
		world_fail(k->w, "%s broadcasts what is no transaction", n->name);
	if (check_commitment(k, t, &c, &number) && (ch = book_view(k->b, c, n->index))) {
		number ^= channel_record_obscuring_factor(channel_record_of(ch));
		if (number < of(k, &c->id, n->index)->count)
			world_fail(k->w, "%s broadcasts its commitment %llu, which it has revoked", n->name, (unsigned long long)number);
	}
	arena_release(&a);
}
