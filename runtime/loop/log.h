/* Where log lines end: stderr or a file.
 *
 * One line is one write(2) in append mode, so threads need no lock.  Lines are
 * "2026-11-23T12:50:01.123Z INFO  room: text".  Control bytes in text become
 * \xNN: what a peer sent cannot forge a line or drive a terminal. */
#ifndef RUNTIME_LOOP_LOG_H
#define RUNTIME_LOOP_LOG_H

#include <stdnoreturn.h>

#include "base/log.h"

struct log_file;

/* path NULL or "-": stderr.  NULL with errno set if it cannot be opened. */
MUST_USE struct log_file *log_file_open(const char *path, enum log_level level);
void log_file_close(struct log_file *l);
/* Opens the path anew, after a rotation moved the old file away. */
void log_file_reopen(struct log_file *l);
const struct log_sink *log_file_sink(const struct log_file *l);

/* The environment failed in a way that only a restart mends: says so and ends the process without any cleanup,
 * exactly as a crash would.  Any thread. */
noreturn void log_fatal(const struct log_sink *sink, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
