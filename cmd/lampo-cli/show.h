/* What a person or a script gets to see of an answer. */
#ifndef LAMPO_CLI_SHOW_H
#define LAMPO_CLI_SHOW_H

#include "cmd/lampo-cli/arguments.h"

/* Fills what goes to standard output and to standard error; returns the exit code. */
int show(const struct arguments *a, const json_t *response, struct buf *out, struct buf *err);

#endif
