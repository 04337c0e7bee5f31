/* What all topics share. */
#ifndef LAMPO_TYPES_H
#define LAMPO_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "lampo/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for a sentence that says what is wrong and what to do about it. */
#define LAMPO_ERROR_SIZE 1024

/* Bytes of somebody else. */
struct lampo_bytes {
	const uint8_t *data;
	size_t size;
};

/* Where an interface of yours puts bytes of any number. */
struct lampo_buffer;
LAMPO_API void lampo_buffer_add(struct lampo_buffer *buffer, const void *data, size_t size);

/* What an interface of yours answers. */
enum lampo_verdict {
	LAMPO_OK = 0,
	LAMPO_AWAY = 1,  /* not reachable or not ready: ask again later */
	LAMPO_NO = 2,    /* the answer is no */
	LAMPO_WRONG = 3, /* it can never serve this node, which ends */
};

/* Hashes and transaction ids are 32 bytes in the order in which the network carries them; RPCs and explorers show
 * them reversed. */
struct lampo_outpoint {
	uint8_t txid32[32];
	uint32_t index;
};

#ifdef __cplusplus
}
#endif

#endif
