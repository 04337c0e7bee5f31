#include "api/rpc/value.h"

#include <stdio.h>
#include <string.h>

#include "api/rpc/value_read.h"

const char *value_type_name(enum lampo_type type)
{
	switch (type) {
	case LAMPO_STRING: return "string";
	case LAMPO_BOOL: return "boolean";
	case LAMPO_U16: return "u16";
	case LAMPO_U32: return "u32";
	case LAMPO_U64: return "u64";
	case LAMPO_PERCENT: return "percent";
	case LAMPO_MSAT: return "msat";
	case LAMPO_MSAT_OR_ANY: return "msat|any";
	case LAMPO_SAT: return "sat";
	case LAMPO_SAT_OR_ALL: return "sat|all";
	case LAMPO_PUBKEY: return "pubkey";
	case LAMPO_HASH: return "hash";
	case LAMPO_TXID: return "txid";
	case LAMPO_HEX: return "hex";
	case LAMPO_FEERATE: return "feerate";
	case LAMPO_OUTPOINT: return "outpoint";
	case LAMPO_SCID: return "short_channel_id";
	case LAMPO_LABEL: return "string|integer";
	case LAMPO_PEER: return "pubkey[@host[:port]]";
	case LAMPO_CHANNEL: return "channel";
	case LAMPO_CHANNEL_OR_ALL: return "channel|all";
	case LAMPO_ARRAY: return "array";
	case LAMPO_OBJECT: return "object";
	case LAMPO_INTEGER: return "integer";
	case LAMPO_SCID_DIR: return "short_channel_id_dir";
	case LAMPO_BOOL_OR_SCIDS: return "bool|scid|array";
	}
	UNREACHABLE();
}

static const char *expected(enum lampo_type type)
{
	switch (type) {
	case LAMPO_STRING: return "text";
	case LAMPO_BOOL: return "true or false";
	case LAMPO_U16: return "a whole number from 0 to 65535";
	case LAMPO_U32: return "a whole number from 0 to 4294967295";
	case LAMPO_U64: return "a whole number";
	case LAMPO_PERCENT: return "a number from 0 to 100";
	case LAMPO_MSAT: return "an amount: a whole number of millisatoshi, or text such as \"10sat\"";
	case LAMPO_MSAT_OR_ANY: return "an amount in millisatoshi, text such as \"10sat\", or \"any\"";
	case LAMPO_SAT: return "an amount: a whole number of satoshi, or text such as \"0.1btc\"";
	case LAMPO_SAT_OR_ALL: return "an amount in satoshi, text such as \"0.1btc\", or \"all\"";
	case LAMPO_PUBKEY: return "a public key: 66 hex digits that are a point of secp256k1";
	case LAMPO_HASH: return "64 hex digits";
	case LAMPO_TXID: return "a transaction id: 64 hex digits";
	case LAMPO_HEX: return "hex digits, an even number of them";
	case LAMPO_FEERATE:
		return "a fee rate of 253perkw or more: \"slow\", \"normal\", \"urgent\", \"6blocks\", "
		       "\"1000perkb\", \"253perkw\", or a number per kB";
	case LAMPO_OUTPOINT: return "an output: \"txid:index\"";
	case LAMPO_SCID: return "a short channel id such as \"103x1x0\"";
	case LAMPO_LABEL: return "text or a whole number";
	case LAMPO_PEER: return "a public key of 66 hex digits, which \"@host\" or \"@host:port\" may follow";
	case LAMPO_CHANNEL: return "a channel id, a short channel id, or the public key of a peer";
	case LAMPO_CHANNEL_OR_ALL: return "a channel id, a short channel id, the public key of a peer, or \"all\"";
	case LAMPO_ARRAY: return "an array";
	case LAMPO_OBJECT: return "an object";
	case LAMPO_INTEGER: return "a whole number";
	case LAMPO_SCID_DIR: return "a short channel id and a direction such as \"103x1x0/1\"";
	case LAMPO_BOOL_OR_SCIDS: return "true, false, a short channel id, or an array of these";
	}
	UNREACHABLE();
}

