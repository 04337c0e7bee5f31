#include "runtime/store/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

struct backup_file {
	char directory[PATH_SIZE - 64];
	struct buf last;
};

struct backup_file *backup_file_new(const char *directory, struct bytes last)
{
	struct backup_file *f = NEW(struct backup_file);

	snprintf(f->directory, sizeof(f->directory), "%s", directory);
	buf_add_bytes(&f->last, last);
	return f;
}

void backup_file_free(struct backup_file *f)
{
	if (!f)
		return;
	buf_release(&f->last);
	mem_free(f);
}

/* --- reading --- */

static bool read_all(int fd, struct buf *out)
{
	uint8_t chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && out->size <= BACKUP_FILE_SIZE_MAX)
		buf_add(out, chunk, (size_t)n);
	return n == 0;
}

/* False: it is not there, or it cannot be read. */
static bool read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = read_all(fd, out);
	close(fd);
	return ok;
}

static void file_path(char out[PATH_SIZE], const char *directory)
{
	snprintf(out, PATH_SIZE, "%s/" BACKUP_FILE_NAME, directory);
}

static void found_path(char out[PATH_SIZE], const char *directory, uint32_t i)
{
	if (i)
		snprintf(out, PATH_SIZE, "%s/" BACKUP_FILE_NAME ".found.%u", directory, i);
	else
		snprintf(out, PATH_SIZE, "%s/" BACKUP_FILE_NAME ".found", directory);
}

void backup_files_read(const char *directory, void (*each)(void *context, struct bytes sealed), void *context)
{
	char path[PATH_SIZE];
	struct buf b = BUF_EMPTY;

	for (uint32_t i = 0; i <= BACKUP_FILES_MAX; i++) {
		if (i < BACKUP_FILES_MAX)
			found_path(path, directory, i);
		else
			file_path(path, directory);
		buf_clear(&b);
		if (read_file(path, &b) && b.size)
			each(context, buf_view(&b));
	}
	buf_release(&b);
}

/* --- writing --- */

static bool failed(char error[STORE_ERROR_SIZE], const char *path)
{
	snprintf(error, STORE_ERROR_SIZE, "%.400s: %s", path, strerror(errno));
	return false;
}

static bool is_ours(const struct backup_file *f, const char *path)
{
	struct buf there = BUF_EMPTY;
	bool ours = read_file(path, &there) && bytes_equal(buf_view(&there), buf_view(&f->last));

	buf_release(&there);
	return ours;
}

/* A free name; if there is none the oldest ones stay, because what was put here first is what was missed. */
static bool move_away(const struct backup_file *f, const char *path, char error[STORE_ERROR_SIZE])
{
	char to[PATH_SIZE];
	uint32_t i = 0;

	for (found_path(to, f->directory, i); i + 1 < BACKUP_FILES_MAX && access(to, F_OK) == 0; found_path(to, f->directory, ++i))
		;
	return rename(path, to) == 0 || failed(error, to);
}

static bool make_room(const struct backup_file *f, const char *path, char error[STORE_ERROR_SIZE])
{
	return access(path, F_OK) != 0 || is_ours(f, path) || move_away(f, path, error);
}

static bool write_all(int fd, struct bytes b)
{
	while (b.size) {
		ssize_t n = write(fd, b.data, b.size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		b = BYTES(b.data + n, b.size - (size_t)n);
	}
	return fsync(fd) == 0;
}

static bool sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool write_beside(const char *path, struct bytes sealed, char error[STORE_ERROR_SIZE])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return failed(error, path);
	ok = (fchmod(fd, 0600) == 0 && write_all(fd, sealed)) || failed(error, path);
	if (close(fd) && ok)
		ok = failed(error, path);
	return ok;
}

bool backup_file_write(struct backup_file *f, struct bytes sealed, char error[STORE_ERROR_SIZE])
{
	char path[PATH_SIZE], beside[PATH_SIZE + 8];

	file_path(path, f->directory);
	snprintf(beside, sizeof(beside), "%s.new", path);
	if (!make_room(f, path, error) || !write_beside(beside, sealed, error))
		return false;
	if (rename(beside, path) || !sync_directory(f->directory))
		return failed(error, path);
	buf_clear(&f->last);
	buf_add_bytes(&f->last, sealed);
	return true;
}
