/* COMMAND_RESERVE: what users reserve for payments of their own, of all or in a layer. */
#include "node/layers.h"

static struct user_reservation **find_reservation(struct layers *ls, const struct reserved_hop *h)
{
	struct user_reservation **at = &ls->reserved;

	while (*at && ((*at)->scid.v != h->scid.v || (*at)->direction != h->direction || msat_cmp((*at)->amount, h->amount) ||
		       strcmp((*at)->layer, h->layer ? h->layer : "") != 0))
		at = &(*at)->next;
	return at;
}

static bool put_reservation(struct node *n, const struct step *s, const struct reserved_hop *h, const char *command_id)
{
	struct named_layer *l = h->layer ? node_layer_get(n, h->layer) : NULL;
	struct layers *ls = n->layers;
	struct user_reservation *u;

	if (ls->reserved_count == LAYERS_RESERVED_MAX || (h->layer && !l))
		return false;
	if (l && !route_layer_reserve(node_layer_rules(l, s), h->scid, h->direction, h->amount))
		return false;
	if (!l)
		node_ways_reserve(n, h->scid, h->direction, h->amount);
	u = NEW(struct user_reservation);
	u->scid = h->scid;
	u->direction = h->direction;
	u->amount = h->amount;
	u->at_ms = s->now_ms;
	if (h->layer)
		memcpy(u->layer, h->layer, strnlen(h->layer, LAYERS_NAME_MAX));
	memcpy(u->command_id, command_id, strnlen(command_id, LAYERS_NAME_MAX));
	*ls->last = u;
	ls->last = &u->next;
	ls->reserved_count++;
	return true;
}

static bool take_reservation(struct node *n, const struct step *s, const struct reserved_hop *h)
{
	struct layers *ls = n->layers;
	struct user_reservation **at = find_reservation(ls, h), *u = *at;
	struct named_layer *l = h->layer ? node_layer_get(n, h->layer) : NULL;

	if (!u)
		return false;
	/* The layer may have gone meanwhile, and come again. */
	if (l)
		(void)!route_layer_release(node_layer_rules(l, s), h->scid, h->direction, h->amount);
	else if (!h->layer)
		node_ways_release(n, h->scid, h->direction, h->amount);
	*at = u->next;
	if (!*at)
		ls->last = at;
	ls->reserved_count--;
	mem_free(u);
	return true;
}

/* All of a path is reserved, or nothing of it. */
static bool reserve_path(struct node *n, const struct step *s, const struct command *cmd)
{
	uint32_t i = 0;

	while (i < cmd->u.reserve.hop_count && put_reservation(n, s, &cmd->u.reserve.hops[i], cmd->u.reserve.command_id))
		i++;
	if (i == cmd->u.reserve.hop_count)
		return true;
	while (i--)
		ASSERT(take_reservation(n, s, &cmd->u.reserve.hops[i]));
	return false;
}

/* What of it is reserved is taken back. */
static bool unreserve_path(struct node *n, const struct step *s, const struct command *cmd)
{
	bool all = true;

	for (uint32_t i = 0; i < cmd->u.reserve.hop_count; i++)
		all &= take_reservation(n, s, &cmd->u.reserve.hops[i]);
	return all;
}

void node_reserve_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd)
{
	if (cmd->u.reserve.back ? unreserve_path(n, s, cmd) : reserve_path(n, s, cmd))
		node_reply(s, call, COMMAND_RESERVE);
	else
		node_reply_error(s, call, COMMAND_RESERVE, REPLY_INVALID,
				 cmd->u.reserve.back ?
					 "a hop of the path was not reserved with that amount; what was is reserved no more" :
					 "a hop of the path cannot be reserved: too much, too many, or its layer is not there");
}
