/* UTF-8: BOLT 1 "Fundamental Types" (utf8), BOLT 11 (d), RFC 3629. */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include "base/bytes.h"

/* No overlong forms, no surrogates, nothing above U+10FFFF. */
MUST_USE bool utf8_valid(struct bytes text);

#endif
