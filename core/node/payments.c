/* HTLCs between the channels and the payments: what comes in is opened and decided, the end of what went out is told to
 * its payment.  pay.c has what goes out. */
#include "node/state.h"

#include <string.h>

#include "crypto/hash.h"

#define REPLAY_LOG_MS 60000u

static struct bytes onion_htlc_key(const void *p)
{
	return BYTES_OF(((const struct node_onion *)p)->key);
}

static struct bytes serial_key(const void *p)
{
	return BYTES_OF(((const struct node_onion *)p)->serial_key);
}

void node_payments_init(struct node *n, const uint8_t seed16[16])
{
	table_init(&n->onions, onion_htlc_key, seed16);
	table_init(&n->onions_by_serial, serial_key, seed16);
	replay_init(&n->replay, seed16);
	forwards_init(&n->forwards, seed16);
	holds_init(&n->holds, seed16);
	n->forwards.slots.limits = (struct slot_limits){
		.own_percent = n->config->slots_own_percent,
		.small = n->config->slots_small,
		.small_percent = n->config->slots_small_percent,
		.protected_percent = n->config->slots_protected_percent,
		.peer_percent = n->config->slots_peer_percent,
		.peer_value_percent = n->config->slots_peer_value_percent,
	};
	node_invoices_init(n, seed16);
	node_recalls_init(n, seed16);
}

static void onion_free(struct node_onion *o)
{
	opening_wipe(&o->opening);
	buf_release(&o->next);
	mem_free(o);
}

void node_payments_free(struct node *n)
{
	uint32_t at = 0;
	struct node_onion *o;

	while ((o = table_next(&n->onions, &at)))
		onion_free(o);
	table_release(&n->onions);
	table_release(&n->onions_by_serial);
	replay_release(&n->replay);
	forwards_release(&n->forwards);
	holds_release(&n->holds);
	node_invoices_free(n);
	node_recalls_free(n);
	node_deletions_free(n);
}

/* --- incoming --- */

struct node_onion *node_onion_get(const struct node *n, uint64_t channel_key, uint64_t htlc_id)
{
	uint8_t key[16];

	store_be64(key, channel_key);
	store_be64(key + 8, htlc_id);
	return table_get(&n->onions, BYTES_OF(key));
}

void node_onion_end(struct node *n, struct node_onion *o)
{
	const struct hold_name name = { .kind = HOLD_FORWARD, .channel_key = o->channel_key, .htlc_id = o->htlc_id };

	if (o->held)
		hold_over(&n->holds, &name);
	ASSERT(table_remove(&n->onions, BYTES_OF(o->key)) == o);
	ASSERT(table_remove(&n->onions_by_serial, BYTES_OF(o->serial_key)) == o);
	onion_free(o);
}

/* --- how long it was held --- */

struct failure_attribution *node_attribution(const struct node_channel *c, struct step *s, uint64_t htlc_id)
{
	const struct channel_htlc *h = channel_htlc_get(c->channel, SIDE_REMOTE, htlc_id);
	struct failure_attribution *a;

	/* B2.update_fulfill_htlc_update_fail_htlc.9, B4.erring_node.3: not on a blinded path.  On chain nobody is told. */
	if (!h || h->has_path_key || !channel_takes_attribution(c->channel) || channel_state_of(c->channel) >= AWAITING_UNILATERAL)
		return NULL;
	a = ARENA_NEW(&s->out->arena, struct failure_attribution);
	/* 0 where it is not known, and where the clock was set back. */
	if (h->committed_ms && s->now_ms > h->committed_ms)
		a->hold_time = attribution_units(s->now_ms - h->committed_ms);
	return a;
}

struct bytes node_attribution_data(const struct failure_attribution *attribution)
{
	return attribution ? BYTES_OF(attribution->data.v) : BYTES_NONE;
}

/* The HTLC may have gone on chain meanwhile: then there is nothing to fail any more. */
void node_fail_sealed(struct node *n, struct step *s, const struct node_onion *o, const struct failure *why)
{
	struct node_channel *c = node_channel_by_key(n, o->channel_key);
	struct failure_attribution *attribution = NULL;
	struct buf reason = BUF_EMPTY;

	if (c && !c->dead && channel_state_of(c->channel) < AWAITING_UNILATERAL) {
		attribution = node_attribution(c, s, o->htlc_id);
		failure_seal(&reason, attribution, &o->opening.shared_secret, why);
		if (!channel_fail_htlc(c->channel, s, o->htlc_id, buf_view(&reason), node_attribution_data(attribution)))
			log_write(s->log, LOG_DEBUG, "payment", "an HTLC to be failed is gone already");
		node_touch(n, c);
	}
	buf_release(&reason);
}

