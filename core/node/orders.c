/* Orders of users about payments: read from their invoices and handed to their machine. */
#include "node/state.h"
#include "node/view.h"
#include "node/ways.h"

#include <string.h>

#include "invoice/invoice.h"

/* --- pay --- */

static void fill_hints(struct step *s, struct send_request *q, const struct invoice *v)
{
	struct path_hint *hints = ARENA_ARRAY(&s->out->arena, struct path_hint, v->route_count);

	for (uint32_t i = 0; i < v->route_count; i++) {
		const struct invoice_route *route = &v->routes[i];

		hints[i].count = route->hop_count;
		hints[i].hops = ARENA_ARRAY(&s->out->arena, struct path_hint_hop, route->hop_count);
		for (uint32_t j = 0; j < route->hop_count; j++) {
			const struct invoice_hop *h = &route->hops[j];

			hints[i].hops[j] = (struct path_hint_hop){ h->node, h->scid, h->fee_base_msat,
								   h->fee_proportional_millionths, h->cltv_expiry_delta };
		}
	}
	q->hints = hints;
	q->hint_count = v->route_count;
}

/* Hints as a user gives them and a record keeps them. */
static void fill_given_hints(struct step *s, struct send_request *q, const struct record_payment_hint *given, uint32_t count)
{
	struct path_hint *hints = ARENA_ARRAY(&s->out->arena, struct path_hint, count);
	struct path_hint_hop *hops = ARENA_ARRAY(&s->out->arena, struct path_hint_hop, count);

	for (uint32_t i = 0; i < count; i++) {
		const struct record_payment_hint *h = &given[i];

		if (i == 0 || h->way != given[i - 1].way)
			hints[q->hint_count++].hops = &hops[i];
		hops[i] = (struct path_hint_hop){ h->node, h->scid, h->fee_base_msat, h->fee_ppm, h->cltv_delta };
		hints[q->hint_count - 1].count++;
	}
	q->hints = hints;
}

_Static_assert(SEND_LAYERS_MAX < ROUTE_JOB_LAYERS_MAX, "a question has room for the layers of a payment");

/* A layer that a user wrote wrongly would be one that says nothing, and one that is gone lets through what it forbade.  Of
 * those that make themselves a payment has two in any case. */
static const char *wrong_layer(const struct node *n, struct step *s, const char *name)
{
	struct layer_view l;

	if (strcmp(name, "auto.localchans") == 0 || strcmp(name, "auto.sourcefree") == 0 || strcmp(name, SEND_LAYER_ONE_PART) == 0)
		return NULL;
	if (strcmp(name, "auto.include_fees") == 0)
		return "auto.include_fees is for getroutes: a payee takes no less than its invoice asks for";
	if (node_view_layer_named(n, name, &l))
		return NULL;
	return arena_printf(&s->out->arena, "there is no layer of the name %s", name);
}

static const char *wrong_layers(const struct node *n, struct step *s, const char *const *names, uint32_t count)
{
	const char *why = count > SEND_LAYERS_MAX ? "so many layers at once are not looked through" : NULL;

	for (uint32_t i = 0; i < count && !why; i++)
		why = wrong_layer(n, s, names[i]);
	return why;
}

static void fill_from_invoice(const struct node *n, struct send_request *q, const struct invoice *v)
{
	q->payee = v->payee;
	q->payment_hash = v->payment_hash;
	q->any_amount = !v->has_amount;
	q->invoice_amount = v->amount;
	q->has_secret = true;
	q->secret = v->payment_secret;
	q->has_metadata = v->has_metadata;
	q->metadata = v->metadata;
	q->basic_mpp = invoice_allows_parts(v) && features_offered(buf_view(&n->features_invoice), FEATURE_BASIC_MPP);
	q->has_min_final_cltv = true;
	q->min_final_cltv = v->min_final_cltv;
	q->expires_at_s = invoice_expires_at_s(v);
}

/* The amount that the user and the invoice agree on, and what of it is ours to pay.  False: they do not, and why says
 * so. */
