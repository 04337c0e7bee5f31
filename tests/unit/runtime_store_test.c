/* The store keeps its word through kills, torn writes and strangers. */
#include "runtime/store/backup_file.h"
#include "runtime/store/store.h"
#include "runtime/store/thread.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

#define WIDTH 8 /* records that one batch writes */

static char *temp_directory(void)
{
	char *path = test_alloc(64);

	strcpy(path, "/tmp/lampo-store-XXXXXX");
	CHECK(mkdtemp(path));
	return path;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_directory(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static struct store *open_or_fail(const char *directory)
{
	char error[STORE_ERROR_SIZE];
	struct store *s = store_open_sqlite(directory, error);

	if (!s)
		printf("  %s\n", error);
	CHECK(s);
	return s;
}

/* Batch n writes n under WIDTH keys and removes one record that batch n - 1 had made. */
static bool write_batch(struct store *s, uint32_t n)
{
	struct store_op ops[WIDTH + 2];
	uint8_t keys[WIDTH][4], value[4], made[4], gone[4];

	store_be32(value, n);
	store_be32(made, n);
	store_be32(gone, n - 1);
	for (uint32_t i = 0; i < WIDTH; i++) {
		store_be32(keys[i], i);
		ops[i] = (struct store_op){ RECORD_NODE, false, BYTES_OF(keys[i]), BYTES_OF(value) };
	}
	ops[WIDTH] = (struct store_op){ RECORD_PEER, false, BYTES_OF(made), BYTES_NONE };
	ops[WIDTH + 1] = (struct store_op){ RECORD_PEER, true, BYTES_OF(gone), BYTES_NONE };
	return s->commit(s, ops, WIDTH + 2);
}

struct seen {
	uint32_t value, records, peers, peer;
	bool torn;
};

static bool see(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct seen *seen = context;

	if (kind == RECORD_PEER) {
		seen->peers++;
		seen->peer = load_be32(key.data);
		seen->torn = seen->torn || value.size;
		return true;
	}
	if (seen->records && load_be32(value.data) != seen->value)
		seen->torn = true;
	seen->value = load_be32(value.data);
	/* In order of keys. */
	if (load_be32(key.data) != seen->records++)
		seen->torn = true;
	return true;
}

/* The number of the last batch; fails unless exactly all of it is there. */
static uint32_t read_batch(struct store *s)
{
	struct seen seen = { 0, 0, 0, 0, false };

	CHECK(store_load(s, see, &seen));
	CHECK(!seen.torn);
	if (!seen.records)
		return 0;
	CHECK_EQ(seen.records, WIDTH);
	CHECK_EQ(seen.peers, 1);
	CHECK_EQ(seen.peer, seen.value);
	return seen.value;
}

static void check_keeps(struct store *(*reopen)(void *), void *context)
{
	struct store *s = reopen(context);

	CHECK_EQ(read_batch(s), 0);
	for (uint32_t n = 1; n <= 20; n++)
		CHECK(write_batch(s, n));
	CHECK_EQ(read_batch(s), 20);
	s->idle(s);
	s->close(s);
	s = reopen(context);
	CHECK_EQ(read_batch(s), 20);
	s->close(s);
}

static struct store *reopen_sqlite(void *directory)
{
	return open_or_fail(directory);
}

static struct store *reopen_memory(void *disk)
{
	return store_open_memory(disk);
}

TEST(sqlite_keeps_what_was_committed)
{
	char *directory = temp_directory();

	check_keeps(reopen_sqlite, directory);
	remove_directory(directory);
}

TEST(memory_keeps_what_was_committed)
{
	struct memory_disk *d = memory_disk_new(), *other = memory_disk_new();
	struct store *s;

	check_keeps(reopen_memory, d);
	CHECK(memory_disk_digest(d) != memory_disk_digest(other));
	/* Another way to the same content. */
	s = store_open_memory(other);
	CHECK(write_batch(s, 20));
	CHECK_EQ(memory_disk_digest(d), memory_disk_digest(other));
	s->close(s);
	memory_disk_free(d);
	memory_disk_free(other);
}

/* --- fetching --- */

struct seen_keys {
	struct buf text;
	uint32_t most;
};

static bool see_key(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	struct seen_keys *k = context;

	CHECK_EQ(kind, RECORD_HTLC_PAST);
	for (size_t i = 0; i < key.size; i++)
		buf_add_u8(&k->text, key.data[i] == 0xff ? 'F' : 'a' + key.data[i]);
	buf_add_u8(&k->text, '=');
	buf_add_bytes(&k->text, value);
	buf_add_u8(&k->text, ' ');
	return --k->most > 0;
}

static void check_range(struct store *s, const struct record_range *range, uint32_t most, const char *expected)
{
	struct seen_keys k = { BUF_EMPTY, most };

	CHECK(s->fetch(s, range, see_key, &k));
	buf_add_u8(&k.text, 0);
	CHECK_STR((const char *)k.text.data, expected);
	buf_release(&k.text);
}

static void check_fetch(struct store *s, struct bytes prefix, uint32_t most, const char *expected)
{
	check_range(s, &(struct record_range){ .kind = RECORD_HTLC_PAST, .prefix = prefix }, most, expected);
}

static void check_down(struct store *s, struct bytes prefix, struct bytes from, uint32_t most, const char *expected)
{
	check_range(s, &(struct record_range){ .kind = RECORD_HTLC_PAST, .prefix = prefix, .from = from, .reverse = true }, most, expected);
}

static void check_up(struct store *s, struct bytes prefix, struct bytes from, uint32_t most, const char *expected)
{
	check_range(s, &(struct record_range){ .kind = RECORD_HTLC_PAST, .prefix = prefix, .from = from }, most, expected);
}

/* The records are bbF=4 bc= bcd=1 bcj=0 bda=2 FFb=3, as check_fetches calls them. */
static void check_ranges(struct store *s)
{
	check_up(s, BYTES_NONE, BYTES("\1\2\3", 3), 100, "bcd=1 bcj=0 bda=2 FFb=3 ");
	check_up(s, BYTES_NONE, BYTES("\1\2\4", 3), 2, "bcj=0 bda=2 "); /* it need not be there */
	check_up(s, BYTES("\1\2", 2), BYTES("\1\2\3", 3), 100, "bcd=1 bcj=0 ");
	check_up(s, BYTES("\1\2", 2), BYTES("\1", 1), 100, "bc= bcd=1 bcj=0 ");
	check_up(s, BYTES("\1\2", 2), BYTES("\1\3", 2), 100, "");
	check_down(s, BYTES_NONE, BYTES_NONE, 100, "FFb=3 bda=2 bcj=0 bcd=1 bc= bbF=4 ");
	check_down(s, BYTES_NONE, BYTES_NONE, 2, "FFb=3 bda=2 ");
	check_down(s, BYTES_NONE, BYTES("\1\2\3", 3), 100, "bcd=1 bc= bbF=4 ");
	check_down(s, BYTES_NONE, BYTES("\1\2\3\1", 4), 1, "bcd=1 ");
	check_down(s, BYTES("\1\2", 2), BYTES_NONE, 100, "bcj=0 bcd=1 bc= ");
	check_down(s, BYTES("\1\2", 2), BYTES("\1\2\5", 3), 100, "bcd=1 bc= ");
	check_down(s, BYTES("\1\2", 2), BYTES("\377", 1), 100, "bcj=0 bcd=1 bc= ");
	check_down(s, BYTES("\1\2", 2), BYTES("\1\1\377", 3), 100, "");
	check_down(s, BYTES("\1\1\377", 3), BYTES_NONE, 100, "bbF=4 ");
	check_down(s, BYTES("\377\377", 2), BYTES_NONE, 100, "FFb=3 ");
	check_down(s, BYTES("\377", 1), BYTES("\377\377\1", 3), 100, "FFb=3 ");
}

static void check_fetches(struct store *s)
{
	static const uint8_t keys[][3] = { { 1, 2, 9 }, { 1, 2, 3 }, { 1, 3, 0 }, { 0xff, 0xff, 1 }, { 1, 1, 0xff } };
	struct store_op ops[7];

	for (uint32_t i = 0; i < 5; i++)
		ops[i] = (struct store_op){ RECORD_HTLC_PAST, false, BYTES_OF(keys[i]), BYTES("01234" + i, 1) };
	/* Kinds do not mix, and a key that is the prefix itself is of it. */
	ops[5] = (struct store_op){ RECORD_HTLC_ONION, false, BYTES_OF(keys[0]), BYTES("x", 1) };
	ops[6] = (struct store_op){ RECORD_HTLC_PAST, false, BYTES(keys[0], 2), BYTES_NONE };
	CHECK(s->commit(s, ops, 7));
	check_fetch(s, BYTES_NONE, 100, "bbF=4 bc= bcd=1 bcj=0 bda=2 FFb=3 ");
	check_fetch(s, BYTES(keys[0], 2), 100, "bc= bcd=1 bcj=0 ");
	check_fetch(s, BYTES(keys[0], 2), 2, "bc= bcd=1 ");
	check_fetch(s, BYTES(keys[3], 1), 100, "FFb=3 ");
	check_fetch(s, BYTES(keys[3], 2), 100, "FFb=3 ");
	check_fetch(s, BYTES("\2", 1), 100, "");
	check_ranges(s);
	/* What one batch writes the next question finds. */
	ops[0].remove = true;
	CHECK(s->commit(s, ops, 1));
	check_fetch(s, BYTES(keys[0], 2), 100, "bc= bcd=1 ");
}

static bool count_one(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	uint32_t *counts = context;

	(void)key;
	(void)value;
	counts[kind]++;
	return kind != 200;
}

TEST(a_start_reads_nothing_that_is_past_and_refuses_what_it_does_not_know)
{
	struct memory_disk *d = memory_disk_new();
	struct store *s = store_open_memory(d);
	struct store_op ops[] = {
		{ RECORD_NODE, false, BYTES("n", 1), BYTES_NONE },
		{ RECORD_HTLC_PAST, false, BYTES("p", 1), BYTES_NONE },
		{ (enum record_kind)200, false, BYTES("?", 1), BYTES_NONE },
	};
	uint32_t counts[256] = { 0 };

	CHECK(s->commit(s, ops, 2));
	CHECK(store_load(s, count_one, counts));
	CHECK_EQ(counts[RECORD_NODE], 1);
	CHECK_EQ(counts[RECORD_HTLC_PAST], 0);
	CHECK(store_load_all(s, count_one, counts));
	CHECK_EQ(counts[RECORD_HTLC_PAST], 1);
	CHECK(s->commit(s, ops + 2, 1));
	CHECK(!store_load(s, count_one, counts));
	CHECK(strstr(s->error, "kind 200"));
	s->close(s);
	memory_disk_free(d);
}

TEST(records_are_fetched_by_the_beginning_of_their_key)
{
	char *directory = temp_directory();
	struct memory_disk *d = memory_disk_new();
	struct store *s = open_or_fail(directory);

	check_fetches(s);
	s->close(s);
	remove_directory(directory);
	s = store_open_memory(d);
	check_fetches(s);
	s->close(s);
	memory_disk_free(d);
}

/* Several ranges in one reading, each with its limit. */
static void check_pieces(struct store *s)
{
	struct record_range ranges[] = {
		{ .kind = RECORD_HTLC_PAST, .limit = 2 },
		{ .kind = RECORD_NODE, .limit = 5 },
		{ .kind = RECORD_HTLC_PAST, .limit = 1, .reverse = true },
	};
	struct fetch got;

	CHECK(fetch_read(&got, s, ranges, 3));
	CHECK_EQ(got.count, 3);
	CHECK(got.truncated);
	CHECK_EQ(load_be32(got.records[1].key.data), 1);
	CHECK_EQ(load_be32(got.records[2].key.data), FETCH_RECORDS_MAX);
	CHECK_EQ(got.records[2].kind, RECORD_HTLC_PAST);
	fetch_release(&got);
	CHECK(fetch_read(&got, s, ranges + 1, 1));
	CHECK(!got.truncated && !got.count);
	fetch_release(&got);
}

TEST(a_fetch_is_bounded_and_says_so)
{
	struct memory_disk *d = memory_disk_new();
	struct store *s = store_open_memory(d);
	const struct record_range all = { .kind = RECORD_HTLC_PAST };
	struct fetch got;
	struct event e;
	uint8_t key[4];

	for (uint32_t i = 0; i <= FETCH_RECORDS_MAX; i++) {
		struct store_op op = { RECORD_HTLC_PAST, false, BYTES_OF(key), BYTES("v", 1) };

		if (i == FETCH_RECORDS_MAX) {
			CHECK(fetch_read(&got, s, &all, 1));
			CHECK(!got.truncated);
			CHECK_EQ(got.count, FETCH_RECORDS_MAX);
			fetch_release(&got);
		}
		store_be32(key, i);
		CHECK(s->commit(s, &op, 1));
	}
	CHECK(fetch_read(&got, s, &all, 1));
	e = fetch_event(&got, 5, 77);
	CHECK_EQ(e.kind, EVENT_FETCHED);
	CHECK_EQ(e.now_ms, 77);
	CHECK_EQ(e.u.fetched.id, 5);
	CHECK_EQ(e.u.fetched.count, FETCH_RECORDS_MAX);
	CHECK(e.u.fetched.truncated);
	CHECK_EQ(load_be32(e.u.fetched.records[FETCH_RECORDS_MAX - 1].key.data), FETCH_RECORDS_MAX - 1);
	fetch_release(&got);
	check_pieces(s);
	s->close(s);
	memory_disk_free(d);
}

TEST(the_database_is_private)
{
	char *directory = temp_directory(), path[128];
	const char *const names[] = { "lampo.db", "lampo.db-wal", "lampo.db.lock" };
	struct store *s = open_or_fail(directory);
	struct stat st;

	CHECK(write_batch(s, 1));
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		CHECK(!stat(path, &st));
		CHECK_EQ(st.st_mode & 077, 0);
	}
	s->close(s);
	remove_directory(directory);
}

TEST(a_second_node_is_refused)
{
	char *directory = temp_directory(), error[STORE_ERROR_SIZE], mine[32];
	struct store *s = open_or_fail(directory);
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(store_open_sqlite(directory, error) ? 1 : strstr(error, "another lampod") ? 0 : 2);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	snprintf(mine, sizeof(mine), "pid %ld", (long)getpid());
	CHECK(!store_open_sqlite(directory, error));
	CHECK(strstr(error, mine));
	s->close(s);
	s = open_or_fail(directory);
	s->close(s);
	remove_directory(directory);
}

static void sql(const char *directory, const char *text)
{
	char command[512];

	snprintf(command, sizeof(command), "sqlite3 %s/lampo.db \"%s\"", directory, text);
	CHECK_EQ(system(command), 0);
}

TEST(a_newer_or_foreign_database_is_refused)
{
	char *directory = temp_directory(), error[STORE_ERROR_SIZE];
	struct store *s = open_or_fail(directory);

	if (system("command -v sqlite3 >/dev/null"))
		test_skip("no sqlite3 program here");
	s->close(s);
	sql(directory, "PRAGMA user_version=99");
	CHECK(!store_open_sqlite(directory, error));
	CHECK(strstr(error, "newer"));
	sql(directory, "PRAGMA user_version=1; PRAGMA application_id=7");
	CHECK(!store_open_sqlite(directory, error));
	CHECK(strstr(error, "another program"));
	remove_directory(directory);
}

TEST(a_damaged_database_is_refused_in_words)
{
	char *directory = temp_directory(), path[128], error[STORE_ERROR_SIZE];
	FILE *f;

	snprintf(path, sizeof(path), "%s/lampo.db", directory);
	f = fopen(path, "w");
	CHECK(f);
	for (int i = 0; i < 5000; i++)
		fputc('x', f);
	fclose(f);
	CHECK(!store_open_sqlite(directory, error));
	CHECK(strstr(error, "damaged"));
	remove_directory(directory);
}

/* ---- A full disk ---- */

TEST(a_full_disk_is_said_in_words)
{
	char *directory = temp_directory();
	int fds[2], status;
	char text[STORE_ERROR_SIZE] = "";
	pid_t child;

	CHECK(!pipe(fds));
	child = fork();
	if (child == 0) {
		char error[STORE_ERROR_SIZE];
		struct store *s = store_open_sqlite(directory, error);
		struct rlimit limit = { 200000, 200000 };
		uint32_t n = 1;

		/* As near to a full disk as a process can bring itself. */
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		while (s && write_batch(s, n))
			n++;
		if (s && write(fds[1], s->error, STORE_ERROR_SIZE) != STORE_ERROR_SIZE)
			_exit(2);
		_exit(s && n > 1 ? 0 : 1);
	}
	close(fds[1]);
	CHECK(read(fds[0], text, sizeof(text)) == STORE_ERROR_SIZE);
	close(fds[0]);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK(strstr(text, "disk"));
	remove_directory(directory);
}

/* ---- Kills ---- */

/* Commits batch after batch and tells the pipe each time that one is durable. */
static void commit_for_ever(const char *directory, int out)
{
	char error[STORE_ERROR_SIZE];
	struct store *s = store_open_sqlite(directory, error);
	uint32_t n;

	if (!s)
		_exit(1);
	for (n = read_batch(s) + 1; write_batch(s, n); n++) {
		if (write(out, &n, sizeof(n)) != sizeof(n))
			_exit(2);
		if (n % 16 == 0)
			s->idle(s);
	}
	_exit(3);
}

static uint32_t last_told(int in)
{
	uint32_t n, last = 0;

	while (read(in, &n, sizeof(n)) == sizeof(n))
		last = n;
	return last;
}

TEST(kill_9_during_commits_loses_nothing_that_was_told)
{
	char *directory = temp_directory();
	uint32_t before = 0;

	for (int round = 0; round < 25; round++) {
		int fds[2], status;
		uint32_t told, found;
		struct store *s;
		pid_t child;

		CHECK(!pipe(fds));
		child = fork();
		if (child == 0)
			commit_for_ever(directory, fds[1]);
		close(fds[1]);
		usleep((useconds_t)(5000 + round * 1700));
		CHECK(!kill(child, SIGKILL));
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFSIGNALED(status));
		told = last_told(fds[0]);
		close(fds[0]);
		s = open_or_fail(directory);
		found = read_batch(s);
		/* At most the one batch that was being written is there without having been told. */
		CHECK(found >= told && found >= before);
		CHECK(!told || found <= told + 1);
		before = found;
		s->close(s);
	}
	CHECK(before > 0);
	remove_directory(directory);
}

