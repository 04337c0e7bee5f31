#include "runtime/loop/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_SIZE 4096

struct log_file {
	struct log_sink sink;
	char *path; /* NULL: stderr */
	int fd;
};

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_TRACE:
		return "TRACE";
	case LOG_DEBUG:
		return "DEBUG";
	case LOG_INFO:
		return "INFO";
	case LOG_WARN:
		return "WARN";
	case LOG_ERROR:
		return "ERROR";
	}
	UNREACHABLE();
}

/* Bytes that could forge a line or drive a terminal; a backslash may stay, the rooms have used it to escape. */
static char *copy_printable(char *at, const char *end, const char *text)
{
	for (; *text && at + 5 < end; text++) {
		uint8_t c = (uint8_t)*text;

		if (c >= 0x20 && c < 0x7f)
			*at++ = (char)c;
		else
			at += snprintf(at, 5, "\\x%02x", c);
	}
	return at;
}

static void write_line(void *context, enum log_level level, const char *room, const char *text)
{
	const struct log_file *l = context;
	char line[LINE_MAX_SIZE], *at = line;
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	at += strftime(at, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	at += snprintf(at, 64, ".%03ldZ %-5s %.32s: ", now.tv_nsec / 1000000, level_name(level), room);
	at = copy_printable(at, line + sizeof(line) - 1, text);
	*at++ = '\n';
	/* A log that cannot be written is no reason to stop moving money safely. */
	if (write(l->fd, line, (size_t)(at - line)) < 0)
		return;
}

static int open_append(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

struct log_file *log_file_open(const char *path, enum log_level level)
{
	struct log_file *l;
	int fd = STDERR_FILENO;

	if (path && strcmp(path, "-") == 0)
		path = NULL;
	if (path && (fd = open_append(path)) < 0)
		return NULL;
	l = NEW(struct log_file);
	l->fd = fd;
	if (path) {
		l->path = mem_alloc(strlen(path) + 1);
		strcpy(l->path, path);
	}
	l->sink.write = write_line;
	l->sink.context = l;
	l->sink.level = level;
	return l;
}

void log_file_reopen(struct log_file *l)
{
	int fd;

	if (!l->path)
		return;
	fd = open_append(l->path);
	if (fd < 0) {
		log_write(&l->sink, LOG_WARN, "log", "the log cannot be opened again: it goes on in the old file");
		return;
	}
	/* The number stays, so that a thread in the middle of a line is not disturbed. */
	dup3(fd, l->fd, O_CLOEXEC);
	close(fd);
}

void log_file_close(struct log_file *l)
{
	if (l->path)
		close(l->fd);
	mem_free(l->path);
	mem_free(l);
}

const struct log_sink *log_file_sink(const struct log_file *l)
{
	return &l->sink;
}

noreturn void log_fatal(const struct log_sink *sink, const char *room, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_write(sink, LOG_ERROR, room, "%s", text);
	_exit(EXIT_FAILURE);
}
