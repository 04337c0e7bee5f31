/* Random interleavings of everything that can happen to two channels, from
 * seeds: offers, resolutions, feerates, late signatures, cut connections at
 * every message, restarts from what was stored.  Whatever happens, both sides
 * agree in the end and every satoshi is where the resolutions put it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"

struct world {
	struct pair p;
	struct drbg random;
	bool connected, may_close, closing;
	uint32_t calm; /* the greater, the more messages are delivered between accidents */
	int64_t moved; /* msat from side 0 to side 1 by fulfilled HTLCs */
	uint32_t offered[2], fulfilled, failed, fee_changes, spent_all;
};

static uint32_t pick(struct world *w, uint32_t below)
{
	uint8_t r[4];

	drbg_fill(&w->random, r, sizeof(r));
	return load_be32(r) % below;
}

static void maybe_offer(struct world *w, int side)
{
	static const uint64_t amounts[] = { 1000, 200000, 400000, 1000000, 5000000, 20000000 };
	uint64_t id;
	uint8_t byte = (uint8_t)(1 + pick(w, 200));
	struct amount_msat amount = MSAT(amounts[pick(w, 6)] + pick(w, 1000)), all;

	/* All there is, to the millisatoshi: what one side may offer the other must take. */
	if (pick(w, 8) == 0) {
		all = channel_spendable(w->p.side[side].ch, &w->p.side[side].step);
		if (all.v)
			amount = all;
		w->spent_all += all.v != 0;
	}
	w->offered[side] += pair_offer_until(&w->p, side, amount, byte, w->p.height + 400, &id) == OFFER_OK;
}

static const struct channel_htlc *some_undecided(struct world *w, int side)
{
	const struct channel_htlc *h = NULL, *found = NULL;
	uint32_t n = 0;

	while ((h = channel_htlc_next(w->p.side[side].ch, h)))
		if (h->state == RCVD_ADD_ACK_REVOCATION && h->resolution == HTLC_UNRESOLVED && pick(w, ++n) == 0)
			found = h;
	return found;
}

static bool maybe_resolve(struct world *w, int side)
{
	const struct channel_htlc *h = some_undecided(w, side);
	int64_t amount;

	if (!h)
		return false;
	amount = (int64_t)h->amount.v;
	if (pick(w, 3)) {
		CHECK(h->onion.size == ONION_SIZE);
		CHECK(pair_fulfill(&w->p, side, h->id, h->onion.data[0]));
		w->moved += side == 1 ? amount : -amount;
		w->fulfilled++;
	} else {
		CHECK(pair_fail(&w->p, side, h->id));
		w->failed++;
	}
	return true;
}

static void change_feerate(struct world *w)
{
	struct channel_notes notes;
	struct step *s = pair_begin(&w->p, 0, &notes);

	w->fee_changes += channel_set_feerate(w->p.side[0].ch, s, FEERATE(500 + pick(w, 2500)));
	pair_end(&w->p, 0, &notes);
}

static void cut(struct world *w)
{
	if (w->connected)
		pair_cut(&w->p);
	w->connected = false;
}

static void reconnect(struct world *w)
{
	if (!w->connected)
		pair_connect(&w->p);
	w->connected = true;
}

static void restart(struct world *w)
{
	int side = (int)pick(w, 2);

	cut(w);
	pair_restart(&w->p, side);
}

/* The process dies in the middle of a batch: what the signer did, it did. */
static void crash(struct world *w)
{
	int side = (int)pick(w, 2);

	if (w->connected)
		pair_deliver_crash(&w->p, side);
	pair_restart(&w->p, side);
	cut(w);
}

