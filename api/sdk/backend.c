#include <stdio.h>
#include <string.h>

#include "api/sdk/adapters.h"

void lampo_buffer_add(struct lampo_buffer *buffer, const void *data, size_t size)
{
	buf_add(buffer->out, data, size);
}

/* An embedder's number that is no verdict is a backend that nobody should follow. */
static enum backend_result verdict(enum lampo_verdict v, char *error, const char *said)
{
	snprintf(error, BACKEND_ERROR_SIZE, "%.500s", said);
	switch (v) {
	case LAMPO_OK:
		return BACKEND_OK;
	case LAMPO_AWAY:
		return BACKEND_AWAY;
	case LAMPO_NO:
		return BACKEND_NO;
	case LAMPO_WRONG:
		return BACKEND_WRONG;
	}
	snprintf(error, BACKEND_ERROR_SIZE, "the backend answered with %d", (int)v);
	return BACKEND_WRONG;
}

static enum backend_result get_tip(void *context, struct backend_tip *out, char *error)
{
	const struct lampo_backend *b = context;
	struct lampo_tip tip = { .height = 0 };
	char said[LAMPO_ERROR_SIZE] = "the backend gave no reason";
	enum lampo_verdict v = b->tip(b->context, &tip, said);

	out->height = tip.height;
	out->headers = tip.headers;
	memcpy(out->hash.v, tip.hash32, 32);
	return verdict(v, error, said);
}

static enum backend_result get_hash(void *context, uint32_t height, struct block_hash *out, char *error)
{
	const struct lampo_backend *b = context;
	char said[LAMPO_ERROR_SIZE] = "the backend gave no reason";

	return verdict(b->block_hash(b->context, height, out->v, said), error, said);
}

static enum backend_result get_block(void *context, const struct block_hash *hash, struct buf *raw, char *error)
{
	const struct lampo_backend *b = context;
	struct lampo_buffer out = { raw };
	char said[LAMPO_ERROR_SIZE] = "the backend gave no reason";

	return verdict(b->block(b->context, hash->v, &out, said), error, said);
}

static enum backend_result broadcast(void *context, const struct bytes *txs, uint32_t count, char *error)
{
	const struct lampo_backend *b = context;
	struct lampo_bytes *list = NEW_ARRAY(struct lampo_bytes, count);
	char said[LAMPO_ERROR_SIZE] = "the backend gave no reason";
	enum lampo_verdict v;

	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct lampo_bytes){ txs[i].data, txs[i].size };
	v = b->broadcast(b->context, list, count, said);
	mem_free(list);
	return verdict(v, error, said);
}

static enum backend_result get_feerate(void *context, uint32_t blocks, struct feerate *out, char *error)
{
	const struct lampo_backend *b = context;
	char said[LAMPO_ERROR_SIZE] = "the backend gave no reason";
	uint32_t per_kw = 0;
	enum lampo_verdict v = b->feerate(b->context, blocks, &per_kw, said);

	out->per_kw = per_kw < FEERATE_FLOOR_PER_KW ? FEERATE_FLOOR_PER_KW : per_kw;
	return verdict(v, error, said);
}

static enum backend_result get_utxo(void *context, const struct outpoint *o, struct amount_sat *amount, struct buf *script,
				    char *error)
{
	const struct lampo_backend *b = context;
	struct lampo_outpoint outpoint = { .index = o->index };
	struct lampo_buffer out = { script };
	char said[LAMPO_ERROR_SIZE] = "the backend gave no reason";

	memcpy(outpoint.txid32, o->txid.v, 32);
	return verdict(b->utxo(b->context, &outpoint, &amount->v, &out, said), error, said);
}

static void interrupt(void *context)
{
	const struct lampo_backend *b = context;

	if (b->interrupt)
		b->interrupt(b->context);
}

static void free_backend(void *context)
{
	struct lampo_backend *b = context;

	if (b->free)
		b->free(b->context);
	mem_free(b);
}

void adapt_backend(struct backend *out, const struct lampo_backend *b)
{
	struct lampo_backend *copy = NEW(struct lampo_backend);

	*copy = *b;
	*out = (struct backend){ .context = copy, .tip = get_tip, .block_hash = get_hash, .block = get_block,
				 .broadcast = broadcast, .feerate = get_feerate, .utxo = b->utxo ? get_utxo : NULL,
				 .interrupt = interrupt, .free = free_backend };
}
