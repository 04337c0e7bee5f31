/* lampo-cli's command line: which daemon, which method, which parameters.
 *
 * Parameters are positional ("pay lnbc1..."), or named ("pay bolt11=lnbc1...",
 * "pay --bolt11 lnbc1...").  A call is one or the other: the form of its first
 * parameter decides, unless -k or -o says it.  A value is JSON if it is an
 * integer, true, false, null, an array, an object or a quoted string; anything
 * else is text. */
#ifndef LAMPO_CLI_ARGUMENTS_H
#define LAMPO_CLI_ARGUMENTS_H

#include "api/json/json.h"

#define CLI_WHY_SIZE 600

enum cli_action { CLI_CALL, CLI_SHOW_HELP, CLI_SHOW_VERSION };
enum cli_form { CLI_GUESS, CLI_NAMED, CLI_ORDERED };

struct arguments {
	enum cli_action action;
	char *socket;	/* where the daemon should be; owned */
	enum cli_form form;
	bool raw;	/* the answer as it came */
	unsigned timeout_s; /* 0: wait for ever */
	const char *method; /* borrowed from argv */
	json_t *params;	/* owned; an object or an array */
};

/* False with the reason; release in either case. */
MUST_USE bool arguments_read(struct arguments *a, int argc, const char *const *argv, char why[CLI_WHY_SIZE]);
void arguments_release(struct arguments *a);
void arguments_help(struct buf *out);

/* One value as the rules above say.  Returns owned; NULL if text is not UTF-8. */
MUST_USE json_t *arguments_value(const char *text);

#endif
