/* One channel, as listpeerchannels shows it. */
#include "api/method/inner.h"

#include <stdio.h>
#include <string.h>

#include "bitcoin/address.h"
#include "wire/features.h"

const char *side_name(enum side side)
{
	return side == SIDE_LOCAL ? "local" : "remote";
}

void channel_type_vector(struct buf *out, const struct channel_record *r)
{
	const struct channel_type type = {
		.anchors = r->type == COMMITMENT_ANCHORS, .scid_alias = r->scid_alias, .zeroconf = r->zeroconf,
	};

	channel_type_encode(&type, out);
}

/* Core Lightning says "anchors/even" where BOLT 9 says option_anchors and bit 22. */
static void append_bit_name(json_t *names, uint32_t bit)
{
	const char *name = feature_name(bit);

	if (name && strncmp(name, "option_", 7) == 0)
		name += 7;
	if (name)
		json_append(names, json_sprintf("%s/%s", name, bit % 2 ? "odd" : "even"));
	else
		json_append(names, json_sprintf("unknown_%u/%s", bit & ~1u, bit % 2 ? "odd" : "even"));
}

json_t *channel_type_json(struct bytes vector)
{
	json_t *o = json_new_object(), *bits = json_new_array(), *names = json_new_array();
	uint32_t bit;

	for (bit = 0; bit < vector.size * 8; bit++)
		if (features_bit(vector, bit)) {
			json_append(bits, json_integer(bit));
			append_bit_name(names, bit);
		}
	json_add(o, "bits", bits);
	json_add(o, "names", names);
	return o;
}

static json_t *feature_names(struct bytes vector)
{
	json_t *names = json_new_array();
	uint32_t bit;

	for (bit = 0; bit < vector.size * 8; bit++)
		if (features_bit(vector, bit) && feature_name(bit))
			json_append(names, json_string(feature_name(bit)));
	return names;
}

static void add_state(json_t *o, const struct methods *m, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);
	struct peer_view peer;
	const bool connected = node_view_peer_by_id(m->port.node, &r->peer, &peer) && peer.connected;

	json_add_hex(o, "peer_id", BYTES_OF(r->peer.v));
	json_add_bool(o, "peer_connected", connected);
	if (connected)
		json_add_bool(o, "reestablished", channel_is_connected(ch));
	json_add_string(o, "state", channel_state_name(r->state));
	json_add_bool(o, "ready", channel_is_usable(ch));
	json_add_bool(o, "lost_state", r->data_lost);
}

static void add_place(json_t *o, const struct methods *m, const struct channel_record *r)
{
	struct node_info info;
	json_t *alias;

	node_view_info(m->port.node, &info);
	json_add_scid(o, "short_channel_id", r->scid);
	json_add_u64(o, "direction", memcmp(info.config->node_id.v, r->peer.v, sizeof(r->peer.v)) > 0);
	json_add_hex(o, "channel_id", BYTES_OF(r->id.v));
	if (r->state != OPENINGD) {
		json_add_txid(o, "funding_txid", &r->funding.txid);
		json_add_u64(o, "funding_outnum", r->funding.index);
	}
	if (!r->alias_local.v && !r->alias_remote.v)
		return;
	alias = json_new_object();
	json_add_scid(alias, "local", r->alias_local);
	json_add_scid(alias, "remote", r->alias_remote);
	json_add(o, "alias", alias);
}

static void add_type(json_t *o, const struct methods *m, const struct channel_record *r)
{
	const struct channel_side *ours = &r->side[SIDE_LOCAL];
	const struct bytes script = channel_script_view(ours->shutdown.size ? &ours->shutdown : &ours->upfront_shutdown);
	char address[ADDRESS_SIZE];
	struct buf vector = BUF_EMPTY;

	channel_type_vector(&vector, r);
	json_add(o, "channel_type", channel_type_json(buf_view(&vector)));
	json_add(o, "features", feature_names(buf_view(&vector)));
	buf_release(&vector);
	if (script.size)
		json_add_hex(o, "close_to", script);
	if (script.size && address_encode(address, methods_network(m), script))
		json_add_string(o, "close_to_addr", address);
	json_add_bool(o, "private", !r->announce);
	json_add_bool(o, "public", r->announce);
	json_add_string(o, "opener", side_name(r->opener));
	if (r->has_closer)
		json_add_string(o, "closer", side_name(r->closer));
}

