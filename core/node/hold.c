/* What waits for a decider, and what becomes of it: payment/hold.h. */
#include "node/state.h"

#include "crypto/hash.h"
#include "node/deadlines.h"

static uint32_t blocks_before(uint32_t height, uint32_t blocks)
{
	return height > blocks ? height - blocks : 0;
}

static uint64_t time_after(uint64_t now_ms, uint64_t ms)
{
	return ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + ms;
}

/* --- forwards --- */

/* The last height at which it may still go on: forward_judge. */
static uint32_t last_height(const struct node *n, const struct node_onion *o, uint32_t cltv_delta)
{
	uint32_t in = blocks_before(o->cltv_expiry, cltv_delta);
	uint32_t out = blocks_before(o->opening.payload.cltv_expiry, n->config->forward_expiry_min_blocks);

	return in < out ? in : out;
}

void node_hold_forward(struct node *n, struct step *s, struct node_onion *o, const struct node_channel *out)
{
	const struct payload *p = &o->opening.payload;
	const struct held_thing what = {
		.name = { .kind = HOLD_FORWARD, .channel_key = o->channel_key, .htlc_id = o->htlc_id },
		.payment_hash = o->opening.payment_hash,
		.in_channel = node_channel_scid(node_channel_by_key(n, o->channel_key)),
		.out_channel = node_channel_scid(out),
		.in_amount = o->amount,
		.out_amount = p->amount,
		.in_expiry = o->cltv_expiry,
		.out_expiry = p->cltv_expiry,
		.parts = 1,
		.deadline_height = last_height(n, o, node_channel_policy(n, out).cltv_delta),
		.deadline_ms = time_after(s->now_ms, n->config->hold_forwards_ms),
		.otherwise = n->config->hold_forwards_fail ? HOLD_FAIL : HOLD_CONTINUE,
	};

	/* What points into the step is copied: it is needed when the answer comes. */
	if (!o->held) {
		buf_add_bytes(&o->next, o->opening.next);
		o->opening.next = buf_view(&o->next);
		o->opening.payload.custom = NULL;
		o->opening.payload.custom_count = 0;
		o->opening.payload.metadata = BYTES_NONE;
	}
	o->held = true;
	hold_add(&n->holds, s, &what);
}

/* The channel it came in over may be on chain, and is then nobody's to decide about but the chain's. */
static void decide_forward(struct node *n, struct step *s, struct node_onion *o, enum hold_action action, uint16_t code,
			   const struct preimage *preimage)
{
	const struct node_paid paid = { .preimage = preimage, .secret = &o->opening.shared_secret };
	struct failure why = failure_plain(code ? code : FAIL_TEMPORARY_CHANNEL_FAILURE);

	switch (action) {
	case HOLD_CONTINUE:
		o->released = true;
		ASSERT(node_forward_opened(n, s, o));
		node_onion_end(n, o);
		return;
	case HOLD_RESOLVE:
		if (!node_htlc_fulfil(n, s, o->channel_key, o->htlc_id, &paid))
			log_write(s->log, LOG_WARN, "hold", "an HTLC to be fulfilled is gone already");
		node_history_without(n, s, o, HISTORY_SETTLED, 0);
		node_onion_end(n, o);
		return;
	case HOLD_FAIL:
		failure_set_update(&why, node_update_told(n, o->opening.payload.scid));
		node_fail_sealed(n, s, o, &why);
		node_history_without(n, s, o, HISTORY_LOCAL_FAILED, why.code);
		node_onion_end(n, o);
		return;
	}
	UNREACHABLE();
}

/* --- invoices --- */

void node_hold_invoices(struct node *n, struct step *s, const struct receive_asked *asked)
{
	for (; asked; asked = asked->next) {
		const struct held_thing what = {
			.name = { .kind = HOLD_INVOICE, .payment_hash = asked->payment_hash },
			.payment_hash = asked->payment_hash,
			.in_amount = asked->received,
			.in_expiry = asked->first_expiry,
			.parts = asked->parts,
			/* Fulfilled later it could not be taken off the peer's commitment in time. */
			.deadline_height = blocks_before(asked->first_expiry, DEADLINE_TAKE_BLOCKS),
			.deadline_ms = time_after(s->now_ms, n->config->hold_invoices_ms),
			.otherwise = HOLD_FAIL,
		};

		hold_add(&n->holds, s, &what);
	}
}

MUST_USE static bool decide_invoice(struct node *n, struct step *s, const struct sha256 *hash, enum hold_action action, uint16_t code,
				    const struct preimage *preimage)
{
	struct receive_verdicts verdicts = { 0 };
	bool done;

	if (action == HOLD_FAIL)
		done = receive_refuse(n->receive, s, hash, code ? code : FAIL_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, &verdicts);
	else
		done = receive_accept(n->receive, s, hash, action == HOLD_RESOLVE ? preimage : NULL, &verdicts);
	node_receive_act(n, s, &verdicts);
	return done;
}

/* --- decisions --- */

MUST_USE static bool decide(struct node *n, struct step *s, const struct hold_name *name, enum hold_action action, uint16_t code,
			    const struct preimage *preimage)
{
	struct hold_name is = *name; /* of the hold, which goes */
	struct node_onion *o;

	hold_over(&n->holds, &is);
	if (is.kind == HOLD_INVOICE)
		return decide_invoice(n, s, &is.payment_hash, action, code, preimage);
	o = node_onion_get(n, is.channel_key, is.htlc_id);
	if (!o || !node_htlc_undecided(n, is.channel_key, is.htlc_id))
		return false;
	decide_forward(n, s, o, action, code, preimage);
	return true;
}

void node_holds_expire(struct node *n, struct step *s)
{
	const struct hold *h;

	while ((h = hold_due(&n->holds, s->height, s->now_ms))) {
		log_write(s->log, LOG_INFO, "hold", "nobody decided in time: %s", h->what.otherwise == HOLD_FAIL ? "failed" : "continued");
		if (!decide(n, s, &h->what.name, h->what.otherwise, 0, NULL))
			log_write(s->log, LOG_DEBUG, "hold", "it was over already");
	}
}

void node_hold_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	const struct hold *h = hold_get(&n->holds, &cmd->u.hold.name);
	const struct preimage *preimage = &cmd->u.hold.preimage;
	struct sha256 hash = sha256(preimage->v, sizeof(preimage->v));

	if (!h) {
		node_reply_error(s, call, cmd->kind, REPLY_HOLD_UNKNOWN, "nothing is held by that name, or it is over");
		return;
	}
	if (cmd->u.hold.action == HOLD_RESOLVE && !SAME(hash, h->what.payment_hash)) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID, "that preimage is of another payment_hash");
		return;
	}
	if (cmd->u.hold.action == HOLD_FAIL && cmd->u.hold.code && !hold_code_fits(h->what.name.kind, cmd->u.hold.code)) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID, "it cannot be failed with that code");
		return;
	}
	if (decide(n, s, &cmd->u.hold.name, cmd->u.hold.action, cmd->u.hold.code, preimage))
		node_reply(s, call, cmd->kind);
	else
		node_reply_error(s, call, cmd->kind, REPLY_HOLD_UNKNOWN, "it is over meanwhile");
}
