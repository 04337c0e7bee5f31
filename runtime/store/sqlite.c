/* SQLite as a durable map.
 *
 * One writer, no readers beside it: the database is locked exclusively, so the
 * WAL index lives in memory.  synchronous=FULL makes each COMMIT one fsync of
 * the WAL; checkpoints, which fsync more, wait for idle moments. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/store/backup_file.h"
#include "runtime/store/store.h"

#define DATABASE_NAME "lampo.db"
#define LOCK_NAME "lampo.db.lock"
#define APPLICATION_ID 0x4c4d504f /* "LMPO" */
/* A database that exists keeps its own.  SQLite puts what takes more than a quarter of a page on pages of its own, and
 * the record of an HTLC has 1,366 bytes of onion. */
#define PAGE_SIZE 8192
/* Pages: past the first number an idle moment is used to empty the WAL, past the second it is not waited for. */
#define WAL_PAGES_IDLE 1000
#define WAL_PAGES_MOST 16000
/* What WAL_PAGES_IDLE and the batch that reaches it take: each page has 24 bytes of its own. */
#define WAL_ROOM ((off_t)(WAL_PAGES_IDLE + 250) * (PAGE_SIZE + 24))

/* Migration i takes the schema from version i to i + 1.  Append only. */
static const char *const migrations[] = {
	"CREATE TABLE records(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY(kind, key)) WITHOUT ROWID",
};

struct sqlite_store {
	struct store store;
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *put, *remove, *up, *down, *down_all;
	int lock_fd;
	int wal_pages;
	bool wal_has_room;
	struct backup_file *backup;
};

static void set_error(char error[STORE_ERROR_SIZE], const char *fmt, ...) PRINTF_LIKE(2, 3);
static void set_error(char error[STORE_ERROR_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, STORE_ERROR_SIZE, fmt, ap);
	va_end(ap);
}

static bool failed(struct sqlite_store *s, const char *what)
{
	int code = sqlite3_extended_errcode(s->db);
	const char *advice = "";

	switch (code & 0xff) {
	case SQLITE_FULL:
		advice = "; the disk is full: make room and start again";
		break;
	case SQLITE_IOERR:
		advice = "; the disk does not take our writes: look at the system's log before starting again";
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		advice = "; the database is damaged: do not start again with an old copy, channels would be lost";
		break;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		advice = "; look at the owner and the permissions of the directory";
		break;
	case SQLITE_BUSY:
		advice = "; another program has the database open";
		break;
	}
	set_error(s->store.error, "%s: %s (SQLite %d)%s", what, s->db ? sqlite3_errmsg(s->db) : "out of memory", code, advice);
	return false;
}

static bool run(struct sqlite_store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK || failed(s, sql);
}

static bool read_number(struct sqlite_store *s, const char *sql, int *out)
{
	sqlite3_stmt *q;
	bool ok = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;

	if (ok)
		*out = sqlite3_column_int(q, 0);
	else
		failed(s, sql);
	sqlite3_finalize(q);
	return ok;
}

/* ---- Opening ---- */

