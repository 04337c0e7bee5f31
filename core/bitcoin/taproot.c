#include "bitcoin/taproot.h"

#include "crypto/hash.h"

#define DEPTH_MAX 128u

struct sha256 taproot_leaf_hash(uint8_t leaf_version, struct bytes script)
{
	struct buf size = BUF_EMPTY;
	struct sha256_state s;

	buf_add_varint(&size, script.size);
	sha256_tagged_init(&s, "TapLeaf");
	sha256_add(&s, &leaf_version, 1);
	sha256_add(&s, size.data, size.size);
	sha256_add(&s, script.data, script.size);
	buf_release(&size);
	return sha256_finish(&s);
}

struct sha256 taproot_branch_hash(const struct sha256 *a, const struct sha256 *b)
{
	bool in_order = memcmp(a->v, b->v, sizeof(a->v)) <= 0;
	struct sha256_state s;

	sha256_tagged_init(&s, "TapBranch");
	sha256_add(&s, in_order ? a->v : b->v, sizeof(a->v));
	sha256_add(&s, in_order ? b->v : a->v, sizeof(a->v));
	return sha256_finish(&s);
}

struct sha256 taproot_tweak(const struct xonly *internal, const struct sha256 *merkle_root)
{
	struct sha256_state s;

	sha256_tagged_init(&s, "TapTweak");
	sha256_add(&s, internal->v, sizeof(internal->v));
	if (merkle_root)
		sha256_add(&s, merkle_root->v, sizeof(merkle_root->v));
	return sha256_finish(&s);
}

bool taproot_output_key(struct xonly *out, int *parity, const struct xonly *internal, const struct sha256 *merkle_root)
{
	struct sha256 tweak = taproot_tweak(internal, merkle_root);

	return xonly_tweak_add(out, parity, internal, tweak.v);
}

bool taproot_seckey(const struct secp *s, struct secret32 *k, const struct sha256 *merkle_root)
{
	struct sha256 tweak;
	struct pubkey p;
	struct xonly x;

	if (!seckey_valid(k))
		return false;
	pubkey_of(s, &p, k);
	x = xonly_of(&p);
	tweak = taproot_tweak(&x, merkle_root);
	return seckey_xonly_tweak_add(s, k, tweak.v);
}

void taproot_control_block(struct buf *out, uint8_t leaf_version, int parity, const struct xonly *internal,
			   const struct sha256 *path, uint32_t depth)
{
	ASSERT(depth <= DEPTH_MAX && (parity == 0 || parity == 1) && !(leaf_version & 1));
	buf_add_u8(out, (uint8_t)(leaf_version | parity));
	buf_add(out, internal->v, sizeof(internal->v));
	for (uint32_t i = 0; i < depth; i++)
		buf_add(out, path[i].v, sizeof(path[i].v));
}
