/* The smallest test harness that does the job.
 *
 *	TEST(name) { CHECK(1 + 1 == 2); }
 *
 * Each test file is a program: it runs its tests and closes with one line
 * "N passed, N failed, N skipped"; exit code 1 if any failed.  A CHECK that
 * fails prints its place and ends that test.  `program NAME` runs one test. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *t);
_Noreturn void test_failed(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Ends the test as skipped, loudly. */
_Noreturn void test_skip(const char *why);

#define TEST(name) \
	static void test_##name(void); \
	static struct test test_entry_##name = { #name, test_##name, NULL }; \
	__attribute__((constructor)) static void test_add_##name(void) { test_register(&test_entry_##name); } \
	static void test_##name(void)

#define CHECK(e) ((e) ? (void)0 : test_failed(__FILE__, __LINE__, "%s", #e))
#define CHECK_EQ(a, b) test_check_eq(__FILE__, __LINE__, #a " == " #b, (long long)(a), (long long)(b))
#define CHECK_HEX(bytes_view, hex) test_check_hex(__FILE__, __LINE__, (bytes_view), (hex))
#define CHECK_STR(a, b) test_check_str(__FILE__, __LINE__, (a), (b))

void test_check_eq(const char *file, int line, const char *expr, long long a, long long b);
void test_check_hex(const char *file, int line, struct bytes b, const char *hex);
void test_check_str(const char *file, int line, const char *a, const char *b);

/* The decoded hex, freed at the end of the test. */
struct bytes test_unhex(const char *hex);
/* Memory freed at the end of the test. */
void *test_alloc(size_t size);
/* A file of ../shared (or $LAMPO_SHARED), whole and NUL-terminated; skips the test where it is absent. */
struct bytes test_shared_file(const char *path);

#endif
