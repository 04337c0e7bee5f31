/* Forwarding: an incoming HTLC whose onion goes on is judged and offered to the next channel; what becomes of the
 * outgoing one is told upstream in the step that brings it, from the wire or from the chain. */
#include "node/state.h"

#include <string.h>

#include "crypto/hash.h"
#include "node/view.h"

static bool undecided(const struct channel_htlc *h)
{
	return h && h->state == RCVD_ADD_ACK_REVOCATION && h->resolution == HTLC_UNRESOLVED;
}

bool node_htlc_undecided(const struct node *n, uint64_t channel_key, uint64_t htlc_id)
{
	const struct node_channel *c = node_channel_by_key(n, channel_key);

	return c && !c->dead && undecided(channel_htlc_get(c->channel, SIDE_REMOTE, htlc_id));
}

/* --- on to the next channel --- */

/* Nobody can use it now, and the world knows. */
static bool disabled(const struct node *n, const struct node_channel *c)
{
	struct graph_policy said;

	return !channel_is_connected(c->channel) && node_view_own_policy(n, c->channel, &said) && (said.flags & GRAPH_DISABLED);
}

static struct forward_next describe(const struct node *n, const struct step *s, const struct node_channel *c, bool closed)
{
	/* Of one that is closed there is nothing to say but that. */
	struct forward_next next = { .known = c || closed, .ending = closed };

	if (!c)
		return next;
	next.ending = channel_state_of(c->channel) > CHANNELD_NORMAL;
	next.disabled = disabled(n, c);
	next.policy_count = node_channel_policies(n, s, c, next.policies);
	return next;
}

static struct failure failure_of_offer(enum offer_result result, struct amount_msat amount)
{
	struct failure why;

	switch (result) {
	case OFFER_CLOSING:
		return failure_plain(FAIL_PERMANENT_CHANNEL_FAILURE);
	case OFFER_AMOUNT_MINIMUM:
		why = failure_plain(FAIL_AMOUNT_BELOW_MINIMUM);
		why.u.amount_below_minimum.htlc_msat = amount;
		return why;
	case OFFER_EXPIRY:
		return failure_plain(FAIL_EXPIRY_TOO_SOON);
	case OFFER_OK:
		break;
	case OFFER_NOT_READY:
	case OFFER_BALANCE:
	case OFFER_FEE:
	case OFFER_COUNT:
	case OFFER_IN_FLIGHT:
	case OFFER_DUST:
		/* B4.failure_messages.12 */
		return failure_plain(FAIL_TEMPORARY_CHANNEL_FAILURE);
	}
	UNREACHABLE();
}

struct bytes node_update_told(const struct node *n, struct scid scid)
{
	const struct node_channel *c;
	bool closed;

	if (!n->gossip || !n->config->failure_update)
		return BYTES_NONE;
	c = node_channel_onward(n, scid, &closed);
	return c ? gossip_own_update(n->gossip, channel_key(c->channel), scid) : BYTES_NONE;
}

/* What an HTLC asks, and which channels may carry it on. */
struct asked {
	const struct payload *payload;
	struct forward_htlc in;
	struct forward_clock clock;
	const struct pubkey *from; /* the peer that it comes from */
};

/* Whether others have a better right to what is left of the channel. */
static bool crowded(const struct node *n, const struct step *s, const struct node_channel *c, const struct asked *a)
{
	const struct channel_record *r = channel_record_of(c->channel);
	const struct channel_side *theirs = &r->side[SIDE_REMOTE];
	const struct slot_question q = {
		.channel_key = r->key,
		.from = a->from,
		.channel_slots = theirs->max_accepted_htlcs < ACCEPTED_HTLCS_MAX ? theirs->max_accepted_htlcs : ACCEPTED_HTLCS_MAX,
		.channel_value = msat_min(theirs->max_in_flight, msat_of_sat(r->funding_amount)),
		.other_peers = n->peers_with_channels - 1,
		.amount = a->payload->amount,
		.now_ms = s->now_ms,
	};
	const char *why = slots_refuse(&n->forwards.slots, &q);

	if (why)
		log_write(s->log, LOG_DEBUG, "forward", "jamming: %s", why);
	return why != NULL;
}

/* As the channel itself answers; its slots that are kept for others are as good as taken. */
static enum offer_result may_carry(const struct node *n, const struct step *s, const struct node_channel *c, const struct asked *a)
{
	enum offer_result result = channel_may_offer(c->channel, s, a->payload->amount, a->payload->cltv_expiry);

	return result == OFFER_OK && crowded(n, s, c, a) ? OFFER_COUNT : result;
}

/* Another channel to the same peer carries it by its own terms alone. */
static bool other_takes(const struct node *n, const struct step *s, const struct node_channel *c, const struct asked *a)
{
	const struct forward_next next = describe(n, s, c, false);
	struct failure why;

	return forward_judge(&a->clock, &a->in, a->payload, &next, &why) &&
	       may_carry(n, s, c, a) == OFFER_OK;
}

