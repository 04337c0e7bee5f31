/* Stored records: what decodes is written in the newest version and reads back. */
#include "wire/vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_vector_new m;
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	if (record_vector_new_decode(BYTES(data, size), &a, &m)) {
		record_vector_new_encode(&m, &once);
		ASSERT(record_vector_new_decode(buf_view(&once), &a, &m));
		record_vector_new_encode(&m, &twice);
		ASSERT(bytes_equal(buf_view(&once), buf_view(&twice)));
		ASSERT(load_be16(once.data) == RECORD_VECTOR_NEW_VERSION);
	}
	arena_release(&a);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