/* ---- Torn writes ---- */

static void copy_file(const char *from, const char *to, off_t size, long flip)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint8_t *data = mem_alloc((size_t)size + 1);

	CHECK(in >= 0 && out >= 0);
	CHECK_EQ(read(in, data, (size_t)size), size);
	if (flip >= 0)
		data[flip] ^= 0x5a;
	CHECK_EQ(write(out, data, (size_t)size), size);
	mem_free(data);
	close(in);
	close(out);
}

static off_t file_size(const char *path)
{
	struct stat st;

	CHECK(!stat(path, &st));
	return st.st_size;
}

/* Opens a copy of the database whose WAL ends at `size` (or has a byte flipped): the last whole batch. */
static uint32_t read_torn(const char *directory, off_t size, long flip)
{
	char *copy = temp_directory(), from[128], to[128];
	struct store *s;
	uint32_t n;

	snprintf(from, sizeof(from), "%s/lampo.db", directory);
	snprintf(to, sizeof(to), "%s/lampo.db", copy);
	copy_file(from, to, file_size(from), -1);
	snprintf(from, sizeof(from), "%s/lampo.db-wal", directory);
	snprintf(to, sizeof(to), "%s/lampo.db-wal", copy);
	copy_file(from, to, size, flip);
	s = open_or_fail(copy);
	n = read_batch(s);
	s->close(s);
	remove_directory(copy);
	return n;
}