/* The named channel, or another one to the same peer that can take it: BOLT 4 "Non-strict Forwarding".  Not the one it
 * came from: that would only move the peer's money in a circle, at the price of two slots. */
static struct node_channel *able(const struct node *n, struct step *s, struct node_channel *named, const struct asked *a,
				 enum offer_result *result)
{
	*result = OFFER_NOT_READY;
	if (channel_key(named->channel) != a->in.channel_key)
		*result = may_carry(n, s, named, a);
	if (*result == OFFER_OK)
		return named;
	for (struct node_channel *c = named->peer->channels; c; c = c->next)
		if (!c->dead && c != named && channel_key(c->channel) != a->in.channel_key && other_takes(n, s, c, a))
			return c;
	return NULL;
}

static void offer(struct node *n, struct step *s, const struct node_onion *o, const struct forward_htlc *in,
		  struct node_channel *c)
{
	const struct payload *p = &o->opening.payload;
	struct htlc_offer offer = {
		.amount = p->amount,
		.payment_hash = o->opening.payment_hash,
		.cltv_expiry = p->cltv_expiry,
		.onion = o->opening.next,
		.cookie = { in->channel_key, in->id },
	};
	struct forward_htlc out = { .channel_key = channel_key(c->channel), .amount = p->amount, .cltv_expiry = p->cltv_expiry };
	const struct node_channel *from = node_channel_by_key(n, in->channel_key);
	struct forward *w;

	/* It was asked in this very step. */
	ASSERT(channel_offer_htlc(c->channel, s, &offer, &out.id) == OFFER_OK);
	w = forward_add(&n->forwards, channel_peer(from->channel), in, &out, &offer.payment_hash, &o->opening.shared_secret); /* INV-W1 */
	ASSERT(w);
	w->in_scid = node_channel_scid(from);
	w->out_scid = node_channel_scid(c);
	w->named = p->scid;
	w->received_ms = o->received_ms;
	node_touch(n, c);
}

/* False: a decider is asked. */
static bool forward(struct node *n, struct step *s, struct node_onion *o)
{
	const struct payload *p = &o->opening.payload;
	const struct asked a = {
		.payload = p,
		.in = { o->channel_key, o->htlc_id, o->amount, o->cltv_expiry },
		.clock = { s->height, n->config->forward_expiry_min_blocks },
		.from = channel_peer(node_channel_by_key(n, o->channel_key)->channel),
	};
	bool closed = false;
	struct node_channel *c = node_channel_onward(n, p->scid, &closed);
	struct forward_next next = describe(n, s, c, closed);
	enum offer_result result;
	struct failure why;

	/* On chain nothing is forwarded, and nothing can be failed. */
	if (channel_state_of(node_channel_by_key(n, o->channel_key)->channel) >= AWAITING_UNILATERAL)
		return true;
	if (o->refuse || o->closing) {
		/* B2.max_dust_htlc_exposure_msat.2, B2.max_dust_htlc_exposure_msat.4, B2.shutdown.7 */
		why = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
	} else if (forward_judge(&a.clock, &a.in, p, &next, &why)) {
		/* Before it is known whether the channel can take it: after a restart its peer may not be back yet. */
		if (n->config->hold_forwards && !o->released) {
			node_hold_forward(n, s, o, c);
			return false;
		}
		c = able(n, s, c, &a, &result);
		if (c) {
			offer(n, s, o, &a.in, c);
			return true;
		}
		why = failure_of_offer(result, p->amount);
	}
	failure_set_update(&why, node_update_told(n, p->scid));
	log_write(s->log, LOG_DEBUG, "forward", "refused: %s", failure_words(&s->out->arena, &why));
	node_history_without(n, s, o, HISTORY_LOCAL_FAILED, why.code);
	node_fail_sealed(n, s, o, &why);
	return true;
}

/* --- upstream --- */

static void fail_mute(struct node_channel *c, struct step *s, uint64_t htlc_id)
{
	const struct channel_htlc *h = channel_htlc_get(c->channel, SIDE_REMOTE, htlc_id);
	struct sha256 hash;

	if (!h)
		return;
	hash = sha256(h->onion.data, h->onion.size);
	if (!channel_fail_malformed(c->channel, s, htlc_id, FAIL_INVALID_ONION_KEY, &hash))
		log_write(s->log, LOG_WARN, "forward", "an HTLC to be failed is gone already");
}

