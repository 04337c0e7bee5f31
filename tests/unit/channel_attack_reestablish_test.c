/* Disclosed attacks with channel_reestablish, and lies in it.  docs/ATTACKS.md tells of each. */
#include <string.h>

#include "channel/machine.h"
#include "tests/channel_pair.h"
#include "tests/test.h"

static void pay(struct pair *p, int from, uint8_t byte)
{
	uint64_t id;

	CHECK_EQ(pair_offer(p, from, MSAT(5000000), byte, &id), OFFER_OK);
	pair_run(p);
	CHECK(pair_fulfill(p, !from, id, byte));
	pair_run(p);
}

/* Whether the connection is lost before the peer has revoked for the last commitment. */
static void used(struct pair *p, uint32_t payments, bool outstanding)
{
	uint64_t id;

	pair_ready(p, true);
	for (uint32_t i = 0; i < payments; i++)
		pay(p, i % 2, (uint8_t)(i + 1));
	if (outstanding) {
		CHECK_EQ(pair_offer(p, 0, MSAT(5000000), 99, &id), OFFER_OK);
		pair_flush(p, 0);
	}
	pair_cut(p);
	pair_forget_notes(p);
	pair_connect(p);
}

static struct msg_channel_reestablish theirs(struct pair *p)
{
	struct msg_channel_reestablish m;

	CHECK_EQ(msg_channel_reestablish_decode(pair_peek(p, 0), &p->memory, &m), DECODE_OK);
	return m;
}

static void say(struct pair *p, const struct msg_channel_reestablish *m)
{
	struct buf b = BUF_EMPTY;

	msg_channel_reestablish_encode(m, &b);
	pair_replace(p, 0, &b);
	(void)pair_deliver(p, 0);
}

/* --- next_commitment_number 0 ---
 * No commitment has the number before the first.  Who counts down from it reads another's memory, and who waits for
 * it waits for ever with HTLCs in the channel. */

TEST(next_commitment_number_0)
{
	for (uint32_t payments = 0; payments < 4; payments++)
		for (int outstanding = 0; outstanding < 2; outstanding++) {
			struct msg_channel_reestablish m;
			struct pair p;

			used(&p, payments, outstanding);
			m = theirs(&p);
			m.next_commitment_number = 0;
			say(&p, &m);
			CHECK_EQ(p.side[0].failed, 1);
			CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FAILED)->text, "your next_commitment_number is 0");
			CHECK(pair_note(&p, 0, CHANNEL_NOTE_BROADCAST));
			CHECK(pair_has(&p, 1, MSG_ERROR));
			CHECK(!channel_record_of(p.side[0].ch)->data_lost);
			pair_release(&p);
		}
}

/* --- Lies ---
 * Every combination of numbers and secrets.  The signers of the pair fail the test if a commitment is published that
 * was revoked, if two of one number are signed, or a secret leaves early. */

enum secret_kind { SECRET_TRUE, SECRET_ZERO, SECRET_RANDOM, SECRET_OF_THE_NUMBER, SECRET_KINDS };

/* Whether side 0 must believe that it has lost data: only what it never revealed can prove that. */
static bool proves_loss(const struct pair *p, const struct msg_channel_reestablish *m, enum secret_kind kind)
{
	uint64_t revoked = channel_record_of(p->side[0].ch)->local_revoked;

	return kind == SECRET_OF_THE_NUMBER && m->next_revocation_number > revoked &&
	       m->next_revocation_number - 1 <= SHACHAIN_FIRST;
}

