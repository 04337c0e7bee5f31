#include "runtime/exec/exec.h"

#include "runtime/exec/coalesce.h"

/* Invariants:
 *	INV-E1 an effect is released only after the commit of every PERSIST of its batch and of all batches before
 *	INV-E2 effects are released once, in the order in which they were added
 *	INV-E3 at most one commit is under way
 *	INV-E4 a batch is closed only when the core is quiet: every event stepped, flushed, every answer that was
 *	      given at once stepped too */

struct batch {
	struct effects effects;
	struct exec_query *queries;
	uint32_t query_count, query_capacity;
};

struct exec {
	struct exec_ports ports;
	struct batch batches[2];
	struct batch *filling, *committing; /* committing: NULL when no commit is under way */
	struct effect **asked; /* behind the last effect of `filling` that ask() has looked at */
	uint64_t now_ms, number;
	bool dirty;   /* something was stepped since the last close */
	bool running; /* exec_run is on the stack */
	bool halted;
};

struct exec *exec_new(const struct exec_ports *ports)
{
	struct exec *e = NEW(struct exec);

	e->ports = *ports;
	effects_init(&e->batches[0].effects);
	effects_init(&e->batches[1].effects);
	e->filling = &e->batches[0];
	e->asked = &e->filling->effects.head;
	e->number = 1;
	return e;
}

void exec_free(struct exec *e)
{
	for (int i = 0; i < 2; i++) {
		effects_release(&e->batches[i].effects);
		mem_free(e->batches[i].queries);
	}
	mem_free(e);
}

struct effects *exec_effects(struct exec *e)
{
	e->dirty = true;
	return &e->filling->effects;
}

/* Law 1: events are stepped as they come. */
void exec_event(struct exec *e, const struct event *event)
{
	bool is_block = event->kind == EVENT_BLOCK || event->kind == EVENT_BLOCK_UNDONE;

	if (event->now_ms > e->now_ms)
		e->now_ms = event->now_ms;
	/* The wallet first, so that the core can spend at once what the block brought. */
	if (is_block && e->ports.funds.block)
		e->ports.funds.block(e->ports.funds.context, event, e);
	e->ports.core.step(e->ports.core.context, event, exec_effects(e));
}

static void answered(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct exec *e = owner;
	struct sign_answer copy = *answer;
	struct event event = { .kind = EVENT_SIGNED, .now_ms = e->now_ms };

	event.u.signature.id = id;
	event.u.signature.answer = &copy;
	exec_event(e, &event);
	mem_wipe(&copy, sizeof(copy));
}

void exec_funded(struct exec *e, uint64_t id, const struct funds_answer *answer)
{
	struct funds_answer copy = *answer;
	struct event event = { .kind = EVENT_FUNDS, .now_ms = e->now_ms };

	event.u.funds.id = id;
	event.u.funds.answer = &copy;
	exec_event(e, &event);
}

/* Law 2: hands new questions to their ports.  An answer given at once is stepped inside the call and may append
 * further questions, which this walk meets in turn. */
static void ask(struct exec *e)
{
	while (*e->asked && !e->halted) {
		const struct effect *f = *e->asked;

		e->asked = &(*e->asked)->next;
		if (f->kind == EFFECT_SIGN && !e->ports.signer.remembers)
			e->ports.signer.request(e->ports.signer.context, f->u.sign.request, answered, e, f->u.sign.id);
		else if (f->kind == EFFECT_FUNDS)
			e->ports.funds.request(e->ports.funds.context, f->u.funds.id, f->u.funds.request, e);
		else if (f->kind == EFFECT_COMPUTE)
			e->ports.compute.start(e->ports.compute.context, f->u.compute.id, f->u.compute.job);
	}
}

static void settle(struct exec *e)
{
	ask(e);
	do {
		e->ports.core.flush(e->ports.core.context, e->now_ms, &e->filling->effects);
		e->dirty = false;
		ask(e); /* an answer makes it dirty again */
	} while (e->dirty && !e->halted);
}

