/* attribution_data: the vectors of BOLT 4, and what an origin makes of data that somebody on the way has changed. */
#include "onion/attribution.h"

#include <stdio.h>

#include "onion/failure.h"
#include "tests/test.h"
#include "tests/unit/onion_vectors.h"

#define HOPS_MOST (ATTRIBUTION_HOPS + 1)

static struct secret32 secrets[HOPS_MOST];

static void vector_secrets(void)
{
	for (int i = 0; i < 5; i++) {
		struct bytes b = test_unhex(onion_vector_secrets[i]);

		memcpy(secrets[i].v, b.data, sizeof(secrets[i].v));
	}
}

static void own_secrets(void)
{
	for (uint32_t i = 0; i < HOPS_MOST; i++)
		memset(secrets[i].v, (int)i + 1, sizeof(secrets[i].v));
}

/* --- vectors --- */

static void check_times(const struct attribution_report *r)
{
	CHECK(r->present);
	CHECK_EQ(r->verified, 5);
	for (uint32_t i = 0; i < 5; i++)
		CHECK_EQ(r->hold_times[i], 5 - i);
}

/* B4.erring_node.3, B4.intermediate_nodes.1, B4.intermediate_nodes.3 */
TEST(vector_of_a_failure)
{
	struct bytes raw = test_unhex(onion_vector_report);
	struct failure_attribution a = { 0 };
	struct failure_report report;
	struct arena arena;

	arena_init(&arena);
	vector_secrets();
	for (uint32_t i = 5; i-- > 0;) {
		a.hold_time = 5 - i;
		failure_wrap((uint8_t *)raw.data, raw.size, &a, &secrets[i]);
		CHECK_HEX(raw, onion_vector_wrapped[4 - i]);
	}
	CHECK_HEX(BYTES_OF(a.data.v), onion_vector_attribution);
	CHECK(failure_open(&arena, &report, secrets, 5, raw, BYTES_OF(a.data.v)));
	CHECK_EQ(report.hop, 4);
	check_times(&report.attributed);
	arena_release(&arena);
}

/* B2.update_fulfill_htlc_update_fail_htlc.9 */
TEST(vector_of_a_payment_that_arrived)
{
	struct attribution_report report;
	struct attribution a = { { 0 } };

	vector_secrets();
	for (uint32_t i = 5; i-- > 0;)
		attribution_add(&a, &secrets[i], 5 - i, BYTES_NONE);
	CHECK_HEX(BYTES_OF(a.v), onion_vector_attribution_paid);
	attribution_open(&report, secrets, 5, BYTES_OF(a.v));
	check_times(&report);
}

/* The hexadecimal after the n'th of these words, which the specification has once for a failure and once for a success. */
static const char *vector_in(const char *text, uint32_t node, uint32_t n)
{
	char words[64], *out = NULL;

	snprintf(words, sizeof(words), "attribution data for node %u:", node);
	for (uint32_t i = 0; i <= n; i++) {
		text = strstr(text, words);
		CHECK(text);
		text += strlen(words);
	}
	text += strspn(text, " \n");
	out = test_alloc(2 * ATTRIBUTION_SIZE + 1);
	memcpy(out, text, 2 * ATTRIBUTION_SIZE);
	return out;
}

TEST(every_step_of_the_specification)
{
	struct bytes file = test_shared_file("specs/bolts/04-onion-routing.md");
	char *text = test_alloc(file.size + 1);
	struct bytes raw = test_unhex(onion_vector_report);
	struct failure_attribution failed = { 0 };
	struct attribution paid = { { 0 } };

	memcpy(text, file.data, file.size);
	vector_secrets();
	for (uint32_t i = 5; i-- > 0;) {
		failed.hold_time = 5 - i;
		failure_wrap((uint8_t *)raw.data, raw.size, &failed, &secrets[i]);
		CHECK_HEX(BYTES_OF(failed.data.v), vector_in(text, i, 0));
		attribution_add(&paid, &secrets[i], 5 - i, BYTES_NONE);
		CHECK_HEX(BYTES_OF(paid.v), vector_in(text, i, 1));
	}
}

/* --- what an origin finds --- */

/* What comes back to the origin of a route, and what happened to it on the way. */
struct back {
	struct attribution a;
	uint8_t report[FAILURE_PACKET_SIZE];
};

struct change {
	uint32_t behind;       /* of what this hop sent upstream */
	size_t report_at, data_at; /* SIZE_MAX: not this one */
	bool dropped;          /* all of the attribution data */
};

static void come_back(struct back *b, uint32_t from, const struct change *c)
{
	memset(&b->a, 0, sizeof(b->a));
	for (uint32_t i = from + 1; i-- > 0;) {
		struct failure_attribution a = { b->a, 10 * i + 7 };

		failure_wrap(b->report, sizeof(b->report), &a, &secrets[i]);
		b->a = a.data;
		if (!c || c->behind != i)
			continue;
		if (c->report_at != SIZE_MAX)
			b->report[c->report_at] ^= 1;
		if (c->data_at != SIZE_MAX)
			b->a.v[c->data_at] ^= 1;
		if (c->dropped)
			memset(&b->a, 0, sizeof(b->a));
	}
}

static struct attribution_report opened(const struct back *b, uint32_t hop_count)
{
	struct failure_report report;
	struct arena arena;

