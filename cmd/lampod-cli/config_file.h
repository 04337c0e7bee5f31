/* The configuration file: lines of key=value, comments after #. */
#ifndef LAMPOD_CLI_CONFIG_FILE_H
#define LAMPOD_CLI_CONFIG_FILE_H

#include "cmd/lampod-cli/config.h"

/* Applies every line of c->file.  False with the file, the line and the remedy in why. */
MUST_USE bool config_read_file(struct config *c, char why[CONFIG_WHY_SIZE]);

#endif
