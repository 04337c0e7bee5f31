#include "runtime/gossip/verify.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "crypto/keys.h"

/* The threads run when nobody else wants the processor, so one of them may stand still at any instruction for as long
 * as others are busy.  The loop must never wait for that: no lock is shared with them.  A slot belongs to the loop or to
 * one thread, and says itself to which:
 *
 *	FREE --loop--> ASKED --a thread--> TAKEN --the same--> DONE --loop--> FREE */

#define THREADS_MAX 4u
#define SLOTS 8u /* more than the core hands out */

enum { FREE, ASKED, TAKEN, DONE };

struct job {
	struct job *next;
	uint64_t id;
	uint32_t count;
	struct gossip_check *checks;
	bool *good;
};

struct slot {
	atomic_int state;
	struct job *job;
};

struct verifier {
	struct verifier_owner owner;
	struct loop_wake *wake;
	pthread_t threads[THREADS_MAX];
	uint32_t thread_count;
	struct slot slots[SLOTS];
	sem_t asked; /* one for each slot that was ASKED, and each thread that shall end */
	atomic_bool stop;
	struct job *waiting, **waiting_tail; /* for a slot; the loop's */
};

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

static struct slot *take(struct verifier *v)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		int asked = ASKED;

		if (atomic_compare_exchange_strong(&v->slots[i].state, &asked, TAKEN))
			return &v->slots[i];
	}
	return NULL;
}

static void *run(void *context)
{
	struct verifier *v = context;
	const struct sched_param any = { 0 };
	struct slot *s;

	/* Linux gives each thread a policy of its own.  One that is merely nice would still keep the loop and the store
	 * waiting for the rest of its slice, some milliseconds each time they wake; from this one they take the processor
	 * at once.  Where that fails it only costs fairness. */
	(void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &any);
	for (;;) {
		while (sem_wait(&v->asked))
			; /* interrupted */
		if (atomic_load(&v->stop))
			return NULL;
		s = take(v);
		if (!s)
			continue;
		work(s->job);
		atomic_store(&s->state, DONE);
		loop_wake_ring(v->wake);
	}
}

/* Into free slots, the oldest first. */
static void hand_out(struct verifier *v)
{
	for (uint32_t i = 0; i < SLOTS && v->waiting; i++) {
		struct slot *s = &v->slots[i];

		if (atomic_load(&s->state) != FREE)
			continue;
		s->job = v->waiting;
		v->waiting = s->job->next;
		if (!v->waiting)
			v->waiting_tail = &v->waiting;
		atomic_store(&s->state, ASKED);
		sem_post(&v->asked);
	}
}

static void on_wake(void *context)
{
	struct verifier *v = context;

	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *s = &v->slots[i];
		struct job *job = s->job;

		if (atomic_load(&s->state) != DONE)
			continue;
		s->job = NULL;
		atomic_store(&s->state, FREE);
		hand_out(v);
		v->owner.done(v->owner.context, job->id, job->good, job->count);
		job_free(job);
	}
}

static uint32_t threads_wanted(uint32_t threads)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!threads)
		threads = processors > 1 ? (uint32_t)processors : 1;
	return threads < THREADS_MAX ? threads : THREADS_MAX;
}

struct verifier *verifier_new(struct loop *loop, const struct verifier_owner *owner, uint32_t threads)
{
	struct verifier *v = NEW(struct verifier);
	sigset_t all, before;

	v->owner = *owner;
	v->wake = loop_wake_new(loop, on_wake, v);
	v->waiting_tail = &v->waiting;
	ASSERT(!sem_init(&v->asked, 0, 0));
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
	atomic_store(&v->stop, true);
	for (uint32_t i = 0; i < v->thread_count; i++)
		sem_post(&v->asked);
	for (uint32_t i = 0; i < v->thread_count; i++)
		pthread_join(v->threads[i], NULL);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (v->slots[i].job)
			job_free(v->slots[i].job);
	while ((job = v->waiting)) {
		v->waiting = job->next;
		job_free(job);
	}
	loop_wake_free(v->wake);
	sem_destroy(&v->asked);
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
	*v->waiting_tail = job;
	v->waiting_tail = &job->next;
	hand_out(v);
}
