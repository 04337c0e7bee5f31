#include "runtime/store/thread.h"

#include <pthread.h>
#include <signal.h>

enum work { WORK_NONE, WORK_ASKED, WORK_DONE };

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
	bool stop;
};

static void commit(struct store_thread *t)
{
	if (!t->store->commit(t->store, t->ops, t->count)) {
		t->owner.fatal(t->owner.context, t->store->error);
		UNREACHABLE();
	}
}

/* Holds the lock, except while the disk works. */
static void *run(void *context)
{
	struct store_thread *t = context;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		while (t->work != WORK_ASKED && !t->stop)
			pthread_cond_wait(&t->changed, &t->lock);
		if (t->work != WORK_ASKED)
			break;
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
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct store_thread *store_thread_new(struct store *store, const struct store_thread_owner *owner)
{
	struct store_thread *t = NEW(struct store_thread);
	sigset_t all, before;

	t->store = store;
	t->owner = *owner;
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
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
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
