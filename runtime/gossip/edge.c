#include "runtime/gossip/edge.h"

#include "runtime/gossip/file.h"
#include "runtime/gossip/verify.h"

struct gossip_edge {
	struct gossip_edge_config config;
	struct loop *loop;
	struct gossip_file *file;
	struct verifier *verifier;
	struct buf message;
};

static void answer(struct gossip_edge *e, const struct gossip_answer *a)
{
	struct event event = { .kind = EVENT_GOSSIP, .now_ms = loop_now_ms(e->loop) };

	event.u.gossip = a;
	e->config.event(e->config.context, &event);
}

static void on_verified(void *context, uint64_t id, const bool *good, uint32_t count)
{
	struct gossip_answer a = { .kind = GOSSIP_VERIFIED, .id = id, .good = good, .count = count };

	answer(context, &a);
}

static void on_compacted(void *context, const struct gossip_move *moves, uint32_t count, uint32_t start, uint32_t first_new)
{
	struct gossip_answer a = { .kind = GOSSIP_COMPACTED, .moves = moves, .count = count, .start = start, .first_new = first_new };

	answer(context, &a);
}

static void fatal(void *context, const char *text)
{
	struct gossip_edge *e = context;

	e->config.fatal(e->config.context, text);
}

struct gossip_edge *gossip_edge_new(struct loop *loop, const struct gossip_edge_config *config,
				    char error[GOSSIP_EDGE_ERROR_SIZE])
{
	struct gossip_edge *e = NEW(struct gossip_edge);
	struct gossip_file_owner file = { e, fatal, on_compacted, config->log };
	struct verifier_owner verifier = { e, on_verified };

	e->config = *config;
	e->loop = loop;
	e->file = gossip_file_open(loop, config->directory, &config->chain, &file, error);
	if (!e->file) {
		mem_free(e);
		return NULL;
	}
	e->verifier = verifier_new(loop, &verifier, config->threads);
	return e;
}

void gossip_edge_free(struct gossip_edge *e)
{
	if (!e)
		return;
	verifier_free(e->verifier);
	gossip_file_close(e->file);
	buf_release(&e->message);
	mem_free(e);
}

uint32_t gossip_edge_load(struct gossip_edge *e, bool (*each)(void *context, uint32_t ref, struct bytes record), void *context)
{
	return gossip_file_load(e->file, each, context);
}

static void send_stored(struct gossip_edge *e, const struct gossip_note *o)
{
	buf_clear(&e->message);
	/* The disk may have lost it; then the peer does not get it from us. */
	if (gossip_file_message(e->file, o->generation, o->ref, &e->message) && e->message.size)
		e->config.send(e->config.context, o->connection, buf_view(&e->message));
}

void gossip_edge_obey(struct gossip_edge *e, const struct gossip_note *o)
{
	switch (o->kind) {
	case GOSSIP_SEND:
		e->config.send(e->config.context, o->connection, o->message);
		return;
	case GOSSIP_SEND_STORED:
		send_stored(e, o);
		return;
	case GOSSIP_VERIFY:
		verifier_ask(e->verifier, o->id, o->checks, o->count);
		return;
	case GOSSIP_LOOKUP:
		e->config.lookup(e->config.context, o->id, o->height, o->scids, o->count);
		return;
	case GOSSIP_STORE:
		gossip_file_append(e->file, o->generation, o->ref, o->message);
		return;
	case GOSSIP_COMPACT:
		gossip_file_compact(e->file, o->moves, o->count, o->ref);
		return;
	case GOSSIP_HANG_UP:
	case GOSSIP_PEER_POLICY:
	case GOSSIP_ANNOUNCED:
		break; /* node/ keeps these to itself */
	}
	UNREACHABLE();
}

void gossip_edge_flush(struct gossip_edge *e)
{
	gossip_file_flush(e->file);
}

bool gossip_edge_message(struct gossip_edge *e, uint32_t ref, struct buf *out)
{
	return gossip_file_newest(e->file, ref, out);
}

void gossip_edge_drained(struct gossip_edge *e, uint64_t connection)
{
	struct gossip_answer a = { .kind = GOSSIP_DRAINED, .connection = connection };

	answer(e, &a);
}
