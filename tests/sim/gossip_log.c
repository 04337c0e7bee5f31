/* The disk below is the machine's: what the process wrote half a minute ago is safe from a loss of power, what it wrote
 * since may go from any byte on. */
#include "tests/sim/gossip.h"

#include <string.h>

#include "gossip/log.h"

#define SAFE_AFTER_MS 30000u
#define GARBAGE_MAX 80u

struct gossip_log {
	struct block_hash chain;
	struct buf bytes;    /* the newest log, with what is pending */
	uint32_t written;    /* of that: what is not pending */
	uint32_t safe, older; /* of that: what no loss of power takes; what will be safe from mark_ms on */
	uint64_t mark_ms;
	struct log_places places;
	/* The log before: orders may name it, and until it is safe a loss of power brings it back. */
	struct buf old;
	uint32_t old_safe;
	bool old_back;
	/* The one that is being written. */
	struct buf fresh;
	struct gossip_move *moves;
	uint32_t move_count, start;
	bool compacting;
};

struct gossip_log *gossip_log_new(const struct block_hash *chain)
{
	struct gossip_log *l = NEW(struct gossip_log);

	l->chain = *chain;
	log_header_encode(buf_extend(&l->bytes, LOG_HEADER_SIZE), chain);
	l->written = l->safe = l->older = LOG_HEADER_SIZE;
	return l;
}

void gossip_log_free(struct gossip_log *l)
{
	if (!l)
		return;
	buf_release(&l->bytes);
	buf_release(&l->old);
	buf_release(&l->fresh);
	mem_free(l->moves);
	mem_free(l);
}

/* --- dying --- */

static void cut(struct buf *b, size_t size)
{
	ASSERT(size <= b->size);
	b->size = size;
}

static void lose_power(struct gossip_log *l, struct world *w)
{
	struct buf swap;

	if (l->old_back && world_random(w, 4) == 0) { /* the rename was not on the disk */
		swap = l->bytes;
		l->bytes = l->old;
		l->old = swap;
		l->written = (uint32_t)l->bytes.size;
		l->safe = l->old_safe;
	}
	cut(&l->bytes, l->safe + world_random(w, l->written - l->safe + 1));
	/* A block of the disk that was claimed, and not filled any more: of zeros, or of what was there before. */
	if (world_random(w, 2) == 0) {
		uint32_t size = 1 + (uint32_t)world_random(w, GARBAGE_MAX);
		uint8_t *p = buf_extend(&l->bytes, size);

		memset(p, 0, size);
		if (world_random(w, 2) == 0)
			drbg_fill(&w->entropy, p, size);
	}
}

void gossip_log_crash(struct gossip_log *l, struct world *w, bool power)
{
	cut(&l->bytes, l->written);
	buf_clear(&l->fresh);
	if (power)
		lose_power(l, w);
	l->written = l->safe = l->older = (uint32_t)l->bytes.size;
	buf_clear(&l->old);
	l->old_back = false;
}

uint32_t gossip_log_load(struct gossip_log *l, bool (*each)(void *context, uint32_t ref, struct bytes record), void *context)
{
	struct log_reader r = { .log = buf_view(&l->bytes), .at = LOG_HEADER_SIZE };
	uint32_t ref, end = LOG_HEADER_SIZE;
	struct bytes record;

	ASSERT(log_header_check(l->bytes.data, &l->chain));
	while (log_next(&r, &ref, &record) && each(context, ref, record))
		end = r.at;
	cut(&l->bytes, end);
	l->written = l->safe = l->older = end;
	l->places = (struct log_places){ 0 };
	l->compacting = false;
	return end;
}

/* --- records --- */

void gossip_log_append(struct gossip_log *l, uint32_t generation, uint32_t ref, struct bytes record)
{
	uint32_t at;
	bool old;

	ASSERT(log_places_find(&l->places, generation, ref, &old, &at) && !old && at == l->bytes.size);
	buf_add_bytes(&l->bytes, record);
}

void gossip_log_flush(struct gossip_log *l, uint64_t now_ms)
{
	l->written = (uint32_t)l->bytes.size;
	if (now_ms < l->mark_ms)
		return;
	l->safe = l->older;
	l->older = l->written;
	l->mark_ms = now_ms + SAFE_AFTER_MS;
	l->old_back = false;
}

static bool read_message(struct bytes log, uint32_t ref, struct buf *out)
{
	struct log_reader r = { .log = log, .at = ref };
	struct bytes record, body;
	enum log_kind kind;
	uint32_t at;

	if (!log_next(&r, &at, &record) || !log_record_decode(record, &kind, &body))
		return false;
	buf_add_bytes(out, log_message(kind, body));
	return true;
}

bool gossip_log_message(const struct gossip_log *l, uint32_t generation, uint32_t ref, struct buf *out)
{
	uint32_t at;
	bool old;

	return log_places_find(&l->places, generation, ref, &old, &at) && read_message(buf_view(old ? &l->old : &l->bytes), at, out);
}

/* --- compaction --- */

void gossip_log_compact(struct gossip_log *l, const struct gossip_move *moves, uint32_t count, uint32_t start)
{
	ASSERT(!l->compacting && start == l->bytes.size);
	mem_free(l->moves);
	l->moves = NEW_ARRAY(struct gossip_move, count ? count : 1);
	if (count)
		memcpy(l->moves, moves, count * sizeof(*moves));
	l->move_count = count;
	l->start = start;
	l->compacting = true;
	buf_clear(&l->fresh);
	log_header_encode(buf_extend(&l->fresh, LOG_HEADER_SIZE), &l->chain);
	for (uint32_t i = 0; i < count; i++) {
		struct log_reader r = { .log = buf_view(&l->bytes), .at = l->moves[i].from };
		struct bytes record;
		uint32_t at;

		ASSERT(log_next(&r, &at, &record));
		l->moves[i].to = (uint32_t)l->fresh.size;
		buf_add_bytes(&l->fresh, record);
	}
}

void gossip_log_replace(struct gossip_log *l, uint64_t now_ms, struct gossip_answer *out)
{
	uint32_t first_new = (uint32_t)l->fresh.size;

	ASSERT(l->compacting);
	gossip_log_flush(l, now_ms);
	buf_add_bytes(&l->fresh, BYTES(l->bytes.data + l->start, l->bytes.size - l->start));
	buf_release(&l->old);
	l->old = l->bytes;
	l->bytes = l->fresh;
	l->fresh = BUF_EMPTY;
	log_places_rewritten(&l->places, l->start, first_new);
	l->old_safe = l->safe;
	l->old_back = true;
	l->written = (uint32_t)l->bytes.size;
	l->safe = l->older = first_new;
	l->mark_ms = now_ms + SAFE_AFTER_MS;
	l->compacting = false;
	*out = (struct gossip_answer){ .kind = GOSSIP_COMPACTED, .moves = l->moves, .count = l->move_count, .start = l->start,
				       .first_new = first_new };
}
