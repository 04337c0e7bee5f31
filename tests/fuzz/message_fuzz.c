/* Every decoder of messages and failures: the first two bytes are the type.
 * What decodes must encode to something that decodes to the same bytes again. */
#include <stdlib.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct codec *c, struct bytes in, bool is_message)
{
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
	void *m = mem_alloc(c->struct_size);
	struct arena a;

	arena_init(&a);
	if (c->decode(in, &a, m) == DECODE_OK) {
		c->encode(m, &once);
		/* Only unknown odd records of an extension may be lost. */
		ASSERT(once.size <= in.size);
		ASSERT(!is_message || once.size <= MESSAGE_SIZE_MAX);
		ASSERT(c->decode(buf_view(&once), &a, m) == DECODE_OK);
		c->encode(m, &twice);
		ASSERT(bytes_equal(buf_view(&once), buf_view(&twice)));
	}
	/* Memory stays in proportion to the input. */
	ASSERT(a.used <= 4096 + 64 * in.size);
	arena_release(&a);
	buf_release(&once);
	buf_release(&twice);
	mem_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct codec *c;
	uint16_t type;

	if (!msg_type(BYTES(data, size), &type) || size > MESSAGE_SIZE_MAX)
		return 0;
	c = msg_codec(type);
	if (c)
		round_trip(c, BYTES(data, size), true);
	c = fail_codec(type);
	if (c)
		round_trip(c, BYTES(data, size), false);
	return 0;
}
