/* Loading: what is stored is enough, and what contradicts itself is refused
 * before it can do harm. */
#include <string.h>

#include "channel/machine.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

/* Side 1 has an undecided HTLC of 0, an HTLC of its own, one it fulfilled while offline. */
static void busy(struct pair *p)
{
	uint64_t id;

	pair_ready(p, true);
	CHECK_EQ(pair_offer(p, 0, MSAT(50000000), 1, &id), OFFER_OK);
	CHECK_EQ(pair_offer(p, 0, MSAT(60000000), 2, &id), OFFER_OK);
	CHECK_EQ(pair_offer(p, 1, MSAT(70000000), 3, &id), OFFER_OK);
	pair_run(p);
	pair_cut(p);
	CHECK(pair_fulfill(p, 1, 1, 2));
}

static struct pair_record *record(struct pair *p, enum record_kind kind, int nth)
{
	for (struct pair_record *r = p->side[1].store; r; r = r->next)
		if (r->kind == kind && nth-- == 0)
			return r;
	CHECK(!"no such record");
	return NULL;
}

/* Loads what side 1 has stored; skip: a record that is left out. */
static bool loads(struct pair *p, const struct pair_record *skip)
{
	struct pair_side *s = &p->side[1];
	struct channel_notes notes;
	struct channel *ch = NULL;
	struct step *step;
	bool ok = true;

	for (struct pair_record *r = s->store; r; r = r->next)
		if (r->kind == RECORD_CHANNEL)
			ch = channel_load(&s->policy, BYTES(r->value, r->value_size));
	if (!ch)
		return false;
	for (struct pair_record *r = s->store; r && ok; r = r->next)
		if (r->kind != RECORD_CHANNEL && r != skip)
			ok = channel_load_part(ch, r->kind, BYTES(r->key, r->key_size), BYTES(r->value, r->value_size));
	step = pair_begin(p, 1, &notes);
	ok = ok && channel_start(ch, step, &notes);
	channel_free(ch);
	return ok;
}

static void set(struct pair_record *r, struct buf *value)
{
	mem_free(r->value);
	r->value = mem_alloc(value->size);
	memcpy(r->value, value->data, value->size);
	r->value_size = value->size;
	buf_release(value);
}

static void change_htlc(struct pair *p, int nth, void (*change)(struct channel_htlc *h))
{
	struct pair_record *r = record(p, RECORD_HTLC, nth);
	struct buf b = BUF_EMPTY;
	struct channel_htlc h;

	CHECK(channel_htlc_decode(BYTES(r->key, r->key_size), BYTES(r->value, r->value_size), &p->memory, &h));
	change(&h);
	channel_htlc_encode(&h, &b);
	set(r, &b);
}

static void change_record(struct pair *p, void (*change)(struct channel_record *r))
{
	struct pair_record *r = record(p, RECORD_CHANNEL, 0);
	struct channel_record c;
	struct buf b = BUF_EMPTY;

	CHECK(channel_record_decode(BYTES(r->value, r->value_size), &c));
	change(&c);
	channel_record_encode(&c, &b);
	set(r, &b);
}

TEST(everything_is_there_after_a_restart)
{
	struct pair p;
	struct txid before;

	busy(&p);
	CHECK(loads(&p, NULL));
	before = channel_commitment_txid(p.side[1].ch);
	pair_forget_notes(&p);
	pair_restart(&p, 1);
	{
		struct txid after = channel_commitment_txid(p.side[1].ch);

		CHECK(SAME(before, after));
	}
	/* The undecided one is told again, the decided one is not. */
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_HTLC_IN), 1);
	CHECK_EQ(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->htlc_id, 0);
	CHECK_EQ(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->onion_size, ONION_SIZE);
	CHECK_EQ(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->onion_first, 1);
	CHECK_EQ(pair_note(&p, 1, CHANNEL_NOTE_HTLC_IN)->cltv_expiry, channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 0)->cltv_expiry);
	CHECK_EQ(pair_note_count(&p, 1, CHANNEL_NOTE_WATCH_FUNDING), 1);
	CHECK_EQ(channel_htlc_get(p.side[1].ch, SIDE_LOCAL, 0)->cookie[1], 3);
	CHECK_EQ(channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 1)->resolution, HTLC_FULFILLED);
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 1);
	pair_check_agree(&p);
	pair_release(&p);
}

TEST(onions_are_stored_while_they_may_be_needed)
{
	struct pair p;
	uint32_t onions[2] = { 0, 0 };

	busy(&p);
	for (int side = 0; side < 2; side++)
		for (const struct pair_record *r = p.side[side].store; r; r = r->next)
			onions[side] += r->kind == RECORD_HTLC_ONION;
	/* One undecided HTLC each; what we sent has arrived, and what is decided is not read again. */
	CHECK_EQ(onions[0], 1);
	CHECK_EQ(onions[1], 1);
	pair_release(&p);
}

