#include "step/effect.h"

void effects_init(struct effects *e)
{
	arena_init(&e->arena);
	e->head = NULL;
	e->tail = &e->head;
	e->count = 0;
}

void effects_reset(struct effects *e)
{
	arena_reset(&e->arena);
	e->head = NULL;
	e->tail = &e->head;
	e->count = 0;
}

void effects_release(struct effects *e)
{
	arena_release(&e->arena);
	effects_init(e);
}

struct effect *effect_add(struct effects *e, enum effect_kind kind)
{
	struct effect *f = ARENA_NEW(&e->arena, struct effect);

	f->kind = kind;
	*e->tail = f;
	e->tail = &f->next;
	e->count++;
	return f;
}

void effect_persist(struct effects *e, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct effect *f = effect_add(e, EFFECT_PERSIST);

	f->u.persist.kind = kind;
	f->u.persist.key = arena_bytes(&e->arena, key);
	f->u.persist.value = arena_bytes(&e->arena, value);
}

void effect_remove(struct effects *e, enum record_kind kind, struct bytes key)
{
	struct effect *f = effect_add(e, EFFECT_PERSIST);

	f->u.persist.kind = kind;
	f->u.persist.remove = true;
	f->u.persist.key = arena_bytes(&e->arena, key);
}

void effect_send(struct effects *e, uint64_t connection, struct bytes message)
{
	struct effect *f = effect_add(e, EFFECT_SEND);

	f->u.send.connection = connection;
	f->u.send.message = arena_bytes(&e->arena, message);
}

void effect_disconnect(struct effects *e, uint64_t connection)
{
	effect_add(e, EFFECT_DISCONNECT)->u.disconnect.connection = connection;
}

void effect_connect(struct effects *e, const struct pubkey *peer, const char *host, uint16_t port)
{
	struct effect *f = effect_add(e, EFFECT_CONNECT);

	f->u.connect.peer = *peer;
	f->u.connect.host = arena_string(&e->arena, host);
	f->u.connect.port = port;
}

void effect_broadcast(struct effects *e, uint64_t id, const struct bytes *txs, uint32_t count)
{
	struct effect *f = effect_add(e, EFFECT_BROADCAST);

	f->u.broadcast.id = id;
	f->u.broadcast.txs = ARENA_ARRAY(&e->arena, struct bytes, count);
	f->u.broadcast.count = count;
	for (uint32_t i = 0; i < count; i++)
		f->u.broadcast.txs[i] = arena_bytes(&e->arena, txs[i]);
}

void effect_watch_script(struct effects *e, struct bytes script)
{
	effect_add(e, EFFECT_WATCH)->u.watch.script = arena_bytes(&e->arena, script);
}

void effect_watch_outpoint(struct effects *e, const struct outpoint *o)
{
	struct effect *f = effect_add(e, EFFECT_WATCH);

	f->u.watch.is_outpoint = true;
	f->u.watch.outpoint = *o;
}

void effect_unwatch_outpoint(struct effects *e, const struct outpoint *o)
{
	struct effect *f = effect_add(e, EFFECT_WATCH);

	f->u.watch.is_outpoint = true;
	f->u.watch.remove = true;
	f->u.watch.outpoint = *o;
}

void effect_sign(struct effects *e, uint64_t id, struct sign_request *request)
{
	struct effect *f = effect_add(e, EFFECT_SIGN);

	f->u.sign.id = id;
	f->u.sign.request = request;
}

void effect_funds(struct effects *e, uint64_t id, struct funds_request *request)
{
	struct effect *f = effect_add(e, EFFECT_FUNDS);

	f->u.funds.id = id;
	f->u.funds.request = request;
}

void effect_reply(struct effects *e, uint64_t call, struct reply *reply)
{
	struct effect *f = effect_add(e, EFFECT_REPLY);

	f->u.reply.call = call;
	f->u.reply.reply = reply;
}

void effect_fetch(struct effects *e, uint64_t id, enum record_kind kind, struct bytes prefix)
{
	effect_fetch_range(e, id, &(struct record_range){ .kind = kind, .prefix = prefix });
}

void effect_fetch_range(struct effects *e, uint64_t id, const struct record_range *range)
{
	struct effect *f = effect_add(e, EFFECT_FETCH);

	f->u.fetch.id = id;
	f->u.fetch.range = *range;
	f->u.fetch.range.prefix = arena_bytes(&e->arena, range->prefix);
	f->u.fetch.range.from = arena_bytes(&e->arena, range->from);
}

void effect_compute(struct effects *e, uint64_t id, struct route_job *job)
{
	struct effect *f = effect_add(e, EFFECT_COMPUTE);

	f->u.compute.id = id;
	f->u.compute.job = job;
}
