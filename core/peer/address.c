#include "peer/address.h"

#include <arpa/inet.h>

#include "wire/descriptor.h"

bool address_descriptor(struct buf *out, const char *host, uint16_t port)
{
	uint8_t ip[16];
	struct descriptor a = { .port = port };

	if (inet_pton(AF_INET, host, ip) == 1) {
		a.kind = DESCRIPTOR_IPV4;
		a.host = BYTES(ip, 4);
	} else if (inet_pton(AF_INET6, host, ip) == 1) {
		a.kind = DESCRIPTOR_IPV6;
		a.host = BYTES(ip, 16);
	} else {
		return false;
	}
	if (!descriptor_ip_public(a.kind, ip))
		return false;
	descriptor_encode(&a, out); /* B1.init.8 */
	return true;
}
