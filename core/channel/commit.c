/* commitment_signed both ways: BOLT 2 "Committing Updates So Far".
 *
 * Ours:    channel_flush -> applied and stored, ASK_COMMIT -> updates and commitment_signed leave together.
 * Theirs:  verified against VIEW_LOCAL_NEXT, applied, stored -> ASK_REVOKE (revoke.c).
 *
 * A commitment is binding from the moment the signer is asked for it: a validating signer never signs two of one
 * number, and whether an answer that we did not see was given nobody can know.  If the connection breaks before
 * the answer, or before the peer saw it, channel_reestablish says so and the same question is asked again.
 *
 * Every commitment costs a signature and a verification for each HTLC that is in it, new or not.  When one is due
 * for HTLCs of the peer alone, another follows as soon as the peer has revoked, to resolve them: HTLCs of ours that
 * went out now would be signed again then.  So where there are many they are held for that one, once.
 *
 * And updates of ours wait (commit_gathers) while they are fewer than the HTLCs that stay in the commitment: those are
 * on their way and will be gone soon, and a commitment for a few new ones would sign them all again, on both sides.  So
 * what is in flight moves in few large batches and most HTLCs are signed once.  It ends as soon as the peer is owed a
 * commitment, which takes everything along; or as soon as the updates are the more; or after a millisecond for each
 * HTLC that stays.  If it ended so, they were not on their way but held by somebody: nothing waits again until as many
 * have gone. */
#include "channel/machine.h"
#include "contract/htlc_tx.h"

/* So many HTLCs of ours are worth a round trip; fewer never wait. */
#define HOLD_MIN 8u
/* So many HTLCs that would be signed anew make it worth waiting with updates of ours, this long for each of them. */
#define GATHER_MIN 8u
#define GATHER_MS 1u

/* Whether our next commitment would move HTLCs of the state. */
static bool moves(const struct channel *ch, enum htlc_state state)
{
	return ch->lists[state].count > 0 && htlc_state_after(state, HTLC_SEND_COMMIT) != state;
}

/* Whether the peer waits for our next commitment: it would acknowledge updates of its, or move a feerate. */
static bool commit_owed(const struct channel *ch)
{
	enum htlc_state first = ch->r.opener == SIDE_LOCAL ? SENT_ADD_HTLC : RCVD_ADD_HTLC;

	for (int i = 0; i < HTLC_STATES; i++)
		if (i != SENT_ADD_HTLC && i != SENT_REMOVE_HTLC && moves(ch, (enum htlc_state)i))
			return true;
	for (int i = 0; i < 5; i++)
		if (ch->r.feerates[i].per_kw != 0 && htlc_state_after(first + i, HTLC_SEND_COMMIT) != first + i)
			return true;
	return false;
}

bool commit_needed(const struct channel *ch)
{
	return moves(ch, SENT_ADD_HTLC) || moves(ch, SENT_REMOVE_HTLC) || commit_owed(ch);
}

/* The HTLCs that our next commitment would sign once more. */
static uint32_t signed_anew(const struct channel *ch)
{
	uint32_t all = ch->views[VIEW_REMOTE_NEXT].untrimmed, new = ch->lists[SENT_ADD_HTLC].count;

	return all > new ? all - new : 0;
}

bool commit_gathers(struct channel *ch, const struct step *s)
{
	uint32_t updates = ch->lists[SENT_ADD_HTLC].count + ch->lists[SENT_REMOVE_HTLC].count, stay = signed_anew(ch);

	if (commit_owed(ch) || stay < GATHER_MIN || updates >= stay || ch->gather_not > 0)
		return false;
	if (!ch->gather_until_ms)
		ch->gather_until_ms = s->now_ms + stay * GATHER_MS;
	commit_gather_tick(ch, s);
	return ch->gather_until_ms != 0;
}

void commit_gather_tick(struct channel *ch, const struct step *s)
{
	if (!ch->gather_until_ms || s->now_ms < ch->gather_until_ms)
		return;
	ch->gather_until_ms = 0;
	ch->gather_not = signed_anew(ch);
}

static void count_offered(struct channel *ch, const struct channel_htlc *h)
{
	struct channel_counts *c = &ch->r.counts[h->owner];

	c->offered++;
	ASSERT(msat_add(&c->offered_amount, c->offered_amount, h->amount));
}

