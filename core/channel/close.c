/* closing_signed both ways: BOLT 2 "Legacy Closing Negotiation".
 *
 * The negotiation belongs to a connection and starts again with the next one
 * (struct closing_talk).  Each of our proposals is signed first (ASK_CLOSE);
 * the transaction that both want is the exact one the peer signed, which may
 * lack its own output (ASK_CLOSE_AGREED). */
#include <string.h>

#include "channel/machine.h"
#include "contract/closing.h"

void close_forget_talk(struct channel *ch)
{
	arena_release(&ch->talk.arena);
	memset(&ch->talk, 0, sizeof(ch->talk));
	arena_init(&ch->talk.arena);
	if (ch->r.side[SIDE_LOCAL].shutdown.size == 0)
		ch->shutdown_wanted = false;
}

/* Both have said shutdown, and nothing is left that could change a balance. */
static bool quiet(const struct channel *ch)
{
	for (int i = 0; i < 4; i++)
		if (ch->r.feerates[i].per_kw != 0)
			return false;
	return ch->link == LINK_UP && ch->talk.shutdown_sent && ch->talk.shutdown_received && table_count(&ch->htlcs) == 0 &&
	       ch->r.local_number == ch->r.local_revoked && ch->r.remote_number == ch->r.remote_revoked &&
	       !ch->resend_commit && !ch->resend_revoke;
}

static struct amount_sat fee_at(const struct channel *ch, struct feerate rate)
{
	return fee_of_weight(rate, closing_weight(ch->r.side[ch->r.opener].shutdown.size,
						  ch->r.side[side_other(ch->r.opener)].shutdown.size));
}

static struct amount_sat payer_has(const struct channel *ch)
{
	return msat_to_sat(ch->r.settled[ch->r.opener]);
}

static struct feerate or_else(struct feerate rate, struct feerate fallback)
{
	return rate.per_kw ? rate : fallback;
}

static struct amount_sat sat_max(struct amount_sat a, struct amount_sat b)
{
	return SAT_LESS(a, b) ? b : a;
}

struct fee_wish {
	struct amount_sat low, ideal, high;
};

/* B2.closing_signed.2, B2.closing_signed.3 */
static struct fee_wish wish(const struct channel *ch, const struct step *s)
{
	struct feerate floor = ch->policy->feerate_floor, now = or_else(ch->views[VIEW_LOCAL].feerate, floor);
	struct fee_wish w = { fee_at(ch, floor), fee_at(ch, or_else(s->fees[FEE_NORMAL], now)), payer_has(ch) };

	if (ch->has_fee_range) {
		w.low = fee_at(ch, ch->fee_low);
		w.high = fee_at(ch, ch->fee_high);
	} else if (ch->r.opener == SIDE_LOCAL) {
		w.low = fee_at(ch, or_else(s->fees[FEE_SLOW], floor));
		w.high = sat_max(fee_at(ch, or_else(s->fees[FEE_URGENT], now)), fee_at(ch, now));
	}
	/* else B2.closing_signed.5 and B2.closing_signed.6: whatever the opener pays, from the relay minimum on */
	if (ch->r.closing_fee.v != 0)
		w.ideal = ch->r.closing_fee; /* what was agreed on in an earlier connection */
	w.high = sat_min(w.high, payer_has(ch));
	w.low = sat_min(w.low, w.high);
	w.ideal = sat_min(sat_max(w.ideal, w.low), w.high);
	return w;
}

static struct closing *build(const struct channel *ch, struct arena *a, struct amount_sat fee, enum side signer, bool omit_signer)
{
	enum side payer = ch->r.opener, other = side_other(payer);
	struct closing_spec spec = {
		.form = CLOSING_LEGACY,
		.funding = ch->r.funding,
		.funding_amount = ch->r.funding_amount,
		.payer_funding = ch->r.side[payer].points.funding,
		.other_funding = ch->r.side[other].points.funding,
		.payer = { ch->r.settled[payer], channel_script_view(&ch->r.side[payer].shutdown), omit_signer && signer == payer },
		.other = { ch->r.settled[other], channel_script_view(&ch->r.side[other].shutdown), omit_signer && signer == other },
		.fee = fee,
		.dust_limit = ch->r.side[signer].dust_limit,
	};

	return closing_build(a, &spec);
}

static struct amount_sat output_of(const struct closing *c, uint32_t output)
{
	return output == CLOSING_NO_OUTPUT ? SAT(0) : c->tx->outputs[output].amount;
}

