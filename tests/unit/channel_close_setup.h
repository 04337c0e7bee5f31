/* A close by agreement, as both of its ends left it. */
#ifndef TESTS_UNIT_CHANNEL_CLOSE_SETUP_H
#define TESTS_UNIT_CHANNEL_CLOSE_SETUP_H

#include "channel/machine.h"
#include "contract/closing.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

static inline struct tx *closing_of(struct pair *p, int side)
{
	const struct pair_note *n = pair_note(p, side, CHANNEL_NOTE_BROADCAST);

	CHECK(n && n->mutual);
	return tx_parse(&p->memory, BYTES(n->tx, n->tx_size));
}

/* Both have the same transaction, signed by both. */
static inline struct tx *check_closed(struct pair *p)
{
	struct tx *a, *b;
	struct txid x, y;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(channel_state_of(p->side[i].ch), CLOSINGD_COMPLETE);
	a = closing_of(p, 0);
	b = closing_of(p, 1);
	x = tx_id(a);
	y = tx_id(b);
	CHECK(SAME(x, y));
	CHECK(outpoint_equal(&a->inputs[0].prev, &p->funding));
	CHECK_EQ(a->inputs[0].witness_count, 4);
	CHECK(!p->side[0].published && !p->side[1].published);
	for (int i = 0; i < 2; i++) {
		struct bytes script = funding_witness_script(&p->memory, &p->side[0].points.funding, &p->side[1].points.funding);
		struct sha256 hash = sighash_segwit(a, 0, script, SAT(1000000), SIGHASH_ALL);
		struct sig64 sig;
		bool found = false;

		for (uint32_t w = 1; w <= 2; w++) {
			struct bytes item = a->inputs[0].witness[w];

			CHECK(sig_from_der(&sig, BYTES(item.data, item.size - 1)));
			found |= ecdsa_verify(&sig, &hash, &p->side[i].points.funding);
		}
		CHECK(found); /* B2.closing_signed.7 */
	}
	return a;
}

#endif