TEST(a_torn_log_gives_a_whole_older_batch)
{
	char *directory = temp_directory(), wal[128];
	struct store *s = open_or_fail(directory);
	off_t ends[31];

	snprintf(wal, sizeof(wal), "%s/lampo.db-wal", directory);
	ends[0] = file_size(wal);
	for (uint32_t n = 1; n <= 30; n++) {
		CHECK(write_batch(s, n));
		ends[n] = file_size(wal);
	}
	for (uint32_t n = 1; n <= 30; n++) {
		CHECK_EQ(read_torn(directory, ends[n], -1), n);
		CHECK_EQ(read_torn(directory, ends[n] - 1, -1), n - 1);
		CHECK_EQ(read_torn(directory, (ends[n] + ends[n - 1]) / 2, -1), n - 1);
		CHECK_EQ(read_torn(directory, ends[30], (long)(ends[n] + ends[n - 1]) / 2), n - 1);
	}
	s->close(s);
	remove_directory(directory);
}

/* An idle moment gives the log its size beforehand: what is written then does not make it grow, and the zeros behind it
 * are no batch. */
TEST(a_log_with_room_does_not_grow)
{
	char *directory = temp_directory(), wal[128];
	struct store *s = open_or_fail(directory);
	off_t before, room;

	snprintf(wal, sizeof(wal), "%s/lampo.db-wal", directory);
	CHECK(write_batch(s, 1));
	before = file_size(wal);
	s->idle(s);
	room = file_size(wal);
	CHECK(room > before + (1 << 20));
	for (uint32_t n = 2; n <= 30; n++) {
		CHECK(write_batch(s, n));
		s->idle(s);
		CHECK_EQ(file_size(wal), room);
		CHECK_EQ(read_torn(directory, room, -1), n);
	}
	CHECK_EQ(read_torn(directory, before, -1), 1);
	s->close(s);
	remove_directory(directory);
}