static void ask_signature(struct channel *ch, struct step *s, enum ask ask, struct closing *(*make)(const struct channel *, struct arena *))
{
	struct sign_request *r = channel_request(ch, s, SIGN_MUTUAL_CLOSE);
	const struct closing *c = make(ch, &s->out->arena);
	bool pays = ch->r.opener == SIDE_LOCAL;

	r->u.mutual_close.tx = c->tx;
	r->u.mutual_close.funding_amount = ch->r.funding_amount;
	r->u.mutual_close.remote_funding = ch->r.side[SIDE_REMOTE].points.funding;
	r->u.mutual_close.to_local = output_of(c, pays ? c->payer_output : c->other_output);
	r->u.mutual_close.to_remote = output_of(c, pays ? c->other_output : c->payer_output);
	r->u.mutual_close.local_script = arena_bytes(&s->out->arena, channel_script_view(&ch->r.side[SIDE_LOCAL].shutdown));
	r->u.mutual_close.local_balance = ch->r.settled[SIDE_LOCAL];
	r->u.mutual_close.local_pays_fee = pays;
	channel_ask(ch, s, ask, r);
}

static struct closing *ours_to_sign(const struct channel *ch, struct arena *a)
{
	return build(ch, a, ch->talk.fee_asked, SIDE_LOCAL, false);
}

static void propose(struct channel *ch, struct step *s, struct channel_notes *notes, struct amount_sat fee)
{
	struct closing *c;

	ch->talk.fee_asked = fee;
	arena_reset(&ch->talk.arena);
	c = ours_to_sign(ch, &ch->talk.arena);
	if (!c) {
		fail_with(ch, s, notes, CLOSE_NEGOTIATION_IMPOSSIBLE, "no closing transaction can be built", true);
		return;
	}
	ch->talk.tx = c->tx;
	ask_signature(ch, s, ASK_CLOSE, ours_to_sign);
}

void close_try(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	struct fee_wish w;

	if (ch->r.state < CHANNELD_SHUTTING_DOWN || ch->r.state > CLOSINGD_COMPLETE || ch->ask != ASK_NONE || !quiet(ch))
		return;
	if (ch->r.state == CHANNELD_SHUTTING_DOWN)
		channel_to(ch, s, notes, CLOSINGD_SIGEXCHANGE);
	if (ch->r.opener != SIDE_LOCAL || ch->talk.sent)
		return;
	/* B2.closing_signed.1 */
	w = wish(ch, s);
	ch->talk.low = w.low;
	ch->talk.high = w.high;
	propose(ch, s, notes, w.ideal);
}

/* For the peer's answer.  A transaction that was agreed on before is out already and stays so, whatever is said of it
 * over a later connection: without an answer to that there is nothing to fail for. */
static void set_deadline(struct channel *ch, const struct step *s)
{
	if (ch->talk.deadline_ms == 0 && ch->r.state != CLOSINGD_COMPLETE)
		ch->talk.deadline_ms = s->now_ms + ch->policy->closing_timeout_ms;
}

static void send_closing_signed(struct channel *ch, struct step *s, const struct sig64 *sig)
{
	struct tlv_closing_signed_fee_range range = { ch->talk.low, ch->talk.high };
	struct msg_closing_signed m = { .channel_id = ch->r.id, .fee_satoshis = ch->talk.fee_asked, .signature = *sig };
	struct buf b = BUF_EMPTY;

	m.tlvs.fee_range = &range;
	msg_closing_signed_encode(&m, &b);
	channel_send(ch, s, &b);
	ch->talk.sent = true;
	ch->talk.fee_sent = ch->talk.fee_asked;
	set_deadline(ch, s);
}

static void finish_close(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sig64 *our_sig)
{
	const struct basepoints *ours = &ch->r.side[SIDE_LOCAL].points, *theirs = &ch->r.side[SIDE_REMOTE].points;
	struct channel_note *n;

	funding_set_witness(&ch->talk.arena, ch->talk.tx, 0, &ours->funding, our_sig, &theirs->funding, &ch->talk.their_sig);
	buf_clear(&ch->closing_tx);
	tx_encode(ch->talk.tx, &ch->closing_tx);
	ch->r.closing_fee = ch->talk.fee_asked;
	ch->record_dirty = true;
	ch->talk.deadline_ms = 0;
	channel_to(ch, s, notes, CLOSINGD_COMPLETE);
	/* B2.closing_signed.9, B2.closing_signed.10 */
	n = channel_note(ch, s, notes, CHANNEL_NOTE_BROADCAST);
	n->tx = arena_bytes(&s->out->arena, buf_view(&ch->closing_tx));
	n->mutual = true;
}

