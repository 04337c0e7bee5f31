#include "tests/sim/gossip.h"

#include <string.h>

#include "base/table.h"
#include "crypto/keys.h"

#define VERIFY_MAX_MS 60u
#define LOOKUP_MAX_MS 200u
#define COMPACT_MAX_MS 2000u
/* Of deaths: the machine loses power, not the process its life. */
#define POWER_ONE_IN 2u

/* --- its log --- */

static bool load_one(void *context, uint32_t ref, struct bytes record)
{
	return node_load_gossip(((struct sim_node *)context)->node, ref, record);
}

void sim_gossip_load(struct sim_node *n)
{
	if (!n->gossip_log)
		n->gossip_log = gossip_log_new(&n->config.network->genesis);
	node_gossip_loaded(n->node, gossip_log_load(n->gossip_log, load_one, n));
}

void sim_gossip_flush(struct sim_node *n)
{
	if (n->gossip_log)
		gossip_log_flush(n->gossip_log, n->world->now_ms);
}

void sim_gossip_died(struct sim_node *n)
{
	if (n->gossip_log)
		gossip_log_crash(n->gossip_log, n->world, world_random(n->world, POWER_ONE_IN) == 0);
}

/* --- orders --- */

static void answer_later(struct sim_node *n, enum entry_kind kind, uint64_t delay_max_ms, uint64_t id, struct bytes data)
{
	struct world *w = n->world;
	struct sim_entry x = { .at_ms = w->now_ms + 1 + world_random(w, delay_max_ms), .kind = kind, .node = n->index, .life = n->life,
			       .id = id, .size = data.size };

	x.data = mem_alloc(data.size ? data.size : 1);
	if (data.size)
		memcpy(x.data, data.data, data.size);
	queue_push(w, x);
}

/* What one node has had verified the others need not. */
struct verdict {
	struct gossip_check check;
	bool good;
};

static struct bytes verdict_key(const void *p)
{
	return BYTES((const uint8_t *)&((const struct verdict *)p)->check, sizeof(struct gossip_check));
}

static bool verify(struct world *w, const struct gossip_check *c)
{
	static const uint8_t seed[16] = { 3 };
	struct verdict *v;

	if (!w->verdicts) {
		w->verdicts = NEW(struct table);
		table_init(w->verdicts, verdict_key, seed);
	}
	v = table_get(w->verdicts, BYTES((const uint8_t *)c, sizeof(*c)));
	if (!v) {
		v = NEW(struct verdict);
		v->check = *c;
		v->good = ecdsa_verify(&c->signature, &c->hash, &c->key);
		table_add(w->verdicts, v);
	}
	return v->good;
}

static void verify_all(struct sim_node *n, const struct gossip_note *o)
{
	struct buf verdicts = BUF_EMPTY;

	for (uint32_t i = 0; i < o->count; i++)
		buf_add_u8(&verdicts, verify(n->world, &o->checks[i]));
	answer_later(n, ENTRY_VERIFIED, VERIFY_MAX_MS, o->id, buf_view(&verdicts));
	buf_release(&verdicts);
}

static void look_up(struct sim_node *n, const struct gossip_note *o)
{
	struct buf scids = BUF_EMPTY;

	for (uint32_t i = 0; i < o->count; i++)
		buf_add_be64(&scids, o->scids[i].v);
	answer_later(n, ENTRY_FUNDED, LOOKUP_MAX_MS, o->id, buf_view(&scids));
	buf_release(&scids);
}

static void send_stored(struct sim_node *n, const struct gossip_note *o)
{
	struct buf message = BUF_EMPTY;

	if (!gossip_log_message(n->gossip_log, o->generation, o->ref, &message) || !message.size)
		world_fail(n->world, "%s sends gossip that is not in its log", n->name);
	sim_send(n, o->connection, buf_view(&message));
	sim_tell_drained(n, o->connection);
	buf_release(&message);
}

