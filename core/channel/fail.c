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

static void keep_evidence(struct channel *ch, struct step *s, enum close_cause cause, const struct channel_htlc *h, const char *text)
{
	char line[CLOSE_TEXT_MAX + 256];

	ch->r.close = (struct close_evidence){
		.cause = cause, .height = s->height, .at_s = s->now_ms / 1000, .has_htlc = h != NULL,
		.htlc_owner = h ? h->owner : SIDE_LOCAL, .htlc_id = h ? h->id : 0, .htlc_expiry = h ? h->cltv_expiry : 0,
		.local_number = ch->r.local_number, .remote_number = ch->r.remote_number,
	};
	(void)snprintf(ch->r.close.text, sizeof(ch->r.close.text), "%s", text);
	ch->record_dirty = true;
	close_evidence_write(&ch->r.close, line, sizeof(line));
	channel_log(ch, s, LOG_WARN, "closing: %s", line);
}

/* Every end that is not agreed on comes through here, except one that the chain shows us first. */
static void fail(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause,
		 const struct channel_htlc *h, const char *text, bool tell_peer)
{
	/* No close for what has a remedy off the chain. */
	ASSERT(cause != CLOSE_NONE && !close_cause_remedy(cause));
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
	keep_evidence(ch, s, cause, h, text);
	(void)snprintf(ch->r.error, sizeof(ch->r.error), "%s", text);
	/* B2.cltv_expiry_delta.3, B2.cltv_expiry_delta.7 */
	if (tell_peer)
		channel_send_error(ch, s, text);
	channel_unlink(ch, s, notes);
	channel_to(ch, s, notes, AWAITING_UNILATERAL);
	channel_note(ch, s, notes, CHANNEL_NOTE_FAILED)->text = arena_string(&s->out->arena, text);
	fail_publish(ch, s);
}

void fail_with(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause, const char *text,
	       bool tell_peer)
{
	fail(ch, s, notes, cause, NULL, text, tell_peer);
}

static void give_up(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause,
		    const struct channel_htlc *h, const char *why)
{
	if (ch->dead)
		return;
	if (!ch->r.has_closer) {
		ch->r.has_closer = true;
		ch->r.closer = SIDE_LOCAL;
	}
	fail(ch, s, notes, cause, h, why, true);
	channel_finish(ch, s);
}

void channel_fail(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause, const char *why)
{
	give_up(ch, s, notes, cause, NULL, why);
}

void channel_fail_for(struct channel *ch, struct step *s, struct channel_notes *notes, enum close_cause cause,
		      const struct channel_htlc *h, const char *why)
{
	give_up(ch, s, notes, cause, h, why);
}

void channel_spent_because(struct channel *ch, struct step *s, enum close_cause cause, const char *text)
{
	/* What we know of the end already is better, unless both agreed after all or the peer cheats. */
	if (ch->dead || (ch->r.close.cause != CLOSE_NONE && cause != CLOSE_AGREED && cause != CLOSE_PEER_CHEATED) ||
	    ch->r.close.cause == cause)
		return;
	keep_evidence(ch, s, cause, NULL, text);
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
	fail_with(ch, s, notes, CLOSE_PEER_ERROR, arena_printf(&s->out->arena, "the peer sent an error: %.200s", text), false);
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

static uint64_t talk_deadline(const struct channel *ch)
{
	return ch->talk.deadline_ms ? ch->talk.deadline_ms : UINT64_MAX;
}

uint64_t channel_deadline(const struct channel *ch)
{
	if (ch->dead)
		return UINT64_MAX;
	if (ch->open)
		return ch->open->deadline_ms;
	if (ch->gather_until_ms && ch->gather_until_ms < talk_deadline(ch))
		return ch->gather_until_ms;
	return talk_deadline(ch);
}

void channel_tick(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (channel_deadline(ch) > s->now_ms)
		return;
	if (ch->open) {
		opening_failed(ch, s, notes, true, "the peer did not answer in time");
		return;
	}
	commit_gather_tick(ch, s);
	if (talk_deadline(ch) > s->now_ms)
		return;
	/* B2.closing_signed.4, B2.closing_signed.13 */
	ch->talk.deadline_ms = 0;
	fail_with(ch, s, notes, CLOSE_NEGOTIATION_TIMEOUT, "no agreement on the closing transaction in time", true);
	channel_finish(ch, s);
}
