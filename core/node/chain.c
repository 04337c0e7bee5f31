/* Blocks, and the transactions that we want in them. */
#include "node/state.h"

#include <string.h>

#include "base/cursor.h"

#define HEADERS_KEPT 144u

/* --- the tip --- */

static void tip_persist(struct node *n, struct step *s)
{
	uint8_t tip[36], key[4];

	store_be32(tip, n->height);
	memcpy(tip + 4, n->tip.v, 32);
	effect_persist(s->out, RECORD_CHAIN, bytes_from_string("tip"), BYTES_OF(tip));
	store_be32(key, n->height);
	effect_persist(s->out, RECORD_CHAIN, BYTES_OF(key), BYTES_OF(n->tip.v));
	if (n->height >= HEADERS_KEPT) {
		store_be32(key, n->height - HEADERS_KEPT);
		effect_remove(s->out, RECORD_CHAIN, BYTES_OF(key));
	}
}

bool node_tip_load(struct node *n, struct bytes key, struct bytes value)
{
	if (key.size == 4)
		return value.size == 32;
	if (!bytes_equal(key, bytes_from_string("tip")) || value.size != 36)
		return false;
	n->height = load_be32(value.data);
	memcpy(n->tip.v, value.data + 4, 32);
	n->have_tip = true;
	return true;
}

/* --- channels and their outputs --- */

/* Where the claims of a channel pay to: what we bound ourselves to, or said in shutdown. */
static struct bytes close_script(const struct channel_record *r)
{
	const struct channel_side *local = &r->side[SIDE_LOCAL];

	return channel_script_view(local->shutdown.size ? &local->shutdown : &local->upfront_shutdown);
}

uint32_t node_upstream_expiry(const struct node *n, const struct channel_htlc *h)
{
	const struct node_channel *c = h->cookie[0] ? node_channel_by_key(n, h->cookie[0]) : NULL;
	const struct channel_htlc *in = c ? channel_htlc_get(c->channel, SIDE_REMOTE, h->cookie[1]) : NULL;

	return in ? in->cltv_expiry : 0;
}

/* Of incoming HTLCs only those that are irrevocably committed are ever claimed. */
static struct onchain_incoming incoming(const struct channel_htlc *h)
{
	struct onchain_incoming in = {
		.id = h->id,
		.amount = h->amount,
		.payment_hash = h->payment_hash,
		.cltv_expiry = h->cltv_expiry,
		.committed = h->state >= RCVD_ADD_ACK_REVOCATION,
	};

	in.has_preimage = h->resolution == HTLC_FULFILLED;
	if (in.has_preimage)
		in.preimage = h->preimage;
	return in;
}

/* Every HTLC that is not gone: the chain decides their ends now. */
static void fill_htlcs(const struct node *n, struct step *s, const struct channel *ch, struct onchain_facts *facts)
{
	uint32_t count = channel_htlc_count(ch);
	struct onchain_htlc *offered = ARENA_ARRAY(&s->out->arena, struct onchain_htlc, count);
	struct onchain_incoming *in = ARENA_ARRAY(&s->out->arena, struct onchain_incoming, count);
	struct htlc_past *live = ARENA_ARRAY(&s->out->arena, struct htlc_past, count);

	for (const struct channel_htlc *h = NULL; (h = channel_htlc_next(ch, h));) {
		live[facts->live_count++] = (struct htlc_past){ .id = h->id, .owner = h->owner, .payment_hash = h->payment_hash,
								.cltv_expiry = h->cltv_expiry, .amount = h->amount };
		if (h->owner == SIDE_REMOTE)
			in[facts->incoming_count++] = incoming(h);
		else if (!h->has_preimage)
			offered[facts->offered_count++] =
				(struct onchain_htlc){ h->id, h->amount, h->payment_hash, node_upstream_expiry(n, h) };
	}
	facts->offered = offered;
	facts->incoming = in;
	facts->live = live;
}

static void begin_onchain(struct node *n, struct step *s, struct node_channel *c, struct onchain_notes *claims,
			  const struct tx *t, uint32_t height)
{
	struct arena *a = &s->out->arena;
	struct onchain_facts facts = {
		.spend = t,
		.height = height,
		.local = channel_commitment_spec(c->channel, COMMITMENT_LOCAL, a),
		.remote = channel_commitment_spec(c->channel, COMMITMENT_REMOTE, a),
		.remote_previous = channel_commitment_spec(c->channel, COMMITMENT_REMOTE_PREVIOUS, a),
		.sigs = channel_commit_sigs(c->channel),
		.secrets = channel_secrets(c->channel),
		.destination = close_script(channel_record_of(c->channel)),
	};

	fill_htlcs(n, s, c->channel, &facts);
	c->onchain = onchain_new(s, channel_record_of(c->channel), claims, &facts);
	node_onchain_destination(s, c);
}