/* ---- The thread ---- */

struct waiter {
	int fds[2];
};

static void wake(void *context)
{
	struct waiter *w = context;

	CHECK(write(w->fds[1], "w", 1) == 1);
}

static void fatal(void *context, const char *error)
{
	(void)context;
	dprintf(2, "%s\n", error);
	_exit(42);
}

TEST(the_thread_commits_and_wakes)
{
	char *directory = temp_directory(), byte;
	struct store *s = open_or_fail(directory);
	struct waiter w;
	struct store_thread_owner owner = { &w, wake, fatal };
	struct store_thread *t;
	uint8_t key[4] = { 0 }, value[4] = { 0, 0, 0, 7 };
	struct store_op op = { RECORD_NODE, false, BYTES_OF(key), BYTES_OF(value) };

	CHECK(!pipe(w.fds));
	t = store_thread_new(s, &owner);
	CHECK(!store_thread_done(t));
	for (int i = 0; i < 50; i++) {
		store_thread_commit(t, &op, 1);
		CHECK(read(w.fds[0], &byte, 1) == 1);
		CHECK(store_thread_done(t));
		CHECK(!store_thread_done(t));
	}
	/* Freeing waits for the last one. */
	value[3] = 9;
	store_thread_commit(t, &op, 1);
	store_thread_free(t);
	s->close(s);
	s = open_or_fail(directory);
	{
		struct seen seen = { 0, 0, 0, 0, false };

		CHECK(store_load(s, see, &seen));
		CHECK_EQ(seen.value, 9);
	}
	s->close(s);
	close(w.fds[0]);
	close(w.fds[1]);
	remove_directory(directory);
}

