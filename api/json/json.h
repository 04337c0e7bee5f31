/* JSON values: strict parsing, and building that cannot half-fail.
 *
 * The values are jansson's json_t.  Parsing refuses what is ambiguous
 * (duplicate keys) and what is not JSON, and is bounded in depth
 * (JSON_DEPTH_MAX) by the scan and in size by the caller.  The builders abort
 * when memory is out, as all of the program does, so a half-built answer never
 * leaves.  Amounts are integers of millisatoshi: every amount that can exist
 * fits a 64-bit signed integer.
 *
 * Where a function takes a json_t it says "takes"; json_add_* borrow the
 * object and the other arguments. */
#ifndef API_JSON_JSON_H
#define API_JSON_JSON_H

#include <jansson.h>

#include "base/amount.h"
#include "base/bytes.h"
#include "base/types.h"

#define JSON_WHY_SIZE 200

/* Returns owned; NULL with a sentence in why if text is not one JSON value. */
MUST_USE json_t *json_parse(struct bytes text, char why[JSON_WHY_SIZE]);

/* An object, an array: returns owned. */
MUST_USE json_t *json_new_object(void);
MUST_USE json_t *json_new_array(void);
/* A string from text that may be anything (a peer's words, a description):
 * bytes that are not UTF-8 become U+FFFD, and so does NUL: json_parse and many
 * others refuse it, and one stranger's alias would spoil everybody's listnodes.
 * Returns owned. */
MUST_USE json_t *json_new_text(struct bytes text);

/* Members.  A key is written once. */
void json_add(json_t *object, const char *key, json_t *value); /* takes value */
void json_add_string(json_t *object, const char *key, const char *utf8);
void json_add_printf(json_t *object, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void json_add_text(json_t *object, const char *key, struct bytes text);
void json_add_bool(json_t *object, const char *key, bool value);
/* What does not fit JSON's signed 64 bits is written as the greatest that does. */
void json_add_u64(json_t *object, const char *key, uint64_t value);
void json_add_hex(json_t *object, const char *key, struct bytes value);
/* Millisatoshi.  "No limit" on the wire is any value above the supply: it is written as the supply. */
void json_add_msat(json_t *object, const char *key, struct amount_msat value);
void json_add_sat_as_msat(json_t *object, const char *key, struct amount_sat value);
/* In the order that RPCs and explorers show: reversed. */
void json_add_txid(json_t *object, const char *key, const struct txid *value);
void json_add_block_hash(json_t *object, const char *key, const struct block_hash *value);
/* 539268x845x1; nothing is written where there is none. */
void json_add_scid(json_t *object, const char *key, struct scid value);
void json_append(json_t *array, json_t *value); /* takes value */

/* How many bytes at the start of UTF-8 text are one character that drives a terminal or lies about what is beside it:
 * a control (C0, DEL, C1), a line or paragraph separator, a mark that turns the direction of writing.  0: it is
 * harmless. */
MUST_USE size_t json_hazard(struct bytes text);

/* Appends the text of a value: compact, or indented by two spaces.  Neither form holds an empty line; a hazard in a
 * string, which may be a stranger's, is written as \uXXXX. */
void json_write(struct buf *out, const json_t *value);
/* A real number with that many digits, 1 to 17. */
void json_write_real(struct buf *out, const json_t *value, int digits);
void json_write_pretty(struct buf *out, const json_t *value);

#endif
