/* listsweeps, and what other lists show of a channel on chain. */
#include "api/method/inner.h"

#include <string.h>

static const char *kind_name(enum onchain_what what)
{
	switch (what) {
	case ONCHAIN_OTHER: return "other";
	case ONCHAIN_TO_US: return "to_us";
	case ONCHAIN_TO_THEM: return "to_them";
	case ONCHAIN_ANCHOR: return "anchor";
	case ONCHAIN_HTLC_OURS: return "htlc_out";
	case ONCHAIN_HTLC_THEIRS: return "htlc_in";
	case ONCHAIN_STAGE_OURS: return "htlc_delayed";
	case ONCHAIN_STAGE_THEIRS: return "htlc_delayed_theirs";
	}
	UNREACHABLE();
}

static const char *status_name(enum onchain_progress p)
{
	switch (p) {
	case ONCHAIN_IGNORED: return "ignored";
	case ONCHAIN_WATCHED: return "watched";
	case ONCHAIN_WAITING: return "waiting";
	case ONCHAIN_UNCLAIMED: return "unclaimed";
	case ONCHAIN_UNECONOMIC: return "uneconomic";
	case ONCHAIN_CLAIMED: return "claimed";
	case ONCHAIN_SPENT: return "spent";
	case ONCHAIN_SETTLED: return "settled";
	}
	UNREACHABLE();
}

/* The block that ends the wait, as far as it can be known; 0: none can be named. */
static uint32_t until(const struct onchain_output *v, enum onchain_progress p)
{
	switch (p) {
	case ONCHAIN_WATCHED: return v->cltv_expiry;
	case ONCHAIN_WAITING: return v->spendable_height;
	case ONCHAIN_UNCLAIMED:
	case ONCHAIN_CLAIMED: return v->deadline;
	case ONCHAIN_SPENT: return v->spent_height + ONCHAIN_DEPTH_BLOCKS;
	case ONCHAIN_IGNORED:
	case ONCHAIN_UNECONOMIC:
	case ONCHAIN_SETTLED: return 0;
	}
	UNREACHABLE();
}

static bool has_txid(const struct txid *id)
{
	return !bytes_all_zero(BYTES_OF(id->v));
}

static void add_feerate(json_t *o, struct feerate rate)
{
	json_t *feerate = json_new_object();

	json_add_u64(feerate, "perkw", rate.per_kw);
	json_add_u64(feerate, "perkb", (uint64_t)rate.per_kw * 4);
	json_add(o, "feerate", feerate);
}

static void add_height(json_t *o, const char *key, uint32_t height)
{
	if (height)
		json_add_u64(o, key, height);
}

static void add_claim(json_t *o, const struct onchain_output *v)
{
	if (!has_txid(&v->claim) || v->spent_height)
		return;
	json_add_txid(o, "claim_txid", &v->claim);
	add_feerate(o, v->claim_feerate);
	add_height(o, "claim_height", v->claim_height);
}

static json_t *sweep_json(const struct onchain *oc, uint32_t i, enum onchain_progress p)
{
	uint32_t count;
	const struct onchain_output *v = &onchain_outputs(oc, &count)[i];
	json_t *o = json_new_object();

	json_add_txid(o, "txid", &v->outpoint.txid);
	json_add_u64(o, "output", v->outpoint.index);
	json_add_string(o, "kind", kind_name(v->what));
	json_add_sat_as_msat(o, "amount_msat", v->amount);
	json_add_bool(o, "ours", v->ours);
	json_add_string(o, "status", status_name(p));
	json_add_printf(o, "why", "%s of %s: %s", onchain_what_words(v->what), onchain_spend_words(onchain_kind(oc)),
			onchain_progress_words(p));
	add_height(o, "until_height", until(v, p));
	add_height(o, "confirmed_height", v->height);
	add_height(o, "spendable_height", v->ours ? v->spendable_height : 0);
	add_height(o, "deadline_height", v->deadline);
	if (v->htlc_id != ONCHAIN_NO_HTLC && v->what != ONCHAIN_TO_US && v->what != ONCHAIN_TO_THEM && v->what != ONCHAIN_ANCHOR)
		json_add_u64(o, "htlc_id", v->htlc_id);
	add_height(o, "expiry", v->cltv_expiry);
	add_claim(o, v);
	if (v->spent_height) {
		json_add_txid(o, "spent_txid", &v->spent_by);
		json_add_u64(o, "spent_height", v->spent_height);
		json_add_bool(o, "spent_by_us", v->spent_by_us);
	}
	return o;
}

