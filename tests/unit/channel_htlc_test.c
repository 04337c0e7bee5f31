/* The table of HTLC states (core/channel/htlc.c) and stored records. */
#include <string.h>

#include "channel/machine.h"
#include "tests/test.h"

/* BOLT 2 "Normal Operation": the five steps of an update, and the five of its removal. */
static void check_path(enum htlc_state from, const enum htlc_event events[4])
{
	enum htlc_state s = from;

	for (int i = 0; i < 4; i++) {
		for (int e = 0; e < HTLC_EVENTS; e++) {
			/* INV-H1: one event moves it, and by one */
			CHECK_EQ(htlc_state_after(s, (enum htlc_event)e), (enum htlc_event)e == events[i] ? s + 1 : s);
		}
		s++;
	}
	for (int e = 0; e < HTLC_EVENTS; e++)
		CHECK_EQ(htlc_state_after(s, (enum htlc_event)e), s);
}

TEST(updates_walk_in_five_steps)
{
	static const enum htlc_event ours[4] = { HTLC_SEND_COMMIT, HTLC_RECV_REVOKE, HTLC_RECV_COMMIT, HTLC_SEND_REVOKE };
	static const enum htlc_event theirs[4] = { HTLC_RECV_COMMIT, HTLC_SEND_REVOKE, HTLC_SEND_COMMIT, HTLC_RECV_REVOKE };

	check_path(SENT_ADD_HTLC, ours);
	check_path(RCVD_REMOVE_HTLC, theirs);
	check_path(RCVD_ADD_HTLC, theirs);
	check_path(SENT_REMOVE_HTLC, ours);
}

TEST(views_change_by_signatures_alone)
{
	for (int i = 0; i < HTLC_STATES; i++) {
		enum htlc_state s = (enum htlc_state)i;

		/* INV-H2 */
		for (int e = 0; e < HTLC_EVENTS; e++) {
			enum htlc_state to = htlc_state_after(s, (enum htlc_event)e);

			if (htlc_state_in(s, VIEW_REMOTE) != htlc_state_in(to, VIEW_REMOTE))
				CHECK_EQ(e, HTLC_SEND_COMMIT);
			if (htlc_state_in(s, VIEW_LOCAL) != htlc_state_in(to, VIEW_LOCAL))
				CHECK_EQ(e, HTLC_RECV_COMMIT);
		}
		/* INV-H3 */
		CHECK_EQ(htlc_state_in(s, VIEW_REMOTE_NEXT), htlc_state_in(htlc_state_after(s, HTLC_SEND_COMMIT), VIEW_REMOTE));
		CHECK_EQ(htlc_state_in(s, VIEW_LOCAL_NEXT), htlc_state_in(htlc_state_after(s, HTLC_RECV_COMMIT), VIEW_LOCAL));
		/* INV-H4 */
		CHECK_EQ(htlc_state_in(s, VIEW_LOCAL_FULL), !htlc_state_removing(s));
		CHECK_EQ(htlc_state_in(s, VIEW_REMOTE_FULL), !htlc_state_removing(s));
	}
	/* Irrevocably committed: in both, and nothing moves it. */
	CHECK(htlc_state_in(SENT_ADD_ACK_REVOCATION, VIEW_LOCAL) && htlc_state_in(SENT_ADD_ACK_REVOCATION, VIEW_REMOTE));
	CHECK(htlc_state_in(RCVD_ADD_ACK_REVOCATION, VIEW_LOCAL) && htlc_state_in(RCVD_ADD_ACK_REVOCATION, VIEW_REMOTE));
}