TEST(what_is_missing_is_noticed)
{
	static const enum record_kind kinds[] = { RECORD_COMMIT_SIGS, RECORD_SHACHAIN, RECORD_HTLC_ONION };
	struct pair p;

	busy(&p);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		CHECK(!loads(&p, record(&p, kinds[i], 0)));
	/* An onion without its HTLC. */
	CHECK(!loads(&p, record(&p, RECORD_HTLC, 0)) || !loads(&p, record(&p, RECORD_HTLC, 1)) || !loads(&p, record(&p, RECORD_HTLC, 2)));
	CHECK(loads(&p, NULL));
	pair_release(&p);
}

static void too_much(struct channel_htlc *h) { h->amount = MSAT(999000000); }
static void id_from_the_future(struct channel_record *r) { r->next_htlc_id[SIDE_REMOTE] = 1; }
static void not_resolved_but_removed(struct channel_htlc *h) { h->state = h->owner == SIDE_LOCAL ? RCVD_REMOVE_COMMIT : RCVD_REMOVE_REVOCATION; h->resolution = HTLC_UNRESOLVED; }
static void more_money(struct channel_record *r) { r->settled[SIDE_LOCAL].v += 1; }
static void other_commitment(struct channel_record *r) { r->local_number++; r->local_revoked++; }
static void other_revocations(struct channel_record *r) { r->remote_number++; r->remote_revoked++; }
static void two_ahead(struct channel_record *r) { r->local_number += 2; }
static void two_ahead_remote(struct channel_record *r) { r->remote_number += 2; }
static void no_feerate(struct channel_record *r) { r->feerates[4] = FEERATE(0); }
static void uncommitted_feerate(struct channel_record *r) { r->feerates[0] = FEERATE(500); }
static void opening(struct channel_record *r) { r->state = OPENINGD; }
static void beyond_supply(struct channel_record *r) { r->funding_amount = SAT(SUPPLY_SAT + 1); }

static void check_htlc(void (*change)(struct channel_htlc *h))
{
	for (int nth = 0; nth < 3; nth++) {
		struct pair p;

		busy(&p);
		change_htlc(&p, nth, change);
		CHECK(!loads(&p, NULL));
		pair_release(&p);
	}
}

static void check_record(void (*change)(struct channel_record *r))
{
	struct pair p;

	busy(&p);
	change_record(&p, change);
	CHECK(!loads(&p, NULL));
	pair_release(&p);
}

TEST(what_contradicts_itself_is_noticed)
{
	check_htlc(too_much);
	check_htlc(not_resolved_but_removed);
	check_record(id_from_the_future);
	check_record(more_money);
	check_record(other_commitment);
	check_record(other_revocations);
	check_record(two_ahead);
	check_record(two_ahead_remote);
	check_record(no_feerate);
	check_record(uncommitted_feerate);
	check_record(opening);
	check_record(beyond_supply);
}

TEST(bytes_that_are_damaged)
{
	static const enum record_kind kinds[] = { RECORD_CHANNEL, RECORD_HTLC, RECORD_HTLC_ONION, RECORD_COMMIT_SIGS, RECORD_SHACHAIN };

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct pair p;

		busy(&p);
		record(&p, kinds[i], 0)->value_size--;
		CHECK(!loads(&p, NULL));
		pair_release(&p);
	}
}

TEST(spent_credits_load_in_any_order)
{
	struct pair p;
	uint64_t id;

	/* Side 1 starts with almost nothing, is paid, and spends that at once, while the removal is still under way. */
	pair_init(&p);
	p.args.push = MSAT(10000000);
	pair_open(&p);
	CHECK_EQ(pair_offer(&p, 0, MSAT(200000000), 1, &id), OFFER_OK);
	pair_run(&p);
	CHECK(pair_fulfill(&p, 1, 0, 1));
	CHECK_EQ(pair_offer(&p, 1, MSAT(199000000), 2, &id), OFFER_OK);
	pair_flush(&p, 1);
	for (int n = 0; n < 12; n++) {
		CHECK(loads(&p, NULL));
		pair_restart(&p, 0);
		pair_cut(&p);
		pair_connect(&p);
		for (int k = 0; k <= n; k++)
			(void)(pair_deliver(&p, n % 2) || pair_deliver(&p, !(n % 2)));
	}
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_IN) > 0, true);
	CHECK_EQ(channel_to_us(p.side[1].ch).v, 11000000);
	pair_check_agree(&p);
	pair_release(&p);
}
