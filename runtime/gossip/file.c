#include "runtime/gossip/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define COPY_CHUNK (256u << 10)
#define FORGET_CHUNK (1u << 20)

struct compaction {
	struct gossip_move *moves;
	uint32_t count, start, end; /* end: of the new file */
	int fd;                     /* of the new file */
	bool running;
	pthread_t thread;
};

struct gossip_file {
	struct gossip_file_owner owner;
	struct loop_wake *wake;
	struct block_hash chain;
	char path[PATH_SIZE], new_path[PATH_SIZE];
	int fd;
	uint32_t end;     /* with what is in pending */
	struct log_places places;
	struct buf pending;
	int old_fd;       /* the file before this one, for orders that name it; -1: none */
	struct compaction job;
};

static void fail(struct gossip_file *f, const char *what)
{
	char text[PATH_SIZE + 200];

	snprintf(text, sizeof(text), "the file of gossip cannot be %s: %s: %s", what, f->path, strerror(errno));
	f->owner.fatal(f->owner.context, text);
	UNREACHABLE();
}

static bool write_at(int fd, const uint8_t *p, size_t size, off_t at)
{
	while (size) {
		ssize_t n = pwrite(fd, p, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static bool read_at(int fd, uint8_t *p, size_t size, off_t at)
{
	while (size) {
		ssize_t n = pread(fd, p, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

/* ---- Opening ---- */

static bool write_header(int fd, const struct block_hash *chain)
{
	uint8_t header[LOG_HEADER_SIZE];

	log_header_encode(header, chain);
	return ftruncate(fd, 0) == 0 && write_at(fd, header, sizeof(header), 0);
}

static bool begin_or_check(struct gossip_file *f)
{
	uint8_t header[LOG_HEADER_SIZE];

	if (read_at(f->fd, header, sizeof(header), 0) && log_header_check(header, &f->chain))
		return true;
	if (lseek(f->fd, 0, SEEK_END) > 0)
		log_write(f->owner.log, LOG_WARN, "gossip", "%s is of another chain or no log of gossip: begun anew", f->path);
	return write_header(f->fd, &f->chain);
}

static void on_wake(void *context);

struct gossip_file *gossip_file_open(struct loop *loop, const char *directory, const struct block_hash *chain,
				     const struct gossip_file_owner *owner, char error[GOSSIP_FILE_ERROR_SIZE])
{
	struct gossip_file *f = NEW(struct gossip_file);

	f->owner = *owner;
	f->chain = *chain;
	f->old_fd = -1;
	f->wake = loop_wake_new(loop, on_wake, f);
	snprintf(f->path, sizeof(f->path), "%s/" GOSSIP_FILE_NAME, directory);
	snprintf(f->new_path, sizeof(f->new_path), "%s/" GOSSIP_FILE_NAME ".new", directory);
	(void)unlink(f->new_path); /* of a compaction that a crash ended */
	f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->fd < 0 || !begin_or_check(f)) {
		snprintf(error, GOSSIP_FILE_ERROR_SIZE, "cannot open %.400s: %s", f->path, strerror(errno));
		gossip_file_close(f);
		return NULL;
	}
	f->end = LOG_HEADER_SIZE;
	return f;
}

void gossip_file_close(struct gossip_file *f)
{
	if (!f)
		return;
	if (f->job.running) {
		pthread_join(f->job.thread, NULL);
		close(f->job.fd);
		(void)unlink(f->new_path);
		mem_free(f->job.moves);
	}
	if (f->fd >= 0) {
		gossip_file_flush(f);
		close(f->fd);
	}
	if (f->old_fd >= 0)
		close(f->old_fd);
	buf_release(&f->pending);
	loop_wake_free(f->wake);
	mem_free(f);
}

uint32_t gossip_file_load(struct gossip_file *f, bool (*each)(void *context, uint32_t ref, struct bytes record),
			  void *context)
{
	struct log_reader r = { .at = LOG_HEADER_SIZE };
	struct bytes record;
	struct stat st;
	uint32_t ref, forgotten = 0;
	uint8_t *map;

	if (fstat(f->fd, &st))
		fail(f, "read");
	if (st.st_size > LOG_HEADER_SIZE) {
		size_t size = st.st_size < (off_t)LOG_SIZE_MAX ? (size_t)st.st_size : LOG_SIZE_MAX;

		map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, f->fd, 0);
		if (map == MAP_FAILED)
			fail(f, "read");
		(void)madvise(map, size, MADV_SEQUENTIAL);
		r.log = BYTES(map, size);
		f->end = LOG_HEADER_SIZE;
		while (log_next(&r, &ref, &record) && each(context, ref, record)) {
			f->end = r.at;
			/* What was read is not looked at again: the process need not look as large as the file. */
			if (r.at - forgotten >= 2 * FORGET_CHUNK) {
				(void)madvise(map + forgotten, FORGET_CHUNK, MADV_DONTNEED);
				forgotten += FORGET_CHUNK;
			}
		}
		munmap(map, size);
		if ((off_t)f->end != st.st_size)
			log_write(f->owner.log, LOG_INFO, "gossip", "the end of %s was torn: %lld bytes are cut off", f->path,
				  (long long)(st.st_size - (off_t)f->end));
	}
	if (ftruncate(f->fd, (off_t)f->end))
		fail(f, "cut off");
	return f->end;
}

/* ---- Records ---- */

void gossip_file_append(struct gossip_file *f, uint32_t generation, uint32_t ref, struct bytes record)
{
	uint32_t at;
	bool old;

	ASSERT(log_places_find(&f->places, generation, ref, &old, &at) && !old && at == f->end);
	buf_add_bytes(&f->pending, record);
	f->end += (uint32_t)record.size;
}

void gossip_file_flush(struct gossip_file *f)
{
	if (!f->pending.size)
		return;
	if (!write_at(f->fd, f->pending.data, f->pending.size, (off_t)f->end - (off_t)f->pending.size))
		fail(f, "written");
	buf_clear(&f->pending);
}

/* Most records are shorter than this: one read brings them. */
#define GUESS 512u

static ssize_t read_some(int fd, uint8_t *p, size_t size, off_t at)
{
	ssize_t n;

	do
		n = pread(fd, p, size, at);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool take_message(struct bytes record, struct buf *out)
{
	enum log_kind kind;
	struct bytes body;

	if (!log_record_decode(record, &kind, &body))
		return false;
	buf_add_bytes(out, log_message(kind, body));
	return true;
}

static bool read_message(int fd, uint32_t ref, struct buf *out)
{
	uint8_t guess[GUESS];
	struct buf record = BUF_EMPTY;
	ssize_t n = read_some(fd, guess, sizeof(guess), ref);
	uint32_t size = n >= (ssize_t)LOG_RECORD_HEADER ? log_record_size(guess) : 0;
	bool ok;

	if (!size)
		return false;
	if (size <= (size_t)n)
		return take_message(BYTES(guess, size), out);
	ok = read_at(fd, buf_extend(&record, size), size, ref) && take_message(buf_view(&record), out);
	buf_release(&record);
	return ok;
}

bool gossip_file_message(struct gossip_file *f, uint32_t generation, uint32_t ref, struct buf *out)
{
	uint32_t at;
	bool old;

	gossip_file_flush(f);
	return log_places_find(&f->places, generation, ref, &old, &at) && read_message(old ? f->old_fd : f->fd, at, out);
}

bool gossip_file_newest(struct gossip_file *f, uint32_t ref, struct buf *out)
{
	return gossip_file_message(f, f->places.generation, ref, out);
}

/* ---- Compaction ---- */

static bool copy_record(int from, int to, struct gossip_move *m, uint32_t *end, struct buf *room)
{
	uint8_t header[LOG_RECORD_HEADER];
	uint32_t size;

	if (!read_at(from, header, sizeof(header), m->from) || !(size = log_record_size(header)))
		return false;
	buf_clear(room);
	if (!read_at(from, buf_extend(room, size), size, m->from) || !write_at(to, room->data, size, *end))
		return false;
	m->to = *end;
	*end += size;
	return true;
}

static void *run(void *context)
{
	struct gossip_file *f = context;
	struct compaction *j = &f->job;
	struct buf room = BUF_EMPTY;

	j->end = LOG_HEADER_SIZE;
	if (!write_header(j->fd, &f->chain))
		fail(f, "written anew");
	for (uint32_t i = 0; i < j->count; i++)
		if (!copy_record(f->fd, j->fd, &j->moves[i], &j->end, &room))
			fail(f, "written anew");
	/* A rename must not overtake the data. */
	if (fdatasync(j->fd))
		fail(f, "written anew");
	buf_release(&room);
	loop_wake_ring(f->wake);
	return NULL;
}

void gossip_file_compact(struct gossip_file *f, const struct gossip_move *moves, uint32_t count, uint32_t start)
{
	struct compaction *j = &f->job;
	sigset_t all, before;

	ASSERT(!j->running && start == f->end);
	gossip_file_flush(f);
	j->fd = open(f->new_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (j->fd < 0)
		fail(f, "written anew");
	j->moves = NEW_ARRAY(struct gossip_move, count ? count : 1);
	if (count)
		memcpy(j->moves, moves, count * sizeof(*moves));
	j->count = count;
	j->start = start;
	j->running = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ASSERT(!pthread_create(&j->thread, NULL, run, f));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* What was appended meanwhile follows as it is. */
static void copy_tail(struct gossip_file *f, uint32_t from, uint32_t to, int fd)
{
	struct buf chunk = BUF_EMPTY;
	uint8_t *p = buf_extend(&chunk, COPY_CHUNK);

	while (from < f->end) {
		uint32_t size = f->end - from < COPY_CHUNK ? f->end - from : COPY_CHUNK;

		if (!read_at(f->fd, p, size, from) || !write_at(fd, p, size, to))
			fail(f, "written anew");
		from += size;
		to += size;
	}
	buf_release(&chunk);
}

static void on_wake(void *context)
{
	struct gossip_file *f = context;
	struct compaction *j = &f->job;

	if (!j->running)
		return;
	pthread_join(j->thread, NULL);
	gossip_file_flush(f);
	copy_tail(f, j->start, j->end, j->fd);
	if (rename(f->new_path, f->path))
		fail(f, "replaced");
	if (f->old_fd >= 0)
		close(f->old_fd);
	f->old_fd = f->fd;
	log_places_rewritten(&f->places, j->start, j->end);
	f->end = f->end - j->start + j->end;
	f->fd = j->fd;
	j->running = false;
	f->owner.compacted(f->owner.context, j->moves, j->count, j->start, j->end);
	mem_free(j->moves);
	j->moves = NULL;
}
