/* Where the chain comes from: implement this, or use Bitcoin Core. */
#ifndef LAMPO_BACKEND_H
#define LAMPO_BACKEND_H

#include "lampo/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lampo_tip {
	uint32_t height;    /* of the best chain whose blocks can be had */
	uint8_t hash32[32];
	uint32_t headers;   /* the height that is known to exist; more than height while the backend is syncing itself */
};

/* The functions are called from one thread of the node's own, one at a time, and may block.  Whatever is not LAMPO_OK
 * puts a sentence into error (LAMPO_ERROR_SIZE bytes).  Blocks need not be trusted: the node checks them against their
 * hashes. */
struct lampo_backend {
	size_t size; /* sizeof(struct lampo_backend) */
	void *context;
	enum lampo_verdict (*tip)(void *context, struct lampo_tip *out, char *error);
	/* Of the best chain; LAMPO_NO above its tip. */
	enum lampo_verdict (*block_hash)(void *context, uint32_t height, uint8_t hash32[32], char *error);
	/* The whole block, with witnesses. */
	enum lampo_verdict (*block)(void *context, const uint8_t hash32[32], struct lampo_buffer *out, char *error);
	/* To the network, parents before children.  More than one are a package: a child that pays for parents whose own
	 * fee is too low, even zero, so that they pass together or not at all (Bitcoin Core's submitpackage); a backend that
	 * cannot do that sends them one by one.  LAMPO_OK: all of them are in the mempool or in the chain, now or already. */
	enum lampo_verdict (*broadcast)(void *context, const struct lampo_bytes *txs, size_t count, char *error);
	/* Satoshi for 1000 weight units, to confirm within so many blocks; 0 blocks: the least that is relayed. */
	enum lampo_verdict (*feerate)(void *context, uint32_t blocks, uint32_t *per_kw, char *error);
	/* An unspent output: its amount and script.  LAMPO_NO: spent, or never there.  NULL: a light client, which has blocks
	 * and cannot know what is unspent; the channels that others announce are then believed as their blocks show them. */
	enum lampo_verdict (*utxo)(void *context, const struct lampo_outpoint *o, uint64_t *sat, struct lampo_buffer *script,
				  char *error);
	/* From any thread, NULL if nothing blocks for long: what is under way shall end soon. */
	void (*interrupt)(void *context);
	/* The node needs it no longer; may be NULL. */
	void (*free)(void *context);
};

#ifdef __cplusplus
}
#endif

#endif
