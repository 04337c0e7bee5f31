/* Peeling and the payload: any packet, and any payload inside a packet whose HMAC is right. */
#include "onion/opening.h"

#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void raw_packet(const uint8_t *data, size_t size)
{
	static const struct sha256 hash;
	static const struct secret32 secret = { { 1 } };
	uint8_t packet[ONION_PACKET_SIZE] = { 0 };
	struct opening o;
	struct arena a;

	memcpy(packet, data, size < sizeof(packet) ? size : sizeof(packet));
	arena_init(&a);
	if (opening_start(&o, packet, &hash, NULL) == OPENING_ASK)
		(void)opening_answer(&o, &a, &secret);
	arena_release(&a);
}

/* The frame behind the HMAC, as a hostile sender would fill it. */
static void authentic_packet(const uint8_t *data, size_t size)
{
	static const uint8_t generator[33] = {
		0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
		0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
	};
	static const struct secret32 secret = { { 1 } };
	static const struct sha256 payment_hash;
	struct secret32 rho = onion_key("rho", &secret), mu = onion_key("mu", &secret);
	uint8_t packet[ONION_PACKET_SIZE] = { 0 }, *payloads = packet + 34;
	struct opening o;
	struct sha256 hmac;
	struct arena a;

	memcpy(packet + 1, generator, sizeof(generator));
	memcpy(payloads, data, size < ONION_PAYLOADS_SIZE ? size : ONION_PAYLOADS_SIZE);
	onion_stream_xor(payloads, ONION_PAYLOADS_SIZE, &rho);
	hmac = hmac_sha256_pair(BYTES_OF(mu.v), BYTES(payloads, ONION_PAYLOADS_SIZE), BYTES_OF(payment_hash.v));
	memcpy(payloads + ONION_PAYLOADS_SIZE, hmac.v, sizeof(hmac.v));
	arena_init(&a);
	ASSERT(opening_start(&o, packet, &payment_hash, NULL) == OPENING_ASK);
	if (opening_answer(&o, &a, &secret) == OPENING_REFUSED)
		ASSERT(o.why.code != FAIL_INVALID_ONION_HMAC);
	arena_release(&a);
}

/* What was read writes and reads back the same. */
static void payload_alone(const uint8_t *data, size_t size, bool is_final)
{
	struct payload p, back;
	struct failure why;
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	if (payload_read(&a, &p, &why, BYTES(data, size), is_final)) {
		if (!is_final)
			p.custom_count = 0;
		payload_write(&p, &once);
		ASSERT(payload_read(&a, &back, &why, buf_view(&once), is_final));
		payload_write(&back, &twice);
		ASSERT(bytes_equal(buf_view(&once), buf_view(&twice)));
	}
	buf_release(&once);
	buf_release(&twice);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] & 3) {
	case 0:
		raw_packet(data + 1, size - 1);
		break;
	case 1:
		authentic_packet(data + 1, size - 1);
		break;
	default:
		payload_alone(data + 1, size - 1, data[0] & 1);
		break;
	}
	return 0;
}
