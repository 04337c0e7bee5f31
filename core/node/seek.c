/* Ways that a user asks for without paying: COMMAND_ROUTES. */
#include "node/state.h"
#include "node/view.h"

static enum reply_code code_of(enum route_verdict v)
{
	switch (v) {
	case ROUTE_FOUND:
		return REPLY_OK;
	case ROUTE_BAD_REQUEST:
		return REPLY_INVALID;
	case ROUTE_TOO_EXPENSIVE:
	case ROUTE_TOO_LONG:
		return REPLY_PAY_TOO_EXPENSIVE;
	case ROUTE_UNKNOWN_SOURCE:
	case ROUTE_UNKNOWN_TARGET:
	case ROUTE_NO_WAY:
	case ROUTE_TOO_MANY_PARTS:
		return REPLY_PAY_NO_ROUTE;
	}
	UNREACHABLE();
}

static uint32_t ppm_of(uint32_t chance_q30)
{
	return (uint32_t)(((uint64_t)chance_q30 * 1000000) >> 30);
}

/* The first hop takes nothing off: what leaves the source is its own. */
static struct found_route shown(struct arena *a, const struct route_plan *plan, const struct route_part *part)
{
	struct found_route out = { .deliver = part->deliver, .chance_ppm = ppm_of(part->chance_q30), .hop_count = part->hop_count,
				   .hops = ARENA_ARRAY(a, struct found_hop, part->hop_count) };

	for (uint32_t i = 0; i < part->hop_count; i++) {
		const struct route_leg *h = &part->hops[i], *before = i ? h - 1 : h;

		out.hops[i] = (struct found_hop){ i ? before->node : plan->source, h->node, h->scid, h->direction, before->amount, h->amount,
						  before->cltv, h->cltv };
	}
	return out;
}

static void found(struct node *n, struct step *s, uint64_t call, const struct route_plan *plan)
{
	struct reply *r = node_reply(s, call, COMMAND_ROUTES);

	(void)n;
	r->code = code_of(plan->verdict);
	r->u.routes.fee = plan->fee;
	if (plan->verdict != ROUTE_FOUND) {
		r->message = route_verdict_words(plan->verdict);
		if (plan->verdict == ROUTE_TOO_EXPENSIVE)
			r->message = arena_printf(&s->out->arena, "every way costs more than the fee limit: the cheapest that was found takes %llu msat",
						  (unsigned long long)plan->fee.v);
		return;
	}
	r->u.routes.count = plan->part_count;
	r->u.routes.chance_ppm = ppm_of(plan->chance_q30);
	r->u.routes.routes = ARENA_ARRAY(&s->out->arena, struct found_route, plan->part_count);
	for (uint32_t i = 0; i < plan->part_count; i++)
		r->u.routes.routes[i] = shown(&s->out->arena, plan, &plan->parts[i]);
}

static struct route_layer *exclusions_of(struct step *s, const struct command *cmd)
{
	struct route_layer *l;
	uint8_t seed[16];
	bool room = true;

	if (!cmd->u.routes.exclude_count)
		return NULL;
	drbg_fill(s->entropy, seed, sizeof(seed));
	l = route_layer_new(seed, "excluded");
	for (uint32_t i = 0; i < cmd->u.routes.exclude_count && room; i++) {
		const struct sciddir_or_pubkey *e = &cmd->u.routes.exclude[i];

		room = e->is_pubkey ? route_layer_exclude_node(l, &e->pubkey) : route_layer_exclude(l, e->scid, e->direction);
	}
	if (!room) {
		route_layer_free(l);
		return NULL;
	}
	return l;
}

/* A layer that the user wrote wrongly would be one that says nothing. */
static const char *unknown_layer(struct node *n, struct step *s, const struct command *cmd)
{
	for (uint32_t i = 0; i < cmd->u.routes.layer_count; i++) {
		struct layer_view l;

		if (!node_view_layer_named(n, cmd->u.routes.layers[i], &l))
			return arena_printf(&s->out->arena, "there is no layer of the name %s", cmd->u.routes.layers[i]);
	}
	return NULL;
}

void node_seek_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	struct ways_question q = {
		.id = call, .answer = found, .from_graph = !cmd->u.routes.own, .source = cmd->u.routes.source,
		.payee = cmd->u.routes.destination, .amount = cmd->u.routes.amount, .fee_limit = cmd->u.routes.fee_limit,
		.final_cltv = cmd->u.routes.final_cltv, .cltv_max = cmd->u.routes.cltv_max, .parts_max = cmd->u.routes.parts_max,
		.hops_max = cmd->u.routes.hops_max, .layers = cmd->u.routes.layers, .layer_count = cmd->u.routes.layer_count,
		.include_fees = cmd->u.routes.include_fees, .taste = { .delay_ppb = cmd->u.routes.delay_ppb },
	};
	const char *wrong = unknown_layer(n, s, cmd);

	if (q.layer_count >= ROUTE_JOB_LAYERS_MAX)
		wrong = "so many layers at once are not looked through";
	if (node_ways_room(n) <= WAYS_QUESTIONS_MAX - SEEK_QUESTIONS_MAX) {
		node_reply_error(s, call, COMMAND_ROUTES, REPLY_FAILED, "too many routes are being sought: try again");
		return;
	}
	if (wrong) {
		node_reply_error(s, call, COMMAND_ROUTES, REPLY_INVALID, wrong);
		return;
	}
	q.exclusions = exclusions_of(s, cmd);
	if (!q.exclusions && cmd->u.routes.exclude_count) {
		node_reply_error(s, call, COMMAND_ROUTES, REPLY_INVALID, "so much cannot be excluded at once");
		return;
	}
	node_ways_ask(n, s, &q);
}
