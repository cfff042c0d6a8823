/* SPDX-License-Identifier: MIT */
/*
 * table.c - the ways to open /proc/sysvipc/shm, and what one gets.
 *
 * The content is the business of tests/sysv/files.c; here it is every name of
 * open, the mode strings of fopen, the descriptor's number, flags and rights,
 * and what is refused. The same program on the kernel is the oracle, except
 * that root may open the kernel's file for writing.
 */
#include "support/segments.h"

#include <fcntl.h>
#include <sys/stat.h>

#define TABLE "/proc/sysvipc/shm"

static int id;

/* Whether what is read from the descriptor lists the segment. Closes it. */
static bool lists(int fd)
{
	static char text[1 << 20];
	size_t length = 0;
	ssize_t got;
	char wanted[16];
	while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(fd);
	snprintf(wanted, sizeof wanted, " %d ", id);
	return got == 0 && strncmp(text, "       key      shmid perms", 27) == 0 &&
	       strstr(text, wanted) != NULL;
}

static bool stream_lists(FILE *stream)
{
	int fd = stream != NULL ? dup(fileno(stream)) : -1;
	if (stream != NULL)
		fclose(stream);
	return fd >= 0 && lists(fd);
}

static int lowest_free(void)
{
	int fd = dup(0);
	close(fd);
	return fd;
}

/* Not a constant: then <fcntl.h> calls __open_2 and its kin with _FORTIFY_SOURCE. */
static int unknown(int flags)
{
	volatile int value = flags;
	return value;
}

static void names(void)
{
	int flags = unknown(O_RDONLY);
	CHECK(lists(open(TABLE, O_RDONLY)));
	CHECK(lists(open(TABLE, flags)));
	CHECK(lists(openat(AT_FDCWD, TABLE, O_RDONLY)));
	CHECK(lists(openat(AT_FDCWD, TABLE, flags)));
	CHECK(lists(openat(12345, TABLE, flags))); /* a directory is not looked at */
	CHECK(stream_lists(fopen(TABLE, "r")));
#ifdef __GLIBC__
	CHECK(lists(open64(TABLE, O_RDONLY)));
	CHECK(lists(open64(TABLE, flags)));
	CHECK(lists(openat64(AT_FDCWD, TABLE, O_RDONLY)));
	CHECK(lists(openat64(AT_FDCWD, TABLE, flags)));
	CHECK(stream_lists(fopen64(TABLE, "r")));
#endif
}

static void descriptor(void)
{
	struct stat status;
	char byte = 0;
	int free_one = lowest_free();
	errno = 4242;
	int fd = open(TABLE, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	CHECK(fd == free_one && errno == 4242);
	CHECK(fcntl(fd, F_GETFD) == 0);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
	CHECK(write(fd, "x", 1) == -1 && (errno == EBADF));
	CHECK(fstat(fd, &status) == 0 && S_ISREG(status.st_mode));
	CHECK(lseek(fd, 0, SEEK_CUR) == 0);
	CHECK(read(fd, &byte, 1) == 1 && byte == ' ' && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(lists(fd));
	CHECK(lowest_free() == free_one);

	fd = open(TABLE, O_RDONLY | O_CLOEXEC);
	CHECK(fd == free_one && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(lists(fd));
	fd = openat(AT_FDCWD, TABLE, O_RDONLY | O_CLOEXEC);
	CHECK(fd == free_one && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(lists(fd));
}

/* No stream, and this errno. */
static bool is_refused(const char *path, const char *mode, int wanted)
{
	errno = 0;
	FILE *stream = fopen(path, mode);
	if (stream == NULL)
		return errno == wanted;
	fclose(stream);
	return false;
}

static void streams(void)
{
	int free_one = lowest_free();
	errno = 4242;
	FILE *stream = fopen(TABLE, "re");
	CHECK(stream != NULL && fileno(stream) == free_one && errno == 4242);
	CHECK(stream != NULL && fcntl(fileno(stream), F_GETFD) == FD_CLOEXEC);
	CHECK(stream != NULL && fputc('x', stream) == EOF);
	CHECK(stream_lists(stream));
	FILE *binary = fopen(TABLE, "rb");
	CHECK(binary != NULL && fcntl(fileno(binary), F_GETFD) == 0);
	CHECK(stream_lists(binary));
	CHECK(stream_lists(fopen(TABLE, "rm")));
	CHECK(lowest_free() == free_one);
}

static void refusals(void)
{
	int free_one = lowest_free();
	CHECK_ERRNO("it is no directory", ENOTDIR, open(TABLE, O_RDONLY | O_DIRECTORY));
	CHECK_ERRNO("another file", ENOENT, open("/proc/sysvipc/shm2", O_RDONLY));
	CHECK_ERRNO("another file", ENOENT, openat(AT_FDCWD, "/proc/sysvipc/none", O_RDONLY));
	CHECK(is_refused("/proc/sysvipc/none", "r", ENOENT));
	if (!on_kernel() || geteuid() != 0) {
		CHECK_ERRNO("writing", EACCES, open(TABLE, O_RDWR));
		CHECK_ERRNO("writing", EACCES, open(TABLE, O_WRONLY));
		CHECK_ERRNO("writing", EACCES, openat(AT_FDCWD, TABLE, unknown(O_RDWR)));
		CHECK_ERRNO("writing", EACCES, open(TABLE, O_RDWR | O_CREAT, 0600));
		CHECK(is_refused(TABLE, "r+", EACCES));
		CHECK(is_refused(TABLE, "w", EACCES));
		CHECK(is_refused(TABLE, "a", EACCES));
	}
	CHECK(lowest_free() == free_one);
}

/* Files that are none of our business: mode, flags and number as ever. */
static void others(void)
{
	char path[] = "/tmp/madang-ways-XXXXXX", twin[sizeof path + 1];
	struct stat status;
	int fd = mkstemp(path);
	CHECK(fd >= 0 && close(fd) == 0 && unlink(path) == 0);
	mode_t mask = umask(0);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0642);
	CHECK(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0642);
	CHECK(write(fd, "abc", 3) == 3 && close(fd) == 0);
	snprintf(twin, sizeof twin, "%s2", path);
	fd = openat(AT_FDCWD, twin, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0604);
	CHECK(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0604);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && close(fd) == 0);
#ifdef O_TMPFILE
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0641);
	CHECK(fd < 0 ? errno == EOPNOTSUPP
	             : fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0641);
	if (fd >= 0)
		close(fd);
#endif
	FILE *stream = fopen(path, "a+");
	CHECK(stream != NULL && fputs("def", stream) >= 0 && fclose(stream) == 0);
	CHECK(stat(path, &status) == 0 && status.st_size == 6);
	CHECK(unlink(path) == 0 && unlink(twin) == 0);
	umask(mask);
}

int main(void)
{
	begin();
	id = make_private(100, 0600);
	names();
	descriptor();
	streams();
	refusals();
	others();
	return test_result();
}