/* Moves all HTLCs of one list by our signature. */
static void apply_sent(struct channel *ch, enum htlc_state from)
{
	enum htlc_state to = htlc_state_after(from, HTLC_SEND_COMMIT);
	struct channel_htlc *h;

	while ((h = ch->lists[from].head)) {
		if (htlc_state_removing(to)) {
			h->remote_last = ch->r.remote_number - 1;
			if (ch->gather_not > 0)
				ch->gather_not--;
		} else {
			h->remote_first = ch->r.remote_number;
		}
		htlc_move(ch, h, to);
		if (to == SENT_ADD_COMMIT)
			count_offered(ch, h);
	}
}

static void ask_signature(struct channel *ch, struct step *s, enum ask ask)
{
	struct sign_request *r = channel_request(ch, s, SIGN_REMOTE_COMMITMENT);
	struct secret32 secret;

	ASSERT(ch->r.remote_number == ch->r.remote_revoked + 1);
	if (ch->r.remote_number >= 2) {
		ASSERT(shachain_get(&ch->secrets, SHACHAIN_FIRST - (ch->r.remote_number - 2), &secret));
		r->remote_revoked = arena_copy(&s->out->arena, &secret, sizeof(secret));
	}
	ch->signing_untrimmed = ch->views[VIEW_REMOTE].untrimmed;
	r->u.commitment = channel_spec(ch, VIEW_REMOTE, ch->r.remote_number, &ch->r.remote_points[1], &s->out->arena);
	channel_ask(ch, s, ask, r);
}

static bool opener_can_pay(const struct channel *ch)
{
	struct amount_msat rest, reserve = msat_of_sat(ch->r.side[SIDE_REMOTE].reserve);

	return msat_sub(&rest, ch->views[VIEW_REMOTE_NEXT].left[SIDE_LOCAL],
			view_cost(ch, VIEW_REMOTE_NEXT, ch->views[VIEW_REMOTE_NEXT].feerate, 0)) &&
	       !MSAT_LESS(rest, reserve);
}

/* Since we have offered, HTLCs of the peer may have come into the commitment and made it dearer.  What we cannot pay
 * for any more must not be proposed: once it is signed for, the peer would refuse it in every connection. */
static void take_back_unaffordable(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->r.opener != SIDE_LOCAL)
		return;
	/* B2.shutdown.6: the last HTLC may have gone since the feerate was wanted. */
	if (ch->r.feerates[0].per_kw != 0 && (!fee_may_move(ch, true) || !opener_can_pay(ch)))
		feerates_set(ch, 0, FEERATE(0));
	while (ch->lists[SENT_ADD_HTLC].count > 0 && !opener_can_pay(ch))
		channel_take_back_offer(ch, s, notes, ch->lists[SENT_ADD_HTLC].tail);
}

static bool hold_adds(const struct channel *ch)
{
	return !ch->adds_held && ch->lists[SENT_ADD_HTLC].count >= HOLD_MIN && ch->lists[SENT_ADD_REVOCATION].count > 0;
}

void commit_start(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	ASSERT(ch->r.remote_number == ch->r.remote_revoked);
	take_back_unaffordable(ch, s, notes);
	/* B2.commitment_signed.15 */
	if (!commit_needed(ch))
		return;
	ch->r.remote_number++;
	ch->gather_until_ms = 0;
	ch->r.revoke_sent_last = false;
	ch->adds_held = hold_adds(ch);
	/* Removals first: an addition may spend what they paid. */
	apply_sent(ch, SENT_REMOVE_REVOCATION);
	apply_sent(ch, SENT_REMOVE_HTLC);
	apply_sent(ch, SENT_ADD_REVOCATION);
	if (!ch->adds_held)
		apply_sent(ch, SENT_ADD_HTLC);
	feerates_move(ch, HTLC_SEND_COMMIT);
	ch->record_dirty = true;
	ask_signature(ch, s, ASK_COMMIT);
}

/* The very commitment that was asked for before the connection broke (B2.message_retransmission.29): the states say
 * what it covered. */
void commit_again(struct channel *ch, struct step *s)
{
	ask_signature(ch, s, ASK_COMMIT_AGAIN);
}