TEST(the_peers_previous_commitment)
{
	/* What our last signature brought was not in it; what it took away was. */
	CHECK(!htlc_state_in_remote_previous(SENT_ADD_COMMIT) && htlc_state_in(SENT_ADD_COMMIT, VIEW_REMOTE));
	CHECK(!htlc_state_in_remote_previous(SENT_ADD_ACK_COMMIT) && htlc_state_in(SENT_ADD_ACK_COMMIT, VIEW_REMOTE));
	CHECK(htlc_state_in_remote_previous(SENT_REMOVE_COMMIT) && !htlc_state_in(SENT_REMOVE_COMMIT, VIEW_REMOTE));
	CHECK(htlc_state_in_remote_previous(SENT_REMOVE_ACK_COMMIT) && !htlc_state_in(SENT_REMOVE_ACK_COMMIT, VIEW_REMOTE));
	for (int i = 0; i < HTLC_STATES; i++) {
		enum htlc_state s = (enum htlc_state)i;

		/* A state that no revocation of theirs moves is the same in both. */
		if (htlc_state_after(s, HTLC_RECV_REVOKE) == s)
			CHECK_EQ(htlc_state_in_remote_previous(s), htlc_state_in(s, VIEW_REMOTE));
		CHECK_EQ(htlc_state_live(s), htlc_state_in(s, VIEW_LOCAL) || htlc_state_in(s, VIEW_REMOTE) ||
						     htlc_state_in_remote_previous(s));
	}
}

TEST(proposals_do_not_survive_a_cut)
{
	enum htlc_state to;

	CHECK(!htlc_state_reverted(SENT_ADD_HTLC, &to));
	CHECK(!htlc_state_reverted(RCVD_ADD_HTLC, &to));
	CHECK(htlc_state_reverted(RCVD_REMOVE_HTLC, &to) && to == SENT_ADD_ACK_REVOCATION);
	CHECK(htlc_state_reverted(SENT_REMOVE_HTLC, &to) && to == RCVD_ADD_ACK_REVOCATION);
	for (int i = 0; i < HTLC_STATES; i++)
		if (i != SENT_ADD_HTLC && i != RCVD_ADD_HTLC && i != RCVD_REMOVE_HTLC && i != SENT_REMOVE_HTLC)
			CHECK(htlc_state_reverted((enum htlc_state)i, &to) && to == (enum htlc_state)i);
}

TEST(feerates_walk_like_htlcs)
{
	struct channel_record r;

	memset(&r, 0, sizeof(r));
	r.opener = SIDE_LOCAL;
	r.feerates[4] = FEERATE(1000);
	r.feerates[0] = FEERATE(2000);
	CHECK_EQ(channel_record_feerate(&r, VIEW_REMOTE).per_kw, 1000);
	CHECK_EQ(channel_record_feerate(&r, VIEW_REMOTE_NEXT).per_kw, 2000);
	feerates_after(&r, HTLC_SEND_COMMIT);
	CHECK_EQ(channel_record_feerate(&r, VIEW_REMOTE).per_kw, 2000);
	CHECK_EQ(channel_record_feerate(&r, VIEW_LOCAL_NEXT).per_kw, 1000);
	feerates_after(&r, HTLC_RECV_REVOKE);
	/* A second one while the first is under way. */
	r.feerates[0] = FEERATE(3000);
	CHECK_EQ(channel_record_feerate(&r, VIEW_LOCAL_NEXT).per_kw, 2000);
	feerates_after(&r, HTLC_RECV_COMMIT);
	feerates_after(&r, HTLC_SEND_REVOKE);
	CHECK_EQ(r.feerates[4].per_kw, 2000);
	CHECK_EQ(channel_record_feerate(&r, VIEW_LOCAL).per_kw, 2000);
	CHECK_EQ(channel_record_feerate(&r, VIEW_LOCAL_FULL).per_kw, 3000);
}

/* --- Records --- */

static struct channel_record full_record(void)
{
	struct channel_record r;
	uint8_t *bytes = (uint8_t *)&r.side;

