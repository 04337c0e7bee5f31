/* Opening a channel: BOLT 2 "Channel Establishment v1". */
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"
#include "wire/features.h"

static const uint8_t static_type[] = { 0x10, 0x00 };
static const uint8_t anchors_alias_type[] = { 0x40, 0x00, 0x00, 0x40, 0x10, 0x00 };
static const uint8_t zeroconf_type[] = { 0x04, 0x00, 0x00, 0x00, 0x40, 0x10, 0x00 };
static const uint8_t p2wpkh[22] = { 0, 20, 5, 6, 7 };
static const uint8_t p2wsh[34] = { 0, 32, 5, 6, 7 };
static const uint8_t p2tr[34] = { 0x51, 32, 5, 6, 7 };
static const uint8_t p2pkh[25] = { 0x76, 0xa9, 20 };

static struct bytes only_static_features(struct buf *out, bool dual_fund)
{
	struct feature_policy f = feature_policy_default();

	feature_policy_set(&f, FEATURE_ANCHORS, FEATURE_OFF);
	feature_policy_set(&f, FEATURE_LARGE_CHANNEL, FEATURE_OFF);
	feature_policy_set(&f, FEATURE_SCID_ALIAS, FEATURE_OFF);
	feature_policy_set(&f, FEATURE_ZEROCONF, FEATURE_OFF);
	feature_policy_set(&f, FEATURE_SIMPLE_CLOSE, FEATURE_OFF);
	feature_policy_set(&f, FEATURE_SHUTDOWN_ANYSEGWIT, FEATURE_OFF);
	feature_policy_set(&f, FEATURE_UPFRONT_SHUTDOWN_SCRIPT, FEATURE_OFF);
	if (dual_fund)
		feature_policy_set(&f, FEATURE_DUAL_FUND, FEATURE_OPTIONAL);
	buf_clear(out);
	features_build(&f, FEATURES_INIT, out);
	return buf_view(out);
}

static void decode_open(const struct pair *p, struct arena *a, struct msg_open_channel *m)
{
	CHECK_EQ(pair_peek_type(p, 1), MSG_OPEN_CHANNEL);
	CHECK_EQ(msg_open_channel_decode(arena_bytes(a, pair_peek(p, 1)), a, m), DECODE_OK);
}

static void decode_accept(const struct pair *p, struct arena *a, struct msg_accept_channel *m)
{
	CHECK_EQ(pair_peek_type(p, 0), MSG_ACCEPT_CHANNEL);
	CHECK_EQ(msg_accept_channel_decode(arena_bytes(a, pair_peek(p, 0)), a, m), DECODE_OK);
}

/* --- What we send --- */

