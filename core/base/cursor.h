/* A reader over bytes that fails once and stays failed.
 *
 * Every read after the first that does not fit returns zeros, so a parser
 * reads straight through and asks cursor_ok or cursor_done at the end. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/bytes.h"

struct cursor {
	const uint8_t *data;
	size_t left;
	bool failed;
};

struct cursor cursor_of(struct bytes b);
MUST_USE bool cursor_ok(const struct cursor *c);
/* Nothing failed and nothing is left over. */
MUST_USE bool cursor_done(const struct cursor *c);
void cursor_fail(struct cursor *c);

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_be16(struct cursor *c);
uint32_t cursor_be32(struct cursor *c);
uint64_t cursor_be64(struct cursor *c);
uint16_t cursor_le16(struct cursor *c);
uint32_t cursor_le32(struct cursor *c);
uint64_t cursor_le64(struct cursor *c);
void cursor_copy(struct cursor *c, void *out, size_t size);
/* A view into the cursor's own bytes; empty after a failure. */
struct bytes cursor_bytes(struct cursor *c, size_t size);
struct bytes cursor_rest(struct cursor *c);

#endif
