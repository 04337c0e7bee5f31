#include "api/json/scan.h"

#include "base/assert.h"

enum scan_state {
	SCAN_START, /* nothing yet */
	SCAN_VALUE,
	SCAN_VALUE_OR_CLOSE, /* just after [ */
	SCAN_KEY,
	SCAN_KEY_OR_CLOSE, /* just after { */
	SCAN_COLON,
	SCAN_COMMA_OR_CLOSE,
	SCAN_STRING,
	SCAN_ESCAPE,
	SCAN_ESCAPE_HEX,
	SCAN_LITERAL,
	SCAN_MINUS,
	SCAN_ZERO, /* a leading 0: no digit may follow */
	SCAN_DIGITS,
	SCAN_POINT,
	SCAN_FRACTION,
	SCAN_EXPONENT,
	SCAN_EXPONENT_SIGN,
	SCAN_EXPONENT_DIGITS,
	SCAN_OVER,
};

void json_scan_init(struct json_scan *s)
{
	*s = (struct json_scan){ .state = SCAN_START };
}

bool json_scan_begun(const struct json_scan *s)
{
	return s->state != SCAN_START;
}

static bool is_space(uint8_t b)
{
	return b == ' ' || b == '\t' || b == '\n' || b == '\r';
}

static bool is_digit(uint8_t b)
{
	return b >= '0' && b <= '9';
}

static bool is_hex(uint8_t b)
{
	return is_digit(b) || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F');
}

static bool number_may_end(uint8_t state)
{
	return state == SCAN_ZERO || state == SCAN_DIGITS || state == SCAN_FRACTION ||
	       state == SCAN_EXPONENT_DIGITS;
}

bool json_scan_end(const struct json_scan *s)
{
	return s->depth == 0 && number_may_end(s->state);
}

static enum json_scan_result bad(struct json_scan *s)
{
	s->state = SCAN_OVER; /* INV-J2 */
	return JSON_SCAN_BAD;
}

static enum json_scan_result to(struct json_scan *s, enum scan_state state)
{
	s->state = state;
	return JSON_SCAN_MORE;
}

/* A value ended with the byte just taken. */
static enum json_scan_result value_over(struct json_scan *s)
{
	if (s->depth > 0)
		return to(s, SCAN_COMMA_OR_CLOSE);
	s->state = SCAN_OVER;
	return JSON_SCAN_WHOLE;
}

static enum json_scan_result open_container(struct json_scan *s, bool array)
{
	if (s->depth == JSON_DEPTH_MAX) /* INV-J1 */
		return bad(s);
	s->arrays &= ~(1ull << s->depth);
	s->arrays |= (uint64_t)array << s->depth;
	s->depth++;
	return to(s, array ? SCAN_VALUE_OR_CLOSE : SCAN_KEY_OR_CLOSE);
}

static bool in_array(const struct json_scan *s)
{
	return s->arrays >> (s->depth - 1) & 1;
}

static enum json_scan_result close_container(struct json_scan *s, uint8_t b)
{
	if (s->depth == 0 || b != (in_array(s) ? ']' : '}'))
		return bad(s);
	s->depth--;
	return value_over(s);
}

static enum json_scan_result open_string(struct json_scan *s, bool key)
{
	s->in_key = key;
	return to(s, SCAN_STRING);
}

static enum json_scan_result open_value(struct json_scan *s, uint8_t b)
{
	if (b == '{' || b == '[')
		return open_container(s, b == '[');
	if (b == '"')
		return open_string(s, false);
	if (b == '-')
		return to(s, SCAN_MINUS);
	if (is_digit(b))
		return to(s, b == '0' ? SCAN_ZERO : SCAN_DIGITS);
	s->literal = b == 't' ? "rue" : b == 'f' ? "alse" : b == 'n' ? "ull" : "";
	return *s->literal ? to(s, SCAN_LITERAL) : bad(s);
}

static enum json_scan_result in_literal(struct json_scan *s, uint8_t b)
{
	if (b != (uint8_t)*s->literal)
		return bad(s);
	s->literal++;
	return *s->literal ? JSON_SCAN_MORE : value_over(s);
}

static enum json_scan_result in_string(struct json_scan *s, uint8_t b)
{
	if (b == '\\')
		return to(s, SCAN_ESCAPE);
	if (b == '"')
		return s->in_key ? to(s, SCAN_COLON) : value_over(s);
	/* RFC 8259: control characters must be escaped. */
	return b < 0x20 ? bad(s) : JSON_SCAN_MORE;
}

