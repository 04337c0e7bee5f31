#include "crypto/shachain.h"

#include "base/cursor.h"
#include "crypto/hash.h"

/* Flips the bits of index in secret, from the highest of so many down to bit 0, hashing after each:
 * B3.per_commitment_secret_requirements.4. */
static struct secret32 derive(const struct secret32 *from_secret, int bits, uint64_t index)
{
	struct secret32 p = *from_secret;

	for (int b = bits - 1; b >= 0; b--) {
		if (index >> b & 1) {
			struct sha256 h;

			p.v[b / 8] ^= (uint8_t)(1u << b % 8);
			h = sha256(p.v, sizeof(p.v));
			memcpy(p.v, h.v, sizeof(p.v));
		}
	}
	return p;
}

struct secret32 shachain_from_seed(const struct secret32 *seed, uint64_t index)
{
	ASSERT(index <= SHACHAIN_FIRST);
	return derive(seed, 48, index);
}

void shachain_init(struct shachain *s)
{
	memset(s, 0, sizeof(*s));
	/* B3.per_commitment_secret_requirements.3: from there down. */
	s->next_index = SHACHAIN_FIRST;
}

/* Trailing zero bits: which of the 49 places a secret has. */
static uint32_t place_of(uint64_t index)
{
	uint32_t n = 0;

	while (n < 48 && !(index >> n & 1))
		n++;
	return n;
}

bool shachain_add(struct shachain *s, uint64_t index, const struct secret32 *secret)
{
	uint32_t place = place_of(index);

	if (index != s->next_index || index > SHACHAIN_FIRST)
		return false;
	for (uint32_t i = 0; i < place && i < s->count; i++) {
		struct secret32 d = derive(secret, (int)place, s->known[i].index);

		if (!SAME(d, s->known[i].secret))
			return false;
	}
	s->known[place].index = index;
	s->known[place].secret = *secret;
	if (place >= s->count)
		s->count = place + 1;
	s->next_index = index - 1;
	return true;
}

bool shachain_get(const struct shachain *s, uint64_t index, struct secret32 *out)
{
	/* After index 0 next_index is past the end of the numbers, and every secret is known. */
	if (index > SHACHAIN_FIRST || (s->next_index <= SHACHAIN_FIRST && index <= s->next_index))
		return false;
	for (uint32_t i = 0; i < s->count; i++) {
		uint64_t mask = ~(((uint64_t)1 << i) - 1) & SHACHAIN_FIRST;

		if ((index & mask) == (s->known[i].index & mask)) {
			*out = derive(&s->known[i].secret, (int)i, index);
			return true;
		}
	}
	return false;
}

void shachain_encode(const struct shachain *s, struct buf *out)
{
	buf_add_be64(out, s->next_index);
	buf_add_u8(out, (uint8_t)s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		buf_add_be64(out, s->known[i].index);
		buf_add(out, s->known[i].secret.v, sizeof(s->known[i].secret.v));
	}
}

bool shachain_decode(struct shachain *s, struct bytes b)
{
	struct cursor c = cursor_of(b);

	shachain_init(s);
	s->next_index = cursor_be64(&c);
	s->count = cursor_u8(&c);
	if (s->count > ARRAY_COUNT(s->known))
		return false;
	for (uint32_t i = 0; i < s->count; i++) {
		s->known[i].index = cursor_be64(&c);
		cursor_copy(&c, s->known[i].secret.v, sizeof(s->known[i].secret.v));
	}
	return cursor_done(&c);
}