TEST(open_channel_is_right)
{
	struct pair p;
	struct msg_open_channel m;
	struct pubkey first;
	static const uint8_t want_type[] = { 0x40, 0x10, 0x00 };

	pair_init(&p);
	p.args.announce = true;
	p.args.upfront_shutdown = BYTES_OF(p2wpkh);
	pair_start(&p);
	decode_open(&p, &p.memory, &m);
	CHECK(SAME(m.chain_hash, p.side[0].policy.chain_hash)); /* B2.open_channel.1 */
	CHECK_EQ(m.funding_satoshis.v, 1000000);
	CHECK(m.push_msat.v <= 1000 * m.funding_satoshis.v); /* B2.open_channel.4 */
	/* B2.open_channel.5 */
	CHECK(pubkey_valid(&m.funding_pubkey) && SAME(m.funding_pubkey, p.side[0].points.funding));
	CHECK(SAME(m.revocation_basepoint, p.side[0].points.revocation));
	CHECK(SAME(m.payment_basepoint, p.side[0].points.payment));
	CHECK(SAME(m.delayed_payment_basepoint, p.side[0].points.delayed_payment));
	CHECK(SAME(m.htlc_basepoint, p.side[0].points.htlc));
	/* B2.open_channel.6: of commitment 0, from the first secret of the chain */
	{
		struct secret32 secret = shachain_from_seed(&p.side[0].seed, SHACHAIN_FIRST);

		pubkey_of(p.side[0].secp, &first, &secret);
		CHECK(SAME(m.first_per_commitment_point, first));
	}
	CHECK(m.channel_reserve_satoshis.v >= m.dust_limit_satoshis.v); /* B2.open_channel.7 */
	CHECK_EQ(m.channel_reserve_satoshis.v, 10000);
	CHECK_EQ(m.channel_flags, 1); /* B2.open_channel.8 */
	/* B2.open_channel.9, B2.open_channel.10 */
	CHECK(m.tlvs.upfront_shutdown_script && bytes_equal(*m.tlvs.upfront_shutdown_script, BYTES_OF(p2wpkh)));
	/* B2.open_channel.11, B2.open_channel.12 */
	CHECK(m.tlvs.channel_type && bytes_equal(*m.tlvs.channel_type, BYTES_OF(want_type)));
	CHECK_EQ(m.to_self_delay, 144); /* B2.open_channel.15 */
	CHECK_EQ(m.feerate_per_kw, 1000); /* B2.open_channel.16: the estimate of FEE_NORMAL, with anchors */
	/* B2.open_channel.17, B2.open_channel.18 */
	CHECK_EQ(m.dust_limit_satoshis.v, 354);
	CHECK_EQ(m.htlc_minimum_msat.v, p.side[0].policy.htlc_minimum.v); /* B2.open_channel.19 */
	CHECK_EQ(m.max_accepted_htlcs, 483);
	pair_release(&p);
}

TEST(temporary_ids_differ)
{
	struct pair p;
	struct msg_open_channel one, two;
	struct channel *first;

	pair_init(&p);
	pair_start(&p);
	decode_open(&p, &p.memory, &one);
	pair_drop(&p, 1);
	first = p.side[0].ch;
	pair_start(&p);
	decode_open(&p, &p.memory, &two);
	CHECK(!SAME(one.temporary_channel_id, two.temporary_channel_id)); /* B2.open_channel.2 */
	channel_free(first);
	pair_release(&p);
}

TEST(an_empty_upfront_script_is_sent)
{
	struct pair p;
	struct msg_open_channel m;
	struct msg_accept_channel accept;

	pair_init(&p);
	pair_start(&p);
	decode_open(&p, &p.memory, &m);
	/* B2.open_channel.9, B1.lightning_message_format.3 */
	CHECK(m.tlvs.upfront_shutdown_script && m.tlvs.upfront_shutdown_script->size == 0);
	(void)pair_deliver(&p, 1);
	decode_accept(&p, &p.memory, &accept);
	CHECK(accept.tlvs.upfront_shutdown_script && accept.tlvs.upfront_shutdown_script->size == 0);
	pair_release(&p);
}

/* --- What we refuse to ask for --- */

static void check_not_opened(void (*change)(struct pair *p), const char *why)
{
	struct pair p;

	pair_init(&p);
	change(&p);
	pair_start(&p);
	CHECK(!p.side[0].ch);
	CHECK_STR(p.why, why);
	CHECK_EQ(pair_waiting(&p, 1), 0);
	pair_release(&p);
}

static void want_too_much(struct pair *p)
{
	(void)only_static_features(&p->side[1].features, false);
	p->args.channel_type = BYTES_OF(static_type);
	p->args.funding = SAT(16777216);
}

static void want_to_push_too_much(struct pair *p)
{
	p->args.push = MSAT(1000000001);
}

static void want_unknown_type(struct pair *p)
{
	static const uint8_t strange[] = { 0x20, 0x10, 0x00 };

	p->args.channel_type = BYTES_OF(strange);
}

static void want_type_of_other_peers(struct pair *p)
{
	(void)only_static_features(&p->side[1].features, false);
}

static void want_announced_alias(struct pair *p)
{
	p->args.channel_type = BYTES_OF(anchors_alias_type);
	p->args.announce = true;
}

static void want_old_script(struct pair *p)
{
	p->args.upfront_shutdown = BYTES_OF(p2pkh);
}