	memset(&r, 0, sizeof(r));
	for (size_t i = 0; i < sizeof(r.side); i++)
		bytes[i] = (uint8_t)i;
	for (int i = 0; i < 2; i++) {
		memset(&r.side[i].upfront_shutdown, 0, sizeof(r.side[i].upfront_shutdown));
		memset(&r.side[i].shutdown, 0, sizeof(r.side[i].shutdown));
		r.side[i].upfront_shutdown.size = 22;
		r.side[i].upfront_shutdown.data[1] = 20;
		r.side[i].shutdown.size = 83;
		r.side[i].shutdown.data[82] = 7;
		r.settled[i] = MSAT(500 + (uint64_t)i);
		r.next_htlc_id[i] = 900 + (uint64_t)i;
		r.counts[i] = (struct channel_counts){ 1, 2, MSAT(3), MSAT(4) };
		memset(r.local_points[i].v, 3 + i, 33);
		memset(r.remote_points[i].v, 5 + i, 33);
		memset(r.local_secrets[i].v, 7 + i, 32);
	}
	r.key = 0x0102030405060708;
	memset(r.peer.v, 2, 33);
	r.state = CHANNELD_NORMAL;
	memset(r.id.v, 9, 32);
	r.opener = SIDE_REMOTE;
	r.announce = true;
	r.type = COMMITMENT_ANCHORS;
	r.scid_alias = true;
	r.zeroconf = true;
	memset(r.funding.txid.v, 8, 32);
	r.funding.index = 65535;
	r.funding_amount = SAT(1001);
	r.pushed = MSAT(17);
	r.minimum_depth = 6;
	r.first_height = 800000;
	r.funding_height = 800001;
	r.scid = scid_make(800001, 5, 65535);
	r.alias_local = (struct scid){ 77 };
	r.alias_remote = (struct scid){ 78 };
	r.ready_sent = r.ready_received = true;
	for (uint32_t i = 0; i < 5; i++)
		r.feerates[i] = FEERATE(1000 + i);
	r.local_number = 12;
	r.local_revoked = 11;
	r.remote_number = 14;
	r.remote_revoked = 13;
	r.revoke_sent_last = true;
	r.closing_fee = SAT(321);
	r.has_closer = true;
	r.closer = SIDE_REMOTE;
	r.data_lost = true;
	strcpy(r.error, "something went wrong");
	r.balance_min = MSAT(1);
	r.balance_max = MSAT(2);
	return r;
}

TEST(a_record_comes_back_as_it_was)
{
	struct channel_record r = full_record(), back;
	struct buf one = BUF_EMPTY, two = BUF_EMPTY;

	channel_record_encode(&r, &one);
	CHECK(channel_record_decode(buf_view(&one), &back));
	channel_record_encode(&back, &two);
	CHECK(bytes_equal(buf_view(&one), buf_view(&two)));
	/* A few that an encoder and a decoder could both forget. */
	CHECK_EQ(back.key, r.key);
	CHECK_EQ(back.opener, SIDE_REMOTE);
	CHECK_EQ(back.feerates[2].per_kw, 1002);
	CHECK_EQ(back.side[1].to_self_delay, r.side[1].to_self_delay);
	CHECK_EQ(back.side[0].shutdown.data[82], 7);
	CHECK_EQ(back.counts[1].fulfilled_amount.v, 4);
	CHECK_EQ(back.local_secrets[1].v[3], 8);
	CHECK(back.data_lost && back.revoke_sent_last && back.has_closer && back.scid_alias);
	CHECK_STR(back.error, "something went wrong");
	CHECK(memcmp(&back.side[0].points, &r.side[0].points, sizeof(r.side[0].points)) == 0);
	buf_release(&one);
	buf_release(&two);
}

TEST(damaged_records_are_refused)
{
	struct channel_record r = full_record(), back;
	struct buf b = BUF_EMPTY;

	channel_record_encode(&r, &b);
	for (size_t size = 0; size < b.size; size++)
		CHECK(!channel_record_decode(BYTES(b.data, size), &back));
	b.data[1]++; /* a version from the future */
	CHECK(!channel_record_decode(buf_view(&b), &back));
	buf_clear(&b);
	r.state = 11;
	channel_record_encode(&r, &b);
	CHECK(!channel_record_decode(buf_view(&b), &back));
	buf_clear(&b);
	r = full_record();
	r.type = 3;
	channel_record_encode(&r, &b);
	CHECK(!channel_record_decode(buf_view(&b), &back));
	buf_release(&b);
}

