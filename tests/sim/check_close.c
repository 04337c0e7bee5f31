/* No honest pair ever force-closes.
 *
 * A commitment leaves an honest node only if a user asked for a unilateral end, if an adversary is at the other end, or
 * if the two were kept apart, or one of them down or without its signer, for so long that the chain had to be asked
 * because of an HTLC (the workload marks such channels). */
#include "bitcoin/tx.h"
#include "channel/view.h"
#include "tests/sim/check.h"

void check_close_broadcast(struct checks *k, const struct sim_node *n, struct bytes raw)
{
	struct book_channel *c;
	const struct channel *ch;
	char words[600];
	struct arena a;
	struct tx *t;
	uint64_t number;

	arena_init(&a);
	t = tx_parse(&a, raw);
	if (t && check_commitment(k, t, &c, &number) && check_honest(k, c) && !c->force_wanted && !c->cut_off) {
		ch = book_view(k->b, c, n->index);
		words[0] = 0;
		if (ch)
			close_evidence_write(&channel_record_of(ch)->close, words, sizeof(words));
		world_fail(k->w, "%s closes a channel with an honest peer: %s", n->name, words);
	}
	arena_release(&a);
}
