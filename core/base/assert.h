/* Invariants that stay on in release builds.
 *
 * A false ASSERT is a bug in this program: it prints the place and aborts, and
 * the process restarts from what is on disk.  It is never used for input from
 * a peer, a user, a file or the clock. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stdnoreturn.h>

noreturn void assert_failed(const char *file, int line, const char *expr);

#define ASSERT(e) ((e) ? (void)0 : assert_failed(__FILE__, __LINE__, #e))
#define UNREACHABLE() assert_failed(__FILE__, __LINE__, "unreachable")

#if defined(__GNUC__)
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#else
#define MUST_USE
#define PRINTF_LIKE(f, a)
#endif

#endif
