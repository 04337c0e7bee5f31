#include "channel/record.h"

#include "wire/records_channel.h"

static const char *const state_names[] = {
	[OPENINGD] = "OPENINGD",
	[CHANNELD_AWAITING_LOCKIN] = "CHANNELD_AWAITING_LOCKIN",
	[CHANNELD_NORMAL] = "CHANNELD_NORMAL",
	[CHANNELD_SHUTTING_DOWN] = "CHANNELD_SHUTTING_DOWN",
	[CLOSINGD_SIGEXCHANGE] = "CLOSINGD_SIGEXCHANGE",
	[CLOSINGD_COMPLETE] = "CLOSINGD_COMPLETE",
	[AWAITING_UNILATERAL] = "AWAITING_UNILATERAL",
	[FUNDING_SPEND_SEEN] = "FUNDING_SPEND_SEEN",
	[ONCHAIN] = "ONCHAIN",
	[CLOSED] = "CLOSED",
};

const char *channel_state_name(enum channel_state s)
{
	ASSERT(s >= OPENINGD && s <= CLOSED);
	return state_names[s];
}

bool channel_script_set(struct channel_script *s, struct bytes script)
{
	if (script.size > sizeof(s->data))
		return false;
	memset(s, 0, sizeof(*s));
	s->size = (uint8_t)script.size;
	if (script.size > 0)
		memcpy(s->data, script.data, script.size);
	return true;
}

void channel_record_key(uint8_t out8[8], uint64_t channel_key)
{
	store_be64(out8, channel_key);
}

void htlc_record_key(uint8_t out17[17], uint64_t channel_key, enum side owner, uint64_t id)
{
	store_be64(out17, channel_key);
	out17[8] = (uint8_t)owner;
	store_be64(out17 + 9, id);
}

bool htlc_record_key_read(struct bytes key, uint64_t *channel_key, enum side *owner, uint64_t *id)
{
	if (key.size != 17 || key.data[8] > SIDE_REMOTE)
		return false;
	*channel_key = load_be64(key.data);
	*owner = key.data[8] == SIDE_LOCAL ? SIDE_LOCAL : SIDE_REMOTE;
	*id = load_be64(key.data + 9);
	return true;
}

static void side_to_wire(const struct channel_record *r, enum side side, struct record_channel_side *out)
{
	const struct channel_side *s = &r->side[side];

	out->funding = s->points.funding;
	out->revocation = s->points.revocation;
	out->payment = s->points.payment;
	out->delayed_payment = s->points.delayed_payment;
	out->htlc = s->points.htlc;
	out->dust_limit = s->dust_limit;
	out->reserve = s->reserve;
	out->htlc_minimum = s->htlc_minimum;
	out->max_in_flight = s->max_in_flight;
	out->max_accepted_htlcs = s->max_accepted_htlcs;
	out->to_self_delay = s->to_self_delay;
	out->upfront_shutdown = channel_script_view(&s->upfront_shutdown);
	out->shutdown = channel_script_view(&s->shutdown);
	out->settled = r->settled[side];
	out->next_htlc_id = r->next_htlc_id[side];
	out->offered = r->counts[side].offered;
	out->fulfilled = r->counts[side].fulfilled;
	out->offered_amount = r->counts[side].offered_amount;
	out->fulfilled_amount = r->counts[side].fulfilled_amount;
}

static bool side_from_wire(const struct record_channel_side *in, struct channel_record *r, enum side side)
{
	struct channel_side *s = &r->side[side];

	s->points = (struct basepoints){ in->funding, in->revocation, in->payment, in->delayed_payment, in->htlc };
	s->dust_limit = in->dust_limit;
	s->reserve = in->reserve;
	s->htlc_minimum = in->htlc_minimum;
	s->max_in_flight = in->max_in_flight;
	s->max_accepted_htlcs = in->max_accepted_htlcs;
	s->to_self_delay = in->to_self_delay;
	r->settled[side] = in->settled;
	r->next_htlc_id[side] = in->next_htlc_id;
	r->counts[side] = (struct channel_counts){ in->offered, in->fulfilled, in->offered_amount, in->fulfilled_amount };
	return channel_script_set(&s->upfront_shutdown, in->upfront_shutdown) &&
	       channel_script_set(&s->shutdown, in->shutdown);
}

