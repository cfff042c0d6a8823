/* SPDX-License-Identifier: MIT */
/*
 * looks.c - programs that look at /proc/sysvipc/shm and the limits before they open them.
 *
 * Every function that tells of a file, by its path or by a descriptor, has to say the same as the
 * others and as the kernel. This runs once on the machine as it is. Root runs it once more where
 * nothing is mounted at these places, as on a kernel without System V IPC.
 */
#include "support/segments.h"
#include "support/slowly.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const struct {
	const char *path;
	unsigned mode;
} files[] = {
	{ "/proc/sysvipc/shm", 0444 },
	{ "/proc/sys/kernel/shmmax", 0644 },
	{ "/proc/sys/kernel/shmall", 0644 },
	{ "/proc/sys/kernel/shmmni", 0644 },
	{ "/proc/sys/kernel/shm_next_id", 0444 },
	{ "/proc/sys/kernel/shm_rmid_forced", 0644 },
	{ "/proc/sysvipc/sem", 0444 },
	{ "/proc/sys/kernel/sem", 0644 },
	{ "/proc/sys/kernel/sem_next_id", 0444 },
	{ "/proc/sysvipc/msg", 0444 },
	{ "/proc/sys/kernel/msgmax", 0644 },
	{ "/proc/sys/kernel/msgmnb", 0644 },
	{ "/proc/sys/kernel/msgmni", 0644 },
	{ "/proc/sys/kernel/msg_next_id", 0444 },
	{ "/proc/sys/kernel/auto_msgmni", 0644 },
};
enum { FILES = sizeof(files) / sizeof(files[0]) };

static struct stat seen; /* what stat says of the one in turn */
static const char *path;

/* Root of the initial user namespace. The user namespace in which an ordinary user runs the oracle
 * has no number for him (enclose.c). */
static bool is_roots(uint32_t number)
{
	return number == 0 || (on_kernel() && geteuid() != 0);
}

/* The kernel says when it has made the file's inode, or when somebody has truncated it: in this
 * test, a moment ago. So the second may have changed. */
static bool same(const struct stat *status)
{
	return status->st_dev == seen.st_dev && status->st_ino == seen.st_ino &&
	       status->st_mode == seen.st_mode && status->st_size == 0 &&
	       is_roots(status->st_uid) && is_roots(status->st_gid) && status->st_nlink == 1 &&
	       (on_kernel() || status->st_mtime == seen.st_mtime);
}

#ifdef __GLIBC__
static bool same64(const struct stat64 *status)
{
	return status->st_dev == seen.st_dev && status->st_ino == seen.st_ino &&
	       status->st_mode == seen.st_mode && status->st_size == 0 &&
	       is_roots(status->st_uid) && status->st_nlink == 1 &&
	       (on_kernel() || status->st_mtime == seen.st_mtime);
}
#endif

/* ---- by path ------------------------------------------------------------------------ */

static void paths(unsigned mode)
{
	struct stat status;
	errno = 4242;
	CHECK(stat(path, &seen) == 0 && errno == 4242);
	CHECK(S_ISREG(seen.st_mode) && (seen.st_mode & 07777) == mode && same(&seen));
	CHECK(stat(path, &status) == 0 && same(&status));
	CHECK(lstat(path, &status) == 0 && same(&status));
	CHECK(fstatat(AT_FDCWD, path, &status, 0) == 0 && same(&status));
	CHECK(fstatat(12345, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && same(&status));
#ifdef __GLIBC__
	struct stat64 large;
	CHECK(stat64(path, &large) == 0 && same64(&large));
	CHECK(lstat64(path, &large) == 0 && same64(&large));
	CHECK(fstatat64(AT_FDCWD, path, &large, 0) == 0 && same64(&large));
#endif
#ifdef STATX_BASIC_STATS
	struct statx extended;
	CHECK(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &extended) == 0);
	CHECK(extended.stx_ino == seen.st_ino && extended.stx_mode == seen.st_mode &&
	      extended.stx_size == 0 && extended.stx_mtime.tv_sec == seen.st_mtime &&
	      (extended.stx_mask & STATX_TYPE));
#endif
}

