/* Opening as fundee: open_channel -> accept_channel -> funding_created ->
 * funding_signed.
 *
 *   OPEN_KEYS    --keys-->             OPEN_CREATED  accept_channel is sent
 *   OPEN_CREATED --funding_created-->  OPEN_SIGNING
 *   OPEN_SIGNING --signature-->        CHANNELD_AWAITING_LOCKIN, stored, funding_signed is sent
 *   any          --fault, cut, timeout--> forgotten */
#include "channel/machine.h"
#include "contract/closing.h"
#include "wire/features.h"

static void side_of_open(const struct msg_open_channel *m, struct channel_side *out)
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

static bool negotiated(const struct channel_open_args *args, enum feature f)
{
	return features_negotiated(args->our_features, args->their_features, f);
}

static const char *refuse_type(const struct channel_open_args *args, const struct msg_open_channel *m, struct channel_type *type)
{
	/* B2.open_channel.21 */
	if (!m->tlvs.channel_type)
		return "open_channel has no channel_type";
	/* "the channel_type is not suitable" */
	if (!channel_type_decode(*m->tlvs.channel_type, type) || (type->anchors && !negotiated(args, FEATURE_ANCHORS)) ||
	    (type->scid_alias && !negotiated(args, FEATURE_SCID_ALIAS)) ||
	    (type->zeroconf && !negotiated(args, FEATURE_ZEROCONF)))
		return "the channel_type is not suitable";
	if (type->anchors && args->refuse_anchors)
		return args->refuse_anchors;
	/* B2.open_channel.14 from the other end */
	if (type->scid_alias && (m->channel_flags & 1))
		return "a channel known by alias only cannot be announced";
	/* "the channel_type includes option_zeroconf and it does not trust the sender" */
	if (type->zeroconf && !args->trust_zeroconf)
		return "we do not accept channels without confirmations from you";
	return NULL;
}

static const char *refuse_amounts(const struct channel_open_args *args, const struct msg_open_channel *m)
{
	struct amount_sat funding = m->funding_satoshis;

	if (SAT_LESS(funding, args->policy->funding_min))
		return "funding_satoshis is too small";
	/* "funding_satoshis is greater than or equal to 2^24 and the receiver does not support
	 * option_support_large_channel" */
	if (!SAT_LESS(funding, SAT(LARGE_CHANNEL_SAT)) && !features_offered(args->our_features, FEATURE_LARGE_CHANNEL))
		return "funding_satoshis is too large";
	if (SAT_LESS(args->policy->funding_max, funding) || SAT_LESS(SAT(SUPPLY_SAT), funding))
		return "funding_satoshis is too large";
	/* B2.open_channel.26 */
	if (MSAT_LESS(msat_of_sat(funding), m->push_msat))
		return "push_msat is above funding_satoshis";
	/* "dust_limit_satoshis is greater than channel_reserve_satoshis" */
	if (SAT_LESS(m->channel_reserve_satoshis, m->dust_limit_satoshis))
		return "dust_limit_satoshis is above channel_reserve_satoshis";
	/* B2.accept_channel.4: ours must not be above their reserve either */
	if (SAT_LESS(m->channel_reserve_satoshis, args->policy->dust_limit))
		return "channel_reserve_satoshis is below our dust limit";
	return NULL;
}

static const char *refuse_open(struct step *s, const struct channel_open_args *args, const struct msg_open_channel *m,
			       struct channel_side *theirs, struct channel_type *type)
{
	const struct bytes *upfront = m->tlvs.upfront_shutdown_script;
	bool anysegwit = negotiated(args, FEATURE_SHUTDOWN_ANYSEGWIT);
	enum commitment_type form;
	const char *why;