/* The numbers are added to what would be right; the absolute ones replace it. */
static void lie(uint32_t payments, bool outstanding, uint64_t commitment, uint64_t revocation, bool absolute, enum secret_kind kind)
{
	struct msg_channel_reestablish m;
	const struct channel_record *r;
	bool loss, published;
	struct pair p;

	used(&p, payments, outstanding);
	m = theirs(&p);
	r = channel_record_of(p.side[0].ch);
	m.next_commitment_number = absolute ? commitment : r->remote_number + commitment;
	m.next_revocation_number = absolute ? revocation : r->local_revoked + revocation;
	if (kind == SECRET_ZERO)
		memset(m.your_last_per_commitment_secret.v, 0, 32);
	if (kind == SECRET_RANDOM)
		memset(m.your_last_per_commitment_secret.v, 0x77, 32);
	if (kind == SECRET_OF_THE_NUMBER && m.next_revocation_number > 0 && m.next_revocation_number - 1 <= SHACHAIN_FIRST)
		m.your_last_per_commitment_secret =
			shachain_from_seed(&p.side[0].seed, SHACHAIN_FIRST - (m.next_revocation_number - 1));
	loss = proves_loss(&p, &m, kind);
	say(&p, &m);
	published = pair_note(&p, 0, CHANNEL_NOTE_BROADCAST) != NULL;
	CHECK_EQ(r->data_lost, loss);
	/* It goes on, or it ends with our latest commitment, or, proved to be old, silently. */
	CHECK_EQ(p.side[0].failed, !channel_is_connected(p.side[0].ch));
	CHECK_EQ(published, p.side[0].failed && !loss);
	if (p.side[0].failed == 0) {
		struct secret32 right = { { 0 } };

		CHECK(m.next_commitment_number - r->remote_number <= 1);
		CHECK(r->local_revoked - m.next_revocation_number <= 1);
		if (m.next_revocation_number > 0)
			right = shachain_from_seed(&p.side[0].seed, SHACHAIN_FIRST - (m.next_revocation_number - 1));
		CHECK(SAME(right, m.your_last_per_commitment_secret));
	}
	pair_release(&p);
}

TEST(lies_in_channel_reestablish)
{
	static const uint64_t offsets[] = { UINT64_MAX, 0, 1, 2, 7 }, numbers[] = { 0, 1ull << 48, UINT64_MAX };

	for (uint32_t payments = 0; payments < 3; payments++) {
		bool outstanding = payments == 1;

		for (int kind = 0; kind < SECRET_KINDS; kind++) {
			for (size_t c = 0; c + 1 < ARRAY_COUNT(offsets); c++)
				for (size_t r = 0; r < ARRAY_COUNT(offsets); r++)
					lie(payments, outstanding, offsets[c], offsets[r], false, (enum secret_kind)kind);
			for (size_t c = 0; c < ARRAY_COUNT(numbers); c++)
				lie(payments, outstanding, numbers[c], numbers[(c + 1) % 3], true, (enum secret_kind)kind);
		}
	}
}

/* --- Replay --- */

/* A payment, with the which-th message to come a second time.  False if there were not so many. */
static bool replay(uint32_t which, bool after_a_cut)
{
	struct buf copy = BUF_EMPTY;
	uint32_t delivered = 0;
	struct pair p;
	uint64_t id;
	bool replayed = false;

	pair_ready(&p, true);
	CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), 1, &id), OFFER_OK);
	pair_flush(&p, 0);
	if (after_a_cut) {
		(void)pair_deliver_quiet(&p, 1); /* so that channel_reestablish has something to do */
		(void)pair_deliver_quiet(&p, 1);
		pair_cut(&p);
		pair_connect(&p);
	}
	for (int idle = 0; idle < 3 && !p.side[0].failed && !p.side[1].failed; idle++) {
		for (int side = 1; side >= 0; side--) {
			if (!pair_waiting(&p, side))
				continue;
			idle = 0;
			if (delivered++ != which) {
				(void)pair_deliver(&p, side);
				continue;
			}
			buf_add_bytes(&copy, pair_peek(&p, side));
			(void)pair_deliver(&p, side);
			pair_forge(&p, side, buf_view(&copy));
			replayed = true;
			if (p.side[side].hang_ups) {
				pair_cut(&p);
				pair_connect(&p);
			}
		}
		if (idle == 1 && channel_htlc_get(p.side[1].ch, SIDE_REMOTE, 0) && pair_fulfill(&p, 1, 0, 1))
			pair_flush(&p, 1);
	}
	/* A revocation that comes twice is a breach of the protocol that nothing heals. */
	if (!p.side[0].failed && !p.side[1].failed) {
		CHECK_EQ(channel_htlc_count(p.side[0].ch) + channel_htlc_count(p.side[1].ch), 0);
		CHECK_EQ(channel_to_us(p.side[1].ch).v, 305000000);
		pair_check_agree(&p);
	}
	buf_release(&copy);
	pair_release(&p);
	return replayed;
}

/* It ends the connection or changes nothing, and the payment is made once. */
TEST(replayed_messages)
{
	for (int after_a_cut = 0; after_a_cut < 2; after_a_cut++) {
		uint32_t which = 0;

		while (replay(which, after_a_cut))
			which++;
		CHECK(which >= 8);
	}
}
