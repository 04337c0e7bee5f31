#include "runtime/chain/lookup.h"

#include <string.h>

#include "bitcoin/block.h"

static void all_unknown(struct item *i)
{
	for (uint32_t k = 0; k < i->count; k++)
		i->fundings[k].state = FUNDING_UNKNOWN;
}

/* What stands in the block: MISSING where it has no such output, else UNKNOWN with its txid. */
static void find_in_tx(struct item *i, const struct lookup_order *o, uint32_t tx_index, const struct tx *t, const struct txid *id)
{
	for (uint32_t k = 0; k < o->count; k++)
		if (scid_tx_index(o->scids[k]) == tx_index && scid_output(o->scids[k]) < t->output_count) {
			i->fundings[k].state = FUNDING_UNKNOWN;
			i->fundings[k].txid = *id;
		}
}

static bool read_block(struct item *i, const struct lookup_order *o, struct bytes raw, const struct block_hash *hash)
{
	struct block_reader r;
	struct arena a;
	struct txid id;
	struct tx *t;

	if (!block_open(&r, raw) || !SAME(r.hash, *hash))
		return false;
	arena_init(&a);
	for (uint32_t k = 0; k < i->count; k++)
		i->fundings[k].state = FUNDING_MISSING;
	while ((t = block_next(&r, &a, &id))) {
		find_in_tx(i, o, r.tx_index - 1, t, &id);
		arena_reset(&a);
	}
	arena_release(&a);
	return block_complete(&r);
}

static void ask_unspent(const struct backend *b, struct gossip_funding *f, struct scid scid, char *error)
{
	struct outpoint out = { f->txid, scid_output(scid) };
	struct buf script = BUF_EMPTY;

	switch (b->utxo(b->context, &out, &f->amount, &script, error)) {
	case BACKEND_OK:
		f->state = FUNDING_UNSPENT;
		f->script = buf_view(&script); /* item_free has it from here */
		return;
	case BACKEND_NO:
		f->state = FUNDING_SPENT;
		break;
	case BACKEND_AWAY:
	case BACKEND_WRONG:
		break;
	}
	buf_release(&script);
}

struct item *lookup_answer(const struct backend *b, const struct lookup_order *o)
{
	struct item *i = item_new(ITEM_LOOKUP);
	char error[BACKEND_ERROR_SIZE];
	struct block_hash hash;
	struct buf raw = BUF_EMPTY;

	i->id = o->id;
	i->count = o->count;
	i->fundings = NEW_ARRAY(struct gossip_funding, o->count ? o->count : 1);
	all_unknown(i);
	if (b->block_hash(b->context, o->height, &hash, error) == BACKEND_OK &&
	    b->block(b->context, &hash, &raw, error) == BACKEND_OK) {
		if (!read_block(i, o, buf_view(&raw), &hash))
			all_unknown(i);
		else
			for (uint32_t k = 0; k < o->count; k++)
				if (i->fundings[k].state == FUNDING_UNKNOWN)
					ask_unspent(b, &i->fundings[k], o->scids[k], error);
	}
	buf_release(&raw);
	return i;
}
