/* Adding HTLCs: update_add_htlc both ways, with every check of BOLT 2 "Adding
 * an HTLC" and "max_dust_htlc_exposure_msat".
 *
 * An offer of ours is checked where the peer will check it (VIEW_REMOTE_NEXT)
 * and where it will end (both FULL views, which have everything that is
 * pending).  One of the peer's is checked in VIEW_LOCAL_NEXT: the order of
 * messages makes that exactly what its sender saw. */
#include <string.h>

#include "channel/machine.h"
#include "crypto/hash.h"

#define FEE_SPIKE 2u /* B2.update_add_htlc.3 */

const char *offer_result_words(enum offer_result r)
{
	switch (r) {
	case OFFER_OK:
		return "ok";
	case OFFER_NOT_READY:
		return "the channel is not usable now";
	case OFFER_CLOSING:
		return "the channel is closing";
	case OFFER_AMOUNT_MINIMUM:
		return "the amount is below the peer's htlc_minimum_msat";
	case OFFER_EXPIRY:
		return "the expiry is not a future block";
	case OFFER_BALANCE:
		return "our balance, less the reserve, is too small";
	case OFFER_FEE:
		return "the opener could not pay the commitment fee any more";
	case OFFER_COUNT:
		return "the peer accepts no more HTLCs";
	case OFFER_IN_FLIGHT:
		return "the peer accepts no more value in flight";
	case OFFER_DUST:
		return "too much would be in flight as dust";
	}
	UNREACHABLE();
}

static struct feerate times(struct feerate rate, uint32_t n)
{
	return rate.per_kw > UINT32_MAX / n ? FEERATE(UINT32_MAX) : FEERATE(rate.per_kw * n);
}

/* What a side has left in a view above its reserve, after an amount. */
static bool left_above_reserve(const struct channel *ch, enum htlc_view v, enum side side, struct amount_msat amount,
			       struct amount_msat *rest)
{
	/* The reserve is what the *other* side asked for. */
	struct amount_msat reserve = msat_of_sat(ch->r.side[side_other(side)].reserve);

	return msat_sub(rest, ch->views[v].left[side], amount) && msat_sub(rest, *rest, reserve);
}

/* B2.update_add_htlc.1, B2.update_add_htlc.2 (the cost has the anchors), B2.update_add_htlc.3 */
static enum offer_result opener_may_offer(const struct channel *ch, enum htlc_view v, struct amount_msat rest, bool untrimmed)
{
	struct feerate rate = ch->views[v].feerate;
	struct amount_msat cost = view_cost(ch, v, rate, untrimmed);
	struct amount_msat spike = view_cost(ch, v, times(rate, FEE_SPIKE), untrimmed + 1u);

	return MSAT_LESS(rest, cost) || MSAT_LESS(rest, spike) ? OFFER_FEE : OFFER_OK;
}

/* B2.update_add_htlc.4 */
static enum offer_result fundee_may_offer(const struct channel *ch, enum htlc_view v, bool untrimmed)
{
	struct amount_msat rest;

	if (untrimmed && (!left_above_reserve(ch, v, SIDE_REMOTE, MSAT(0), &rest) ||
			  MSAT_LESS(rest, view_cost(ch, v, ch->views[v].feerate, 1))))
		return OFFER_FEE;
	return OFFER_OK;
}

static enum offer_result may_offer_in(const struct channel *ch, enum htlc_view v, struct amount_msat amount)
{
	const struct balance *b = &ch->views[v];
	bool trimmed = view_trims(ch, v, b->feerate, SIDE_LOCAL, amount);
	struct amount_msat rest, sum;

	if (!left_above_reserve(ch, v, SIDE_LOCAL, amount, &rest))
		return OFFER_BALANCE;
	/* B2.update_add_htlc.8 */
	if (b->count[SIDE_LOCAL] >= ch->r.side[SIDE_REMOTE].max_accepted_htlcs)
		return OFFER_COUNT;
	/* B2.update_add_htlc.9 */
	if (!msat_add(&sum, b->offered[SIDE_LOCAL], amount) || MSAT_LESS(ch->r.side[SIDE_REMOTE].max_in_flight, sum))
		return OFFER_IN_FLIGHT;
	/* B2.max_dust_htlc_exposure_msat.5 (their transaction), B2.max_dust_htlc_exposure_msat.7 (ours) */
	if (trimmed && (!msat_add(&sum, b->dust, amount) || MSAT_LESS(ch->policy->dust_exposure_max, sum)))
		return OFFER_DUST;
	if (ch->r.opener == SIDE_LOCAL)
		return opener_may_offer(ch, v, rest, !trimmed);
	return fundee_may_offer(ch, v, !trimmed);
}

