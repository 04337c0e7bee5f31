#include "crypto/batch.h"

/* Signatures in a part: enough that handing it over is little beside them, few enough that threads end together.  What
 * fits into one part is done here: a lone payment is not worth waking anybody. */
#define PART 4u

static uint32_t parts_of(uint32_t count)
{
	return (count + PART - 1) / PART;
}

static uint32_t end_of(uint32_t part, uint32_t count)
{
	return count - part * PART < PART ? count : (part + 1) * PART;
}

struct verify_key {
	struct point point;
	bool valid;
};

struct verifying {
	struct verify_item *items;
	uint32_t count;
	struct verify_key *keys;
	uint32_t *key_of; /* by item */
};

static void verify_part(void *job, uint32_t part)
{
	const struct verifying *v = job;

	for (uint32_t i = part * PART; i < end_of(part, v->count); i++) {
		const struct verify_key *key = &v->keys[v->key_of[i]];
		struct verify_item *item = &v->items[i];

		item->good = key->valid && ecdsa_verify_point(item->sig, item->hash, &key->point);
	}
}

static void read_keys(struct verifying *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->count; i++) {
		if (i == 0 || !SAME(*v->items[i].key, *v->items[i - 1].key)) {
			v->keys[n].valid = point_read(&v->keys[n].point, v->items[i].key);
			n++;
		}
		v->key_of[i] = n - 1;
	}
}

static uint32_t count_keys(const struct verify_item *items, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += i == 0 || !SAME(*items[i].key, *items[i - 1].key);
	return n;
}

void ecdsa_verify_batch(const struct runner *r, struct verify_item *items, uint32_t count)
{
	struct verifying v = { .items = items, .count = count };

	if (count == 0)
		return;
	v.keys = NEW_ARRAY(struct verify_key, count_keys(items, count));
	v.key_of = NEW_ARRAY(uint32_t, count);
	read_keys(&v);
	runner_run(r, verify_part, &v, parts_of(count));
	mem_free(v.keys);
	mem_free(v.key_of);
}

struct signing {
	const struct secp *secp;
	struct sig64 *out;
	const struct sha256 *hashes;
	uint32_t count;
	const struct secret32 *key;
};

static void sign_part(void *job, uint32_t part)
{
	const struct signing *s = job;

	for (uint32_t i = part * PART; i < end_of(part, s->count); i++)
		ecdsa_sign(s->secp, &s->out[i], &s->hashes[i], s->key, false);
}

void ecdsa_sign_batch(const struct runner *r, const struct secp *s, struct sig64 *out, const struct sha256 *hashes,
		      uint32_t count, const struct secret32 *k)
{
	struct signing job = { s, out, hashes, count, k };

	runner_run(r, sign_part, &job, parts_of(count));
}
