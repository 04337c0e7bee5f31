/* channel_reestablish: BOLT 2 "Message Retransmission".
 *
 *   LINK_DOWN    --connected-->            LINK_WAITING   ours is sent
 *   LINK_WAITING --theirs fits-->          LINK_UP        with what must be sent again
 *   LINK_WAITING --theirs is ahead-->      LINK_PROVING   the signer shows the point that proves it
 *   LINK_PROVING --the proof is right-->   our state is old: AWAITING_UNILATERAL, never published
 *   any          --theirs cannot be-->     the channel fails */
#include <string.h>

#include "channel/backup.h"
#include "channel/machine.h"
#include "wire/features.h"

static void send_reestablish(struct channel *ch, struct step *s)
{
	/* Of a channel that came from a backup no number is known.  A 0 makes every peer fail the channel at once
	 * (B2.message_retransmission.25), which is all that is left to ask for. */
	uint64_t known = channel_was_restored(&ch->r) ? 0 : 1;
	struct msg_channel_reestablish m = {
		.channel_id = ch->r.id,
		.next_commitment_number = ch->r.local_number + known, /* B2.message_retransmission.10 */
		.next_revocation_number = ch->r.remote_revoked, /* B2.message_retransmission.11 */
		/* B2.message_retransmission.12 */
		.my_current_per_commitment_point = ch->r.local_points[ch->r.local_number - ch->r.local_revoked],
	};
	struct buf b = BUF_EMPTY;

	/* B2.message_retransmission.14; else zero: B2.message_retransmission.13 */
	if (ch->r.remote_revoked > 0)
		ASSERT(shachain_get(&ch->secrets, SHACHAIN_FIRST - (ch->r.remote_revoked - 1),
				    &m.your_last_per_commitment_secret));
	/* B2.message_retransmission.18: no next_funding, nor my_current_funding_locked: nothing is spliced */
	msg_channel_reestablish_encode(&m, &b);
	channel_send(ch, s, &b);
}

void channel_connected(struct channel *ch, struct step *s, struct channel_notes *notes, uint64_t connection,
		       struct bytes our_features, struct bytes their_features)
{
	if (ch->dead || ch->r.state == OPENINGD)
		return;
	if (ch->link != LINK_DOWN)
		channel_unlink(ch, s, notes);
	ch->connection = connection;
	ch->signatures_wanted = false;
	ch->anysegwit = features_negotiated(our_features, their_features, FEATURE_SHUTDOWN_ANYSEGWIT);
	ch->upfront_shutdown = features_negotiated(our_features, their_features, FEATURE_UPFRONT_SHUTDOWN_SCRIPT);
	ch->attribution_offered = features_offered(our_features, FEATURE_ATTRIBUTION_DATA);
	ch->scid_alias_negotiated = features_negotiated(our_features, their_features, FEATURE_SCID_ALIAS);
	if (ch->r.state >= AWAITING_UNILATERAL) {
		/* B2.message_retransmission.7 */
		if (ch->r.state == AWAITING_UNILATERAL && channel_was_restored(&ch->r))
			send_reestablish(ch, s);
		if (ch->r.state == AWAITING_UNILATERAL)
			channel_send_error(ch, s, ch->r.error[0] ? ch->r.error : "the channel has failed");
		return;
	}
	/* B2.message_retransmission.5, B2.message_retransmission.8 */
	ch->link = LINK_WAITING;
	send_reestablish(ch, s);
	channel_finish(ch, s);
}

/* A revocation number that is at or one below ours, with the secret that we revealed for it. */
static const char *judge_revocation(struct channel *ch, const struct msg_channel_reestablish *m, bool *resend)
{
	static const struct secret32 zero;
	uint64_t n = m->next_revocation_number;
	const struct secret32 *expected = &zero;

	*resend = false;
	if (n == ch->r.local_revoked) {
		if (n > 0)
			expected = &ch->r.local_secrets[0];
	} else if (n + 1 == ch->r.local_revoked) {
		/* B2.message_retransmission.31 */
		*resend = true;
		if (n > 0)
			expected = &ch->r.local_secrets[1];
	} else {
		/* B2.message_retransmission.33, B2.message_retransmission.34 */
		return "your next_revocation_number cannot be";
	}
	/* B2.message_retransmission.38 */
	if (!mem_equal_secret(expected->v, m->your_last_per_commitment_secret.v, sizeof(expected->v)))
		return "your_last_per_commitment_secret is wrong";
	return NULL;
}

static const char *judge_commitment(struct channel *ch, const struct msg_channel_reestablish *m, bool *resend)
{
	bool outstanding = ch->r.remote_number > ch->r.remote_revoked;

	*resend = false;
	if (m->next_commitment_number == ch->r.remote_number + 1)
		return NULL;
	/* B2.message_retransmission.29; what is revoked for has arrived */
	if (m->next_commitment_number == ch->r.remote_number && outstanding) {
		*resend = true;
		return NULL;
	}
	/* B2.message_retransmission.30 */
	return "your next_commitment_number cannot be";
}