static void rights(void)
{
	char resolved[PATH_MAX], room[64];
	errno = 4242;
	CHECK(access(path, F_OK) == 0 && access(path, R_OK) == 0 && errno == 4242);
	CHECK(faccessat(AT_FDCWD, path, R_OK, 0) == 0);
	CHECK(faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0);
	CHECK(euidaccess(path, R_OK) == 0 && eaccess(path, F_OK) == 0);
	CHECK_ERRNO("no program", EACCES, access(path, X_OK));
	CHECK_ERRNO("no program", EACCES, euidaccess(path, R_OK | X_OK));
	CHECK_ERRNO("no such right", EINVAL, access(path, 8));
	CHECK_ERRNO("no link", EINVAL, readlink(path, room, sizeof(room)));
	CHECK_ERRNO("no link", EINVAL, readlinkat(AT_FDCWD, path, room, sizeof(room)));
	CHECK(realpath(path, resolved) == resolved && strcmp(resolved, path) == 0);
	char *made = realpath(path, NULL);
	CHECK(made != NULL && strcmp(made, path) == 0);
	free(made);
#ifdef __GLIBC__
	made = canonicalize_file_name(path);
	CHECK(made != NULL && strcmp(made, path) == 0);
	free(made);
#endif
}

/* ---- by descriptor ----------------------------------------------------------------- */

static bool is_it(int fd)
{
	struct stat status = { 0 };
	bool is = fstat(fd, &status) == 0 && same(&status) &&
	          fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && same(&status);
#ifdef __GLIBC__
	struct stat64 large;
	is = is && fstat64(fd, &large) == 0 && same64(&large);
#endif
#ifdef STATX_BASIC_STATS
	struct statx extended;
	is = is && statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &extended) == 0 &&
	     extended.stx_ino == seen.st_ino && extended.stx_mode == seen.st_mode;
#endif
	return is;
}

static void check_fd(void *fd)
{
	CHECK(is_it(*(int *)fd));
}

static void descriptors(void)
{
	char byte, link[64];
	struct stat status;
	int fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && is_it(fd));
	int twin = dup(fd);
	CHECK(is_it(twin) && close(twin) == 0);
	CHECK(in_child(check_fd, &fd));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(stat(link, &status) == 0 && same(&status));
	CHECK(read(fd, &byte, 1) == 1 && is_it(fd) && close(fd) == 0);

	FILE *stream = fopen("/dev/null", "r");
	int number = stream != NULL ? fileno(stream) : -1;
	stream = freopen(path, "r", stream);
	CHECK(stream != NULL && fileno(stream) == number && is_it(number));
	CHECK(stream != NULL && fgetc(stream) != EOF && fclose(stream) == 0);
	if (access(path, W_OK) == 0 && strstr(path, "/sys/") != NULL) {
		fd = open(path, O_RDWR);
		CHECK(fd >= 0 && is_it(fd) && close(fd) == 0);
		fd = creat(path, 0600);
		CHECK(fd >= 0 && is_it(fd) && read(fd, &byte, 1) == -1 && close(fd) == 0);
	}
}

/* Nothing else is taken for one of them. */
static void other_files(void)
{
	char name[] = "/tmp/madang-looks-XXXXXX";
	struct stat status;
	int fd = mkstemp(name);
	CHECK(fd >= 0 && fchmod(fd, 01444) == 0); /* which is how ours are marked */
	CHECK(fstat(fd, &status) == 0 && (status.st_mode & 07777) == 01444 &&
	      status.st_ino != seen.st_ino);
	CHECK(stat(name, &status) == 0 && (status.st_mode & 07777) == 01444);
	CHECK(unlink(name) == 0);
	CHECK(fstat(fd, &status) == 0 && status.st_nlink == 0 && (status.st_mode & 07777) == 01444);
	CHECK(close(fd) == 0);
	CHECK_ERRNO("not there", ENOENT, stat("/proc/sysvipc/none", &status));
	CHECK_ERRNO("not there", ENOENT, access("/proc/sysvipc/none", F_OK));
	CHECK_ERRNO("no directory", ENOTDIR, stat("/dev/null/x", &status));
	CHECK(realpath("/proc/sysvipc/none", NULL) == NULL && errno == ENOENT);
	CHECK_ERRNO("not open", EBADF, fstat(12345, &status));
	CHECK(stat("/proc", &status) == 0 && S_ISDIR(status.st_mode));
}

