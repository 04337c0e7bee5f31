/* The pages that are made from tables: lampod-cli(8) from that of options, lampo-methods(7) from the schemas. */
#ifndef LAMPOD_CLI_MANUAL_H
#define LAMPOD_CLI_MANUAL_H

#include "base/bytes.h"

/* CONFIG_DUMP_MANUAL.  False if there is no page of that name. */
MUST_USE bool manual_page(struct buf *out, const char *name);

#endif