TEST(the_thread_fetches_after_the_commits_before)
{
	struct memory_disk *d = memory_disk_new();
	struct store *s = store_open_memory(d);
	struct waiter w;
	struct store_thread_owner owner = { &w, wake, fatal };
	struct store_thread *t;
	uint8_t key[4] = { 1, 2, 3, 4 }, value[4], prefix[2] = { 1, 2 };
	struct store_op op = { RECORD_HTLC_PAST, false, BYTES_OF(key), BYTES_OF(value) };
	const struct record_range range = { .kind = RECORD_HTLC_PAST, .prefix = BYTES_OF(prefix) };
	struct store_reader reader;
	struct fetch got;
	char byte;

	CHECK(!pipe(w.fds));
	t = store_thread_new(s, &owner);
	CHECK(!store_thread_fetched(t, &reader, &got));
	for (uint32_t i = 1; i < 50; i++) {
		bool committed = false, fetched = false;

		store_be32(value, i);
		store_thread_commit(t, &op, 1);
		prefix[1] = 2;
		store_thread_fetch(t, &(struct store_reader){ &w, i }, &range, 1);
		prefix[1] = 9; /* it was copied */
		while (!committed || !fetched) {
			CHECK(read(w.fds[0], &byte, 1) == 1);
			committed |= store_thread_done(t);
			if (!store_thread_fetched(t, &reader, &got))
				continue;
			fetched = true;
			CHECK_EQ(reader.id, i);
			CHECK(reader.context == &w);
			CHECK_EQ(got.count, 1);
			CHECK_EQ(load_be32(got.records[0].value.data), i);
			fetch_release(&got);
		}
		while (!committed)
			committed = store_thread_done(t);
	}
	/* Nobody takes these. */
	store_thread_fetch(t, &(struct store_reader){ NULL, 98 }, &range, 1);
	CHECK(read(w.fds[0], &byte, 1) == 1);
	store_thread_fetch(t, &(struct store_reader){ NULL, 99 }, &range, 1);
	store_thread_free(t);
	s->close(s);
	memory_disk_free(d);
	close(w.fds[0]);
	close(w.fds[1]);
}

