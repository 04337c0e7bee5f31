/* The Bitcoin Core backend against a real bitcoind, which tests/interop starts: it says where it is and what to send. */
#include "runtime/chain/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "tests/test.h"

#define PACKAGE_MAX 4

struct real {
	struct backend backend;
	struct arena arena;
	struct bytes txs[PACKAGE_MAX];
	uint32_t count;
};

static struct bytes unhex(struct arena *a, const char *hex, size_t size)
{
	uint8_t *raw = arena_alloc(a, size / 2);

	CHECK(hex_decode(raw, size / 2, hex, size));
	return BYTES(raw, size / 2);
}

static bool real_open(struct real *r)
{
	struct core_config c = { .url = getenv("LAMPO_TEST_CORE_URL"), .user = getenv("LAMPO_TEST_CORE_USER"),
				 .password = getenv("LAMPO_TEST_CORE_PASSWORD"), .network = network_by_name("regtest") };
	const char *package = getenv("LAMPO_TEST_PACKAGE"); /* transactions in hex, with commas between */
	char error[BACKEND_ERROR_SIZE];

	memset(r, 0, sizeof(*r));
	if (!c.url || !package)
		return false;
	arena_init(&r->arena);
	CHECK(core_backend(&r->backend, &c, error));
	for (size_t size; *package; package += size + (package[size] == ',')) {
		size = strcspn(package, ",");
		CHECK(r->count < PACKAGE_MAX);
		r->txs[r->count++] = unhex(&r->arena, package, size);
	}
	return true;
}

static void real_close(struct real *r)
{
	r->backend.free(r->backend.context);
	arena_release(&r->arena);
}

static void send(struct real *r, const struct bytes *txs, uint32_t count)
{
	char error[BACKEND_ERROR_SIZE] = "";
	enum backend_result got = r->backend.broadcast(r->backend.context, txs, count, error);

	if (got != BACKEND_OK)
		printf("  %s\n", error);
	CHECK_EQ(got, BACKEND_OK);
}

TEST(a_package_is_accepted_where_its_parent_alone_is_not)
{
	struct real r;
	char error[BACKEND_ERROR_SIZE] = "";

	if (!real_open(&r))
		test_skip("tests/interop runs this with a bitcoind");
	CHECK(r.count == 2);
	CHECK_EQ(r.backend.broadcast(r.backend.context, r.txs, 1, error), BACKEND_NO);
	CHECK(strstr(error, "fee"));
	/* Neither does a child without its parent. */
	CHECK_EQ(r.backend.broadcast(r.backend.context, r.txs + 1, 1, error), BACKEND_NO);
	send(&r, r.txs, 2);
	/* Offered again at the next block: as good. */
	send(&r, r.txs, 2);
	send(&r, r.txs, 1);
	real_close(&r);
}

/* The second run, after a block. */
TEST(a_package_that_is_mined_is_no_failure)
{
	struct real r;

	if (!getenv("LAMPO_TEST_MINED") || !real_open(&r))
		test_skip("tests/interop runs this with a bitcoind");
	send(&r, r.txs, 2);
	real_close(&r);
}