/* Some programs ask so whether an address can be read. */
static void bad_pointer(const char *volatile nowhere)
{
	char room[64];
	struct stat status;
	CHECK_ERRNO("bad pointer", EFAULT, stat(nowhere, &status));
	CHECK_ERRNO("bad pointer", EFAULT, lstat(nowhere, &status));
	CHECK_ERRNO("bad pointer", EFAULT,
	            fstatat(AT_FDCWD, nowhere, &status, AT_SYMLINK_NOFOLLOW));
	CHECK_ERRNO("bad pointer", EFAULT, access(nowhere, F_OK));
	CHECK_ERRNO("bad pointer", EFAULT, faccessat(AT_FDCWD, nowhere, F_OK, 0));
	CHECK_ERRNO("bad pointer", EFAULT, euidaccess(nowhere, R_OK));
	CHECK_ERRNO("bad pointer", EFAULT, readlink(nowhere, room, sizeof(room)));
	CHECK_ERRNO("bad pointer", EFAULT, readlinkat(AT_FDCWD, nowhere, room, sizeof(room)));
#ifdef __GLIBC__
	struct stat64 large;
	CHECK_ERRNO("bad pointer", EFAULT, stat64(nowhere, &large));
#endif
}

static void bad_arguments(void)
{
	struct stat status;
	char *nowhere = mmap(NULL, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(nowhere != MAP_FAILED);
	if (!SLOWLY) { /* a sanitizer's own wrappers read the path */
		bad_pointer(nowhere);
		bad_pointer((const char *)-1);
		bad_pointer(NULL);
	}
	CHECK(munmap(nowhere, page_size()) == 0);
	CHECK_ERRNO("bad flags", EINVAL, fstatat(AT_FDCWD, path, &status, 0x40000));
	CHECK_ERRNO("bad flags", EINVAL, faccessat(AT_FDCWD, path, F_OK, 0x40000));
}

#if defined(__GLIBC__) && defined(__LP64__)
static void look_up(const char *name, void *ret_function, size_t size)
{
	void *found = dlsym(RTLD_DEFAULT, name);
	memcpy(ret_function, &found, size);
}
#endif

/* Functions that programs call which were built with older C libraries. Today's libraries hide them
 * from new programs. Then only ours are found. */
static void old_names(void)
{
#if defined(__GLIBC__) && defined(__LP64__)
	typedef int by_path(int, const char *, struct stat *);
	typedef int by_fd(int, int, struct stat *);
	typedef int at(int, int, const char *, struct stat *, int);
	static const char *const path_names[] = { "__xstat", "__lxstat", "__xstat64",
		                                  "__lxstat64" };
	struct stat status;
	int fd = open(path, O_RDONLY);
	for (size_t i = 0; i < sizeof(path_names) / sizeof(path_names[0]); i++) {
		by_path *function;
		look_up(path_names[i], &function, sizeof(function));
		CHECK(function == NULL ? on_kernel()
		                       : function(1, path, &status) == 0 && same(&status));
	}
	by_fd *old_fstat;
	at *old_fstatat;
	look_up("__fxstat", &old_fstat, sizeof(old_fstat));
	look_up("__fxstatat64", &old_fstatat, sizeof(old_fstatat));
	CHECK(old_fstat == NULL ? on_kernel() : old_fstat(1, fd, &status) == 0 && same(&status));
	CHECK(old_fstatat == NULL
	              ? on_kernel()
	              : old_fstatat(1, AT_FDCWD, path, &status, 0) == 0 && same(&status));
	CHECK(close(fd) == 0);
#endif
}

static void look_at_all(void)
{
	for (size_t i = 0; i < FILES; i++) {
		path = files[i].path;
		paths(files[i].mode);
		rights();
		descriptors();
		old_names();
		bad_arguments();
	}
	other_files();
}

/* ---- without the kernel's files ----------------------------------------------------- */

static void without(void *unused)
{
	(void)unused;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/proc/sysvipc", "tmpfs", 0, NULL) != 0 ||
	    mount("none", "/proc/sys/kernel", "tmpfs", 0, NULL) != 0) {
		printf("nothing can be mounted here: the kernel's files stay\n");
		return;
	}
	CHECK(syscall(SYS_faccessat, AT_FDCWD, "/proc/sysvipc/shm", F_OK) == -1);
	look_at_all();
	/* They differ from each other. */
	struct stat one = { 0 }, other = { 0 };
	CHECK(stat(files[0].path, &one) == 0 && stat(files[1].path, &other) == 0);
	CHECK(one.st_ino != other.st_ino && one.st_dev == other.st_dev);
}

int main(void)
{
	begin();
	make_private(100, 0600);
	look_at_all();
	if (!on_kernel() && geteuid() == 0)
		CHECK(in_child(without, NULL));
	return test_result();
}