static void fail_malformed(struct node *n, struct step *s, struct node_onion *o)
{
	struct node_channel *c = node_channel_by_key(n, o->channel_key);
	const struct failure *why = &o->opening.why;

	if (!c || c->dead || channel_state_of(c->channel) >= AWAITING_UNILATERAL)
		return;
	if (!channel_fail_malformed(c->channel, s, o->htlc_id, why->code, &why->u.onion.sha256_of_onion))
		log_write(s->log, LOG_DEBUG, "payment", "an HTLC to be failed is gone already");
	node_touch(n, c);
}

/* Nothing without the secret: money does not wait for it (INV-W4). */
static struct bytes attribution_of_paid(const struct node_channel *c, struct step *s, uint64_t htlc_id, const struct node_paid *paid)
{
	struct failure_attribution *a = paid->secret ? node_attribution(c, s, htlc_id) : NULL;

	if (!a)
		return BYTES_NONE;
	if (paid->attribution.size == sizeof(a->data.v))
		memcpy(a->data.v, paid->attribution.data, sizeof(a->data.v));
	attribution_add(&a->data, paid->secret, a->hold_time, BYTES_NONE);
	return node_attribution_data(a);
}

bool node_htlc_fulfil(struct node *n, struct step *s, uint64_t channel_key, uint64_t htlc_id, const struct node_paid *paid)
{
	struct node_channel *c = node_channel_by_key(n, channel_key);
	struct onchain_notes claims;

	if (!c || c->dead ||
	    !channel_fulfill(c->channel, s, htlc_id, paid->preimage, attribution_of_paid(c, s, htlc_id, paid)))
		return false;
	node_touch(n, c);
	if (!c->onchain)
		return true;
	onchain_notes_init(&claims);
	onchain_preimage(c->onchain, s, &claims, htlc_id, paid->preimage);
	node_route_onchain(n, s, c, &claims);
	return true;
}

static void fulfil(struct node *n, struct step *s, struct node_onion *o, const struct preimage *preimage)
{
	const struct node_paid paid = { .preimage = preimage, .secret = &o->opening.shared_secret };

	/* Its set was judged in this very step, from HTLCs that the channels hold: it must be there. */
	if (!node_htlc_fulfil(n, s, o->channel_key, o->htlc_id, &paid))
		log_write(s->log, LOG_WARN, "payment", "an HTLC to be fulfilled is gone already");
}

void node_receive_act(struct node *n, struct step *s, const struct receive_verdicts *verdicts)
{
	for (const struct receive_verdict *v = verdicts->head; v; v = v->next) {
		struct node_onion *o = node_onion_get(n, v->channel_key, v->htlc_id);

		ASSERT(o);
		if (v->fulfil)
			fulfil(n, s, o, &v->preimage);
		else
			node_fail_sealed(n, s, o, &v->why);
		node_onion_end(n, o);
	}
	node_hold_invoices(n, s, verdicts->asked);
}

/* Worth knowing, since no honest payment does it; once a minute, since whoever does it may do nothing else. */
static void log_replay(struct node *n, struct step *s, const struct node_onion *o)
{
	const struct node_channel *c = node_channel_by_key(n, o->channel_key);
	char peer[67];

	n->replays_untold++;
	if (n->replays_told_ms && s->now_ms - n->replays_told_ms < REPLAY_LOG_MS)
		return;
	hex_encode(peer, channel_peer(c->channel)->v, sizeof(struct pubkey));
	log_write(s->log, LOG_WARN, "payment", "refused: an onion that came before: peer=%s htlc=in:%llu, %u since the last such line",
		  peer, (unsigned long long)o->htlc_id, n->replays_untold);
	n->replays_told_ms = s->now_ms;
	n->replays_untold = 0;
}

static void opened(struct node *n, struct step *s, struct node_onion *o)
{
	struct receive_verdicts verdicts = { 0 };
	struct failure why;
	struct receive_htlc h = {
		.channel_key = o->channel_key,
		.htlc_id = o->htlc_id,
		.amount = o->amount,
		.cltv_expiry = o->cltv_expiry,
		.payment_hash = o->opening.payment_hash,
	};

	/* B4.onion_decryption.3: nobody learns where it went. */
	if (replay_seen(&n->replay, o->opening.packet, o->channel_key, o->htlc_id)) {
		log_replay(n, s, o);
		why = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
		node_fail_sealed(n, s, o, &why);
		node_onion_end(n, o);
		return;
	}
	if (!o->opening.payload.is_final) {
		if (node_forward_opened(n, s, o))
			node_onion_end(n, o);
		return;
	}
	if (o->refuse) {
		/* B2.max_dust_htlc_exposure_msat.1, B2.max_dust_htlc_exposure_msat.3: no preimage for it. */
		why = failure_plain(FAIL_TEMPORARY_NODE_FAILURE);
		node_fail_sealed(n, s, o, &why);
		node_onion_end(n, o);
		return;
	}
	receive_htlc(n->receive, s, &h, &o->opening.payload, &verdicts);
	node_receive_act(n, s, &verdicts);
}

