/* attribution_data beside the ends of HTLCs: what is stored of it, until when, and what peers are told. */
#include "tests/channel_pair.h"
#include "tests/test.h"
#include "wire/features.h"
#include "wire/message.h"
#include "wire/records_channel.h"

static uint8_t data[ATTRIBUTION_DATA_SIZE];

static void ready_with_htlc(struct pair *p, uint64_t *id)
{
	pair_ready(p, true);
	memset(data, 7, sizeof(data));
	p->attribution = BYTES_OF(data);
	CHECK_EQ(pair_offer(p, 0, MSAT(5000000), 1, id), OFFER_OK);
	pair_run(p);
}

/* What the payee's side has stored of the HTLC. */
static struct channel_htlc stored(const struct pair *p, int side)
{
	struct channel_htlc h = { 0 };
	static struct arena a;

	for (const struct pair_record *r = p->side[side].store; r; r = r->next)
		if (r->kind == RECORD_HTLC)
			CHECK(channel_htlc_decode(BYTES(r->key, r->key_size), BYTES(r->value, r->value_size), &a, &h));
	return h;
}

static const uint8_t *told_fail(const struct pair *p, int to, struct arena *a)
{
	struct msg_update_fail_htlc m;

	CHECK_EQ(msg_update_fail_htlc_decode(pair_find(p, to, MSG_UPDATE_FAIL_HTLC), a, &m), DECODE_OK);
	return (const uint8_t *)m.tlvs.attribution_data;
}

static const uint8_t *told_fulfill(const struct pair *p, int to, struct arena *a)
{
	struct msg_update_fulfill_htlc m;

	CHECK_EQ(msg_update_fulfill_htlc_decode(pair_find(p, to, MSG_UPDATE_FULFILL_HTLC), a, &m), DECODE_OK);
	return (const uint8_t *)m.tlvs.attribution_data;
}

/* It is there before the peer sees it, after a crash it is the same, and it goes with the update's last use. */
TEST(it_is_kept_until_its_update_need_not_be_sent_again)
{
	struct pair p;
	struct arena a;
	uint64_t id;

	arena_init(&a);
	ready_with_htlc(&p, &id);
	pair_cut(&p);
	CHECK(pair_fail(&p, 1, id));
	CHECK(bytes_equal(stored(&p, 1).attribution, BYTES_OF(data)));
	pair_restart(&p, 1);
	pair_connect(&p);
	while (!pair_has(&p, 0, MSG_UPDATE_FAIL_HTLC))
		CHECK(pair_deliver(&p, 0) || pair_deliver(&p, 1));
	CHECK(memcmp(told_fail(&p, 0, &a), data, sizeof(data)) == 0);
	/* Sent and lost: once more. */
	pair_cut(&p);
	pair_restart(&p, 1);
	pair_connect(&p);
	while (!pair_has(&p, 0, MSG_UPDATE_FAIL_HTLC))
		CHECK(pair_deliver(&p, 0) || pair_deliver(&p, 1));
	CHECK(memcmp(told_fail(&p, 0, &a), data, sizeof(data)) == 0);
	CHECK_EQ(stored(&p, 1).attribution.size, sizeof(data));
	/* Its revocation: the peer's commitment is rid of the HTLC for good. */
	while (!pair_has(&p, 1, MSG_REVOKE_AND_ACK))
		CHECK(pair_deliver(&p, 0));
	CHECK(bytes_equal(stored(&p, 0).attribution, BYTES_OF(data)));
	CHECK(pair_deliver(&p, 1));
	CHECK_EQ(stored(&p, 1).attribution.size, 0);
	/* It is told upstream when the HTLC is irrevocably gone, also after a crash before that. */
	pair_cut(&p);
	pair_restart(&p, 0);
	pair_connect(&p);
	pair_run(&p);
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FAILED), 1);
	CHECK(bytes_equal(BYTES(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->attribution,
				pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->attribution_size), BYTES_OF(data)));
	pair_release(&p);
	arena_release(&a);
}