static bool agree_amount(const struct command *cmd, const struct invoice *v, struct send_request *q, const char **why)
{
	if (v->has_amount && cmd->u.pay.has_amount && msat_cmp(v->amount, cmd->u.pay.amount) != 0) {
		*why = "the invoice names an amount: leave amount_msat out";
		return false;
	}
	if (!v->has_amount && !cmd->u.pay.has_amount) {
		*why = "the invoice names no amount: give amount_msat";
		return false;
	}
	q->total = v->has_amount ? v->amount : cmd->u.pay.amount;
	q->amount = cmd->u.pay.has_partial ? cmd->u.pay.partial : q->total;
	if (q->total.v == 0 || q->total.v > SUPPLY_SAT * 1000) {
		*why = "that amount cannot be paid";
		return false;
	}
	if (q->amount.v == 0 || MSAT_LESS(q->total, q->amount)) {
		*why = "a part of the payment is more than nothing and at most the whole";
		return false;
	}
	return true;
}

/* Whether the payment may begin, or was begun; else code and why. */
static bool may_pay(struct node *n, struct step *s, const struct command *cmd, const struct invoice *v, enum reply_code *code,
		    const char **why)
{
	const struct payment *before = send_by_hash(n->send, &v->payment_hash);
	bool expired = invoice_expires_at_s(v) < s->now_ms / 1000;

	*code = REPLY_INVALID;
	if ((*why = wrong_layers(n, s, cmd->u.pay.layers, cmd->u.pay.layer_count)))
		return false;
	if (cmd->u.pay.description && !invoice_describes(v, bytes_from_string(cmd->u.pay.description))) {
		*why = "the invoice is for another description";
		return false;
	}
	if (invoice_payable(&s->out->arena, v, &n->known, s->now_ms / 1000, why))
		return true;
	*code = expired ? REPLY_PAY_EXPIRED : REPLY_INVALID;
	/* What was paid in time may be asked about later. */
	return expired && before && before->r.state != PAYMENT_FAILED;
}

static void command_pay(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct send_request q = { .call = call, .kind = PAYMENT_BOLT11, .bolt11 = cmd->u.pay.bolt11, .label = cmd->u.pay.label,
				  .has_fee_limit = cmd->u.pay.has_fee_limit, .fee_limit = cmd->u.pay.fee_limit,
				  .max_delay = cmd->u.pay.max_delay, .delay_ppb = cmd->u.pay.delay_ppb,
				  .retry_for_s = cmd->u.pay.retry_for_s, .exclude = cmd->u.pay.exclude,
				  .exclude_count = cmd->u.pay.exclude_count, .layers = cmd->u.pay.layers,
				  .layer_count = cmd->u.pay.layer_count };
	enum reply_code code = REPLY_INVALID;
	struct invoice v;
	const char *why = NULL;

	if (!invoice_decode(&s->out->arena, &v, &why, n->config->network, bytes_from_string(cmd->u.pay.bolt11))) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID,
				 arena_printf(&s->out->arena, "'bolt11' is no invoice for this network: %s", why));
		return;
	}
	if (node_recall(n, s, &v.payment_hash, 0, call, cmd))
		return;
	if (!agree_amount(cmd, &v, &q, &why) || !may_pay(n, s, cmd, &v, &code, &why)) {
		node_reply_error(s, call, cmd->kind, code, why);
		return;
	}
	fill_from_invoice(n, &q, &v);
	fill_hints(s, &q, &v);
	send_pay(n->send, s, &q);
}

static void command_keysend(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct send_request q = { .call = call, .kind = PAYMENT_KEYSEND, .payee = cmd->u.keysend.destination,
				  .amount = cmd->u.keysend.amount, .label = cmd->u.keysend.label,
				  .has_fee_limit = cmd->u.keysend.has_fee_limit, .fee_limit = cmd->u.keysend.fee_limit,
				  .max_delay = cmd->u.keysend.max_delay, .retry_for_s = cmd->u.keysend.retry_for_s,
				  .records = cmd->u.keysend.records, .record_count = cmd->u.keysend.record_count,
				  .exclude = cmd->u.keysend.exclude, .exclude_count = cmd->u.keysend.exclude_count,
				  .layers = cmd->u.keysend.layers, .layer_count = cmd->u.keysend.layer_count };
	const char *why = wrong_layers(n, s, cmd->u.keysend.layers, cmd->u.keysend.layer_count);

	if (why) {
		node_reply_error(s, call, cmd->kind, REPLY_INVALID, why);
		return;
	}
	fill_given_hints(s, &q, cmd->u.keysend.hints, cmd->u.keysend.hint_count);
	send_pay(n->send, s, &q);
}