static void say_expected(char why[RPC_WHY_SIZE], enum lampo_type type, const json_t *json)
{
	struct buf got = BUF_EMPTY;

	json_write(&got, json);
	snprintf(why, RPC_WHY_SIZE, "should be %s; got %.*s%s", expected(type), got.size > 80 ? 80 : (int)got.size,
		 (const char *)got.data, got.size > 80 ? "..." : "");
	buf_release(&got);
}

static bool whole_number(double d)
{
	return d > -9007199254740992.0 && d < 9007199254740992.0 && (double)(long long)d == d;
}

/* Without printf's %f, which writes a comma in some countries. */
static const char *percent_text(double d, struct arena *arena)
{
	long long parts;

	if (!(d >= 0 && d <= 1000))
		return NULL;
	parts = (long long)(d * 10000 + 0.5);
	return arena_printf(arena, "%lld.%04lld", parts / 10000, parts % 10000);
}

/* Scalars become text, so that one reader serves JSON and command lines.  NULL: not a scalar of this type. */
static const char *text_of(enum lampo_type type, const json_t *json, struct arena *arena)
{
	const bool number = type != LAMPO_BOOL;

	if (json_is_string(json) && strlen(json_string_value(json)) == json_string_length(json))
		return json_string_value(json);
	if (json_is_integer(json) && number)
		return arena_printf(arena, "%lld", (long long)json_integer_value(json));
	if (json_is_boolean(json) && (type == LAMPO_BOOL || type == LAMPO_STRING || type == LAMPO_BOOL_OR_SCIDS))
		return json_is_true(json) ? "true" : "false";
	if (json_is_real(json) && type == LAMPO_PERCENT)
		return percent_text(json_real_value(json), arena);
	/* 1e3 is a whole number however it is spelled. */
	if (json_is_real(json) && number && type != LAMPO_STRING && type != LAMPO_LABEL && type != LAMPO_HEX &&
	    whole_number(json_real_value(json)))
		return arena_printf(arena, "%lld", (long long)json_real_value(json));
	return NULL;
}

static bool read_bool(bool *out, const char *text)
{
	*out = strcmp(text, "true") == 0;
	return *out || strcmp(text, "false") == 0;
}

/* Lists of them are arrays of JSON (read_scids). */
static bool read_scids_text(struct value *out, const char *text, struct arena *arena)
{
	if (read_bool(&out->u.scids.all, text))
		return true;
	out->u.scids.listed = true;
	out->u.scids.count = 1;
	out->u.scids.list = ARENA_NEW(arena, struct scid);
	return read_scid(out->u.scids.list, text);
}

static bool read_scids(struct value *out, const json_t *array, struct arena *arena)
{
	const size_t count = json_array_size(array);

	out->u.scids.listed = true;
	out->u.scids.list = ARENA_ARRAY(arena, struct scid, count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (!text || !read_scid(&out->u.scids.list[out->u.scids.count++], text))
			return false;
	}
	return true;
}

static bool read_sat(struct amount_sat *out, const char *text)
{
	struct amount_msat msat;

	if (!read_amount(&msat, text, 1000) || msat.v % 1000)
		return false;
	*out = msat_to_sat(msat);
	return true;
}

static bool read_hex(struct bytes *out, const char *text, struct arena *arena)
{
	const size_t size = strlen(text) / 2;
	uint8_t *bytes = arena_array(arena, size ? size : 1, 1);

	if (strlen(text) % 2 || !hex_decode(bytes, size, text, strlen(text)))
		return false;
	*out = BYTES(bytes, size);
	return true;
}

