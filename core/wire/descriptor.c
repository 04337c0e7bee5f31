#include "wire/descriptor.h"

#include <nettle/sha3.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define TOR_V2_SIZE 10u
#define ONION_LETTERS 56u

/* ---- Reading ---- */

struct descriptor_reader descriptor_reader_of(struct bytes addresses)
{
	return (struct descriptor_reader){ .c = cursor_of(addresses) };
}

static bool read_one(struct descriptor_reader *r, struct descriptor *out)
{
	uint8_t kind = cursor_u8(&r->c);

	switch (kind) {
	case DESCRIPTOR_IPV4:
		out->host = cursor_bytes(&r->c, 4);
		break;
	case DESCRIPTOR_IPV6:
		out->host = cursor_bytes(&r->c, 16);
		break;
	case DESCRIPTOR_TOR_V2:
		out->host = cursor_bytes(&r->c, TOR_V2_SIZE);
		break;
	case DESCRIPTOR_TOR_V3:
		out->host = cursor_bytes(&r->c, DESCRIPTOR_TOR_V3_SIZE);
		break;
	case DESCRIPTOR_DNS:
		out->host = cursor_bytes(&r->c, cursor_u8(&r->c));
		break;
	default:
		/* B7.node_announcement.24: nobody knows how long it is, so nothing after it can be read either. */
		r->ended = true;
		return false;
	}
	out->kind = (enum descriptor_kind)kind;
	out->port = cursor_be16(&r->c);
	return cursor_ok(&r->c);
}

static bool is_ip_or_name(const struct descriptor *a)
{
	return a->kind == DESCRIPTOR_IPV4 || a->kind == DESCRIPTOR_IPV6 || a->kind == DESCRIPTOR_DNS;
}

bool descriptor_next(struct descriptor_reader *r, struct descriptor *out)
{
	while (!r->ended && cursor_ok(&r->c) && r->c.left) {
		if (!read_one(r, out))
			return false;
		if (out->kind == DESCRIPTOR_TOR_V2) /* B7.node_announcement.30 */
			continue;
		if (out->port == 0 && is_ip_or_name(out)) /* B7.node_announcement.26 */
			continue;
		if (out->kind == DESCRIPTOR_DNS) {
			if (r->has_name) { /* B7.node_announcement.31 */
				r->more_names = true;
				continue;
			}
			r->has_name = true;
		}
		return true;
	}
	return false;
}

bool descriptor_reader_failed(const struct descriptor_reader *r)
{
	return !cursor_ok(&r->c);
}

/* ---- Judging ---- */

static bool ipv4_public(const uint8_t a[4])
{
	return !(a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254) ||
		 (a[0] == 172 && a[1] >= 16 && a[1] < 32) || (a[0] == 192 && a[1] == 168) ||
		 (a[0] == 100 && a[1] >= 64 && a[1] < 128));
}

/* Global unicast, without the documentation prefix. */
static bool ipv6_public(const uint8_t a[16])
{
	return (a[0] & 0xe0) == 0x20 && !(a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8);
}

bool descriptor_ip_public(enum descriptor_kind kind, const uint8_t *ip)
{
	ASSERT(kind == DESCRIPTOR_IPV4 || kind == DESCRIPTOR_IPV6);
	return kind == DESCRIPTOR_IPV4 ? ipv4_public(ip) : ipv6_public(ip);
}

/* prop224: checksum = sha3-256(".onion checksum" || key || version)[:2] */
static bool onion_checksum_holds(const uint8_t a[DESCRIPTOR_TOR_V3_SIZE])
{
	struct sha3_256_ctx ctx;
	uint8_t digest[SHA3_256_DIGEST_SIZE];

	sha3_256_init(&ctx);
	sha3_256_update(&ctx, 15, (const uint8_t *)".onion checksum");
	sha3_256_update(&ctx, 32, a);
	sha3_256_update(&ctx, 1, a + 34);
	sha3_256_digest(&ctx, sizeof(digest), digest);
	return a[34] == 3 && a[32] == digest[0] && a[33] == digest[1];
}

/* B7.node_announcement.1, .2: what is not ASCII must already be Punycode, which is letters, digits and hyphens. */
static bool name_announceable(struct bytes name)
{
	if (name.size == 0 || name.size > 255)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		uint8_t c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
			return false;
	}
	return true;
}

bool descriptor_announceable(const struct descriptor *a)
{
	if (a->port == 0) /* B7.node_announcement.11 */
		return false;
	switch (a->kind) {
	case DESCRIPTOR_IPV4:
		return a->host.size == 4 && ipv4_public(a->host.data); /* B7.node_announcement.12 */
	case DESCRIPTOR_IPV6:
		return a->host.size == 16 && ipv6_public(a->host.data);
	case DESCRIPTOR_TOR_V2:
		return false; /* B7.node_announcement.15 */
	case DESCRIPTOR_TOR_V3:
		return a->host.size == DESCRIPTOR_TOR_V3_SIZE && onion_checksum_holds(a->host.data);
	case DESCRIPTOR_DNS:
		return name_announceable(a->host);
	}
	return false;
}