	/* B2.open_channel.24 */
	if (negotiated(args, FEATURE_DUAL_FUND))
		return "open_channel2 was negotiated";
	/* B2.open_channel.25 */
	if (!SAME(m->chain_hash, args->policy->chain_hash))
		return "unknown chain";
	why = refuse_type(args, m, type);
	if (!why)
		why = refuse_amounts(args, m);
	if (!why)
		why = terms_peer_side(args->policy, theirs, m->funding_satoshis);
	if (why)
		return why;
	form = type->anchors ? COMMITMENT_ANCHORS : COMMITMENT_STATIC_REMOTEKEY;
	/* B2.open_channel.29 */
	if (!policy_feerate_ok(args->policy, s, policy_feerate_low(args->policy, s, form), FEERATE(m->feerate_per_kw), &why))
		return why;
	/* B2.open_channel.30 */
	if (!terms_points_valid(&theirs->points, &m->first_per_commitment_point))
		return "invalid public key";
	if (upfront && upfront->size > 0 &&
	    (!shutdown_script_valid(*upfront, anysegwit, false) || !channel_script_set(&theirs->upfront_shutdown, *upfront)))
		return "invalid upfront shutdown script";
	return NULL;
}

static void send_refusal(struct step *s, const struct channel_open_args *args, const struct msg_open_channel *m, const char *why)
{
	struct msg_error e = { .data = bytes_from_string(why) };
	struct buf b = BUF_EMPTY;

	e.channel_id = m->temporary_channel_id;
	msg_error_encode(&e, &b);
	effect_send(s->out, args->connection, buf_view(&b));
	buf_release(&b);
}

static struct channel *new_accepting(struct step *s, const struct channel_open_args *args, const struct msg_open_channel *m,
				     const struct channel_side *theirs, const struct channel_type *type)
{
	struct channel *ch = channel_new_opening(s, args);
	struct channel_side *ours = &ch->r.side[SIDE_LOCAL];

	ch->open->temporary_id = m->temporary_channel_id;
	ch->r.id = ch->open->temporary_id;
	ch->r.opener = SIDE_REMOTE;
	ch->r.announce = m->channel_flags & 1; /* B2.open_channel.20 */
	ch->r.type = type->anchors ? COMMITMENT_ANCHORS : COMMITMENT_STATIC_REMOTEKEY;
	ch->r.scid_alias = type->scid_alias;
	ch->r.zeroconf = type->zeroconf;
	ch->r.funding_amount = m->funding_satoshis;
	ch->r.side[SIDE_REMOTE] = *theirs;
	ch->r.remote_points[0] = m->first_per_commitment_point;
	/* B2.accept_channel.1, B2.accept_channel.2 */
	ch->r.minimum_depth = type->zeroconf ? 0 : policy_depth(args->policy, m->funding_satoshis);
	if (args->has_minimum_depth && !type->zeroconf)
		ch->r.minimum_depth = args->minimum_depth;
	/* B2.accept_channel.3 */
	ours->reserve = args->has_reserve ? args->reserve
					  : policy_reserve(args->policy, m->funding_satoshis, theirs->dust_limit);
	if (SAT_LESS(ours->reserve, theirs->dust_limit))
		ours->reserve = theirs->dust_limit;
	ours->max_in_flight = policy_in_flight(args->policy, m->funding_satoshis);
	opening_set_balances(ch, m->push_msat, FEERATE(m->feerate_per_kw));
	return ch;
}

struct channel *channel_accept(struct step *s, struct channel_notes *notes, const struct channel_open_args *args,
			       struct bytes open_channel, const char **why)
{
	struct channel_type type = { 0 };
	struct channel_side theirs;
	struct msg_open_channel m;
	struct channel *ch;

	(void)notes;
	if (msg_open_channel_decode(open_channel, &s->out->arena, &m) != DECODE_OK) {
		/* No id to answer to: BOLT 1 closes the connection. */
		*why = "malformed open_channel";
		effect_disconnect(s->out, args->connection);
		return NULL;
	}
	side_of_open(&m, &theirs);
	*why = refuse_open(s, args, &m, &theirs, &type);
	if (*why) {
		send_refusal(s, args, &m, *why);
		return NULL;
	}
	ch = new_accepting(s, args, &m, &theirs, &type);
	*why = terms_balances(&(struct terms){ m.funding_satoshis, m.push_msat, FEERATE(m.feerate_per_kw),
					       &ch->r.side[SIDE_REMOTE], &ch->r.side[SIDE_LOCAL], ch->r.type });
	if (*why) {
		send_refusal(s, args, &m, *why);
		channel_free(ch);
		return NULL;
	}
	channel_ask(ch, s, ASK_KEYS, channel_request(ch, s, SIGN_CHANNEL_NEW));
	return ch;
}