static bool read_text(struct value *out, enum lampo_type type, const char *text, struct arena *arena)
{
	switch (type) {
	case LAMPO_STRING:
	case LAMPO_LABEL:
		out->u.string = text;
		return true;
	case LAMPO_BOOL: return read_bool(&out->u.boolean, text);
	case LAMPO_U16: return read_number(&out->u.number, text, UINT16_MAX);
	case LAMPO_U32: return read_number(&out->u.number, text, UINT32_MAX);
	case LAMPO_U64: return read_number(&out->u.number, text, INT64_MAX);
	case LAMPO_PERCENT: return read_percent(&out->u.ppm, text);
	case LAMPO_MSAT_OR_ANY:
		out->all = strcmp(text, "any") == 0;
		return out->all || read_amount(&out->u.msat, text, 1);
	case LAMPO_MSAT: return read_amount(&out->u.msat, text, 1);
	case LAMPO_SAT_OR_ALL:
		out->all = strcmp(text, "all") == 0;
		return out->all || read_sat(&out->u.sat, text);
	case LAMPO_SAT: return read_sat(&out->u.sat, text);
	case LAMPO_PUBKEY: return read_pubkey(&out->u.pubkey, text);
	case LAMPO_HASH: return hex_decode(out->u.hash.v, sizeof(out->u.hash.v), text, strlen(text));
	case LAMPO_TXID: return read_txid(&out->u.txid, text);
	case LAMPO_HEX: return read_hex(&out->u.bytes, text, arena);
	case LAMPO_FEERATE: return read_feerate(&out->u.feerate, text);
	case LAMPO_OUTPOINT: return read_outpoint(&out->u.outpoint, text);
	case LAMPO_SCID: return read_scid(&out->u.scid, text);
	case LAMPO_PEER: return read_peer(out, text, arena);
	case LAMPO_CHANNEL: return read_channel(&out->u.channel, text);
	case LAMPO_CHANNEL_OR_ALL:
		out->all = strcmp(text, "all") == 0;
		return out->all || read_channel(&out->u.channel, text);
	case LAMPO_INTEGER: return read_integer(&out->u.integer, text);
	case LAMPO_SCID_DIR: return read_scid_dir(&out->u.scid_dir.scid, &out->u.scid_dir.direction, text);
	case LAMPO_BOOL_OR_SCIDS: return read_scids_text(out, text, arena);
	case LAMPO_ARRAY:
	case LAMPO_OBJECT:
		break;
	}
	UNREACHABLE();
}

bool value_read(struct value *out, enum lampo_type type, const json_t *json, struct arena *arena,
		char why[RPC_WHY_SIZE])
{
	const char *text;

	*out = (struct value){ .present = true };
	if (type == LAMPO_ARRAY || type == LAMPO_OBJECT) {
		out->u.json = json;
		if (type == LAMPO_ARRAY ? json_is_array(json) : json_is_object(json))
			return true;
	} else if (type == LAMPO_BOOL_OR_SCIDS && json_is_array(json)) {
		if (read_scids(out, json, arena))
			return true;
	} else {
		text = text_of(type, json, arena);
		if (text && read_text(out, type, text, arena))
			return true;
	}
	say_expected(why, type, json);
	return false;
}

static json_t *write_hex(struct bytes b)
{
	json_t *object = json_new_object(), *hex;

	json_add_hex(object, "v", b);
	hex = json_incref(json_object_get(object, "v"));
	json_decref(object);
	return hex;
}

static json_t *write_txid(const struct txid *txid)
{
	uint8_t shown[32];
	size_t i;

	for (i = 0; i < 32; i++)
		shown[i] = txid->v[31 - i];
	return write_hex(BYTES_OF(shown));
}

static json_t *write_feerate(const struct feerate_choice *f)
{
	static const char *const names[FEE_TARGETS] = {
		[FEE_URGENT] = "urgent", [FEE_NORMAL] = "normal", [FEE_SLOW] = "slow", [FEE_MINIMUM] = "minimum",
	};

	return f->estimated ? json_string(names[f->target]) : json_sprintf("%uperkw", f->rate.per_kw);
}

