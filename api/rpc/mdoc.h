/* Writing manual pages in mdoc(7): text that means nothing to the formatter, in
 * lines that its checker likes. */
#ifndef API_RPC_MDOC_H
#define API_RPC_MDOC_H

#include "base/bytes.h"

#define MDOC_DATE "November 23, 2025"

void mdoc_begin(struct buf *out, const char *name, const char *section, const char *summary);
/* Sentences; an empty line begins a paragraph. */
void mdoc_text(struct buf *out, const char *text);
/* ".MACRO text", the text without any meaning to the formatter. */
void mdoc_macro(struct buf *out, const char *macro, const char *text);

#endif
