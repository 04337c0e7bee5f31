/* Disclosed attacks on a channel that is being opened.  docs/ATTACKS.md tells of each. */
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"

/* To where open_channel lies before the victim, side 1, unread. */
static struct msg_open_channel about_to_open(struct pair *p)
{
	struct msg_open_channel m;

	pair_init(p);
	pair_start(p);
	CHECK_EQ(msg_open_channel_decode(arena_bytes(&p->memory, pair_peek(p, 1)), &p->memory, &m), DECODE_OK);
	return m;
}

static void open_with(struct pair *p, const struct msg_open_channel *m)
{
	struct buf b = BUF_EMPTY;

	msg_open_channel_encode(m, &b);
	pair_replace(p, 1, &b);
	(void)pair_deliver(p, 1);
}

static void check_refused(struct pair *p, const char *why)
{
	CHECK(!p->side[1].ch && !p->side[1].store);
	CHECK(p->why && strncmp(p->why, why, strlen(why)) == 0);
	CHECK_EQ(pair_peek_type(p, 0), MSG_ERROR);
	pair_release(p);
}

/* --- CVE-2019-12998, CVE-2019-12999, CVE-2019-13000 ---
 * Three implementations asked the chain only whether a transaction of that id was there.  Here it is there and deep,
 * and its output is not what open_channel said. */

static void check_no_channel(const struct tx_output *output)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	CHECK_EQ(channel_state_of(p.side[1].ch), CHANNELD_AWAITING_LOCKIN);
	p.height++;
	{
		struct channel_notes notes;
		struct step *s = pair_begin(&p, 1, &notes);

		channel_funding_confirmed(p.side[1].ch, s, &notes, p.height, 7, output);
		pair_end(&p, 1, &notes);
	}
	pair_blocks(&p, 10);
	CHECK(!pair_has(&p, 0, MSG_CHANNEL_READY));
	CHECK(!pair_note(&p, 1, CHANNEL_NOTE_READY));
	CHECK_EQ(p.side[1].forgotten, 1);
	CHECK(!p.side[1].store);
	pair_release(&p);
}

static struct tx_output agreed_output(uint8_t script[34])
{
	struct tx_output output;
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	pair_run(&p);
	memcpy(script, p.funding_script, 34);
	output = (struct tx_output){ p.funding_output.amount, BYTES(script, 34) };
	pair_release(&p);
	return output;
}

TEST(cve_2019_12998_the_funding_output_is_worth_less)
{
	uint8_t script[34];
	struct tx_output output = agreed_output(script);

	output.amount = SAT(999999);
	check_no_channel(&output);
	output.amount = SAT(1);
	check_no_channel(&output);
	/* More would not be ours either: no commitment spends it. */
	output.amount = SAT(1000001);
	check_no_channel(&output);
}

TEST(cve_2019_12999_the_funding_output_pays_another_script)
{
	uint8_t script[34];
	struct tx_output output = agreed_output(script);

	script[20] ^= 1;
	check_no_channel(&output);
	script[20] ^= 1;
	output.script = BYTES(script, 33);
	check_no_channel(&output);
}

TEST(cve_2019_13000_there_is_no_such_funding_output)
{
	check_no_channel(NULL);
}

/* --- An all-zero funding_txid ---
 * No transaction has it.  With output 0 the channel_id would be all zero as well, which in an `error` means every
 * channel of the peer. */

static void check_zero(uint8_t low_byte, uint16_t index)
{
	struct pair p;

	pair_init(&p);
	memset(p.funding.txid.v, 0, sizeof(p.funding.txid.v));
	p.funding.txid.v[31] = low_byte;
	p.funding.index = index;
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(pair_peek_type(&p, 1), MSG_FUNDING_CREATED); /* with a signature that is right */
	(void)pair_deliver(&p, 1);
	CHECK_EQ(p.side[1].forgotten, 1);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_FORGOTTEN)->text, "no transaction has the funding_txid");
	CHECK(!p.side[1].store && !pair_has(&p, 0, MSG_FUNDING_SIGNED));
	CHECK(pair_has(&p, 0, MSG_ERROR));
	pair_release(&p);
}

