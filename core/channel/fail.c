/* The end without agreement: errors both ways, our commitment on chain, and
 * what the chain makes of it.  BOLT 1 "The error Message", BOLT 5 "Failing a
 * Channel". */
#include <stdio.h>
#include <string.h>

#include "channel/machine.h"
#include "contract/commitment.h"

void fail_publish(struct channel *ch, struct step *s)
{
	struct sign_request *r;

	/* INV-C6, B2.message_retransmission.36 */
	if (ch->r.data_lost || ch->ask == ASK_PUBLISH)
		return;
	channel_unask(ch);
	/* B2.revoke_and_ack.5, B2.revoke_and_ack.6: the latest one, and only now */
	ASSERT(ch->sigs.number == ch->r.local_number);
	r = channel_request(ch, s, SIGN_LOCAL_COMMITMENT);
	r->u.commitment = channel_commitment_spec(ch, COMMITMENT_LOCAL, &s->out->arena);
	channel_ask(ch, s, ASK_PUBLISH, r);
}

void fail_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	struct arena *a = &s->out->arena;
	struct commitment *c = commitment_build(a, channel_commitment_spec(ch, COMMITMENT_LOCAL, a));
	struct buf b = BUF_EMPTY;

	ASSERT(c && !ch->r.data_lost);
	commitment_set_witness(a, c, &answer->signature, &ch->sigs.signature);
	tx_encode(c->tx, &b);
	ch->commitment_txid = c->txid;
	ch->has_commitment_txid = true;
	channel_note(ch, s, notes, CHANNEL_NOTE_BROADCAST)->tx = arena_bytes(a, buf_view(&b));
	buf_release(&b);
}

static void keep_words(struct channel *ch, const char *text)
{
	(void)snprintf(ch->r.error, sizeof(ch->r.error), "%s", text);
	ch->record_dirty = true;
}

void fail_with(struct channel *ch, struct step *s, struct channel_notes *notes, const char *text, bool tell_peer)
{
	if (ch->dead || ch->r.state >= AWAITING_UNILATERAL)
		return;
	if (ch->r.state == OPENINGD) {
		opening_failed(ch, s, notes, tell_peer, "%s", text);
		return;
	}
	if (ready_nothing_at_stake(ch) && ch->r.funding_height == 0) {
		ready_forget(ch, s, notes, text, tell_peer);
		return;
	}
	channel_log(ch, s, LOG_WARN, "failing: %s", text);
	keep_words(ch, text);
	if (tell_peer)
		channel_send_error(ch, s, text);
	channel_unlink(ch, s, notes);
	channel_to(ch, s, notes, AWAITING_UNILATERAL);
	channel_note(ch, s, notes, CHANNEL_NOTE_FAILED)->text = arena_string(&s->out->arena, text);
	fail_publish(ch, s);
}

void channel_fail(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why)
{
	if (ch->dead)
		return;
	if (!ch->r.has_closer) {
		ch->r.has_closer = true;
		ch->r.closer = SIDE_LOCAL;
	}
	fail_with(ch, s, notes, why, true);
	channel_finish(ch, s);
}

void channel_peer_error(struct channel *ch, struct step *s, struct channel_notes *notes, const char *text)
{
	/* A closing transaction that is agreed on is as good as an end can be. */
	if (ch->dead || ch->r.state == CLOSINGD_COMPLETE)
		return;
	if (!ch->r.has_closer) {
		ch->r.has_closer = true;
		ch->r.closer = SIDE_REMOTE;
	}
	fail_with(ch, s, notes, arena_printf(&s->out->arena, "the peer sent an error: %.200s", text), false);
	channel_finish(ch, s);
}

void channel_funding_spent(struct channel *ch, struct step *s, struct channel_notes *notes, bool spent)
{
	if (ch->dead || ch->r.state == OPENINGD)
		return;
	if (spent) {
		if (ch->r.state >= FUNDING_SPEND_SEEN)
			return;
		channel_unask(ch);
		channel_unlink(ch, s, notes);
		channel_to(ch, s, notes, FUNDING_SPEND_SEEN);
	} else if (ch->r.state == FUNDING_SPEND_SEEN || ch->r.state == ONCHAIN) {
		/* A reorganization: somebody's transaction is out there and will be back.  If it was an agreed close we wait
		 * for that, else our own commitment competes again. */
		channel_to(ch, s, notes, ch->r.closing_fee.v != 0 && !ch->r.error[0] ? CLOSINGD_COMPLETE : AWAITING_UNILATERAL);
		if (ch->r.state == AWAITING_UNILATERAL)
			fail_publish(ch, s);
	}
	channel_finish(ch, s);
}

void channel_set_onchain(struct channel *ch, struct step *s, struct channel_notes *notes, enum channel_state state)
{
	ASSERT(state == ONCHAIN || state == CLOSED);
	if (ch->dead || ch->r.state == OPENINGD || ch->r.state >= state)
		return;
	channel_unask(ch);
	channel_unlink(ch, s, notes);
	channel_to(ch, s, notes, state);
	channel_finish(ch, s);
}

/* Time */

uint64_t channel_deadline(const struct channel *ch)
{
	if (ch->dead)
		return UINT64_MAX;
	if (ch->open)
		return ch->open->deadline_ms;
	return ch->talk.deadline_ms ? ch->talk.deadline_ms : UINT64_MAX;
}

void channel_tick(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (channel_deadline(ch) > s->now_ms)
		return;
	if (ch->open) {
		opening_failed(ch, s, notes, true, "the peer did not answer in time");
		return;
	}
	/* B2.closing_signed.4, B2.closing_signed.13 */
	ch->talk.deadline_ms = 0;
	fail_with(ch, s, notes, "no agreement on the closing transaction in time", true);
	channel_finish(ch, s);
}
