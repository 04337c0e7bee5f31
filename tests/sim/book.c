#include "tests/sim/book.h"

#include <string.h>

#include "channel/view.h"

struct book_channel *book_by_id(struct book *b, const struct channel_id *id)
{
	for (uint32_t i = 0; i < b->channel_count; i++)
		if (SAME(b->channels[i].id, *id))
			return &b->channels[i];
	return NULL;
}

struct book_channel *book_by_funding(struct book *b, const struct outpoint *o)
{
	for (uint32_t i = 0; i < b->channel_count; i++)
		if (outpoint_equal(&b->channels[i].funding, o))
			return &b->channels[i];
	return NULL;
}

static struct book_channel *add_channel(struct book *b, const struct channel_record *r)
{
	struct book_channel *c;

	if (b->channel_count == b->channel_capacity) {
		b->channel_capacity = b->channel_capacity ? 2 * b->channel_capacity : 16;
		b->channels = mem_realloc(b->channels, b->channel_capacity, sizeof(*b->channels));
	}
	c = &b->channels[b->channel_count];
	memset(c, 0, sizeof(*c));
	c->index = b->channel_count++;
	c->id = r->id;
	c->funding = r->funding;
	c->amount = r->funding_amount;
	c->pushed = r->pushed;
	c->announce = r->announce;
	c->end[0] = c->end[1] = c->closer = -1;
	return c;
}

static void see_channel(struct book *b, const struct sim_node *n, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);
	struct book_channel *c;

	if (r->state == OPENINGD)
		return;
	c = book_by_id(b, &r->id);
	if (!c)
		c = add_channel(b, r);
	c->end[r->opener == SIDE_LOCAL ? 0 : 1] = n->index;
	c->alias[r->opener == SIDE_LOCAL ? 0 : 1] = r->alias_local;
	c->scid = r->scid;
}

static void settled(void *context, struct sim_node *n)
{
	struct book *b = context;
	const struct channel *ch;
	uint32_t at = 0;

	while ((ch = node_view_channel(n->node, &at)))
		see_channel(b, n, ch);
}

struct book *book_new(struct world *w)
{
	struct book *b = NEW(struct book);
	const struct sim_hook hook = { .context = b, .settled = settled };

	b->w = w;
	world_hook(w, &hook);
	return b;
}

void book_free(struct book *b)
{
	mem_free(b->channels);
	mem_free(b->wishes);
	mem_free(b->open);
	mem_free(b);
}

const struct channel *book_view(const struct book *b, const struct book_channel *c, int node)
{
	const struct sim_node *n;
	const struct channel *ch;
	uint32_t at = 0;

	if (node < 0)
		return NULL;
	n = &b->w->nodes[node];
	if (!n->alive || !n->node)
		return NULL;
	while ((ch = node_view_channel(n->node, &at)))
		if (SAME(*channel_id_of(ch), c->id))
			return ch;
	return NULL;
}

bool book_usable(const struct book *b, const struct book_channel *c)
{
	for (int i = 0; i < 2; i++) {
		const struct channel *ch = book_view(b, c, c->end[i]);

		if (!ch || !channel_is_usable(ch))
			return false;
	}
	return true;
}

struct book_channel *book_between(struct book *b, int one, int other)
{
	for (uint32_t i = 0; i < b->channel_count; i++) {
		struct book_channel *c = &b->channels[i];

		if (((c->end[0] == one && c->end[1] == other) || (c->end[0] == other && c->end[1] == one)) && book_usable(b, c))
			return c;
	}
	return NULL;
}
