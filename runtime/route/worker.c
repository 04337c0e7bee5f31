#include "runtime/route/worker.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>

struct work {
	uint64_t id;
	struct route_job *job;
};

/* First in, first out: what waits stands from `first` on. */
struct line {
	struct work *work;
	uint32_t first, count, capacity;
};

struct route_worker {
	struct route_worker_owner owner;
	struct loop_wake *wake;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct line todo, done; /* under the lock */
	bool stop;
};

static void line_add(struct line *l, struct work work)
{
	if (l->first + l->count == l->capacity && l->first && l->first >= l->count) {
		memmove(l->work, l->work + l->first, l->count * sizeof(*l->work));
		l->first = 0;
	}
	if (l->first + l->count == l->capacity) {
		l->capacity = l->capacity ? 2 * l->capacity : 64;
		l->work = mem_realloc(l->work, l->capacity, sizeof(*l->work));
	}
	l->work[l->first + l->count++] = work;
}

static bool line_take(struct line *l, struct work *out)
{
	if (!l->count)
		return false;
	*out = l->work[l->first++];
	if (!--l->count)
		l->first = 0;
	return true;
}

/* What a snapshot was built of, and the one before it, are megabytes that nobody needs soon. */
static void give_back_memory(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void *run(void *context)
{
	struct route_worker *w = context;
	struct work work;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (!line_take(&w->todo, &work)) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		route_job_run(work.job);
		if (work.job->kind == ROUTE_JOB_BUILD)
			give_back_memory();
		pthread_mutex_lock(&w->lock);
		line_add(&w->done, work);
		loop_wake_ring(w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void on_wake(void *context)
{
	struct route_worker *w = context;
	struct work work;
	bool some;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		some = line_take(&w->done, &work);
		pthread_mutex_unlock(&w->lock);
		if (!some)
			return;
		w->owner.done(w->owner.context, work.id);
	}
}

struct route_worker *route_worker_new(struct loop *loop, const struct route_worker_owner *owner)
{
	struct route_worker *w = NEW(struct route_worker);
	sigset_t all, before;

	w->owner = *owner;
	w->wake = loop_wake_new(loop, on_wake, w);
	ASSERT(!pthread_mutex_init(&w->lock, NULL) && !pthread_cond_init(&w->changed, NULL));
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ASSERT(!pthread_create(&w->thread, NULL, run, w));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w;
}

void route_worker_free(struct route_worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	loop_wake_free(w->wake);
	mem_free(w->todo.work);
	mem_free(w->done.work);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	mem_free(w);
}

void route_worker_put(struct route_worker *w, uint64_t id, struct route_job *job)
{
	pthread_mutex_lock(&w->lock);
	line_add(&w->todo, (struct work){ id, job });
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}