static enum close_cause cause_of_spend(enum onchain_spend kind)
{
	switch (kind) {
	case ONCHAIN_MUTUAL_CLOSE:
		return CLOSE_AGREED;
	case ONCHAIN_OUR_COMMITMENT:
		return CLOSE_OURS_PUBLISHED;
	case ONCHAIN_THEIR_COMMITMENT:
	case ONCHAIN_THEIR_PREVIOUS_COMMITMENT:
		return CLOSE_PEER_PUBLISHED;
	case ONCHAIN_THEIR_REVOKED_COMMITMENT:
		return CLOSE_PEER_CHEATED;
	case ONCHAIN_THEIR_FUTURE_COMMITMENT:
		return CLOSE_PEER_NEWER;
	case ONCHAIN_UNKNOWN:
		return CLOSE_UNKNOWN_SPEND;
	}
	UNREACHABLE();
}

/* What the chain says about the end of a channel that did not fail before. */
static void keep_cause(struct step *s, struct node_channel *c)
{
	enum onchain_spend kind = onchain_kind(c->onchain);
	struct txid id = onchain_spend_txid(c->onchain);
	char txid[65];

	txid_to_hex(txid, &id);
	channel_spent_because(c->channel, s, cause_of_spend(kind),
			      arena_printf(&s->out->arena, "spent by %s, %s", onchain_spend_words(kind), txid));
}

static void channel_spent(struct node *n, struct step *s, struct node_channel *c, const struct tx *t, uint32_t height)
{
	struct channel_notes notes;
	struct onchain_notes claims;
	struct txid id;

	if (c->onchain || c->dead)
		return;
	channel_notes_init(&notes);
	channel_funding_spent(c->channel, s, &notes, true);
	node_route(n, s, &notes);
	if (c->dead)
		return;
	id = tx_id(t);
	node_anchor_spent(n, s, c, &id);
	onchain_notes_init(&claims);
	begin_onchain(n, s, c, &claims, t, height);
	node_closing_seen(n, s, c, t);
	keep_cause(s, c);
	node_htlcs_stranded(n, s, c);
	channel_notes_init(&notes);
	channel_set_onchain(c->channel, s, &notes, ONCHAIN);
	node_route(n, s, &notes);
	node_route_onchain(n, s, c, &claims);
}

static void channel_outputs(struct node *n, struct step *s, const struct block_tx *b, const struct tx *t,
			    const struct txid *id, uint32_t height)
{
	for (uint32_t i = 0; i < t->output_count; i++) {
		struct outpoint o = { *id, i };
		struct node_channel *c = node_channel_by_funding(n, &o);
		struct channel_notes notes;

		if (!c || c->dead)
			continue;
		channel_notes_init(&notes);
		channel_funding_confirmed(c->channel, s, &notes, height, b->index, &t->outputs[i]);
		node_touch(n, c);
		node_route(n, s, &notes);
	}
}

static void take_tx(struct node *n, struct step *s, const struct block_tx *b, uint32_t height)
{
	struct tx *t = tx_parse(&s->out->arena, b->raw);
	struct node_channel *c;
	struct txid id;
	uint32_t at = 0;

	if (!t) /* The chain source checked it against the block. */
		UNREACHABLE();
	id = tx_id(t);
	node_outbox_tx(n, s, t, &id, height);
	channel_outputs(n, s, b, t, &id, height);
	for (uint32_t i = 0; i < t->input_count; i++) {
		c = node_channel_by_funding(n, &t->inputs[i].prev);
		if (c)
			channel_spent(n, s, c, t, height);
	}
	while ((c = table_next(&n->channels, &at))) {
		struct onchain_notes claims;

		if (!c->onchain || c->dead)
			continue;
		onchain_notes_init(&claims);
		onchain_tx(c->onchain, s, &claims, t, height);
		node_route_onchain(n, s, c, &claims);
	}
}

static void each_channel_block(struct node *n, struct step *s, uint32_t height)
{
	uint32_t at = 0;
	struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		struct channel_notes notes;

		if (c->dead)
			continue;
		channel_notes_init(&notes);
		channel_block(c->channel, s, &notes);
		node_touch(n, c);
		node_route(n, s, &notes);
		if (c->fading && !c->dead) {
			node_channel_resolved(n, s, c);
			continue;
		}
		if (c->onchain && !c->dead) {
			struct onchain_notes claims;

			onchain_notes_init(&claims);
			onchain_block(c->onchain, s, &claims, height);
			node_onchain_destination(s, c); /* once more, if the wallet could not say */
			node_route_onchain(n, s, c, &claims);
		}
	}
}