static void command_probe(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct send_request q = { .call = call, .kind = PAYMENT_PROBE, .payee = cmd->u.probe.destination,
				  .amount = cmd->u.probe.amount, .has_fee_limit = cmd->u.probe.has_fee_limit,
				  .fee_limit = cmd->u.probe.fee_limit, .max_delay = cmd->u.probe.max_delay,
				  .retry_for_s = cmd->u.probe.retry_for_s, .exclude = cmd->u.probe.exclude,
				  .exclude_count = cmd->u.probe.exclude_count };

	send_pay(n->send, s, &q);
}

/* --- after a restart --- */

static bool layers_are_there(const struct node *n, struct step *s, const struct payment *p)
{
	for (uint32_t i = 0; i < p->r.layers_count; i++)
		if (wrong_layer(n, s, arena_printf(&s->out->arena, "%.*s", (int)p->r.layers[i].name.size,
						   (const char *)p->r.layers[i].name.data)))
			return false;
	return true;
}

void node_pay_resume(struct node *n, struct step *s)
{
	const struct payment *p;
	uint32_t at = 0;

	while ((p = send_interrupted(n->send, s, &at))) {
		struct send_request q = { .kind = p->r.kind, .payee = p->r.payee, .amount = p->r.amount };
		const char *why = NULL;
		struct invoice v;

		/* A way that a layer forbade, which is gone with the run, must not be gone now. */
		if (!layers_are_there(n, s, p))
			continue;
		if (p->r.kind == PAYMENT_KEYSEND)
			fill_given_hints(s, &q, p->r.hints, p->r.hints_count);
		if (p->r.kind == PAYMENT_BOLT11) {
			if (!invoice_decode(&s->out->arena, &v, &why, n->config->network, p->r.bolt11))
				continue;
			fill_from_invoice(n, &q, &v);
			fill_hints(s, &q, &v);
		}
		send_carry_on(n->send, s, p, &q);
	}
	send_resumed(n->send, s);
}

/* --- along a given route --- */

/* The channel into the first node: the one that is named, by any of its names, or the first that takes the HTLC. */
static struct node_channel *first_channel(const struct node *n, struct step *s, const struct route_hop *hop,
					  const struct send_route_offer *offer)
{
	struct node_peer *p = node_peer_get(n, &hop->node);

	for (struct node_channel *c = p ? p->channels : NULL; c; c = c->next) {
		const struct channel_record *r = channel_record_of(c->channel);

		if (c->dead)
			continue;
		if (hop->scid.v ? hop->scid.v == r->scid.v || hop->scid.v == r->alias_local.v || hop->scid.v == r->alias_remote.v
				: channel_may_offer(c->channel, s, offer->amount, offer->cltv_expiry) == OFFER_OK)
			return c;
	}
	return NULL;
}

static void reply_sendpay(struct step *s, uint64_t call, const struct payment *p, uint64_t part)
{
	send_route_describe(&s->out->arena, p, part, node_reply(s, call, COMMAND_SENDPAY));
}

static void offer_route(struct node *n, struct step *s, uint64_t call, const struct send_route *q,
			const struct send_route_offer *o)
{
	struct node_channel *c = first_channel(n, s, &q->hops[0], o);
	struct htlc_offer offer = { .amount = o->amount, .payment_hash = q->payment_hash, .cltv_expiry = o->cltv_expiry, .onion = o->onion };
	enum offer_result result;
	uint64_t id;

	if (!c) {
		node_reply_error(s, call, COMMAND_SENDPAY, REPLY_PAY_TRY_OTHER_ROUTE,
				 "no channel with the first node of the route can take that HTLC now");
		return;
	}
	result = channel_offer_htlc(c->channel, s, &offer, &id);
	if (result != OFFER_OK) {
		node_reply_error(s, call, COMMAND_SENDPAY, REPLY_PAY_TRY_OTHER_ROUTE,
				 arena_printf(&s->out->arena, "our own channel does not take the HTLC: %s", offer_result_words(result)));
		return;
	}
	node_touch(n, c);
	reply_sendpay(s, call, send_route_offered(n->send, s, q, o, channel_key(c->channel), id), q->part);
}

