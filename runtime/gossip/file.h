/* The log of gossip (gossip/log.h) in a file.
 *
 * Appended records gather until gossip_file_flush and are written without waiting
 * for the disk: what a crash takes from the end is asked for again.  Places are
 * those of the newest file; places of the one before, which orders that were on
 * their way while it was replaced still use, come with its generation.
 *
 * A disk that fails ends the process through `fatal`. */
#ifndef RUNTIME_GOSSIP_FILE_H
#define RUNTIME_GOSSIP_FILE_H

#include "gossip/gossip.h"
#include "gossip/log.h"
#include "runtime/loop/loop.h"

#define GOSSIP_FILE_NAME "gossip.log"
#define GOSSIP_FILE_ERROR_SIZE 512

struct gossip_file;

struct gossip_file_owner {
	void *context;
	void (*fatal)(void *context, const char *text); /* any thread; does not return */
	/* A compaction is done; moves lives until this returns. */
	void (*compacted)(void *context, const struct gossip_move *moves, uint32_t count, uint32_t start, uint32_t first_new);
	const struct log_sink *log;
};

/* Opens or begins the file of the directory.  A file of another chain, or that is none, is begun anew.  NULL: error
 * says why. */
MUST_USE struct gossip_file *gossip_file_open(struct loop *loop, const char *directory, const struct block_hash *chain,
					      const struct gossip_file_owner *owner, char error[GOSSIP_FILE_ERROR_SIZE]);
void gossip_file_close(struct gossip_file *f);
/* Each record in order; the file is cut off where the first is not whole, or is none to `each`.  Returns the end. */
uint32_t gossip_file_load(struct gossip_file *f, bool (*each)(void *context, uint32_t ref, struct bytes record),
			  void *context);

/* ref: where it goes, which must be the end. */
void gossip_file_append(struct gossip_file *f, uint32_t generation, uint32_t ref, struct bytes record);
void gossip_file_flush(struct gossip_file *f);
/* Appends the message in a record.  False: there is no whole record at that place any more. */
MUST_USE bool gossip_file_message(struct gossip_file *f, uint32_t generation, uint32_t ref, struct buf *out);
/* The same for what the core knows now.  While it has not heard of the newest file yet, its places may be those of the
 * one before: then it is not there. */
MUST_USE bool gossip_file_newest(struct gossip_file *f, uint32_t ref, struct buf *out);
/* On a thread of its own; one at a time.  Copies moves. */
void gossip_file_compact(struct gossip_file *f, const struct gossip_move *moves, uint32_t count, uint32_t start);

#endif
