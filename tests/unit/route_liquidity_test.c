#include "tests/unit/route_setup.h"

#define CAPACITY MSAT(1000000)

static struct liquidity *fresh(uint32_t most)
{
	return liquidity_new(seed16, most, 3600);
}

static struct model_range range_at(const struct liquidity *l, uint32_t channel, int direction, uint64_t now_s)
{
	const struct liquidity_entry *e = liquidity_find(l, scid_of(channel));

	CHECK(e);
	return liquidity_range(l, e, direction, CAPACITY, now_s);
}

static void check_range(struct model_range r, uint64_t low, uint64_t high)
{
	CHECK_EQ(r.low, low);
	CHECK_EQ(r.high, high);
}

/* --- the model --- */

TEST(a_chance_falls_with_the_amount)
{
	const struct model_range ranges[] = { { 0, 1000000, 1000000 }, { 1000, 999000, 1000000 }, { 400000, 400020, 1000000 },
					      { 0, 3, 1000000 }, { 5, 5, 5 }, { 0, SUPPLY_SAT * 1000, SUPPLY_SAT * 1000 } };

	for (uint32_t i = 0; i < ARRAY_COUNT(ranges); i++) {
		const struct model_range *r = &ranges[i];
		uint32_t before = MODEL_ONE_Q30, cost = 0;

		for (uint32_t k = 0; k <= 200; k++) {
			uint64_t amount = r->capacity / 200 * k;
			uint32_t chance = model_chance_q30(r, amount), price = model_cost_q16(r, amount);

			CHECK(chance <= before);
			CHECK(price >= cost);
			CHECK(amount > r->low || (chance == MODEL_ONE_Q30 && price == 0));
			CHECK(amount <= r->high || chance == 0);
			before = chance;
			cost = price;
		}
		CHECK_EQ(model_cost_q16(r, r->high + 1), MODEL_COST_MAX_Q16);
	}
}

TEST(the_prior_is_what_its_header_says)
{
	const struct model_range r = { 0, 1000000, 1000000 };

	/* Half of the time the larger half is on the other side. */
	CHECK_EQ(model_chance_q30(&r, 500000), MODEL_ONE_Q30 / 2);
	/* (1 - 0.1) / 2 + B(0.1) / 2, where B(0.1) is about 0.684 */
	CHECK(model_chance_q30(&r, 100000) > 0.785 * MODEL_ONE_Q30 && model_chance_q30(&r, 100000) < 0.80 * MODEL_ONE_Q30);
	CHECK(model_chance_q30(&r, 900000) > 0.20 * MODEL_ONE_Q30 && model_chance_q30(&r, 900000) < 0.22 * MODEL_ONE_Q30);
	/* What is left of the range shares what is left of the chance. */
	CHECK_EQ(model_chance_q30(&(struct model_range){ 0, 500000, 1000000 }, 500000), 0);
	CHECK_EQ(model_chance_q30(&(struct model_range){ 500000, 1000000, 1000000 }, 500000), MODEL_ONE_Q30);
}

TEST(logarithms_and_their_inverse)
{
	CHECK_EQ(model_log_q16(MODEL_ONE_Q30), 0);
	CHECK_EQ(model_log_q16(MODEL_ONE_Q30 / 2), 45426);
	CHECK_EQ(model_log_q16(0), MODEL_COST_MAX_Q16);
	CHECK_EQ(model_exp_q30(0), MODEL_ONE_Q30);
	CHECK_EQ(model_exp_q30(1u << 30), 0);
	for (uint32_t p = MODEL_ONE_Q30; p > 1u << 17; p -= p / 9) {
		int64_t back = model_exp_q30(model_log_q16(p));

		CHECK(back > (int64_t)p - p / 200 - 4 && back < (int64_t)p + p / 200 + 4);
	}
}

TEST(memory_halves_with_its_half_life)
{
	CHECK_EQ(model_memory_q16(0, 100), 65536);
	CHECK_EQ(model_memory_q16(50, 100), 49152);
	CHECK_EQ(model_memory_q16(100, 100), 32768);
	CHECK_EQ(model_memory_q16(300, 100), 8192);
	CHECK_EQ(model_memory_q16(UINT64_MAX, 1), 0);
	CHECK_EQ(model_scale(1000, 32768), 500);
	CHECK_EQ(model_scale(UINT64_MAX, 65536), UINT64_MAX);
	CHECK_EQ(model_bias_q16(0), 65536);
	CHECK_EQ(model_bias_q16(20), 32768);
	CHECK_EQ(model_bias_q16(-20), 131072);
	CHECK_EQ(model_bias_q16(-100), 65536 * 32);
	CHECK_EQ(model_bias_q16(100), 65536 / 32);
}

/* --- facts --- */