static void want_newer_script(struct pair *p)
{
	(void)only_static_features(&p->side[1].features, false);
	p->args.channel_type = BYTES_OF(static_type);
	p->args.upfront_shutdown = BYTES_OF(p2tr);
}

static void want_with_dual_fund(struct pair *p)
{
	(void)only_static_features(&p->side[0].features, true);
	(void)only_static_features(&p->side[1].features, true);
	p->args.channel_type = BYTES_OF(static_type);
}

static void want_without_estimates(struct pair *p)
{
	memset(p->side[0].step.fees, 0, sizeof(p->side[0].step.fees));
}

static void want_tiny(struct pair *p)
{
	p->args.funding = SAT(500);
	p->args.push = MSAT(0);
}

TEST(we_do_not_ask_for_what_is_forbidden)
{
	check_not_opened(want_too_much, "the peer does not take channels of 16777216 sat or more"); /* B2.open_channel.3 */
	check_not_opened(want_to_push_too_much, "push_msat is above the channel's amount"); /* B2.open_channel.4 */
	check_not_opened(want_unknown_type, "unknown channel type"); /* B2.open_channel.11 */
	/* B2.open_channel.13 */
	check_not_opened(want_type_of_other_peers, "the channel type needs a feature that the peer and we do not share");
	check_not_opened(want_announced_alias, "a channel known by alias only cannot be announced"); /* B2.open_channel.14 */
	check_not_opened(want_old_script, "the peer does not take this kind of shutdown script"); /* B2.open_channel.9 */
	check_not_opened(want_newer_script, "the peer does not take this kind of shutdown script");
	/* B2.open_channel2.1 */
	check_not_opened(want_with_dual_fund, "the peer opens channels by version 2 of the protocol only");
	check_not_opened(want_without_estimates, "there is no fee estimate yet"); /* B2.open_channel.16 */
	check_not_opened(want_tiny, "the funder cannot pay the fee of the first commitment");
}

TEST(a_large_channel_between_friends_of_large_channels)
{
	struct pair p;

	pair_init(&p);
	p.args.funding = SAT(16777216); /* B2.open_channel.3 */
	pair_open(&p);
	CHECK_EQ(channel_record_of(p.side[1].ch)->funding_amount.v, 16777216);
	pair_release(&p);
}

/* --- open_channel that we refuse --- */

static void check_refused(void (*prepare)(struct pair *p), void (*tamper)(struct msg_open_channel *m), const char *why)
{
	struct msg_open_channel m;
	struct msg_error e;
	struct buf b = BUF_EMPTY;
	struct pair p;

	pair_init(&p);
	if (prepare)
		prepare(&p);
	pair_start(&p);
	decode_open(&p, &p.memory, &m);
	if (tamper)
		tamper(&m);
	msg_open_channel_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK(!p.side[1].ch);
	if (strncmp(p.why, why, strlen(why)) != 0)
		CHECK_STR(p.why, why);
	/* "fail the channel": the opener is told by its temporary id */
	CHECK_EQ(pair_peek_type(&p, 0), MSG_ERROR);
	CHECK_EQ(msg_error_decode(pair_peek(&p, 0), &p.memory, &e), DECODE_OK);
	CHECK(SAME(e.channel_id, m.temporary_channel_id));
	(void)pair_deliver(&p, 0);
	CHECK_EQ(p.side[0].forgotten, 1);
	CHECK(!p.side[0].store && !p.side[1].store);
	pair_release(&p);
}

