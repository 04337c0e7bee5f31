/* Methods of the JSON-RPC interface.
 *
 * A method is a name, a schema and a handler.  The schema is data: from it come
 * the checks on parameters, the answer to `help` and the manual.  An embedder
 * describes a method of its own in the same way as the bundled ones:
 *
 *	static const struct lampo_param params[] = {
 *		{ .name = "word", .type = LAMPO_STRING, .flags = LAMPO_REQUIRED, .doc = "What to say." },
 *	};
 *	static const struct lampo_method echo = {
 *		.name = "echo", .summary = "Say a word again",
 *		.params = params, .param_count = 1, .handler = echo_handler,
 *	};
 *
 * JSON crosses this border as UTF-8 text. */
#ifndef LAMPO_METHOD_H
#define LAMPO_METHOD_H

#include <stddef.h>

#include "lampo/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types of parameters and results.  Append only. */
enum lampo_type {
	LAMPO_STRING = 1,
	LAMPO_BOOL,
	LAMPO_U16,
	LAMPO_U32,
	LAMPO_U64,
	LAMPO_PERCENT,	   /* a number, 0 to 100, fractions allowed */
	LAMPO_MSAT,	   /* integer of millisatoshi, or "10msat", "5sat", "0.001btc" */
	LAMPO_MSAT_OR_ANY, /* the same, or "any" */
	LAMPO_SAT,	   /* integer of satoshi, or with a unit as above */
	LAMPO_SAT_OR_ALL,  /* the same, or "all" */
	LAMPO_PUBKEY,	   /* 66 hex digits */
	LAMPO_HASH,	   /* 64 hex digits */
	LAMPO_TXID,	   /* 64 hex digits, in the order that explorers show */
	LAMPO_HEX,
	LAMPO_FEERATE,	/* "slow", "normal", "urgent", "1000perkb", "253perkw", or a number per kB */
	LAMPO_OUTPOINT, /* "txid:index" */
	LAMPO_SCID,	/* "block x transaction x output" without spaces */
	LAMPO_LABEL,	/* string or integer */
	LAMPO_PEER,	/* public key, which "@host:port" may follow */
	LAMPO_CHANNEL,	/* channel id, short channel id or the peer's public key */
	LAMPO_ARRAY,
	LAMPO_OBJECT,
	LAMPO_INTEGER, /* may be negative */
	LAMPO_BOOL_OR_SCIDS, /* true, false, a short channel id, or an array of these */
	LAMPO_CHANNEL_OR_ALL, /* as LAMPO_CHANNEL, or "all" */
	LAMPO_SCID_DIR, /* a short channel id and a direction: "103x1x0/1" */
};

enum lampo_flags {
	LAMPO_REQUIRED = 1,    /* parameter: must be given */
	LAMPO_OPTIONAL = 2,    /* result: may be absent */
	LAMPO_UNSUPPORTED = 4, /* parameter: keeps its place in the order, and is refused when given */
};

struct lampo_param {
	const char *name;
	const char *aliases; /* other names, space-separated; NULL: none */
	enum lampo_type type;
	enum lampo_type element; /* of a LAMPO_ARRAY; 0: anything */
	unsigned flags;
	const char *choices;  /* of a LAMPO_STRING: space-separated; NULL: any text */
	const char *fallback; /* the value when it is absent; NULL: none */
	const char *doc;
};

/* A result is named by its path: "peers[].id" is the id of each peer. */
struct lampo_result {
	const char *name;
	enum lampo_type type;
	unsigned flags;
	const char *doc;
};

struct lampo_error {
	int code;
	const char *doc;
};

/* One call in progress.  Answer it exactly once, now or later, from the node's
 * own thread; it is gone then.  That the client has hung up meanwhile changes
 * nothing for the handler. */
struct lampo_call;

/* params: a JSON object of all parameters that are present, under their names
 * from the table (never an alias), checked, and in one form for each type:
 * amounts as integers, booleans as booleans.  It lives until the handler returns. */
typedef void lampo_handler(void *context, struct lampo_call *call, const char *params);

struct lampo_method {
	const char *name;
	const char *aliases;  /* other names, space-separated; NULL: none */
	const char *category; /* a word that groups methods in help; NULL: "other" */
	const char *summary;  /* one line, without a full stop */
	const char *doc;      /* sentences, paragraphs separated by an empty line; may be NULL */
	const struct lampo_param *params; /* in the order of positional parameters */
	size_t param_count;		  /* at most 32 */
	const struct lampo_result *results;
	size_t result_count;
	const struct lampo_error *errors;
	size_t error_count;
	lampo_handler *handler;
	void *context; /* handed to the handler */
};

/* Answers with a JSON value; text that is not one answers with an internal error. */
LAMPO_API void lampo_call_reply(struct lampo_call *call, const char *json);
/* Answers with an error.  data: a JSON value that says more, or NULL. */
LAMPO_API void lampo_call_fail(struct lampo_call *call, int code, const char *message, const char *data);

#ifdef __cplusplus
}
#endif

#endif
