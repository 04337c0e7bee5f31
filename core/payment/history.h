/* What became of HTLCs that were to be forwarded.
 *
 * One small record each, written once, in the batch that ends it: its number is its place in the order of ends.  Nothing
 * of it stays in memory; what is under way is in the table of forwards (payment/forward.h) and has no number yet. */
#ifndef PAYMENT_HISTORY_H
#define PAYMENT_HISTORY_H

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"
#include "step/step.h"

/* Stored values. */
enum history_status {
	HISTORY_OFFERED = 0,      /* under way; never stored */
	HISTORY_SETTLED = 1,
	HISTORY_LOCAL_FAILED = 2, /* refused here: nothing went on */
	HISTORY_FAILED = 3,       /* it went on, and came back */
};

const char *history_status_name(enum history_status s);
/* False: there is no such name. */
MUST_USE bool history_status_read(enum history_status *out, const char *name);

struct history_entry {
	uint64_t index;           /* 0: under way */
	enum history_status status;
	struct scid in_channel;   /* where the channel is in the chain, else our alias for it */
	uint64_t in_htlc_id;
	struct amount_msat in_amount;
	struct scid out_channel;  /* LOCAL_FAILED: as the onion named it */
	bool has_out_htlc;
	uint64_t out_htlc_id;
	struct amount_msat out_amount;
	uint16_t fail_code;       /* 0: none, or only its sender can read it */
	uint64_t received_ms;     /* 0: before the last start */
	uint64_t resolved_ms;
};

/* Its record, and its place in RECORD_FORWARD_INDEX. */
void history_put(struct step *s, const struct history_entry *e);
void history_put_index(struct step *s, const struct history_entry *e);
void history_remove(struct step *s, const struct history_entry *e);

/* RECORD_FORWARD_INDEX: in_channel, in_htlc_id, index (be64 each). */
#define HISTORY_INDEX_KEY 24
void history_index_key(uint8_t out[HISTORY_INDEX_KEY], const struct history_entry *e);

/* RECORD_FORWARD; the key: be64 of the index. */
void history_encode(const struct history_entry *e, struct buf *out);
MUST_USE bool history_decode(struct bytes key, struct bytes value, struct history_entry *out);

#endif
