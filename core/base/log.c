#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

void log_write(const struct log_sink *sink, enum log_level level, const char *room,
	       const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (!sink || !sink->write || level < sink->level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sink->write(sink->context, level, room, line);
}

void log_escape(char *out, size_t out_size, struct bytes text)
{
	size_t at = 0;

	ASSERT(out_size > 0);
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			if (at + 1 >= out_size)
				break;
			out[at++] = (char)c;
		} else {
			if (at + 4 >= out_size)
				break;
			snprintf(out + at, 5, "\\x%02x", c);
			at += 4;
		}
	}
	out[at] = 0;
}
