/* Where private keys live: implement this, or let the node keep them.
 *
 * A signer gets questions as bytes and answers with bytes, so that it may be a
 * process, a machine or a device of its own; this interface only carries them.
 * The bytes are version LAMPO_SIGNER_PROTOCOL of the protocol that
 * runtime/signer/codec.h lays out; struct lampo_keys speaks it for the other end. */
#ifndef LAMPO_SIGNER_H
#define LAMPO_SIGNER_H

#include "lampo/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAMPO_SIGNER_PROTOCOL 1

/* One question. */
struct lampo_sign_ask;
/* Exactly once for each, in any order, on the node's thread, at once or an hour later; the channel waits.  Bytes that are
 * no answer count as a refusal.  They are copied. */
LAMPO_API void lampo_signer_answer(struct lampo_sign_ask *ask, struct lampo_bytes answer);

struct lampo_signer {
	size_t size; /* sizeof(struct lampo_signer) */
	void *context;
	uint8_t node_id33[33]; /* the public key whose secret it has */
	/* On the node's thread; the bytes live until it returns.  Questions that were not answered when the node ended are
	 * asked again after the next start. */
	void (*request)(void *context, struct lampo_sign_ask *ask, struct lampo_bytes question);
	/* The node needs it no longer; asks that are open are gone.  May be NULL. */
	void (*free)(void *context);
};

/* The other end of the wire: all keys of a node, from its seed, behind rules that refuse what could lose money (a
 * revoked commitment, two states of one number, a close that pays us too little ...). */
struct lampo_keys;
/* network as lampo_config_new; seed 32 to 64 bytes.  NULL: one of both is not such. */
LAMPO_API struct lampo_keys *lampo_keys_new(const char *network, const void *seed, size_t size);
/* From BIP 39 words. */
LAMPO_API struct lampo_keys *lampo_keys_from_words(const char *network, const char *words);
/* Wipes them. */
LAMPO_API void lampo_keys_free(struct lampo_keys *keys);
LAMPO_API void lampo_keys_node_id(const struct lampo_keys *keys, uint8_t id33[33]);
/* Adds the answer to what the callback collects, before it returns.  0, without a callback: the bytes are no question of
 * this version.  Questions may come from anybody who has the wire: none makes it reveal a key.  One thread at a time. */
typedef void lampo_on_bytes(void *context, struct lampo_bytes bytes);
LAMPO_API int lampo_keys_answer(struct lampo_keys *keys, struct lampo_bytes question, lampo_on_bytes *callback, void *context);

#ifdef __cplusplus
}
#endif

#endif
