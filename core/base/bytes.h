/* Byte views and growing buffers.
 *
 * struct bytes borrows; struct buf owns (object lifetime, buf_release). */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct bytes {
	const uint8_t *data;
	size_t size;
};

#define BYTES(p, n) ((struct bytes){ (const uint8_t *)(p), (n) })
#define BYTES_OF(array) BYTES((array), sizeof(array))
#define BYTES_NONE ((struct bytes){ NULL, 0 })

MUST_USE bool bytes_equal(struct bytes a, struct bytes b);
/* Order of memcmp, a prefix before what it begins. */
MUST_USE int bytes_compare(struct bytes a, struct bytes b);
struct bytes bytes_from_string(const char *s);
MUST_USE bool bytes_all_zero(struct bytes b);

struct buf {
	uint8_t *data;
	size_t size, capacity;
};

#define BUF_EMPTY ((struct buf){ NULL, 0, 0 })

void buf_init(struct buf *b);
void buf_release(struct buf *b);
void buf_wipe(struct buf *b); /* wipes, then releases */
void buf_clear(struct buf *b); /* keeps the capacity */
/* Room for size more bytes; returns where they go.  buf->size already counts them. */
uint8_t *buf_extend(struct buf *b, size_t size);
void buf_add(struct buf *b, const void *p, size_t size);
void buf_add_bytes(struct buf *b, struct bytes v);
void buf_add_string(struct buf *b, const char *s); /* without the NUL */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops size bytes at the front. */
void buf_consume(struct buf *b, size_t size);
struct bytes buf_view(const struct buf *b);

/* Integers in buffers: be = big endian (the wire), le = little endian (Bitcoin). */
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_be16(struct buf *b, uint16_t v);
void buf_add_be32(struct buf *b, uint32_t v);
void buf_add_be64(struct buf *b, uint64_t v);
void buf_add_le16(struct buf *b, uint16_t v);
void buf_add_le32(struct buf *b, uint32_t v);
void buf_add_le64(struct buf *b, uint64_t v);

static inline uint16_t load_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}
static inline uint16_t load_le16(const uint8_t *p) { return (uint16_t)(p[1] << 8 | p[0]); }
static inline uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
static inline uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p + 4) << 32 | load_le32(p);
}
void store_be16(uint8_t *p, uint16_t v);
void store_be32(uint8_t *p, uint32_t v);
void store_be64(uint8_t *p, uint64_t v);
void store_le32(uint8_t *p, uint32_t v);
void store_le64(uint8_t *p, uint64_t v);

/* Hexadecimal: lower case out, either case in. */
void hex_encode(char *out, const void *p, size_t size); /* 2 * size + 1 bytes with the NUL */
/* False unless s is exactly 2 * size hex digits. */
MUST_USE bool hex_decode(uint8_t *out, size_t size, const char *s, size_t s_size);
void buf_add_hex(struct buf *b, struct bytes v);
/* Appends the decoded bytes; false (buffer unchanged) unless s is all hex pairs. */
MUST_USE bool buf_add_unhex(struct buf *b, const char *s, size_t s_size);

#endif
