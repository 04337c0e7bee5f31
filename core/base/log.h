/* Where the core's sentences go.
 *
 * The core never prints: it calls a sink that its embedder gives it.  Secrets
 * are never logged.  Text from strangers goes through log_escape first. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_sink {
	void (*write)(void *context, enum log_level level, const char *room, const char *text);
	void *context;
	enum log_level level; /* lines below it are not even formatted */
};

void log_write(const struct log_sink *sink, enum log_level level, const char *room,
	       const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Copies text from a stranger so that a terminal or a log file cannot be
 * fooled: bytes outside printable ASCII become \xNN.  At most out_size bytes
 * with the NUL; what does not fit is cut. */
void log_escape(char *out, size_t out_size, struct bytes text);

#endif
