/* Preimages by a number, for tests of payments and their fuzzer. */
#ifndef TESTS_PREIMAGES_H
#define TESTS_PREIMAGES_H

#include <string.h>

#include "crypto/hash.h"

static inline struct preimage preimage_of(uint8_t v)
{
	struct preimage p;

	memset(p.v, v, sizeof(p.v));
	return p;
}

static inline struct sha256 hash_of(uint8_t v)
{
	struct preimage p = preimage_of(v);

	return sha256(p.v, sizeof(p.v));
}

#endif
