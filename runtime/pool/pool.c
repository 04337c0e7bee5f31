#include "runtime/pool/pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

struct pool {
	struct runner runner;
	pthread_t threads[POOL_THREADS_MAX];
	uint32_t thread_count;
	sem_t asked; /* wakes a thread; it may find nothing left to do */
	pthread_mutex_t lock;
	pthread_cond_t left;
	/* Below: under the lock.  The job is written while nobody is inside, and read by those who came in while it was
	 * open. */
	bool open, stop;
	uint32_t inside;
	runner_part *part;
	void *job;
	uint32_t count;
	atomic_uint next; /* the part that nobody has taken yet */
};

static void work(struct pool *p)
{
	uint32_t i;

	while ((i = atomic_fetch_add(&p->next, 1)) < p->count)
		p->part(p->job, i);
}

/* Once awake; false: the pool ends. */
static bool visit(struct pool *p)
{
	bool stop;

	pthread_mutex_lock(&p->lock);
	stop = p->stop;
	if (p->open) {
		p->inside++;
		pthread_mutex_unlock(&p->lock);
		work(p);
		pthread_mutex_lock(&p->lock);
		if (--p->inside == 0)
			pthread_cond_signal(&p->left);
	}
	pthread_mutex_unlock(&p->lock);
	return !stop;
}

static void *run_thread(void *context)
{
	struct pool *p = context;

	do {
		while (sem_wait(&p->asked))
			; /* interrupted */
	} while (visit(p));
	return NULL;
}

static void wake(struct pool *p, uint32_t wanted)
{
	int awake = 0;

	/* Who was woken for the last job and has not run since will do for this one. */
	sem_getvalue(&p->asked, &awake);
	for (uint32_t i = (uint32_t)awake; i < wanted; i++)
		sem_post(&p->asked);
}

static void run(void *context, runner_part *part, void *job, uint32_t count)
{
	struct pool *p = context;

	if (count < 2 || p->thread_count == 0) {
		runner_run(NULL, part, job, count);
		return;
	}
	pthread_mutex_lock(&p->lock);
	ASSERT(!p->open && p->inside == 0);
	p->part = part;
	p->job = job;
	p->count = count;
	atomic_store(&p->next, 0);
	p->open = true;
	pthread_mutex_unlock(&p->lock);
	wake(p, count - 1 < p->thread_count ? count - 1 : p->thread_count);
	work(p);
	pthread_mutex_lock(&p->lock);
	p->open = false;
	while (p->inside)
		pthread_cond_wait(&p->left, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

uint32_t pool_threads_default(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t threads = processors > 1 ? (uint32_t)processors - 1 : 0;

	return threads < POOL_THREADS_MAX ? threads : POOL_THREADS_MAX;
}

struct pool *pool_new(uint32_t threads)
{
	struct pool *p = NEW(struct pool);
	sigset_t all, before;

	ASSERT(threads <= POOL_THREADS_MAX);
	p->runner = (struct runner){ p, run };
	p->thread_count = threads;
	ASSERT(!sem_init(&p->asked, 0, 0));
	ASSERT(!pthread_mutex_init(&p->lock, NULL) && !pthread_cond_init(&p->left, NULL));
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (uint32_t i = 0; i < threads; i++)
		ASSERT(!pthread_create(&p->threads[i], NULL, run_thread, p));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	for (uint32_t i = 0; i < p->thread_count; i++)
		sem_post(&p->asked);
	for (uint32_t i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->left);
	pthread_mutex_destroy(&p->lock);
	sem_destroy(&p->asked);
	mem_free(p);
}

const struct runner *pool_runner(const struct pool *p)
{
	return &p->runner;
}
