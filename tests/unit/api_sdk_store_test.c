/* An embedder's store behind the runtime's port. */
#include "api/sdk/adapters.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

/* Three records at the start; what is committed is counted. */
struct disk {
	uint32_t commits, fetches, astray;
	int fail;
	struct lampo_range asked;
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

/* What was asked for, and a record that begins with the prefix. */
static enum lampo_verdict range(void *context, const struct lampo_range *asked, lampo_record *record, void *record_context,
				char *error)
{
	struct disk *d = context;

	strcpy(error, "the disk is under water");
	if (d->fail)
		return LAMPO_NO;
	CHECK_EQ(asked->size, sizeof(*asked));
	d->fetches++;
	d->asked = *asked;
	if (asked->kind == RECORD_HTLC_PAST)
		record(record_context, asked->kind + d->astray, asked->prefix, (struct lampo_bytes){ (const uint8_t *)"z", 1 });
	if (asked->kind == RECORD_NODE)
		record(record_context, asked->kind, (struct lampo_bytes){ (const uint8_t *)"c", 1 },
		       (struct lampo_bytes){ (const uint8_t *)"n", 1 });
	return LAMPO_OK;
}

/* Of older programs. */
static enum lampo_verdict fetch(void *context, uint32_t kind, struct lampo_bytes prefix, lampo_record *record,
				void *record_context, char *error)
{
	(void)context;
	(void)kind;
	(void)prefix;
	(void)record;
	(void)record_context;
	strcpy(error, "not to be called");
	CHECK(0);
	return LAMPO_NO;
}

static bool take_all(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	CHECK(kind == RECORD_HTLC_PAST || kind == RECORD_NODE);
	CHECK(key.size && value.size == 1);
	buf_add_bytes(context, value);
	return true;
}

static void check_range(struct store *s, const struct record_range *r, const char *expected)
{
	struct buf text = BUF_EMPTY;

	CHECK(s->fetch(s, r, take_all, &text));
	buf_add_u8(&text, 0);
	CHECK_STR((const char *)text.data, expected);
	buf_release(&text);
}

static void check_found(struct store *s, uint8_t first, const char *expected)
{
	check_range(s, &(struct record_range){ .kind = RECORD_HTLC_PAST, .prefix = BYTES(&first, 1) }, expected);
}

static void check_loaded(struct store *s, const char *expected)
{
	struct buf text = BUF_EMPTY;

	CHECK(store_load(s, take_all, &text));
	buf_add_u8(&text, 0);
	CHECK_STR((const char *)text.data, expected);
	buf_release(&text);
}

TEST(a_store_that_reads_ranges_is_asked)
{
	struct disk disk = { 0 };
	struct lampo_store inner = { .size = sizeof(inner), .context = &disk, .commit = commit, .fetch = fetch, .range = range };
	struct store *s = adapt_store(&inner);
	struct record_range r = { .kind = RECORD_HTLC_PAST, .prefix = BYTES("x", 1), .from = BYTES("xyz", 3), .reverse = true };

	check_loaded(s, "n"); /* the past is not asked for */
	disk.fetches = 0;
	check_found(s, 1, "z");
	CHECK_EQ(disk.fetches, 1);
	CHECK(!disk.asked.reverse && disk.asked.prefix.size == 1 && !disk.asked.from.size);
	check_range(s, &r, "z");
	CHECK(disk.asked.reverse && disk.asked.from.size == 3);
	disk.fail = 1;
	CHECK(!s->fetch(s, &r, take_all, NULL));
	CHECK_STR(s->error, "the disk is under water");
	s->close(s);
}

TEST(what_was_not_asked_for_is_refused)
{
	struct disk disk = { .astray = 1 };
	struct lampo_store inner = { .size = sizeof(inner), .context = &disk, .commit = commit, .range = range };
	struct store *s = adapt_store(&inner);
	struct record_range r = { .kind = RECORD_HTLC_PAST, .prefix = BYTES("x", 1) };

	CHECK(!s->fetch(s, &r, take_all, NULL));
	CHECK(strstr(s->error, "not of the range"));
	disk.astray = 0;
	r.from = BYTES("y", 1); /* "x" lies before it */
	CHECK(!s->fetch(s, &r, take_all, NULL));
	s->close(s);
}

TEST(for_a_store_of_an_older_program_the_node_remembers)
{
	struct disk disk = { 0 };
	struct lampo_store inner = { .size = offsetof(struct lampo_store, range), .context = &disk, .load = load, .commit = commit,
				     .fetch = fetch };
	struct store *s = adapt_store(&inner);
	struct store_op ops[] = {
		{ RECORD_HTLC_PAST, false, BYTES("\1\3", 2), BYTES("d", 1) },
		{ RECORD_HTLC_PAST, true, BYTES("\1\1", 2), BYTES_NONE },
		{ RECORD_NODE, false, BYTES("\1\4", 2), BYTES("n", 1) },
	};

	check_loaded(s, "");
	check_found(s, 1, "ab");
	check_range(s, &(struct record_range){ .kind = RECORD_HTLC_PAST, .from = BYTES("\1\2", 2), .reverse = true }, "ba");
	CHECK(s->commit(s, ops, 3));
	CHECK_EQ(disk.commits, 1);
	check_found(s, 1, "bd");
	check_found(s, 2, "c");
	check_range(s, &(struct record_range){ .kind = RECORD_NODE }, "n");
	disk.fail = 1;
	CHECK(!s->commit(s, ops, 3));
	CHECK_STR(s->error, "the disk is on fire");
	s->close(s);
}

TEST(every_size_that_ever_was_is_accepted)
{
	struct disk disk = { 0 };
	struct lampo_store s = { .size = sizeof(s), .context = &disk, .load = load, .commit = commit, .fetch = fetch };
	struct lampo_config *c = lampo_config_new("regtest");

	CHECK(c);
	lampo_config_store(c, &s);
	s.size = offsetof(struct lampo_store, range);
	lampo_config_store(c, &s);
	s.size = offsetof(struct lampo_store, fetch);
	lampo_config_store(c, &s);
	lampo_config_free(c);
}