	arena_init(&arena);
	/* A report that nobody can read. */
	CHECK(!failure_open(&arena, &report, secrets, hop_count, BYTES_OF(b->report), BYTES_OF(b->a.v)));
	arena_release(&arena);
	return report.attributed;
}

/* B4.origin_node.4 */
TEST(whoever_changes_something_shows_between_which_two)
{
	const uint32_t hops = 8;

	own_secrets();
	for (uint32_t from = 0; from < hops; from++)
		for (uint32_t behind = 0; behind <= from; behind++) {
			/* The HMAC of that hop for its place, and of the one after it. */
			const size_t own = ATTRIBUTION_TIMES_SIZE + 4 * (size_t)(ATTRIBUTION_HOPS - hops + behind);
			const size_t next = own + 4 * ATTRIBUTION_HOPS;
			/* Hold times of both, HMACs, places in the return packet. */
			const struct change changes[] = {
				{ behind, SIZE_MAX, 0, false }, { behind, SIZE_MAX, 3, false }, { behind, SIZE_MAX, own, false },
				{ behind, SIZE_MAX, behind + 1 < hops ? 5 : 2, false },
				{ behind, SIZE_MAX, behind + 1 < hops ? next : own + 3, false },
				{ behind, 0, SIZE_MAX, false }, { behind, 100, SIZE_MAX, false },
				{ behind, FAILURE_PACKET_SIZE - 1, SIZE_MAX, false },
			};

			for (size_t k = 0; k < ARRAY_COUNT(changes); k++) {
				struct back b = { 0 };

				come_back(&b, from, &changes[k]);
				CHECK_EQ(opened(&b, hops).verified, behind);
			}
		}
}

/* B4.intermediate_nodes.2: of a node that sends none, those before it tell, and that it was silent. */
TEST(up_to_the_first_node_that_takes_no_part)
{
	const uint32_t hops = 9;
	struct attribution_report r;

	own_secrets();
	for (uint32_t behind = 1; behind < hops; behind++) {
		const struct change c = { behind, SIZE_MAX, SIZE_MAX, true };
		struct back b = { 0 };

		come_back(&b, hops - 1, &c);
		r = opened(&b, hops);
		CHECK_EQ(r.verified, behind);
		CHECK(r.silent);
		for (uint32_t i = 0; i < behind; i++)
			CHECK_EQ(r.hold_times[i], 10 * i + 7);
	}
	/* A change is no silence. */
	for (uint32_t behind = 1; behind < hops; behind++) {
		const struct change c = { behind, 5, SIZE_MAX, false };
		struct back b = { 0 };

		come_back(&b, hops - 1, &c);
		r = opened(&b, hops);
		CHECK_EQ(r.verified, behind);
		CHECK(!r.silent);
	}
}

/* Each node's word counts wherever on the route the failure was made. */
TEST(a_failure_from_any_node_of_any_route)
{
	struct failure_report report;
	struct arena arena;

	own_secrets();
	arena_init(&arena);
	for (uint32_t hops = 1; hops <= HOPS_MOST; hops++)
		for (uint32_t from = 0; from < hops; from++) {
			const struct failure f = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
			struct failure_attribution a = { .hold_time = from };
			struct buf reason = BUF_EMPTY;

			failure_seal(&reason, &a, &secrets[from], &f);
			for (uint32_t i = from; i-- > 0;) {
				a.hold_time = i;
				failure_wrap(reason.data, reason.size, &a, &secrets[i]);
			}
			CHECK(failure_open(&arena, &report, secrets, hops, buf_view(&reason), BYTES_OF(a.data.v)));
			CHECK_EQ(report.hop, from);
			CHECK_EQ(report.attributed.present, hops <= ATTRIBUTION_HOPS);
			CHECK_EQ(report.attributed.verified, hops <= ATTRIBUTION_HOPS ? from + 1 : 0);
			for (uint32_t i = 0; i < report.attributed.verified; i++)
				CHECK_EQ(report.attributed.hold_times[i], i);
			buf_release(&reason);
		}
	arena_release(&arena);
}

TEST(what_is_no_attribution_data_says_nothing)
{
	struct attribution a = { { 0 } };
	struct attribution_report r;

	own_secrets();
	attribution_open(&r, secrets, 3, BYTES_NONE);
	CHECK(!r.present && !r.verified);
	attribution_open(&r, secrets, 3, BYTES(a.v, sizeof(a.v) - 1));
	CHECK(!r.present && !r.verified);
	attribution_open(&r, secrets, 3, BYTES_OF(a.v));
	CHECK(r.present && !r.verified);
	/* A return packet too short for an HMAC does not hide who cut it. */
	attribution_add(&a, &secrets[0], 4, BYTES_OF("cut"));
	{
		struct failure_report report;
		struct arena arena;

		arena_init(&arena);
		CHECK(!failure_open(&arena, &report, secrets, 3, BYTES_NONE, BYTES_OF(a.v)));
		CHECK(report.attributed.present && !report.attributed.verified);
		arena_release(&arena);
	}
}

TEST(hold_times_are_tenths_of_a_second)
{
	CHECK_EQ(attribution_units(0), 0);
	CHECK_EQ(attribution_units(99), 0);
	CHECK_EQ(attribution_units(300), 3);
	CHECK_EQ(attribution_units(UINT64_MAX), UINT32_MAX);
}
