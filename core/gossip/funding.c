/* Announced channels on their way to the chain and back.
 *
 * A candidate is in g->candidates from its first byte until it is in the graph
 * or refused.  Those of one block are asked for together, and only when none of
 * that block is still being verified and no open query can bring another: so a
 * sync reads no block twice. */
#include <string.h>

#include "contract/scripts.h"
#include "gossip/state.h"

static struct lookup *lookup_at(const struct gossip *g, uint32_t height)
{
	uint8_t key[4];

	store_be32(key, height);
	return table_get(&g->lookups, BYTES_OF(key));
}

static struct lookup *lookup_for(struct gossip *g, uint32_t height)
{
	struct lookup *l = lookup_at(g, height);

	if (l)
		return l;
	l = NEW(struct lookup);
	l->height = height;
	store_be32(l->key, height);
	table_add(&g->lookups, l);
	return l;
}

void funding_expect(struct gossip *g, struct held *h, struct scid scid)
{
	table_add(&g->candidates, h);
	lookup_for(g, scid_height(scid))->verifying++;
}

static void leave(struct gossip *g, struct lookup *l)
{
	ASSERT(l && l->verifying);
	l->verifying--;
	if (l->verifying || l->count)
		return;
	ASSERT(table_remove(&g->lookups, BYTES_OF(l->key)) == l);
	mem_free(l);
}

void candidate_done(struct gossip *g, struct held *h)
{
	ASSERT(table_remove(&g->candidates, held_key(h)) == h);
	held_free(g, h);
	/* What waits for a channel waits for nothing any more. */
	if (!table_count(&g->candidates) && !own_expects_any(g))
		held_unpark_all(g);
}

void funding_drop(struct gossip *g, struct held *h, struct scid scid)
{
	leave(g, lookup_at(g, scid_height(scid)));
	candidate_done(g, h);
}

void funding_want(struct gossip *g, const struct step *s, struct held *h, struct scid scid)
{
	struct lookup *l = lookup_at(g, scid_height(scid));

	ASSERT(l && l->verifying);
	l->verifying--;
	h->next = l->head;
	h->chain_known = true;
	if (!l->count)
		l->since_ms = s->now_ms;
	l->head = h;
	l->count++;
}

static struct lookup **free_place(struct gossip *g)
{
	for (uint32_t i = 0; i < LOOKUPS_MAX; i++)
		if (!g->open[i])
			return &g->open[i];
	return NULL;
}

static void ask(struct gossip *g, struct step *s, struct gossip_notes *out, struct lookup *l)
{
	struct gossip_note *n = note_add(s, out, GOSSIP_LOOKUP);
	uint32_t i = 0;

	l->id = g->next_id++;
	n->id = l->id;
	n->height = l->height;
	n->count = l->count;
	n->scids = ARENA_ARRAY(&s->out->arena, struct scid, l->count);
	for (struct held *h = l->head; h; h = h->next)
		n->scids[i++] = held_scid(h);
	g->figures.lookups++;
}

void funding_flush(struct gossip *g, struct step *s, struct gossip_notes *out)
{
	struct lookup **place = free_place(g), *l;
	uint32_t at = 0;

	while (place && (l = table_next(&g->lookups, &at))) {
		/* DEPTH_SLACK: the block may not be ours yet (B7.channel_announcement.19). */
		if (l->verifying || sync_covers(g, l->height) || l->height + DEPTH_MIN - 1 > s->height ||
		    s->now_ms < l->since_ms + g->config.gather_ms)
			continue;
		ASSERT(table_remove(&g->lookups, BYTES_OF(l->key)) == l);
		*place = l;
		ask(g, s, out, l);
		place = free_place(g);
	}
}

void funding_free(struct gossip *g)
{
	struct lookup *l;
	uint32_t at = 0;

	while ((l = table_next(&g->lookups, &at)))
		mem_free(l);
	for (uint32_t i = 0; i < LOOKUPS_MAX; i++)
		mem_free(g->open[i]);
	table_release(&g->lookups);
}

/* ---- What the chain said ---- */

/* B7.channel_announcement.17, B7.channel_announcement.6 */
static bool pays_to_both(struct step *s, const struct msg_channel_announcement *m, struct bytes script)
{
	return bytes_equal(script, funding_script_pubkey(&s->out->arena, &m->bitcoin_key_1, &m->bitcoin_key_2));
}

/* B7.channel_announcement.24: whoever signs two announcements of one output has lost his keys. */
static void convict(struct gossip *g, struct step *s, struct gossip_notes *out, uint32_t channel,
		    const struct msg_channel_announcement *m)
{
	const struct graph_channel *c = graph_channel_at(g->graph, channel);
	struct pubkey liars[4] = { graph_node_at(g->graph, c->node[0])->id, graph_node_at(g->graph, c->node[1])->id,
				   m->node_id_1, m->node_id_2 };

	log_write(s->log, LOG_WARN, "gossip", "two announcements of one channel: its nodes are not believed any more");
	for (int i = 0; i < 4; i++) {
		if (SAME(liars[i], g->config.node_id))
			continue;
		blacklist_put(&g->blacklist, &liars[i]);
		forget_node(g, s, out, &liars[i]);
	}
}

