/* Transactions from arbitrary bytes: what parses writes back to the same bytes, and its sighashes do not crash. */
#include "bitcoin/script.h"
#include "bitcoin/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct tx *t, struct bytes raw)
{
	struct buf whole = BUF_EMPTY, stripped = BUF_EMPTY;

	tx_encode(t, &whole);
	tx_encode_stripped(t, &stripped);
	ASSERT(bytes_equal(buf_view(&whole), raw));
	ASSERT(tx_weight(t) == 3 * (uint64_t)stripped.size + whole.size);
	buf_release(&whole);
	buf_release(&stripped);
}

static void hash_inputs(struct arena *a, const struct tx *t)
{
	static const uint32_t types[] = { 0, 1, 2, 3, 0x81, 0x82, 0x83, 0xff };
	struct tx_output *spent = ARENA_ARRAY(a, struct tx_output, t->input_count);
	struct sighash_cache cache = { .filled = false };

	for (uint32_t i = 0; i < t->input_count && i < 4; i++) {
		struct bytes code = t->inputs[i].script_sig;

		for (size_t j = 0; j < ARRAY_COUNT(types); j++) {
			struct sha256 h = sighash_legacy(t, i, code, types[j]);
			struct sha256 once = sighash_segwit(t, i, code, SAT(i), types[j]);
			struct sha256 cached = sighash_segwit_cached(t, i, code, SAT(i), types[j], &cache);
			bool taproot = sighash_taproot(&h, t, i, spent, (uint8_t)types[j], NULL, code);

			ASSERT(SAME(once, cached));
			ASSERT(taproot == (types[j] != 0xff && ((types[j] & 3) != SIGHASH_SINGLE || i < t->output_count)));
		}
	}
}

static void read_script(struct bytes script)
{
	struct cursor c = cursor_of(script);
	struct bytes push;
	uint8_t op;
	size_t total = 0;

	while (script_read(&c, &op, &push))
		total += 1 + push.size;
	ASSERT(total <= script.size);
	ASSERT(!cursor_ok(&c) || c.left == 0);
	ASSERT(script_dust_limit(script).v < 3 * (10000 + 200));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes raw = BYTES(data, size);
	struct cursor c = cursor_of(raw);
	struct arena a;
	struct tx *t;

	arena_init(&a);
	t = tx_parse(&a, raw);
	if (t) {
		check_round_trip(t, raw);
		check_round_trip(tx_copy(&a, t), raw);
		hash_inputs(&a, t);
		for (uint32_t i = 0; i < t->output_count; i++)
			read_script(t->outputs[i].script);
	}
	if (!tx_decode_stripped(&a, &c))
		ASSERT(!cursor_ok(&c));
	read_script(raw);
	arena_release(&a);
	return 0;
}
