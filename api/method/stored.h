/* Lists of stored records, for methods that list what is over and is in no memory.
 *
 * A list is the records of one kind or of two (what is live and what is past, each record in one of them at any time), in
 * order of the number that their keys begin with: created_index (be64).  It is read from the store on the store's
 * thread, a page of STORED_PAGE records at a time, after the commit of everything that anybody could have seen when the
 * method was called; between two pages others have their turn.  A page is turned into JSON before the next is read.
 *
 * The parameters `start` (U64: from that created_index on) and `limit` (U32) work wherever the method's schema has them.
 * An answer has at most STORED_LIST_MAX entries: a call that wants more is refused, and told to use both. */
#ifndef API_METHOD_STORED_H
#define API_METHOD_STORED_H

#include "api/method/inner.h"
#include "step/event.h"

#define STORED_PAGE 256u
#define STORED_PAGE_LEAST 32u
#define STORED_LIST_MAX 10000u

struct stored_list {
	const char *name;          /* of the array in the answer */
	enum record_kind kinds[2];
	uint32_t kind_count;       /* 0: nothing stored is meant, only what is live */
	/* One record as an element of the array, or as a JSON array of several, which stay together: limit counts records
	 * (*out owned by the caller); NULL: not one that the call asks for.  False: it is damaged. */
	bool (*show)(const struct methods *m, struct params *params, const struct fetched *record, json_t **out);
	/* With an index: the entry that is live and that no index has yet (owned by the caller), to stand behind those that
	 * the index names; *number: its created_index.  NULL: there is none.  May be NULL. */
	json_t *(*in_memory)(const struct methods *m, struct params *params, uint64_t *number);
};

/* Defers the call, moves the parameters, and answers {NAME: [...]}.
 *
 * index: where to look up which entries are meant: records whose values begin with a created_index (be64), their keys
 * in the order of the answer.  NULL: all that `show` takes.  Copied. */
void stored_list_ask(struct methods *m, struct lampo_call *call, struct params *params, const struct stored_list *list,
		     const struct record_range *index);

/* What is not stored yet, on a quiet core: an array of elements that come last, and the number up to which the stored
 * ones belong to the same moment. */
typedef json_t *stored_live(const struct methods *m, struct params *params, uint64_t *last);

/* All that `show` takes, and what is live behind it. */
void stored_list_ask_live(struct methods *m, struct lampo_call *call, struct params *params, const struct stored_list *list,
			  stored_live *live);

/* Takes what was found of one record: borrowed; NULL: nothing.  It answers the call or orders something for it. */
typedef void stored_found(struct methods *m, struct lampo_call *call, uint64_t id, const struct fetched *record);
/* For a call that is deferred and an answer of the node that has come: reads the first record that the index names, of
 * one of the kinds of the list, and tells `found`, unless nobody waits any more. */
void stored_find(struct methods *m, uint64_t call, const struct stored_list *list, const struct record_range *index,
		 stored_found *found);

/* Inside api/method. */
struct stored_read;
void stored_reads_free(struct methods *m);

#endif
