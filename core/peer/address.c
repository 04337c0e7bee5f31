#include "peer/address.h"

#include <arpa/inet.h>

enum { DESCRIPTOR_IPV4 = 1, DESCRIPTOR_IPV6 = 2 };

static bool ipv4_is_public(const uint8_t a[4])
{
	return !(a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254) ||
		 (a[0] == 172 && a[1] >= 16 && a[1] < 32) || (a[0] == 192 && a[1] == 168) ||
		 (a[0] == 100 && a[1] >= 64 && a[1] < 128));
}

/* Global unicast, without the documentation prefix. */
static bool ipv6_is_public(const uint8_t a[16])
{
	return (a[0] & 0xe0) == 0x20 && !(a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8);
}

bool address_descriptor(struct buf *out, const char *host, uint16_t port)
{
	uint8_t a[16];

	if (inet_pton(AF_INET, host, a) == 1) {
		if (!ipv4_is_public(a))
			return false;
		buf_add_u8(out, DESCRIPTOR_IPV4);
		buf_add(out, a, 4);
	} else if (inet_pton(AF_INET6, host, a) == 1) {
		if (!ipv6_is_public(a))
			return false;
		buf_add_u8(out, DESCRIPTOR_IPV6);
		buf_add(out, a, 16);
	} else {
		return false;
	}
	buf_add_be16(out, port); /* B1.init.8 */
	return true;
}
