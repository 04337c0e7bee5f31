#include "payment/history.h"

#include <string.h>

#include "base/arena.h"
#include "wire/records_forward.h"

/* Core Lightning's. */
static const char *const names[] = {
	[HISTORY_OFFERED] = "offered",
	[HISTORY_SETTLED] = "settled",
	[HISTORY_LOCAL_FAILED] = "local_failed",
	[HISTORY_FAILED] = "failed",
};

const char *history_status_name(enum history_status s)
{
	ASSERT((size_t)s < ARRAY_COUNT(names));
	return names[s];
}

bool history_status_read(enum history_status *out, const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum history_status)i;
			return true;
		}
	return false;
}

void history_encode(const struct history_entry *e, struct buf *out)
{
	const struct record_forward r = {
		.status = (uint8_t)e->status,
		.in_channel = e->in_channel,
		.in_htlc_id = e->in_htlc_id,
		.in_amount = e->in_amount,
		.out_channel = e->out_channel,
		.has_out_htlc = e->has_out_htlc,
		.out_htlc_id = e->out_htlc_id,
		.out_amount = e->out_amount,
		.fail_code = e->fail_code,
		.received_ms = e->received_ms,
		.resolved_ms = e->resolved_ms,
	};

	record_forward_encode(&r, out);
}

bool history_decode(struct bytes key, struct bytes value, struct history_entry *out)
{
	struct record_forward r;
	struct arena a;
	bool good;

	arena_init(&a);
	good = record_forward_decode(value, &a, &r);
	arena_release(&a);
	if (!good || key.size != 8 || r.status == HISTORY_OFFERED || r.status >= ARRAY_COUNT(names))
		return false;
	*out = (struct history_entry){
		.index = load_be64(key.data),
		.status = (enum history_status)r.status,
		.in_channel = r.in_channel,
		.in_htlc_id = r.in_htlc_id,
		.in_amount = r.in_amount,
		.out_channel = r.out_channel,
		.has_out_htlc = r.has_out_htlc,
		.out_htlc_id = r.out_htlc_id,
		.out_amount = r.out_amount,
		.fail_code = r.fail_code,
		.received_ms = r.received_ms,
		.resolved_ms = r.resolved_ms,
	};
	return true;
}

void history_index_key(uint8_t out[HISTORY_INDEX_KEY], const struct history_entry *e)
{
	store_be64(out, e->in_channel.v);
	store_be64(out + 8, e->in_htlc_id);
	store_be64(out + 16, e->index);
}

void history_put_index(struct step *s, const struct history_entry *e)
{
	uint8_t key[HISTORY_INDEX_KEY];

	history_index_key(key, e);
	effect_persist(s->out, RECORD_FORWARD_INDEX, BYTES_OF(key), BYTES(key + 16, 8));
}

void history_put(struct step *s, const struct history_entry *e)
{
	struct buf value = BUF_EMPTY;
	uint8_t key[8];

	store_be64(key, e->index);
	history_encode(e, &value);
	effect_persist(s->out, RECORD_FORWARD, BYTES_OF(key), buf_view(&value));
	buf_release(&value);
	history_put_index(s, e);
}

void history_remove(struct step *s, const struct history_entry *e)
{
	uint8_t key[HISTORY_INDEX_KEY];

	history_index_key(key, e);
	effect_remove(s->out, RECORD_FORWARD, BYTES(key + 16, 8));
	effect_remove(s->out, RECORD_FORWARD_INDEX, BYTES_OF(key));
}
