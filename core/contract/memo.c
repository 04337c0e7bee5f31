#include "contract/memo.h"

#include <string.h>

#include "crypto/hash.h"

/* Two commitments of each side of many busy channels. */
#define KEYS_BUCKETS 64u
#define KEYS_BUCKET_SIZE 4u
/* Two commitments with 966 HTLCs each, in buckets that fill evenly. */
#define GOOD_BUCKETS 512u
#define GOOD_BUCKET_SIZE 8u
/* Of each channel the eight basepoints that keys are derived from, and a point or two of each side: of eighty channels, in
 * 100 KB. */
#define POINT_BUCKETS 256u
#define POINT_BUCKET_SIZE 4u

/* Zero where it is empty, which is no digest of anything, and no key. */
struct keys_bucket {
	struct sha256 of[KEYS_BUCKET_SIZE];
	struct commitment_keys keys[KEYS_BUCKET_SIZE];
	uint32_t next;
};

struct good_bucket {
	struct sha256 of[GOOD_BUCKET_SIZE];
	uint32_t next;
};

struct point_bucket {
	struct pubkey of[POINT_BUCKET_SIZE];
	struct point points[POINT_BUCKET_SIZE];
	uint32_t next;
};

struct memo {
	struct point_bucket points[POINT_BUCKETS];
	struct keys_bucket keys[KEYS_BUCKETS];
	struct good_bucket good[GOOD_BUCKETS];
	struct secp *secp;
	const struct runner *runner;
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

void memo_share(struct memo *m, const struct runner *runner)
{
	m->runner = runner;
}

uint64_t memo_hits(const struct memo *m)
{
	return m->hits;
}

bool memo_read(struct memo *m, struct point *out, const struct pubkey *p)
{
	struct point_bucket *b;
	uint32_t i;

	if (!m)
		return point_read(out, p);
	/* An empty place has zeros, and a peer may send those for a key. */
	if (p->v[0] == 0)
		return false;
	/* Whoever makes keys that fall into one bucket has them read anew each time: no more than without a memo. */
	b = &m->points[load_le32(p->v + 1) % POINT_BUCKETS];
	for (i = 0; i < POINT_BUCKET_SIZE; i++)
		if (SAME(b->of[i], *p)) {
			*out = b->points[i];
			return true;
		}
	if (!point_read(out, p))
		return false;
	i = b->next++ % POINT_BUCKET_SIZE;
	b->of[i] = *p;
	b->points[i] = *out;
	return true;
}

static bool read_for_keys(void *context, struct point *out, const struct pubkey *p)
{
	return memo_read(context, out, p);
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
	const struct key_helper help = { m ? m->secp : NULL, read_for_keys, m };
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
	if (!commitment_keys_derive_with(&help, out, broadcaster, countersignatory, per_commitment_point))
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

static struct sha256 name_of_signature(const struct sig64 *sig, const struct sha256 *hash, const struct pubkey *p)
{
	/* The sizes are all different from those of a secret and its point: no two kinds share a name. */
	uint8_t all[64 + 32 + 33];

	memcpy(all, sig->v, 64);
	memcpy(all + 64, hash->v, 32);
	memcpy(all + 96, p->v, 33);
	return sha256(all, sizeof(all));
}

bool memo_verify(struct memo *m, const struct sig64 *sig, const struct sha256 *hash, const struct pubkey *p)
{
	struct sha256 of;

	if (!m)
		return ecdsa_verify(sig, hash, p);
	of = name_of_signature(sig, hash, p);
	if (is_good(m, &of))
		return true;
	if (!ecdsa_verify(sig, hash, p))
		return false;
	keep(m, &of);
	return true;
}

/* Those that memory does not answer, in their order; returns how many. */
static uint32_t pick_unknown(struct memo *m, struct verify_item *unknown, struct sha256 *names, uint32_t *from,
			     struct verify_item *items, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct sha256 of = name_of_signature(items[i].sig, items[i].hash, items[i].key);

		items[i].good = is_good(m, &of);
		if (items[i].good)
			continue;
		unknown[n] = items[i];
		names[n] = of;
		from[n++] = i;
	}
	return n;
}

void memo_verify_batch(struct memo *m, struct verify_item *items, uint32_t count)
{
	struct verify_item *unknown;
	struct sha256 *names;
	uint32_t *from, n;

	if (!m || count == 0) {
		ecdsa_verify_batch(NULL, items, count);
		return;
	}
	unknown = NEW_ARRAY(struct verify_item, count);
	names = NEW_ARRAY(struct sha256, count);
	from = NEW_ARRAY(uint32_t, count);
	n = pick_unknown(m, unknown, names, from, items, count);
	ecdsa_verify_batch(m->runner, unknown, n);
	for (uint32_t i = 0; i < n; i++) {
		items[from[i]].good = unknown[i].good;
		if (unknown[i].good)
			keep(m, &names[i]);
	}
	mem_free(unknown);
	mem_free(names);
	mem_free(from);
}

/* Without a context to multiply in, addition is all that it takes: P + secret * G = 2 * P. */
static bool matches_by_addition(const struct secret32 *secret, const struct pubkey *point)
{
	struct pubkey sum, twice;

	return seckey_valid(secret) && pubkey_add(&sum, point, secret->v) && pubkey_add_point(&twice, point, point) &&
	       SAME(sum, twice);
}

static struct sha256 name_of_secret(const struct secret32 *secret, const struct pubkey *point)
{
	uint8_t all[32 + 33];
	struct sha256 of;

	memcpy(all, secret->v, 32);
	memcpy(all + 32, point->v, 33);
	of = sha256(all, sizeof(all));
	mem_wipe(all, sizeof(all));
	return of;
}

void memo_point(struct memo *m, const struct secp *s, struct pubkey *out, const struct secret32 *secret)
{
	struct sha256 of;

	pubkey_of(s, out, secret);
	if (!m)
		return;
	of = name_of_secret(secret, out);
	keep(m, &of);
}

bool memo_secret(struct memo *m, const struct secret32 *secret, const struct pubkey *point)
{
	struct sha256 of;
	struct pubkey p;

	if (!m)
		return matches_by_addition(secret, point);
	of = name_of_secret(secret, point);
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
