/* Scripts as Bitcoin Core's vectors write them: numbers, 'text', raw 0x bytes and opcodes by name. */
#ifndef TESTS_UNIT_SCRIPT_TEXT_H
#define TESTS_UNIT_SCRIPT_TEXT_H

#include <stdlib.h>
#include <string.h>

#include "tests/script/interpreter.h"
#include "tests/script/opcode.h"
#include "tests/test.h"

static inline bool text_is_number(const char *w, size_t size)
{
	size_t i = size > 1 && w[0] == '-';

	for (; i < size; i++)
		if (w[i] < '0' || w[i] > '9')
			return false;
	return true;
}

static inline void text_opcode(struct buf *out, const char *w, size_t size)
{
	if (size > 3 && strncmp(w, "OP_", 3) == 0) {
		w += 3;
		size -= 3;
	}
	for (int op = 0; op < 256; op++) {
		const char *name = opcode_name((uint8_t)op);

		if (name && strlen(name) == size && strncmp(name, w, size) == 0) {
			buf_add_u8(out, (uint8_t)op);
			return;
		}
	}
	test_failed(__FILE__, __LINE__, "no opcode: %.*s", (int)size, w);
}

static inline void text_word(struct buf *out, const char *w, size_t size)
{
	if (text_is_number(w, size))
		script_number(out, strtoll(w, NULL, 10));
	else if (size >= 2 && w[0] == '0' && w[1] == 'x')
		CHECK(buf_add_unhex(out, w + 2, size - 2));
	else if (size >= 2 && w[0] == '\'' && w[size - 1] == '\'')
		script_push(out, BYTES(w + 1, size - 2));
	else
		text_opcode(out, w, size);
}

/* The script's bytes, freed at the end of the test. */
static inline struct bytes text_script(const char *text)
{
	struct buf b = BUF_EMPTY;
	size_t size_all;
	uint8_t *kept;

	while (*text) {
		size_t skip = strspn(text, " \t\n"), size = strcspn(text + skip, " \t\n");

		if (size)
			text_word(&b, text + skip, size);
		text += skip + size;
	}
	kept = test_alloc(b.size + 1);
	if (b.size)
		memcpy(kept, b.data, b.size);
	size_all = b.size;
	buf_release(&b);
	return BYTES(kept, size_all);
}

/* "P2SH,WITNESS"; empty or NONE: no flag. */
static inline uint32_t text_flags(const char *text)
{
	uint32_t flags = 0;
	char word[64];

	while (*text) {
		size_t size = strcspn(text, ",");

		CHECK(size < sizeof(word));
		memcpy(word, text, size);
		word[size] = 0;
		if (size && strcmp(word, "NONE") != 0) {
			CHECK(script_flag_by_name(word));
			flags |= script_flag_by_name(word);
		}
		text += size + (text[size] == ',');
	}
	return flags;
}

/* Flags that mean nothing without others lose or bring them. */
static inline uint32_t flags_trim(uint32_t flags)
{
	if (!(flags & SCRIPT_P2SH))
		flags &= ~(uint32_t)SCRIPT_WITNESS;
	if (!(flags & SCRIPT_WITNESS))
		flags &= ~(uint32_t)SCRIPT_CLEANSTACK;
	return flags;
}

static inline uint32_t flags_fill(uint32_t flags)
{
	if (flags & SCRIPT_CLEANSTACK)
		flags |= SCRIPT_WITNESS;
	if (flags & SCRIPT_WITNESS)
		flags |= SCRIPT_P2SH;
	return flags;
}

#endif
