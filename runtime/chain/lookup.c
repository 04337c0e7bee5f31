#include "runtime/chain/lookup.h"

#include <string.h>

#include "bitcoin/block.h"

static void all_are(struct item *i, enum gossip_funding_state state)
{
	for (uint32_t k = 0; k < i->count; k++)
		i->fundings[k].state = state;
}

/* Of an answer that is no answer. */
static enum gossip_funding_state why_not(enum backend_result r)
{
	return r == BACKEND_AWAY ? FUNDING_AWAY : FUNDING_UNKNOWN;
}

/* What stands in the block: MISSING where it has no such output, else UNKNOWN with all that the block says of it. */
static void find_in_tx(struct item *i, const struct lookup_order *o, uint32_t tx_index, const struct tx *t, const struct txid *id)
{
	for (uint32_t k = 0; k < o->count; k++) {
		struct gossip_funding *f = &i->fundings[k];
		struct buf script = BUF_EMPTY;

		if (scid_tx_index(o->scids[k]) != tx_index || scid_output(o->scids[k]) >= t->output_count)
			continue;
		f->state = FUNDING_UNKNOWN;
		f->txid = *id;
		f->amount = t->outputs[scid_output(o->scids[k])].amount;
		buf_add_bytes(&script, t->outputs[scid_output(o->scids[k])].script);
		f->script = buf_view(&script); /* item_free has it from here */
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

/* A light client has the block and can know no more: what the block shows is believed, and what was spent before is hardly
 * ever met, because nobody speaks of a channel that has been gone for two weeks. */
static void ask_unspent(const struct backend *b, struct gossip_funding *f, struct scid scid, char *error)
{
	struct outpoint out = { f->txid, scid_output(scid) };
	struct buf script = BUF_EMPTY;
	struct amount_sat amount;
	enum backend_result r = b->utxo ? b->utxo(b->context, &out, &amount, &script, error) : BACKEND_OK;

	switch (r) {
	case BACKEND_OK:
		f->state = FUNDING_UNSPENT;
		break;
	case BACKEND_NO:
		f->state = FUNDING_SPENT;
		break;
	case BACKEND_AWAY:
	case BACKEND_WRONG:
		f->state = why_not(r);
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
	enum backend_result r;

	i->id = o->id;
	i->count = o->count;
	i->fundings = NEW_ARRAY(struct gossip_funding, o->count ? o->count : 1);
	r = b->block_hash(b->context, o->height, &hash, error);
	if (r == BACKEND_OK)
		r = b->block(b->context, &hash, &raw, error);
	if (r != BACKEND_OK)
		all_are(i, why_not(r));
	else if (!read_block(i, o, buf_view(&raw), &hash))
		all_are(i, FUNDING_UNKNOWN);
	else
		for (uint32_t k = 0; k < o->count; k++)
			if (i->fundings[k].state == FUNDING_UNKNOWN)
				ask_unspent(b, &i->fundings[k], o->scids[k], error);
	buf_release(&raw);
	return i;
}