/* Two nodes on one database would each revoke what the other broadcasts. */
static bool take_lock(struct sqlite_store *s, const char *directory)
{
	char path[4096], pid[32] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" LOCK_NAME, directory);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0) {
		set_error(s->store.error, "%s: %s", path, strerror(errno));
		return false;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		n = read(s->lock_fd, pid, sizeof(pid) - 1);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
		set_error(s->store.error, "%s is in use by another lampod (pid %s): only one may run on a directory",
			  directory, *pid ? pid : "unknown");
		return false;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(s->lock_fd, 0) || pwrite(s->lock_fd, pid, (size_t)n, 0) != n) {
		set_error(s->store.error, "%s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

/* Nobody else may read what is in the database, from its first byte on. */
static bool open_database(struct sqlite_store *s, const char *directory)
{
	char path[4096];
	mode_t mask;
	int code;

	snprintf(path, sizeof(path), "%s/" DATABASE_NAME, directory);
	mask = umask(077);
	code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	/* The WAL is created by the first transaction, with the permissions of the database. */
	umask(mask);
	return code == SQLITE_OK || failed(s, path);
}

static bool configure(struct sqlite_store *s)
{
	char page_size[64];
	int version, application;

	snprintf(page_size, sizeof(page_size), "PRAGMA page_size=%d", PAGE_SIZE);
	/* Exclusive locking must be chosen before WAL, so that no shared memory file is used. */
	if (!run(s, page_size) || !run(s, "PRAGMA locking_mode=EXCLUSIVE") || !read_number(s, "PRAGMA application_id", &application)
	    || !read_number(s, "PRAGMA user_version", &version))
		return false;
	if (application != APPLICATION_ID && (application || version)) {
		set_error(s->store.error, DATABASE_NAME " belongs to another program (application id %d)", application);
		return false;
	}
	if (version < 0 || (size_t)version > ARRAY_COUNT(migrations)) {
		set_error(s->store.error, DATABASE_NAME " has format %d, made by a newer lampod; this one knows up to %zu",
			  version, ARRAY_COUNT(migrations));
		return false;
	}
	return run(s, "PRAGMA journal_mode=WAL") && run(s, "PRAGMA synchronous=FULL")
	       && run(s, "PRAGMA wal_autocheckpoint=0") && run(s, "PRAGMA foreign_keys=OFF")
	       && run(s, "PRAGMA cache_size=-4096") && run(s, "PRAGMA temp_store=MEMORY");
}

static bool migrate(struct sqlite_store *s)
{
	char sql[96];
	int version;

	/* Takes the exclusive lock, which locking_mode then keeps. */
	if (!run(s, "BEGIN EXCLUSIVE") || !read_number(s, "PRAGMA user_version", &version))
		return false;
	for (size_t i = (size_t)version; i < ARRAY_COUNT(migrations); i++)
		if (!run(s, migrations[i]))
			return false;
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d", APPLICATION_ID);
	if (!run(s, sql))
		return false;
	snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", (int)ARRAY_COUNT(migrations));
	return run(s, sql) && run(s, "COMMIT");
}

static bool prepare(struct sqlite_store *s, sqlite3_stmt **out, const char *sql)
{
	return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK || failed(s, sql);
}

static bool prepare_all(struct sqlite_store *s)
{
	return prepare(s, &s->begin, "BEGIN IMMEDIATE") && prepare(s, &s->commit, "COMMIT")
	       && prepare(s, &s->put, "INSERT OR REPLACE INTO records(kind, key, value) VALUES(?, ?, ?)")
	       && prepare(s, &s->remove, "DELETE FROM records WHERE kind = ? AND key = ?")
	       && prepare(s, &s->up, "SELECT key, value FROM records WHERE kind = ? AND key >= ? ORDER BY key")
	       && prepare(s, &s->down, "SELECT key, value FROM records WHERE kind = ? AND key < ? ORDER BY key DESC")
	       && prepare(s, &s->down_all, "SELECT key, value FROM records WHERE kind = ? ORDER BY key DESC");
}

/* ---- Reading ---- */

static struct bytes column(sqlite3_stmt *q, int i)
{
	const void *p = sqlite3_column_blob(q, i);

	return BYTES(p, (size_t)sqlite3_column_bytes(q, i));
}

static void bind_blob(sqlite3_stmt *q, int i, struct bytes b)
{
	/* A NULL pointer would bind NULL. */
	sqlite3_bind_blob64(q, i, b.size ? b.data : (const uint8_t *)"", b.size, SQLITE_STATIC);
}

/* The least key that is greater than all that begin with prefix; empty: there is none. */
static void key_behind(struct buf *out, struct bytes prefix)
{
	while (prefix.size && prefix.data[prefix.size - 1] == 0xff)
		prefix.size--;
	buf_add_bytes(out, prefix);
	if (out->size)
		out->data[out->size - 1]++;
}

/* Where reading down begins: below this key; empty: at the last of the kind. */
static void upper_end(struct buf *out, const struct record_range *range)
{
	key_behind(out, range->prefix);
	if (!range->from.size || (out->size && bytes_compare(buf_view(out), range->from) <= 0))
		return;
	/* The least key that is greater than `from`. */
	buf_clear(out);
	buf_add_bytes(out, range->from);
	buf_add_u8(out, 0);
}

static sqlite3_stmt *bind_range(struct sqlite_store *s, const struct record_range *range, struct buf *end)
{
	struct bytes first = bytes_compare(range->from, range->prefix) < 0 ? range->prefix : range->from;
	sqlite3_stmt *q = s->up;

	if (range->reverse) {
		upper_end(end, range);
		q = end->size ? s->down : s->down_all;
	}
	sqlite3_bind_int(q, 1, (int)range->kind);
	if (q != s->down_all)
		bind_blob(q, 2, range->reverse ? buf_view(end) : first);
	return q;
}

/* Keys that begin with the prefix stand together, and reading begins at the first of them. */
static bool sqlite_fetch(struct store *store, const struct record_range *range, store_each *each, void *context)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct buf end = BUF_EMPTY;
	sqlite3_stmt *q = bind_range(s, range, &end);
	bool more = true;
	int code = SQLITE_DONE;

	while (more && (code = sqlite3_step(q)) == SQLITE_ROW)
		more = range_has(range, column(q, 0)) && each(context, range->kind, column(q, 0), column(q, 1));
	if (more && code != SQLITE_DONE)
		failed(s, "reading some records");
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	buf_release(&end);
	return !more || code == SQLITE_DONE;
}

/* ---- Writing ---- */

static bool step_done(struct sqlite_store *s, sqlite3_stmt *q, const char *what)
{
	int code = sqlite3_step(q);

	if (code != SQLITE_DONE)
		failed(s, what);
	sqlite3_reset(q);
	return code == SQLITE_DONE;
}

static bool write_op(struct sqlite_store *s, const struct store_op *op)
{
	sqlite3_stmt *q = op->remove ? s->remove : s->put;

	sqlite3_bind_int(q, 1, (int)op->kind);
	bind_blob(q, 2, op->key);
	if (!op->remove)
		bind_blob(q, 3, op->value);
	return step_done(s, q, "writing a record");
}

/* After the commit, and before anybody hears of it: what a crash in between leaves undone the next start does. */
static bool write_backup(struct sqlite_store *s, const struct store_op *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].kind == RECORD_BACKUP && !ops[i].remove && !backup_file_write(s->backup, ops[i].value, s->store.error))
			return false;
	return true;
}