static void close_to_wire(const struct close_evidence *e, struct record_close_evidence *out)
{
	*out = (struct record_close_evidence){
		.cause = (uint8_t)e->cause, .height = e->height, .at_s = e->at_s, .has_htlc = e->has_htlc,
		.htlc_owner = (uint8_t)e->htlc_owner, .htlc_id = e->htlc_id, .htlc_expiry = e->htlc_expiry,
		.local_number = e->local_number, .remote_number = e->remote_number, .text = BYTES(e->text, strlen(e->text)),
	};
}

/* Of version 1, which has none, all zeros: CLOSE_NONE. */
static bool close_from_wire(const struct record_close_evidence *in, struct close_evidence *e)
{
	if (!close_cause_known(in->cause) || in->htlc_owner > SIDE_REMOTE || in->text.size >= sizeof(e->text))
		return false;
	e->cause = (enum close_cause)in->cause;
	e->height = in->height;
	e->at_s = in->at_s;
	e->has_htlc = in->has_htlc;
	e->htlc_owner = (enum side)in->htlc_owner;
	e->htlc_id = in->htlc_id;
	e->htlc_expiry = in->htlc_expiry;
	e->local_number = in->local_number;
	e->remote_number = in->remote_number;
	if (in->text.size > 0)
		memcpy(e->text, in->text.data, in->text.size);
	return true;
}

void channel_record_encode(const struct channel_record *r, struct buf *out)
{
	struct record_channel w = {
		.key = r->key,
		.peer = r->peer,
		.state = (uint8_t)r->state,
		.id = r->id,
		.opener = (uint8_t)r->opener,
		.announce = r->announce,
		.type = (uint8_t)r->type,
		.scid_alias = r->scid_alias,
		.zeroconf = r->zeroconf,
		.funding = r->funding,
		.funding_amount = r->funding_amount,
		.pushed = r->pushed,
		.minimum_depth = r->minimum_depth,
		.first_height = r->first_height,
		.funding_height = r->funding_height,
		.short_channel_id = r->scid,
		.alias_local = r->alias_local,
		.alias_remote = r->alias_remote,
		.ready_sent = r->ready_sent,
		.ready_received = r->ready_received,
		.local_number = r->local_number,
		.local_revoked = r->local_revoked,
		.remote_number = r->remote_number,
		.remote_revoked = r->remote_revoked,
		.revoke_sent_last = r->revoke_sent_last,
		.closing_fee = r->closing_fee,
		.has_closer = r->has_closer,
		.closer = (uint8_t)r->closer,
		.data_lost = r->data_lost,
		.error = BYTES(r->error, strlen(r->error)),
		.balance_min = r->balance_min,
		.balance_max = r->balance_max,
		.feerate_low = r->feerate_low,
	};

	close_to_wire(&r->close, &w.close);
	side_to_wire(r, SIDE_LOCAL, &w.local);
	side_to_wire(r, SIDE_REMOTE, &w.remote);
	memcpy(w.feerates, r->feerates, sizeof(w.feerates));
	memcpy(w.local_points, r->local_points, sizeof(w.local_points));
	memcpy(w.local_secrets, r->local_secrets, sizeof(w.local_secrets));
	memcpy(w.remote_points, r->remote_points, sizeof(w.remote_points));
	record_channel_encode(&w, out);
}

