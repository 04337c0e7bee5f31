#include "cmd/lampod-cli/config_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/lampod-cli/option.h"

struct line {
	const char *file;
	unsigned number;
	struct bytes key, value;
};

static struct bytes trim(struct bytes b)
{
	while (b.size && strchr(" \t\r", b.data[0]))
		b = BYTES(b.data + 1, b.size - 1);
	while (b.size && strchr(" \t\r", b.data[b.size - 1]))
		b.size--;
	return b;
}

static void line_fails(const struct line *l, char why[CONFIG_WHY_SIZE], const char *fmt, ...) PRINTF_LIKE(3, 4);
static void line_fails(const struct line *l, char why[CONFIG_WHY_SIZE], const char *fmt, ...)
{
	int used = snprintf(why, CONFIG_WHY_SIZE, "%s, line %u: ", l->file, l->number);
	va_list ap;

	if (used < 0 || used >= CONFIG_WHY_SIZE)
		return;
	va_start(ap, fmt);
	vsnprintf(why + used, CONFIG_WHY_SIZE - (size_t)used, fmt, ap);
	va_end(ap);
}

static void unknown_key(const struct line *l, char why[CONFIG_WHY_SIZE])
{
	struct buf keys = BUF_EMPTY;
	char key[100];

	log_escape(key, sizeof(key), l->key);
	option_list_keys(&keys);
	line_fails(l, why, "there is no key '%s': correct it or take it out.  The keys are %.*s", key, (int)keys.size,
		   (const char *)keys.data);
	buf_release(&keys);
}

static void bad_value(const struct line *l, const struct option *o, char why[CONFIG_WHY_SIZE])
{
	char value[100];

	/* A password does not go to a terminal or a log. */
	log_escape(value, sizeof(value), strcmp(o->key, "core-pass") == 0 ? BYTES_NONE : l->value);
	line_fails(l, why, "%s=%s should be %s", o->key, value, o->expected);
}

MUST_USE static bool apply_line(struct config *c, const struct line *l, unsigned seen[], char why[CONFIG_WHY_SIZE])
{
	const struct option *o = option_by_key(l->key);
	char value[1024];

	if (!o) {
		unknown_key(l, why);
		return false;
	}
	snprintf(value, sizeof(value), "%.*s", (int)l->value.size, (const char *)l->value.data);
	/* Cut short, or with a NUL inside: not what was written. */
	if (strlen(value) != l->value.size || !o->set(c, value)) {
		bad_value(l, o, why);
		return false;
	}
	if (seen[o - options] && !o->repeats) {
		line_fails(l, why, "'%s' is given already in line %u: take one of them out", o->key, seen[o - options]);
		return false;
	}
	seen[o - options] = l->number;
	return true;
}

MUST_USE static bool apply_text(struct config *c, struct bytes rest, char why[CONFIG_WHY_SIZE])
{
	struct line l = { .file = c->file };
	unsigned *seen = NEW_ARRAY(unsigned, option_count);
	bool ok = true;

	while (ok && rest.size) {
		const uint8_t *end = memchr(rest.data, '\n', rest.size), *equals;
		const size_t size = end ? (size_t)(end - rest.data) : rest.size;
		const struct bytes text = trim(BYTES(rest.data, size));

		l.number++;
		rest = BYTES(rest.data + size, rest.size - size);
		if (rest.size)
			rest = BYTES(rest.data + 1, rest.size - 1);
		if (!text.size || text.data[0] == '#')
			continue;
		equals = memchr(text.data, '=', text.size);
		l.key = trim(BYTES(text.data, equals ? (size_t)(equals - text.data) : text.size));
		if (!equals) {
			char key[100];

			log_escape(key, sizeof(key), l.key);
			line_fails(&l, why, "'%s' has no value: write %s=VALUE", key, key);
			ok = false;
			break;
		}
		l.value = trim(BYTES(equals + 1, text.size - (size_t)(equals + 1 - text.data)));
		ok = apply_line(c, &l, seen, why);
	}
	mem_free(seen);
	return ok;
}

bool config_read_file(struct config *c, char why[CONFIG_WHY_SIZE])
{
	char *text = mem_alloc(CONFIG_FILE_SIZE_MAX + 1);
	FILE *f = fopen(c->file, "re");
	size_t size;
	bool ok;

	if (!f) {
		snprintf(why, CONFIG_WHY_SIZE, "%s cannot be read: %s", c->file, strerror(errno));
		mem_free(text);
		return false;
	}
	size = fread(text, 1, CONFIG_FILE_SIZE_MAX + 1, f);
	ok = !ferror(f) && size <= CONFIG_FILE_SIZE_MAX;
	fclose(f);
	if (ok)
		ok = apply_text(c, BYTES(text, size), why);
	else
		snprintf(why, CONFIG_WHY_SIZE, "%s cannot be read, or has more than %u bytes", c->file, CONFIG_FILE_SIZE_MAX);
	mem_wipe_free(text, CONFIG_FILE_SIZE_MAX + 1);
	return ok;
}