static json_t *write_outpoint(const struct outpoint *o)
{
	json_t *txid = write_txid(&o->txid);
	json_t *text = json_sprintf("%s:%u", json_string_value(txid), o->index);

	json_decref(txid);
	return text;
}

static json_t *write_scid(struct scid s)
{
	return json_sprintf("%ux%ux%u", scid_height(s), scid_tx_index(s), scid_output(s));
}

static json_t *write_scid_dir(struct scid s, uint8_t direction)
{
	return json_sprintf("%ux%ux%u/%u", scid_height(s), scid_tx_index(s), scid_output(s), direction);
}

static json_t *write_scids(const struct value *v)
{
	json_t *list;

	if (!v->u.scids.listed)
		return json_boolean(v->u.scids.all);
	list = json_new_array();
	for (uint32_t i = 0; i < v->u.scids.count; i++)
		json_append(list, write_scid(v->u.scids.list[i]));
	return list;
}

static json_t *write_peer(const struct value *v)
{
	json_t *id = write_hex(BYTES_OF(v->u.peer.id.v)), *text;

	if (!v->u.peer.host)
		return id;
	if (v->u.peer.port)
		text = json_sprintf(strchr(v->u.peer.host, ':') ? "%s@[%s]:%u" : "%s@%s:%u", json_string_value(id),
				    v->u.peer.host, v->u.peer.port);
	else
		text = json_sprintf("%s@%s", json_string_value(id), v->u.peer.host);
	json_decref(id);
	return text;
}

static json_t *write_channel(const struct channel_name *c)
{
	return c->by_id	  ? write_hex(BYTES_OF(c->id.v)) :
	       c->by_peer ? write_hex(BYTES_OF(c->peer.v)) :
			    write_scid(c->scid);
}

json_t *value_write(const struct value *v, enum lampo_type type)
{
	ASSERT(v->present);
	switch (type) {
	case LAMPO_STRING:
	case LAMPO_LABEL: return json_string(v->u.string);
	case LAMPO_BOOL: return json_boolean(v->u.boolean);
	case LAMPO_U16:
	case LAMPO_U32:
	case LAMPO_U64: return json_integer((json_int_t)v->u.number);
	case LAMPO_PERCENT: return json_real((double)v->u.ppm / 10000.0);
	case LAMPO_MSAT:
	case LAMPO_MSAT_OR_ANY: return v->all ? json_string("any") : json_integer((json_int_t)v->u.msat.v);
	case LAMPO_SAT:
	case LAMPO_SAT_OR_ALL: return v->all ? json_string("all") : json_integer((json_int_t)v->u.sat.v);
	case LAMPO_PUBKEY: return write_hex(BYTES_OF(v->u.pubkey.v));
	case LAMPO_HASH: return write_hex(BYTES_OF(v->u.hash.v));
	case LAMPO_TXID: return write_txid(&v->u.txid);
	case LAMPO_HEX: return write_hex(v->u.bytes);
	case LAMPO_FEERATE: return write_feerate(&v->u.feerate);
	case LAMPO_OUTPOINT: return write_outpoint(&v->u.outpoint);
	case LAMPO_SCID: return write_scid(v->u.scid);
	case LAMPO_PEER: return write_peer(v);
	case LAMPO_CHANNEL: return write_channel(&v->u.channel);
	case LAMPO_CHANNEL_OR_ALL: return v->all ? json_string("all") : write_channel(&v->u.channel);
	case LAMPO_INTEGER: return json_integer(v->u.integer);
	case LAMPO_SCID_DIR: return write_scid_dir(v->u.scid_dir.scid, v->u.scid_dir.direction);
	case LAMPO_BOOL_OR_SCIDS: return write_scids(v);
	case LAMPO_ARRAY:
	case LAMPO_OBJECT: return json_deep_copy(v->u.json);
	}
	UNREACHABLE();
}
