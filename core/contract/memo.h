/* What was computed once and will be asked for again.
 *
 * The keys of a commitment are derived by whoever builds, checks or signs it,
 * its signatures are verified by the channel and by a validating signer, and
 * for each of that a key is read, which takes a square root.  Each of these is a pure function of its arguments: with a memo the answer is
 * the same, bit for bit, and only sooner.  An answer is remembered under all
 * its arguments or a SHA256 of them, and only good ones are; nobody can put one in
 * without its having been computed here.  Whoever composes a process decides
 * who shares a memo.
 *
 * Bounded: the oldest make room.  Called by one thread, which may share batches with others (memo_share).  A NULL memo computes. */
#ifndef CONTRACT_MEMO_H
#define CONTRACT_MEMO_H

#include "contract/keys.h"
#include "crypto/batch.h"

struct memo;

MUST_USE struct memo *memo_new(void); /* returns owned */
void memo_free(struct memo *m);
/* Who computes what comes in batches; borrowed.  Without one: the caller's thread. */
void memo_share(struct memo *m, const struct runner *runner);

/* point_read.  A basepoint is wanted for each commitment of its channel, a per-commitment point when it comes and when its
 * keys are derived. */
MUST_USE bool memo_read(struct memo *m, struct point *out, const struct pubkey *p);
/* commitment_keys_derive */
MUST_USE bool memo_keys(struct memo *m, struct commitment_keys *out, const struct basepoints *broadcaster,
			const struct basepoints *countersignatory, const struct pubkey *per_commitment_point);
/* Whether it would be answered from memory; false without a memo. */
MUST_USE bool memo_has_keys(struct memo *m, const struct basepoints *broadcaster,
			    const struct basepoints *countersignatory, const struct pubkey *per_commitment_point);
/* ecdsa_verify */
MUST_USE bool memo_verify(struct memo *m, const struct sig64 *sig, const struct sha256 *hash, const struct pubkey *p);
/* The same of many. */
void memo_verify_batch(struct memo *m, struct verify_item *items, uint32_t count);
/* out = secret * G, and memo_secret will know it.  A NULL memo only computes. */
void memo_point(struct memo *m, const struct secp *s, struct pubkey *out, const struct secret32 *secret);
/* Whether secret * G is the point.  For a secret that was revealed: not in constant time. */
MUST_USE bool memo_secret(struct memo *m, const struct secret32 *secret, const struct pubkey *point);

/* How many answers came from memory. */
uint64_t memo_hits(const struct memo *m);

#endif