static void send_accept_channel(struct channel *ch, struct step *s)
{
	const struct channel_side *ours = &ch->r.side[SIDE_LOCAL];
	struct channel_type type = { ch->r.type == COMMITMENT_ANCHORS, ch->r.scid_alias, ch->r.zeroconf };
	struct buf type_bits = BUF_EMPTY, b = BUF_EMPTY;
	struct bytes upfront = channel_script_view(&ours->upfront_shutdown), type_view;
	struct msg_accept_channel m = {
		.dust_limit_satoshis = ours->dust_limit,
		.max_htlc_value_in_flight_msat = ours->max_in_flight,
		.channel_reserve_satoshis = ours->reserve,
		.htlc_minimum_msat = ours->htlc_minimum,
		.minimum_depth = ch->r.minimum_depth,
		.to_self_delay = ours->to_self_delay,
		.max_accepted_htlcs = ours->max_accepted_htlcs,
		.funding_pubkey = ours->points.funding,
		.revocation_basepoint = ours->points.revocation,
		.payment_basepoint = ours->points.payment,
		.delayed_payment_basepoint = ours->points.delayed_payment,
		.htlc_basepoint = ours->points.htlc,
		.first_per_commitment_point = ch->r.local_points[0],
	};

	m.temporary_channel_id = ch->open->temporary_id;
	/* B2.accept_channel.5 */
	channel_type_encode(&type, &type_bits);
	type_view = buf_view(&type_bits);
	m.tlvs.channel_type = &type_view;
	m.tlvs.upfront_shutdown_script = &upfront;
	msg_accept_channel_encode(&m, &b);
	channel_send(ch, s, &b);
	buf_release(&type_bits);
}

void accept_on_keys(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	(void)notes;
	ch->r.side[SIDE_LOCAL].points = answer->basepoints;
	memcpy(ch->r.local_points, answer->first_points, sizeof(ch->r.local_points));
	ch->open->phase = OPEN_CREATED;
	ch->open->deadline_ms = s->now_ms + ch->policy->opening_timeout_ms;
	send_accept_channel(ch, s);
}

void accept_on_created(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_funding_created m;
	struct outpoint funding;

	if (msg_funding_created_decode(message, &s->out->arena, &m) != DECODE_OK ||
	    !SAME(m.temporary_channel_id, ch->open->temporary_id)) {
		opening_failed(ch, s, notes, true, "malformed funding_created");
		return;
	}
	funding = (struct outpoint){ m.funding_txid, m.funding_output_index };
	/* An all-zero channel_id, which a zero txid could give, names every channel in an `error` (BOLT 1). */
	if (bytes_all_zero(BYTES_OF(m.funding_txid.v)) || opening_id_is_zero(&funding)) {
		opening_failed(ch, s, notes, true, "no transaction has the funding_txid");
		return;
	}
	opening_identify(ch, s, notes, &funding);
	/* B2.funding_created.7 */
	if (!opening_take_signature(ch, s, &m.signature)) {
		opening_failed(ch, s, notes, true, "bad signature in funding_created");
		return;
	}
	opening_ask_signature(ch, s);
}

void accept_on_signature(struct channel *ch, struct step *s, struct channel_notes *notes, const struct sign_answer *answer)
{
	struct msg_funding_signed m = { .channel_id = ch->r.id, .signature = answer->signature }; /* B2.funding_signed.3 */
	struct buf b = BUF_EMPTY;

	/* B2.message_retransmission.3: the record is written before funding_signed leaves */
	opening_done(ch, s, notes);
	msg_funding_signed_encode(&m, &b);
	channel_send(ch, s, &b);
	ready_try(ch, s, notes);
}
