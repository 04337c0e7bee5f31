#include "api/method/walk.h"

struct walk {
	struct methods *methods;
	uint64_t call;
	uint64_t read;  /* at the port, between two pieces */
	struct params params;
	walk_piece *piece;
	uint32_t at;
	bool more;
	struct walk *next;
};

static void ask(struct walk *w);

/* The first of those that wait is over. */
static void leave(struct walk *w)
{
	struct methods *m = w->methods;

	m->walks = w->next;
	m->walk_count--;
	params_release(&w->params);
	mem_free(w);
	if (m->walks)
		ask(m->walks);
}

static void evaluate(void *context)
{
	struct walk *w = context;
	struct lampo_call *call = rpc_deferred(w->methods->rpc, w->call);

	/* Nobody waits any more: spare the work. */
	w->more = call && w->piece(w->methods, &w->params, call, &w->at);
}

/* The executor would evaluate a query that is asked now in this very turn: the way over the store's thread is the one that
 * lets others go first. */
static void release(void *context)
{
	struct walk *w = context;
	struct methods *m = w->methods;
	struct lampo_call *call;

	if (w->more) {
		w->read = ++m->last_read;
		m->port.read(m->port.context, w->read, NULL, 0);
		return;
	}
	call = rpc_deferred(m->rpc, w->call);
	if (call)
		rpc_list_end(call);
	leave(w);
}

static void ask(struct walk *w)
{
	const struct exec_query query = { .context = w, .evaluate = evaluate, .release = release };

	w->methods->port.query(w->methods->port.context, &query);
}

bool walk_go_on(struct methods *m, uint64_t read)
{
	if (!m->walks || m->walks->read != read)
		return false;
	ask(m->walks);
	return true;
}

void walk_ask(struct methods *m, struct lampo_call *call, struct params *params, const char *name, walk_piece *piece)
{
	struct walk *w, **end = &m->walks;

	if (m->walk_count == WALKS_MAX) {
		rpc_fail(call, RPC_FAILED, NULL, "%u lists are being made already: try again", WALKS_MAX);
		return;
	}
	w = NEW(struct walk);
	w->methods = m;
	w->piece = piece;
	rpc_list_begin(call, name);
	w->call = rpc_defer(call);
	params_move(&w->params, params);
	while (*end)
		end = &(*end)->next;
	*end = w;
	if (m->walk_count++ == 0)
		ask(w);
}

void walks_free(struct methods *m)
{
	while (m->walks) {
		struct walk *w = m->walks;

		m->walks = w->next;
		params_release(&w->params);
		mem_free(w);
	}
}
