/* Opening return packets: raw ones, and ones that a hop of the route authenticates. */
#include "onion/failure.h"

#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct arena *a, struct bytes message)
{
	struct failure f, back;
	struct buf b = BUF_EMPTY;

	if (failure_decode(a, &f, message)) {
		failure_encode(&f, &b);
		ASSERT(failure_decode(a, &back, buf_view(&b)) && back.code == f.code);
		ASSERT(b.size <= message.size);
	}
	ASSERT(failure_words(a, &f));
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct secret32 secrets[3] = { { { 1 } }, { { 2 } }, { { 3 } } };
	struct failure_report report;
	struct arena a;
	uint8_t *packet;

	if (size < 1)
		return 0;
	arena_init(&a);
	packet = arena_alloc(&a, size + 32);
	if (data[0] & 1) {
		if (failure_open(&a, &report, secrets, 3, BYTES(data + 1, size - 1)))
			decode(&a, report.message);
	} else {
		struct secret32 um = onion_key("um", &secrets[1]);
		struct sha256 hmac = hmac_sha256(BYTES_OF(um.v), BYTES(data + 1, size - 1));

		memcpy(packet, hmac.v, 32);
		memcpy(packet + 32, data + 1, size - 1);
		failure_wrap(packet, size + 31, &secrets[1]);
		failure_wrap(packet, size + 31, &secrets[0]);
		ASSERT(failure_open(&a, &report, secrets, 3, BYTES(packet, size + 31)) && report.hop == 1);
		decode(&a, report.message);
	}
	decode(&a, BYTES(data + 1, size - 1));
	arena_release(&a);
	return 0;
}