void close_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer, bool agreed)
{
	bool known = ch->talk.sent && sat_cmp(ch->talk.fee_sent, ch->talk.fee_asked) == 0;

	/* B2.closing_signed.11, B2.closing_signed.15, B2.closing_signed.19: the same fee, if the peer has not got it from us yet */
	if (!agreed || !known)
		send_closing_signed(ch, s, &answer->signature);
	if (agreed)
		finish_close(ch, s, notes, &answer->signature);
}

/* Theirs */

static struct closing *theirs_full(const struct channel *ch, struct arena *a)
{
	return build(ch, a, ch->talk.fee_asked, SIDE_REMOTE, false);
}

static struct closing *theirs_without_theirs(const struct channel *ch, struct arena *a)
{
	return build(ch, a, ch->talk.fee_asked, SIDE_REMOTE, true);
}

typedef struct closing *closing_maker(const struct channel *ch, struct arena *a);

/* B2.closing_signed.8: which variant it signed, or NULL. */
static closing_maker *variant_of(struct channel *ch, struct amount_sat fee, const struct sig64 *sig, bool *dusty)
{
	static closing_maker *const makers[] = { theirs_full, theirs_without_theirs };
	closing_maker *found = NULL;
	struct arena a;

	arena_init(&a);
	ch->talk.fee_asked = fee;
	for (size_t i = 0; i < ARRAY_COUNT(makers) && !found; i++) {
		const struct closing *c = makers[i](ch, &a);

		if (!c || !ecdsa_verify(sig, &c->sighash, &ch->r.side[SIDE_REMOTE].points.funding))
			continue;
		found = makers[i];
		*dusty = false;
		for (uint32_t o = 0; o < c->tx->output_count; o++)
			*dusty |= SAT_LESS(c->tx->outputs[o].amount, script_dust_limit(c->tx->outputs[o].script));
	}
	arena_release(&a);
	return found;
}

/* What we would have taken its last closing_signed for. */
static void show_theirs(struct channel *ch, struct step *s)
{
	struct arena a;
	const struct closing *c;

	arena_init(&a);
	c = theirs_full(ch, &a);
	if (c)
		channel_show_tx(ch, s, c->tx);
	arena_release(&a);
}

static void agree(struct channel *ch, struct step *s, const struct msg_closing_signed *m, closing_maker *make)
{
	ch->talk.fee_asked = m->fee_satoshis;
	ch->talk.their_sig = m->signature;
	arena_reset(&ch->talk.arena);
	ch->talk.tx = make(ch, &ch->talk.arena)->tx;
	ask_signature(ch, s, ASK_CLOSE_AGREED, make);
}

static bool within(struct amount_sat fee, struct amount_sat low, struct amount_sat high)
{
	return !SAT_LESS(fee, low) && !SAT_LESS(high, fee);
}

/* What we sign.  The opener pays, but no signer signs a fee that cannot be meant: then we answer with one of our own. */
static struct amount_sat signed_at_most(const struct channel *ch)
{
	struct amount_sat most = payer_has(ch);

	return ch->r.opener == SIDE_LOCAL ? most : sat_min(most, fee_at(ch, ch->policy->closing_feerate_max));
}

/* The modern way: both name what they accept. */
static void with_range(struct channel *ch, struct step *s, struct channel_notes *notes, const struct msg_closing_signed *m, closing_maker *make)
{
	struct amount_sat low = sat_max(ch->talk.low, m->tlvs.fee_range->min_fee_satoshis);
	struct amount_sat high = sat_min(ch->talk.high, m->tlvs.fee_range->max_fee_satoshis);

	/* Whatever is accepted, nobody pays more than there is. */
	high = sat_min(high, signed_at_most(ch));
	if (SAT_LESS(high, low)) {
		/* B2.closing_signed.12; B2.closing_signed.13 by the deadline */
		channel_note(ch, s, notes, CHANNEL_NOTE_WARN)->text = "our ranges of closing fees do not overlap";
		set_deadline(ch, s);
		return;
	}
	if (within(m->fee_satoshis, low, high) && !(ch->r.opener == SIDE_REMOTE && ch->talk.sent)) {
		/* B2.closing_signed.15; as fundee B2.closing_signed.17 with the opener's own choice */
		agree(ch, s, m, make);
		return;
	}
	if (ch->r.opener == SIDE_LOCAL) {
		/* B2.closing_signed.14 */
		channel_broken_for_good(ch, s, notes, CLOSE_NEGOTIATION, "closing fee outside of the range that both accept");
	} else if (ch->talk.sent) {
		/* B2.closing_signed.16 */
		channel_broken_for_good(ch, s, notes, CLOSE_NEGOTIATION, "closing fee is not the one that was agreed to");
	} else {
		/* B2.closing_signed.17 */
		propose(ch, s, notes, low);
	}
}

