/* The invariants of core/node/state.h and core/peer/peer.h that can be read off at any time. */
#include "node/state.h"

#include <string.h>

static bool is_listed(const struct node_channel *c)
{
	for (const struct node_channel *other = c->peer->channels; other; other = other->next)
		if (other == c)
			return true;
	return false;
}

/* INV-N1, INV-N6 */
static void check_channels(const struct node *n)
{
	uint32_t at = 0, funded = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		const struct channel_record *r = channel_record_of(c->channel);

		ASSERT(!c->dead); /* buried at the end of the step */
		ASSERT(r->key == load_be64(c->key));
		ASSERT(is_listed(c) && SAME(r->peer, c->peer->peer->id));
		/* A channel that has failed may have lost its outpoint to the one that really has it. */
		ASSERT(r->state == OPENINGD || r->state == AWAITING_UNILATERAL || c->in_by_funding);
		ASSERT(!c->in_by_funding || node_channel_by_funding(n, &r->funding) == c);
		ASSERT(!c->onchain == (r->state < FUNDING_SPEND_SEEN));
		funded += c->in_by_funding;
	}
	ASSERT(funded == table_count(&n->by_funding));
	node_names_check(n);
}

/* INV-N1, INV-N2, INV-P1 */
static void check_peers(const struct node *n)
{
	uint32_t at = 0, connected = 0, channels = 0, with_channels = 0;
	const struct node_peer *p;

	while ((p = table_next(&n->peers, &at))) {
		uint32_t count = 0;

		for (const struct node_channel *c = p->channels; c; c = c->next)
			count++;
		ASSERT(count == p->channel_count);
		channels += count;
		with_channels += count != 0;
		ASSERT((p->peer->connection != 0) == (p->peer->state != PEER_AWAY));
		ASSERT(p->connected == (p->peer->state != PEER_AWAY));
		if (!p->connected)
			continue;
		connected++;
		ASSERT(table_get(&n->connections, BYTES_OF(p->connection_key)) == p);
		ASSERT(load_be64(p->connection_key) == p->peer->connection);
	}
	ASSERT(connected == table_count(&n->connections));
	ASSERT(channels == table_count(&n->channels));
	ASSERT(with_channels == n->peers_with_channels);
}

/* INV-N3: an order to open or close that somebody waits for has its call. */
static void check_calls(const struct node *n)
{
	uint32_t at = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		const struct node_call *call = c->close_call ? node_call_get(n, c->close_call) : NULL;

		ASSERT(!call || call->kind == CALL_CLOSE);
		call = c->fund_call ? node_call_get(n, c->fund_call) : NULL;
		ASSERT(!call || call->kind == CALL_FUND);
	}
}

static void check_machines(const struct node *n)
{
	uint32_t at = 0;
	const struct node_channel *c;

	while ((c = table_next(&n->channels, &at))) {
		channel_check(c->channel, true);
		if (c->onchain) {
			onchain_check(c->onchain);
			ASSERT(c->touched || onchain_is_written(c->onchain));
		}
		if (c->anchor)
			anchor_check(c->anchor);
	}
	receive_check_invariants(n->receive);
	send_check_invariants(n->send);
	node_forwards_check(n);
	if (n->gossip)
		gossip_check_invariants(n->gossip);
	node_ways_check(n);
	ASSERT(table_count(&n->onions) == table_count(&n->onions_by_serial));
}

void node_check(const struct node *n)
{
	check_channels(n);
	check_peers(n);
	check_calls(n);
	check_machines(n);
}