TEST(an_htlc_record_is_what_a_cut_would_leave)
{
	uint8_t key[17], reason[] = { 1, 2, 3 };
	struct channel_htlc h = { .id = 5, .owner = SIDE_LOCAL, .state = RCVD_REMOVE_HTLC, .amount = MSAT(1234), .cltv_expiry = 99,
				  .cookie = { 6, 7 }, .resolution = HTLC_FULFILLED, .has_preimage = true, .remote_first = 3,
				  .remote_untrimmed = true, .has_path_key = true },
			    back;
	struct buf b = BUF_EMPTY;
	struct arena a;

	arena_init(&a);
	memset(h.preimage.v, 4, 32);
	memset(h.path_key.v, 2, 33);
	htlc_record_key(key, 77, SIDE_LOCAL, 5);
	channel_htlc_encode(&h, &b);
	CHECK(channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	/* The proposal is gone, the knowledge is not. */
	CHECK_EQ(back.state, SENT_ADD_ACK_REVOCATION);
	CHECK_EQ(back.resolution, HTLC_UNRESOLVED);
	CHECK(back.has_preimage && SAME(back.preimage, h.preimage));
	CHECK_EQ(back.amount.v, 1234);
	CHECK_EQ(back.cookie[1], 7);
	CHECK(back.has_path_key && SAME(back.path_key, h.path_key));
	/* Our own decision stays. */
	buf_clear(&b);
	h.owner = SIDE_REMOTE;
	h.state = SENT_REMOVE_HTLC;
	h.resolution = HTLC_FAILED;
	h.reason = BYTES_OF(reason);
	htlc_record_key(key, 77, SIDE_REMOTE, 5);
	channel_htlc_encode(&h, &b);
	CHECK(channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	CHECK_EQ(back.state, RCVD_ADD_ACK_REVOCATION);
	CHECK_EQ(back.resolution, HTLC_FAILED);
	CHECK_HEX(back.reason, "010203");
	/* Under the other side's key it makes no sense. */
	htlc_record_key(key, 77, SIDE_LOCAL, 5);
	CHECK(!channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	for (size_t size = 0; size < b.size; size++)
		CHECK(!channel_htlc_decode(BYTES_OF(key), BYTES(b.data, size), &a, &back));
	buf_release(&b);
	arena_release(&a);
}

TEST(traces_and_signatures_come_back)
{
	struct htlc_past past = { .id = 9, .owner = SIDE_REMOTE, .cltv_expiry = 5, .amount = MSAT(6), .remote_first = 7, .remote_last = 8 }, back;
	struct sig64 sigs[2];
	struct commit_sigs commit = { .number = 4, .htlcs = sigs, .htlc_count = 2 }, commit_back;
	struct buf b = BUF_EMPTY;
	struct arena a;
	uint8_t key[17];

	arena_init(&a);
	memset(sigs, 3, sizeof(sigs));
	memset(past.payment_hash.v, 1, 32);
	htlc_record_key(key, 1, SIDE_REMOTE, 9);
	htlc_past_encode(&past, &b);
	CHECK(htlc_past_decode(BYTES_OF(key), buf_view(&b), &back));
	CHECK(back.id == 9 && back.owner == SIDE_REMOTE && back.remote_first == 7 && back.remote_last == 8 && back.cltv_expiry == 5);
	CHECK(SAME(back.payment_hash, past.payment_hash));
	buf_clear(&b);
	commit_sigs_encode(&commit, &b);
	CHECK(commit_sigs_decode(buf_view(&b), &a, &commit_back));
	CHECK(commit_back.number == 4 && commit_back.htlc_count == 2 && SAME(commit_back.htlcs[1], sigs[1]));
	CHECK(!commit_sigs_decode(BYTES(b.data, b.size - 1), &a, &commit_back));
	buf_release(&b);
	arena_release(&a);
}