static void notify_block(struct step *s, uint32_t height)
{
	struct effect *f = effect_add(s->out, EFFECT_NOTIFY);

	f->u.notify.kind = NOTIFY_BLOCK;
	f->u.notify.height = height;
}

void node_on_block(struct node *n, struct step *s, const struct event *e)
{
	n->height = e->u.block.height;
	n->tip = e->u.block.hash;
	n->have_tip = true;
	s->height = n->height;
	if (n->best_height < n->height)
		n->best_height = n->height;
	tip_persist(n, s);
	for (uint32_t i = 0; i < e->u.block.tx_count; i++)
		take_tx(n, s, &e->u.block.txs[i], n->height);
	each_channel_block(n, s, n->height);
	node_deadlines_block(n, s);
	node_anchors_advance(n, s);
	node_outbox_block(n, s, n->height);
	node_storage_block(n, s);
	notify_block(s, n->height);
}

static void channel_undone(struct node *n, struct step *s, struct node_channel *c, uint32_t height)
{
	struct channel_notes notes;
	struct onchain_notes claims;

	channel_notes_init(&notes);
	onchain_notes_init(&claims);
	if (c->onchain && onchain_undone(c->onchain, s, &claims, height)) {
		onchain_free(c->onchain);
		c->onchain = NULL;
		effect_remove(s->out, RECORD_ONCHAIN, BYTES_OF(c->key));
		channel_funding_spent(c->channel, s, &notes, false);
	}
	node_route_onchain(n, s, c, &claims);
	if (channel_record_of(c->channel)->funding_height == height)
		channel_funding_unconfirmed(c->channel, s, &notes);
	node_touch(n, c);
	node_route(n, s, &notes);
}

/* `previous` of the block that goes is what we fall back to: the chain source undoes from the tip down. */
void node_on_undone(struct node *n, struct step *s, const struct event *e)
{
	uint32_t at = 0, height = e->u.undone.height;
	struct node_channel *c;
	uint8_t key[4];

	ASSERT(height == n->height);
	store_be32(key, height);
	effect_remove(s->out, RECORD_CHAIN, BYTES_OF(key));
	n->height = height - 1;
	n->tip = e->u.undone.previous;
	s->height = n->height;
	tip_persist(n, s);
	node_outbox_undone(n, s, height);
	while ((c = table_next(&n->channels, &at)))
		if (!c->dead)
			channel_undone(n, s, c, height);
}

void node_on_synced(struct node *n, struct step *s, const struct event *e)
{
	bool first = !n->synced;

	n->best_height = e->u.synced.best_height;
	n->synced = e->u.synced.height >= e->u.synced.best_height;
	if (!first || !n->synced)
		return;
	log_write(s->log, LOG_INFO, "chain", "following the chain at height %u", n->height);
	node_outbox_offer(n, s);
}

/* --- records that are read when they are wanted --- */

/* The past HTLCs (RECORD_HTLC_PAST) of a channel have been read: its claims on a revoked commitment go on from here.
 * A channel that has been settled since then does not want them any more. */
void node_fetched(struct node *n, struct step *s, uint64_t channel_key, const struct event *e)
{
	struct node_channel *c = node_channel_by_key(n, channel_key);

	struct onchain_notes claims;

	if (!c || !c->onchain || c->dead)
		return;
	/* They are asked for in pieces of fewer ids than that. */
	ASSERT(!e->u.fetched.truncated);
	onchain_notes_init(&claims);
	onchain_fetched(c->onchain, s, &claims, e->u.fetched.id, e->u.fetched.records, e->u.fetched.count);
	node_route_onchain(n, s, c, &claims);
}

/* The opener follows the network's fee rates. */
void node_on_fees(struct node *n, struct step *s, const struct event *e)
{
	uint32_t at = 0;
	struct node_channel *c;

	memcpy(n->fees, e->u.fees.rates, sizeof(n->fees));
	memcpy(s->fees, n->fees, sizeof(s->fees));
	while ((c = table_next(&n->channels, &at))) {
		const struct channel_record *r = channel_record_of(c->channel);
		struct feerate wanted = policy_feerate(&n->channel_policy, s, r->type);

		/* False: nothing has to change, or it is not ours to change. */
		if (!c->dead && r->opener == SIDE_LOCAL && wanted.per_kw && channel_set_feerate(c->channel, s, wanted))
			node_touch(n, c);
		else if (!c->dead && channel_fees_moved(c->channel, s))
			node_touch(n, c);
	}
	/* A commitment that is on its way waits for no block to be paid for better. */
	if (n->synced)
		node_anchors_advance(n, s);
}
