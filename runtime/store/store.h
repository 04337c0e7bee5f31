/* The store: an ordered map from (kind, key) to value that takes batches.
 *
 * A commit is atomic and durable when it returns true: after it the batch is
 * there whatever happens, before it nothing of it is.  A commit that fails is
 * the end of the process: `error` says why in words.  One thread at a time;
 * loading is over before the first commit. */
#ifndef RUNTIME_STORE_STORE_H
#define RUNTIME_STORE_STORE_H

#include "base/bytes.h"
#include "step/record.h"

#define STORE_ERROR_SIZE 512

/* One write; keys in a batch are unique. */
struct store_op {
	enum record_kind kind;
	bool remove;
	struct bytes key, value;
};

/* False stops.  Of store_load that is a failure: the record makes no sense. */
typedef bool store_each(void *context, enum record_kind kind, struct bytes key, struct bytes value);

struct store {
	bool (*commit)(struct store *s, const struct store_op *ops, uint32_t count);
	/* The records of the range in its order, until `each` says false: it has enough (the range's limit is the caller's
	 * to keep).  False: reading failed.  Between commits, on the thread that does them. */
	bool (*fetch)(struct store *s, const struct record_range *range, store_each *each, void *context);
	/* Called after a commit when no other waits: housekeeping that may take long. */
	void (*idle)(struct store *s);
	void (*close)(struct store *s); /* frees */
	char error[STORE_ERROR_SIZE];
};

/* What a node starts from, in order of kind and key: every record but those that are past (record_is_past).  False if
 * reading failed or `each` said so. */
MUST_USE bool store_load(struct store *s, store_each *each, void *context);
/* Every record, in order of kind and key. */
MUST_USE bool store_load_all(struct store *s, store_each *each, void *context);
/* Whether a key of the range's kind is one of the range's. */
MUST_USE bool range_has(const struct record_range *range, struct bytes key);

/* SQLite in DIR/lampo.db, held exclusively together with DIR/lampo.db.lock.  Creates and migrates it.  RECORD_BACKUP is
 * written to DIR/emergency.recover too (backup_file.h), as durable as the rest.  NULL: error says why (another node
 * runs here, newer format, no permission ...). */
MUST_USE struct store *store_open_sqlite(const char *directory, char error[STORE_ERROR_SIZE]);

/* In memory, for the simulator: what was committed outlives store->close in the `struct memory_disk`. */
struct memory_disk;
MUST_USE struct memory_disk *memory_disk_new(void);
void memory_disk_free(struct memory_disk *d);
/* Borrows the disk. */
MUST_USE struct store *store_open_memory(struct memory_disk *d);
/* A digest of the disk's content: two runs of one seed end with the same. */
uint64_t memory_disk_digest(const struct memory_disk *d);

#endif