static bool is_pending(enum onchain_progress p)
{
	return p != ONCHAIN_IGNORED && p != ONCHAIN_SETTLED && p != ONCHAIN_UNECONOMIC;
}

static uint32_t chain_height(const struct methods *m)
{
	struct node_info info;

	node_view_info(m->port.node, &info);
	return info.height;
}

/* Names of the channel, in front of an output. */
static void add_channel(json_t *o, const struct channel *ch)
{
	const struct channel_record *r = channel_record_of(ch);

	json_add_hex(o, "channel_id", BYTES_OF(r->id.v));
	json_add_hex(o, "peer_id", BYTES_OF(r->peer.v));
	json_add_scid(o, "short_channel_id", r->scid);
}

/* The commitment that waits for its block, and who pays for it. */
static json_t *commitment_json(const struct anchor_view *v)
{
	json_t *o = json_new_object();

	json_add_txid(o, "txid", &v->outpoint.txid);
	json_add_u64(o, "output", v->outpoint.index);
	json_add_string(o, "kind", "commitment_fee");
	json_add_sat_as_msat(o, "amount_msat", v->fee);
	json_add_bool(o, "ours", true);
	json_add_string(o, "status", has_txid(&v->child) ? "claimed" : "unclaimed");
	json_add_string(o, "why", has_txid(&v->child) ? "our commitment waits for its block, and a child pays for both"
						       : "our commitment waits for its block");
	add_height(o, "until_height", v->deadline);
	add_height(o, "deadline_height", v->deadline);
	if (has_txid(&v->child)) {
		json_add_txid(o, "claim_txid", &v->child);
		add_feerate(o, v->feerate);
		add_height(o, "claim_height", v->height);
	}
	return o;
}

/* named: with the channel in each. */
static void append_sweeps(json_t *list, const struct methods *m, const struct channel *ch, bool all, bool named)
{
	const struct onchain *oc = node_view_onchain(m->port.node, ch);
	uint32_t count = 0, height = chain_height(m);
	struct anchor_view anchor;
	json_t *one;

	if (node_view_anchor(m->port.node, ch, &anchor) && anchor.awake) {
		one = commitment_json(&anchor);
		if (named)
			add_channel(one, ch);
		json_append(list, one);
	}
	if (oc)
		(void)onchain_outputs(oc, &count);
	for (uint32_t i = 0; i < count; i++) {
		const enum onchain_progress p = onchain_progress(oc, i, height);

		if (!all && !is_pending(p))
			continue;
		one = sweep_json(oc, i, p);
		if (named)
			add_channel(one, ch);
		json_append(list, one);
	}
}

void add_onchain(json_t *o, const struct methods *m, const struct channel *ch)
{
	const struct onchain *oc = node_view_onchain(m->port.node, ch);
	json_t *list = json_new_array(), *spend;
	struct txid txid;

	if (oc) {
		spend = json_new_object();
		txid = onchain_spend_txid(oc);
		json_add_txid(spend, "txid", &txid);
		json_add_string(spend, "kind", onchain_spend_words(onchain_kind(oc)));
		json_add_u64(spend, "height", onchain_height(oc));
		json_add(o, "spent_by", spend);
	}
	append_sweeps(list, m, ch, false, false);
	if (json_array_size(list))
		json_add(o, "sweeps", list);
	else
		json_decref(list);
}

struct amount_sat onchain_pending(const struct methods *m, const struct channel *ch)
{
	const struct onchain *oc = node_view_onchain(m->port.node, ch);
	const struct onchain_output *v;
	uint32_t count = 0, height = chain_height(m);
	struct amount_sat sum = SAT(0);