void sim_gossip_obey(struct sim_node *n, const struct gossip_note *o)
{
	switch (o->kind) {
	case GOSSIP_SEND:
		sim_send(n, o->connection, o->message);
		sim_tell_drained(n, o->connection);
		return;
	case GOSSIP_SEND_STORED:
		send_stored(n, o);
		return;
	case GOSSIP_VERIFY:
		verify_all(n, o);
		return;
	case GOSSIP_LOOKUP:
		look_up(n, o);
		return;
	case GOSSIP_STORE:
		gossip_log_append(n->gossip_log, o->generation, o->ref, o->message);
		return;
	case GOSSIP_COMPACT:
		gossip_log_compact(n->gossip_log, o->moves, o->count, o->ref);
		answer_later(n, ENTRY_COMPACTED, COMPACT_MAX_MS, 0, BYTES_NONE);
		return;
	case GOSSIP_HANG_UP:
	case GOSSIP_PEER_POLICY:
	case GOSSIP_ANNOUNCED:
		break; /* node/ keeps these to itself */
	}
	UNREACHABLE();
}

/* --- answers --- */

static void answer(struct sim_node *n, const struct gossip_answer *a)
{
	struct event e = { .kind = EVENT_GOSSIP };

	e.u.gossip = a;
	sim_give(n, &e);
}

static void verified(struct sim_node *n, const struct sim_entry *x)
{
	bool *good = NEW_ARRAY(bool, x->size ? x->size : 1);
	const struct gossip_answer a = { .kind = GOSSIP_VERIFIED, .id = x->id, .good = good, .count = (uint32_t)x->size };

	for (size_t i = 0; i < x->size; i++)
		good[i] = x->data[i] != 0;
	answer(n, &a);
	mem_free(good);
}

static struct gossip_funding find_funding(const struct sim_node *n, struct scid scid)
{
	const struct sim_chain *chain = n->world->chain;
	struct gossip_funding f = { .state = FUNDING_MISSING };
	const struct sim_block *b;
	struct outpoint o;

	if (n->pruned && world_random(n->world, n->pruned) == 0) {
		f.state = FUNDING_UNKNOWN;
		return f;
	}
	if (scid_height(scid) > sim_chain_height(chain)) { /* as a node that has not got that block answers */
		f.state = FUNDING_UNKNOWN;
		return f;
	}
	b = sim_chain_block(chain, scid_height(scid));
	if (scid_tx_index(scid) >= b->count || scid_output(scid) >= b->list[scid_tx_index(scid)]->tx->output_count)
		return f;
	o = (struct outpoint){ b->list[scid_tx_index(scid)]->id, scid_output(scid) };
	f.state = FUNDING_SPENT;
	if (!sim_chain_unspent(chain, &o))
		return f;
	f.state = FUNDING_UNSPENT;
	f.txid = o.txid;
	f.amount = sim_chain_output(chain, &o)->amount;
	f.script = sim_chain_output(chain, &o)->script;
	return f;
}

static void funded(struct sim_node *n, const struct sim_entry *x)
{
	uint32_t count = (uint32_t)(x->size / 8);
	struct gossip_funding *fundings = NEW_ARRAY(struct gossip_funding, count ? count : 1);
	const struct gossip_answer a = { .kind = GOSSIP_FUNDED, .id = x->id, .fundings = fundings, .count = count };

	for (uint32_t i = 0; i < count; i++)
		fundings[i] = find_funding(n, (struct scid){ load_be64(x->data + 8 * i) });
	answer(n, &a);
	mem_free(fundings);
}

void sim_gossip_perform(struct sim_node *n, const struct sim_entry *x)
{
	struct gossip_answer a = { .kind = GOSSIP_DRAINED, .connection = x->id };

	if (x->kind == ENTRY_VERIFIED) {
		verified(n, x);
	} else if (x->kind == ENTRY_FUNDED) {
		funded(n, x);
	} else if (x->kind == ENTRY_COMPACTED) {
		gossip_log_replace(n->gossip_log, n->world->now_ms, &a);
		answer(n, &a);
	} else if (sim_drained(n, x->id)) {
		answer(n, &a);
	}
}

void sim_gossip_free(struct world *w)
{
	struct verdict *v;
	uint32_t at = 0;

	for (int i = 0; i < w->node_count; i++)
		gossip_log_free(w->nodes[i].gossip_log);
	if (!w->verdicts)
		return;
	while ((v = table_next(w->verdicts, &at)))
		mem_free(v);
	table_release(w->verdicts);
	mem_free(w->verdicts);
}
