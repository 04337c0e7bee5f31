/* The table of options: one entry is a key of the file and a flag at once. */
#ifndef LAMPOD_CLI_OPTION_H
#define LAMPOD_CLI_OPTION_H

#include "cmd/lampod-cli/config.h"

enum option_scope {
	OPTION_BOTH,
	OPTION_FLAG, /* on the command line alone */
	OPTION_HIDDEN, /* the same, and not in the manual */
};

struct option {
	const char *key;
	const char *flag_alias; /* another name of the flag, or NULL */
	char letter;		/* -x, or 0 */
	enum option_scope scope;
	bool repeats;		/* may come more than once */
	bool alone;		/* the flag takes no value; its value is "true" */
	const char *value;	/* how help calls the value */
	const char *expected;	/* "should be ..." */
	const char *doc;
	/* False if value is not as expected. */
	bool (*set)(struct config *c, const char *value);
};

extern const struct option options[];
extern const size_t option_count;

/* By key; NULL if there is none. */
const struct option *option_by_key(struct bytes key);
/* By flag name (without dashes) or letter. */
const struct option *option_by_flag(struct bytes name);
const struct option *option_by_letter(char letter);
/* "a, b, c": what a file may hold. */
void option_list_keys(struct buf *out);

/* An owned copy; a leading ~/ becomes the home directory. */
char *option_path(const char *value);
void option_set_text(char **text, const char *value); /* frees what was there */

#endif
