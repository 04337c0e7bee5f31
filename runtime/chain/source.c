#include "runtime/chain/source.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "chain/match.h"
#include "runtime/chain/queue.h"
#include "runtime/chain/thread.h"

struct source {
	struct source_config config;
	struct loop *loop;
	struct loop_wake *wake;
	struct queue queue;
	struct watches watches;
	struct arena arena; /* of one event */
	struct chain_thread *thread;
	bool waiting; /* for source_released */
	bool giving;
};

static void give(void *context);

static void ring(void *context)
{
	struct source *s = context;

	loop_wake_ring(s->wake);
}

struct source *source_new(struct loop *loop, const struct source_config *config)
{
	struct source *s = NEW(struct source);
	uint8_t seed[16];

	ASSERT(getrandom(seed, sizeof(seed), 0) == sizeof(seed));
	s->config = *config;
	s->loop = loop;
	s->waiting = config->held;
	s->wake = loop_wake_new(loop, give, s);
	queue_init(&s->queue);
	watches_init(&s->watches, seed);
	arena_init(&s->arena);
	return s;
}

void source_start(struct source *s)
{
	struct chain_thread_owner owner = { s, ring, s->config.fatal, s->config.context };

	s->thread = chain_thread_new(&s->config, &s->queue, &owner);
}

void source_free(struct source *s)
{
	queue_stop(&s->queue);
	s->config.backend.interrupt(s->config.backend.context);
	if (s->thread)
		chain_thread_free(s->thread);
	s->config.backend.free(s->config.backend.context);
	loop_wake_free(s->wake);
	queue_release(&s->queue);
	watches_release(&s->watches);
	arena_release(&s->arena);
	mem_free(s);
}

void source_watch(struct source *s, const struct watch *watch)
{
	watches_apply(&s->watches, watch);
}

void source_broadcast(struct source *s, uint64_t id, const struct bytes *txs, uint32_t count)
{
	queue_order(&s->queue, id, txs, count);
}

void source_lookup(struct source *s, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count)
{
	queue_lookup(&s->queue, id, height, scids, count);
}

void source_poke(struct source *s)
{
	queue_poke(&s->queue);
}

/* ---- Items into events ---- */

/* The block was checked against its hash by the thread's follower, its transactions are checked here. */
static void block_event(struct source *s, const struct item *i, struct event *e)
{
	if (!match_block(e, &s->arena, &s->watches, buf_view(&i->raw), &i->hash)) {
		s->config.fatal(s->config.context, "the chain source gave a block that is not what its hash says");
		UNREACHABLE();
	}
	e->u.block.height = i->height;
}

static void lookup_event(struct source *s, const struct item *i, struct event *e)
{
	struct gossip_answer *a = ARENA_NEW(&s->arena, struct gossip_answer);

	a->kind = GOSSIP_FUNDED;
	a->id = i->id;
	a->fundings = i->fundings;
	a->count = i->count;
	e->kind = EVENT_GOSSIP;
	e->u.gossip = a;
}

static void event_of(struct source *s, const struct item *i, struct event *e)
{
	switch (i->kind) {
	case ITEM_BLOCK:
		block_event(s, i, e);
		return;
	case ITEM_UNDONE:
		e->kind = EVENT_BLOCK_UNDONE;
		e->u.undone.height = i->height;
		e->u.undone.hash = i->hash;
		e->u.undone.previous = i->previous;
		return;
	case ITEM_SYNCED:
		e->kind = EVENT_CHAIN_SYNCED;
		e->u.synced.height = i->height;
		e->u.synced.best_height = i->best_height;
		return;
	case ITEM_FEES:
		e->kind = EVENT_FEES;
		memcpy(e->u.fees.rates, i->rates, sizeof(i->rates));
		return;
	case ITEM_BROADCAST:
		e->kind = EVENT_BROADCAST;
		e->u.broadcast.id = i->id;
		e->u.broadcast.accepted = i->accepted;
		e->u.broadcast.reason = i->reason;
		return;
	case ITEM_LOOKUP:
		lookup_event(s, i, e);
		return;
	}
	UNREACHABLE();
}

static void give_item(struct source *s, const struct item *i)
{
	struct event e;

	memset(&e, 0, sizeof(e));
	event_of(s, i, &e);
	e.now_ms = loop_now_ms(s->loop);
	s->waiting = i->kind == ITEM_BLOCK || i->kind == ITEM_UNDONE;
	s->config.event(s->config.context, &e);
	arena_reset(&s->arena);
}

static void give(void *context)
{
	struct source *s = context;
	struct item *i;

	if (s->giving)
		return;
	s->giving = true;
	while (!s->waiting && (i = queue_take(&s->queue))) {
		give_item(s, i);
		item_free(i);
	}
	s->giving = false;
}

void source_released(struct source *s)
{
	s->waiting = false;
	/* Not now: whoever releases is in the middle of a batch. */
	loop_wake_ring(s->wake);
}
