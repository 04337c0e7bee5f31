/* What a peer is shown whose signature is wrong. */
#ifndef TESTS_UNIT_CHANNEL_SHOWN_H
#define TESTS_UNIT_CHANNEL_SHOWN_H

#include "tests/channel_pair.h"
#include "tests/test.h"
#include "wire/message.h"

/* Takes the next message away, which is the warning that says so, with the id that it names. */
static inline struct tx *pair_shown_tx(struct pair *p, int to, struct channel_id *about)
{
	static const char words[] = "bad signature for ";
	struct msg_warning m;
	struct tx *t;
	uint8_t *raw;
	size_t size;

	CHECK(pair_peek_type(p, to) == MSG_WARNING && msg_warning_decode(pair_peek(p, to), &p->memory, &m) == DECODE_OK);
	CHECK(m.data.size > sizeof(words) && memcmp(m.data.data, words, sizeof(words) - 1) == 0);
	size = (m.data.size - sizeof(words) + 1) / 2;
	raw = arena_alloc(&p->memory, size);
	CHECK(hex_decode(raw, size, (const char *)m.data.data + sizeof(words) - 1, 2 * size));
	t = tx_parse(&p->memory, BYTES(raw, size));
	CHECK(t);
	*about = m.channel_id;
	pair_drop(p, to);
	return t;
}

#endif
