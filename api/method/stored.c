#include "api/method/stored.h"

#include <string.h>

#include "api/method/walk.h"

struct stored_read {
	struct methods *methods;
	uint64_t id;               /* of the read at the port */
	uint64_t call;
	const struct stored_list *list;
	struct params params;
	struct arena arena;
	bool by_index;             /* the index is being read, or was: `numbers` */
	bool index_read;
	struct record_range index;
	uint64_t *numbers;         /* created_index of the entries that are meant; in the arena */
	uint32_t number_count, number_at;
	struct buf from;           /* else the key to go on at */
	uint64_t start;
	uint32_t limit;            /* of entries */
	uint32_t page;             /* records of each kind that were asked for last */
	bool limited;              /* it is the call's own */
	json_t *entries;
	json_t *entry;             /* the one of memory, unless it has become past since */
	uint64_t entry_number;
	stored_live *ask_live;     /* NULL: the list has none */
	json_t *live;              /* come after them */
	uint64_t last;             /* of those that were stored when `live` was made; UINT64_MAX: all */
	stored_found *found;       /* stored_find; else NULL */
	uint32_t taken;            /* records that are in it */
	struct stored_read *next, **self;
};

static void read_free(struct stored_read *r)
{
	*r->self = r->next;
	if (r->next)
		r->next->self = r->self;
	params_release(&r->params);
	arena_release(&r->arena);
	buf_release(&r->from);
	json_decref(r->entries);
	json_decref(r->entry);
	json_decref(r->live);
	mem_free(r);
}

void stored_reads_free(struct methods *m)
{
	while (m->reads)
		read_free(m->reads);
}

/* stored_find: the end. */
static void tell(struct stored_read *r, const struct fetched *record)
{
	struct methods *m = r->methods;
	stored_found *found = r->found;
	const uint64_t id = r->call;

	read_free(r);
	found(m, rpc_deferred(m->rpc, id), id, record);
}

/* Takes the entry. */
static void add(struct stored_read *r, json_t *entry)
{
	r->taken++;
	if (!json_is_array(entry)) {
		json_append(r->entries, entry);
		return;
	}
	for (size_t i = 0; i < json_array_size(entry); i++)
		json_append(r->entries, json_incref(json_array_get(entry, i)));
	json_decref(entry);
}

static void finish(struct stored_read *r)
{
	struct lampo_call *call = rpc_deferred(r->methods->rpc, r->call);
	json_t *o;

	if (r->entry && r->taken < r->limit)
		add(r, json_incref(r->entry));
	for (size_t i = 0; i < json_array_size(r->live) && r->taken < r->limit; i++)
		add(r, json_incref(json_array_get(r->live, i)));
	if (call) {
		o = json_new_object();
		json_add(o, r->list->name, json_incref(r->entries));
		rpc_reply(call, o);
	}
	read_free(r);
}

static void give_up(struct stored_read *r, int code, const char *words)
{
	struct lampo_call *call = rpc_deferred(r->methods->rpc, r->call);

	if (call)
		rpc_fail(call, code, NULL, "%s", words);
	read_free(r);
}

/* --- asking --- */

static void ask(struct stored_read *r, const struct record_range *ranges, uint32_t count)
{
	struct methods *m = r->methods;

	r->id = ++m->last_read;
	m->port.read(m->port.context, r->id, ranges, count);
}

/* The next entries that the index names. */
static void ask_named(struct stored_read *r)
{
	struct record_range *ranges = ARENA_ARRAY(&r->arena, struct record_range, STORED_PAGE * 2);
	uint32_t count = 0;

	for (; r->number_at < r->number_count && count < STORED_PAGE; r->number_at++) {
		uint8_t *key = arena_alloc(&r->arena, 8);

		store_be64(key, r->numbers[r->number_at]);
		for (uint32_t k = 0; k < r->list->kind_count; k++)
			ranges[count++] = (struct record_range){ .kind = r->list->kinds[k], .prefix = BYTES(key, 8), .limit = 1 };
	}
	ask(r, ranges, count);
}