/* --- the backup's file --- */

static bool write_record(struct store *s, enum record_kind kind, const char *value)
{
	struct store_op op = { kind, false, BYTES("channels", 8), bytes_from_string(value) };

	return s->commit(s, &op, 1);
}

static void check_file(const char *directory, const char *name, const char *expected)
{
	char path[128], text[64] = "";
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "r");
	if (!expected) {
		CHECK(!f);
		return;
	}
	CHECK(f);
	CHECK(fgets(text, sizeof(text), f));
	fclose(f);
	CHECK_STR(text, expected);
	CHECK(!stat(path, &st));
	CHECK_EQ(st.st_mode & 0777, 0600);
}

static void put_file(const char *directory, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/emergency.recover", directory);
	remove(path);
	f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f) && !chmod(path, 0600));
}

static void count_backup(void *context, struct bytes sealed)
{
	CHECK(sealed.size);
	++*(uint32_t *)context;
}

TEST(the_backup_has_a_file_of_its_own)
{
	char *directory = temp_directory(), path[128];
	struct store *s = open_or_fail(directory);
	uint32_t count = 0;

	check_file(directory, "emergency.recover", NULL);
	CHECK(write_record(s, RECORD_NODE, "something else"));
	check_file(directory, "emergency.recover", NULL);
	CHECK(write_record(s, RECORD_BACKUP, "one"));
	check_file(directory, "emergency.recover", "one");
	CHECK(write_record(s, RECORD_BACKUP, "two"));
	check_file(directory, "emergency.recover", "two");
	check_file(directory, "emergency.recover.new", NULL);
	s->close(s);
	/* A crash between the commit and the file, or somebody who deletes it: it is made again. */
	snprintf(path, sizeof(path), "%s/emergency.recover", directory);
	CHECK(!remove(path));
	s = open_or_fail(directory);
	check_file(directory, "emergency.recover", "two");
	/* What is not ours is never written over. */
	put_file(directory, "theirs");
	CHECK(write_record(s, RECORD_BACKUP, "three"));
	check_file(directory, "emergency.recover", "three");
	check_file(directory, "emergency.recover.found", "theirs");
	put_file(directory, "theirs as well");
	s->close(s);
	s = open_or_fail(directory);
	check_file(directory, "emergency.recover", "three");
	check_file(directory, "emergency.recover.found", "theirs");
	check_file(directory, "emergency.recover.found.1", "theirs as well");
	backup_files_read(directory, count_backup, &count);
	CHECK_EQ(count, 3);
	s->close(s);
	remove_directory(directory);
}