static void no_type(struct msg_open_channel *m) { m->tlvs.channel_type = NULL; }
static void other_type(struct msg_open_channel *m)
{
	static const uint8_t bits[] = { 0x01 };
	static struct bytes view;

	view = BYTES_OF(bits);
	m->tlvs.channel_type = &view;
}
static void other_chain(struct msg_open_channel *m) { m->chain_hash.v[5] ^= 1; }
static void push_more(struct msg_open_channel *m) { m->push_msat = MSAT(1000000001); }
static void long_delay(struct msg_open_channel *m) { m->to_self_delay = 2017; }
static void many_htlcs(struct msg_open_channel *m) { m->max_accepted_htlcs = 484; }
static void few_htlcs(struct msg_open_channel *m) { m->max_accepted_htlcs = 4; }
static void low_fee(struct msg_open_channel *m) { m->feerate_per_kw = 252; }
static void high_fee(struct msg_open_channel *m) { m->feerate_per_kw = 50001; }
static void bad_funding_key(struct msg_open_channel *m) { m->funding_pubkey.v[0] = 5; }
static void bad_revocation_key(struct msg_open_channel *m) { m->revocation_basepoint.v[0] = 0; }
static void bad_payment_key(struct msg_open_channel *m) { memset(m->payment_basepoint.v + 1, 0xff, 32); }
static void bad_delayed_key(struct msg_open_channel *m) { m->delayed_payment_basepoint.v[0] = 4; }
static void bad_htlc_key(struct msg_open_channel *m) { m->htlc_basepoint.v[0] = 4; }
static void bad_first_point(struct msg_open_channel *m) { m->first_per_commitment_point.v[0] = 4; }
static void dust_above_reserve(struct msg_open_channel *m) { m->channel_reserve_satoshis = SAT(353); }
static void dust_too_small(struct msg_open_channel *m) { m->dust_limit_satoshis = SAT(353); }
static void dust_too_large(struct msg_open_channel *m) { m->dust_limit_satoshis = SAT(1501); }
static void opener_is_poor(struct msg_open_channel *m) { m->push_msat = MSAT(999500000); }
static void nobody_has_more_than_reserve(struct msg_open_channel *m)
{
	m->funding_satoshis = SAT(20000);
	m->push_msat = MSAT(9000000);
	m->channel_reserve_satoshis = SAT(11000);
}
static void too_little(struct msg_open_channel *m) { m->funding_satoshis = SAT(19999); m->push_msat = MSAT(0); }
static void too_much(struct msg_open_channel *m) { m->funding_satoshis = SAT(16777216); }
static void greedy_reserve(struct msg_open_channel *m) { m->channel_reserve_satoshis = SAT(200001); }
static void monstrous_reserve(struct msg_open_channel *m) { m->channel_reserve_satoshis = SAT(UINT64_MAX); }
static void monstrous_amount(struct msg_open_channel *m) { m->funding_satoshis = SAT(UINT64_MAX / 1000); }
static void small_in_flight(struct msg_open_channel *m) { m->max_htlc_value_in_flight_msat = MSAT(999999); }
static void large_minimum(struct msg_open_channel *m) { m->htlc_minimum_msat = MSAT(10000001); }
static void old_upfront(struct msg_open_channel *m)
{
	static struct bytes view;

	view = BYTES_OF(p2pkh);
	m->tlvs.upfront_shutdown_script = &view;
}
static void alias_and_announce(struct msg_open_channel *m)
{
	static struct bytes view;

	view = BYTES_OF(anchors_alias_type);
	m->tlvs.channel_type = &view;
	m->channel_flags = 1;
}
static void zeroconf(struct msg_open_channel *m)
{
	static struct bytes view;

	view = BYTES_OF(zeroconf_type);
	m->tlvs.channel_type = &view;
}
static void only_small(struct pair *p)
{
	(void)only_static_features(&p->side[1].features, false);
	p->args.channel_type = BYTES_OF(static_type);
}
static void with_dual_fund(struct pair *p)
{
	(void)only_static_features(&p->side[1].features, true);
	p->args.channel_type = BYTES_OF(static_type);
}
static void slow_is_expensive(struct pair *p)
{
	p->args.channel_type = BYTES_OF(static_type);
	p->args.commitment_feerate = FEERATE(1000);
	p->side[1].step.fees[FEE_SLOW] = FEERATE(2002);
}