TEST(a_preimage_brings_it_at_once)
{
	struct pair p;
	struct arena a;
	uint64_t id;

	arena_init(&a);
	ready_with_htlc(&p, &id);
	CHECK(pair_fulfill(&p, 1, id, 1));
	pair_flush(&p, 1);
	CHECK(memcmp(told_fulfill(&p, 0, &a), data, sizeof(data)) == 0);
	CHECK(pair_deliver(&p, 0));
	CHECK_EQ(pair_note_count(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED), 1);
	CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FULFILLED)->attribution_size, sizeof(data));
	pair_run(&p);
	pair_release(&p);
	arena_release(&a);
}

static void offer_no_more(struct pair *p, int side)
{
	struct feature_policy without = feature_policy_default();

	feature_policy_set(&without, FEATURE_ATTRIBUTION_DATA, FEATURE_OFF);
	buf_clear(&p->side[side].features);
	features_build(&without, FEATURES_INIT, &p->side[side].features);
	pair_cut(p);
	pair_connect(p);
	pair_run(p);
}

/* Whoever does not offer it says none, whatever it is given, and none is handed up to who does not. */
TEST(only_as_long_as_we_offer_it)
{
	for (int side = 0; side < 2; side++) {
		struct pair p;
		struct arena a;
		uint64_t id;

		arena_init(&a);
		ready_with_htlc(&p, &id);
		offer_no_more(&p, side);
		CHECK_EQ(channel_takes_attribution(p.side[1].ch), side == 0);
		CHECK(pair_fail(&p, 1, id));
		pair_flush(&p, 1);
		CHECK_EQ(told_fail(&p, 0, &a) != NULL, side == 0);
		pair_run(&p);
		CHECK_EQ(pair_note(&p, 0, CHANNEL_NOTE_HTLC_FAILED)->attribution_size, 0);
		pair_release(&p);
		arena_release(&a);
	}
}

/* B2.forwarding_htlcs.1: the hold time begins when the HTLC is irrevocable, and a restart does not begin it anew. */
TEST(when_an_htlc_was_committed_is_kept)
{
	struct pair p;
	uint64_t id, at;

	ready_with_htlc(&p, &id);
	at = channel_htlc_get(p.side[1].ch, SIDE_REMOTE, id)->committed_ms;
	CHECK_EQ(at, p.now_ms);
	p.now_ms += 5000;
	pair_restart(&p, 1);
	CHECK_EQ(channel_htlc_get(p.side[1].ch, SIDE_REMOTE, id)->committed_ms, at);
	pair_release(&p);
}

/* A record of version 1 ends before both: no data, and nobody knows since when. */
TEST(records_of_version_1_still_load)
{
	const struct channel_htlc h = { .id = 5, .owner = SIDE_REMOTE, .state = SENT_REMOVE_COMMIT, .amount = MSAT(1234), .cltv_expiry = 99,
					.resolution = HTLC_FAILED, .reason = BYTES_OF(data), .attribution = BYTES_OF(data),
					.committed_ms = 77, .remote_last = 9 };
	struct channel_htlc back;
	struct buf b = BUF_EMPTY;
	struct arena a;
	uint8_t key[17];

	arena_init(&a);
	htlc_record_key(key, 1, SIDE_REMOTE, 5);
	channel_htlc_encode(&h, &b);
	CHECK_EQ(load_be16(b.data), 2);
	CHECK(channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	CHECK(bytes_equal(back.attribution, BYTES_OF(data)));
	CHECK_EQ(back.committed_ms, 77);
	/* The last field, then a length and what it counts. */
	b.size -= 8 + 4 + sizeof(data);
	CHECK(!channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	store_be16(b.data, 1);
	CHECK(channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	CHECK_EQ(back.attribution.size, 0);
	CHECK_EQ(back.committed_ms, 0);
	CHECK_EQ(back.remote_last, 9);
	CHECK(bytes_equal(back.reason, BYTES_OF(data)));
	b.size--;
	CHECK(!channel_htlc_decode(BYTES_OF(key), buf_view(&b), &a, &back));
	buf_release(&b);
	arena_release(&a);
}