static void command_sendpay(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct send_route q = {
		.hops = cmd->u.sendpay.hops, .hop_count = cmd->u.sendpay.hop_count, .payment_hash = cmd->u.sendpay.payment_hash,
		.has_secret = cmd->u.sendpay.has_secret, .secret = cmd->u.sendpay.secret,
		.has_metadata = cmd->u.sendpay.has_metadata, .metadata = cmd->u.sendpay.metadata,
		.has_total = cmd->u.sendpay.has_total, .total = cmd->u.sendpay.total, .part = cmd->u.sendpay.part,
		.has_group = cmd->u.sendpay.has_group, .group = cmd->u.sendpay.group,
		.label = cmd->u.sendpay.label, .bolt11 = cmd->u.sendpay.bolt11,
	};
	struct send_route_offer offer;
	const struct payment *known;
	const char *why = NULL;
	enum reply_code code;

	if (node_recall(n, s, &cmd->u.sendpay.payment_hash, 0, call, cmd))
		return;
	/* Delays count from the tip. */
	if (!n->synced) {
		node_reply_error(s, call, cmd->kind, REPLY_FAILED, "this node is still catching up with the chain");
		return;
	}
	switch (send_route(n->send, s, &q, &offer, &known, &code, &why)) {
	case SEND_ROUTE_OFFER:
		offer_route(n, s, call, &q, &offer);
		break;
	case SEND_ROUTE_KNOWN:
		reply_sendpay(s, call, known, q.part);
		break;
	case SEND_ROUTE_REFUSED:
		node_reply_error(s, call, cmd->kind, code, why);
		break;
	}
	mem_wipe(&q, sizeof(q));
	mem_wipe(&offer, sizeof(offer));
}

static void command_wait_sendpay(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	uint64_t deadline_ms = UINT64_MAX;

	if (node_recall(n, s, &cmd->u.wait_sendpay.payment_hash, cmd->u.wait_sendpay.has_group ? cmd->u.wait_sendpay.group : 0, call,
			cmd))
		return;
	if (cmd->u.wait_sendpay.has_timeout)
		deadline_ms = s->now_ms + 1000ull * cmd->u.wait_sendpay.timeout_s;
	send_route_wait(n->send, s, call, &cmd->u.wait_sendpay.payment_hash, cmd->u.wait_sendpay.has_group,
			cmd->u.wait_sendpay.group, cmd->u.wait_sendpay.part, deadline_ms);
}

void node_payment_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	switch (cmd->kind) {
	case COMMAND_PAY:
		command_pay(n, s, call, cmd);
		return;
	case COMMAND_KEYSEND:
		command_keysend(n, s, call, cmd);
		return;
	case COMMAND_DELPAY:
		node_del_pay(n, s, call, &cmd->u.delpay);
		return;
	case COMMAND_PROBE:
		command_probe(n, s, call, cmd);
		return;
	case COMMAND_SENDPAY:
		command_sendpay(n, s, call, cmd);
		return;
	case COMMAND_WAIT_SENDPAY:
		command_wait_sendpay(n, s, call, cmd);
		return;
	case COMMAND_INVOICE:
	case COMMAND_WAIT_INVOICE:
	case COMMAND_WAIT_ANY_INVOICE:
	case COMMAND_DELETE_INVOICE:
	case COMMAND_CLEAN:
	case COMMAND_CONNECT:
	case COMMAND_DISCONNECT:
	case COMMAND_NEW_ADDRESS:
	case COMMAND_WITHDRAW:
	case COMMAND_FUND_CHANNEL:
	case COMMAND_CLOSE:
	case COMMAND_SET_CHANNEL:
	case COMMAND_DEL_FORWARD:
	case COMMAND_HOLD:
	case COMMAND_RECOVER:
	case COMMAND_LAYER:
	case COMMAND_RESERVE:
	case COMMAND_ROUTES:
	case COMMAND_STOP:
		break;
	}
	UNREACHABLE();
}