/* Amount and balances alone. */
static enum offer_result may_offer_amount(const struct channel *ch, struct amount_msat amount)
{
	static const enum htlc_view where[] = { VIEW_REMOTE_NEXT, VIEW_REMOTE_FULL, VIEW_LOCAL_FULL };
	enum offer_result result = OFFER_OK;

	/* B2.update_add_htlc.5, B2.update_add_htlc.6 */
	if (msat_cmp(amount, MSAT(0)) == 0 || MSAT_LESS(amount, ch->r.side[SIDE_REMOTE].htlc_minimum))
		return OFFER_AMOUNT_MINIMUM;
	for (size_t i = 0; i < ARRAY_COUNT(where) && result == OFFER_OK; i++)
		result = may_offer_in(ch, where[i], amount);
	return result;
}

bool update_may_afford(const struct channel *ch, struct amount_msat amount)
{
	return may_offer_amount(ch, amount) == OFFER_OK;
}

enum offer_result channel_may_offer(const struct channel *ch, const struct step *s, struct amount_msat amount, uint32_t cltv_expiry)
{
	/* B2.shutdown.5 */
	if (ch->dead || ch->r.state >= CHANNELD_SHUTTING_DOWN || ch->shutdown_wanted)
		return OFFER_CLOSING;
	if (ch->r.state != CHANNELD_NORMAL || ch->link != LINK_UP)
		return OFFER_NOT_READY;
	/* B2.update_add_htlc.7; an HTLC that is over already would only cost a channel */
	if (cltv_expiry >= CLTV_EXPIRY_LIMIT || cltv_expiry <= s->height)
		return OFFER_EXPIRY;
	return may_offer_amount(ch, amount);
}

enum offer_result channel_offer_htlc(struct channel *ch, struct step *s, const struct htlc_offer *offer, uint64_t *id)
{
	enum offer_result result = channel_may_offer(ch, s, offer->amount, offer->cltv_expiry);
	struct channel_htlc *h;

	if (result != OFFER_OK)
		return result;
	ASSERT(offer->onion.size == ONION_SIZE);
	/* B2.update_add_htlc.10, B2.update_add_htlc.11 */
	*id = ch->r.next_htlc_id[SIDE_LOCAL]++;
	h = htlc_add(ch, SIDE_LOCAL, *id, SENT_ADD_HTLC, offer->amount);
	h->payment_hash = offer->payment_hash;
	h->cltv_expiry = offer->cltv_expiry;
	htlc_set_bytes(&h->onion, offer->onion);
	/* B2.update_add_htlc.12 */
	h->has_path_key = offer->path_key != NULL;
	if (offer->path_key)
		h->path_key = *offer->path_key;
	memcpy(h->cookie, offer->cookie, sizeof(h->cookie));
	channel_finish(ch, s);
	return OFFER_OK;
}

void update_send_add(struct channel *ch, struct step *s, const struct channel_htlc *h)
{
	struct msg_update_add_htlc m = {
		.channel_id = ch->r.id,
		.id = h->id,
		.amount_msat = h->amount,
		.payment_hash = h->payment_hash,
		.cltv_expiry = h->cltv_expiry,
	};
	struct pubkey path_key = h->path_key;
	struct buf b = BUF_EMPTY;

	ASSERT(h->onion.size == sizeof(m.onion_routing_packet));
	memcpy(m.onion_routing_packet, h->onion.data, sizeof(m.onion_routing_packet));
	if (h->has_path_key)
		m.tlvs.blinded_path = &path_key;
	msg_update_add_htlc_encode(&m, &b);
	channel_send(ch, s, &b);
}