static struct amount_sat middle(struct amount_sat a, struct amount_sat b)
{
	struct amount_sat low = sat_min(a, b), gap = sat_sub_or_zero(sat_max(a, b), low);

	ASSERT(sat_add(&low, low, msat_to_sat(msat_ppm(msat_of_sat(gap), 500000))));
	return low;
}

static bool strictly_between(struct amount_sat fee, struct amount_sat a, struct amount_sat b)
{
	return SAT_LESS(sat_min(a, b), fee) && SAT_LESS(fee, sat_max(a, b));
}

/* The old way: the two fees approach one another. */
static void without_range(struct channel *ch, struct step *s, struct channel_notes *notes, const struct msg_closing_signed *m,
			  closing_maker *make, bool first, struct amount_sat ideal)
{
	struct amount_sat fee = m->fee_satoshis, next;

	/* B2.closing_signed.18 */
	if (!first && !strictly_between(fee, ch->talk.fee_sent, ch->talk.fee_received)) {
		channel_broken(ch, s, notes, "closing fee is not between the last two");
		return;
	}
	if (within(fee, ch->talk.low, sat_min(ch->talk.high, signed_at_most(ch)))) {
		agree(ch, s, m, make); /* B2.closing_signed.19 */
		return;
	}
	/* B2.closing_signed.20 */
	next = sat_min(ch->talk.sent ? middle(fee, ch->talk.fee_sent) : ideal, signed_at_most(ch));
	if (ch->talk.sent && !strictly_between(next, fee, ch->talk.fee_sent)) {
		channel_broken(ch, s, notes, "there is no closing fee between the last two");
		return;
	}
	propose(ch, s, notes, next);
}

static void negotiate(struct channel *ch, struct step *s, struct channel_notes *notes, const struct msg_closing_signed *m, closing_maker *make)
{
	struct amount_sat fee = m->fee_satoshis;
	bool first = !ch->talk.received || !ch->talk.sent;
	struct fee_wish w = wish(ch, s);

	if (!ch->talk.sent) {
		ch->talk.low = w.low;
		/* B2.closing_signed.5 */
		ch->talk.high = w.high;
		if (m->tlvs.fee_range && ch->r.opener == SIDE_REMOTE && !ch->has_fee_range)
			ch->talk.high = sat_max(w.high, m->tlvs.fee_range->max_fee_satoshis);
	}
	if (ch->talk.sent && sat_cmp(fee, ch->talk.fee_sent) == 0)
		agree(ch, s, m, make); /* B2.closing_signed.9 */
	else if (m->tlvs.fee_range)
		with_range(ch, s, notes, m, make);
	else if (ch->talk.sent && within(fee, ch->talk.low, sat_min(ch->talk.high, signed_at_most(ch))))
		agree(ch, s, m, make); /* B2.closing_signed.10 */
	else
		without_range(ch, s, notes, m, make, first, w.ideal);
	ch->talk.received = true;
	ch->talk.fee_received = fee;
}

void close_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_closing_signed m;
	closing_maker *make;
	bool dusty = false;

	if (msg_closing_signed_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed closing_signed");
		return;
	}
	close_try(ch, s, notes);
	if (ch->ask != ASK_NONE || !quiet(ch) || (ch->r.opener == SIDE_LOCAL && !ch->talk.sent)) {
		channel_broken(ch, s, notes, "closing_signed out of place");
		return;
	}
	/* The peer's echo of what is done. */
	if (ch->r.state == CLOSINGD_COMPLETE && ch->talk.sent && sat_cmp(m.fee_satoshis, ch->talk.fee_sent) == 0 &&
	    ch->closing_tx.size > 0)
		return;
	make = variant_of(ch, m.fee_satoshis, &m.signature, &dusty);
	if (!make) {
		show_theirs(ch, s);
		channel_broken_but(ch, s, notes, CLOSE_BAD_SIGNATURE, "bad signature in closing_signed");
	} else if (dusty) {
		/* B2.closing_signed.21 */
		channel_broken_for_good(ch, s, notes, CLOSE_NEGOTIATION, "an output of the closing transaction is dust");
	} else {
		negotiate(ch, s, notes, &m, make);
	}
}
