#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "lampo: %s:%d: broken invariant: %s\n", file, line, expr);
	abort();
}