static bool sqlite_commit(struct store *store, const struct store_op *ops, uint32_t count)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	if (!step_done(s, s->begin, "beginning a batch"))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!write_op(s, &ops[i]))
			return false;
	return step_done(s, s->commit, "committing a batch") && write_backup(s, ops, count);
}

static int on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *s = context;

	(void)db;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

static bool fill_with_zeros(int fd, off_t from, off_t to)
{
	static const uint8_t zeros[65536];

	while (from < to) {
		ssize_t n = pwrite(fd, zeros, sizeof(zeros), from);

		if (n <= 0)
			return false;
		from += n;
	}
	return fsync(fd) == 0;
}

/* A file that grows makes the kernel write down its new size in each fsync as well, which takes as long as the data.
 * So the WAL gets its size beforehand, as zeros: SQLite takes none of them for a page.  It writes over them, and from the
 * beginning again after each checkpoint.  A failure leaves nothing but the slower way. */
static void make_room(struct sqlite_store *s)
{
	int fd = open(sqlite3_filename_wal(sqlite3_db_filename(s->db, "main")), O_WRONLY | O_CLOEXEC);
	off_t size;

	s->wal_has_room = true;
	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	/* On a disk that is almost full the room is for others. */
	if (size >= 0 && !fill_with_zeros(fd, size, WAL_ROOM))
		(void)!ftruncate(fd, size);
	close(fd);
}

static void sqlite_idle(struct store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	if (!s->wal_has_room)
		make_room(s);
	if (s->wal_pages < WAL_PAGES_IDLE)
		return;
	/* A failure here loses nothing: the WAL still has it all, and the next commit will tell. */
	sqlite3_wal_checkpoint_v2(s->db, NULL,
				  s->wal_pages < WAL_PAGES_MOST ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE,
				  NULL, NULL);
	s->wal_has_room = s->wal_pages < WAL_PAGES_MOST;
	s->wal_pages = 0;
}

static bool take_backup(void *context, enum record_kind kind, struct bytes key, struct bytes value)
{
	(void)kind;
	(void)key;
	buf_clear(context);
	buf_add_bytes(context, value);
	return false;
}

/* The file is what the database says, or the database says nothing and the file is left alone. */
static bool open_backup(struct sqlite_store *s, const char *directory)
{
	struct buf stored = BUF_EMPTY;
	const struct record_range all = { .kind = RECORD_BACKUP };
	bool ok;

	ok = sqlite_fetch(&s->store, &all, take_backup, &stored);
	s->backup = backup_file_new(directory, buf_view(&stored));
	if (ok && stored.size)
		ok = backup_file_write(s->backup, buf_view(&stored), s->store.error);
	buf_release(&stored);
	return ok;
}

static void sqlite_close(struct store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	backup_file_free(s->backup);

	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->remove);
	sqlite3_finalize(s->up);
	sqlite3_finalize(s->down);
	sqlite3_finalize(s->down_all);
	sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	mem_free(s);
}

struct store *store_open_sqlite(const char *directory, char error[STORE_ERROR_SIZE])
{
	struct sqlite_store *s = NEW(struct sqlite_store);

	s->lock_fd = -1;
	s->store.commit = sqlite_commit;
	s->store.fetch = sqlite_fetch;
	s->store.idle = sqlite_idle;
	s->store.close = sqlite_close;
	if (!take_lock(s, directory) || !open_database(s, directory) || !configure(s) || !migrate(s)
	    || !prepare_all(s) || !open_backup(s, directory)) {
		memcpy(error, s->store.error, STORE_ERROR_SIZE);
		sqlite_close(&s->store);
		return NULL;
	}
	sqlite3_wal_hook(s->db, on_wal, s);
	return &s->store;
}
