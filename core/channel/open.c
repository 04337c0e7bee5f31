/* Opening as opener: open_channel -> accept_channel -> (wallet) ->
 * funding_created -> funding_signed.
 *
 *   OPEN_KEYS    --keys-->            OPEN_ACCEPT   open_channel is sent
 *   OPEN_ACCEPT  --accept_channel-->  OPEN_FUNDS    CHANNEL_NOTE_FUND
 *   OPEN_FUNDS   --channel_funded-->  OPEN_SIGNING
 *   OPEN_SIGNING --signature-->       OPEN_SIGNED   funding_created is sent
 *   OPEN_SIGNED  --funding_signed-->  CHANNELD_AWAITING_LOCKIN, stored, broadcast
 *   any          --fault, cut, timeout--> forgotten: nothing is at stake before the broadcast */
#include "channel/machine.h"
#include "contract/closing.h"
#include "wire/features.h"

/* The type that the user asked for, or the best that both know. */
static const char *choose_type(const struct channel_open_args *args, struct channel_type *type)
{
	bool anchors = features_negotiated(args->our_features, args->their_features, FEATURE_ANCHORS);

	*type = (struct channel_type){ .anchors = anchors };
	if (!args->has_channel_type)
		return NULL;
	if (!channel_type_decode(args->channel_type, type))
		return "unknown channel type";
	/* B2.open_channel.13 */
	if ((type->anchors && !anchors) ||
	    (type->scid_alias && !features_negotiated(args->our_features, args->their_features, FEATURE_SCID_ALIAS)) ||
	    (type->zeroconf && !features_negotiated(args->our_features, args->their_features, FEATURE_ZEROCONF)))
		return "the channel type needs a feature that the peer and we do not share";
	return NULL;
}

/* What the sender of open_channel must not ask for. */
static const char *refuse_args(const struct channel_open_args *args, const struct channel_type *type)
{
	bool anysegwit = features_negotiated(args->our_features, args->their_features, FEATURE_SHUTDOWN_ANYSEGWIT);
	bool large = features_negotiated(args->our_features, args->their_features, FEATURE_LARGE_CHANNEL);

	/* "If nodes have negotiated option_dual_fund: the opening node MUST NOT send open_channel" */
	if (features_negotiated(args->our_features, args->their_features, FEATURE_DUAL_FUND))
		return "the peer opens channels by version 2 of the protocol only";
	/* B2.open_channel.3 */
	if (!large && !SAT_LESS(args->funding, SAT(LARGE_CHANNEL_SAT)))
		return "the peer does not take channels of 16777216 sat or more";
	if (SAT_LESS(SAT(SUPPLY_SAT), args->funding))
		return "no such amount exists";
	/* B2.open_channel.4 */
	if (MSAT_LESS(msat_of_sat(args->funding), args->push))
		return "push_msat is above the channel's amount";
	/* B2.open_channel.14 */
	if (type->scid_alias && args->announce)
		return "a channel known by alias only cannot be announced";
	/* B2.open_channel.9 */
	if (args->upfront_shutdown.size > 0 && !shutdown_script_valid(args->upfront_shutdown, anysegwit, false))
		return "the peer does not take this kind of shutdown script";
	return NULL;
}

static void set_type(struct channel *ch, const struct channel_type *type)
{
	ch->r.type = type->anchors ? COMMITMENT_ANCHORS : COMMITMENT_STATIC_REMOTEKEY;
	ch->r.scid_alias = type->scid_alias;
	ch->r.zeroconf = type->zeroconf;
}

struct channel *channel_open(struct step *s, struct channel_notes *notes, const struct channel_open_args *args,
			     const char **why)
{
	struct channel_type type;
	struct feerate rate = args->commitment_feerate;
	struct channel_side *ours;
	struct channel *ch;

	(void)notes;
	*why = choose_type(args, &type);
	if (!*why)
		*why = refuse_args(args, &type);
	if (*why)
		return NULL;
	/* B2.open_channel.16 */
	if (rate.per_kw == 0)
		rate = policy_feerate(args->policy, s, type.anchors ? COMMITMENT_ANCHORS : COMMITMENT_STATIC_REMOTEKEY);
	if (rate.per_kw == 0) {
		*why = "there is no fee estimate yet";
		return NULL;
	}
	ch = channel_new_opening(s, args);
	ours = &ch->r.side[SIDE_LOCAL];
	set_type(ch, &type);
	ch->r.opener = SIDE_LOCAL;
	ch->r.announce = args->announce;
	ch->r.funding_amount = args->funding;
	ours->reserve = args->has_reserve ? args->reserve : policy_reserve(args->policy, args->funding, args->policy->dust_limit);
	if (SAT_LESS(ours->reserve, ours->dust_limit))
		ours->reserve = ours->dust_limit; /* B2.open_channel.7 */
	ours->max_in_flight = policy_in_flight(args->policy, args->funding);
	ch->open->push = args->push;
	ch->open->funding_feerate = args->funding_feerate;
	ch->r.feerates[4] = rate;
	*why = terms_balances(&(struct terms){ args->funding, args->push, rate, ours, ours, ch->r.type });
	if (*why) {
		channel_free(ch);
		return NULL;
	}
	/* B2.open_channel.2: random, so never twice */
	drbg_fill(s->entropy, ch->open->temporary_id.v, sizeof(ch->open->temporary_id.v));
	ch->r.id = ch->open->temporary_id;
	channel_ask(ch, s, ASK_KEYS, channel_request(ch, s, SIGN_CHANNEL_NEW));
	return ch;
}

