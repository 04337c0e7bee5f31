/* The interpreter against Bitcoin Core's tx_valid.json and tx_invalid.json: whole transactions with what they spend. */
#include <jansson.h>

#include "tests/unit/script_text.h"

#define FLAGS_ALL ((1u << SCRIPT_FLAG_COUNT) - 1)

struct vector {
	struct arena arena;
	struct tx *t;
	struct tx_output *spent;
};

static const json_t *prevout_of(const json_t *prevouts, const struct outpoint *o)
{
	json_t *p;
	size_t i;

	json_array_foreach(prevouts, i, p) {
		struct txid id;

		CHECK(txid_from_hex(&id, json_string_value(json_array_get(p, 0))));
		if (SAME(id, o->txid) && (uint32_t)json_integer_value(json_array_get(p, 1)) == o->index)
			return p;
	}
	return NULL;
}

/* False if it is no transaction, or spends what the vector does not know. */
static bool read_vector(struct vector *v, const json_t *entry)
{
	arena_init(&v->arena);
	v->t = tx_parse(&v->arena, test_unhex(json_string_value(json_array_get(entry, 1))));
	if (!v->t)
		return false;
	v->spent = ARENA_ARRAY(&v->arena, struct tx_output, v->t->input_count);
	for (uint32_t i = 0; i < v->t->input_count; i++) {
		const json_t *p = prevout_of(json_array_get(entry, 0), &v->t->inputs[i].prev);

		if (!p)
			return false;
		v->spent[i].script = text_script(json_string_value(json_array_get(p, 2)));
		v->spent[i].amount = SAT((uint64_t)json_integer_value(json_array_get(p, 3)));
	}
	return true;
}

static bool good(const struct vector *v, uint32_t flags)
{
	struct spending s;

	spending_init(&s, v->t, v->spent);
	return spending_verify_all(&s, flags) == SCRIPT_OK;
}

static void check_valid(const struct vector *v, size_t number, uint32_t excluded)
{
	if (!good(v, flags_trim(FLAGS_ALL & ~excluded)))
		test_failed(__FILE__, __LINE__, "tx_valid %zu is refused", number);
	for (uint32_t i = 0; i < SCRIPT_FLAG_COUNT; i++) {
		if (!good(v, flags_trim(FLAGS_ALL & ~(excluded | 1u << i))))
			test_failed(__FILE__, __LINE__, "tx_valid %zu is refused without flag %u", number, i);
		/* Each excluded flag is needed out. */
		if ((excluded & 1u << i) && good(v, flags_trim(FLAGS_ALL & ~(excluded & ~(1u << i)))) &&
		    flags_trim(FLAGS_ALL & ~(excluded & ~(1u << i))) != flags_trim(FLAGS_ALL & ~excluded))
			test_failed(__FILE__, __LINE__, "tx_valid %zu is accepted with flag %u", number, i);
	}
}

static void check_invalid(const struct vector *v, size_t number, uint32_t flags)
{
	if (good(v, flags_fill(flags)))
		test_failed(__FILE__, __LINE__, "tx_invalid %zu is accepted", number);
	for (uint32_t i = 0; i < SCRIPT_FLAG_COUNT; i++) {
		uint32_t less = flags_trim(flags & ~(1u << i));

		if (good(v, flags_fill(flags | 1u << i)))
			test_failed(__FILE__, __LINE__, "tx_invalid %zu is accepted with flag %u", number, i);
		if (less != flags && !good(v, less))
			test_failed(__FILE__, __LINE__, "tx_invalid %zu is refused without flag %u", number, i);
	}
}

static size_t read_all(const char *file, bool valid)
{
	struct bytes text = test_shared_file(file);
	json_t *all = json_loadb((const char *)text.data, text.size, 0, NULL), *entry;
	size_t i, count = 0;

	CHECK(json_is_array(all));
	json_array_foreach(all, i, entry) {
		const char *flags = json_string_value(json_array_get(entry, 2));
		struct vector v;

		/* BADTX: refused before any script, by rules that tests/sim/chain.c has. */
		if (json_array_size(entry) != 3 || strcmp(flags, "BADTX") == 0)
			continue;
		CHECK(read_vector(&v, entry));
		if (valid)
			check_valid(&v, i, text_flags(flags));
		else
			check_invalid(&v, i, text_flags(flags));
		arena_release(&v.arena);
		count++;
	}
	json_decref(all);
	return count;
}

TEST(tx_valid)
{
	CHECK(read_all("vectors/bitcoin/tx_valid.json", true) > 100);
}

TEST(tx_invalid)
{
	CHECK(read_all("vectors/bitcoin/tx_invalid.json", false) > 80);
}
