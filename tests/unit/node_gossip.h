/* The edge of gossip for rigs that turn it on: signatures are verified at once, the log is memory.  Who includes it says
 * in look_up what the chain has. */
#ifndef TESTS_NODE_GOSSIP_H
#define TESTS_NODE_GOSSIP_H

#include "crypto/keys.h"
#include "gossip/gossip.h"
#include "gossip/log.h"
#include "tests/test.h"
#include "tests/unit/node_setup.h"

#define RIGS 4u

/* The log of each, by its name; and the funding transactions that the chain has. */
static struct buf logs[RIGS];
static uint32_t checks[RIGS], lookups[RIGS];

static inline struct buf *log_of(struct rig *r)
{
	return &logs[r->seed[0] % RIGS];
}

static inline void answer(struct rig *r, const struct gossip_answer *what)
{
	struct event e = { .kind = EVENT_GOSSIP, .now_ms = r->now_ms };

	e.u.gossip = what;
	exec_event(r->exec, &e);
}

static inline void verify(struct rig *r, const struct gossip_note *n)
{
	bool good[1024];
	struct gossip_answer what = { .kind = GOSSIP_VERIFIED, .id = n->id, .good = good, .count = n->count };

	CHECK(n->count <= ARRAY_COUNT(good));
	for (uint32_t i = 0; i < n->count; i++)
		good[i] = ecdsa_verify(&n->checks[i].signature, &n->checks[i].hash, &n->checks[i].key);
	checks[r->seed[0] % RIGS] += n->count;
	answer(r, &what);
}

static void look_up(struct rig *r, const struct gossip_note *n);

static inline void send_later(struct rig *r, uint64_t connection, struct bytes message)
{
	struct rig_item *i = ARENA_NEW(&r->kept, struct rig_item);

	i->kind = EFFECT_SEND;
	i->id = connection;
	i->data = arena_bytes(&r->kept, message);
	*r->tail = i;
	r->tail = &i->next;
}

static inline void obey(struct rig *r, const struct gossip_note *n)
{
	struct buf *log = log_of(r);
	enum log_kind kind;
	struct bytes body;

	switch (n->kind) {
	case GOSSIP_SEND:
		send_later(r, n->connection, n->message);
		return;
	case GOSSIP_SEND_STORED:
		CHECK(log_record_decode(BYTES(log->data + n->ref, log_record_size(log->data + n->ref)), &kind, &body));
		send_later(r, n->connection, log_message(kind, body));
		return;
	case GOSSIP_VERIFY:
		verify(r, n);
		return;
	case GOSSIP_LOOKUP:
		look_up(r, n);
		return;
	case GOSSIP_STORE:
		CHECK_EQ(n->ref, log->size);
		buf_add_bytes(log, n->message);
		return;
	case GOSSIP_COMPACT:
	case GOSSIP_HANG_UP:
	case GOSSIP_PEER_POLICY:
	case GOSSIP_ANNOUNCED:
		break;
	}
	UNREACHABLE();
}

static inline void load_log(struct rig *r)
{
	struct log_reader reader = { .log = buf_view(log_of(r)) };
	struct bytes record;
	uint32_t ref;

	while (log_next(&reader, &ref, &record))
		CHECK(node_load_gossip(r->node, ref, record));
	node_gossip_loaded(r->node, reader.at);
}

static inline void turn_on(struct rig *r)
{
	struct buf *log = log_of(r);

	buf_clear(log);
	log_header_encode(buf_extend(log, LOG_HEADER_SIZE), &r->config.network->genesis);
	checks[r->seed[0] % RIGS] = lookups[r->seed[0] % RIGS] = 0;
	r->config.gossip = true;
	r->config.alias = "rig";
	r->gossip = obey;
	r->gossip_load = load_log;
}

static inline void later(struct rig *r, uint64_t ms)
{
	struct event e = { .kind = EVENT_TICK };

	r->now_ms += ms;
	rig_event(r, &e);
}

#endif