static json_t *policy_json(const struct graph_policy *p)
{
	json_t *o = json_new_object();

	json_add_msat(o, "htlc_minimum_msat", p->htlc_minimum);
	json_add_msat(o, "htlc_maximum_msat", p->htlc_maximum);
	json_add_u64(o, "cltv_expiry_delta", p->cltv_delta);
	json_add_msat(o, "fee_base_msat", MSAT(p->fee_base_msat));
	json_add_u64(o, "fee_proportional_millionths", p->fee_ppm);
	return o;
}

/* What both ends say that they ask for carrying a payment away from themselves. */
static void add_updates(json_t *o, const struct methods *m, const struct channel *ch)
{
	json_t *updates = json_new_object();
	struct graph_policy p;

	if (node_view_own_policy(m->port.node, ch, &p))
		json_add(updates, "local", policy_json(&p));
	if (node_view_peer_policy(m->port.node, ch, &p))
		json_add(updates, "remote", policy_json(&p));
	json_add(o, "updates", updates);
}

static void add_commitment(json_t *o, const struct channel *ch)
{
	const struct txid txid = channel_commitment_txid(ch);
	const struct feerate rate = channel_feerate(ch, SIDE_LOCAL);
	json_t *feerate = json_new_object();

	json_add_txid(o, "scratch_txid", &txid);
	json_add_sat_as_msat(o, "last_tx_fee_msat", channel_commitment_fee(ch, SIDE_LOCAL));
	json_add_u64(feerate, "perkw", rate.per_kw);
	json_add_u64(feerate, "perkb", (uint64_t)rate.per_kw * 4);
	json_add(o, "feerate", feerate);
}

static void add_balance(json_t *o, const struct methods *m, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);
	const struct step step = node_view_step(m->port.node);
	const struct amount_msat none = MSAT(0), total = msat_of_sat(r->funding_amount);
	json_t *funding = json_new_object();

	json_add_msat(funding, "local_funds_msat", r->opener == SIDE_LOCAL ? total : none);
	json_add_msat(funding, "remote_funds_msat", r->opener == SIDE_LOCAL ? none : total);
	json_add_msat(funding, "pushed_msat", r->pushed);
	json_add(o, "funding", funding);
	json_add_msat(o, "to_us_msat", channel_to_us(ch));
	json_add_msat(o, "min_to_us_msat", r->balance_min);
	json_add_msat(o, "max_to_us_msat", r->balance_max);
	json_add_msat(o, "total_msat", total);
	json_add_msat(o, "amount_msat", total);
	json_add_u64(o, "amount", r->funding_amount.v);
	json_add_msat(o, "spendable_msat", channel_spendable(ch, &step));
	json_add_msat(o, "available_balance_for_send_msat", channel_spendable(ch, &step));
	json_add_msat(o, "receivable_msat", channel_receivable(ch));
	json_add_msat(o, "available_balance_for_recv_msat", channel_receivable(ch));
}

static void add_limits(json_t *o, const struct methods *m, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);
	const struct channel_side *ours = &r->side[SIDE_LOCAL], *theirs = &r->side[SIDE_REMOTE];
	bool ignore_fee_limits;
	const struct forward_policy p = node_view_policy(m->port.node, ch, &ignore_fee_limits);

	json_add_msat(o, "fee_base_msat", p.fee_base);
	json_add_u64(o, "fee_proportional_millionths", p.fee_ppm);
	json_add_bool(o, "ignore_fee_limits", ignore_fee_limits);
	json_add_sat_as_msat(o, "dust_limit_msat", ours->dust_limit);
	json_add_msat(o, "our_max_htlc_value_in_flight_msat", ours->max_in_flight);
	json_add_msat(o, "their_max_htlc_value_in_flight_msat", theirs->max_in_flight);
	/* A side's record holds what it asks of the other. */
	json_add_sat_as_msat(o, "their_reserve_msat", ours->reserve);
	json_add_sat_as_msat(o, "our_reserve_msat", theirs->reserve);
	json_add_msat(o, "minimum_htlc_in_msat", ours->htlc_minimum);
	json_add_msat(o, "minimum_htlc_out_msat", p.htlc_min);
	json_add_msat(o, "maximum_htlc_out_msat", p.htlc_max);
	json_add_u64(o, "their_to_self_delay", ours->to_self_delay);
	json_add_u64(o, "our_to_self_delay", theirs->to_self_delay);
	json_add_u64(o, "max_accepted_htlcs", ours->max_accepted_htlcs);
}

