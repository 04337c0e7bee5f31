#include "contract/keys.h"

#include "crypto/hash.h"

/* SHA256(a || b): the tweak of every derivation. */
static struct sha256 hash_points(const struct pubkey *a, const struct pubkey *b)
{
	uint8_t both[66];

	memcpy(both, a->v, 33);
	memcpy(both + 33, b->v, 33);
	return sha256(both, sizeof(both));
}

/* A per-commitment point in both its forms: each derivation hashes the one and computes with the other. */
struct commitment_point {
	const struct pubkey *pubkey;
	struct point point;
};

static bool read_alone(void *context, struct point *out, const struct pubkey *p)
{
	(void)context;
	return point_read(out, p);
}

static const struct key_helper alone = { .read = read_alone };

static bool take_point(const struct key_helper *help, struct commitment_point *out, const struct pubkey *per_commitment_point)
{
	out->pubkey = per_commitment_point;
	return help->read(help->context, &out->point, per_commitment_point);
}

static bool derive(const struct key_helper *help, struct pubkey *out, const struct pubkey *basepoint,
		   const struct commitment_point *at)
{
	struct sha256 tweak = hash_points(at->pubkey, basepoint);
	struct point p;

	if (!help->read(help->context, &p, basepoint) || !point_add(&p, help->secp, &p, tweak.v))
		return false;
	point_pubkey(out, &p);
	return true;
}

bool derive_pubkey(struct pubkey *out, const struct pubkey *basepoint, const struct pubkey *per_commitment_point)
{
	struct sha256 tweak = hash_points(per_commitment_point, basepoint);

	return pubkey_add(out, basepoint, tweak.v);
}

bool derive_seckey(struct secret32 *out, const struct secret32 *basepoint_secret, const struct pubkey *basepoint,
		   const struct pubkey *per_commitment_point)
{
	struct sha256 tweak = hash_points(per_commitment_point, basepoint);

	*out = *basepoint_secret;
	return seckey_add(out, tweak.v);
}

static bool derive_revocation(const struct key_helper *help, struct pubkey *out, const struct pubkey *basepoint,
			      const struct commitment_point *at)
{
	struct sha256 base_tweak = hash_points(basepoint, at->pubkey);
	struct sha256 point_tweak = hash_points(at->pubkey, basepoint);
	struct point from_base, from_point;

	if (!help->read(help->context, &from_base, basepoint) || !point_mul(&from_base, &from_base, base_tweak.v) ||
	    !point_mul(&from_point, &at->point, point_tweak.v) || !point_sum(&from_base, &from_base, &from_point))
		return false;
	point_pubkey(out, &from_base);
	return true;
}

bool derive_revocation_pubkey(struct pubkey *out, const struct pubkey *revocation_basepoint,
			      const struct pubkey *per_commitment_point)
{
	struct commitment_point at;

	return take_point(&alone, &at, per_commitment_point) && derive_revocation(&alone, out, revocation_basepoint, &at);
}

bool derive_revocation_seckey(struct secret32 *out, const struct secret32 *revocation_basepoint_secret,
			      const struct pubkey *revocation_basepoint,
			      const struct secret32 *per_commitment_secret,
			      const struct pubkey *per_commitment_point)
{
	struct sha256 base_tweak = hash_points(revocation_basepoint, per_commitment_point);
	struct sha256 point_tweak = hash_points(per_commitment_point, revocation_basepoint);
	struct secret32 from_point = *per_commitment_secret;
	bool good;

	*out = *revocation_basepoint_secret;
	good = seckey_mul(out, base_tweak.v) && seckey_mul(&from_point, point_tweak.v) &&
	       seckey_add(out, from_point.v);
	mem_wipe(&from_point, sizeof(from_point));
	return good;
}

bool commitment_keys_derive_with(const struct key_helper *help, struct commitment_keys *out,
				 const struct basepoints *broadcaster, const struct basepoints *countersignatory,
				 const struct pubkey *per_commitment_point)
{
	struct commitment_point at;
	struct point payment;

	out->per_commitment_point = *per_commitment_point;
	/* The one key that does not change: its owner can spend after losing all data. */
	out->countersignatory_payment = countersignatory->payment;
	if (!take_point(help, &at, per_commitment_point) ||
	    !help->read(help->context, &payment, &countersignatory->payment) ||
	    !derive_revocation(help, &out->revocation, &countersignatory->revocation, &at) ||
	    !derive(help, &out->broadcaster_delayed, &broadcaster->delayed_payment, &at) ||
	    !derive(help, &out->broadcaster_htlc, &broadcaster->htlc, &at) ||
	    !derive(help, &out->countersignatory_htlc, &countersignatory->htlc, &at))
		return false;
	out->revocation_hash = hash160(out->revocation.v, sizeof(out->revocation.v));
	return true;
}

bool commitment_keys_derive(struct commitment_keys *out, const struct basepoints *broadcaster,
			    const struct basepoints *countersignatory, const struct pubkey *per_commitment_point)
{
	return commitment_keys_derive_with(&alone, out, broadcaster, countersignatory, per_commitment_point);
}

bool commitment_keys_of(struct commitment_keys *out, enum side owner, const struct basepoints *local,
			const struct basepoints *remote, const struct pubkey *per_commitment_point)
{
	switch (owner) {
	case SIDE_LOCAL:
		return commitment_keys_derive(out, local, remote, per_commitment_point);
	case SIDE_REMOTE:
		return commitment_keys_derive(out, remote, local, per_commitment_point);
	}
	UNREACHABLE();
}
