#include "contract/memo.h"

#include <string.h>

#include "crypto/hash.h"

/* Two commitments of each side of many busy channels. */
#define KEYS_BUCKETS 64u
#define KEYS_BUCKET_SIZE 4u
/* Two commitments with 966 HTLCs each, in buckets that fill evenly. */
#define GOOD_BUCKETS 512u
#define GOOD_BUCKET_SIZE 8u

/* Zero where it is empty, which is no digest of anything. */
struct keys_bucket {
	struct sha256 of[KEYS_BUCKET_SIZE];
	struct commitment_keys keys[KEYS_BUCKET_SIZE];
	uint32_t next;
};

struct good_bucket {
	struct sha256 of[GOOD_BUCKET_SIZE];
	uint32_t next;
};

struct memo {
	struct keys_bucket keys[KEYS_BUCKETS];
	struct good_bucket good[GOOD_BUCKETS];
	struct secp *secp;
	uint64_t hits;
};

struct memo *memo_new(void)
{
	/* Nothing secret is ever multiplied here. */
	static const uint8_t seed[32];
	struct memo *m = NEW(struct memo);

	m->secp = secp_new(seed);
	return m;
}

void memo_free(struct memo *m)
{
	if (!m)
		return;
	secp_free(m->secp);
	mem_free(m);
}

uint64_t memo_hits(const struct memo *m)
{
	return m->hits;
}

static struct sha256 name_of_keys(const struct basepoints *broadcaster, const struct basepoints *countersignatory,
				  const struct pubkey *point)
{
	struct sha256_state s;

	sha256_init_state(&s);
	sha256_add(&s, broadcaster, sizeof(*broadcaster));
	sha256_add(&s, countersignatory, sizeof(*countersignatory));
	sha256_add(&s, point->v, sizeof(point->v));
	return sha256_finish(&s);
}

static const struct commitment_keys *find_keys(const struct memo *m, const struct sha256 *of)
{
	const struct keys_bucket *b = &m->keys[load_le32(of->v) % KEYS_BUCKETS];

	for (uint32_t i = 0; i < KEYS_BUCKET_SIZE; i++)
		if (SAME(b->of[i], *of))
			return &b->keys[i];
	return NULL;
}

bool memo_has_keys(struct memo *m, const struct basepoints *broadcaster, const struct basepoints *countersignatory,
		   const struct pubkey *per_commitment_point)
{
	struct sha256 of;

	if (!m)
		return false;
	of = name_of_keys(broadcaster, countersignatory, per_commitment_point);
	return find_keys(m, &of);
}

static void keep_keys(struct memo *m, const struct sha256 *of, const struct commitment_keys *keys)
{
	struct keys_bucket *b = &m->keys[load_le32(of->v) % KEYS_BUCKETS];
	uint32_t i = b->next++ % KEYS_BUCKET_SIZE;

	b->of[i] = *of;
	b->keys[i] = *keys;
}

bool memo_keys(struct memo *m, struct commitment_keys *out, const struct basepoints *broadcaster,
	       const struct basepoints *countersignatory, const struct pubkey *per_commitment_point)
{
	const struct commitment_keys *known;
	struct sha256 of;

	if (!m)
		return commitment_keys_derive(out, broadcaster, countersignatory, per_commitment_point);
	of = name_of_keys(broadcaster, countersignatory, per_commitment_point);
	known = find_keys(m, &of);
	if (known) {
		m->hits++;
		*out = *known;
		return true;
	}
	if (!commitment_keys_derive(out, broadcaster, countersignatory, per_commitment_point))
		return false;
	keep_keys(m, &of, out);
	return true;
}

static bool is_good(struct memo *m, const struct sha256 *of)
{
	const struct good_bucket *b = &m->good[load_le32(of->v) % GOOD_BUCKETS];

	for (uint32_t i = 0; i < GOOD_BUCKET_SIZE; i++)
		if (SAME(b->of[i], *of)) {
			m->hits++;
			return true;
		}
	return false;
}

static void keep(struct memo *m, const struct sha256 *of)
{
	struct good_bucket *b = &m->good[load_le32(of->v) % GOOD_BUCKETS];

	b->of[b->next++ % GOOD_BUCKET_SIZE] = *of;
}

bool memo_verify(struct memo *m, const struct sig64 *sig, const struct sha256 *hash, const struct pubkey *p)
{
	/* The sizes are all different from those of a secret and its point: no two kinds share a name. */
	uint8_t all[64 + 32 + 33];
	struct sha256 of;

	if (!m)
		return ecdsa_verify(sig, hash, p);
	memcpy(all, sig->v, 64);
	memcpy(all + 64, hash->v, 32);
	memcpy(all + 96, p->v, 33);
	of = sha256(all, sizeof(all));
	if (is_good(m, &of))
		return true;
	if (!ecdsa_verify(sig, hash, p))
		return false;
	keep(m, &of);
	return true;
}

/* Without a context to multiply in, addition is all that it takes: P + secret * G = 2 * P. */
static bool matches_by_addition(const struct secret32 *secret, const struct pubkey *point)
{
	struct pubkey sum, twice;

	return seckey_valid(secret) && pubkey_add(&sum, point, secret->v) && pubkey_add_point(&twice, point, point) &&
	       SAME(sum, twice);
}

bool memo_secret(struct memo *m, const struct secret32 *secret, const struct pubkey *point)
{
	uint8_t all[32 + 33];
	struct sha256 of;
	struct pubkey p;

	if (!m)
		return matches_by_addition(secret, point);
	memcpy(all, secret->v, 32);
	memcpy(all + 32, point->v, 33);
	of = sha256(all, sizeof(all));
	if (is_good(m, &of))
		return true;
	if (!seckey_valid(secret))
		return false;
	pubkey_of(m->secp, &p, secret);
	if (!SAME(p, *point))
		return false;
	keep(m, &of);
	return true;
}