TEST(successes_and_failures_make_a_range)
{
	struct liquidity *l = fresh(10);

	CHECK(!liquidity_find(l, scid_of(1)));
	liquidity_could(l, scid_of(1), 0, MSAT(200000), 100);
	check_range(range_at(l, 1, 0, 100), 200000, 1000000);
	/* What one direction has the other has not. */
	check_range(range_at(l, 1, 1, 100), 0, 800000);
	liquidity_could_not(l, scid_of(1), 0, MSAT(600000), 100);
	check_range(range_at(l, 1, 0, 100), 200000, 599999);
	check_range(range_at(l, 1, 1, 100), 400001, 800000);
	/* Weaker facts of the same time change nothing. */
	liquidity_could(l, scid_of(1), 0, MSAT(1000), 100);
	liquidity_could_not(l, scid_of(1), 0, MSAT(900000), 100);
	check_range(range_at(l, 1, 0, 100), 200000, 599999);
	liquidity_check(l);
	liquidity_free(l);
}

TEST(the_newer_of_two_that_contradict_counts)
{
	struct liquidity *l = fresh(10);

	liquidity_could_not(l, scid_of(1), 0, MSAT(300000), 100);
	liquidity_could(l, scid_of(1), 0, MSAT(500000), 101);
	check_range(range_at(l, 1, 0, 101), 500000, 1000000);
	liquidity_could_not(l, scid_of(1), 0, MSAT(400000), 102);
	check_range(range_at(l, 1, 0, 102), 0, 399999);
	/* Of two directions: both had more than half. */
	liquidity_could(l, scid_of(2), 0, MSAT(700000), 100);
	liquidity_could(l, scid_of(2), 1, MSAT(600000), 200);
	CHECK(range_at(l, 2, 1, 200).low == 600000);
	CHECK(range_at(l, 2, 0, 200).low <= 400000);
	CHECK(range_at(l, 2, 0, 200).low <= range_at(l, 2, 0, 200).high);
	liquidity_free(l);
}

TEST(facts_fade)
{
	struct liquidity *l = fresh(10);

	liquidity_could(l, scid_of(1), 0, MSAT(400000), 1000);
	liquidity_could_not(l, scid_of(1), 0, MSAT(600001), 1000);
	check_range(range_at(l, 1, 0, 1000 + 3600), 200000, 800000);
	check_range(range_at(l, 1, 0, 1000 + 7200), 100000, 900000);
	check_range(range_at(l, 1, 0, 1000 + 3600 * 40), 0, 1000000);
	/* A clock that went back. */
	check_range(range_at(l, 1, 0, 10), 400000, 600000);
	liquidity_free(l);
}

TEST(a_settled_payment_moves_liquidity)
{
	struct liquidity *l = fresh(10);

	liquidity_could(l, scid_of(1), 0, MSAT(500000), 100);
	liquidity_could_not(l, scid_of(1), 0, MSAT(600000), 100);
	liquidity_moved(l, scid_of(1), 0, MSAT(300000), 100);
	check_range(range_at(l, 1, 0, 100), 200000, 299999);
	check_range(range_at(l, 1, 1, 100), 700001, 800000);
	/* More than was known to be there: it was there. */
	liquidity_moved(l, scid_of(1), 0, MSAT(900000), 100);
	check_range(range_at(l, 1, 0, 100), 0, 0);
	liquidity_free(l);
}

TEST(facts_beyond_the_capacity_do_no_harm)
{
	struct liquidity *l = fresh(10);

	liquidity_could(l, scid_of(1), 0, MSAT(UINT64_MAX), 100);
	check_range(range_at(l, 1, 0, 100), 1000000, 1000000);
	check_range(range_at(l, 1, 1, 100), 0, 0);
	liquidity_could_not(l, scid_of(2), 0, MSAT(0), 100);
	check_range(range_at(l, 2, 0, 100), 0, 0);
	liquidity_moved(l, scid_of(1), 1, MSAT(UINT64_MAX), UINT64_MAX);
	CHECK(range_at(l, 1, 0, 0).low <= range_at(l, 1, 0, 0).high);
	liquidity_free(l);
}

TEST(what_was_touched_longest_ago_goes_first)
{
	struct liquidity *l = fresh(3);
	uint64_t changed;

	for (uint32_t i = 1; i <= 3; i++)
		liquidity_could(l, scid_of(i), 0, MSAT(i), 100);
	liquidity_could(l, scid_of(1), 0, MSAT(1), 101);
	changed = liquidity_changed(l);
	liquidity_could(l, scid_of(4), 1, MSAT(4), 102);
	CHECK(liquidity_changed(l) > changed);
	CHECK_EQ(liquidity_count(l), 3);
	CHECK(!liquidity_find(l, scid_of(2)));
	CHECK(liquidity_find(l, scid_of(1)) && liquidity_find(l, scid_of(3)) && liquidity_find(l, scid_of(4)));
	CHECK_EQ(liquidity_next(l, NULL)->scid.v, scid_of(4).v);
	changed = liquidity_changed(l);
	liquidity_forget(l, scid_of(4));
	/* Whoever keeps a clone sees that it is stale. */
	CHECK(liquidity_changed(l) > changed);
	liquidity_forget(l, scid_of(99));
	CHECK_EQ(liquidity_count(l), 2);
	liquidity_check(l);
	liquidity_free(l);
}

