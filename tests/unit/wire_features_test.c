#include "tests/test.h"

#include <string.h>

#include "wire/features.h"

static struct bytes vector(const uint32_t *bits, size_t count)
{
	struct buf b = BUF_EMPTY;
	uint8_t *kept;
	size_t size;

	for (size_t i = 0; i < count; i++)
		features_set_bit(&b, bits[i]);
	size = b.size;
	kept = test_alloc(size + 1);
	if (size)
		memcpy(kept, b.data, size);
	buf_release(&b);
	return BYTES(kept, size);
}

static struct bytes build(const struct feature_policy *p, enum feature_context context)
{
	struct buf b = BUF_EMPTY;
	uint8_t *kept;
	size_t size;

	features_build(p, context, &b);
	size = b.size;
	kept = test_alloc(size + 1);
	if (size)
		memcpy(kept, b.data, size);
	buf_release(&b);
	return BYTES(kept, size);
}

TEST(bits_are_counted_from_the_end)
{
	struct buf b = BUF_EMPTY;

	features_set_bit(&b, 0);
	CHECK_HEX(buf_view(&b), "01");
	features_set_bit(&b, 15);
	CHECK_HEX(buf_view(&b), "8001");
	features_set_bit(&b, 8);
	CHECK_HEX(buf_view(&b), "8101");
	features_set_bit(&b, 99);
	CHECK_EQ(b.size, 13); /* no longer than it must be: B1.init.5 */
	CHECK(features_bit(buf_view(&b), 99) && features_bit(buf_view(&b), 0) && !features_bit(buf_view(&b), 98));
	CHECK(!features_bit(buf_view(&b), 1000000));
	CHECK(!features_bit(BYTES_NONE, 0));
	buf_release(&b);
}

TEST(our_vectors)
{
	struct feature_policy p = feature_policy_default();
	struct bytes init = build(&p, FEATURES_INIT), node = build(&p, FEATURES_NODE),
		     invoice = build(&p, FEATURES_INVOICE), channel = build(&p, FEATURES_CHANNEL);
	enum feature of, missing;

	CHECK(!features_none(init) && init.data[0] != 0); /* B1.init.5 */
	/* B9.bolt_9_assigned_feature_flags.7 */
	CHECK(features_required(init, FEATURE_VAR_ONION));
	/* B9.bolt_9_assigned_feature_flags.1: supported, so odd, where the table shows it */
	CHECK(features_bit(init, FEATURE_BASIC_MPP + 1) && features_bit(node, FEATURE_BASIC_MPP + 1) &&
	      features_bit(invoice, FEATURE_BASIC_MPP + 1));
	CHECK(features_bit(init, FEATURE_ANCHORS + 1) && features_bit(init, FEATURE_SHUTDOWN_ANYSEGWIT + 1));
	/* B9.bolt_9_assigned_feature_flags.2: required, so even */
	CHECK(features_bit(init, FEATURE_STATIC_REMOTEKEY) && features_bit(invoice, FEATURE_PAYMENT_SECRET));
	/* B9.bolt_9_assigned_feature_flags.4: not where the table does not show it */
	CHECK(!features_offered(invoice, FEATURE_ANCHORS) && !features_offered(init, FEATURE_KEYSEND));
	CHECK(features_offered(node, FEATURE_KEYSEND));
	CHECK(features_none(channel));
	/* B9.bolt_9_assigned_feature_flags.3 and B1.init.3: nothing that is not supported or not defined */
	for (uint32_t bit = 0; bit < init.size * 8; bit++)
		if (features_bit(init, bit))
			CHECK(feature_name(bit) && feature_policy_get(&p, bit & ~1u) != FEATURE_OFF);
	CHECK(!features_offered(init, FEATURE_SPLICE) && !features_offered(init, FEATURE_DUAL_FUND) &&
	      !features_offered(init, FEATURE_GOSSIP_QUERIES) && !features_offered(init, FEATURE_ZEROCONF));
	/* B9.bolt_9_assigned_feature_flags.5: never both of a pair */
	for (uint32_t bit = 0; bit < init.size * 8; bit += 2)
		CHECK(!(features_bit(init, bit) && features_bit(init, bit + 1)));
	/* B9.bolt_9_assigned_feature_flags.6 */
	CHECK(features_complete(init, &of, &missing) && features_complete(node, &of, &missing) &&
	      features_complete(invoice, &of, &missing));
	CHECK(!feature_policy_missing(&p, &of, &missing));
}

TEST(policy_decides_the_bit)
{
	struct feature_policy p = feature_policy_default();
	enum feature of, missing;
	struct bytes v;

	feature_policy_set(&p, FEATURE_SCID_ALIAS, FEATURE_OFF);
	feature_policy_set(&p, FEATURE_ZEROCONF, FEATURE_OPTIONAL);
	/* B9.bolt_9_assigned_feature_flags.6: refused before it is ever sent */
	CHECK(feature_policy_missing(&p, &of, &missing));
	CHECK_EQ(of, FEATURE_ZEROCONF);
	CHECK_EQ(missing, FEATURE_SCID_ALIAS);
	feature_policy_set(&p, FEATURE_SCID_ALIAS, FEATURE_REQUIRED);
	CHECK(!feature_policy_missing(&p, &of, &missing));
	v = build(&p, FEATURES_INIT);
	CHECK(features_bit(v, FEATURE_SCID_ALIAS) && !features_bit(v, FEATURE_SCID_ALIAS + 1));
	CHECK(features_bit(v, FEATURE_ZEROCONF + 1));
	feature_policy_set(&p, FEATURE_ANCHORS, FEATURE_OFF);
	CHECK(!features_offered(build(&p, FEATURES_INIT), FEATURE_ANCHORS));
}