static void send_commitment_signed(struct channel *ch, struct step *s, const struct sign_answer *answer)
{
	struct msg_commitment_signed m = {
		.channel_id = ch->r.id,
		.signature = answer->signature,
		.htlc_signature = answer->signatures, /* B2.commitment_signed.16 */
		.htlc_signature_count = answer->signature_count,
	};
	struct txid funding = ch->r.funding.txid;
	struct buf b = BUF_EMPTY;

	m.tlvs.funding_txid = &funding; /* B2.commitment_signed.17 */
	msg_commitment_signed_encode(&m, &b);
	channel_send(ch, s, &b);
}

/* Removals first: what they free, an addition may need. */
static void send_updates(struct channel *ch, struct step *s)
{
	for (const struct channel_htlc *h = ch->lists[SENT_REMOVE_COMMIT].head; h; h = h->next)
		update_send_removal(ch, s, h);
	if (ch->r.opener == SIDE_LOCAL && ch->r.feerates[1].per_kw != 0)
		fee_send(ch, s, ch->r.feerates[1]);
	for (const struct channel_htlc *h = ch->lists[SENT_ADD_COMMIT].head; h; h = h->next)
		update_send_add(ch, s, h);
}

void commit_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	if (answer->signature_count != ch->signing_untrimmed) {
		fail_with(ch, s, notes, CLOSE_SIGNER, "internal error: the signer made a wrong number of signatures", true);
		return;
	}
	ch->resend_commit = false;
	send_updates(ch, s);
	send_commitment_signed(ch, s, answer);
}

/* Theirs */

/* The peer's signatures of one commitment: the funding output's first, then the HTLCs' in their order. */
static struct verify_item *gather_signatures(struct arena *a, const struct commitment *c, const struct pubkey *funding,
					     const struct sig64 *sig, const struct sig64 *htlcs, uint32_t htlc_count)
{
	struct verify_item *items = ARENA_ARRAY(a, struct verify_item, htlc_count + 1);
	struct sha256 *hashes = ARENA_ARRAY(a, struct sha256, c->htlc_count);

	items[0] = (struct verify_item){ .sig = sig, .hash = &c->sighash, .key = funding };
	if (htlc_count == 0)
		return items;
	htlc_tx_countersign_hashes(a, c, hashes);
	for (uint32_t i = 0; i < htlc_count; i++)
		items[i + 1] = (struct verify_item){ .sig = &htlcs[i], .hash = &hashes[i], .key = &c->keys.countersignatory_htlc };
	return items;
}

bool commit_verify(struct channel *ch, struct step *s, struct arena *a, const struct commitment_spec *spec, const struct sig64 *sig,
		   const struct sig64 *htlcs, uint32_t htlc_count, const char **why)
{
	struct commitment *c = commitment_build(a, spec);
	/* A wrong number of them fits no HTLC: then only the first is looked at. */
	uint32_t checked = c && htlc_count == c->htlc_count ? htlc_count : 0;
	struct verify_item *items;

	if (!c) {
		*why = "the commitment cannot be built";
		return false;
	}
	items = gather_signatures(a, c, &spec->countersignatory->funding, sig, htlcs, checked);
	memo_verify_batch(ch->policy->memo, items, checked + 1);
	/* B2.commitment_signed.24 (B2.funding_created.7 and B2.funding_signed.4 for the first one); a high S is refused */
	if (!items[0].good) {
		*why = "bad signature of the commitment";
		channel_show_tx(ch, s, c->tx);
		return false;
	}
	/* B2.commitment_signed.25 */
	if (htlc_count != c->htlc_count) {
		*why = "wrong number of HTLC signatures";
		return false;
	}
	/* B2.commitment_signed.26 */
	for (uint32_t i = 0; i < htlc_count; i++) {
		if (!items[i + 1].good) {
			*why = "bad signature of an HTLC transaction";
			channel_show_tx(ch, s, htlc_tx_build(a, c, i)->tx);
			return false;
		}
	}
	ch->commitment_txid = c->txid;
	ch->has_commitment_txid = true;
	return true;
}

