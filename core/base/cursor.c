#include "base/cursor.h"

#include <string.h>

struct cursor cursor_of(struct bytes b)
{
	return (struct cursor){ b.data, b.size, false };
}

bool cursor_ok(const struct cursor *c)
{
	return !c->failed;
}

bool cursor_done(const struct cursor *c)
{
	return !c->failed && c->left == 0;
}

void cursor_fail(struct cursor *c)
{
	c->failed = true;
	c->left = 0;
}

struct bytes cursor_bytes(struct cursor *c, size_t size)
{
	struct bytes b = { c->data, size };

	if (c->failed || size > c->left) {
		cursor_fail(c);
		return BYTES_NONE;
	}
	if (size)
		c->data += size;
	c->left -= size;
	return b;
}

struct bytes cursor_rest(struct cursor *c)
{
	return cursor_bytes(c, c->left);
}

void cursor_copy(struct cursor *c, void *out, size_t size)
{
	struct bytes b = cursor_bytes(c, size);

	if (b.size == size && size)
		memcpy(out, b.data, size);
	else
		memset(out, 0, size);
}

uint8_t cursor_u8(struct cursor *c)
{
	uint8_t v;

	cursor_copy(c, &v, 1);
	return v;
}

#define READER(name, type, size, load) \
	type name(struct cursor *c) \
	{ \
		uint8_t raw[size]; \
		cursor_copy(c, raw, size); \
		return load(raw); \
	}

READER(cursor_be16, uint16_t, 2, load_be16)
READER(cursor_be32, uint32_t, 4, load_be32)
READER(cursor_be64, uint64_t, 8, load_be64)
READER(cursor_le16, uint16_t, 2, load_le16)
READER(cursor_le32, uint32_t, 4, load_le32)
READER(cursor_le64, uint64_t, 8, load_le64)