TEST(unknown_bits)
{
	struct feature_policy p = feature_policy_default();
	uint32_t bit = 0;

	/* B1.init.13: unknown and odd is nothing */
	CHECK(!features_unknown_required(vector((uint32_t[]){ 99, 1001, 29 }, 3), &p, &bit));
	/* B1.init.14: unknown and even is a reason to go */
	CHECK(features_unknown_required(vector((uint32_t[]){ 8, 100 }, 2), &p, &bit));
	CHECK_EQ(bit, 100);
	/* known to BOLT 9, but not to this node */
	CHECK(features_unknown_required(vector((uint32_t[]){ FEATURE_DUAL_FUND, 100 }, 2), &p, &bit));
	CHECK_EQ(bit, FEATURE_DUAL_FUND);
	CHECK(features_unknown_required(vector((uint32_t[]){ 2 }, 1), &p, &bit));
	/* ASSUMED, supported, or asking nothing of us */
	CHECK(!features_unknown_required(vector((uint32_t[]){ 0, 8, 12, 14, 16, 22, 44, 6 }, 8), &p, &bit));
	feature_policy_set(&p, FEATURE_ANCHORS, FEATURE_OFF);
	CHECK(features_unknown_required(vector((uint32_t[]){ FEATURE_ANCHORS }, 1), &p, &bit));
}

TEST(dependencies)
{
	enum feature of, missing;

	CHECK(features_complete(BYTES_NONE, &of, &missing));
	CHECK(features_complete(vector((uint32_t[]){ 17, 14 }, 2), &of, &missing));
	CHECK(features_complete(vector((uint32_t[]){ 16, 15 }, 2), &of, &missing)); /* either bit will do */
	/* B1.init.15 */
	CHECK(!features_complete(vector((uint32_t[]){ 17 }, 1), &of, &missing));
	CHECK_EQ(of, FEATURE_BASIC_MPP);
	CHECK_EQ(missing, FEATURE_PAYMENT_SECRET);
	CHECK(!features_complete(vector((uint32_t[]){ 51 }, 1), &of, &missing));
	CHECK_EQ(missing, FEATURE_SCID_ALIAS);
	CHECK(!features_complete(vector((uint32_t[]){ 60 }, 1), &of, &missing));
	CHECK(features_complete(vector((uint32_t[]){ 61, 27 }, 2), &of, &missing));
}

TEST(negotiation)
{
	struct bytes none = BYTES_NONE, odd = vector((uint32_t[]){ 23 }, 1), even = vector((uint32_t[]){ 22 }, 1),
		     both = vector((uint32_t[]){ 22, 23 }, 2);

	CHECK(features_negotiated(odd, odd, FEATURE_ANCHORS));
	CHECK(features_negotiated(odd, even, FEATURE_ANCHORS));
	CHECK(!features_negotiated(odd, none, FEATURE_ANCHORS));
	CHECK(!features_negotiated(none, even, FEATURE_ANCHORS));
	CHECK(features_negotiated(even, none, FEATURE_ANCHORS)); /* it stayed, so it understands */
	CHECK(features_required(both, FEATURE_ANCHORS)); /* both bits: as if required alone */
}

TEST(fields_of_init_are_one)
{
	struct buf b = BUF_EMPTY;

	features_merge(&b, test_unhex("0200"));
	features_merge(&b, test_unhex("000000800001"));
	CHECK_HEX(buf_view(&b), "800201"); /* B1.init.11, and no longer than needed */
	features_merge(&b, test_unhex("02"));
	CHECK_HEX(buf_view(&b), "800203");
	CHECK(features_equal(test_unhex("0000800203"), buf_view(&b)));
	CHECK(!features_equal(test_unhex("800202"), buf_view(&b)));
	CHECK(features_none(test_unhex("000000")) && !features_none(buf_view(&b)));
	buf_release(&b);
}

TEST(names)
{
	CHECK_STR(feature_name(22), "option_anchors");
	CHECK_STR(feature_name(23), "option_anchors");
	CHECK_STR(feature_name(55), "keysend");
	CHECK(feature_name(2) == NULL && feature_name(100) == NULL);
}

TEST(channel_types)
{
	struct channel_type t = { 0 };
	struct buf b = BUF_EMPTY;

	channel_type_encode(&t, &b);
	CHECK_HEX(buf_view(&b), "1000");
	CHECK(channel_type_decode(buf_view(&b), &t) && !t.anchors && !t.scid_alias && !t.zeroconf);
	CHECK(channel_type_decode(test_unhex("401000"), &t) && t.anchors && !t.scid_alias && !t.zeroconf);
	CHECK(channel_type_decode(test_unhex("04400000401000"), &t) && t.anchors && t.scid_alias && t.zeroconf);
	buf_clear(&b);
	channel_type_encode(&t, &b);
	CHECK_HEX(buf_view(&b), "04400000401000");
	CHECK(!channel_type_decode(BYTES_NONE, &t));		  /* the type before static_remotekey */
	CHECK(!channel_type_decode(test_unhex("400000"), &t));	  /* anchors without it */
	CHECK(!channel_type_decode(test_unhex("2000"), &t));	  /* the optional bit */
	CHECK(!channel_type_decode(test_unhex("401001"), &t));	  /* something more */
	CHECK(!channel_type_decode(test_unhex("1000401000"), &t)); /* bit 36 too */
	buf_release(&b);
}
