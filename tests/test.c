#include "tests/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kept {
	struct kept *next;
	_Alignas(16) uint8_t data[];
};

static struct test *tests, **tests_end = &tests;
static jmp_buf leave;
static struct kept *kept;

enum { LEFT_FAILED = 1, LEFT_SKIPPED = 2 };

void test_register(struct test *t)
{
	*tests_end = t;
	tests_end = &t->next;
}

void test_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("  %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	longjmp(leave, LEFT_FAILED);
}

void test_skip(const char *why)
{
	printf("  skipped: %s\n", why);
	longjmp(leave, LEFT_SKIPPED);
}

void test_check_eq(const char *file, int line, const char *expr, long long a, long long b)
{
	if (a != b)
		test_failed(file, line, "%s: %lld is not %lld", expr, a, b);
}

void test_check_hex(const char *file, int line, struct bytes b, const char *hex)
{
	struct bytes want = test_unhex(hex);
	char *got;

	if (bytes_equal(b, want))
		return;
	got = test_alloc(2 * b.size + 1);
	hex_encode(got, b.data, b.size);
	test_failed(file, line, "got  %s\n    want %s", got, hex);
}

void test_check_str(const char *file, int line, const char *a, const char *b)
{
	if (!a || !b || strcmp(a, b) != 0)
		test_failed(file, line, "got  \"%s\"\n    want \"%s\"", a ? a : "(null)", b ? b : "(null)");
}

void *test_alloc(size_t size)
{
	struct kept *k = mem_alloc(sizeof(*k) + size);

	k->next = kept;
	kept = k;
	return k->data;
}

struct bytes test_unhex(const char *hex)
{
	size_t size = strlen(hex) / 2;
	uint8_t *p = test_alloc(size + 1);

	if (!hex_decode(p, size, hex, strlen(hex)))
		test_failed(__FILE__, __LINE__, "not hex: %s", hex);
	return BYTES(p, size);
}

struct bytes test_shared_file(const char *path)
{
	const char *root = getenv("LAMPO_SHARED");
	char name[512];
	uint8_t *data;
	long size;
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", root ? root : "../shared", path);
	f = fopen(name, "rb");
	if (!f)
		test_skip(name);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = test_alloc((size_t)size + 1);
	if (fread(data, 1, (size_t)size, f) != (size_t)size)
		test_failed(__FILE__, __LINE__, "cannot read %s", name);
	fclose(f);
	return BYTES(data, (size_t)size);
}

static void free_kept(void)
{
	while (kept) {
		struct kept *next = kept->next;

		mem_free(kept);
		kept = next;
	}
}

int main(int argc, char **argv)
{
	volatile int passed = 0, failed = 0, skipped = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *volatile t = tests; t; t = t->next) {
		if (argc > 1 && strcmp(argv[1], t->name) != 0)
			continue;
		switch (setjmp(leave)) {
		case 0:
			t->run();
			passed++;
			break;
		case LEFT_FAILED:
			printf("FAILED %s\n", t->name);
			failed++;
			break;
		default:
			printf("SKIPPED %s\n", t->name);
			skipped++;
			break;
		}
		free_kept();
	}
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed ? 1 : 0;
}