TEST(open_channel_that_we_refuse)
{
	check_refused(NULL, no_type, "open_channel has no channel_type"); /* B2.open_channel.21 */
	check_refused(NULL, other_type, "the channel_type is not suitable");
	check_refused(NULL, other_chain, "unknown chain"); /* B2.open_channel.25 */
	check_refused(NULL, push_more, "push_msat is above funding_satoshis"); /* B2.open_channel.26 */
	check_refused(NULL, long_delay, "to_self_delay is unreasonably large"); /* B2.open_channel.27 */
	check_refused(NULL, many_htlcs, "max_accepted_htlcs is above 483"); /* B2.open_channel.28 */
	check_refused(NULL, few_htlcs, "max_accepted_htlcs is too small");
	check_refused(NULL, low_fee, "feerate 252 per kw is too low"); /* B2.open_channel.29 */
	check_refused(NULL, high_fee, "feerate 50001 per kw is too high"); /* B2.open_channel.29 */
	check_refused(slow_is_expensive, NULL, "feerate 1000 per kw is too low"); /* B2.open_channel.29: timely without anchors */
	check_refused(NULL, bad_funding_key, "invalid public key"); /* B2.open_channel.30 */
	check_refused(NULL, bad_revocation_key, "invalid public key");
	check_refused(NULL, bad_payment_key, "invalid public key");
	check_refused(NULL, bad_delayed_key, "invalid public key");
	check_refused(NULL, bad_htlc_key, "invalid public key");
	check_refused(NULL, bad_first_point, "invalid public key");
	check_refused(NULL, dust_above_reserve, "dust_limit_satoshis is above channel_reserve_satoshis");
	check_refused(NULL, dust_too_small, "dust_limit_satoshis is below 354");
	check_refused(NULL, dust_too_large, "dust_limit_satoshis is too large");
	check_refused(NULL, opener_is_poor, "the funder cannot pay the fee of the first commitment");
	check_refused(NULL, nobody_has_more_than_reserve, "channel_reserve_satoshis is too large");
	check_refused(NULL, too_little, "funding_satoshis is too small");
	check_refused(only_small, too_much, "funding_satoshis is too large");
	check_refused(NULL, greedy_reserve, "channel_reserve_satoshis is too large");
	/* Numbers that only want to overflow. */
	check_refused(NULL, monstrous_reserve, "channel_reserve_satoshis is above funding_satoshis");
	check_refused(NULL, monstrous_amount, "funding_satoshis is too large");
	check_refused(NULL, small_in_flight, "max_htlc_value_in_flight_msat is too small");
	check_refused(NULL, large_minimum, "htlc_minimum_msat is too large");
	check_refused(NULL, old_upfront, "invalid upfront shutdown script");
	check_refused(NULL, alias_and_announce, "a channel known by alias only cannot be announced");
	check_refused(NULL, zeroconf, "we do not accept channels without confirmations from you");
}

TEST(both_below_the_reserve_is_refused)
{
	struct pair p;

	pair_init(&p);
	p.side[1].policy.peer_reserve_max_ppm = 1000000;
	p.args.funding = SAT(20000);
	p.args.push = MSAT(9000000);
	pair_start(&p);
	{
		struct msg_open_channel m;
		struct buf b = BUF_EMPTY;

		decode_open(&p, &p.memory, &m);
		nobody_has_more_than_reserve(&m);
		msg_open_channel_encode(&m, &b);
		pair_replace(&p, 1, &b);
	}
	(void)pair_deliver(&p, 1);
	CHECK(!p.side[1].ch);
	CHECK_STR(p.why, "both sides would start at or below the channel reserve");
	pair_release(&p);
}

TEST(version_2_means_no_open_channel)
{
	struct pair p;
	struct bytes without;
	struct buf features = BUF_EMPTY;

	pair_init(&p);
	with_dual_fund(&p);
	without = only_static_features(&p.side[0].features, false);
	CHECK(without.size > 0);
	pair_start(&p);
	/* The opener did not know; the fundee has negotiated it. */
	(void)only_static_features(&p.side[0].features, true);
	(void)pair_deliver(&p, 1);
	CHECK(!p.side[1].ch);
	CHECK_STR(p.why, "open_channel2 was negotiated"); /* B2.open_channel.24 */
	CHECK_EQ(pair_peek_type(&p, 0), MSG_ERROR);
	buf_release(&features);
	pair_release(&p);
}

