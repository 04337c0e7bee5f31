/* TLV streams: the first byte chooses the namespace. */
#include "wire/message.h"
#include "wire/vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUND_TRIP(stream, in, lossless) \
	do { \
		struct tlvs_##stream m; \
		struct decode_fault fault = { 0, 0 }; \
		struct buf once = BUF_EMPTY, twice = BUF_EMPTY; \
		enum decode_result r = tlvs_##stream##_decode((in), &a, &m, &fault); \
		if (r == DECODE_OK) { \
			tlvs_##stream##_encode(&m, &once); \
			ASSERT(!(lossless) || bytes_equal(buf_view(&once), (in))); \
			ASSERT(tlvs_##stream##_decode(buf_view(&once), &a, &m, NULL) == DECODE_OK); \
			tlvs_##stream##_encode(&m, &twice); \
			ASSERT(bytes_equal(buf_view(&once), buf_view(&twice))); \
		} else { \
			ASSERT(fault.offset < (in).size); \
		} \
		buf_release(&once); \
		buf_release(&twice); \
	} while (0)

static void raw_list(struct arena *a, struct bytes in)
{
	struct tlv_record *list;
	struct buf again = BUF_EMPTY;
	uint32_t count;

	if (tlv_list_decode(in, a, &list, &count, NULL) != DECODE_OK)
		return;
	/* BOLT 1's rules leave one encoding of a list. */
	tlv_list_encode(list, count, &again);
	ASSERT(bytes_equal(buf_view(&again), in));
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in;
	struct arena a;

	if (size < 1)
		return 0;
	in = BYTES(data + 1, size - 1);
	arena_init(&a);
	switch (data[0] % 6) {
	case 0:
		raw_list(&a, in);
		break;
	case 1:
		ROUND_TRIP(n1, in, false);
		break;
	case 2:
		ROUND_TRIP(n2, in, false);
		break;
	case 3:
		ROUND_TRIP(onion_payload, in, true);
		break;
	case 4:
		ROUND_TRIP(encrypted_data, in, true);
		break;
	case 5:
		ROUND_TRIP(onionmsg, in, true);
		break;
	}
	arena_release(&a);
	return 0;
}
