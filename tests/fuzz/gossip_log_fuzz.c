/* Logs of gossip: as they are, and with good checksums over whatever is in them. */
#include <string.h>

#include "gossip/gossip.h"
#include "gossip/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(struct bytes log)
{
	static const uint8_t seed[32] = { 5 };
	struct gossip_config config = { .sync = true };
	struct gossip *g = gossip_new(&config, seed);
	struct log_reader r = { .log = log };
	struct bytes record;
	struct arena a;
	uint32_t ref, last = 0;

	arena_init(&a);
	while (log_next(&r, &ref, &record)) {
		ASSERT(ref > last && ref >= LOG_HEADER_SIZE && record.data == log.data + ref);
		last = ref;
		ASSERT(gossip_load(g, &a, ref, record));
		arena_reset(&a);
	}
	ASSERT(r.at <= log.size || r.at == LOG_HEADER_SIZE);
	gossip_loaded(g, r.at);
	gossip_check_invariants(g);
	gossip_free(g);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block_hash chain = { { 0 } };
	struct buf log = BUF_EMPTY;
	size_t at = 0;

	load(BYTES(data, size));
	/* The same bytes as bodies: kind, two bytes of length, body. */
	log_header_encode(buf_extend(&log, LOG_HEADER_SIZE), &chain);
	while (size - at >= 3) {
		size_t want = load_be16(data + at + 1), have = size - at - 3;

		want = want < have ? want : have;
		log_record_encode((enum log_kind)(1 + data[at] % 5), BYTES_NONE, BYTES(data + at + 3, want), &log);
		at += 3 + want;
	}
	load(buf_view(&log));
	buf_release(&log);
	return 0;
}