void let_in(struct gossip *g, struct step *s, struct gossip_notes *out, const struct msg_channel_announcement *m)
{
	uint8_t key[HELD_KEY_MAX];

	for (int direction = 0; direction < 2; direction++)
		ingest_parked(g, s, out, held_unpark(g, held_key_of_scid(key, HELD_UPDATE, m->short_channel_id, direction)));
	ingest_parked(g, s, out, held_unpark(g, held_key_of_node(key, &m->node_id_1)));
	ingest_parked(g, s, out, held_unpark(g, held_key_of_node(key, &m->node_id_2)));
}

static void refuse_updates(struct gossip *g, struct scid scid)
{
	uint8_t key[HELD_KEY_MAX];

	for (int direction = 0; direction < 2; direction++)
		held_free_all(g, held_unpark(g, held_key_of_scid(key, HELD_UPDATE, scid, direction)));
}

static bool accept_candidate(struct gossip *g, struct step *s, struct gossip_notes *out, const struct held *h,
			     const struct msg_channel_announcement *m, const struct gossip_funding *answer)
{
	uint32_t channel = graph_find_channel(g->graph, m->short_channel_id);

	if (channel != GRAPH_NONE) {
		if (h->conflict)
			convict(g, s, out, channel, m);
		return false;
	}
	/* Found out since it was let in. */
	if (blacklist_has(&g->blacklist, &m->node_id_1) || blacklist_has(&g->blacklist, &m->node_id_2))
		return false;
	sync_useful(g, h->connection);
	return apply_channel(g, s, out, m, held_raw(h), answer->amount, &answer->txid) != GRAPH_NONE;
}

/* There is such an output, and it is not theirs.  That says nothing of whose it is: another announcement of it may be true,
 * and may have come while this one was looked at. */
static void forget_lie(struct gossip *g, const struct msg_channel_announcement *m)
{
	tombs_put(&g->tombs, tombs_name(&g->tombs, m->short_channel_id, &m->bitcoin_key_1, &m->bitcoin_key_2), TOMB_INVALID);
	sync_curious(g, m->short_channel_id);
}

/* To find one out costs a whole block, and its sender nothing.  Somebody who has no chain himself may pass a few on; what was
 * spent meanwhile is none. */
static void count_lie(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t connection)
{
	struct gossip_peer *p = peer_of(g, connection);

	if (p && ++p->lies == LIES_MAX)
		note_refuse(g, s, out, connection, "channel_announcement: too many of outputs that are not there");
}

static void conclude(struct gossip *g, struct step *s, struct gossip_notes *out, struct held *h,
		     const struct gossip_funding *answer)
{
	struct msg_channel_announcement m;
	struct scid scid = held_scid(h);
	bool accepted = false, lie = false;

	ASSERT(msg_channel_announcement_decode(held_raw(h), &s->out->arena, &m) == DECODE_OK);
	switch (answer->state) {
	case FUNDING_UNSPENT:
		if (answer->amount.v <= SUPPLY_SAT && pays_to_both(s, &m, answer->script))
			accepted = accept_candidate(g, s, out, h, &m, answer);
		else
			lie = true;
		if (lie && !h->conflict)
			forget_lie(g, &m);
		break;
	case FUNDING_SPENT:
		tombs_put(&g->tombs, scid, TOMB_SPENT);
		break;
	case FUNDING_MISSING:
		lie = true;
		if (!h->conflict)
			tombs_put(&g->tombs, scid, TOMB_INVALID);
		break;
	case FUNDING_AWAY:
		g->figures.away++;
		g->figures.deferred++;
		break;
	case FUNDING_UNKNOWN:
		g->figures.deferred++;
		break;
	}
	if (accepted)
		let_in(g, s, out, &m);
	else
		refuse_updates(g, scid);
	if (lie)
		count_lie(g, s, out, h->connection);
	candidate_done(g, h);
}

void gossip_funding(struct gossip *g, struct step *s, struct gossip_notes *out, uint64_t id,
		    const struct gossip_funding *answers, uint32_t count)
{
	struct lookup *l = NULL;
	uint32_t at = 0;

	for (uint32_t i = 0; i < LOOKUPS_MAX; i++)
		if (g->open[i] && g->open[i]->id == id) {
			l = g->open[i];
			g->open[i] = NULL;
		}
	ASSERT(l && l->count == count);
	for (struct held *h = l->head, *next; h; h = next) {
		next = h->next;
		h->next = NULL;
		conclude(g, s, out, h, &answers[at++]);
	}
	mem_free(l);
}
