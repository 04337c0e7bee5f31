#include "api/rpc/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket's path is limited to about 100 bytes; the way around through an
 * open directory has no such limit.  directory: -1, or to be closed after use. */
MUST_USE static bool address_of(struct sockaddr_un *address, int *directory, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent;

	*directory = -1;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(address->sun_path)) {
		memcpy(address->sun_path, path, strlen(path));
		return true;
	}
	if (!slash || slash == path || strlen(slash) > 64)
		return false;
	parent = mem_alloc((size_t)(slash - path) + 1);
	memcpy(parent, path, (size_t)(slash - path));
	*directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mem_free(parent);
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d%s", *directory, slash);
	return *directory >= 0;
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Somebody answers at this address. */
MUST_USE static bool in_use(const struct sockaddr_un *address)
{
	int fd = new_socket();
	bool used = true;

	if (fd >= 0) {
		/* A full backlog (EAGAIN) is somebody too. */
		used = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN;
		close(fd);
	}
	return used;
}

MUST_USE static bool clear_stale(const struct sockaddr_un *address, const char *path, char why[RPC_WHY_SIZE])
{
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		snprintf(why, RPC_WHY_SIZE, "%s is there and is no socket: move it away", path);
		return false;
	}
	if (in_use(address)) {
		snprintf(why, RPC_WHY_SIZE,
			 "another daemon listens on %s: stop it with 'lampo-cli --socket %s stop', or use another directory",
			 path, path);
		return false;
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		snprintf(why, RPC_WHY_SIZE, "cannot remove the old socket %s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

MUST_USE static bool bind_private(int fd, const struct sockaddr_un *address, const char *path, char why[RPC_WHY_SIZE])
{
	struct stat st;

	/* Linux gives the file the mode of the unbound socket: there is no instant
	 * in which another user could connect.  Elsewhere chmod has to do. */
	if (fchmod(fd, 0600) != 0 && errno != EINVAL)
		return false;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return false;
	if (chmod(path, 0600) != 0 || stat(path, &st) != 0 || (st.st_mode & 0777) != 0600) {
		snprintf(why, RPC_WHY_SIZE, "%s cannot be made private: use a directory on a file system with Unix modes",
			 path);
		unlink(path);
		errno = 0;
		return false;
	}
	return true;
}

static void remember(struct listen_file *file, const char *path)
{
	struct stat st;

	file->path = mem_alloc(strlen(path) + 1);
	memcpy(file->path, path, strlen(path));
	if (stat(path, &st) == 0) {
		file->device = (uint64_t)st.st_dev;
		file->inode = (uint64_t)st.st_ino;
	}
}

int listen_bind(struct listen_file *file, const char *path, char why[RPC_WHY_SIZE])
{
	struct sockaddr_un address;
	int directory, fd;
	bool bound;

	if (!address_of(&address, &directory, path)) {
		snprintf(why, RPC_WHY_SIZE, "%s cannot be a socket: its directory is not there or its name is too long", path);
		return -1;
	}
	*why = 0;
	fd = new_socket();
	bound = fd >= 0 && bind_private(fd, &address, path, why);
	if (!bound && fd >= 0 && errno == EADDRINUSE)
		bound = clear_stale(&address, path, why) && bind_private(fd, &address, path, why);
	if (!bound && !*why)
		snprintf(why, RPC_WHY_SIZE, "cannot listen on %s: %s", path, strerror(errno));
	if (!bound && fd >= 0)
		close(fd);
	if (directory >= 0)
		close(directory);
	if (!bound)
		return -1;
	remember(file, path);
	return fd;
}

void listen_remove(struct listen_file *file)
{
	struct stat st;

	if (stat(file->path, &st) == 0 && (uint64_t)st.st_dev == file->device && (uint64_t)st.st_ino == file->inode)
		unlink(file->path);
	mem_free(file->path);
	file->path = NULL;
}