TEST(all_zero_funding_txid)
{
	check_zero(0, 0);
	check_zero(0, 1);
	check_zero(0, 65535);
	check_zero(1, 1); /* only the channel_id is zero */
}

/* --- More money than there is --- */

TEST(funding_above_the_supply)
{
	static const uint64_t amounts[] = { SUPPLY_SAT + 1, SUPPLY_SAT * 2, UINT64_MAX / 1000, UINT64_MAX / 1000 + 1, UINT64_MAX };
	struct channel_notes notes;
	struct step *s;

	for (size_t i = 0; i < ARRAY_COUNT(amounts); i++) {
		struct pair p;
		struct msg_open_channel m = about_to_open(&p);

		m.funding_satoshis = SAT(amounts[i]);
		m.push_msat = MSAT(0);
		m.channel_reserve_satoshis = SAT(amounts[i] / 100);
		m.max_htlc_value_in_flight_msat = MSAT(UINT64_MAX);
		p.side[1].policy.funding_max = SAT(UINT64_MAX); /* whatever the user allows */
		open_with(&p, &m);
		check_refused(&p, "funding_satoshis is too large");
	}
	/* Nor do we open one. */
	for (size_t i = 0; i < ARRAY_COUNT(amounts); i++) {
		struct pair p;

		pair_init(&p);
		p.args.funding = SAT(amounts[i]);
		p.side[0].policy.funding_max = SAT(UINT64_MAX);
		p.args.our_features = buf_view(&p.side[0].features);
		p.args.their_features = buf_view(&p.side[1].features);
		s = pair_begin(&p, 0, &notes);
		CHECK(!channel_open(s, &notes, &p.args, &p.why) && p.why);
		pair_release(&p);
	}
}

/* Every other amount of open_channel at its largest: refused in words, and no sum overflows on the way. */
TEST(amounts_that_want_to_overflow)
{
	for (int which = 0; which < 5; which++) {
		struct pair p;
		struct msg_open_channel m = about_to_open(&p);

		if (which == 0)
			m.push_msat = MSAT(UINT64_MAX);
		if (which == 1)
			m.dust_limit_satoshis = SAT(UINT64_MAX);
		if (which == 2)
			m.channel_reserve_satoshis = SAT(UINT64_MAX);
		if (which == 3)
			m.htlc_minimum_msat = MSAT(UINT64_MAX);
		if (which == 4) {
			m.push_msat = MSAT(m.funding_satoshis.v * 1000 + 1);
			m.max_htlc_value_in_flight_msat = MSAT(UINT64_MAX);
		}
		open_with(&p, &m);
		check_refused(&p, "");
	}
}

/* --- Absurd feerates --- */

TEST(absurd_feerate_of_a_new_channel)
{
	static const uint32_t rates[] = { 0, 1, 252, 250001, 0x7fffffff, 0x80000000, UINT32_MAX };
	/* What we think of the fees ourselves: nothing, something, and what a lying backend would say. */
	static const uint32_t ours[] = { 0, 1000, UINT32_MAX };

	for (size_t e = 0; e < ARRAY_COUNT(ours); e++)
		for (size_t i = 0; i < ARRAY_COUNT(rates); i++) {
			struct pair p;
			struct msg_open_channel m = about_to_open(&p);

			for (int f = 0; f < FEE_TARGETS; f++)
				p.side[1].step.fees[f] = FEERATE(ours[e]);
			m.feerate_per_kw = rates[i];
			open_with(&p, &m);
			check_refused(&p, "feerate");
		}
}

/* --- CVE-2020-26895 ---
 * lnd took signatures with a high S, which Bitcoin nodes do not relay: the HTLC could not be claimed in time. */

