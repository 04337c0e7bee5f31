#include "cmd/lampo-cli/arguments.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
	const char *socket, *directory, *network;
};

static char *owned(const char *text)
{
	char *copy = mem_alloc(strlen(text) + 1);

	memcpy(copy, text, strlen(text));
	return copy;
}

static char *path_of(const char *directory, const char *between)
{
	struct buf path = BUF_EMPTY;

	buf_printf(&path, "%s/%s%slampod.socket", directory, between, *between ? "/" : "");
	buf_add_u8(&path, 0);
	return (char *)path.data;
}

/* The only network below directory that has a socket; NULL if there are none or several. */
static char *only_socket(const char *directory)
{
	DIR *d = opendir(directory);
	char *found = NULL;
	unsigned count = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path;

		if (e->d_name[0] == '.')
			continue;
		path = path_of(directory, e->d_name);
		if (access(path, F_OK) == 0 && ++count == 1)
			found = path;
		else
			mem_free(path);
	}
	if (d)
		closedir(d);
	if (count > 1) {
		mem_free(found);
		found = NULL;
	}
	return found;
}

/* Where the daemon listens: lampod-cli's own rules (its config.h), seen from outside. */
static char *find_socket(const struct place *p)
{
	struct buf home = BUF_EMPTY;
	const char *directory = p->directory;
	char *path;

	if (p->socket)
		return owned(p->socket);
	if (!directory) {
		buf_printf(&home, "%s/.lampo", getenv("HOME") ? getenv("HOME") : ".");
		buf_add_u8(&home, 0);
		directory = (const char *)home.data;
	}
	path = path_of(directory, "");
	/* What is not there is named in the error: -d DIR means DIR, the default a network's. */
	if (access(path, F_OK) != 0) {
		char *below = p->network ? path_of(directory, p->network) : only_socket(directory);

		if (!below && !p->directory)
			below = path_of(directory, "testnet");
		if (below && (!p->directory || access(below, F_OK) == 0)) {
			mem_free(path);
			path = below;
		} else {
			mem_free(below);
		}
	}
	buf_release(&home);
	return path;
}

static bool is_integer(const char *text)
{
	const char *digits = text + (*text == '-');

	return *digits && strspn(digits, "0123456789") == strlen(digits);
}

json_t *arguments_value(const char *text)
{
	const bool literal = strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "null") == 0;
	char why[JSON_WHY_SIZE];
	json_t *value = NULL;

	/* "007" and numbers beyond 64 bits are no JSON integers, and hex digits that
	 * happen to be decimal are mostly beyond: they stay text. */
	if (literal || is_integer(text) || strchr("{[\"", *text))
		value = *text ? json_parse(bytes_from_string(text), why) : NULL;
	return value ? value : json_string(text);
}

/* The size of NAME in NAME=...; 0 if it is no name. */
static size_t name_size(const char *text)
{
	const size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return size && text[size] == '=' && text[0] != '-' ? size : 0;
}

MUST_USE static bool add_named(json_t *params, const char *name, size_t size, const char *text, char why[CLI_WHY_SIZE])
{
	json_t *value = arguments_value(text);
	struct buf key = BUF_EMPTY;
	bool ok = false;

	buf_add(&key, name, size);
	buf_add_u8(&key, 0);
	if (!value)
		snprintf(why, CLI_WHY_SIZE, "the value of %s is not UTF-8", (const char *)key.data);
	else if (json_object_get(params, (const char *)key.data))
		snprintf(why, CLI_WHY_SIZE, "%s is given twice", (const char *)key.data);
	else
		ok = true;
	if (ok)
		json_add(params, (const char *)key.data, value);
	else
		json_decref(value);
	buf_release(&key);
	return ok;
}

MUST_USE static bool read_named(struct arguments *a, int argc, const char *const *argv, char why[CLI_WHY_SIZE])
{
	int i;

	a->params = json_new_object();
	for (i = 0; i < argc; i++) {
		const char *text = argv[i];
		size_t size;

		if (strncmp(text, "--", 2) == 0 && !strchr(text, '=')) {
			if (++i == argc) {
				snprintf(why, CLI_WHY_SIZE, "%s needs a value", text);
				return false;
			}
			if (!add_named(a->params, text + 2, strlen(text + 2), argv[i], why))
				return false;
			continue;
		}
		text += strncmp(text, "--", 2) == 0 ? 2 : 0;
		size = name_size(text);
		if (!size) {
			snprintf(why, CLI_WHY_SIZE,
				 "'%s' has no name: give all parameters as name=value, or all by position "
				 "(-o, if a value has an equals sign)",
				 argv[i]);
			return false;
		}
		if (!add_named(a->params, text, size, text + size + 1, why))
			return false;
	}
	return true;
}

MUST_USE static bool read_ordered(struct arguments *a, int argc, const char *const *argv, char why[CLI_WHY_SIZE])
{
	int i;

	a->params = json_new_array();
	for (i = 0; i < argc; i++) {
		json_t *value = arguments_value(argv[i]);

		if (!value) {
			snprintf(why, CLI_WHY_SIZE, "parameter %d is not UTF-8", i + 1);
			return false;
		}
		json_append(a->params, value);
	}
	return true;
}

