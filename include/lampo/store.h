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

/* Call it for each record; 0: stop, and of load fail, because the record makes no sense. */
typedef int lampo_record(void *context, uint32_t kind, struct lampo_bytes key, struct lampo_bytes value);

/* An ordered map from (kind, key) to value.  The node's money depends on one promise: when commit returns LAMPO_OK the
 * whole batch survives whatever happens, and before that nothing of it is there.  A commit that fails ends the process,
 * because nothing may be sent that does not rest on it.  load is called once, before the first commit; commit and
 * fetch from a thread of the node's own. */
struct lampo_store {
	size_t size; /* sizeof(struct lampo_store), here or in an older version */
	void *context;
	/* Every record, in order of kind and key (bytewise).  Not LAMPO_OK: error says why. */
	enum lampo_verdict (*load)(void *context, lampo_record *record, void *record_context, char *error);
	enum lampo_verdict (*commit)(void *context, const struct lampo_write *writes, size_t count, char *error);
	/* The node needs it no longer; may be NULL. */
	void (*free)(void *context);
	/* The records of that kind whose keys begin with prefix, in order of keys, until `record` says 0: it has
	 * enough (that is LAMPO_OK too).  NULL, or a size that ends before it, as an older program
	 * has it: the node keeps what it may ask for in its memory as well, which grows with every payment. */
	enum lampo_verdict (*fetch)(void *context, uint32_t kind, struct lampo_bytes prefix, lampo_record *record,
				    void *record_context, char *error);
};

#ifdef __cplusplus
}
#endif

#endif