static void send_abort(struct channel *ch, struct step *s, const char *why)
{
	struct msg_tx_abort m = { .channel_id = ch->r.id, .data = bytes_from_string(why) };
	struct buf b = BUF_EMPTY;

	msg_tx_abort_encode(&m, &b);
	channel_send(ch, s, &b);
}

void abort_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_tx_abort m;

	if (msg_tx_abort_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed tx_abort");
		return;
	}
	/* B2.tx_abort.6: an echo of ours is not echoed.  B2.tx_abort.5: there is nothing to forget. */
	if (!ch->abort_sent)
		send_abort(ch, s, "");
	ch->abort_sent = false;
}

/* Of my_current_funding_locked's retransmit_flags. */
#define RETRANSMIT_ANNOUNCEMENT 1u

static void link_up(struct channel *ch, struct step *s, struct channel_notes *notes, const struct msg_channel_reestablish *m)
{
	const struct tlv_channel_reestablish_my_current_funding_locked *locked = m->tlvs.my_current_funding_locked;

	ch->link = LINK_UP;
	/* B7.announcement_signatures.7: of the funding transaction that there is. */
	ch->signatures_wanted = locked && (locked->retransmit_flags & RETRANSMIT_ANNOUNCEMENT) &&
				SAME(locked->my_current_funding_locked_txid, ch->r.funding.txid);
	/* B2.message_retransmission.43 */
	if (m->tlvs.next_funding) {
		send_abort(ch, s, "no such funding transaction");
		ch->abort_sent = true;
	}
	/* B2.message_retransmission.26; else B2.message_retransmission.27 */
	if (m->next_commitment_number == 1 && ch->r.local_number == 0 && ch->r.ready_sent)
		ready_send(ch, s);
	ready_try(ch, s, notes);
	if (channel_operating(ch))
		update_propose_resolved(ch);
}

static void data_lost(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	/* B2.message_retransmission.36: whatever we would publish is revoked */
	ch->r.data_lost = true;
	/* B2.message_retransmission.37 */
	fail_with(ch, s, notes, CLOSE_DATA_LOST, "we have lost data: please publish your commitment", true);
}

/* The peer says that it has seen more of our revocations than we have made. */
static void judge_proof(struct channel *ch, struct step *s, struct channel_notes *notes, const struct msg_channel_reestablish *m)
{
	uint64_t number = m->next_revocation_number - 1, ahead = number - ch->r.local_revoked;
	struct sign_request *r;

	if (number > COMMITMENT_NUMBER_MAX) {
		channel_broken_for_good(ch, s, notes, CLOSE_REESTABLISH, "your next_revocation_number cannot be");
		return;
	}
	if (ahead < 2) {
		if (memo_secret(ch->policy->memo, &m->your_last_per_commitment_secret, &ch->r.local_points[ahead]))
			data_lost(ch, s, notes);
		else
			channel_broken_for_good(ch, s, notes, CLOSE_REESTABLISH, "your_last_per_commitment_secret is wrong");
		return;
	}
	ch->link = LINK_PROVING;
	ch->proof = NEW(struct msg_channel_reestablish);
	*ch->proof = *m;
	memset(&ch->proof->tlvs, 0, sizeof(ch->proof->tlvs));
	r = channel_request(ch, s, SIGN_POINT);
	r->u.number = number;
	channel_ask(ch, s, ASK_PROOF, r);
}

void reestablish_on_proof(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	ASSERT(ch->proof);
	if (memo_secret(ch->policy->memo, &ch->proof->your_last_per_commitment_secret, &answer->next_point))
		data_lost(ch, s, notes);
	else
		channel_broken_for_good(ch, s, notes, CLOSE_REESTABLISH, "your_last_per_commitment_secret is wrong");
}

void reestablish_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_channel_reestablish m;
	bool resend_revoke, resend_commit;
	const char *why;

	if (msg_channel_reestablish_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed channel_reestablish");
		return;
	}
	if (ch->link != LINK_WAITING) {
		channel_broken(ch, s, notes, "channel_reestablish twice");
		return;
	}
	if (m.next_revocation_number > ch->r.local_revoked) {
		judge_proof(ch, s, notes, &m);
		return;
	}
	/* B2.message_retransmission.25 */
	why = m.next_commitment_number == 0 ? "your next_commitment_number is 0" : NULL;
	if (!why)
		why = judge_revocation(ch, &m, &resend_revoke);
	if (!why)
		why = judge_commitment(ch, &m, &resend_commit);
	/* my_current_per_commitment_point is ignored: B2.message_retransmission.35 */
	if (why) {
		channel_broken_for_good(ch, s, notes, CLOSE_REESTABLISH, "%s", why);
		return;
	}
	ch->resend_revoke = resend_revoke;
	ch->resend_commit = resend_commit;
	link_up(ch, s, notes, &m);
}
