/* The grammar of JSON (RFC 8259), one byte at a time.
 *
 * A scan knows after each byte whether the text is whole, can still become
 * whole, or can never be JSON.  It keeps a bit for each open container and
 * nothing else, so its cost is O(1) a byte and its memory is fixed.  It does
 * not check UTF-8, escapes of surrogates or the range of numbers: json_parse
 * does.
 *
 * INV-J1  depth <= JSON_DEPTH_MAX: deeper text is refused, so no reader of what
 *        passed needs more stack than that.
 * INV-J2  After JSON_SCAN_WHOLE, _WHOLE_BEFORE or _BAD the scan takes no more
 *        bytes until json_scan_init. */
#ifndef API_JSON_SCAN_H
#define API_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64

enum json_scan_result {
	JSON_SCAN_MORE,
	JSON_SCAN_WHOLE,	/* this byte ends the text */
	JSON_SCAN_WHOLE_BEFORE, /* the text ended before this byte: a number has no end of its own */
	JSON_SCAN_BAD,
};

struct json_scan {
	uint64_t arrays;     /* bit d: the container at depth d is an array */
	const char *literal; /* what must still come of true, false or null */
	uint8_t depth;
	uint8_t hex_left; /* digits of \uXXXX still to come */
	uint8_t state;
	bool in_key;
};

void json_scan_init(struct json_scan *s);
enum json_scan_result json_scan_byte(struct json_scan *s, uint8_t byte);
/* A text has begun: something other than whitespace was seen. */
bool json_scan_begun(const struct json_scan *s);
/* The input ended here: true if what was seen is a whole text (a number at the top). */
bool json_scan_end(const struct json_scan *s);

#endif
