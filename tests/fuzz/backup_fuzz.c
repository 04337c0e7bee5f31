/* A channel of a static backup: what decodes is encoded to the same bytes in the newest version, and comes back as a
 * channel that loads, asks for nothing and never publishes. */
#include "channel/backup.h"
#include "channel/view.h"
#include "channel/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void restore(const struct channel_record *stub)
{
	struct channel_policy policy;
	struct block_hash chain = { { 0 } };
	uint8_t seed[32] = { 0 };
	struct channel_notes notes;
	struct effects out;
	struct table asked;
	struct drbg entropy;
	uint64_t next_ask = 0;
	struct step s = { .out = &out, .entropy = &entropy, .asked = &asked, .next_ask = &next_ask };
	struct channel *ch;

	channel_policy_default(&policy, &chain);
	drbg_init(&entropy, seed);
	step_asked_init(&asked, seed);
	effects_init(&out);
	channel_notes_init(&notes);
	ch = channel_restore(&policy, &s, &notes, stub);
	channel_connected(ch, &s, &notes, 7, BYTES_NONE, BYTES_NONE);
	channel_tick(ch, &s, &notes);
	channel_flush(ch, &s, &notes);
	for (const struct effect *f = out.head; f; f = f->next)
		ASSERT(f->kind != EFFECT_SIGN && f->kind != EFFECT_BROADCAST);
	for (const struct channel_note *n = notes.head; n; n = n->next)
		ASSERT(n->kind != CHANNEL_NOTE_BROADCAST);
	for (const struct effect *f = out.head; f; f = f->next) {
		struct channel *again;

		if (f->kind != EFFECT_PERSIST || f->u.persist.kind != RECORD_CHANNEL)
			continue;
		again = channel_load(&policy, f->u.persist.value);
		ASSERT(again && channel_was_restored(channel_record_of(again)));
		channel_free(again);
	}
	channel_free(ch);
	effects_release(&out);
	step_asked_release(&asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel_backup b, again;
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;

	if (!channel_backup_decode(BYTES(data, size), &b))
		return 0;
	channel_backup_encode(&b.stub, b.host, b.port, &once);
	ASSERT(channel_backup_decode(buf_view(&once), &again));
	channel_backup_encode(&again.stub, again.host, again.port, &twice);
	ASSERT(bytes_equal(buf_view(&once), buf_view(&twice)));
	restore(&b.stub);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