static void refused(struct node *n, struct step *s, struct node_onion *o)
{
	if (o->opening.malformed)
		fail_malformed(n, s, o);
	else
		node_fail_sealed(n, s, o, &o->opening.why);
	node_onion_end(n, o);
}

/* The signer will not open it.  Left undecided it would take its channel to the chain when it expires. */
static void unreadable(struct node *n, struct step *s, struct node_onion *o)
{
	struct sha256 hash = sha256(o->opening.packet, sizeof(o->opening.packet));

	if (node_forward_unreadable(n, s, o->channel_key, o->htlc_id)) {
		node_onion_end(n, o);
		return;
	}
	o->opening.why = failure_from_malformed(FAIL_INVALID_ONION_KEY, &hash);
	o->opening.malformed = true;
	refused(n, s, o);
}

static void advance(struct node *n, struct step *s, struct node_onion *o, enum opening_state state)
{
	struct sign_request *r;

	switch (state) {
	case OPENING_ASK:
		/* An expiry is judged by the height: not before we know it. */
		o->asked = n->synced;
		if (!o->asked)
			return;
		r = step_sign_request(s, SIGN_ECDH, 0, NULL);
		r->u.point = o->opening.ask;
		effect_sign(s->out, step_ask(s, OWNER_HTLC_ONION, load_be64(o->serial_key)), r);
		return;
	case OPENING_DONE:
		opened(n, s, o);
		return;
	case OPENING_REFUSED:
		refused(n, s, o);
		return;
	}
	UNREACHABLE();
}

void node_htlc_in(struct node *n, struct step *s, struct node_channel *c, const struct channel_note *note)
{
	struct node_onion *o;

	if (node_onion_get(n, channel_key(c->channel), note->htlc_id))
		return;
	/* After a restart: it may be a part of a set that others are still to make whole. */
	if (channel_state_of(c->channel) >= AWAITING_UNILATERAL && !node_htlc_claimable(n, s, c, note->htlc_id))
		return;
	o = NEW(struct node_onion);
	o->channel_key = channel_key(c->channel);
	o->htlc_id = note->htlc_id;
	store_be64(o->key, o->channel_key);
	store_be64(o->key + 8, o->htlc_id);
	store_be64(o->serial_key, ++n->next_serial);
	o->amount = note->htlc_amount;
	o->cltv_expiry = note->cltv_expiry;
	/* What a start shows again came before it. */
	o->received_ms = n->started ? s->now_ms : 0;
	o->refuse = note->dust_exposed;
	o->closing = note->closing;
	table_add(&n->onions, o);
	table_add(&n->onions_by_serial, o);
	ASSERT(note->onion.size == ONION_PACKET_SIZE);
	advance(n, s, o, opening_start(&o->opening, note->onion.data, &note->payment_hash,
				       note->has_path_key ? &note->path_key : NULL));
}

void node_onion_answered(struct node *n, struct step *s, uint64_t serial, const struct sign_answer *a)
{
	uint8_t key[8];
	struct node_onion *o;

	store_be64(key, serial);
	o = table_get(&n->onions_by_serial, BYTES_OF(key));
	if (!o)
		return;
	/* A late answer.  Before a restart it was forwarded, and that has ended meanwhile: to judge it anew would pay
	 * twice. */
	if (!node_htlc_undecided(n, o->channel_key, o->htlc_id)) {
		node_onion_end(n, o);
		return;
	}
	if (a->refused) {
		log_write(s->log, LOG_WARN, "payment", "the signer opens no onion: %s", a->reason);
		unreadable(n, s, o);
		return;
	}
	advance(n, s, o, opening_answer(&o->opening, &s->out->arena, &a->secret));
}

void node_payments_synced(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_onion *o;

	if (!n->synced)
		return;
	while ((o = table_next(&n->onions, &at)))
		if (o->opening.state == OPENING_ASK && !o->asked)
			advance(n, s, o, OPENING_ASK);
}

/* --- outgoing --- */