/* Few are wanted; but of those that are read not all may be, and the longer that is so the more are read at a time. */
static uint32_t page_size(const struct stored_read *r)
{
	const uint32_t wanted = r->limit - r->taken;
	const uint32_t least = r->page ? 2 * r->page : STORED_PAGE_LEAST, page = wanted < least ? least : wanted;

	return page < STORED_PAGE ? page : STORED_PAGE;
}

static void ask_next(struct stored_read *r)
{
	struct record_range ranges[2];

	if (r->by_index) {
		ask_named(r);
		return;
	}
	r->page = page_size(r);
	for (uint32_t k = 0; k < r->list->kind_count; k++)
		ranges[k] = (struct record_range){ .kind = r->list->kinds[k], .from = buf_view(&r->from), .limit = r->page };
	ask(r, ranges, r->list->kind_count);
}

/* --- what comes back --- */

/* False: the read is over, one way or the other. */
MUST_USE static bool take(struct stored_read *r, const struct fetched *record)
{
	json_t *entry = NULL;

	if (record->key.size < 8 || !r->list->show(r->methods, &r->params, record, &entry)) {
		give_up(r, RPC_INTERNAL_ERROR, "a stored record is damaged");
		return false;
	}
	if (r->entry && load_be64(record->key.data) == r->entry_number) {
		json_decref(r->entry);
		r->entry = NULL;
	}
	if (!entry || load_be64(record->key.data) < r->start || load_be64(record->key.data) > r->last) {
		json_decref(entry);
		return true;
	}
	if (r->taken == r->limit) {
		json_decref(entry);
		if (r->limited)
			finish(r);
		else
			give_up(r, RPC_INVALID_PARAMS, "there are more entries than one answer holds: ask for pieces, with 'start' and 'limit'");
		return false;
	}
	add(r, entry);
	if (!r->limited || r->taken < r->limit)
		return true;
	finish(r);
	return false;
}

static void take_named(struct stored_read *r, const struct fetch *got)
{
	if (r->found) {
		tell(r, got->count ? got->records : NULL);
		return;
	}
	for (uint32_t i = 0; i < got->count; i++)
		if (!take(r, &got->records[i]))
			return;
	if (r->number_at < r->number_count)
		ask_next(r);
	else
		finish(r);
}

static uint32_t count_of(const struct fetch *got, enum record_kind kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < got->count; i++)
		count += got->records[i].kind == kind;
	return count;
}

/* Both kinds by key.  Of a kind that was cut off nothing is known behind its last record, so nothing behind that is
 * taken of the other. */
static void take_merged(struct stored_read *r, const struct fetch *got)
{
	const uint32_t first = count_of(got, r->list->kinds[0]), second = got->count - first;
	const struct fetched *a = got->records, *b = got->records + first, *last = NULL;
	const struct fetched *a_end = b, *b_end = b + second;
	const bool a_cut = first == r->page, b_cut = second == r->page;

	while (!(a == a_end && (a_cut || b == b_end)) && !(b == b_end && b_cut)) {
		const bool take_a = a != a_end && (b == b_end || bytes_compare(a->key, b->key) < 0);

		last = take_a ? a++ : b++;
		if (!take(r, last))
			return;
	}
	if (!a_cut && !b_cut) {
		finish(r);
		return;
	}
	buf_clear(&r->from);
	buf_add_bytes(&r->from, last->key);
	buf_add_u8(&r->from, 0); /* the least key behind it */
	ask_next(r);
}

static void take_index(struct stored_read *r, const struct fetch *got)
{
	r->index_read = true;
	r->numbers = ARENA_ARRAY(&r->arena, uint64_t, got->count + 1);
	for (uint32_t i = 0; i < got->count; i++)
		if (got->records[i].value.size >= 8)
			r->numbers[r->number_count++] = load_be64(got->records[i].value.data);
	if (r->number_count)
		ask_next(r);
	else if (r->found)
		tell(r, NULL);
	else
		finish(r);
}

