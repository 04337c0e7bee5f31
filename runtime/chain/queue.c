#include "runtime/chain/queue.h"

#include <string.h>
#include <time.h>

void queue_init(struct queue *q)
{
	pthread_condattr_t a;

	memset(q, 0, sizeof(*q));
	q->items_tail = &q->items;
	q->orders_tail = &q->orders;
	q->lookups_tail = &q->lookups;
	ASSERT(!pthread_condattr_init(&a) && !pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
	ASSERT(!pthread_mutex_init(&q->lock, NULL) && !pthread_cond_init(&q->changed, &a));
	pthread_condattr_destroy(&a);
}

void queue_release(struct queue *q)
{
	struct item *i;
	struct lookup_order *l;
	struct order *o;

	while ((l = queue_take_lookup(q)))
		lookup_order_free(l);
	while ((i = queue_take(q)))
		item_free(i);
	while ((o = queue_take_order(q)))
		order_free(o);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

struct item *item_new(enum item_kind kind)
{
	struct item *i = NEW(struct item);

	i->kind = kind;
	return i;
}

void item_free(struct item *i)
{
	for (uint32_t k = 0; k < i->count; k++)
		mem_free((void *)i->fundings[k].script.data);
	mem_free(i->fundings);
	buf_release(&i->raw);
	mem_free(i->reason);
	mem_free(i);
}

void order_free(struct order *o)
{
	for (uint32_t i = 0; i < o->count; i++)
		mem_free((void *)o->txs[i].data);
	mem_free(o->txs);
	mem_free(o);
}

void queue_add(struct queue *q, struct item *i)
{
	pthread_mutex_lock(&q->lock);
	*q->items_tail = i;
	q->items_tail = &i->next;
	q->blocks += i->kind == ITEM_BLOCK;
	pthread_mutex_unlock(&q->lock);
}

struct item *queue_take(struct queue *q)
{
	struct item *i;

	pthread_mutex_lock(&q->lock);
	i = q->items;
	if (i) {
		q->items = i->next;
		if (!q->items)
			q->items_tail = &q->items;
		if (i->kind == ITEM_BLOCK && q->blocks-- == QUEUE_BLOCKS_MAX)
			pthread_cond_signal(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
	return i;
}

void queue_order(struct queue *q, uint64_t id, const struct bytes *txs, uint32_t count)
{
	struct order *o = NEW(struct order);

	o->id = id;
	o->txs = NEW_ARRAY(struct bytes, count);
	o->count = count;
	for (uint32_t i = 0; i < count; i++)
		o->txs[i] = BYTES(memcpy(mem_alloc(txs[i].size), txs[i].data, txs[i].size), txs[i].size);
	pthread_mutex_lock(&q->lock);
	*q->orders_tail = o;
	q->orders_tail = &o->next;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

struct order *queue_take_order(struct queue *q)
{
	struct order *o;

	pthread_mutex_lock(&q->lock);
	o = q->orders;
	if (o) {
		q->orders = o->next;
		if (!q->orders)
			q->orders_tail = &q->orders;
	}
	pthread_mutex_unlock(&q->lock);
	return o;
}

void lookup_order_free(struct lookup_order *o)
{
	mem_free(o->scids);
	mem_free(o);
}

void queue_lookup(struct queue *q, uint64_t id, uint32_t height, const struct scid *scids, uint32_t count)
{
	struct lookup_order *o = NEW(struct lookup_order);

	o->id = id;
	o->height = height;
	o->count = count;
	o->scids = NEW_ARRAY(struct scid, count);
	memcpy(o->scids, scids, count * sizeof(*scids));
	pthread_mutex_lock(&q->lock);
	*q->lookups_tail = o;
	q->lookups_tail = &o->next;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

struct lookup_order *queue_take_lookup(struct queue *q)
{
	struct lookup_order *o;

	pthread_mutex_lock(&q->lock);
	o = q->lookups;
	if (o) {
		q->lookups = o->next;
		if (!q->lookups)
			q->lookups_tail = &q->lookups;
	}
	pthread_mutex_unlock(&q->lock);
	return o;
}

void queue_poke(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->poked = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

bool queue_stopped(struct queue *q)
{
	bool stop;

	pthread_mutex_lock(&q->lock);
	stop = q->stop;
	pthread_mutex_unlock(&q->lock);
	return stop;
}

bool queue_has_room(struct queue *q)
{
	bool room;

	pthread_mutex_lock(&q->lock);
	room = q->blocks < QUEUE_BLOCKS_MAX;
	pthread_mutex_unlock(&q->lock);
	return room;
}

void queue_wait(struct queue *q, uint32_t ms, bool for_room)
{
	struct timespec until;
	int code = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&q->lock);
	while (!code && !q->stop && !q->poked && !q->orders && !q->lookups && !(for_room && q->blocks < QUEUE_BLOCKS_MAX))
		code = pthread_cond_timedwait(&q->changed, &q->lock, &until);
	q->poked = false;
	pthread_mutex_unlock(&q->lock);
}
