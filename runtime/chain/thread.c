/* The chain thread: a loop of orders, blocks, fees and sleep.
 *
 * Every call of the Backend may say AWAY; then the round is over and the next
 * one begins after a pause that grows.  What was added to the queue before
 * stays true: the follower only moves with it. */
#include "runtime/chain/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bitcoin/block.h"
#include "runtime/chain/lookup.h"

#define POLL_MS 1000u
#define POLL_WORTHLESS_MS 200u /* tests wait for it */
#define FEES_MS 60000u
#define FEES_WORTHLESS_MS 5000u
#define AWAY_MS 250u
#define AWAY_MOST_MS 10000u
#define AWAY_WORTHLESS_MOST_MS 1000u
#define COMPLAIN_MS 60000u
#define PROGRESS_MS 10000u

struct chain_thread {
	const struct source_config *config;
	struct queue *queue;
	struct chain_thread_owner owner;
	pthread_t thread;
	struct follow follow;
	struct backend_tip tip; /* the Backend's, as of the last look */
	bool told_synced;
	uint32_t told_height, told_best;
	struct feerate told_fees[FEE_TARGETS];
	bool have_fees;
	uint64_t next_fees_ms, next_progress_ms;
	uint32_t away_ms;       /* the next pause; 0: it is there */
	uint64_t complained_ms; /* 0: not yet since it is away */
	char error[BACKEND_ERROR_SIZE];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

static void add(struct chain_thread *t, struct item *i)
{
	queue_add(t->queue, i);
	t->owner.ring(t->owner.context);
}

static void fatal(struct chain_thread *t, const char *text)
{
	t->owner.fatal(t->owner.fatal_context, text);
	UNREACHABLE();
}

/* ---- Away and back ---- */

static void is_away(struct chain_thread *t)
{
	uint32_t most = t->config->network->worthless ? AWAY_WORTHLESS_MOST_MS : AWAY_MOST_MS;
	uint64_t now = now_ms();

	if (!t->complained_ms || now - t->complained_ms >= COMPLAIN_MS) {
		log_write(t->config->log, LOG_WARN, "chain", "%s; trying again", t->error);
		t->complained_ms = now;
	}
	t->away_ms = t->away_ms ? 2 * t->away_ms : AWAY_MS;
	if (t->away_ms > most)
		t->away_ms = most;
}

static void is_there(struct chain_thread *t)
{
	if (t->complained_ms)
		log_write(t->config->log, LOG_INFO, "chain", "the chain source answers again");
	t->away_ms = 0;
	t->complained_ms = 0;
}

/* True: OK.  Else the round is over; *no, if given, says that the Backend answered "no". */
static bool judge(struct chain_thread *t, enum backend_result r, bool *no)
{
	if (no)
		*no = r == BACKEND_NO;
	switch (r) {
	case BACKEND_OK:
		return true;
	case BACKEND_NO:
		return false;
	case BACKEND_AWAY:
		if (!queue_stopped(t->queue))
			is_away(t);
		return false;
	case BACKEND_WRONG:
		if (!queue_stopped(t->queue))
			fatal(t, t->error);
		return false;
	}
	UNREACHABLE();
}

/* ---- Broadcasts ---- */

static void broadcast(struct chain_thread *t, const struct order *o)
{
	const struct backend *b = &t->config->backend;
	struct item *i;
	enum backend_result r = b->broadcast(b->context, o->txs, o->count, t->error);

	if (r == BACKEND_AWAY && !queue_stopped(t->queue))
		is_away(t);
	if (!o->id)
		return;
	i = item_new(ITEM_BROADCAST);
	i->id = o->id;
	i->accepted = r == BACKEND_OK;
	i->reason = mem_alloc(BACKEND_ERROR_SIZE);
	if (r != BACKEND_OK)
		memcpy(i->reason, t->error, BACKEND_ERROR_SIZE);
	add(t, i);
}

static void obey(struct chain_thread *t)
{
	struct order *o;

	while ((o = queue_take_order(t->queue))) {
		broadcast(t, o);
		order_free(o);
	}
}

/* ---- Blocks ---- */

static void undo_to(struct chain_thread *t, uint32_t height)
{
	log_write(t->config->log, LOG_WARN, "chain", "the best chain has changed: undoing %u blocks down to height %u",
		  t->follow.height - height, height);
	while (t->follow.height > height) {
		struct item *i = item_new(ITEM_UNDONE);

		i->height = t->follow.height;
		if (!follow_undo(&t->follow, &i->hash, &i->previous))
			UNREACHABLE(); /* the fork is among what is known */
		add(t, i);
	}
}

static void too_deep(struct chain_thread *t)
{
	char text[BACKEND_ERROR_SIZE];

	snprintf(text, sizeof(text),
		 "none of the last %u blocks that this node followed (up to height %u) is in the best chain of the chain source "
		 "any more: either it is on another chain, or there was a reorganisation that no payment is safe against. "
		 "Nothing was changed; find out which of both before starting again", t->follow.known, t->follow.height);
	fatal(t, text);
}

/* Our tip is not in the Backend's chain any more, or the Backend is behind us.  True: we are at the fork. */
static bool find_fork(struct chain_thread *t)
{
	const struct backend *b = &t->config->backend;
	struct follow_fork fork;
	struct block_hash other;

	follow_fork_start(&t->follow, &fork, t->tip.height);
	if (fork.verdict == FOLLOW_TOO_DEEP)
		return false; /* so far behind that nothing can be said: it has to come back first */
	while (fork.verdict == FOLLOW_ASK) {
		if (!judge(t, b->block_hash(b->context, fork.height, &other, t->error), NULL))
			return false;
		follow_fork_tell(&t->follow, &fork, &other);
	}
	if (fork.verdict == FOLLOW_TOO_DEEP)
		too_deep(t);
	/* A chain that only lacks our last blocks is catching up (a restart, a reindex), not reorganised; and if it
	 * has our tip, there is nothing to undo: look again later. */
	if (fork.height == t->tip.height || fork.height == t->follow.height)
		return false;
	undo_to(t, fork.height);
	return true;
}

static bool take_block(struct chain_thread *t, uint32_t height, const struct block_hash *hash)
{
	const struct backend *b = &t->config->backend;
	struct item *i = item_new(ITEM_BLOCK);
	struct block_reader r;

	i->height = height;
	i->hash = *hash;
	if (!judge(t, b->block(b->context, hash, &i->raw, t->error), NULL)) {
		item_free(i);
		return false;
	}
	if (!block_open(&r, buf_view(&i->raw)) || !SAME(r.hash, *hash))
		fatal(t, "the chain source gave another block than the one that was asked for");
	if (!follow_connect(&t->follow, height, hash, &r.header.prev)) {
		item_free(i); /* the chain changed while we looked */
		return false;
	}
	add(t, i);
	return true;
}

static void progress(struct chain_thread *t)
{
	uint64_t now = now_ms();

	if (!t->follow.started || now < t->next_progress_ms || t->follow.height + 6 > t->tip.height)
		return;
	log_write(t->config->log, LOG_INFO, "chain", "at block %u of %u", t->follow.height, t->tip.height);
	t->next_progress_ms = now + PROGRESS_MS;
}

/* The first block of all: where the wallet was born, or the tip. */
static uint32_t first_height(const struct chain_thread *t)
{
	const struct source_config *c = t->config;

	return c->has_birthday && c->birthday_height < t->tip.height ? c->birthday_height : t->tip.height;
}

/* True: took one block or undid some; there may be more at once. */
static bool advance(struct chain_thread *t)
{
	const struct backend *b = &t->config->backend;
	const struct block_hash *ours = t->follow.started ? follow_hash(&t->follow, t->follow.height) : NULL;
	struct block_hash hash;
	uint32_t next = ours ? t->follow.height + 1 : first_height(t);

	if (ours && SAME(*ours, t->tip.hash))
		return false;
	if (ours && t->tip.height <= t->follow.height)
		return find_fork(t);
	if (!judge(t, b->block_hash(b->context, next, &hash, t->error), NULL))
		return false;
	progress(t);
	if (take_block(t, next, &hash))
		return true;
	/* It did not fit on ours.  Away, or gone from the chain: the next look at the tip will tell. */
	return !t->away_ms && ours && find_fork(t);
}

static void tell_synced(struct chain_thread *t)
{
	uint32_t best = t->tip.headers > t->tip.height ? t->tip.headers : t->tip.height;
	struct item *i;

	if (!t->follow.started || (t->told_synced && t->told_height == t->follow.height && t->told_best == best))
		return;
	t->told_synced = true;
	t->told_height = t->follow.height;
	t->told_best = best;
	i = item_new(ITEM_SYNCED);
	i->height = t->follow.height;
	i->best_height = best;
	add(t, i);
}

/* True: there is more to do at once. */
static bool follow_round(struct chain_thread *t)
{
	const struct backend *b = &t->config->backend;

	if (!queue_has_room(t->queue))
		return false;
	if (!judge(t, b->tip(b->context, &t->tip, t->error), NULL))
		return false;
	is_there(t);
	while (queue_has_room(t->queue) && !queue_stopped(t->queue)) {
		obey(t);
		if (!advance(t)) {
			if (!t->away_ms && t->follow.started && SAME(*follow_hash(&t->follow, t->follow.height), t->tip.hash))
				tell_synced(t);
			return false;
		}
	}
	return true;
}

/* ---- Fees ---- */

/* Where coins are worth nothing there may never be an estimate. */
static const struct feerate worthless_fees[FEE_TARGETS] = {
	[FEE_URGENT] = { 5000 }, [FEE_NORMAL] = { 2500 }, [FEE_SLOW] = { 1000 }, [FEE_MINIMUM] = { FEERATE_FLOOR_PER_KW },
};
/* B2.funding_created.6: a funding transaction pays FEE_NORMAL, and is offered again until it confirms. */
static const uint32_t target_blocks[FEE_TARGETS] = { [FEE_URGENT] = 2, [FEE_NORMAL] = 6, [FEE_SLOW] = 100, [FEE_MINIMUM] = 0 };

/* Waiting less never costs less. */
static void put_in_order(struct feerate rates[FEE_TARGETS])
{
	for (int i = FEE_TARGETS - 2; i >= 0; i--)
		if (rates[i].per_kw < rates[i + 1].per_kw)
			rates[i] = rates[i + 1];
}

/* False: not all are known. */
static bool ask_fees(struct chain_thread *t, struct feerate rates[FEE_TARGETS])
{
	const struct backend *b = &t->config->backend;

	for (int i = 0; i < FEE_TARGETS; i++) {
		bool no;

		if (judge(t, b->feerate(b->context, target_blocks[i], &rates[i], t->error), &no))
			continue;
		if (!no)
			return false;
		if (!t->config->network->worthless) {
			log_write(t->config->log, LOG_WARN, "chain", "%s: no channel can be opened before it has", t->error);
			return false;
		}
		rates[i] = worthless_fees[i];
	}
	put_in_order(rates);
	return true;
}

static void fees(struct chain_thread *t)
{
	struct feerate rates[FEE_TARGETS];
	uint32_t interval = t->config->network->worthless ? FEES_WORTHLESS_MS : FEES_MS;
	struct item *i;

	if (t->away_ms || now_ms() < t->next_fees_ms)
		return;
	t->next_fees_ms = now_ms() + (t->config->fees_ms ? t->config->fees_ms : interval);
	if (!ask_fees(t, rates) || (t->have_fees && memcmp(rates, t->told_fees, sizeof(rates)) == 0))
		return;
	t->have_fees = true;
	memcpy(t->told_fees, rates, sizeof(rates));
	i = item_new(ITEM_FEES);
	memcpy(i->rates, rates, sizeof(rates));
	add(t, i);
}

/* ---- Gossip ---- */

/* One block between two rounds: whatever else the Backend is needed for waits no longer than for that.  True: there
 * was one. */
static bool look_up(struct chain_thread *t)
{
	struct lookup_order *o = queue_take_lookup(t->queue);

	if (!o)
		return false;
	add(t, lookup_answer(&t->config->backend, o));
	lookup_order_free(o);
	return true;
}

/* ---- Life ---- */

static void *run(void *context)
{
	struct chain_thread *t = context;
	uint32_t poll = t->config->network->worthless ? POLL_WORTHLESS_MS : POLL_MS;

	if (t->config->poll_ms)
		poll = t->config->poll_ms;
	while (!queue_stopped(t->queue)) {
		bool more;

		obey(t);
		more = follow_round(t);
		fees(t);
		more |= look_up(t);
		if (!more)
			queue_wait(t->queue, t->away_ms ? t->away_ms : poll, !queue_has_room(t->queue));
	}
	return NULL;
}

struct chain_thread *chain_thread_new(const struct source_config *config, struct queue *queue,
				      const struct chain_thread_owner *owner)
{
	struct chain_thread *t = NEW(struct chain_thread);
	sigset_t all, before;

	t->config = config;
	t->queue = queue;
	t->owner = *owner;
	t->follow = config->stored;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ASSERT(!pthread_create(&t->thread, NULL, run, t));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t;
}

void chain_thread_free(struct chain_thread *t)
{
	pthread_join(t->thread, NULL);
	mem_free(t);
}
