/* An answer over HTTP: however it is cut into pieces, the same comes out, and never more than was allowed. */
#include <stdlib.h>

#include "runtime/chain/http_answer.h"

#define BODY_MAX 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct read {
	bool good, done;
	int status;
	size_t used;
	struct buf body;
};

static struct read read_all(struct bytes text, size_t step)
{
	struct read r = { .good = true };
	struct http_answer a;
	size_t used;

	http_answer_init(&a, &r.body, BODY_MAX);
	while (r.good && r.used < text.size && a.state != HTTP_DONE) {
		struct bytes piece = BYTES(text.data + r.used, text.size - r.used < step ? text.size - r.used : step);

		r.good = http_answer_read(&a, piece, &used);
		if (r.good && used < piece.size && a.state != HTTP_DONE)
			abort();
		r.used += used;
	}
	if (r.body.size > BODY_MAX)
		abort();
	r.done = r.good && http_answer_end(&a);
	r.status = a.status;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct read whole, pieces;

	if (size == 0)
		return 0;
	whole = read_all(BYTES(data + 1, size - 1), size);
	pieces = read_all(BYTES(data + 1, size - 1), 1 + data[0] % 9);
	if (whole.good != pieces.good || whole.done != pieces.done)
		abort();
	/* Of what is refused a larger piece may have brought less. */
	if (whole.good && (whole.used != pieces.used || whole.status != pieces.status ||
			   !bytes_equal(buf_view(&whole.body), buf_view(&pieces.body))))
		abort();
	buf_release(&whole.body);
	buf_release(&pieces.body);
	return 0;
}
