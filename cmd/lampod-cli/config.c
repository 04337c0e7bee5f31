#include "cmd/lampod-cli/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/lampod-cli/config_file.h"
#include "cmd/lampod-cli/option.h"

#define FLAGS_MAX 256

/* One flag with its value, as it was given. */
struct given {
	const struct option *option;
	const char *value;
};

struct given_flags {
	struct given flags[FLAGS_MAX];
	size_t count;
};

static void config_defaults(struct config *c)
{
	*c = (struct config){ .action = CONFIG_RUN, .log_level = LOG_INFO, .fast_sync = true };
	option_set_text(&c->backend, "core");
}

void config_release(struct config *c)
{
	size_t i;

	for (i = 0; i < c->announce_count; i++)
		mem_free(c->announce[i].host);
	if (c->restore_words)
		mem_wipe_free(c->restore_words, strlen(c->restore_words));
	if (c->core_pass)
		mem_wipe_free(c->core_pass, strlen(c->core_pass));
	mem_free(c->manual);
	mem_free(c->directory);
	mem_free(c->file);
	mem_free(c->backend);
	mem_free(c->core_url);
	mem_free(c->core_user);
	mem_free(c->core_cookie);
	mem_free(c->bind_address);
	mem_free(c->alias);
	mem_free(c->log_file);
	memset(c, 0, sizeof(*c));
}

MUST_USE static bool given_add(struct given_flags *g, const struct option *o, const char *value, char why[CONFIG_WHY_SIZE])
{
	if (g->count == FLAGS_MAX) {
		snprintf(why, CONFIG_WHY_SIZE, "more than %d flags", FLAGS_MAX);
		return false;
	}
	g->flags[g->count++] = (struct given){ o, value };
	return true;
}

/* One argument and perhaps the next, its value.  *i moves past both. */
MUST_USE static bool parse_flag(struct given_flags *g, int *i, int argc, const char *const *argv, char why[CONFIG_WHY_SIZE])
{
	const char *arg = argv[*i];
	const bool is_long = arg[1] == '-';
	const char *equals = is_long ? strchr(arg, '=') : NULL;
	const struct option *o;
	const char *value = equals ? equals + 1 : NULL;

	if (is_long)
		o = option_by_flag(BYTES(arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2)));
	else
		o = arg[2] ? NULL : option_by_letter(arg[1]);
	if (!o) {
		snprintf(why, CONFIG_WHY_SIZE, "unknown flag '%s': lampod-cli --help lists all", arg);
		return false;
	}
	(*i)++;
	if (o->alone)
		value = "true";
	else if (!value && *i < argc)
		value = argv[(*i)++];
	if (!value) {
		snprintf(why, CONFIG_WHY_SIZE, "%s needs a value: %s", arg, o->expected);
		return false;
	}
	return given_add(g, o, value, why);
}

MUST_USE static bool parse_arguments(struct given_flags *g, struct config *c, int argc, const char *const *argv,
				     char why[CONFIG_WHY_SIZE])
{
	int i = 1;

	while (i < argc) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (!parse_flag(g, &i, argc, argv, why))
				return false;
		} else if (strcmp(argv[i], "new-wallet") == 0) {
			c->action = CONFIG_NEW_WALLET;
			i++;
		} else {
			snprintf(why, CONFIG_WHY_SIZE, "'%s' is neither a flag nor the command new-wallet: see lampod-cli --help",
				 argv[i]);
			return false;
		}
	}
	return true;
}

/* The last value of a flag, or NULL. */
static const char *given_value(const struct given_flags *g, const char *key)
{
	const char *value = NULL;
	size_t i;

	for (i = 0; i < g->count; i++)
		if (strcmp(g->flags[i].option->key, key) == 0)
			value = g->flags[i].value;
	return value;
}