static void apply_received(struct channel *ch, enum htlc_state from)
{
	enum htlc_state to = htlc_state_after(from, HTLC_RECV_COMMIT);
	struct channel_htlc *h;

	while ((h = ch->lists[from].head)) {
		htlc_move(ch, h, to);
		if (to == RCVD_ADD_COMMIT)
			count_offered(ch, h);
	}
}

static void keep_signatures(struct channel *ch, const struct msg_commitment_signed *m)
{
	mem_free(ch->sigs.htlcs);
	ch->sigs.number = ch->r.local_number;
	ch->sigs.signature = m->signature;
	ch->sigs.htlc_count = m->htlc_signature_count;
	ch->sigs.htlcs = NULL;
	if (m->htlc_signature_count > 0) {
		ch->sigs.htlcs = NEW_ARRAY(struct sig64, m->htlc_signature_count);
		memcpy(ch->sigs.htlcs, m->htlc_signature, m->htlc_signature_count * sizeof(struct sig64));
	}
	ch->sigs_dirty = true;
}

static void take_commitment(struct channel *ch, struct step *s, struct channel_notes *notes, const struct msg_commitment_signed *m)
{
	const struct commitment_spec *spec;
	const char *why = "";
	struct arena a;
	bool ok;

	if (!channel_operating(ch) || ch->r.local_number != ch->r.local_revoked) {
		channel_broken(ch, s, notes, "commitment_signed out of place");
		return;
	}
	arena_init(&a);
	spec = channel_spec(ch, VIEW_LOCAL_NEXT, ch->r.local_number + 1, &ch->r.local_points[1], &a);
	ok = commit_verify(ch, s, &a, spec, &m->signature, m->htlc_signature, m->htlc_signature_count, &why);
	arena_release(&a);
	if (!ok) {
		channel_broken_but(ch, s, notes, CLOSE_BAD_SIGNATURE, arena_printf(&s->out->arena, "commitment_signed: %s", why));
		return;
	}
	apply_received(ch, RCVD_REMOVE_REVOCATION);
	apply_received(ch, RCVD_REMOVE_HTLC);
	apply_received(ch, RCVD_ADD_REVOCATION);
	apply_received(ch, RCVD_ADD_HTLC);
	feerates_move(ch, HTLC_RECV_COMMIT);
	ch->r.local_number++;
	keep_signatures(ch, m);
	fee_signed(ch, s);
	ch->record_dirty = true;
}

void commit_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_commitment_signed m;
	bool batch = ch->batch_left > 0;

	if (msg_commitment_signed_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed commitment_signed");
		return;
	}
	if (!batch) {
		take_commitment(ch, s, notes, &m);
		return;
	}
	ch->batch_left--;
	/* B2.commitment_signed.28 */
	if (!m.tlvs.funding_txid) {
		channel_broken_for_good(ch, s, notes, CLOSE_BATCH, "commitment_signed in a batch without funding_txid");
		return;
	}
	/* B2.commitment_signed.32 */
	if (SAME(*m.tlvs.funding_txid, ch->r.funding.txid) && !ch->batch_matched) {
		ch->batch_matched = true;
		take_commitment(ch, s, notes, &m);
	}
	/* B2.commitment_signed.33 */
	if (ch->link == LINK_UP && ch->batch_left == 0 && !ch->batch_matched)
		channel_broken_for_good(ch, s, notes, CLOSE_BATCH, "no commitment_signed of a batch was for this channel's funding");
}

/* Splices are not supported, but a peer may batch a single commitment with obsolete ones. */
void commit_on_batch(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_start_batch m;

	if (msg_start_batch_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed start_batch");
		return;
	}
	/* B2.batching_channel_messages.10 */
	if (!m.tlvs.message_type || *m.tlvs.message_type != MSG_COMMITMENT_SIGNED)
		return;
	/* B2.batching_channel_messages.5, B2.batching_channel_messages.6 */
	if (m.batch_size <= 1) {
		channel_note(ch, s, notes, CHANNEL_NOTE_WARN)->text = "start_batch with batch_size of 1 or less";
		return;
	}
	/* B2.batching_channel_messages.7 */
	if (m.batch_size > 20) {
		channel_broken(ch, s, notes, "start_batch with batch_size above 20");
		return;
	}
	ch->batch_left = (uint8_t)m.batch_size;
	ch->batch_matched = false;
}