static void send_open_channel(struct channel *ch, struct step *s)
{
	const struct channel_side *ours = &ch->r.side[SIDE_LOCAL];
	struct channel_type type = { ch->r.type == COMMITMENT_ANCHORS, ch->r.scid_alias, ch->r.zeroconf };
	struct buf type_bits = BUF_EMPTY, b = BUF_EMPTY;
	struct bytes upfront = channel_script_view(&ours->upfront_shutdown), type_view;
	struct msg_open_channel m = {
		.chain_hash = ch->policy->chain_hash, /* B2.open_channel.1 */
		.funding_satoshis = ch->r.funding_amount,
		.push_msat = ch->open->push,
		.dust_limit_satoshis = ours->dust_limit,
		.max_htlc_value_in_flight_msat = ours->max_in_flight,
		.channel_reserve_satoshis = ours->reserve,
		.htlc_minimum_msat = ours->htlc_minimum,
		.feerate_per_kw = ch->r.feerates[4].per_kw,
		.to_self_delay = ours->to_self_delay,
		.max_accepted_htlcs = ours->max_accepted_htlcs,
		.funding_pubkey = ours->points.funding, /* B2.open_channel.5 */
		.revocation_basepoint = ours->points.revocation,
		.payment_basepoint = ours->points.payment,
		.delayed_payment_basepoint = ours->points.delayed_payment,
		.htlc_basepoint = ours->points.htlc,
		.first_per_commitment_point = ch->r.local_points[0], /* B2.open_channel.6 */
		.channel_flags = ch->r.announce, /* B2.open_channel.8 */
	};

	m.temporary_channel_id = ch->open->temporary_id;
	/* B2.open_channel.11, B2.open_channel.12 */
	channel_type_encode(&type, &type_bits);
	type_view = buf_view(&type_bits);
	m.tlvs.channel_type = &type_view;
	m.tlvs.upfront_shutdown_script = &upfront; /* B2.open_channel.9, B2.open_channel.10: empty if there is none */
	msg_open_channel_encode(&m, &b);
	channel_send(ch, s, &b);
	buf_release(&type_bits);
}

void open_on_keys(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	(void)notes;
	ch->r.side[SIDE_LOCAL].points = answer->basepoints;
	memcpy(ch->r.local_points, answer->first_points, sizeof(ch->r.local_points));
	ch->open->phase = OPEN_ACCEPT;
	send_open_channel(ch, s);
}

static void side_of_accept(const struct msg_accept_channel *m, struct channel_side *out)
{
	*out = (struct channel_side){
		.points = { m->funding_pubkey, m->revocation_basepoint, m->payment_basepoint,
			    m->delayed_payment_basepoint, m->htlc_basepoint },
		.dust_limit = m->dust_limit_satoshis,
		.reserve = m->channel_reserve_satoshis,
		.htlc_minimum = m->htlc_minimum_msat,
		.max_in_flight = m->max_htlc_value_in_flight_msat,
		.max_accepted_htlcs = m->max_accepted_htlcs,
		.to_self_delay = m->to_self_delay,
	};
}

static bool same_type(const struct channel *ch, struct bytes bits)
{
	struct channel_type type;

	return channel_type_decode(bits, &type) && type.anchors == (ch->r.type == COMMITMENT_ANCHORS) &&
	       type.scid_alias == ch->r.scid_alias && type.zeroconf == ch->r.zeroconf;
}

