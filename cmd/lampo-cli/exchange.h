/* One request to the daemon, one answer. */
#ifndef LAMPO_CLI_EXCHANGE_H
#define LAMPO_CLI_EXCHANGE_H

#include "cmd/lampo-cli/arguments.h"

/* The whole response object.  Returns owned; NULL with the reason, and what to
 * do about it, in why. */
MUST_USE json_t *exchange(const struct arguments *a, char why[CLI_WHY_SIZE]);

#endif
