#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shorter = a.size < b.size ? a.size : b.size;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

	if (order)
		return order;
	return a.size < b.size ? -1 : a.size > b.size;
}

struct bytes bytes_from_string(const char *s)
{
	return BYTES(s, strlen(s));
}

bool bytes_all_zero(struct bytes b)
{
	for (size_t i = 0; i < b.size; i++)
		if (b.data[i])
			return false;
	return true;
}

void buf_init(struct buf *b)
{
	*b = BUF_EMPTY;
}

void buf_release(struct buf *b)
{
	mem_free(b->data);
	buf_init(b);
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		mem_wipe(b->data, b->capacity);
	buf_release(b);
}

void buf_clear(struct buf *b)
{
	b->size = 0;
}

uint8_t *buf_extend(struct buf *b, size_t size)
{
	uint8_t *p;

	ASSERT(size <= SIZE_MAX / 4 && b->size <= SIZE_MAX / 4);
	if (b->capacity - b->size < size) {
		size_t capacity = b->capacity ? b->capacity : 64;

		while (capacity - b->size < size)
			capacity *= 2;
		b->data = mem_realloc(b->data, capacity, 1);
		b->capacity = capacity;
	}
	p = b->data + b->size;
	b->size += size;
	return p;
}

void buf_add(struct buf *b, const void *p, size_t size)
{
	if (size)
		memcpy(buf_extend(b, size), p, size);
}

void buf_add_bytes(struct buf *b, struct bytes v)
{
	buf_add(b, v.data, v.size);
}

void buf_add_string(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int size;

	va_start(ap, fmt);
	size = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ASSERT(size >= 0);
	buf_extend(b, (size_t)size + 1);
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->size - (size_t)size - 1, (size_t)size + 1, fmt, ap);
	va_end(ap);
	b->size--;
}

void buf_consume(struct buf *b, size_t size)
{
	ASSERT(size <= b->size);
	if (size && size < b->size)
		memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
}

struct bytes buf_view(const struct buf *b)
{
	return BYTES(b->data, b->size);
}

void buf_add_u8(struct buf *b, uint8_t v)
{
	*buf_extend(b, 1) = v;
}

void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

void store_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void store_le64(uint8_t *p, uint64_t v)
{
	store_le32(p, (uint32_t)v);
	store_le32(p + 4, (uint32_t)(v >> 32));
}

void buf_add_be16(struct buf *b, uint16_t v)
{
	store_be16(buf_extend(b, 2), v);
}

void buf_add_be32(struct buf *b, uint32_t v)
{
	store_be32(buf_extend(b, 4), v);
}

void buf_add_be64(struct buf *b, uint64_t v)
{
	store_be64(buf_extend(b, 8), v);
}

void buf_add_le16(struct buf *b, uint16_t v)
{
	uint8_t *p = buf_extend(b, 2);

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void buf_add_le32(struct buf *b, uint32_t v)
{
	store_le32(buf_extend(b, 4), v);
}

void buf_add_le64(struct buf *b, uint64_t v)
{
	store_le64(buf_extend(b, 8), v);
}

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(char *out, const void *p, size_t size)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < size; i++) {
		*out++ = hex_digits[b[i] >> 4];
		*out++ = hex_digits[b[i] & 15];
	}
	*out = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(uint8_t *out, size_t size, const char *s, size_t s_size)
{
	if (s_size / 2 != size || s_size % 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = hex_value(s[2 * i]), low = hex_value(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void buf_add_hex(struct buf *b, struct bytes v)
{
	for (size_t i = 0; i < v.size; i++) {
		uint8_t *p = buf_extend(b, 2);

		p[0] = (uint8_t)hex_digits[v.data[i] >> 4];
		p[1] = (uint8_t)hex_digits[v.data[i] & 15];
	}
}

bool buf_add_unhex(struct buf *b, const char *s, size_t s_size)
{
	size_t before = b->size;

	if (s_size % 2)
		return false;
	if (!hex_decode(buf_extend(b, s_size / 2), s_size / 2, s, s_size)) {
		b->size = before;
		return false;
	}
	return true;
}
