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

static const struct secret32 secrets[3] = { { { 1 } }, { { 2 } }, { { 3 } } };

/* Raw bytes as a return packet, and as its attribution data if there are enough. */
static void open_raw(struct arena *a, struct bytes raw)
{
	const bool attributed = raw.size >= ATTRIBUTION_SIZE;
	struct bytes data = attributed ? BYTES(raw.data, ATTRIBUTION_SIZE) : BYTES_NONE;
	struct failure_report report;

	if (attributed)
		raw = BYTES(raw.data + ATTRIBUTION_SIZE, raw.size - ATTRIBUTION_SIZE);
	if (failure_open(a, &report, secrets, 3, raw, data))
		decode(a, report.message);
	ASSERT(report.attributed.present == attributed && report.attributed.verified <= 3);
	attribution_open(&report.attributed, secrets, 3, data);
}

/* The second hop authenticates the body; the third may have sent any attribution data. */
static void open_sealed(struct arena *a, struct bytes raw)
{
	struct failure_attribution attribution = { .hold_time = (uint32_t)raw.size };
	struct secret32 um = onion_key("um", &secrets[1]);
	struct sha256 hmac = hmac_sha256(BYTES_OF(um.v), raw);
	const size_t packet_size = sizeof(hmac.v) + raw.size;
	uint8_t *packet = arena_alloc(a, packet_size);
	struct failure_report report;

	memcpy(attribution.data.v, raw.data, raw.size < ATTRIBUTION_SIZE ? raw.size : ATTRIBUTION_SIZE);
	memcpy(packet, hmac.v, sizeof(hmac.v));
	memcpy(packet + sizeof(hmac.v), raw.data, raw.size);
	failure_wrap(packet, packet_size, &attribution, &secrets[1]);
	attribution.hold_time++;
	failure_wrap(packet, packet_size, &attribution, &secrets[0]);
	ASSERT(failure_open(a, &report, secrets, 3, BYTES(packet, packet_size), BYTES_OF(attribution.data.v)) && report.hop == 1);
	ASSERT(report.attributed.verified == 2 && report.attributed.hold_times[0] == (uint32_t)raw.size + 1 &&
	       report.attributed.hold_times[1] == (uint32_t)raw.size);
	decode(a, report.message);
	/* One bit of what our peer sent is another: it is our peer's, or nobody's, but never the second hop's alone. */
	if (raw.size > 2) {
		packet[load_be16(raw.data) % packet_size] ^= 1;
		ASSERT(!failure_open(a, &report, secrets, 3, BYTES(packet, packet_size), BYTES_OF(attribution.data.v)));
		ASSERT(report.attributed.present && report.attributed.verified == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;

	if (size < 1)
		return 0;
	arena_init(&a);
	if (data[0] & 1)
		open_raw(&a, BYTES(data + 1, size - 1));
	else
		open_sealed(&a, BYTES(data + 1, size - 1));
	decode(&a, BYTES(data + 1, size - 1));
	arena_release(&a);
	return 0;
}
