/* Inside runtime/daemon: the store's records to whom they belong. */
#ifndef RUNTIME_DAEMON_LOAD_H
#define RUNTIME_DAEMON_LOAD_H

#include "chain/follow.h"
#include "node/node.h"
#include "runtime/daemon/daemon.h"

/* Loads node and wallet (load NULL: its records are passed over) and finds out where the chain was followed to.  False:
 * s->error says why. */
MUST_USE bool load_records(struct store *s, struct node *node, const struct daemon_funds *funds, struct follow *follow);

#endif
