/* What is shown: kinds and progress, in words. */
#include "onchain/state.h"

const char *onchain_spend_words(enum onchain_spend kind)
{
	switch (kind) {
	case ONCHAIN_MUTUAL_CLOSE:
		return "a mutual close";
	case ONCHAIN_OUR_COMMITMENT:
		return "our commitment";
	case ONCHAIN_THEIR_COMMITMENT:
		return "the peer's commitment";
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		return "the peer's previous commitment";
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
		return "a REVOKED commitment of the peer";
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
		return "a commitment of the peer that is newer than our data";
	case ONCHAIN_UNKNOWN:
		return "an unknown transaction";
	}
	UNREACHABLE();
}

const char *onchain_what_words(enum onchain_what what)
{
	switch (what) {
	case ONCHAIN_OTHER:
		return "an unknown output";
	case ONCHAIN_TO_US:
		return "our balance";
	case ONCHAIN_TO_THEM:
		return "the peer's balance";
	case ONCHAIN_ANCHOR:
		return "an anchor";
	case ONCHAIN_HTLC_OURS:
		return "an HTLC that we offered";
	case ONCHAIN_HTLC_THEIRS:
		return "an HTLC that the peer offered";
	case ONCHAIN_STAGE_OURS:
		return "the output of an HTLC transaction of ours";
	case ONCHAIN_STAGE_THEIRS:
		return "the output of an HTLC transaction of a cheating peer";
	}
	UNREACHABLE();
}

enum onchain_progress onchain_progress(const struct onchain *o, uint32_t i, uint32_t height)
{
	const struct onchain_output *v = &o->outputs[i];
	const struct way *w = &o->ways[i];

	ASSERT(i < o->count);
	if (!onchain_is_followed(o, i))
		return ONCHAIN_IGNORED;
	if (v->spent_height)
		return onchain_is_settled(o, i, height) ? ONCHAIN_SETTLED : ONCHAIN_SPENT;
	if (!w->kind)
		return onchain_is_settled(o, i, height) ? ONCHAIN_SETTLED : ONCHAIN_WATCHED;
	if (w->claim && w->claim->out)
		return ONCHAIN_CLAIMED;
	if (onchain_is_worthless(o, i))
		return ONCHAIN_UNECONOMIC;
	return height + 1 < v->spendable_height ? ONCHAIN_WAITING : ONCHAIN_UNCLAIMED;
}

const char *onchain_progress_words(enum onchain_progress p)
{
	switch (p) {
	case ONCHAIN_IGNORED:
		return "not ours";
	case ONCHAIN_WATCHED:
		return "watched: the peer may take it, or we once its preimage is known";
	case ONCHAIN_WAITING:
		return "ours, once its delay or timeout has passed";
	case ONCHAIN_UNCLAIMED:
		return "ours, about to be claimed";
	case ONCHAIN_UNECONOMIC:
		return "worth less than the fee of its claim";
	case ONCHAIN_CLAIMED:
		return "claimed: waits for a confirmation";
	case ONCHAIN_SPENT:
		return "spent: waits until that is irrevocable";
	case ONCHAIN_SETTLED:
		return "settled";
	}
	UNREACHABLE();
}