TEST(undefined_flags_are_ignored)
{
	struct pair p;
	struct msg_open_channel m;
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	pair_start(&p);
	decode_open(&p, &p.memory, &m);
	m.channel_flags = 0xfe;
	msg_open_channel_encode(&m, &b);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK(p.side[1].ch);
	CHECK(!channel_record_of(p.side[1].ch)->announce); /* B2.open_channel.20 */
	pair_release(&p);
}

TEST(malformed_open_channel_closes_the_connection)
{
	struct pair p;
	struct buf b = BUF_EMPTY;

	pair_init(&p);
	pair_start(&p);
	buf_add(&b, pair_peek(&p, 1).data, 100);
	pair_replace(&p, 1, &b);
	(void)pair_deliver(&p, 1);
	CHECK(!p.side[1].ch);
	CHECK_STR(p.why, "malformed open_channel");
	pair_release(&p);
}

/* --- accept_channel --- */

TEST(accept_channel_is_right)
{
	struct pair p;
	struct msg_open_channel open;
	struct msg_accept_channel m;

	pair_init(&p);
	p.accept_upfront = BYTES_OF(p2wsh);
	p.side[0].policy.dust_limit = SAT(1000);
	p.args.funding = SAT(60000);
	p.args.push = MSAT(0);
	pair_start(&p);
	decode_open(&p, &p.memory, &open);
	(void)pair_deliver(&p, 1);
	decode_accept(&p, &p.memory, &m);
	CHECK(SAME(m.temporary_channel_id, open.temporary_channel_id));
	CHECK_EQ(m.minimum_depth, 3); /* B2.accept_channel.2 */
	/* B2.accept_channel.3: 1% would be 600 */
	CHECK_EQ(m.channel_reserve_satoshis.v, 1000);
	CHECK(m.dust_limit_satoshis.v <= open.channel_reserve_satoshis.v); /* B2.accept_channel.4 */
	/* B2.accept_channel.5 */
	CHECK(m.tlvs.channel_type && bytes_equal(*m.tlvs.channel_type, *open.tlvs.channel_type));
	CHECK(bytes_equal(*m.tlvs.upfront_shutdown_script, BYTES_OF(p2wsh)));
	CHECK(SAME(m.funding_pubkey, p.side[1].points.funding));
	pair_release(&p);
}

TEST(a_reserve_below_our_dust_limit_is_refused)
{
	struct pair p;

	pair_init(&p);
	p.side[1].policy.dust_limit = SAT(600);
	p.args.has_reserve = true;
	p.args.reserve = SAT(599);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	CHECK(!p.side[1].ch); /* B2.accept_channel.4: we could not send what we must */
	CHECK_STR(p.why, "channel_reserve_satoshis is below our dust limit");
	pair_release(&p);
}

TEST(more_depth_for_more_money)
{
	struct channel_policy p;
	struct block_hash chain = { { 0 } };

	channel_policy_default(&p, &chain);
	CHECK_EQ(policy_depth(&p, SAT(20000)), 3); /* B2.accept_channel.2 */
	CHECK_EQ(policy_depth(&p, SAT(6000000)), 4);
	CHECK_EQ(policy_depth(&p, SAT(16777216)), 6);
	CHECK_EQ(policy_depth(&p, SAT(SUPPLY_SAT)), 6);
}

static void check_accept_refused(void (*tamper)(struct msg_accept_channel *m), const char *why)
{
	struct msg_accept_channel m;
	struct buf b = BUF_EMPTY;
	struct msg_error e;
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	(void)pair_deliver(&p, 1);
	decode_accept(&p, &p.memory, &m);
	tamper(&m);
	msg_accept_channel_encode(&m, &b);
	pair_replace(&p, 0, &b);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(p.side[0].forgotten, 1);
	CHECK_STR(pair_note(&p, 0, CHANNEL_NOTE_FORGOTTEN)->text, why);
	CHECK(!pair_note(&p, 0, CHANNEL_NOTE_FUND));
	CHECK_EQ(msg_error_decode(pair_find(&p, 1, MSG_ERROR), &p.memory, &e), DECODE_OK);
	CHECK(SAME(e.channel_id, m.temporary_channel_id)); /* B1.error_warning.1 */
	(void)pair_deliver(&p, 1);
	CHECK_EQ(p.side[1].forgotten, 1);
	pair_release(&p);
}