static enum json_scan_result in_escape(struct json_scan *s, uint8_t b)
{
	if (b == 'u') {
		s->hex_left = 4;
		return to(s, SCAN_ESCAPE_HEX);
	}
	if (b == '"' || b == '\\' || b == '/' || b == 'b' || b == 'f' || b == 'n' || b == 'r' || b == 't')
		return to(s, SCAN_STRING);
	return bad(s);
}

static enum json_scan_result in_escape_hex(struct json_scan *s, uint8_t b)
{
	if (!is_hex(b))
		return bad(s);
	return --s->hex_left ? JSON_SCAN_MORE : to(s, SCAN_STRING);
}

static enum json_scan_result comma_or_close(struct json_scan *s, uint8_t b)
{
	if (b == ',')
		return to(s, in_array(s) ? SCAN_VALUE : SCAN_KEY);
	return close_container(s, b);
}

/* The byte after a number that is whole: it belongs to what contains the number. */
static enum json_scan_result number_over(struct json_scan *s, uint8_t b)
{
	if (s->depth == 0) {
		s->state = SCAN_OVER;
		return JSON_SCAN_WHOLE_BEFORE;
	}
	s->state = SCAN_COMMA_OR_CLOSE;
	return is_space(b) ? JSON_SCAN_MORE : comma_or_close(s, b);
}

static enum json_scan_result in_number(struct json_scan *s, uint8_t b)
{
	const enum scan_state state = (enum scan_state)s->state;
	const bool whole_part = state == SCAN_ZERO || state == SCAN_DIGITS;

	if (state == SCAN_MINUS)
		return is_digit(b) ? to(s, b == '0' ? SCAN_ZERO : SCAN_DIGITS) : bad(s);
	if (is_digit(b) && state != SCAN_ZERO) {
		if (state == SCAN_POINT)
			return to(s, SCAN_FRACTION);
		if (state == SCAN_EXPONENT || state == SCAN_EXPONENT_SIGN)
			return to(s, SCAN_EXPONENT_DIGITS);
		return JSON_SCAN_MORE;
	}
	if (b == '.' && whole_part)
		return to(s, SCAN_POINT);
	if ((b == 'e' || b == 'E') && (whole_part || state == SCAN_FRACTION))
		return to(s, SCAN_EXPONENT);
	if ((b == '+' || b == '-') && state == SCAN_EXPONENT)
		return to(s, SCAN_EXPONENT_SIGN);
	/* A digit here follows a leading zero: 012 is not a number, nor 0 and 12. */
	return number_may_end(s->state) && !is_digit(b) ? number_over(s, b) : bad(s);
}

/* Between tokens, where whitespace has no meaning. */
static enum json_scan_result between(struct json_scan *s, uint8_t b)
{
	if (is_space(b))
		return JSON_SCAN_MORE;
	if ((s->state == SCAN_VALUE_OR_CLOSE && b == ']') || (s->state == SCAN_KEY_OR_CLOSE && b == '}'))
		return close_container(s, b);
	if (s->state == SCAN_KEY || s->state == SCAN_KEY_OR_CLOSE)
		return b == '"' ? open_string(s, true) : bad(s);
	if (s->state == SCAN_COLON)
		return b == ':' ? to(s, SCAN_VALUE) : bad(s);
	if (s->state == SCAN_COMMA_OR_CLOSE)
		return comma_or_close(s, b);
	return open_value(s, b);
}

enum json_scan_result json_scan_byte(struct json_scan *s, uint8_t b)
{
	switch ((enum scan_state)s->state) {
	case SCAN_START:
	case SCAN_VALUE:
	case SCAN_VALUE_OR_CLOSE:
	case SCAN_KEY:
	case SCAN_KEY_OR_CLOSE:
	case SCAN_COLON:
	case SCAN_COMMA_OR_CLOSE:
		return between(s, b);
	case SCAN_STRING:
		return in_string(s, b);
	case SCAN_ESCAPE:
		return in_escape(s, b);
	case SCAN_ESCAPE_HEX:
		return in_escape_hex(s, b);
	case SCAN_LITERAL:
		return in_literal(s, b);
	case SCAN_MINUS:
	case SCAN_ZERO:
	case SCAN_DIGITS:
	case SCAN_POINT:
	case SCAN_FRACTION:
	case SCAN_EXPONENT:
	case SCAN_EXPONENT_SIGN:
	case SCAN_EXPONENT_DIGITS:
		return in_number(s, b);
	case SCAN_OVER:
		break;
	}
	UNREACHABLE();
}