/* The peer's offer; NULL if it may be added. */
static const char *refuse_add(const struct channel *ch, const struct msg_update_add_htlc *m)
{
	const struct channel_side *ours = &ch->r.side[SIDE_LOCAL];
	const struct balance *b = &ch->views[VIEW_LOCAL_NEXT];
	struct amount_msat rest, sum;
	bool trimmed;

	/* B2.shutdown.5 from the other end; in this connection, as what was lost in an earlier one comes again first */
	if (ch->talk.shutdown_received)
		return "update_add_htlc after shutdown";
	if (m->id != ch->r.next_htlc_id[SIDE_REMOTE])
		return "update_add_htlc with an id out of order";
	/* B2.update_add_htlc.14 */
	if (msat_cmp(m->amount_msat, MSAT(0)) == 0 || MSAT_LESS(m->amount_msat, ours->htlc_minimum))
		return "update_add_htlc below htlc_minimum_msat";
	/* B2.update_add_htlc.17 */
	if (m->cltv_expiry >= CLTV_EXPIRY_LIMIT)
		return "update_add_htlc with cltv_expiry in seconds";
	/* B2.update_add_htlc.16 */
	if (b->count[SIDE_REMOTE] >= ours->max_accepted_htlcs)
		return "update_add_htlc above max_accepted_htlcs";
	if (!msat_add(&sum, b->offered[SIDE_REMOTE], m->amount_msat) || MSAT_LESS(ours->max_in_flight, sum))
		return "update_add_htlc above max_htlc_value_in_flight_msat";
	/* B2.update_add_htlc.15 */
	if (!left_above_reserve(ch, VIEW_LOCAL_NEXT, SIDE_REMOTE, m->amount_msat, &rest))
		return "update_add_htlc that its sender cannot afford";
	trimmed = view_trims(ch, VIEW_LOCAL_NEXT, b->feerate, SIDE_REMOTE, m->amount_msat);
	if (ch->r.opener == SIDE_REMOTE && MSAT_LESS(rest, view_cost(ch, VIEW_LOCAL_NEXT, b->feerate, !trimmed)))
		return "update_add_htlc that leaves its sender unable to pay the fee";
	return NULL;
}

/* B2.max_dust_htlc_exposure_msat.1 (their transaction), B2.max_dust_htlc_exposure_msat.3 (ours) */
static bool dust_exposed(const struct channel *ch, const struct channel_htlc *h)
{
	static const enum htlc_view where[] = { VIEW_REMOTE_FULL, VIEW_LOCAL_FULL };

	for (size_t i = 0; i < ARRAY_COUNT(where); i++)
		if ((h->trimmed >> where[i] & 1) && MSAT_LESS(ch->policy->dust_exposure_max, ch->views[where[i]].dust))
			return true;
	return false;
}

void update_on_add(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_update_add_htlc m;
	struct channel_htlc *h;
	const char *why;

	if (msg_update_add_htlc_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed update_add_htlc");
		return;
	}
	if (!channel_operating(ch)) {
		channel_broken(ch, s, notes, "update_add_htlc before channel_ready");
		return;
	}
	why = refuse_add(ch, &m);
	if (why) {
		channel_broken(ch, s, notes, "%s", why);
		return;
	}
	/* B2.update_add_htlc.18: whatever its payment_hash is */
	h = htlc_add(ch, SIDE_REMOTE, m.id, RCVD_ADD_HTLC, m.amount_msat);
	ch->r.next_htlc_id[SIDE_REMOTE]++;
	h->payment_hash = m.payment_hash;
	h->cltv_expiry = m.cltv_expiry;
	htlc_set_bytes(&h->onion, BYTES_OF(m.onion_routing_packet));
	h->has_path_key = m.tlvs.blinded_path != NULL;
	if (m.tlvs.blinded_path)
		h->path_key = *m.tlvs.blinded_path;
	h->dust_exposed = dust_exposed(ch, h);
}

/* It is irrevocably committed on both sides. */
void update_note_in(struct channel *ch, struct step *s, struct channel_notes *notes, const struct channel_htlc *h)
{
	struct channel_note *n = channel_note(ch, s, notes, CHANNEL_NOTE_HTLC_IN);

	n->htlc_id = h->id;
	n->payment_hash = h->payment_hash;
	n->htlc_amount = h->amount;
	n->cltv_expiry = h->cltv_expiry;
	n->onion = arena_bytes(&s->out->arena, h->onion);
	n->has_path_key = h->has_path_key;
	n->path_key = h->path_key;
	n->dust_exposed = h->dust_exposed;
	/* B2.shutdown.7 */
	n->closing = ch->r.state != CHANNELD_NORMAL;
}