static void failed(struct node *n, struct step *s, const struct channel_note *note)
{
	uint64_t key = channel_key(note->channel);
	struct send_failure f = { 0 };

	if (note->kind == CHANNEL_NOTE_HTLC_DROPPED) {
		f.kind = SEND_FAILURE_LOCAL;
		f.text = "the peer left before the HTLC was committed";
	} else if (note->failure_code) {
		f.kind = SEND_FAILURE_MALFORMED;
		f.code = note->failure_code;
		f.onion_hash = note->sha256_of_onion;
	} else {
		f.kind = SEND_FAILURE_REPORT;
		f.reason = note->reason;
		f.attribution = note->attribution;
	}
	send_failed(n->send, s, key, note->htlc_id, &f);
}

void node_htlc_out_done(struct node *n, struct step *s, const struct channel_note *note)
{
	uint64_t key = channel_key(note->channel);

	if (note->cookie[0]) {
		node_forward_out_done(n, s, note);
		return;
	}
	/* A payment that was settled before a restart forgot its part: the channel says it again. */
	if (!send_owns(n->send, key, note->htlc_id))
		return;
	if (note->kind != CHANNEL_NOTE_HTLC_FULFILLED) {
		failed(n, s, note);
		return;
	}
	send_attributed(n->send, s, key, note->htlc_id, note->attribution);
	if (!send_fulfilled(n->send, s, key, note->htlc_id, &note->preimage))
		log_write(s->log, LOG_ERROR, "payment", "a channel took a preimage that is none");
}

/* The channel ends without its peer.  What is not decided yet stays a part of its set as long as it could be claimed on
 * chain: a preimage must not leave for one that cannot.  The peer takes the others back when they expire. */
void node_htlcs_stranded(struct node *n, struct step *s, const struct node_channel *c)
{
	uint32_t at = 0;
	struct node_onion *o;

	while ((o = table_next(&n->onions, &at))) {
		if (o->channel_key != channel_key(c->channel) || node_htlc_claimable(n, s, c, o->htlc_id))
			continue;
		receive_htlc_gone(n->receive, o->channel_key, o->htlc_id);
		node_onion_end(n, o);
	}
	node_forwards_stranded(n, s, c, false);
}

/* B2.forwarding_htlcs.3, B2.cltv_expiry_delta.6.  One that was forwarded before a restart and whose onion is being opened
 * again has a forward, whose own deadline counts. */
void node_onions_expire(struct node *n, struct step *s)
{
	uint32_t at = 0;
	struct node_onion *o;

	node_holds_expire(n, s);
	while ((o = table_next(&n->onions, &at))) {
		struct failure why = failure_payment_details(o->amount, s->height);

		if (!node_deadline_passed(s, o->cltv_expiry) || forward_by_in(&n->forwards, o->channel_key, o->htlc_id))
			continue;
		receive_htlc_gone(n->receive, o->channel_key, o->htlc_id);
		if (o->opening.state == OPENING_ASK) {
			unreadable(n, s, o);
			continue;
		}
		node_fail_sealed(n, s, o, &why);
		node_onion_end(n, o);
	}
}

void node_htlc_onchain(struct node *n, struct step *s, struct node_channel *c, const struct onchain_note *note)
{
	const struct send_failure gone = { .kind = SEND_FAILURE_LOCAL, .text = "the channel was closed and the HTLC is not in its transaction" };
	uint64_t key = channel_key(c->channel);

	if (node_forward_onchain(n, s, c, note) || !send_owns(n->send, key, note->htlc_id))
		return;
	if (note->kind == ONCHAIN_NOTE_PREIMAGE) {
		if (!send_fulfilled(n->send, s, key, note->htlc_id, &note->preimage))
			log_write(s->log, LOG_ERROR, "payment", "the chain shows a preimage that is none");
	} else {
		send_failed(n->send, s, key, note->htlc_id, &gone);
	}
}

/* --- time --- */

void node_payments_tick(struct node *n, struct step *s)
{
	struct receive_verdicts verdicts = { 0 };

	node_holds_expire(n, s);
	receive_tick(n->receive, s, &verdicts);
	node_receive_act(n, s, &verdicts);
	send_tick(n->send, s);
}

uint64_t node_payments_deadline(const struct node *n)
{
	uint64_t receive = receive_deadline(n->receive), send = send_deadline(n->send), hold = holds_deadline(&n->holds);
	uint64_t first = receive < send ? receive : send;

	return first < hold ? first : hold;
}

void node_payment_call_gone(struct node *n, struct step *s, uint64_t call)
{
	(void)s;
	receive_call_gone(n->receive, call);
	send_call_gone(n->send, call);
}