MUST_USE static bool read_params(struct arguments *a, int argc, const char *const *argv, char why[CLI_WHY_SIZE])
{
	enum cli_form form = a->form;

	if (form == CLI_GUESS)
		form = argc > 0 && (name_size(argv[0]) || strncmp(argv[0], "--", 2) == 0) ? CLI_NAMED : CLI_ORDERED;
	return form == CLI_NAMED ? read_named(a, argc, argv, why) : read_ordered(a, argc, argv, why);
}

/* A flag that takes a value: "--name value", "--name=value", "-x value".  NULL: it is not this flag. */
static const char *flag_value(const char *name, const char *letter, int *i, int argc, const char *const *argv, bool *missing)
{
	const char *arg = argv[*i];
	const size_t size = strlen(name);

	if (strncmp(arg, name, size) == 0 && arg[size] == '=')
		return arg + size + 1;
	if (strcmp(arg, name) != 0 && strcmp(arg, letter) != 0)
		return NULL;
	if (*i + 1 == argc) {
		*missing = true;
		return NULL;
	}
	return argv[++*i];
}

MUST_USE static bool read_timeout(struct arguments *a, const char *text, char why[CLI_WHY_SIZE])
{
	if (!is_integer(text) || *text == '-' || strlen(text) > 6) {
		snprintf(why, CLI_WHY_SIZE, "--timeout %s should be a number of seconds", text);
		return false;
	}
	a->timeout_s = (unsigned)atoi(text);
	return true;
}

/* Flags that stand alone.  False if arg is none of them. */
MUST_USE static bool lone_flag(struct arguments *a, const char *arg)
{
	if (strcmp(arg, "-k") == 0 || strcmp(arg, "--keyword") == 0)
		a->form = CLI_NAMED;
	else if (strcmp(arg, "-o") == 0 || strcmp(arg, "--order") == 0)
		a->form = CLI_ORDERED;
	else if (strcmp(arg, "-r") == 0 || strcmp(arg, "--raw") == 0)
		a->raw = true;
	else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
		a->action = CLI_SHOW_HELP;
	else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0)
		a->action = CLI_SHOW_VERSION;
	else
		return false;
	return true;
}

/* The flags before the method; *i stops at it. */
MUST_USE static bool read_flags(struct arguments *a, struct place *p, int *i, int argc, const char *const *argv,
				char why[CLI_WHY_SIZE])
{
	for (*i = 1; *i < argc && argv[*i][0] == '-'; (*i)++) {
		const char *arg = argv[*i], *value;
		bool missing = false;

		if (strcmp(arg, "--") == 0) {
			(*i)++;
			return true;
		}
		if (lone_flag(a, arg))
			continue;
		if ((value = flag_value("--socket", "-s", i, argc, argv, &missing)))
			p->socket = value;
		else if (!missing && ((value = flag_value("--data-dir", "-d", i, argc, argv, &missing))))
			p->directory = value;
		else if (!missing && ((value = flag_value("--network", "-n", i, argc, argv, &missing))))
			p->network = value;
		else if (!missing && ((value = flag_value("--timeout", "-t", i, argc, argv, &missing)))) {
			if (!read_timeout(a, value, why))
				return false;
		} else {
			snprintf(why, CLI_WHY_SIZE, missing ? "%s needs a value" : "unknown flag '%s': lampo-cli --help lists all",
				 arg);
			return false;
		}
	}
	return true;
}

bool arguments_read(struct arguments *a, int argc, const char *const *argv, char why[CLI_WHY_SIZE])
{
	struct place place = { NULL, NULL, NULL };
	int i;

	*a = (struct arguments){ .action = CLI_CALL };
	if (!read_flags(a, &place, &i, argc, argv, why))
		return false;
	if (a->action != CLI_CALL)
		return true;
	if (i == argc) {
		snprintf(why, CLI_WHY_SIZE, "which method?  'lampo-cli help' lists all, 'lampo-cli --help' the flags");
		return false;
	}
	a->method = argv[i++];
	a->socket = find_socket(&place);
	return read_params(a, argc - i, argv + i, why);
}

void arguments_release(struct arguments *a)
{
	mem_free(a->socket);
	json_decref(a->params);
	*a = (struct arguments){ .action = CLI_CALL };
}

void arguments_help(struct buf *out)
{
	buf_add_string(out,
		       "Usage: lampo-cli [FLAG...] METHOD [VALUE... | NAME=VALUE... | --NAME VALUE...]\n\n"
		       "Calls a method of a running lampod-cli and prints its answer, which is JSON.\n"
		       "'lampo-cli help' lists the methods, 'lampo-cli help METHOD' explains one.\n\n"
		       "  -s, --socket PATH\n      The daemon's socket.\n"
		       "  -d, --data-dir DIR\n      The node's directory.  Default: ~/.lampo\n"
		       "  -n, --network NETWORK\n      Look in DIR/NETWORK, where DIR has no socket of its own.\n"
		       "  -k, --keyword\n      All parameters are NAME=VALUE.\n"
		       "  -o, --order\n      All parameters are values in the method's order.\n"
		       "  -r, --raw\n      Print the answer in one line.\n"
		       "  -t, --timeout SECONDS\n      Give up waiting for the answer.  Default: never.\n"
		       "  -h, --help\n      Show this text.\n"
		       "  -V, --version\n      Show the version.\n\n"
		       "A VALUE that is an integer, true, false, null, {...}, [...] or \"...\" is JSON; anything else is text.\n"
		       "Exit code: 0 if the method succeeded, 1 if not.\n");
}