/* The database is gone, and the file is all that there is. */
TEST(a_new_database_leaves_the_backup_alone)
{
	char *directory = temp_directory();
	struct store *s;

	put_file(directory, "precious");
	s = open_or_fail(directory);
	CHECK(write_record(s, RECORD_NODE, "something else"));
	check_file(directory, "emergency.recover", "precious");
	CHECK(write_record(s, RECORD_BACKUP, "new"));
	check_file(directory, "emergency.recover", "new");
	check_file(directory, "emergency.recover.found", "precious");
	s->close(s);
	remove_directory(directory);
}

TEST(a_backup_that_cannot_be_written_fails_the_commit)
{
	char *directory = temp_directory(), path[128];
	struct store *s = open_or_fail(directory);

	snprintf(path, sizeof(path), "%s/emergency.recover.new", directory);
	CHECK(!mkdir(path, 0700));
	CHECK(!write_record(s, RECORD_BACKUP, "one"));
	CHECK(strstr(s->error, "emergency.recover.new"));
	s->close(s);
	remove_directory(directory);
}

static bool commit_fails(struct store *s, const struct store_op *ops, uint32_t count)
{
	(void)ops;
	(void)count;
	strcpy(s->error, "the disk is on fire");
	return false;
}

TEST(a_failed_commit_ends_the_process)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct memory_disk *d = memory_disk_new();
		struct store *s = store_open_memory(d);
		struct store_thread_owner owner = { NULL, wake, fatal };
		struct store_thread *t;

		close(2);
		s->commit = commit_fails;
		t = store_thread_new(s, &owner);
		store_thread_commit(t, NULL, 0);
		sleep(10);
		(void)t;
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 42);
}
