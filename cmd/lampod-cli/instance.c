#include "cmd/lampod-cli/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkdir -p, every new one private. */
MUST_USE static bool make_directory(const char *directory)
{
	struct buf path = BUF_EMPTY;
	const char *p = directory;
	bool ok = true;

	while (ok && *p) {
		const size_t size = strcspn(p + 1, "/") + 1;

		buf_add(&path, p, size);
		buf_add_u8(&path, 0);
		ok = mkdir((const char *)path.data, 0700) == 0 || errno == EEXIST || errno == EISDIR;
		path.size--;
		p += size;
	}
	buf_release(&path);
	return ok;
}

static void say_taken(const char *directory, int fd, char why[CONFIG_WHY_SIZE])
{
	char pid[20] = "";
	ssize_t size = read(fd, pid, sizeof(pid) - 1);

	pid[size > 0 ? size : 0] = 0;
	pid[strspn(pid, "0123456789")] = 0;
	snprintf(why, CONFIG_WHY_SIZE,
		 "another daemon (process %s) uses %s: stop it with 'lampo-cli -d %s stop', or choose another directory with -d",
		 *pid ? pid : "unknown", directory, directory);
}

bool instance_lock(const char *directory, char why[CONFIG_WHY_SIZE])
{
	struct buf path = BUF_EMPTY;
	char pid[20];
	int fd, size;

	if (!make_directory(directory)) {
		snprintf(why, CONFIG_WHY_SIZE, "cannot make the directory %s: %s", directory, strerror(errno));
		return false;
	}
	buf_printf(&path, "%s/lampod.lock", directory);
	buf_add_u8(&path, 0);
	/* The file stays: to remove it would let a third daemon lock a new one. */
	fd = open((const char *)path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	buf_release(&path);
	if (fd < 0) {
		snprintf(why, CONFIG_WHY_SIZE, "cannot write in the directory %s: %s", directory, strerror(errno));
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		say_taken(directory, fd, why);
		close(fd);
		return false;
	}
	size = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || write(fd, pid, (size_t)size) != size) {
		snprintf(why, CONFIG_WHY_SIZE, "cannot write in the directory %s: %s", directory, strerror(errno));
		close(fd);
		return false;
	}
	return true; /* the descriptor stays open: its lock ends with the process */
}
