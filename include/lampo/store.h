/* Where the node's records are kept: implement this, or use SQLite in a directory. */
#ifndef LAMPO_STORE_H
#define LAMPO_STORE_H

#include "lampo/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One write of a batch; a batch has no key twice. */
struct lampo_write {
	uint32_t kind; /* records are kept apart by kind, then by key */
	int remove;
	struct lampo_bytes key, value;
};

/* Records of one kind.  All that it says holds for each of them. */
struct lampo_range {
	size_t size; /* sizeof(struct lampo_range) of the node */
	uint32_t kind;
	int reverse; /* from the greatest key down */
	struct lampo_bytes prefix; /* their keys begin with it */
	struct lampo_bytes from;   /* their keys are not less than it; reverse: not greater.  Empty: no such bound */
};

/* Call it for each record; 0: stop, and of load fail, because the record makes no sense. */
typedef int lampo_record(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value);

/* An ordered map from (kind, key) to value.  The node's money depends on one promise: when commit returns LAMPO_OK the
 * whole batch survives whatever happens, and before that nothing of it is there.  A commit that fails ends the process,
 * because nothing may be sent that does not rest on it.  load is called at most once, before the first commit; commit
 * and range from then on by one thread of the node's own. */
struct lampo_store {
	size_t size; /* sizeof(struct lampo_store), here or in an older version */
	void *context;
	/* Every record, in order of kind and key (bytewise).  Not LAMPO_OK: error says why.  May be NULL where there is
	 * `range`. */
	enum lampo_verdict (*load)(void *context, lampo_record *record, void *record_context, char *error);
	enum lampo_verdict (*commit)(void *context, const struct lampo_write *writes, size_t count, char *error);
	/* The node needs it no longer; may be NULL. */
	void (*free)(void *context);
	/* As older programs have it; not called where there is `range`.  May be NULL. */
	enum lampo_verdict (*fetch)(void *context, uint32_t kind, struct lampo_bytes prefix, lampo_record *record,
				    void *record_context, char *error);
	/* The records of the range, in order of keys or from the greatest down, until `record` says 0: it has enough (that
	 * is LAMPO_OK too).  The node starts with it instead of load, and reads what is over (payments, invoices, forwards)
	 * only when it is asked for.  NULL, or a size that ends before it, as an older program has it: the node keeps every
	 * record in its memory as well, which grows with every payment. */
	enum lampo_verdict (*range)(void *context, const struct lampo_range *range, lampo_record *record, void *record_context,
				    char *error);
};

#ifdef __cplusplus
}
#endif

#endif
