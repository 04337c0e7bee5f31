/* DIR/emergency.recover: the static channel backup as a file of its own, for whoever copies files away.
 *
 * Its content is RECORD_BACKUP's value, sealed by the core.  It is replaced as a whole (written beside, synced, renamed,
 * the directory synced), and never over a file that is not our last one: that may be the only copy of somebody's
 * channels, put here to be recovered, and is moved to emergency.recover.found, .found.1, ... */
#ifndef RUNTIME_STORE_BACKUP_FILE_H
#define RUNTIME_STORE_BACKUP_FILE_H

#include "runtime/store/store.h"

#define BACKUP_FILE_NAME "emergency.recover"
#define BACKUP_FILES_MAX 10u   /* that are kept of those found */
#define BACKUP_FILE_SIZE_MAX (16u << 20)

struct backup_file;

/* last: what was stored last, empty if nothing ever was.  Returns owned. */
MUST_USE struct backup_file *backup_file_new(const char *directory, struct bytes last);
void backup_file_free(struct backup_file *f);
/* False: error says why. */
MUST_USE bool backup_file_write(struct backup_file *f, struct bytes sealed, char error[STORE_ERROR_SIZE]);

/* Every backup that lies in the directory, one after another; what cannot be read is passed over. */
void backup_files_read(const char *directory, void (*each)(void *context, struct bytes sealed), void *context);

#endif
