/* Who may take how much of an outgoing channel, at each of its limits. */
#include "payment/slots.h"
#include "tests/unit/step_shown.h"

#define SLOTS 100u
#define OUT 7u
#define NOW 1000000000000ull
#define DAY_MS 86400000ull

static const struct pubkey mallory = { { 2, 1 } }, honest = { { 2, 2 } }, third = { { 2, 3 } };
static const struct slot_limits limits = { .own_percent = 10, .small = MSAT(1000), .small_percent = 40, .protected_percent = 25,
					   .peer_percent = 50, .peer_value_percent = 75 };
static struct slots s;

static void begin(void)
{
	static const uint8_t seed[16] = { 1 };

	slots_release(&s);
	memset(&s, 0, sizeof(s));
	slots_init(&s, seed);
	s.limits = limits;
}

static struct slot_question question(const struct pubkey *from, uint64_t msat)
{
	return (struct slot_question){ .channel_key = OUT, .from = from, .channel_slots = SLOTS, .channel_value = MSAT(1000000),
				       .other_peers = 3, .amount = MSAT(msat), .now_ms = NOW };
}

static bool let_in(const struct slot_question *q)
{
	if (slots_refuse(&s, q))
		return false;
	slots_take(&s, q->channel_key, q->from, q->amount);
	slots_check(&s);
	return true;
}

/* How many go in one after another. */
static uint32_t fill(const struct pubkey *from, uint64_t msat)
{
	const struct slot_question q = question(from, msat);
	uint32_t count = 0;

	while (let_in(&q))
		count++;
	return count;
}

TEST(one_peer_gets_its_share_and_leaves_the_rest)
{
	begin();
	/* 90 for others, 54 of them not small, 41 of these for everybody, half of that. */
	CHECK_EQ(fill(&mallory, 1000), 20);
	CHECK_EQ(fill(&honest, 1000), 20);
	CHECK_EQ(fill(&third, 1000), 1);
	slots_give_back(&s, OUT, &mallory, MSAT(1000));
	CHECK_EQ(fill(&third, 1000), 1);
	CHECK_EQ(slots_used(&s, OUT), 41);
	/* Another channel is another matter. */
	CHECK_EQ(slots_used(&s, OUT + 1), 0);
}

TEST(small_ones_crowd_nobody_out_but_their_kind)
{
	begin();
	/* 36 slots, 27 of them for everybody. */
	CHECK_EQ(fill(&mallory, 999), 13);
	CHECK_EQ(fill(&third, 999), 13);
	CHECK_EQ(fill(&honest, 999), 1);
	CHECK_EQ(fill(&honest, 1000), 20);
	begin();
	CHECK_EQ(fill(&mallory, 1000) + fill(&third, 1000), 40);
	CHECK_EQ(fill(&honest, 1), 13);
	/* No class of small ones: all slots are for the others. */
	begin();
	s.limits.small = MSAT(0);
	CHECK_EQ(fill(&mallory, 1), 34);
}

TEST(value_has_its_share_as_well)
{
	struct slot_question q;

	begin();
	q = question(&mallory, 1000000);
	CHECK(let_in(&q)); /* one may be as large as the channel */
	q.amount = MSAT(1000);
	CHECK(!let_in(&q));
	begin();
	q.amount = MSAT(700000);
	CHECK(let_in(&q));
	q.amount = MSAT(50001);
	CHECK(!let_in(&q));
	q.amount = MSAT(50000);
	CHECK(let_in(&q));
	q.amount = MSAT(UINT64_MAX);
	CHECK(!let_in(&q));
	q = question(&honest, 900000);
	CHECK(let_in(&q));
}

/* A limit that protects nobody is none; what is ours is kept all the same. */
TEST(alone_a_peer_may_take_all_but_ours)
{
	struct slot_question q;
	uint32_t count = 0;

	begin();
	q = question(&mallory, 1);
	q.other_peers = 1;
	while (let_in(&q))
		count++;
	CHECK_EQ(count, 90);
	/* With two there is half for each, whatever the share. */
	begin();
	s.limits.peer_percent = 10;
	q.other_peers = 2;
	q.amount = MSAT(1000);
	for (count = 0; let_in(&q);)
		count++;
	CHECK_EQ(count, 20);
	begin();
	s.limits.peer_percent = 10;
	q.other_peers = 20;
	for (count = 0; let_in(&q);)
		count++;
	CHECK_EQ(count, 4);
}

TEST(the_last_slots_are_for_those_who_earned_them)
{
	begin();
	CHECK(!slots_has_earned(&s, &honest, 3, NOW));
	slots_learn(&s, &honest, MSAT(500), true, 800, NOW);
	CHECK(slots_has_earned(&s, &honest, 3, NOW));
	CHECK(!slots_has_earned(&s, &mallory, 3, NOW));
	CHECK_EQ(fill(&mallory, 1000) + fill(&third, 1000), 40);
	/* Half of 54. */
	CHECK_EQ(fill(&honest, 1000), 14);
	CHECK_EQ(slots_used(&s, OUT), 54);
	CHECK_EQ(fill(&third, 1000), 0);
}

