/* Lists of what is in memory and may be as long as the network.
 *
 * Such a list is made in pieces, each on a quiet core in a turn of its own: between two of them the loop serves
 * whatever came, so payments do not wait for somebody who lists a hundred thousand channels.  What changes meanwhile
 * may be in the answer or not; each entry for itself is as it was at one moment.
 *
 * One list is made at a time, in the order of the calls; WALKS_MAX may wait, and more are refused. */
#ifndef API_METHOD_WALK_H
#define API_METHOD_WALK_H

#include "api/method/inner.h"

#define WALKS_MAX 16u

/* Adds entries to the call (rpc_list_add), from *at on, which is 0 at first and moves on.  False: that was the end. */
typedef bool walk_piece(const struct methods *m, struct params *params, struct lampo_call *call, uint32_t *at);

/* Defers the call, moves the parameters, and answers {NAME: [...]}.  Borrows name for good. */
void walk_ask(struct methods *m, struct lampo_call *call, struct params *params, const char *name, walk_piece *piece);

/* Inside api/method.  True: it was a walk that asked the port to be read so. */
MUST_USE bool walk_go_on(struct methods *m, uint64_t read);
void walks_free(struct methods *m);

#endif