/* Law 4. */
static void release(struct exec *e, struct batch *b)
{
	/* INV-E1, INV-E2: called by exec_committed alone, and then they are forgotten */
	for (const struct effect *f = b->effects.head; f && !e->halted; f = f->next) {
		if (f->kind == EFFECT_SIGN && e->ports.signer.remembers)
			e->ports.signer.request(e->ports.signer.context, f->u.sign.request, answered, e, f->u.sign.id);
		else if (f->kind != EFFECT_PERSIST && f->kind != EFFECT_SIGN && f->kind != EFFECT_FUNDS && f->kind != EFFECT_COMPUTE)
			e->ports.release.release(e->ports.release.context, f);
	}
	for (uint32_t i = 0; i < b->query_count && !e->halted; i++)
		b->queries[i].release(b->queries[i].context);
	if (!e->halted && e->ports.release.end)
		e->ports.release.end(e->ports.release.context);
	b->query_count = 0;
	effects_reset(&b->effects);
}

void exec_committed(struct exec *e)
{
	struct batch *b = e->committing;

	ASSERT(b);
	if (e->halted)
		return;
	release(e, b);
	e->committing = NULL;
}

/* Law 3. */
static void close_batch(struct exec *e)
{
	struct batch *b = e->filling;
	const struct store_op *ops;
	uint32_t count;

	settle(e); /* INV-E4 */
	for (uint32_t i = 0; i < b->query_count; i++)
		b->queries[i].evaluate(b->queries[i].context);
	if (e->halted)
		return;
	e->committing = b;
	e->filling = b == &e->batches[0] ? &e->batches[1] : &e->batches[0];
	e->asked = &e->filling->effects.head;
	e->number++;
	ops = coalesce(&b->effects, &count);
	if (count)
		e->ports.commit.commit(e->ports.commit.context, ops, count, e);
	else
		exec_committed(e);
}

void exec_run(struct exec *e, uint64_t now_ms)
{
	if (now_ms > e->now_ms)
		e->now_ms = now_ms;
	if (e->running)
		return; /* called from a port: the run below on the stack goes on */
	e->running = true;
	/* A signer that is far away can begin while the store is still busy. */
	ask(e);
	while (e->dirty && !e->committing && !e->halted) /* INV-E3 */
		close_batch(e);
	e->running = false;
}

void exec_query(struct exec *e, const struct exec_query *query)
{
	struct batch *b = e->filling;

	if (b->query_count == b->query_capacity) {
		b->query_capacity = b->query_capacity ? 2 * b->query_capacity : 16;
		b->queries = mem_realloc(b->queries, b->query_capacity, sizeof(*b->queries));
	}
	b->queries[b->query_count++] = *query;
	e->dirty = true;
}

void exec_persist(struct exec *e, enum record_kind kind, struct bytes key, struct bytes value)
{
	effect_persist(exec_effects(e), kind, key, value);
}

void exec_remove(struct exec *e, enum record_kind kind, struct bytes key)
{
	effect_remove(exec_effects(e), kind, key);
}

void exec_watch(struct exec *e, const struct watch *watch)
{
	struct effects *out = exec_effects(e);
	struct effect *f = effect_add(out, EFFECT_WATCH);

	f->u.watch = *watch;
	f->u.watch.script = arena_bytes(&out->arena, watch->script);
}

bool exec_ahead(struct exec *e)
{
	if (e->halted || !exec_quiet(e))
		return false;
	return (e->ports.core.ahead && e->ports.core.ahead(e->ports.core.context)) ||
	       (e->ports.signer.ahead && e->ports.signer.ahead(e->ports.signer.context));
}

uint64_t exec_deadline(const struct exec *e)
{
	return e->ports.core.deadline(e->ports.core.context);
}

size_t exec_backlog(const struct exec *e)
{
	return e->filling->effects.arena.used;
}

bool exec_quiet(const struct exec *e)
{
	return !e->dirty && !e->committing;
}

uint64_t exec_batch(const struct exec *e)
{
	return e->number;
}

void exec_halt(struct exec *e)
{
	e->halted = true;
}