TEST(a_thousand_channels_and_a_clone)
{
	struct liquidity *l = fresh(1000), *copy;
	uint64_t random = 4;

	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t channel = (uint32_t)(route_world_random(&random) % 1500);

		if (i % 7 == 0)
			liquidity_forget(l, scid_of(channel));
		else
			liquidity_could(l, scid_of(channel), (int)(i & 1), MSAT(1 + i), i);
	}
	liquidity_check(l);
	CHECK(liquidity_count(l) <= 1000 && liquidity_count(l) > 600);
	copy = liquidity_clone(l);
	liquidity_check(copy);
	CHECK_EQ(liquidity_count(copy), liquidity_count(l));
	for (const struct liquidity_entry *e = NULL; (e = liquidity_next(l, e));) {
		const struct liquidity_entry *c = liquidity_find(copy, e->scid);

		CHECK(c && c->changed == e->changed && msat_cmp(c->side[0].could, e->side[0].could) == 0);
		CHECK_EQ(liquidity_slot(copy, c), liquidity_slot(l, e));
	}
	liquidity_free(l);
	liquidity_could(copy, scid_of(1), 0, MSAT(1), 1);
	liquidity_free(copy);
}

/* --- records --- */

struct shelf {
	struct effects effects;
	struct step step;
	uint32_t written, removed;
};

static void open_shelf(struct shelf *s)
{
	*s = (struct shelf){ .step = { .out = &s->effects } };
	effects_init(&s->effects);
}

/* Everything that was persisted goes into another instance. */
static void take(struct shelf *s, struct liquidity *into)
{
	s->written = s->removed = 0;
	for (struct effect *e = s->effects.head; e; e = e->next) {
		CHECK_EQ(e->kind, EFFECT_PERSIST);
		CHECK_EQ(e->u.persist.kind, RECORD_LIQUIDITY);
		if (e->u.persist.remove) {
			s->removed++;
			liquidity_forget(into, (struct scid){ load_be64(e->u.persist.key.data) });
		} else {
			s->written++;
			CHECK(liquidity_load(into, e->u.persist.key, e->u.persist.value));
		}
	}
	effects_reset(&s->effects);
}

TEST(records_bring_facts_back)
{
	struct liquidity *l = fresh(3), *back = fresh(3);
	struct shelf s;

	open_shelf(&s);
	liquidity_could(l, scid_of(1), 0, MSAT(123456), 100);
	liquidity_could_not(l, scid_of(1), 1, MSAT(999), 200);
	liquidity_could(l, scid_of(2), 1, MSAT(5), 300);
	liquidity_flush(l, &s.step);
	take(&s, back);
	CHECK_EQ(s.written, 2);
	check_range(range_at(back, 1, 0, 200), range_at(l, 1, 0, 200).low, range_at(l, 1, 0, 200).high);
	check_range(range_at(back, 1, 1, 200), range_at(l, 1, 1, 200).low, range_at(l, 1, 1, 200).high);
	CHECK_EQ(liquidity_find(back, scid_of(1))->side[1].could_not_at_s, 200);
	/* Only what changed is written again, and what was just read not at all. */
	liquidity_flush(l, &s.step);
	liquidity_flush(back, &s.step);
	CHECK(!s.effects.head);
	liquidity_could(l, scid_of(2), 1, MSAT(6), 301);
	liquidity_could(l, scid_of(3), 1, MSAT(7), 302);
	liquidity_could(l, scid_of(4), 1, MSAT(8), 303); /* the first goes */
	liquidity_flush(l, &s.step);
	take(&s, back);
	CHECK_EQ(s.written, 3);
	CHECK_EQ(s.removed, 1);
	CHECK(!liquidity_find(back, scid_of(1)));
	/* One that goes and comes back before the flush is written and not removed. */
	liquidity_could(l, scid_of(5), 0, MSAT(1), 304);
	liquidity_could(l, scid_of(2), 0, MSAT(1), 305);
	liquidity_flush(l, &s.step);
	take(&s, back);
	CHECK(liquidity_find(back, scid_of(2)));
	CHECK_EQ(liquidity_count(back), 3);
	liquidity_check(back);
	effects_release(&s.effects);
	liquidity_free(l);
	liquidity_free(back);
}

TEST(damaged_records_are_refused)
{
	struct liquidity *l = fresh(3);
	const uint8_t key[8] = { 0 }, value[70] = { 0, 1 };

	CHECK(!liquidity_load(l, BYTES(key, 7), BYTES_OF(value)));
	CHECK(!liquidity_load(l, BYTES_OF(key), BYTES(value, 9)));
	CHECK(!liquidity_load(l, BYTES_OF(key), BYTES_NONE));
	CHECK_EQ(liquidity_count(l), 0);
	liquidity_free(l);
}
