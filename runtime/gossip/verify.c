#include "runtime/gossip/verify.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/keys.h"

#define THREADS_MAX 4u
#define NICENESS 10

struct job {
	struct job *next;
	uint64_t id;
	uint32_t count;
	struct gossip_check *checks;
	bool *good;
};

struct jobs {
	struct job *head, **tail;
};

struct verifier {
	struct verifier_owner owner;
	struct loop_wake *wake;
	pthread_t threads[THREADS_MAX];
	uint32_t thread_count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct jobs todo, done;
	bool stop;
};

static void jobs_init(struct jobs *j)
{
	j->head = NULL;
	j->tail = &j->head;
}

static void jobs_add(struct jobs *j, struct job *job)
{
	job->next = NULL;
	*j->tail = job;
	j->tail = &job->next;
}

static struct job *jobs_take(struct jobs *j)
{
	struct job *job = j->head;

	if (job) {
		j->head = job->next;
		if (!j->head)
			j->tail = &j->head;
	}
	return job;
}

static void job_free(struct job *job)
{
	mem_free(job->checks);
	mem_free(job->good);
	mem_free(job);
}

static void work(struct job *job)
{
	for (uint32_t i = 0; i < job->count; i++) {
		const struct gossip_check *c = &job->checks[i];

		job->good[i] = ecdsa_verify(&c->signature, &c->hash, &c->key);
	}
}

static void *run(void *context)
{
	struct verifier *v = context;
	struct job *job;

	/* Linux gives each thread a priority of its own.  Where that fails it only costs fairness. */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
	pthread_mutex_lock(&v->lock);
	while (!v->stop) {
		job = jobs_take(&v->todo);
		if (!job) {
			pthread_cond_wait(&v->changed, &v->lock);
			continue;
		}
		pthread_mutex_unlock(&v->lock);
		work(job);
		pthread_mutex_lock(&v->lock);
		jobs_add(&v->done, job);
		loop_wake_ring(v->wake);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static void on_wake(void *context)
{
	struct verifier *v = context;
	struct job *job;

	for (;;) {
		pthread_mutex_lock(&v->lock);
		job = jobs_take(&v->done);
		pthread_mutex_unlock(&v->lock);
		if (!job)
			return;
		v->owner.done(v->owner.context, job->id, job->good, job->count);
		job_free(job);
	}
}

static uint32_t threads_wanted(uint32_t threads)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!threads)
		threads = processors > 1 ? (uint32_t)processors - 1 : 1;
	return threads < THREADS_MAX ? threads : THREADS_MAX;
}

struct verifier *verifier_new(struct loop *loop, const struct verifier_owner *owner, uint32_t threads)
{
	struct verifier *v = NEW(struct verifier);
	sigset_t all, before;

	v->owner = *owner;
	v->wake = loop_wake_new(loop, on_wake, v);
	jobs_init(&v->todo);
	jobs_init(&v->done);
	ASSERT(!pthread_mutex_init(&v->lock, NULL) && !pthread_cond_init(&v->changed, NULL));
	v->thread_count = threads_wanted(threads);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (uint32_t i = 0; i < v->thread_count; i++)
		ASSERT(!pthread_create(&v->threads[i], NULL, run, v));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return v;
}

void verifier_free(struct verifier *v)
{
	struct job *job;

	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
	for (uint32_t i = 0; i < v->thread_count; i++)
		pthread_join(v->threads[i], NULL);
	while ((job = jobs_take(&v->todo)))
		job_free(job);
	while ((job = jobs_take(&v->done)))
		job_free(job);
	loop_wake_free(v->wake);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->changed);
	mem_free(v);
}

void verifier_ask(struct verifier *v, uint64_t id, const struct gossip_check *checks, uint32_t count)
{
	struct job *job = NEW(struct job);

	job->id = id;
	job->count = count;
	job->checks = NEW_ARRAY(struct gossip_check, count ? count : 1);
	job->good = NEW_ARRAY(bool, count ? count : 1);
	if (count)
		memcpy(job->checks, checks, count * sizeof(*checks));
	pthread_mutex_lock(&v->lock);
	jobs_add(&v->todo, job);
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
}