/* Of a forward that has failed: the incoming HTLC follows, as soon as its failure can be sealed. */
static void fail_upstream(struct node *n, struct step *s, struct forward *w)
{
	struct node_channel *c = node_channel_by_key(n, w->in.channel_key);
	struct failure_attribution *attribution;
	struct buf reason = BUF_EMPTY;

	if (!c || c->dead || channel_state_of(c->channel) >= AWAITING_UNILATERAL) {
		/* On chain there is nothing to fail: the peer takes it back when it expires. */
		forward_over(&n->forwards, w);
		return;
	}
	if (!w->has_secret && !w->mute)
		return;
	if (w->has_secret) {
		attribution = node_attribution(c, s, w->in.id);
		forward_reason(w, node_update_told(n, w->named), &reason, attribution);
		if (!channel_fail_htlc(c->channel, s, w->in.id, buf_view(&reason), node_attribution_data(attribution)))
			log_write(s->log, LOG_WARN, "forward", "an HTLC to be failed is gone already");
		buf_release(&reason);
	} else {
		fail_mute(c, s, w->in.id);
	}
	node_touch(n, c);
	forward_over(&n->forwards, w);
}

static void gone(struct node *n, struct step *s, struct forward *w, const struct forward_end *end)
{
	/* A preimage that has come stays known: its forward is over (INV-W4). */
	if (w->state != FORWARD_OUT)
		return;
	/* What a node behind us says only the sender can read. */
	node_history_end(n, s, w, HISTORY_FAILED, end->kind == FORWARD_END_REPORT ? 0 : end->code);
	forward_fail(&n->forwards, w, end);
	fail_upstream(n, s, w);
}

/* B2.forwarding_htlcs.5, INV-W4: whatever has become of the incoming channel meanwhile. */
static void fulfilled(struct node *n, struct step *s, struct forward *w, const struct preimage *preimage, struct bytes attribution)
{
	const struct node_paid paid = { preimage, w->has_secret ? &w->secret : NULL, attribution };

	if (!node_htlc_fulfil(n, s, w->in.channel_key, w->in.id, &paid))
		log_write(s->log, LOG_ERROR, "forward", "an HTLC was paid downstream and is gone upstream: %llu msat are lost",
			  (unsigned long long)w->out.amount.v);
	node_history_end(n, s, w, HISTORY_SETTLED, 0);
	forward_over(&n->forwards, w);
}

void node_forward_out_done(struct node *n, struct step *s, const struct channel_note *note)
{
	struct forward *w = forward_by_out(&n->forwards, channel_key(note->channel), note->htlc_id);
	struct forward_end end = { .kind = FORWARD_END_LOCAL, .code = FAIL_TEMPORARY_CHANNEL_FAILURE };

	/* Its incoming HTLC was decided before a restart: the channel says it again. */
	if (!w)
		return;
	ASSERT(w->in.channel_key == note->cookie[0] && w->in.id == note->cookie[1]);
	if (note->kind == CHANNEL_NOTE_HTLC_FULFILLED) {
		fulfilled(n, s, w, &note->preimage, note->attribution);
		return;
	}
	if (note->kind == CHANNEL_NOTE_HTLC_FAILED && note->failure_code) {
		end.kind = FORWARD_END_MALFORMED;
		end.code = note->failure_code;
		end.onion_hash = note->sha256_of_onion;
	} else if (note->kind == CHANNEL_NOTE_HTLC_FAILED) {
		end.kind = FORWARD_END_REPORT;
		end.reason = note->reason;
		end.attribution = note->attribution;
	}
	/* B2.forwarding_htlcs.2: irrevocably gone; dropped: no signature ever covered it. */
	gone(n, s, w, &end);
}

bool node_forward_onchain(struct node *n, struct step *s, const struct node_channel *c, const struct onchain_note *note)
{
	const struct forward_end end = { .kind = FORWARD_END_LOCAL, .code = FAIL_PERMANENT_CHANNEL_FAILURE };
	struct forward *w = forward_by_out(&n->forwards, channel_key(c->channel), note->htlc_id);

	if (!w)
		return false;
	if (note->kind == ONCHAIN_NOTE_PREIMAGE)
		fulfilled(n, s, w, &note->preimage, BYTES_NONE);
	else
		gone(n, s, w, &end);
	return true;
}

void node_forward_give_up(struct node *n, struct step *s, const struct node_channel *c, uint64_t htlc_id)
{
	const struct forward_end end = { .kind = FORWARD_END_LOCAL, .code = FAIL_TEMPORARY_CHANNEL_FAILURE };
	struct forward *w = forward_by_out(&n->forwards, channel_key(c->channel), htlc_id);

	if (!w)
		return;
	log_write(s->log, LOG_WARN, "forward", "failed upstream: cause=%s htlc=out:%llu expiry=%u amount_msat=%llu",
		  close_cause_name(CLOSE_DUST_EXPIRED), (unsigned long long)htlc_id, w->out.cltv_expiry,
		  (unsigned long long)w->out.amount.v);
	gone(n, s, w, &end);
}

