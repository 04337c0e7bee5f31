/* What is read out of gossip messages beyond their fields: addresses, arrays of scids and flags, what is signed. */
#include "gossip/message.h"
#include "wire/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_addresses(struct bytes addresses)
{
	struct descriptor_reader r = descriptor_reader_of(addresses);
	struct buf again = BUF_EMPTY;
	char text[DESCRIPTOR_TEXT_MAX];
	struct descriptor d;
	uint32_t names = 0;

	while (descriptor_next(&r, &d)) {
		descriptor_text(text, &d);
		names += d.kind == DESCRIPTOR_DNS;
		ASSERT(d.kind != DESCRIPTOR_TOR_V2);
		descriptor_encode(&d, &again);
	}
	ASSERT(names <= 1 && again.size <= addresses.size);
	/* What was understood reads back as it was. */
	r = descriptor_reader_of(buf_view(&again));
	while (descriptor_next(&r, &d))
		;
	ASSERT(!descriptor_reader_failed(&r) && !r.more_names);
	buf_release(&again);
}

static void read_arrays(struct bytes raw, struct arena *a)
{
	struct msg_query_short_channel_ids q;
	struct buf b = BUF_EMPTY;
	struct scid *scids;
	uint64_t *flags;
	uint32_t count;

	if (msg_query_short_channel_ids_decode(raw, a, &q) != DECODE_OK || !scids_decode(q.encoded_short_ids, a, &scids, &count))
		return;
	scids_encode(scids, count, &b);
	ASSERT(bytes_equal(buf_view(&b), q.encoded_short_ids));
	if (q.tlvs.query_flags)
		(void)!query_flags_decode(q.tlvs.query_flags, a, count, &flags);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_channel_announcement c;
	struct gossip_check checks[GOSSIP_CHECKS_MAX];
	struct msg_node_announcement n;
	struct msg_channel_update u;
	struct bytes raw = BYTES(data, size);
	struct arena a;

	if (size > MESSAGE_SIZE_MAX)
		return 0;
	arena_init(&a);
	read_addresses(raw);
	read_arrays(raw, &a);
	(void)!features_unknown_even(raw);
	(void)features_low(raw);
	if (msg_channel_announcement_decode(raw, &a, &c) == DECODE_OK)
		ASSERT(channel_announcement_checks(checks, &c, raw) == 4);
	if (msg_node_announcement_decode(raw, &a, &n) == DECODE_OK) {
		ASSERT(node_announcement_checks(checks, &n, raw) == 1);
		read_addresses(n.addresses);
	}
	if (msg_channel_update_decode(raw, &a, &u) == DECODE_OK) {
		struct graph_policy p = channel_update_policy(&u, raw);

		ASSERT(p.checksum == channel_update_checksum(raw));
		ASSERT(channel_update_checks(checks, &u, raw, &(struct pubkey){ { 2 } }) == 1);
	}
	arena_release(&a);
	return 0;
}