MUST_USE static bool apply_flags(struct config *c, const struct given_flags *g, char why[CONFIG_WHY_SIZE])
{
	bool announced = false;
	size_t i;

	for (i = 0; i < g->count; i++) {
		const struct option *o = g->flags[i].option;

		/* Flags win over the file: the first one forgets the file's list. */
		if (o->repeats && !announced) {
			while (c->announce_count)
				mem_free(c->announce[--c->announce_count].host);
			memset(c->announce, 0, sizeof(c->announce));
			announced = true;
		}
		if (!o->set(c, g->flags[i].value)) {
			/* A password or words are not repeated on a terminal. */
			const bool secret = strcmp(o->key, "core-pass") == 0 || strcmp(o->key, "restore-wallet") == 0;

			snprintf(why, CONFIG_WHY_SIZE, "--%s%s%s should be %s", o->key, secret ? "" : " ",
				 secret ? "" : g->flags[i].value, o->expected);
			return false;
		}
	}
	return true;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static char *join(const char *directory, const char *name)
{
	struct buf path = BUF_EMPTY;
	size_t size = strlen(directory);

	while (size > 1 && directory[size - 1] == '/')
		size--;
	buf_add(&path, directory, size);
	if (name)
		buf_printf(&path, "%s%s", size == 1 && *directory == '/' ? "" : "/", name);
	buf_add_u8(&path, 0);
	return (char *)path.data;
}

/* The configuration file in a directory; NULL if there is none.  Returns owned. */
static char *file_in(const char *directory)
{
	static const char *const names[] = { "lampo.conf", "lampod.conf" };
	size_t i;

	for (i = 0; i < ARRAY_COUNT(names); i++) {
		char *path = join(directory, names[i]);

		if (is_file(path))
			return path;
		mem_free(path);
	}
	return NULL;
}

/* A directory that somebody named: the node's own, unless DIR/NETWORK is there
 * (Lampo's layout, and that of a node started without -d) and DIR has no file. */
static void look_in(struct config *c, const char *directory, const char *network)
{
	char *below;

	c->directory = join(directory, NULL);
	c->file = file_in(c->directory);
	if (c->file || !network)
		return;
	below = join(directory, network);
	if (!is_directory(below)) {
		mem_free(below);
		return;
	}
	c->file = file_in(below);
	mem_free(c->directory);
	c->directory = below;
}

/* --config: the directory or the file; it must be there. */
MUST_USE static bool find_config(struct config *c, const char *given, const char *network, char why[CONFIG_WHY_SIZE])
{
	char *path = option_path(given);
	char *slash;

	if (is_file(path)) {
		c->file = join(path, NULL);
		slash = strrchr(path, '/');
		if (slash && slash != path)
			*slash = 0;
		c->directory = join(slash ? path : ".", NULL);
	} else {
		look_in(c, path, network);
	}
	mem_free(path);
	if (c->file)
		return true;
	snprintf(why, CONFIG_WHY_SIZE,
		 "%s: there is no lampo.conf%s: write one with lines such as network=signet, "
		 "or give flags and -d instead of --config",
		 c->directory, is_directory(c->directory) ? " in this directory" : ", nor this directory");
	return false;
}

MUST_USE static bool find_directory(struct config *c, const struct given_flags *g, char why[CONFIG_WHY_SIZE])
{
	const char *config = given_value(g, "config"), *data = given_value(g, "data-dir");
	const char *network = given_value(g, "network");
	char *path;

	if (config && !find_config(c, config, network, why))
		return false;
	if (data) {
		char *file = c->file;

		c->file = NULL;
		mem_free(c->directory);
		path = option_path(data);
		look_in(c, path, network ? network : "testnet");
		mem_free(path);
		if (file) {
			mem_free(c->file);
			c->file = file;
		}
	}
	if (config || data)
		return true;
	if (!getenv("HOME")) {
		snprintf(why, CONFIG_WHY_SIZE, "HOME is not set: say with -d DIR where the node lives");
		return false;
	}
	path = option_path("~/.lampo");
	c->directory = join(path, network ? network : "testnet");
	c->file = file_in(c->directory);
	mem_free(path);
	return true;
}

/* bitcoind's own place for the cookie of a network. */
static const char *cookie_directory(const struct network *n)
{
	if (strcmp(n->name, "bitcoin") == 0)
		return "";
	return strcmp(n->name, "testnet") == 0 ? "testnet3/" : strcmp(n->name, "testnet4") == 0 ? "testnet4/" :
	       strcmp(n->name, "signet") == 0  ? "signet/" :
						 "regtest/";
}

/* What follows from the rest where nothing was said. */
MUST_USE static bool fill_in(struct config *c, char why[CONFIG_WHY_SIZE])
{
	char text[100];

	if (!c->network)
		c->network = network_by_name("testnet");
	if (!c->port)
		c->port = c->network->lightning_port;
	if (!c->core_url) {
		snprintf(text, sizeof(text), "http://127.0.0.1:%u", c->network->core_rpc_port);
		option_set_text(&c->core_url, text);
	}
	if (!c->core_user != !c->core_pass) {
		snprintf(why, CONFIG_WHY_SIZE, "%s is given without %s: give both, or neither to use bitcoind's cookie file",
			 c->core_user ? "core-user" : "core-pass", c->core_user ? "core-pass" : "core-user");
		return false;
	}
	if (!c->core_user && !c->core_cookie) {
		snprintf(text, sizeof(text), "~/.bitcoin/%s.cookie", cookie_directory(c->network));
		c->core_cookie = option_path(text);
	}
	return true;
}

bool config_load(struct config *c, int argc, const char *const *argv, char why[CONFIG_WHY_SIZE])
{
	struct given_flags given = { .count = 0 };
	const char *manual;

	config_defaults(c);
	if (!parse_arguments(&given, c, argc, argv, why))
		return false;
	if (given_value(&given, "help"))
		c->action = CONFIG_SHOW_HELP;
	else if (given_value(&given, "version"))
		c->action = CONFIG_SHOW_VERSION;
	manual = given_value(&given, "dump-man");
	if (manual) {
		c->action = CONFIG_DUMP_MANUAL;
		option_set_text(&c->manual, manual);
	}
	/* Help must not need a directory that is in order. */
	if (c->action != CONFIG_RUN && c->action != CONFIG_NEW_WALLET)
		return true;
	if (!find_directory(c, &given, why))
		return false;
	if (c->file && !config_read_file(c, why))
		return false;
	if (!apply_flags(c, &given, why))
		return false;
	return fill_in(c, why);
}

void config_help(struct buf *out)
{
	size_t i;

	buf_add_string(out, "Usage: lampod-cli [--config DIR | -d DIR] [-n NETWORK] [FLAG...] [new-wallet]\n\n"
			    "Runs a Lightning node.  lampo-cli talks to it.\n\n");
	for (i = 0; i < option_count; i++) {
		const struct option *o = &options[i];

		if (o->scope == OPTION_HIDDEN)
			continue;
		buf_add_string(out, "  ");
		if (o->letter)
			buf_printf(out, "-%c, ", o->letter);
		buf_printf(out, "--%s", o->key);
		if (o->flag_alias)
			buf_printf(out, ", --%s", o->flag_alias);
		if (o->value)
			buf_printf(out, " %s", o->value);
		buf_printf(out, "\n      %s\n", o->doc);
	}
	buf_add_string(out, "\n  new-wallet\n      Make a wallet, show its words, and end.\n\n"
			    "All of these but --config, -d, --restore-wallet, -h and -V may also stand in lampo.conf, as key=value.\n");
}