/* NULL if accept_channel is acceptable. */
static const char *refuse_accept(struct channel *ch, const struct msg_accept_channel *m, struct channel_side *theirs)
{
	const struct channel_side *ours = &ch->r.side[SIDE_LOCAL];
	const struct bytes *upfront = m->tlvs.upfront_shutdown_script;
	const char *why;

	/* B2.accept_channel.8 */
	if (!m->tlvs.channel_type)
		return "accept_channel has no channel_type";
	/* B2.accept_channel.9 */
	if (!same_type(ch, *m->tlvs.channel_type))
		return "accept_channel has another channel_type";
	/* B2.accept_channel.6 */
	if (SAT_LESS(theirs->reserve, ours->dust_limit))
		return "channel_reserve_satoshis is below our dust_limit_satoshis";
	/* B2.accept_channel.7 */
	if (SAT_LESS(ours->reserve, theirs->dust_limit))
		return "dust_limit_satoshis is above our channel_reserve_satoshis";
	if (!terms_points_valid(&theirs->points, &m->first_per_commitment_point))
		return "invalid public key";
	if (m->minimum_depth > ch->policy->peer_depth_max)
		return "minimum_depth is unreasonably large";
	/* B2.accept_channel.1 from the other end */
	if (ch->r.zeroconf && m->minimum_depth != 0)
		return "minimum_depth must be 0 with option_zeroconf";
	why = terms_peer_side(ch->policy, theirs, ch->r.funding_amount);
	if (why)
		return why;
	if (upfront && upfront->size > 0 &&
	    (!shutdown_script_valid(*upfront, ch->anysegwit, false) || !channel_script_set(&theirs->upfront_shutdown, *upfront)))
		return "invalid upfront shutdown script";
	return terms_balances(&(struct terms){ ch->r.funding_amount, ch->open->push, ch->r.feerates[4], ours, theirs, ch->r.type });
}

static void ask_for_funds(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	struct channel_note *n = channel_note(ch, s, notes, CHANNEL_NOTE_FUND);

	n->script = channel_record_funding_script(&ch->r, &s->out->arena);
	n->amount = ch->r.funding_amount;
	n->feerate = ch->open->funding_feerate;
	ch->open->phase = OPEN_FUNDS;
	ch->open->deadline_ms = UINT64_MAX; /* the wallet may be a human */
}

void open_on_accept(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_accept_channel m;
	struct channel_side theirs;
	const char *why;

	if (msg_accept_channel_decode(message, &s->out->arena, &m) != DECODE_OK) {
		opening_failed(ch, s, notes, true, "malformed accept_channel");
		return;
	}
	side_of_accept(&m, &theirs);
	why = refuse_accept(ch, &m, &theirs);
	if (why) {
		opening_failed(ch, s, notes, true, "%s", why);
		return;
	}
	ch->r.side[SIDE_REMOTE] = theirs;
	ch->r.remote_points[0] = m.first_per_commitment_point;
	/* The opener trusts itself, but a channel that the peer does not use yet is of no use to us. */
	ch->r.minimum_depth = ch->open->has_minimum_depth ? ch->open->minimum_depth : m.minimum_depth;
	opening_set_balances(ch, ch->open->push, ch->r.feerates[4]);
	ask_for_funds(ch, s, notes);
}

void channel_funded(struct channel *ch, struct step *s, struct channel_notes *notes, const struct outpoint *funding)
{
	if (ch->dead || !ch->open || ch->open->phase != OPEN_FUNDS)
		return;
	/* funding_output_index has two bytes */
	if (funding->index > 0xffff) {
		opening_failed(ch, s, notes, true, "the funding output's number does not fit");
		return;
	}
	opening_identify(ch, s, notes, funding);
	opening_ask_signature(ch, s);
	channel_finish(ch, s);
}

void channel_funding_failed(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why)
{
	if (ch->dead || !ch->open)
		return;
	channel_log(ch, s, LOG_WARN, "no funds: %s", why);
	opening_failed(ch, s, notes, true, "the funding transaction could not be made");
}

void open_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	struct msg_funding_created m = {
		.temporary_channel_id = ch->open->temporary_id, /* B2.funding_created.1 */
		.funding_txid = ch->r.funding.txid,
		.funding_output_index = (uint16_t)ch->r.funding.index, /* B2.funding_created.3 */
		.signature = answer->signature, /* B2.funding_created.4 */
	};
	struct buf b = BUF_EMPTY;

	(void)notes;
	msg_funding_created_encode(&m, &b);
	channel_send(ch, s, &b);
	ch->open->phase = OPEN_SIGNED;
	ch->open->deadline_ms = s->now_ms + ch->policy->opening_timeout_ms;
}

void open_on_signed(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_funding_signed m;

	if (msg_funding_signed_decode(message, &s->out->arena, &m) != DECODE_OK || !SAME(m.channel_id, ch->r.id)) {
		opening_failed(ch, s, notes, true, "malformed funding_signed");
		return;
	}
	/* B2.funding_signed.4, B2.funding_signed.5 */
	if (!opening_take_signature(ch, s, &m.signature)) {
		opening_failed(ch, s, notes, true, "bad signature in funding_signed");
		return;
	}
	opening_done(ch, s, notes);
	/* B2.funding_signed.6, B2.message_retransmission.1: the record is written before the owner can broadcast */
	channel_note(ch, s, notes, CHANNEL_NOTE_BROADCAST_FUNDING);
	ready_try(ch, s, notes);
}
