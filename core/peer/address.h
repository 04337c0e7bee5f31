/* BOLT 7 address descriptors of IP literals. */
#ifndef PEER_ADDRESS_H
#define PEER_ADDRESS_H

#include "base/bytes.h"

/* Appends type, address and port.  False, with nothing appended, for what is not an IP literal or
 * is an address that means nothing to the one who is told it: private, loopback, link-local (B1.init.9). */
MUST_USE bool address_descriptor(struct buf *out, const char *host, uint16_t port);

#endif
