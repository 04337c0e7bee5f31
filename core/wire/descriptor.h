/* Address descriptors: BOLT 7 "The node_announcement Message", BOLT 1 "The init Message" (remote_addr). */
#ifndef WIRE_DESCRIPTOR_H
#define WIRE_DESCRIPTOR_H

#include "base/cursor.h"

enum descriptor_kind {
	DESCRIPTOR_IPV4 = 1,
	DESCRIPTOR_IPV6 = 2,
	DESCRIPTOR_TOR_V2 = 3, /* deprecated: read over, never written */
	DESCRIPTOR_TOR_V3 = 4,
	DESCRIPTOR_DNS = 5,
};

#define DESCRIPTOR_TOR_V3_SIZE 35u /* ed25519 key, checksum, version */
/* The longest text of an address, with its NUL: a DNS name. */
#define DESCRIPTOR_TEXT_MAX 256u

struct descriptor {
	enum descriptor_kind kind;
	uint16_t port;
	struct bytes host; /* a view: 4, 16, 10 or 35 bytes, or the name */
};

/* Walks the `addresses` of a node_announcement. */
struct descriptor_reader {
	struct cursor c;
	bool ended;     /* at a type that we do not know, or at the end */
	bool has_name;
	bool more_names; /* a second DNS name came: B7.node_announcement.31, .32 */
};

struct descriptor_reader descriptor_reader_of(struct bytes addresses);
/* The next address that means something.  Left out are those that the text says to ignore: Tor v2, port 0 of an IP or
 * a name, all names but the first, and everything from the first type that is not known.  False at the end. */
MUST_USE bool descriptor_next(struct descriptor_reader *r, struct descriptor *out);
/* After the last: a known type did not fit (B7.node_announcement.25). */
MUST_USE bool descriptor_reader_failed(const struct descriptor_reader *r);

/* IPv4 and IPv6: can be reached over the Internet.  Not private, loopback, link-local, multicast or documentation. */
MUST_USE bool descriptor_ip_public(enum descriptor_kind kind, const uint8_t *ip);
/* May stand in an announcement of ours: a port, a routable IP, a version 3 onion address whose checksum holds, or a
 * name of letters, digits, dots and hyphens. */
MUST_USE bool descriptor_announceable(const struct descriptor *a);
/* Appends descriptors in ascending order of type.  What is not announceable, and every name but the first, is left
 * out.  Returns how many were written. */
uint32_t descriptor_list_encode(const struct descriptor *list, uint32_t count, struct buf *out);
void descriptor_encode(const struct descriptor *a, struct buf *out);

/* "192.0.2.1", "2001:db8::1" (RFC 5952), "<56 letters>.onion", or the name, with characters outside printable ASCII
 * escaped. */
void descriptor_text(char out[DESCRIPTOR_TEXT_MAX], const struct descriptor *a);
/* "<56 letters>.onion" to 35 bytes; false where it is none or its checksum is wrong. */
MUST_USE bool descriptor_onion_decode(uint8_t out35[DESCRIPTOR_TOR_V3_SIZE], const char *text);

#endif
