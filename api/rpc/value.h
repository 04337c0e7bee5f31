/* Typed values out of JSON: what a parameter may be, read strictly.
 *
 * Every type can also be read from text, as a command line gives it: "12" is
 * the number 12, "true" is true.  Amounts follow Core Lightning: an integer is
 * in the parameter's own unit, text may name its unit. */
#ifndef API_RPC_VALUE_H
#define API_RPC_VALUE_H

#include "api/json/json.h"
#include "base/arena.h"
#include "lampo/method.h"
#include "step/command.h"
#include "step/event.h"

#define RPC_WHY_SIZE 400

/* A fee rate as a user says it: what the chain source estimates, or a number. */
struct feerate_choice {
	bool estimated;
	enum fee_target target; /* if estimated */
	struct feerate rate;	/* if not */
};

/* One value; the member is that of its type. */
struct value {
	bool present;
	bool all; /* "any" or "all" instead of an amount */
	union {
		bool boolean;	    /* BOOL */
		uint64_t number;    /* U16 U32 U64 */
		int64_t integer;    /* INTEGER */
		uint32_t ppm;	    /* PERCENT: millionths */
		struct amount_msat msat;
		struct amount_sat sat;
		struct pubkey pubkey; /* PUBKEY: a valid point */
		struct sha256 hash;
		struct txid txid;
		struct bytes bytes; /* HEX */
		const char *string; /* STRING, LABEL */
		struct feerate_choice feerate;
		struct outpoint outpoint;
		struct scid scid;
		struct {
			struct scid scid;
			uint8_t direction;
		} scid_dir;
		struct {
			struct pubkey id;
			const char *host; /* NULL: not said */
			uint16_t port;	  /* 0: not said */
		} peer;
		struct channel_name channel;
		struct {
			bool listed;  /* else `all` or none */
			bool all;
			struct scid *list;
			uint32_t count;
		} scids;
		const json_t *json; /* ARRAY, OBJECT: borrows the request */
	} u;
};

/* False, with what was expected in why, if json is not of that type.  What is
 * behind pointers lives in the arena or, for strings and containers, in json. */
MUST_USE bool value_read(struct value *out, enum lampo_type type, const json_t *json, struct arena *arena,
			 char why[RPC_WHY_SIZE]);
/* The value in the one form that each type has in JSON.  Returns owned. */
MUST_USE json_t *value_write(const struct value *v, enum lampo_type type);

/* How help and errors call a type. */
const char *value_type_name(enum lampo_type type);

/* "host", "host:port", "[::1]:port" or a bare IPv6 address; host is in the arena, port 0 if not said.
 * At most 255 bytes of host, none of them blank. */
MUST_USE bool value_read_host(const char **host, uint16_t *port, const char *text, struct arena *arena);

#endif
