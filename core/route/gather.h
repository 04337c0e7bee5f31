/* From gossip's graph to a snapshot: the one place of this room that reads it.
 *
 * Channels are handed to a builder by their numbers, so a loop may do it a
 * thousand at a time between other work; each is read whole.  What BOLT 7
 * forbids to route through stays out: directions that are unannounced,
 * disabled or absurd, channels that are spent or need a feature that we do not
 * know (B7.channel_announcement.16, B7.channel_update.31, .32), and what leaves
 * a node that does (B7.node_announcement.23). */
#ifndef ROUTE_GATHER_H
#define ROUTE_GATHER_H

#include "gossip/graph.h"
#include "route/graph.h"

/* Hands over the channels numbered from `begin`, at most `count` numbers of them.  Returns the next number to begin
 * with; there is nothing more once that is graph_channel_limit. */
uint32_t route_gather(struct route_builder *b, const struct graph *g, uint32_t begin, uint32_t count);

#endif