/* Also refuses what this program would never have written. */
static bool record_from_wire(const struct record_channel *w, struct channel_record *r)
{
	memset(r, 0, sizeof(*r));
	if (w->state < OPENINGD || w->state > CLOSED || w->opener > SIDE_REMOTE || w->closer > SIDE_REMOTE ||
	    (w->type != COMMITMENT_STATIC_REMOTEKEY && w->type != COMMITMENT_ANCHORS) || w->error.size >= sizeof(r->error))
		return false;
	r->key = w->key;
	r->feerate_low = w->feerate_low;
	r->peer = w->peer;
	r->state = (enum channel_state)w->state;
	r->id = w->id;
	r->opener = (enum side)w->opener;
	r->announce = w->announce;
	r->type = (enum commitment_type)w->type;
	r->scid_alias = w->scid_alias;
	r->zeroconf = w->zeroconf;
	r->funding = w->funding;
	r->funding_amount = w->funding_amount;
	r->pushed = w->pushed;
	r->minimum_depth = w->minimum_depth;
	r->first_height = w->first_height;
	r->funding_height = w->funding_height;
	r->scid = w->short_channel_id;
	r->alias_local = w->alias_local;
	r->alias_remote = w->alias_remote;
	r->ready_sent = w->ready_sent;
	r->ready_received = w->ready_received;
	memcpy(r->feerates, w->feerates, sizeof(r->feerates));
	r->local_number = w->local_number;
	r->local_revoked = w->local_revoked;
	memcpy(r->local_points, w->local_points, sizeof(r->local_points));
	memcpy(r->local_secrets, w->local_secrets, sizeof(r->local_secrets));
	r->remote_number = w->remote_number;
	r->remote_revoked = w->remote_revoked;
	memcpy(r->remote_points, w->remote_points, sizeof(r->remote_points));
	r->revoke_sent_last = w->revoke_sent_last;
	r->closing_fee = w->closing_fee;
	r->has_closer = w->has_closer;
	r->closer = (enum side)w->closer;
	r->data_lost = w->data_lost;
	if (w->error.size > 0)
		memcpy(r->error, w->error.data, w->error.size);
	r->balance_min = w->balance_min;
	r->balance_max = w->balance_max;
	return side_from_wire(&w->local, r, SIDE_LOCAL) && side_from_wire(&w->remote, r, SIDE_REMOTE) &&
	       close_from_wire(&w->close, &r->close);
}

bool channel_record_decode(struct bytes value, struct channel_record *out)
{
	struct record_channel w;
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = record_channel_decode(value, &a, &w) && record_from_wire(&w, out);
	arena_release(&a);
	return ok;
}

/* Until its update need not be sent again, or of ours until its failure is told upstream. */
static bool attribution_needed(const struct channel_htlc *h)
{
	return h->owner == SIDE_LOCAL || h->state < RCVD_REMOVE_REVOCATION;
}

void channel_htlc_encode(const struct channel_htlc *h, struct buf *out)
{
	enum htlc_state state;
	struct record_htlc w = {
		.amount = h->amount,
		.payment_hash = h->payment_hash,
		.cltv_expiry = h->cltv_expiry,
		.path_key = BYTES(h->path_key.v, h->has_path_key ? sizeof(h->path_key.v) : 0),
		.cookie = { h->cookie[0], h->cookie[1] },
		.resolution = (uint8_t)h->resolution,
		.preimage = BYTES(h->preimage.v, h->has_preimage ? sizeof(h->preimage.v) : 0),
		.reason = h->reason,
		.failure_code = h->failure_code,
		.sha256_of_onion = BYTES(h->sha256_of_onion.v,
					 h->resolution == HTLC_MALFORMED ? sizeof(h->sha256_of_onion.v) : 0),
		.remote_first = h->remote_first,
		.remote_last = h->remote_last,
		.remote_untrimmed = h->remote_untrimmed,
		.attribution = attribution_needed(h) ? h->attribution : BYTES_NONE,
		.committed_ms = h->committed_ms,
	};
	bool kept = htlc_state_reverted(h->state, &state);

	ASSERT(kept);
	w.state = (uint8_t)state;
	/* The peer's proposal is taken back with the connection; what it revealed is not. */
	if (h->state == RCVD_REMOVE_HTLC) {
		w.resolution = HTLC_UNRESOLVED;
		w.reason = BYTES_NONE;
		w.attribution = BYTES_NONE;
		w.failure_code = 0;
		w.sha256_of_onion = BYTES_NONE;
	}
	record_htlc_encode(&w, out);
}