TEST(what_is_held_costs_its_fee_again)
{
	begin();
	slots_learn(&s, &honest, MSAT(1000), true, 0, NOW);
	slots_learn(&s, &mallory, MSAT(1000), true, 0, NOW);
	CHECK(slots_has_earned(&s, &mallory, 2, NOW));
	/* A failure that is quick is no fault. */
	slots_learn(&s, &mallory, MSAT(1000), false, SLOTS_HELD_MS - 1, NOW);
	CHECK(slots_has_earned(&s, &mallory, 2, NOW));
	/* An hour costs forty times the fee. */
	slots_learn(&s, &mallory, MSAT(1000), false, 3600000, NOW);
	CHECK(!slots_has_earned(&s, &mallory, 2, NOW));
	slots_learn(&s, &mallory, MSAT(38000), true, 0, NOW);
	CHECK(!slots_has_earned(&s, &mallory, 2, NOW)); /* 39 of 40 */
	slots_learn(&s, &mallory, MSAT(40000), true, 0, NOW);
	CHECK(slots_has_earned(&s, &mallory, 2, NOW));
	slots_learn(&s, &mallory, MSAT(UINT64_MAX), false, UINT64_MAX, NOW);
	CHECK(!slots_has_earned(&s, &mallory, 2, NOW));
}

/* Half after two weeks: who earned once is passed by who earns now. */
TEST(what_was_earned_fades)
{
	begin();
	slots_learn(&s, &mallory, MSAT(64000), true, 0, NOW);
	slots_learn(&s, &honest, MSAT(1000), true, 0, NOW + 1);
	CHECK(!slots_has_earned(&s, &honest, 2, NOW + 1));
	slots_learn(&s, &honest, MSAT(1000), true, 0, NOW + 14 * 5 * DAY_MS);
	CHECK(slots_has_earned(&s, &honest, 2, NOW + 14 * 5 * DAY_MS));
	CHECK(slots_has_earned(&s, &mallory, 2, NOW + 14 * 5 * DAY_MS)); /* 2000 of 3031 */
	slots_learn(&s, &honest, MSAT(64000), true, 0, NOW + 14 * 10 * DAY_MS);
	CHECK(!slots_has_earned(&s, &mallory, 2, NOW + 14 * 10 * DAY_MS));
	CHECK(!slots_has_earned(&s, &honest, 2, NOW + 14 * 200 * DAY_MS)); /* nothing is left of it */
	/* A clock that went back changes nothing. */
	CHECK(slots_has_earned(&s, &honest, 2, NOW));
}

/* What a node stores of it is what it knows after a start; of a peer without a channel nothing is left. */
TEST(what_was_earned_is_stored_and_forgotten_with_the_peer)
{
	static const uint8_t seed[16] = { 2 };
	struct effects effects;
	struct slots again = { .earned = 0 };
	struct step step = { .out = &effects, .now_ms = NOW };
	struct bytes key, value;

	begin();
	effects_init(&effects);
	CHECK(slots_learn(&s, &mallory, MSAT(1000), true, 0, NOW - 14 * DAY_MS));
	slots_store(&s, &step, &mallory);
	CHECK(slots_learn(&s, &honest, MSAT(1000), true, SLOTS_HELD_MS, NOW));
	CHECK(slots_learn(&s, &honest, MSAT(3000), true, 0, NOW));
	slots_store(&s, &step, &honest);
	CHECK(!slots_learn(&s, &third, MSAT(1000), false, 0, NOW)); /* costs nothing, is not worth a write */
	CHECK_EQ(count_effects(&effects, EFFECT_PERSIST), 2);
	slots_init(&again, seed);
	for (const struct effect *f = effects.head; f; f = f->next) {
		key = f->u.persist.key;
		value = f->u.persist.value;
		CHECK(f->u.persist.kind == RECORD_EARNED);
		CHECK(slots_load(&again, key, value));
		CHECK(!slots_load(&again, key, value)); /* one a peer */
	}
	CHECK(!slots_load(&again, BYTES_OF(third.v), BYTES(value.data, value.size - 1)));
	CHECK(!slots_load(&again, BYTES(third.v, 32), value));
	CHECK_EQ(again.earned, s.earned);
	CHECK_EQ(again.earned, 4500);
	CHECK_EQ(again.earned_ms, s.earned_ms);
	for (uint64_t later = 0; later < 200; later += 7) {
		CHECK_EQ(slots_has_earned(&again, &honest, 1, NOW + later * DAY_MS), slots_has_earned(&s, &honest, 1, NOW + later * DAY_MS));
		CHECK_EQ(slots_has_earned(&again, &mallory, 1, NOW + later * DAY_MS), slots_has_earned(&s, &mallory, 1, NOW + later * DAY_MS));
	}
	effects_reset(&effects);
	slots_forget(&again, &step, &honest);
	slots_forget(&again, &step, &honest);
	CHECK_EQ(count_effects(&effects, EFFECT_PERSIST), 1);
	CHECK(effects.head->u.persist.remove && bytes_equal(effects.head->u.persist.key, BYTES_OF(honest.v)));
	CHECK_EQ(again.earned, 500);
	CHECK(!slots_has_earned(&again, &honest, 1, NOW) && slots_has_earned(&again, &mallory, 1, NOW));
	CHECK_EQ(table_count(&again.peers), 1);
	slots_release(&again);
	effects_release(&effects);
}

/* Two jammers fill all that is open to everybody: whoever has paid his way still passes, and so do we. */
TEST(jammers_of_two_peers)
{
	struct slot_question q;

	begin();
	slots_learn(&s, &honest, MSAT(100000), true, 0, NOW);
	for (int i = 0; i < 200; i++)
		slots_learn(&s, &mallory, MSAT(100), false, 7200000, NOW);
	CHECK_EQ(fill(&mallory, 2000) + fill(&third, 2000), 40);
	CHECK_EQ(fill(&mallory, 500) + fill(&third, 500), 26);
	q = question(&honest, 2000);
	CHECK(let_in(&q));
	q.amount = MSAT(500);
	CHECK(let_in(&q));
	CHECK(slots_used(&s, OUT) <= SLOTS - SLOTS / 10);
}