static void something(struct world *w)
{
	int side = (int)pick(w, 2);

	switch (pick(w, 40 * w->calm)) {
	case 0:
		cut(w);
		break;
	case 1:
		restart(w);
		break;
	case 2:
	case 3:
		change_feerate(w);
		break;
	case 29:
		/* The beginning of the end, in one world of three. */
		if (w->may_close && pick(w, 4) == 0)
			w->closing |= pair_shutdown(&w->p, side);
		break;
	case 28:
		crash(w);
		break;
	case 4:
		pair_blocks(&w->p, 1);
		break;
	case 5:
		w->p.side[side].hold_signatures = !w->p.side[side].hold_signatures;
		break;
	case 6: case 7: case 8: case 9: case 10: case 11:
		maybe_offer(w, side);
		break;
	case 12: case 13: case 14: case 15: case 16:
		(void)maybe_resolve(w, side);
		break;
	case 17: case 18: case 19:
		if (w->p.side[side].is_held)
			pair_answer(&w->p, side);
		break;
	case 20: case 21: case 22:
		reconnect(w);
		break;
	case 23: case 24: case 25: case 26: case 27:
		pair_flush(&w->p, side);
		break;
	default:
		if (pick(w, 6) == 0)
			maybe_offer(w, side);
		else if (pick(w, 4) == 0)
			(void)maybe_resolve(w, side);
		if (pick(w, 3) == 0)
			pair_flush(&w->p, side);
		for (uint32_t n = 1 + pick(w, 4); n > 0; n--)
			(void)pair_deliver_quiet(&w->p, side);
		break;
	}
}

static void settle(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		w->p.side[i].hold_signatures = false;
		if (w->p.side[i].is_held)
			pair_answer(&w->p, i);
	}
	cut(w);
	reconnect(w);
	for (int round = 0; round < 10; round++) {
		pair_run(&w->p);
		while (maybe_resolve(w, 0) || maybe_resolve(w, 1))
			;
	}
}

static void check_end(struct world *w)
{
	const struct channel *a = w->p.side[0].ch, *b = w->p.side[1].ch;

	CHECK_EQ(channel_state_of(a), w->closing ? CLOSINGD_COMPLETE : CHANNELD_NORMAL);
	CHECK_EQ(channel_state_of(b), w->closing ? CLOSINGD_COMPLETE : CHANNELD_NORMAL);
	CHECK_EQ(channel_htlc_count(a), 0);
	CHECK_EQ(channel_htlc_count(b), 0);
	CHECK(!channel_is_busy(a) && !channel_is_busy(b));
	CHECK(!w->p.side[0].published && !w->p.side[1].published);
	CHECK_EQ(channel_to_us(a).v, 700000000 - w->moved);
	CHECK_EQ(channel_to_us(b).v, 300000000 + w->moved);
	CHECK_EQ(channel_feerate(a, SIDE_LOCAL).per_kw, channel_feerate(b, SIDE_LOCAL).per_kw);
	pair_check_agree(&w->p);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(w->p.side[i].errors_sent, 0);
		CHECK_EQ(w->p.side[i].hang_ups, 0);
	}
	/* Nothing of an HTLC is left in the store but traces for penalties. */
	for (int i = 0; i < 2; i++)
		for (const struct pair_record *r = w->p.side[i].store; r; r = r->next)
			CHECK(r->kind != RECORD_HTLC && r->kind != RECORD_HTLC_ONION);
}

static void play(uint64_t seed, uint32_t steps, uint32_t totals[3])
{
	struct world *w = test_alloc(sizeof(*w));
	uint8_t seed32[32] = { 0 };

	memset(w, 0, sizeof(*w));
	store_be64(seed32, seed);
	drbg_init(&w->random, seed32);
	pair_ready(&w->p, seed % 2);
	w->connected = true;
	w->calm = 1 + (uint32_t)(seed % 5);
	w->may_close = seed % 3 == 0;
	for (uint32_t i = 0; i < steps; i++)
		something(w);
	settle(w);
	check_end(w);
	totals[0] += w->fulfilled;
	totals[1] += w->failed;
	totals[2] += w->closing;
	pair_release(&w->p);
}

/* B2.message_retransmission.5, B2.message_retransmission.6, B2.message_retransmission.29,
 * B2.message_retransmission.31, B2.message_retransmission.32, B2.message_retransmission.46: any of these broken, and
 * the two would end with different commitments, an error, or money in the wrong place. */
TEST(both_agree_whatever_happens)
{
	const char *from = getenv("SEED"), *count = getenv("SEEDS");
	uint64_t first = from ? strtoull(from, NULL, 10) : 1, n = count ? strtoull(count, NULL, 10) : 60;
	uint32_t totals[3] = { 0, 0, 0 };

	for (uint64_t seed = first; seed < first + n; seed++) {
		if (from)
			printf("seed %llu\n", (unsigned long long)seed);
		play(seed, 400, totals);
	}
	if (from)
		printf("%u fulfilled, %u failed, %u closed\n", totals[0], totals[1], totals[2]);
	/* The worlds were not empty. */
	CHECK(totals[0] > n && totals[1] > n / 2 && totals[2] > n / 10);
}