static void a_low_reserve(struct msg_accept_channel *m) { m->channel_reserve_satoshis = SAT(353); }
static void a_monstrous_reserve(struct msg_accept_channel *m) { m->channel_reserve_satoshis = SAT(UINT64_MAX); }
static void a_high_dust(struct msg_accept_channel *m) { m->dust_limit_satoshis = SAT(10001); }
static void a_low_dust(struct msg_accept_channel *m) { m->dust_limit_satoshis = SAT(353); }
static void a_no_type(struct msg_accept_channel *m) { m->tlvs.channel_type = NULL; }
static void a_other_type(struct msg_accept_channel *m)
{
	static struct bytes view;

	view = BYTES_OF(static_type);
	m->tlvs.channel_type = &view;
}
static void a_depth(struct msg_accept_channel *m) { m->minimum_depth = 145; }
static void a_delay(struct msg_accept_channel *m) { m->to_self_delay = 2017; }
static void a_htlcs(struct msg_accept_channel *m) { m->max_accepted_htlcs = 484; }
static void a_key(struct msg_accept_channel *m) { m->htlc_basepoint.v[0] = 9; }
static void a_point(struct msg_accept_channel *m) { m->first_per_commitment_point.v[0] = 9; }
static void a_script(struct msg_accept_channel *m)
{
	static struct bytes view;

	view = BYTES_OF(p2pkh);
	m->tlvs.upfront_shutdown_script = &view;
}

TEST(accept_channel_that_we_refuse)
{
	check_accept_refused(a_low_reserve, "channel_reserve_satoshis is below our dust_limit_satoshis"); /* B2.accept_channel.6 */
	check_accept_refused(a_monstrous_reserve, "channel_reserve_satoshis is above funding_satoshis");
	check_accept_refused(a_high_dust, "dust_limit_satoshis is above our channel_reserve_satoshis"); /* B2.accept_channel.7 */
	check_accept_refused(a_no_type, "accept_channel has no channel_type"); /* B2.accept_channel.8 */
	check_accept_refused(a_other_type, "accept_channel has another channel_type"); /* B2.accept_channel.9 */
	check_accept_refused(a_low_dust, "dust_limit_satoshis is below 354");
	check_accept_refused(a_depth, "minimum_depth is unreasonably large");
	check_accept_refused(a_delay, "to_self_delay is unreasonably large");
	check_accept_refused(a_htlcs, "max_accepted_htlcs is above 483");
	check_accept_refused(a_key, "invalid public key");
	check_accept_refused(a_point, "invalid public key");
	check_accept_refused(a_script, "invalid upfront shutdown script");
}

TEST(a_signer_that_refuses_costs_nothing_yet)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	p.side[1].refuse = true;
	(void)pair_deliver(&p, 1);
	CHECK_EQ(p.side[1].forgotten, 1);
	CHECK_EQ(pair_peek_type(&p, 0), MSG_ERROR);
	(void)pair_deliver(&p, 0);
	CHECK_EQ(p.side[0].forgotten, 1);
	pair_release(&p);
}

TEST(the_best_common_type_is_chosen)
{
	struct pair p;

	pair_init(&p);
	p.args.has_channel_type = false;
	pair_open(&p);
	CHECK_EQ(channel_record_of(p.side[1].ch)->type, COMMITMENT_ANCHORS);
	pair_release(&p);
	pair_init(&p);
	(void)only_static_features(&p.side[1].features, false);
	p.args.has_channel_type = false;
	pair_open(&p);
	CHECK_EQ(channel_record_of(p.side[1].ch)->type, COMMITMENT_STATIC_REMOTEKEY); /* B2.open_channel.13 */
	pair_release(&p);
}
