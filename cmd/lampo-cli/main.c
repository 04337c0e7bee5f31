/* lampo-cli: one call to the daemon. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/lampo-cli/arguments.h"
#include "cmd/lampo-cli/exchange.h"
#include "cmd/lampo-cli/show.h"

static int call(const struct arguments *a)
{
	struct buf out = BUF_EMPTY, err = BUF_EMPTY;
	char why[CLI_WHY_SIZE];
	json_t *response = exchange(a, why);
	int code;

	if (!response) {
		fprintf(stderr, "lampo-cli: %s\n", why);
		return 1;
	}
	code = show(a, response, &out, &err);
	json_decref(response);
	if (out.size)
		fwrite(out.data, 1, out.size, stdout);
	if (fflush(stdout) != 0)
		code = 1;
	if (err.size)
		fwrite(err.data, 1, err.size, stderr);
	buf_release(&out);
	buf_release(&err);
	return code;
}

int main(int argc, char **argv)
{
	struct arguments a;
	struct buf help = BUF_EMPTY;
	char why[CLI_WHY_SIZE];
	int code = 0;

	if (!arguments_read(&a, argc, (const char *const *)argv, why)) {
		fprintf(stderr, "lampo-cli: %s\n", why);
		code = 1;
	} else if (a.action == CLI_SHOW_HELP) {
		arguments_help(&help);
		fwrite(help.data, 1, help.size, stdout);
	} else if (a.action == CLI_SHOW_VERSION) {
		puts("lampo-cli " LAMPO_VERSION);
	} else {
		code = call(&a);
	}
	buf_release(&help);
	arguments_release(&a);
	return code;
}
