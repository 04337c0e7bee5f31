/* A channel on chain: a stored record of any bytes, and any events (tests/unit/onchain_play.h). */
#include "tests/unit/onchain_play.h"

void test_failed(const char *file, int line, const char *fmt, ...)
{
	(void)fmt;
	assert_failed(file, line, "CHECK of the play");
}

void test_check_eq(const char *file, int line, const char *expr, long long a, long long b)
{
	if (a != b)
		assert_failed(file, line, expr);
}

struct bytes test_unhex(const char *hex)
{
	static uint8_t out[64];
	size_t size = strlen(hex) / 2;

	ASSERT(size <= sizeof(out) && hex_decode(out, size, hex, strlen(hex)));
	return BYTES(out, size);
}

/* What a damaged store says: refused, or taken and kept the same. */
static void load(struct bed *b, struct bytes value)
{
	struct onchain *o = onchain_load(&b->r, value), *again;
	struct onchain_notes notes;

	if (!o)
		return;
	onchain_check(o);
	onchain_notes_init(&notes);
	onchain_start(o, &b->s, &notes);
	onchain_block(o, &b->s, &notes, BED_HEIGHT + 100);
	onchain_check(o);
	if (!onchain_undone(o, &b->s, &notes, BED_HEIGHT + 100))
		onchain_check(o);
	onchain_flush(o, &b->s);
	for (const struct effect *f = b->out.head; f; f = f->next)
		if (f->kind == EFFECT_PERSIST && f->u.persist.kind == RECORD_ONCHAIN) {
			again = onchain_load(&b->r, f->u.persist.value);
			ASSERT(again);
			onchain_free(again);
		}
	onchain_free(o);
}

static void load_anchor(struct bed *b, struct bytes value)
{
	struct anchor *a = anchor_load(&b->r, value);
	struct anchor_stake stake = { .deadline = BED_HEIGHT + 10, .htlcs = SAT(100000), .balance = SAT(500000) };
	struct onchain_notes notes;

	if (!a)
		return;
	anchor_check(a);
	onchain_notes_init(&notes);
	anchor_wake(a, &b->s, &notes, &stake);
	anchor_sleep(a, &b->s, &notes, &(struct txid){ { 1 } });
	anchor_end(a, &b->s, &notes);
	anchor_check(a);
	anchor_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play p;
	static struct bed b;

	if (!size || size > 4096)
		return 0;
	if (data[0] & 1) {
		(void)play_bytes(&p, data + 1, size - 1);
		return 0;
	}
	bed_init(&b);
	if (data[0] & 2)
		load_anchor(&b, BYTES(data + 1, size - 1));
	else
		load(&b, BYTES(data + 1, size - 1));
	bed_release(&b);
	return 0;
}
