/* One daemon a directory: two would sign with the same keys and lose money. */
#ifndef LAMPOD_CLI_INSTANCE_H
#define LAMPOD_CLI_INSTANCE_H

#include "cmd/lampod-cli/config.h"

/* Makes the directory (mode 0700) if it is not there and locks it for as long
 * as the process lives.  False, naming the directory and what to do, if it
 * cannot be made or another daemon has it. */
MUST_USE bool instance_lock(const char *directory, char why[CONFIG_WHY_SIZE]);

#endif
