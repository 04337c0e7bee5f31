/* lampod-cli(8), from the table of options. */
#ifndef LAMPOD_CLI_MANUAL_H
#define LAMPOD_CLI_MANUAL_H

#include "base/bytes.h"

void manual_lampod(struct buf *out);

#endif
