/* Feature bits: BOLT 9, and BOLT 1 "The init Message".
 *
 * A vector is bytes as on the wire: big endian, bit 0 is the lowest bit of the
 * last byte.  A feature is named by its even bit; the even bit says "required",
 * the odd one "optional".  One table (features.c) says for each feature where
 * it is shown and what it depends on; a struct feature_policy says how much of
 * it this node offers. */
#ifndef WIRE_FEATURES_H
#define WIRE_FEATURES_H

#include "base/bytes.h"

enum feature {
	FEATURE_DATA_LOSS_PROTECT = 0,
	FEATURE_UPFRONT_SHUTDOWN_SCRIPT = 4,
	FEATURE_GOSSIP_QUERIES = 6,
	FEATURE_VAR_ONION = 8,
	FEATURE_GOSSIP_QUERIES_EX = 10,
	FEATURE_STATIC_REMOTEKEY = 12,
	FEATURE_PAYMENT_SECRET = 14,
	FEATURE_BASIC_MPP = 16,
	FEATURE_LARGE_CHANNEL = 18,
	FEATURE_ANCHORS = 22,
	FEATURE_ROUTE_BLINDING = 24,
	FEATURE_SHUTDOWN_ANYSEGWIT = 26,
	FEATURE_DUAL_FUND = 28,
	FEATURE_QUIESCE = 34,
	FEATURE_ATTRIBUTION_DATA = 36,
	FEATURE_ONION_MESSAGES = 38,
	FEATURE_PROVIDE_STORAGE = 42,
	FEATURE_CHANNEL_TYPE = 44,
	FEATURE_SCID_ALIAS = 46,
	FEATURE_PAYMENT_METADATA = 48,
	FEATURE_ZEROCONF = 50,
	FEATURE_KEYSEND = 54, /* bLIP 3 */
	FEATURE_SIMPLE_CLOSE = 60,
	FEATURE_SPLICE = 62,
};

/* Where a vector stands. */
enum feature_context {
	FEATURES_INIT = 1,	   /* I */
	FEATURES_NODE = 2,	   /* N */
	FEATURES_CHANNEL = 4,	   /* C */
	FEATURES_INVOICE = 8,	   /* 9 */
	FEATURES_BLINDED = 16,	   /* B */
	FEATURES_CHANNEL_TYPE = 32 /* T */
};

enum feature_stand {
	FEATURE_OFF,
	FEATURE_OPTIONAL, /* odd bit */
	FEATURE_REQUIRED  /* even bit */
};

#define FEATURE_PAIRS 32 /* pairs that a policy speaks of: bits 0 to 63 */

/* What this node offers: indexed by feature / 2. */
struct feature_policy {
	uint8_t stand[FEATURE_PAIRS]; /* enum feature_stand */
};

/* What the code of this node supports today, before configuration. */
struct feature_policy feature_policy_default(void);
void feature_policy_set(struct feature_policy *p, enum feature f, enum feature_stand stand);
enum feature_stand feature_policy_get(const struct feature_policy *p, enum feature f);
/* Our vector for a context, minimal, appended to out.  ASSERTs that the policy's dependencies hold (a bug of
 * whoever configured it: ask feature_policy_missing first). */
void features_build(const struct feature_policy *p, enum feature_context context, struct buf *out);
/* The first feature that is on while something that it depends on is off; false if there is none. */
MUST_USE bool feature_policy_missing(const struct feature_policy *p, enum feature *of, enum feature *missing);

/* Reading vectors. */
MUST_USE bool features_bit(struct bytes v, uint32_t bit);
MUST_USE bool features_offered(struct bytes v, enum feature f);	 /* either bit */
MUST_USE bool features_required(struct bytes v, enum feature f); /* the even bit, alone or with the odd one */
/* BOLT 1: both offered it, or we did as required (a peer that stays understood it). */
MUST_USE bool features_negotiated(struct bytes ours, struct bytes theirs, enum feature f);
/* The lowest even bit that is set and that this node does not understand: neither ASSUMED by BOLT 9, nor
 * on in the policy, nor one that asks nothing of us.  False if there is none. */
MUST_USE bool features_unknown_required(struct bytes v, const struct feature_policy *p, uint32_t *bit);
/* False if some feature that the table knows is set without one that it depends on; then of and missing say which. */
MUST_USE bool features_complete(struct bytes v, enum feature *of, enum feature *missing);
/* Same bits set, whatever the lengths. */
MUST_USE bool features_equal(struct bytes a, struct bytes b);
MUST_USE bool features_none(struct bytes v);

/* Writing: out holds exactly one vector, kept minimal unless it was longer before. */
void features_set_bit(struct buf *out, uint32_t bit);
/* out |= v (B1.init.11: the two fields of init are one). */
void features_merge(struct buf *out, struct bytes v);
/* Without the zero bytes in front. */
struct bytes features_trimmed(struct bytes v);

/* "option_anchors"; NULL for a bit without a name.  Either bit of the pair. */
const char *feature_name(uint32_t bit);

/* Channel types (BOLT 2 "Defined Channel Types"): always static_remotekey. */
struct channel_type {
	bool anchors;
	bool scid_alias;
	bool zeroconf;
};

/* False unless the vector is one of the types that this node knows: exactly the even bits of static_remotekey,
 * and any of anchors, scid_alias, zeroconf. */
MUST_USE bool channel_type_decode(struct bytes v, struct channel_type *out);
void channel_type_encode(const struct channel_type *t, struct buf *out);

#endif
