/* revoke_and_ack both ways: BOLT 2 "Completing the Transition to the Updated
 * State". */
#include <string.h>

#include "channel/machine.h"

/* Ours */

void revoke_start(struct channel *ch, struct step *s)
{
	struct sign_request *r = channel_request(ch, s, SIGN_REVOKE);

	ASSERT(ch->r.local_number == ch->r.local_revoked + 1 && ch->sigs.number == ch->r.local_number);
	/* A validating signer wants to see that what comes after is countersigned. */
	r->u.revoke.number = ch->r.local_revoked;
	r->u.revoke.next = channel_spec(ch, VIEW_LOCAL, ch->r.local_number, &ch->r.local_points[1], &s->out->arena);
	r->u.revoke.signature = ch->sigs.signature;
	r->u.revoke.htlc_signature_count = ch->sigs.htlc_count;
	r->u.revoke.htlc_signatures = arena_copy(&s->out->arena, ch->sigs.htlcs, ch->sigs.htlc_count * sizeof(struct sig64));
	channel_ask(ch, s, ASK_REVOKE, r);
}

static void send_revoke(struct channel *ch, struct step *s)
{
	struct msg_revoke_and_ack m = {
		.channel_id = ch->r.id,
		.per_commitment_secret = ch->r.local_secrets[0], /* B2.revoke_and_ack.1 */
		.next_per_commitment_point = ch->r.local_points[1], /* B2.revoke_and_ack.2 */
	};
	struct buf b = BUF_EMPTY;

	msg_revoke_and_ack_encode(&m, &b);
	channel_send(ch, s, &b);
}

void revoke_send_again(struct channel *ch, struct step *s)
{
	ASSERT(ch->r.local_revoked > 0);
	send_revoke(ch, s);
}

static void apply_revoked(struct channel *ch, enum htlc_state from)
{
	struct channel_htlc *h;

	while ((h = ch->lists[from].head))
		htlc_move(ch, h, htlc_state_after(from, HTLC_SEND_REVOKE));
}

static void note_in_done(struct channel *ch, struct step *s, struct channel_notes *notes, const struct channel_htlc *h)
{
	struct channel_note *n = channel_note(ch, s, notes, CHANNEL_NOTE_HTLC_IN_DONE);

	n->htlc_id = h->id;
	n->payment_hash = h->payment_hash;
	n->htlc_amount = h->amount;
	n->cltv_expiry = h->cltv_expiry;
}

void revoke_on_answer(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	struct channel_htlc *h;
	struct point point;

	/* A wrong secret would be a breach of our own making: nothing leaves. */
	if (!memo_secret(ch->policy->memo, &answer->secret, &ch->r.local_points[0]) ||
	    !memo_read(ch->policy->memo, &point, &answer->next_point)) {
		fail_with(ch, s, notes, CLOSE_SIGNER, "internal error: the signer gave a wrong secret", true);
		return;
	}
	ch->r.local_revoked++;
	ch->r.local_secrets[1] = ch->r.local_secrets[0];
	ch->r.local_secrets[0] = answer->secret;
	ch->r.local_points[0] = ch->r.local_points[1];
	ch->r.local_points[1] = answer->next_point;
	ch->ahead[SIDE_LOCAL] = true;
	ch->r.revoke_sent_last = true;
	apply_revoked(ch, RCVD_REMOVE_ACK_COMMIT);
	apply_revoked(ch, RCVD_REMOVE_COMMIT);
	apply_revoked(ch, RCVD_ADD_ACK_COMMIT);
	apply_revoked(ch, RCVD_ADD_COMMIT);
	feerates_move(ch, HTLC_SEND_REVOKE);
	while ((h = ch->lists[SENT_REMOVE_ACK_REVOCATION].head)) {
		note_in_done(ch, s, notes, h);
		htlc_remove(ch, s, h);
	}
	ch->record_dirty = true;
	send_revoke(ch, s);
}

/* Theirs */

static void note_failed(struct channel *ch, struct step *s, struct channel_notes *notes, const struct channel_htlc *h)
{
	struct channel_note *n;

	/* Revealed and then failed: the peer's loss, and upstream is claimed already. */
	if (h->has_preimage)
		return;
	n = channel_note(ch, s, notes, CHANNEL_NOTE_HTLC_FAILED);
	n->htlc_id = h->id;
	memcpy(n->cookie, h->cookie, sizeof(n->cookie));
	n->payment_hash = h->payment_hash;
	n->htlc_amount = h->amount;
	n->cltv_expiry = h->cltv_expiry;
	n->reason = arena_bytes(&s->out->arena, h->reason);
	if (h->resolution == HTLC_FAILED)
		n->attribution = arena_bytes(&s->out->arena, h->attribution);
	if (h->resolution == HTLC_MALFORMED) {
		n->failure_code = h->failure_code;
		n->sha256_of_onion = h->sha256_of_onion;
	}
}

static void apply_their_revoke(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	static const enum htlc_state order[] = { SENT_REMOVE_ACK_COMMIT, SENT_REMOVE_COMMIT, SENT_ADD_ACK_COMMIT, SENT_ADD_COMMIT };
	struct channel_htlc *h;

	for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
		enum htlc_state to = htlc_state_after(order[i], HTLC_RECV_REVOKE);

		while ((h = ch->lists[order[i]].head)) {
			if (to == RCVD_ADD_ACK_REVOCATION)
				h->committed_ms = s->now_ms;
			htlc_move(ch, h, to);
			if (to == RCVD_ADD_ACK_REVOCATION)
				update_note_in(ch, s, notes, h); /* B2.forwarding_htlcs.1 */
		}
	}
	feerates_move(ch, HTLC_RECV_REVOKE);
	/* B2.forwarding_htlcs.2: only now */
	while ((h = ch->lists[RCVD_REMOVE_ACK_REVOCATION].head)) {
		note_failed(ch, s, notes, h);
		htlc_remove(ch, s, h);
	}
}

void revoke_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_revoke_and_ack m;
	struct point point;

	if (msg_revoke_and_ack_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed revoke_and_ack");
		return;
	}
	if (ch->r.remote_number == ch->r.remote_revoked || ch->resend_commit || ch->ask == ASK_COMMIT ||
	    ch->ask == ASK_COMMIT_AGAIN) {
		channel_broken_for_good(ch, s, notes, CLOSE_REVOCATION, "revoke_and_ack out of place");
		return;
	}
	/* B2.revoke_and_ack.4 */
	if (!memo_secret(ch->policy->memo, &m.per_commitment_secret, &ch->r.remote_points[0])) {
		channel_broken_for_good(ch, s, notes, CLOSE_REVOCATION, "revoke_and_ack with a wrong secret");
		return;
	}
	if (!memo_read(ch->policy->memo, &point, &m.next_per_commitment_point)) {
		channel_broken_for_good(ch, s, notes, CLOSE_REVOCATION, "revoke_and_ack with an invalid point");
		return;
	}
	if (!shachain_add(&ch->secrets, SHACHAIN_FIRST - ch->r.remote_revoked, &m.per_commitment_secret)) {
		channel_broken_for_good(ch, s, notes, CLOSE_REVOCATION, "revoke_and_ack with a secret that does not follow from the others");
		return;
	}
	ch->secrets_dirty = ch->record_dirty = true;
	ch->r.remote_revoked++;
	ch->r.remote_points[0] = ch->r.remote_points[1];
	ch->r.remote_points[1] = m.next_per_commitment_point;
	ch->ahead[SIDE_REMOTE] = true;
	apply_their_revoke(ch, s, notes);
}
