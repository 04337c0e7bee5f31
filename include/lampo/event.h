/* What happens in the node, told as it becomes durable. */
#ifndef LAMPO_EVENT_H
#define LAMPO_EVENT_H

#include "lampo/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append only: ignore kinds that you do not know. */
enum lampo_event_kind {
	LAMPO_EVENT_CONNECTED = 1,
	LAMPO_EVENT_DISCONNECTED,
	LAMPO_EVENT_CHANNEL_STATE,
	LAMPO_EVENT_INVOICE_PAID,
	LAMPO_EVENT_PAYMENT_SENT,
	LAMPO_EVENT_PAYMENT_FAILED,
	LAMPO_EVENT_BLOCK,
	LAMPO_EVENT_STOPPING,
};

/* Fields that a kind does not speak of are zero. */
struct lampo_event {
	size_t size;
	enum lampo_event_kind kind;
	uint8_t peer33[33];         /* CONNECTED, DISCONNECTED, CHANNEL_STATE */
	uint8_t channel_id32[32];   /* CHANNEL_STATE */
	uint8_t payment_hash32[32]; /* INVOICE_PAID, PAYMENT_SENT, PAYMENT_FAILED */
	uint64_t amount_msat;
	uint32_t height;            /* BLOCK */
	const char *text;           /* a state, a reason, or "" */
};

/* On the node's thread; the event lives until it returns.  It may call methods and must not wait. */
typedef void lampo_on_event(void *context, const struct lampo_event *event);

#ifdef __cplusplus
}
#endif

#endif