static void raise_s(struct sig64 *sig)
{
	static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c,
					   0xd0, 0x36, 0x41, 0x41 };
	int borrow = 0;

	for (int i = 31; i >= 0; i--) {
		int d = order[i] - sig->v[32 + i] - borrow;

		borrow = d < 0;
		sig->v[32 + i] = (uint8_t)(d + 256 * borrow);
	}
}

TEST(cve_2020_26895_high_s_in_funding_created)
{
	struct msg_funding_created m;
	struct buf b = BUF_EMPTY;
	struct pair p;

	(void)about_to_open(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(msg_funding_created_decode(pair_peek(&p, 1), &p.memory, &m), DECODE_OK);
	raise_s(&m.signature);
	msg_funding_created_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_FORGOTTEN)->text, "bad signature in funding_created");
	CHECK(!p.side[1].store && !pair_has(&p, 0, MSG_FUNDING_SIGNED));
	pair_release(&p);
}

TEST(cve_2020_26895_high_s_in_funding_signed)
{
	struct msg_funding_signed m;
	struct buf b = BUF_EMPTY;
	struct pair p;

	(void)about_to_open(&p);
	(void)pair_deliver(&p, 1);
	(void)pair_deliver(&p, 0);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(msg_funding_signed_decode(pair_peek(&p, 0), &p.memory, &m), DECODE_OK);
	raise_s(&m.signature);
	msg_funding_signed_encode(&m, &b);
	pair_replace(&p, 0, &b);
	(void)pair_deliver(&p, 0);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FORGOTTEN)->text, "bad signature in funding_signed");
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_BROADCAST_FUNDING));
	pair_release(&p);
}

/* Of the commitment, or of one of three HTLC transactions. */
static void check_commitment(int which)
{
	struct msg_commitment_signed m;
	struct buf b = BUF_EMPTY;
	struct sig64 sigs[3];
	struct pair p;
	uint64_t id;

	pair_ready(&p, true);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pair_offer(&p, 0, MSAT(5000000), (uint8_t)(i + 1), &id), OFFER_OK);
	pair_flush(&p, 0);
	while (pair_peek_type(&p, 1) != MSG_COMMITMENT_SIGNED)
		(void)pair_deliver(&p, 1);
	CHECK_EQ(msg_commitment_signed_decode(pair_peek(&p, 1), &p.memory, &m), DECODE_OK);
	CHECK_EQ(m.htlc_signature_count, 3);
	memcpy(sigs, m.htlc_signature, sizeof(sigs));
	m.htlc_signature = sigs;
	raise_s(which < 3 ? &sigs[which] : &m.signature);
	msg_commitment_signed_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK_EQ(p.side[1].hang_ups, 1);
	CHECK_EQ(p.side[1].released, 0); /* nothing was revoked for it */
	CHECK(!pair_has(&p, 0, MSG_REVOKE_AND_ACK));
	pair_release(&p);
}

TEST(cve_2020_26895_high_s_in_commitment_signed)
{
	for (int which = 0; which <= 3; which++)
		check_commitment(which);
}

TEST(cve_2020_26895_high_s_in_closing_signed)
{
	struct msg_closing_signed m;
	struct buf b = BUF_EMPTY;
	struct pair p;

	pair_ready(&p, true);
	CHECK(pair_shutdown(&p, 0));
	while (pair_peek_type(&p, 1) != MSG_CLOSING_SIGNED) {
		(void)pair_deliver(&p, 1);
		if (pair_peek_type(&p, 1) != MSG_CLOSING_SIGNED)
			(void)pair_deliver(&p, 0);
	}
	CHECK_EQ(msg_closing_signed_decode(pair_peek(&p, 1), &p.memory, &m), DECODE_OK);
	raise_s(&m.signature);
	msg_closing_signed_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK_STR(pair_note(&p, 1, CHANNEL_NOTE_HANG_UP)->text, "bad signature in closing_signed");
	CHECK(!pair_note(&p, 1, CHANNEL_NOTE_BROADCAST));
	pair_release(&p);
}