static void add_counts(json_t *o, const struct channel_record *r)
{
	const struct channel_counts *in = &r->counts[SIDE_REMOTE], *out = &r->counts[SIDE_LOCAL];

	json_add_u64(o, "in_payments_offered", in->offered);
	json_add_msat(o, "in_offered_msat", in->offered_amount);
	json_add_u64(o, "in_payments_fulfilled", in->fulfilled);
	json_add_msat(o, "in_fulfilled_msat", in->fulfilled_amount);
	json_add_u64(o, "out_payments_offered", out->offered);
	json_add_msat(o, "out_offered_msat", out->offered_amount);
	json_add_u64(o, "out_payments_fulfilled", out->fulfilled);
	json_add_msat(o, "out_fulfilled_msat", out->fulfilled_amount);
}

static const char *state_words(const struct channel_record *r)
{
	switch (r->state) {
	case OPENINGD: return "Negotiating with the peer";
	case CHANNELD_AWAITING_LOCKIN:
		return !r->funding_height ? "The funding transaction needs confirmations" :
		       r->ready_sent	  ? "Waiting for the peer to be ready" :
					    "Waiting for more confirmations of the funding transaction";
	case CHANNELD_NORMAL: return "Channel ready for use";
	case CHANNELD_SHUTTING_DOWN: return "Closing: HTLCs remain";
	case CLOSINGD_SIGEXCHANGE: return "Closing: agreeing on the fee";
	case CLOSINGD_COMPLETE: return "Closing: waiting for the transaction to confirm";
	case AWAITING_UNILATERAL: return "Failed: waiting for a commitment transaction to confirm";
	case FUNDING_SPEND_SEEN: return "The funding output is spent";
	case ONCHAIN: return "Resolving outputs on the chain";
	case CLOSED: return "Everything is settled";
	}
	UNREACHABLE();
}

static void add_status(json_t *o, const struct channel_record *r)
{
	json_t *list = json_new_array();

	json_append(list, json_sprintf("%s:%s", channel_state_name(r->state), state_words(r)));
	if (*r->error) {
		/* These words may be the peer's. */
		json_append(list, json_new_text(bytes_from_string(r->error)));
	}
	json_add(o, "status", list);
}

static void add_htlcs(json_t *o, const struct channel *ch)
{
	json_t *list = json_new_array();
	const struct channel_htlc *h = NULL;

	while ((h = channel_htlc_next(ch, h))) {
		json_t *one = json_new_object();

		json_add_string(one, "direction", h->owner == SIDE_LOCAL ? "out" : "in");
		json_add_u64(one, "id", h->id);
		json_add_msat(one, "amount_msat", h->amount);
		json_add_u64(one, "expiry", h->cltv_expiry);
		json_add_hex(one, "payment_hash", BYTES_OF(h->payment_hash.v));
		json_add_string(one, "state", htlc_state_name(h->state));
		json_append(list, one);
	}
	json_add(o, "htlcs", list);
}

json_t *channel_json(const struct methods *m, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);
	json_t *o = json_new_object();

	add_state(o, m, ch);
	add_place(o, m, r);
	add_type(o, m, r);
	add_updates(o, m, ch);
	if (r->state != OPENINGD)
		add_commitment(o, ch);
	add_balance(o, m, ch);
	add_limits(o, m, ch);
	add_counts(o, r);
	add_status(o, r);
	add_htlcs(o, ch);
	if (r->close.cause != CLOSE_NONE)
		add_close_cause(o, r);
	add_onchain(o, m, ch);
	return o;
}