	if (!oc)
		return sum;
	v = onchain_outputs(oc, &count);
	for (uint32_t i = 0; i < count; i++) {
		const enum onchain_progress p = onchain_progress(oc, i, height);

		if (p == ONCHAIN_WAITING || p == ONCHAIN_UNCLAIMED || p == ONCHAIN_CLAIMED)
			sum.v += v[i].amount.v;
	}
	return sum;
}

static json_t *listsweeps(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const struct value *id = params_get(params, "channel_id");
	json_t *o = json_new_object(), *list = json_new_array();
	const struct channel *ch;
	uint32_t at = 0;

	(void)refusal;
	while ((ch = node_view_channel(m->port.node, &at)))
		if (!id || memcmp(id->u.hash.v, channel_record_of(ch)->id.v, 32) == 0)
			append_sweeps(list, m, ch, params_bool(params, "all"), true);
	json_add(o, "sweeps", list);
	return o;
}

void method_listsweeps(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, listsweeps);
}

/* --- why it ended --- */

/* Core Lightning's words for who or what began the end. */
static const char *cln_cause(const struct channel_record *r)
{
	switch (r->close.cause) {
	case CLOSE_NONE:
		return "unknown";
	case CLOSE_USER:
	case CLOSE_USER_TIMEOUT:
		return "user";
	case CLOSE_HTLC_EXPIRED:
	case CLOSE_HTLC_UNCLAIMED:
	case CLOSE_DATA_LOST:
	case CLOSE_SIGNER:
	case CLOSE_FUNDING:
	case CLOSE_NEGOTIATION_TIMEOUT:
	case CLOSE_NEGOTIATION_IMPOSSIBLE:
		return "local";
	case CLOSE_REVOCATION:
	case CLOSE_REESTABLISH:
	case CLOSE_BATCH:
	case CLOSE_NEGOTIATION:
	case CLOSE_FEE_DISAGREEMENT:
	case CLOSE_BAD_MESSAGE:
	case CLOSE_BAD_SIGNATURE:
		return "protocol";
	case CLOSE_PEER_ERROR:
	case CLOSE_SILENCE:
		return "remote";
	case CLOSE_AGREED:
		return r->has_closer && r->closer == SIDE_REMOTE ? "remote" : "user";
	case CLOSE_PEER_PUBLISHED:
	case CLOSE_PEER_CHEATED:
	case CLOSE_PEER_NEWER:
	case CLOSE_OURS_PUBLISHED:
	case CLOSE_UNKNOWN_SPEND:
	case CLOSE_DUST_EXPIRED:
	case CLOSE_DUST_UNCLAIMED:
		return "onchain";
	}
	UNREACHABLE();
}

static json_t *evidence_json(const struct close_evidence *e)
{
	json_t *o = json_new_object(), *htlc;

	json_add_string(o, "cause", close_cause_name(e->cause));
	json_add_string(o, "words", close_cause_words(e->cause));
	if (*e->text)
		json_add_text(o, "text", bytes_from_string(e->text)); /* may be the peer's */
	json_add_u64(o, "height", e->height);
	json_add_u64(o, "at", e->at_s);
	json_add_u64(o, "local_commitment", e->local_number);
	json_add_u64(o, "remote_commitment", e->remote_number);
	if (e->has_htlc) {
		htlc = json_new_object();
		json_add_string(htlc, "direction", e->htlc_owner == SIDE_LOCAL ? "out" : "in");
		json_add_u64(htlc, "id", e->htlc_id);
		json_add_u64(htlc, "expiry", e->htlc_expiry);
		json_add(o, "htlc", htlc);
	}
	return o;
}

void add_close_cause(json_t *o, const struct channel_record *r)
{
	json_add_string(o, "close_cause", cln_cause(r));
	if (r->close.cause != CLOSE_NONE)
		json_add(o, "close_evidence", evidence_json(&r->close));
}
