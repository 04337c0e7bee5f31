/* Whatever a peer sends to a live channel, in whatever state: no invariant of
 * core/channel/machine.h breaks, the strict signer of tests/channel_pair.c is
 * never asked for what could lose money, and what is stored can be loaded.
 *
 * The input is a list of moves: a byte that chooses one, and for a forged
 * message its type, how much of a true message of that kind to keep, and the
 * bytes that replace the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* tests/test.h without its main: a CHECK that fails is a crash. */
_Noreturn void test_failed(const char *file, int line, const char *fmt, ...)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, fmt);
	abort();
}

void test_check_eq(const char *file, int line, const char *expr, long long a, long long b)
{
	if (a != b)
		test_failed(file, line, "%s", expr);
}

static const uint16_t types[] = {
	MSG_ACCEPT_CHANNEL, MSG_FUNDING_CREATED, MSG_FUNDING_SIGNED, MSG_CHANNEL_READY, MSG_SHUTDOWN, MSG_CLOSING_SIGNED,
	MSG_UPDATE_ADD_HTLC, MSG_UPDATE_FULFILL_HTLC, MSG_UPDATE_FAIL_HTLC, MSG_UPDATE_FAIL_MALFORMED_HTLC, MSG_UPDATE_FEE,
	MSG_COMMITMENT_SIGNED, MSG_REVOKE_AND_ACK, MSG_CHANNEL_REESTABLISH, MSG_START_BATCH, MSG_TX_ABORT, MSG_ERROR, 0xfffe, 0xffff,
};

/* A message of that type with the right channel id, and fields that are often right. */
static void forge(struct pair *p, int to, uint16_t type, struct cursor *c)
{
	uint8_t message[4096] = { 0 };
	size_t true_size = pair_peek(p, to).size, keep = cursor_u8(c), more = cursor_u8(c) * 6u, n;
	struct bytes rest;

	if (true_size && pair_peek_type(p, to) == type && true_size <= sizeof(message)) {
		/* What the peer really sent, with a few bytes changed. */
		memcpy(message, pair_peek(p, to).data, true_size);
		rest = cursor_bytes(c, c->left < more ? c->left : more);
		for (size_t i = 0; i < rest.size && 34 + keep + i < true_size; i++)
			message[34 + keep + i] ^= rest.data[i];
		pair_forge(p, to, BYTES(message, true_size));
		return;
	}
	store_be16(message, type);
	if (p->side[to].ch)
		memcpy(message + 2, channel_id_of(p->side[to].ch)->v, 32);
	rest = cursor_bytes(c, c->left < more ? c->left : more);
	n = rest.size < sizeof(message) - 34 ? rest.size : sizeof(message) - 34;
	if (n)
		memcpy(message + 34, rest.data, n);
	/* An add is long: zeros for the onion. */
	if (type == MSG_UPDATE_ADD_HTLC && keep < 200)
		n = 8 + 8 + 32 + 4 + ONION_SIZE;
	pair_forge(p, to, BYTES(message, 34 + n));
}

static void resolve(struct pair *p, int side, uint8_t how)
{
	const struct channel_htlc *h = NULL;

	if (!p->side[side].ch)
		return;
	while ((h = channel_htlc_next(p->side[side].ch, h))) {
		if (h->state != RCVD_ADD_ACK_REVOCATION || h->resolution != HTLC_UNRESOLVED)
			continue;
		if ((how & 1) && h->onion.size)
			(void)pair_fulfill(p, side, h->id, h->onion.data[0]);
		else
			(void)pair_fail(p, side, h->id);
		return;
	}
}

static void fresh_connection(struct pair *p)
{
	pair_cut(p);
	pair_connect(p);
}

static void move(struct pair *p, struct cursor *c)
{
	uint8_t what = cursor_u8(c);
	int side = what & 1;
	uint64_t id;

	if (!p->side[side].ch)
		return;
	switch (what >> 1 & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		forge(p, side, types[cursor_u8(c) % ARRAY_COUNT(types)], c);
		break;
	case 4:
	case 5:
	case 6:
		(void)pair_deliver_quiet(p, side);
		break;
	case 7:
		pair_flush(p, side);
		break;
	case 8:
		if (channel_state_of(p->side[side].ch) != OPENINGD)
			(void)pair_offer(p, side, MSAT(cursor_u8(c) * 500000ull), (uint8_t)(what | 1), &id);
		break;
	case 9:
		resolve(p, side, cursor_u8(c));
		break;
	case 10:
		fresh_connection(p);
		break;
	case 11:
		pair_restart(p, side);
		fresh_connection(p);
		break;
	case 12:
		(void)pair_shutdown(p, side);
		break;
	case 13:
		p->side[side].hold_signatures = !p->side[side].hold_signatures;
		break;
	case 14:
		if (p->side[side].is_held)
			pair_answer(p, side);
		break;
	case 15:
		pair_blocks(p, 1 + cursor_u8(c) % 8u);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(BYTES(data, size));
	struct pair *p = mem_alloc(sizeof(*p));
	uint8_t start = cursor_u8(&c);

	if (start % 8 == 0) {
		pair_init(p);
		pair_start(p);
	} else {
		pair_ready(p, start & 1);
	}
	for (int i = 0; i < 200 && c.left > 0; i++)
		move(p, &c);
	for (int side = 0; side < 2; side++)
		pair_restart(p, side);
	pair_release(p);
	mem_free(p);
	return 0;
}
