/* An embedder's store behind the runtime's port. */
#include "api/sdk/adapters.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

/* Three records at the start; what is committed is counted, and read again by fetch. */
struct disk {
	uint32_t commits, fetches;
	int fail;
};

static enum lampo_verdict load(void *context, lampo_record *record, void *record_context, char *error)
{
	static const uint8_t keys[][2] = { { 1, 1 }, { 1, 2 }, { 2, 1 } };

	(void)context;
	strcpy(error, "a record was refused");
	for (int i = 0; i < 3; i++)
		if (!record(record_context, RECORD_HTLC_PAST, (struct lampo_bytes){ keys[i], 2 },
			    (struct lampo_bytes){ (const uint8_t *)"abc" + i, 1 }))
			return LAMPO_NO;
	return LAMPO_OK;
}

static enum lampo_verdict commit(void *context, const struct lampo_write *writes, size_t count, char *error)
{
	struct disk *d = context;

	(void)writes;
	(void)count;
	strcpy(error, "the disk is on fire");
	d->commits++;
	return d->fail ? LAMPO_NO : LAMPO_OK;
}

static enum lampo_verdict fetch(void *context, uint32_t kind, struct lampo_bytes prefix, lampo_record *record,
				void *record_context, char *error)
{
	struct disk *d = context;

	CHECK_EQ(kind, RECORD_HTLC_PAST);
	CHECK_EQ(prefix.size, 1);
	strcpy(error, "the disk is under water");
	if (d->fail)
		return LAMPO_NO;
	d->fetches++;
	record(record_context, kind, prefix, (struct lampo_bytes){ (const uint8_t *)"z", 1 });
	return LAMPO_OK;
}

static bool take_all(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	CHECK_EQ(kind, RECORD_HTLC_PAST);
	CHECK(key.size && value.size == 1);
	buf_add_bytes(context, value);
	return true;
}

static void check_found(struct store *s, uint8_t first, const char *expected)
{
	struct buf text = BUF_EMPTY;

	CHECK(s->fetch(s, RECORD_HTLC_PAST, BYTES(&first, 1), take_all, &text));
	buf_add_u8(&text, 0);
	CHECK_STR((const char *)text.data, expected);
	buf_release(&text);
}

static void load_all(struct store *s)
{
	struct buf text = BUF_EMPTY;

	CHECK(s->load(s, take_all, &text));
	CHECK_EQ(text.size, 3);
	buf_release(&text);
}

TEST(a_store_that_fetches_is_asked)
{
	struct disk disk = { 0 };
	struct lampo_store inner = { .size = sizeof(inner), .context = &disk, .load = load, .commit = commit, .fetch = fetch };
	struct store *s = adapt_store(&inner);

	load_all(s);
	check_found(s, 1, "z");
	CHECK_EQ(disk.fetches, 1);
	disk.fail = 1;
	CHECK(!s->fetch(s, RECORD_HTLC_PAST, BYTES("x", 1), take_all, NULL));
	CHECK_STR(s->error, "the disk is under water");
	s->close(s);
}

TEST(for_a_store_of_an_older_program_the_node_remembers)
{
	struct disk disk = { 0 };
	struct lampo_store inner = { .size = offsetof(struct lampo_store, fetch), .context = &disk, .load = load, .commit = commit };
	struct store *s = adapt_store(&inner);
	struct store_op ops[] = {
		{ RECORD_HTLC_PAST, false, BYTES("\1\3", 2), BYTES("d", 1) },
		{ RECORD_HTLC_PAST, true, BYTES("\1\1", 2), BYTES_NONE },
		{ RECORD_NODE, false, BYTES("\1\4", 2), BYTES("no", 2) },
	};

	load_all(s);
	check_found(s, 1, "ab");
	CHECK(s->commit(s, ops, 3));
	CHECK_EQ(disk.commits, 1);
	check_found(s, 1, "bd");
	check_found(s, 2, "c");
	disk.fail = 1;
	CHECK(!s->commit(s, ops, 3));
	CHECK_STR(s->error, "the disk is on fire");
	s->close(s);
}

TEST(both_sizes_are_accepted)
{
	struct disk disk = { 0 };
	struct lampo_store s = { .size = sizeof(s), .context = &disk, .load = load, .commit = commit, .fetch = fetch };
	struct lampo_config *c = lampo_config_new("regtest");

	CHECK(c);
	lampo_config_store(c, &s);
	s.size = offsetof(struct lampo_store, fetch);
	lampo_config_store(c, &s);
	lampo_config_free(c);
}
