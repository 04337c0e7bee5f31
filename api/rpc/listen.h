/* Making a listening unix socket that nobody else can open. */
#ifndef API_RPC_LISTEN_H
#define API_RPC_LISTEN_H

#include "api/rpc/value.h"

/* What was created, so that only that is removed in the end. */
struct listen_file {
	char *path;
	uint64_t device, inode;
};

/* A descriptor bound to path, not yet listening; -1 with the reason in why. */
MUST_USE int listen_bind(struct listen_file *file, const char *path, char why[RPC_WHY_SIZE]);
/* Removes the file, if it is still the one that was created. */
void listen_remove(struct listen_file *file);

#endif