bool channel_htlc_decode(struct bytes key, struct bytes value, struct arena *a, struct channel_htlc *out)
{
	struct record_htlc w;
	uint64_t channel_key;
	enum htlc_state same;

	memset(out, 0, sizeof(*out));
	if (!htlc_record_key_read(key, &channel_key, &out->owner, &out->id) || !record_htlc_decode(value, a, &w) ||
	    w.state >= HTLC_STATES || w.resolution > HTLC_MALFORMED ||
	    (w.path_key.size != 0 && w.path_key.size != 33) || (w.preimage.size != 0 && w.preimage.size != 32) ||
	    (w.sha256_of_onion.size != 0 && w.sha256_of_onion.size != 32) ||
	    (w.attribution.size != 0 && w.attribution.size != ATTRIBUTION_DATA_SIZE))
		return false;
	out->state = (enum htlc_state)w.state;
	if (htlc_state_owner(out->state) != out->owner || !htlc_state_reverted(out->state, &same) || same != out->state)
		return false;
	out->amount = w.amount;
	out->payment_hash = w.payment_hash;
	out->cltv_expiry = w.cltv_expiry;
	out->has_path_key = w.path_key.size != 0;
	if (out->has_path_key)
		memcpy(out->path_key.v, w.path_key.data, 33);
	memcpy(out->cookie, w.cookie, sizeof(out->cookie));
	out->resolution = (enum htlc_resolution)w.resolution;
	out->has_preimage = w.preimage.size != 0;
	if (out->has_preimage)
		memcpy(out->preimage.v, w.preimage.data, 32);
	out->reason = arena_bytes(a, w.reason);
	out->attribution = arena_bytes(a, w.attribution);
	out->committed_ms = w.committed_ms;
	out->failure_code = w.failure_code;
	if (w.sha256_of_onion.size != 0)
		memcpy(out->sha256_of_onion.v, w.sha256_of_onion.data, 32);
	out->remote_first = w.remote_first;
	out->remote_last = w.remote_last;
	out->remote_untrimmed = w.remote_untrimmed;
	return out->resolution != HTLC_FULFILLED || out->has_preimage;
}

void htlc_past_encode(const struct htlc_past *p, struct buf *out)
{
	struct record_htlc_past w = { p->payment_hash, p->cltv_expiry, p->amount, p->remote_first, p->remote_last };

	record_htlc_past_encode(&w, out);
}

bool htlc_past_decode(struct bytes key, struct bytes value, struct htlc_past *out)
{
	struct record_htlc_past w;
	uint64_t channel_key;

	memset(out, 0, sizeof(*out));
	if (!htlc_record_key_read(key, &channel_key, &out->owner, &out->id) || !record_htlc_past_decode(value, NULL, &w))
		return false;
	out->payment_hash = w.payment_hash;
	out->cltv_expiry = w.cltv_expiry;
	out->amount = w.amount;
	out->remote_first = w.remote_first;
	out->remote_last = w.remote_last;
	return true;
}

void commit_sigs_encode(const struct commit_sigs *s, struct buf *out)
{
	struct record_commit_sigs w = { s->number, s->signature, s->htlcs, s->htlc_count };

	record_commit_sigs_encode(&w, out);
}

bool commit_sigs_decode(struct bytes value, struct arena *a, struct commit_sigs *out)
{
	struct record_commit_sigs w;

	if (!record_commit_sigs_decode(value, a, &w))
		return false;
	*out = (struct commit_sigs){ w.number, w.signature, w.htlcs, w.htlcs_count };
	return w.htlcs_count <= COMMITMENT_HTLCS_MAX;
}