void node_forwards_expire(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct forward *w;

	while ((w = forward_next(&n->forwards, &at))) {
		if (w->state != FORWARD_FAILED || !node_deadline_passed(s, w->in.cltv_expiry))
			continue;
		/* Better a failure that says less than a channel that closes for want of one. */
		w->mute = true;
		fail_upstream(n, s, w);
	}
}

/* --- onions that are open, and the start --- */

bool node_forward_opened(struct node *n, struct step *s, struct node_onion *o)
{
	struct forward *w = forward_by_in(&n->forwards, o->channel_key, o->htlc_id);

	if (!w)
		return forward(n, s, o);
	/* Forwarded before a restart. */
	w->has_secret = true;
	w->secret = o->opening.shared_secret;
	if (w->state == FORWARD_FAILED)
		fail_upstream(n, s, w);
	return true;
}

bool node_forward_unreadable(struct node *n, struct step *s, uint64_t channel_key, uint64_t htlc_id)
{
	struct forward *w = forward_by_in(&n->forwards, channel_key, htlc_id);

	if (!w)
		return false;
	w->mute = true;
	if (w->state == FORWARD_FAILED)
		fail_upstream(n, s, w);
	return true;
}

void node_forwards_stranded(struct node *n, struct step *s, const struct node_channel *c, bool for_good)
{
	uint32_t at = 0;
	struct forward *w;

	while ((w = forward_next(&n->forwards, &at))) {
		if (w->in.channel_key != channel_key(c->channel) || !(for_good || w->state == FORWARD_FAILED))
			continue;
		if (w->state == FORWARD_OUT)
			node_history_end(n, s, w, HISTORY_FAILED, FAIL_PERMANENT_CHANNEL_FAILURE);
		forward_over(&n->forwards, w);
	}
}

static bool rebuild_one(struct node *n, const struct node_channel *c, const struct channel_htlc *h)
{
	const struct forward_end end = { .kind = FORWARD_END_LOCAL, .code = FAIL_PERMANENT_CHANNEL_FAILURE };
	struct node_channel *from = node_channel_by_key(n, h->cookie[0]);
	const struct channel_htlc *twin = from ? channel_htlc_get(from->channel, SIDE_REMOTE, h->cookie[1]) : NULL;
	struct forward_htlc out = { channel_key(c->channel), h->id, h->amount, h->cltv_expiry }, in;
	struct forward *w;

	bool over = c->onchain && onchain_htlc_is_gone(c->onchain, h->id);

	if (!undecided(twin) || (over && channel_state_of(from->channel) >= AWAITING_UNILATERAL))
		return true;
	in = (struct forward_htlc){ h->cookie[0], h->cookie[1], twin->amount, twin->cltv_expiry };
	if (!SAME(h->payment_hash, twin->payment_hash))
		return false;
	w = forward_add(&n->forwards, channel_peer(from->channel), &in, &out, &h->payment_hash, NULL);
	if (!w)
		return false;
	w->in_scid = node_channel_scid(from);
	w->out_scid = node_channel_scid(c);
	/* Its end was told before a restart that came before its failure could be sealed. */
	if (over)
		forward_fail(&n->forwards, w, &end);
	return true;
}

bool node_forwards_rebuild(struct node *n)
{
	uint32_t at = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at)))
		for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(c->channel, h));)
			if (h->owner == SIDE_LOCAL && h->cookie[0] && !rebuild_one(n, c, h))
				return false;
	return true;
}

/* Each outgoing HTLC that an undecided one pays for has its forward. */
static void check_channel(const struct node *n, const struct node_channel *c)
{
	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(c->channel, h));) {
		const struct node_channel *from = NULL;

		if (h->owner == SIDE_LOCAL && h->cookie[0])
			from = node_channel_by_key(n, h->cookie[0]);
		if (from && channel_state_of(from->channel) < AWAITING_UNILATERAL &&
		    undecided(channel_htlc_get(from->channel, SIDE_REMOTE, h->cookie[1])))
			ASSERT(forward_by_in(&n->forwards, h->cookie[0], h->cookie[1]));
	}
}

/* INV-W1 */
void node_forwards_check(const struct node *n)
{
	uint32_t at = 0;
	const struct node_channel *c;
	const struct forward *w;

	forwards_check(&n->forwards);
	while ((w = forward_next(&n->forwards, &at))) {
		ASSERT(node_htlc_undecided(n, w->in.channel_key, w->in.id));
		if (w->state == FORWARD_FAILED)
			continue;
		c = node_channel_by_key(n, w->out.channel_key);
		ASSERT(c && channel_htlc_get(c->channel, SIDE_LOCAL, w->out.id));
	}
	for (at = 0; (c = table_next(&n->channels, &at));)
		check_channel(n, c);
}
