/* The keys of one commitment transaction: BOLT 3 "Key Derivation".
 *
 * Words: the *broadcaster* is the owner of the commitment transaction (the
 * spec's "local node"), the *countersignatory* is the peer whose signature it
 * carries.  A commitment of ours has us as broadcaster; a commitment of theirs
 * has them.  Functions that return bool return false only when a point is not
 * on the curve (or, never in practice, a sum is the point at infinity). */
#ifndef CONTRACT_KEYS_H
#define CONTRACT_KEYS_H

#include "crypto/keys.h"

/* Whose: ours or the peer's.  Stored values. */
enum side { SIDE_LOCAL = 0, SIDE_REMOTE = 1 };

static inline enum side side_other(enum side s)
{
	return s == SIDE_LOCAL ? SIDE_REMOTE : SIDE_LOCAL;
}

/* One node's public keys of a channel, as open_channel and accept_channel carry them. */
struct basepoints {
	struct pubkey funding, revocation, payment, delayed_payment, htlc;
};

/* Their private counterparts: only a signer holds them, and wipes them. */
struct basepoint_secrets {
	struct secret32 funding, revocation, payment, delayed_payment, htlc;
};

/* All keys of one commitment; computed once, then shared by its scripts, its
 * HTLC transactions and the claims on it. */
struct commitment_keys {
	struct pubkey per_commitment_point;     /* the broadcaster's */
	struct pubkey revocation;               /* revocationpubkey */
	struct pubkey broadcaster_delayed;      /* local_delayedpubkey */
	struct pubkey broadcaster_htlc;         /* local_htlcpubkey */
	struct pubkey countersignatory_htlc;    /* remote_htlcpubkey */
	struct pubkey countersignatory_payment; /* remotepubkey: the basepoint itself */
	struct hash160 revocation_hash;         /* of revocation, for the HTLC scripts */
};

MUST_USE bool commitment_keys_derive(struct commitment_keys *out, const struct basepoints *broadcaster,
				     const struct basepoints *countersignatory,
				     const struct pubkey *per_commitment_point);
/* What makes it sooner. */
struct key_helper {
	const struct secp *secp; /* to multiply in; may be NULL */
	/* point_read, from memory if that has it: a channel's basepoints are the same for each of its commitments. */
	bool (*read)(void *context, struct point *out, const struct pubkey *p);
	void *context;
};

/* The same keys. */
MUST_USE bool commitment_keys_derive_with(const struct key_helper *help, struct commitment_keys *out,
					  const struct basepoints *broadcaster, const struct basepoints *countersignatory,
					  const struct pubkey *per_commitment_point);
/* commitment_keys_derive from our point of view: owner says whose commitment it is. */
MUST_USE bool commitment_keys_of(struct commitment_keys *out, enum side owner, const struct basepoints *local,
				 const struct basepoints *remote, const struct pubkey *per_commitment_point);

/* pubkey = basepoint + SHA256(per_commitment_point || basepoint) * G */
MUST_USE bool derive_pubkey(struct pubkey *out, const struct pubkey *basepoint,
			    const struct pubkey *per_commitment_point);
/* basepoint is the public key of basepoint_secret. */
MUST_USE bool derive_seckey(struct secret32 *out, const struct secret32 *basepoint_secret,
			    const struct pubkey *basepoint, const struct pubkey *per_commitment_point);
/* revocationpubkey, from the countersignatory's basepoint and the broadcaster's point. */
MUST_USE bool derive_revocation_pubkey(struct pubkey *out, const struct pubkey *revocation_basepoint,
				       const struct pubkey *per_commitment_point);
/* Known to the countersignatory alone, once the broadcaster has revealed per_commitment_secret. */
MUST_USE bool derive_revocation_seckey(struct secret32 *out, const struct secret32 *revocation_basepoint_secret,
				       const struct pubkey *revocation_basepoint,
				       const struct secret32 *per_commitment_secret,
				       const struct pubkey *per_commitment_point);

#endif
