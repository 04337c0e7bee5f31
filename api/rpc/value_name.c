#include "api/rpc/value_read.h"

#include <stdio.h>
#include <string.h>

#include "crypto/keys.h"

#define HOST_SIZE_MAX 255

bool read_pubkey(struct pubkey *out, const char *text)
{
	return hex_decode(out->v, sizeof(out->v), text, strlen(text)) && pubkey_valid(out);
}

bool read_txid(struct txid *out, const char *text)
{
	uint8_t shown[32];
	size_t i;

	if (!hex_decode(shown, sizeof(shown), text, strlen(text)))
		return false;
	for (i = 0; i < sizeof(shown); i++)
		out->v[i] = shown[31 - i];
	return true;
}

bool read_outpoint(struct outpoint *out, const char *text)
{
	char txid[65];
	uint64_t index;

	if (strlen(text) < 66 || text[64] != ':')
		return false;
	memcpy(txid, text, 64);
	txid[64] = 0;
	if (!read_txid(&out->txid, txid) || !read_number(&index, text + 65, UINT32_MAX))
		return false;
	out->index = (uint32_t)index;
	return true;
}

bool read_scid(struct scid *out, const char *text)
{
	const char *first = strchr(text, 'x');
	const char *second = first ? strchr(first + 1, 'x') : NULL;
	uint64_t height, tx, output;

	if (!second)
		return read_number(&out->v, text, UINT64_MAX) && out->v > UINT16_MAX;
	if (!read_decimal(&height, text, (size_t)(first - text), 0, 0xffffff) ||
	    !read_decimal(&tx, first + 1, (size_t)(second - first - 1), 0, 0xffffff) ||
	    !read_number(&output, second + 1, UINT16_MAX))
		return false;
	*out = scid_make((uint32_t)height, (uint32_t)tx, (uint16_t)output);
	return true;
}

bool read_scid_dir(struct scid *out, uint8_t *direction, const char *text)
{
	const char *slash = strchr(text, '/');
	char scid[40];

	if (!slash || (size_t)(slash - text) >= sizeof(scid) || (strcmp(slash, "/0") != 0 && strcmp(slash, "/1") != 0))
		return false;
	memcpy(scid, text, (size_t)(slash - text));
	scid[slash - text] = 0;
	*direction = slash[1] == '1';
	return read_scid(out, scid);
}

bool read_channel(struct channel_name *out, const char *text)
{
	*out = (struct channel_name){ .by_id = false };
	if (strlen(text) == 2 * sizeof(out->id.v))
		out->by_id = hex_decode(out->id.v, sizeof(out->id.v), text, strlen(text));
	else if (strlen(text) == 2 * sizeof(out->peer.v))
		out->by_peer = read_pubkey(&out->peer, text);
	else
		out->by_scid = read_scid(&out->scid, text);
	return out->by_id || out->by_peer || out->by_scid;
}

static bool host_plausible(const char *host)
{
	const size_t size = strlen(host);
	size_t i;

	for (i = 0; i < size; i++)
		if (host[i] <= ' ' || host[i] > '~' || strchr("[]@/\\\"'", host[i]))
			return false;
	return size > 0 && size <= HOST_SIZE_MAX;
}

static bool port_of(uint16_t *port, const char *text)
{
	uint64_t v;

	if (!read_number(&v, text, UINT16_MAX) || v == 0)
		return false;
	*port = (uint16_t)v;
	return true;
}

bool value_read_host(const char **host, uint16_t *port, const char *text, struct arena *arena)
{
	char *copy = arena_string(arena, text);
	char *colon = strrchr(copy, ':');

	*port = 0;
	if (copy[0] == '[') {
		char *close = strchr(copy, ']');

		if (!close || (close[1] && (close[1] != ':' || !port_of(port, close + 2))))
			return false;
		*close = 0;
		copy++;
	} else if (colon && strchr(copy, ':') == colon) {
		if (!port_of(port, colon + 1))
			return false;
		*colon = 0;
	}
	*host = copy;
	return host_plausible(copy);
}

bool read_peer(struct value *out, const char *text, struct arena *arena)
{
	const char *at = strchr(text, '@');
	char *id = arena_string(arena, text);

	out->u.peer.host = NULL;
	out->u.peer.port = 0;
	if (at)
		id[at - text] = 0;
	if (!read_pubkey(&out->u.peer.id, id))
		return false;
	return !at || value_read_host(&out->u.peer.host, &out->u.peer.port, at + 1, arena);
}
