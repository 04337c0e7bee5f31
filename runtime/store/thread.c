#include "runtime/store/thread.h"

#include <pthread.h>
#include <signal.h>

enum work { WORK_NONE, WORK_ASKED, WORK_DONE };

/* A read: wanted, then done. */
struct read {
	struct read *next;
	struct store_reader reader;
	struct arena arena; /* of the ranges */
	struct record_range *ranges;
	uint32_t count;
	struct fetch got;
};

struct reads {
	struct read *head, **tail;
};

struct store_thread {
	struct store *store;
	struct store_thread_owner owner;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Below: under the lock. */
	enum work work;
	const struct store_op *ops;
	uint32_t count;
	struct reads wanted, done;
	bool stop;
};

static void push(struct reads *q, struct read *r)
{
	r->next = NULL;
	*q->tail = r;
	q->tail = &r->next;
}

static struct read *pop(struct reads *q)
{
	struct read *r = q->head;

	if (!r)
		return NULL;
	q->head = r->next;
	if (!q->head)
		q->tail = &q->head;
	return r;
}

static void read_free(struct read *r)
{
	arena_release(&r->arena);
	mem_free(r);
}

static void commit(struct store_thread *t)
{
	if (!t->store->commit(t->store, t->ops, t->count)) {
		t->owner.fatal(t->owner.context, t->store->error);
		UNREACHABLE();
	}
}

/* The next two hold the lock, except while the disk works. */
static void do_commit(struct store_thread *t)
{
	pthread_mutex_unlock(&t->lock);
	commit(t);
	pthread_mutex_lock(&t->lock);
	t->work = WORK_DONE;
	pthread_mutex_unlock(&t->lock);
	t->owner.wake(t->owner.context);
	/* Whoever commits next waits for this; the effects of the last batch do not. */
	t->store->idle(t->store);
	pthread_mutex_lock(&t->lock);
}

static void do_read(struct store_thread *t, struct read *r)
{
	pthread_mutex_unlock(&t->lock);
	if (!fetch_read(&r->got, t->store, r->ranges, r->count)) {
		t->owner.fatal(t->owner.context, t->store->error);
		UNREACHABLE();
	}
	pthread_mutex_lock(&t->lock);
	push(&t->done, r);
	pthread_mutex_unlock(&t->lock);
	t->owner.wake(t->owner.context);
	pthread_mutex_lock(&t->lock);
}

static void *run(void *context)
{
	struct store_thread *t = context;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		while (t->work != WORK_ASKED && !t->stop && !t->wanted.head)
			pthread_cond_wait(&t->changed, &t->lock);
		if (t->work == WORK_ASKED)
			do_commit(t);
		else if (t->stop)
			break;
		else
			do_read(t, pop(&t->wanted));
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct store_thread *store_thread_new(struct store *store, const struct store_thread_owner *owner)
{
	struct store_thread *t = NEW(struct store_thread);
	sigset_t all, before;

	t->store = store;
	t->owner = *owner;
	t->wanted.tail = &t->wanted.head;
	t->done.tail = &t->done.head;
	ASSERT(!pthread_mutex_init(&t->lock, NULL) && !pthread_cond_init(&t->changed, NULL));
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ASSERT(!pthread_create(&t->thread, NULL, run, t));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t;
}

void store_thread_free(struct store_thread *t)
{
	struct read *r;

	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	while ((r = pop(&t->wanted)))
		read_free(r);
	while ((r = pop(&t->done))) {
		fetch_release(&r->got);
		read_free(r);
	}
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}

void store_thread_commit(struct store_thread *t, const struct store_op *ops, uint32_t count)
{
	pthread_mutex_lock(&t->lock);
	ASSERT(t->work == WORK_NONE);
	t->ops = ops;
	t->count = count;
	t->work = WORK_ASKED;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

bool store_thread_done(struct store_thread *t)
{
	bool done;

	pthread_mutex_lock(&t->lock);
	done = t->work == WORK_DONE;
	if (done)
		t->work = WORK_NONE;
	pthread_mutex_unlock(&t->lock);
	return done;
}

void store_thread_fetch(struct store_thread *t, const struct store_reader *reader, const struct record_range *ranges,
			uint32_t count)
{
	struct read *r = NEW(struct read);

	r->reader = *reader;
	arena_init(&r->arena);
	r->ranges = ARENA_ARRAY(&r->arena, struct record_range, count);
	r->count = count;
	for (uint32_t i = 0; i < count; i++) {
		r->ranges[i] = ranges[i];
		r->ranges[i].prefix = arena_bytes(&r->arena, ranges[i].prefix);
		r->ranges[i].from = arena_bytes(&r->arena, ranges[i].from);
	}
	pthread_mutex_lock(&t->lock);
	push(&t->wanted, r);
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

bool store_thread_fetched(struct store_thread *t, struct store_reader *reader, struct fetch *out)
{
	struct read *r;

	pthread_mutex_lock(&t->lock);
	r = pop(&t->done);
	pthread_mutex_unlock(&t->lock);
	if (!r)
		return false;
	*reader = r->reader;
	*out = r->got;
	read_free(r);
	return true;
}