void methods_read(struct methods *m, uint64_t id, const struct fetch *got)
{
	struct stored_read *r = m->reads;

	if (walk_go_on(m, id))
		return;
	while (r && r->id != id)
		r = r->next;
	if (!r)
		return;
	/* Nobody waits any more: spare the work. */
	if (!rpc_deferred(m->rpc, r->call))
		read_free(r);
	else if (r->by_index && !r->index_read)
		take_index(r, got);
	else if (r->by_index)
		take_named(r, got);
	else
		take_merged(r, got);
}

/* --- beginning --- */

static void evaluate(void *context)
{
	struct stored_read *r = context;

	if (r->ask_live)
		r->live = r->ask_live(r->methods, &r->params, &r->last);
	if (!r->list->in_memory || !r->by_index)
		return;
	r->entry = r->list->in_memory(r->methods, &r->params, &r->entry_number);
	if (r->entry && r->entry_number < r->start) {
		json_decref(r->entry);
		r->entry = NULL;
	}
}

/* What was visible when the call came is durable, and is what will be read. */
static void release(void *context)
{
	struct stored_read *r = context;

	if (r->by_index)
		ask(r, &r->index, 1);
	else
		ask_next(r);
}

static void read_limits(struct stored_read *r, const struct params *params)
{
	const struct value *start = NULL, *limit = NULL;

	for (size_t i = 0; i < params->method->param_count; i++) {
		const char *name = params->method->params[i].name;

		if (strcmp(name, "start") == 0)
			start = params_get(params, name);
		if (strcmp(name, "limit") == 0)
			limit = params_get(params, name);
	}
	r->limited = limit && limit->u.number <= STORED_LIST_MAX;
	r->limit = r->limited ? (uint32_t)limit->u.number : STORED_LIST_MAX;
	if (!start || !start->u.number)
		return;
	r->start = start->u.number;
	store_be64(buf_extend(&r->from, 8), r->start);
}

static void set_index(struct stored_read *r, const struct record_range *index)
{
	r->by_index = true;
	r->index = *index;
	r->index.prefix = arena_bytes(&r->arena, index->prefix);
	r->index.from = arena_bytes(&r->arena, index->from);
}

static struct stored_read *read_new(struct methods *m, uint64_t call, const struct stored_list *list)
{
	struct stored_read *r = NEW(struct stored_read);

	r->methods = m;
	r->call = call;
	r->list = list;
	arena_init(&r->arena);
	r->next = m->reads;
	r->self = &m->reads;
	if (r->next)
		r->next->self = &r->next;
	m->reads = r;
	return r;
}

static void begin(struct methods *m, struct lampo_call *call, struct params *params, const struct stored_list *list,
		  const struct record_range *index, stored_live *live)
{
	struct stored_read *r = read_new(m, rpc_defer(call), list);
	const struct exec_query query = { .context = r, .evaluate = evaluate, .release = release };

	r->entries = json_new_array();
	r->last = UINT64_MAX;
	r->ask_live = live;
	read_limits(r, params);
	params_move(&r->params, params);
	if (index)
		set_index(r, index);
	m->port.query(m->port.context, &query);
}

void stored_list_ask(struct methods *m, struct lampo_call *call, struct params *params, const struct stored_list *list,
		     const struct record_range *index)
{
	begin(m, call, params, list, index, NULL);
}

void stored_list_ask_live(struct methods *m, struct lampo_call *call, struct params *params, const struct stored_list *list,
			  stored_live *live)
{
	begin(m, call, params, list, NULL, live);
}

void stored_find(struct methods *m, uint64_t call, const struct stored_list *list, const struct record_range *index,
		 stored_found *found)
{
	struct stored_read *r = read_new(m, call, list);

	r->found = found;
	set_index(r, index);
	ask(r, &r->index, 1);
}