/* ---- Writing ---- */

void descriptor_encode(const struct descriptor *a, struct buf *out)
{
	buf_add_u8(out, (uint8_t)a->kind);
	if (a->kind == DESCRIPTOR_DNS) {
		ASSERT(a->host.size <= 255);
		buf_add_u8(out, (uint8_t)a->host.size);
	}
	buf_add_bytes(out, a->host);
	buf_add_be16(out, a->port);
}

uint32_t descriptor_list_encode(const struct descriptor *list, uint32_t count, struct buf *out)
{
	uint32_t written = 0;
	bool has_name = false;

	/* B7.node_announcement.8: ascending order, and the user's own order within a type. */
	for (int kind = DESCRIPTOR_IPV4; kind <= DESCRIPTOR_DNS; kind++)
		for (uint32_t i = 0; i < count; i++) {
			if ((int)list[i].kind != kind || !descriptor_announceable(&list[i]))
				continue;
			if (kind == DESCRIPTOR_DNS && has_name) /* B7.node_announcement.16 */
				continue;
			has_name |= kind == DESCRIPTOR_DNS;
			descriptor_encode(&list[i], out);
			written++;
		}
	return written;
}

/* ---- Text ---- */

/* RFC 5952: the longest run of two or more zero groups, the first of equals. */
static void zero_run(const uint8_t a[16], int *start, int *length)
{
	*start = -1;
	*length = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && load_be16(a + 2 * (i + n)) == 0)
			n++;
		if (n > *length) {
			*start = i;
			*length = n;
		}
	}
}

static void ipv6_text(char *out, size_t size, const uint8_t a[16])
{
	int start, length, at = 0;

	zero_run(a, &start, &length);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			at += snprintf(out + at, size - (size_t)at, "::");
			i += length - 1;
			continue;
		}
		at += snprintf(out + at, size - (size_t)at, "%s%x", i && i != start + length ? ":" : "",
			       (unsigned)load_be16(a + 2 * i));
	}
}

static const char onion_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

/* 35 bytes are 56 letters of five bits exactly. */
static void onion_text(char *out, size_t size, const uint8_t a[DESCRIPTOR_TOR_V3_SIZE])
{
	char letters[ONION_LETTERS + 1];

	for (uint32_t i = 0; i < ONION_LETTERS; i++) {
		uint32_t bit = i * 5, pair = (uint32_t)a[bit / 8] << 8;

		if (bit / 8 + 1 < DESCRIPTOR_TOR_V3_SIZE)
			pair |= a[bit / 8 + 1];
		letters[i] = onion_letters[pair >> (11 - bit % 8) & 31];
	}
	letters[ONION_LETTERS] = '\0';
	snprintf(out, size, "%s.onion", letters);
}

void descriptor_text(char out[DESCRIPTOR_TEXT_MAX], const struct descriptor *a)
{
	const uint8_t *p = a->host.data;

	out[0] = '\0';
	switch (a->kind) {
	case DESCRIPTOR_IPV4:
		snprintf(out, DESCRIPTOR_TEXT_MAX, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
		break;
	case DESCRIPTOR_IPV6:
		ipv6_text(out, DESCRIPTOR_TEXT_MAX, p);
		break;
	case DESCRIPTOR_TOR_V2:
		break;
	case DESCRIPTOR_TOR_V3:
		onion_text(out, DESCRIPTOR_TEXT_MAX, p);
		break;
	case DESCRIPTOR_DNS:
		log_escape(out, DESCRIPTOR_TEXT_MAX, a->host);
		break;
	}
}

bool descriptor_onion_decode(uint8_t out35[DESCRIPTOR_TOR_V3_SIZE], const char *text)
{
	uint8_t a[DESCRIPTOR_TOR_V3_SIZE] = { 0 };

	if (strlen(text) != ONION_LETTERS + 6 || strcmp(text + ONION_LETTERS, ".onion") != 0)
		return false;
	for (uint32_t i = 0; i < ONION_LETTERS * 5; i++) {
		char c = text[i / 5];
		const char *at = strchr(onion_letters, c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
		uint32_t value = at && *at ? (uint32_t)(at - onion_letters) : 32;

		if (value == 32)
			return false;
		a[i / 8] |= (uint8_t)((value >> (4 - i % 5) & 1) << (7 - i % 8));
	}
	if (!onion_checksum_holds(a))
		return false;
	memcpy(out35, a, sizeof(a));
	return true;
}
