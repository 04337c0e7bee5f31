/* PSBTs from arbitrary bytes: what parses writes back to what it was, and every role keeps it a PSBT. */
#include "bitcoin/psbt.h"
#include "bitcoin/psbt_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes encoded(struct arena *a, const struct psbt *p)
{
	struct buf b = BUF_EMPTY;
	struct bytes copy;

	psbt_encode(p, &b);
	copy = arena_bytes(a, buf_view(&b));
	buf_release(&b);
	return copy;
}

static void check_stable(struct arena *a, const struct psbt *p)
{
	struct bytes raw = encoded(a, p);
	struct psbt *again = psbt_decode(a, raw);

	ASSERT(again && bytes_equal(encoded(a, again), raw));
}

/* No key of ours signs it and nothing in it is verified as final by chance, but every path is walked. */
static void work_on(struct arena *a, struct psbt *p)
{
	static const uint8_t blinding[32] = { 1 };
	static const struct secret32 key = { { 1 } };
	struct secp *secp;
	struct psbt_work w;
	const char *why = NULL;

	if (!psbt_work_init(&w, p, &why))
		return;
	secp = secp_new(blinding);
	for (uint32_t i = 0; i < p->input_count && i < 4; i++) {
		why = NULL;
		ASSERT(psbt_sign(&w, i, secp, &key, &why) != PSBT_REFUSED || why);
	}
	secp_free(secp);
	why = NULL;
	ASSERT(psbt_finalize(&w, &why) || why);
	check_stable(a, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct psbt *p, *other;

	arena_init(&a);
	p = psbt_decode(&a, BYTES(data, size));
	if (p) {
		struct txid before, after;

		ASSERT(encoded(&a, p).size == size);
		check_stable(&a, p);
		other = psbt_convert(&a, p, p->version == 0 ? 2 : 0);
		/* Amounts beyond the supply stay in a version 0's transaction, but are no version 2. */
		if (other && other->version == 0)
			check_stable(&a, other);
		if (psbt_id(p, &before)) {
			ASSERT(psbt_combine(p, psbt_decode(&a, BYTES(data, size))));
			ASSERT(psbt_id(p, &after) && SAME(before, after));
		}
		ASSERT(!psbt_extract(&a, p) || psbt_tx(&a, p));
		work_on(&a, p);
	}
	(void)!psbt_decode_base64(&a, BYTES(data, size));
	arena_release(&a);
	return 0;
}
