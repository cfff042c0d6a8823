/* SPDX-License-Identifier: MIT */
/* See sys.h; stat(2) is in status.c, the clocks are in clock.c. */
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "platform/machine.h"
#include "platform/raw.h"

#if defined(SYS_fcntl64) && !defined(__LP64__)
#define SYS_FCNTL SYS_fcntl64
#else
#define SYS_FCNTL SYS_fcntl
#endif

/* <linux/futex.h>, which a C library of its own (musl) does not bring along. */
enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE = 128
};

#pragma GCC diagnostic ignored "-Wpedantic" /* statement expressions */

int mdg__sys_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return (int)MDG__RAW(SYS_openat, dirfd, path, flags | O_LARGEFILE | O_CLOEXEC, mode);
}

int mdg__sys_close(int fd)
{
	return (int)MDG__RAW(SYS_close, fd);
}

/* The kernel's set is _NSIG bits: 8 bytes nearly everywhere, 16 on MIPS. */
#define KERNEL_SIGSET_SIZE ((size_t)(_NSIG > 65 ? 16 : 8))

/* Beyond RLIMIT_FSIZE the kernel answers EFBIG and sends SIGXFSZ, which kills. It
 * is for a program that writes files; this one asks for memory. So with signals
 * blocked it is taken back. One that the program sent itself before stays. */
static int without_signal(int rc)
{
	enum { BITS = 8 * sizeof(long) };
	const unsigned long set[16 / sizeof(long)] = { [(SIGXFSZ - 1) / BITS] =
		                                               1UL << (SIGXFSZ - 1) % BITS };
	siginfo_t info = { 0 };
	if (rc != -EFBIG)
		return rc;
	if (mdg__raw_take_signal(set, &info, KERNEL_SIGSET_SIZE) == SIGXFSZ &&
	    info.si_code == SI_TKILL)
		(void)MDG__RAW(SYS_tgkill, MDG__RAW(SYS_getpid), MDG__RAW(SYS_gettid), SIGXFSZ);
	return rc;
}

int mdg__sys_ftruncate(int fd, uint64_t size)
{
#if defined(__LP64__)
	return without_signal((int)MDG__RAW(SYS_ftruncate, fd, size));
#else
	return without_signal((int)MDG__RAW(SYS_ftruncate64, fd, MDG__WIDE_ODD(size)));
#endif
}

static int write_zeros(int fd, uint64_t offset, uint64_t size)
{
	static char zeros[65536]; /* never written: all of it is the kernel's one page of zeros */
	while (size > 0) {
		size_t part = size < sizeof zeros ? (size_t)size : sizeof zeros;
		ssize_t done =
			(ssize_t)MDG__RAW(SYS_pwrite64, fd, zeros, part, MDG__WIDE_ODD(offset));
		if (done == -EINTR)
			continue;
		if (done <= 0)
			return done == 0 ? -ENOSPC : without_signal((int)done);
		offset += (uint64_t)done;
		size -= (uint64_t)done;
	}
	return 0;
}

/* The file system has no fallocate, nor the kernel, or a filter of system calls forbids it. */
static bool is_missing(int rc)
{
	return rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EPERM;
}

int mdg__sys_reserve(int fd, uint64_t offset, uint64_t size)
{
	for (;;) {
		int rc = (int)MDG__RAW(SYS_fallocate, fd, 0, MDG__WIDE(offset), MDG__WIDE(size));
		if (is_missing(rc))
			return write_zeros(fd, offset, size);
		if (rc != -EINTR)
			return without_signal(rc);
	}
}

int mdg__sys_extend(int fd, uint64_t from, uint64_t size)
{
	int rc = (int)MDG__RAW(SYS_fallocate, fd, 0, MDG__WIDE(from), MDG__WIDE(size));
	if (is_missing(rc))
		return mdg__sys_ftruncate(fd, from + size);
	return without_signal(rc);
}

int mdg__sys_write_zeros(int fd, uint64_t size)
{
	return write_zeros(fd, 0, size);
}

int mdg__sys_mknodat(int dirfd, const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_mknodat, dirfd, path, S_IFREG | mode, 0);
}

int mdg__sys_mkfifoat(int dirfd, const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_mknodat, dirfd, path, S_IFIFO | mode, 0);
}

int mdg__sys_fchmodat(int dirfd, const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_fchmodat, dirfd, path, mode);
}

int mdg__sys_memfd(const char *name, unsigned flags)
{
	return (int)MDG__RAW(SYS_memfd_create, name, flags);
}

int mdg__sys_punch(int fd, uint64_t size)
{
	return (int)MDG__RAW(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                     MDG__WIDE(0), MDG__WIDE(size));
}

int mdg__sys_unlinkat(int dirfd, const char *path)
{
	return (int)MDG__RAW(SYS_unlinkat, dirfd, path, 0);
}

int mdg__sys_mkdir(const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_mkdirat, AT_FDCWD, path, mode);
}

int mdg__sys_fchmod(int fd, unsigned mode)
{
	return (int)MDG__RAW(SYS_fchmod, fd, mode);
}

int mdg__sys_chmod(const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_fchmodat, AT_FDCWD, path, mode);
}

int mdg__sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	return (int)MDG__RAW(SYS_fchownat, fd, "", uid, gid, AT_EMPTY_PATH);
}

int mdg__sys_setxattr(const char *path, const char *name, const void *value, size_t size)
{
	return (int)MDG__RAW(SYS_setxattr, path, name, value, size, 0);
}

int mdg__sys_getxattr(const char *path, const char *name, void *value, size_t size)
{
	return (int)MDG__RAW(SYS_getxattr, path, name, value, size);
}

int mdg__sys_removexattr(const char *path, const char *name)
{
	return (int)MDG__RAW(SYS_removexattr, path, name);
}

int mdg__sys_getcwd(char *path, size_t room)
{
	return (int)MDG__RAW(SYS_getcwd, path, room);
}

bool mdg__fd_is(int fd, dev_t device, ino_t inode)
{
	struct stat status = { 0 };
	return fd >= 0 && mdg__sys_fstat(fd, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

/* Where the offset is then; negative: an error. */
static int64_t seek(int fd, uint64_t offset, int whence)
{
#if defined(__LP64__)
	return MDG__RAW(SYS_lseek, fd, offset, whence);
#else
	int64_t result = -1;
	long rc = MDG__RAW(SYS__llseek, fd, (uint32_t)(offset >> 32), (uint32_t)offset, &result,
	                   whence);
	return rc < 0 ? rc : result;
#endif
}

int mdg__sys_rewind(int fd)
{
	int64_t at = seek(fd, 0, SEEK_SET);
	return at < 0 ? (int)at : 0;
}

uint64_t mdg__fd_mark(int fd)
{
	static _Atomic uint32_t count;
	/* Numbers that a program's own file offset does not hit by chance, and
	 * that are below the largest offset of every file system. */
	uint64_t mark = (UINT64_C(0x2d5) << 32) + atomic_fetch_add(&count, 1);
	return seek(fd, mark, SEEK_SET) == (int64_t)mark ? mark : 0;
}

bool mdg__fd_is_marked(int fd, uint64_t mark)
{
	return fd >= 0 && seek(fd, 0, SEEK_CUR) == (int64_t)mark;
}

int64_t mdg__sys_read(int fd, void *buffer, size_t room)
{
	long done;
	do
		done = MDG__RAW(SYS_read, fd, buffer, room);
	while (done == -EINTR);
	return done;
}

int64_t mdg__sys_write(int fd, const void *bytes, size_t size)
{
	return MDG__RAW(SYS_write, fd, bytes, size);
}

int64_t mdg__sys_pread(int fd, void *buffer, size_t room, uint64_t offset)
{
	long done;
	do
		done = MDG__RAW(SYS_pread64, fd, buffer, room, MDG__WIDE_ODD(offset));
	while (done == -EINTR);
	return done;
}

int64_t mdg__sys_getdents(int fd, void *buffer, size_t room)
{
	return MDG__RAW(SYS_getdents64, fd, buffer, room);
}

int mdg__sys_dup_above(int fd, int lowest)
{
	return (int)MDG__RAW(SYS_FCNTL, fd, F_DUPFD_CLOEXEC, lowest);
}

int mdg__sys_dup_onto(int fd, int number)
{
	return (int)MDG__RAW(SYS_dup3, fd, number, O_CLOEXEC);
}

int mdg__sys_keep_in_exec(int fd)
{
	return (int)MDG__RAW(SYS_FCNTL, fd, F_SETFD, 0);
}

/* `length` 0: to the end of any file. */
static int range_lock(int fd, int command, short type, uint64_t offset, uint64_t length,
                      short *ret_type)
{
	struct flock64 lock = { .l_type = type,
		                .l_whence = SEEK_SET,
		                .l_start = (off64_t)offset,
		                .l_len = (off64_t)length };
	int rc;
	do
		rc = (int)MDG__RAW(SYS_FCNTL, fd, command, &lock);
	while (rc == -EINTR);
	if (ret_type != NULL)
		*ret_type = lock.l_type;
	return rc;
}

static int byte_lock(int fd, int command, short type, uint64_t offset, short *ret_type)
{
	return range_lock(fd, command, type, offset, 1, ret_type);
}

int mdg__sys_lock_byte(int fd, uint64_t offset, bool wait)
{
	int rc = byte_lock(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, F_WRLCK, offset, NULL);
	return rc == -EACCES ? -EAGAIN : rc;
}

int mdg__sys_unlock_byte(int fd, uint64_t offset)
{
	return byte_lock(fd, F_OFD_SETLK, F_UNLCK, offset, NULL);
}

int mdg__sys_byte_is_locked(int fd, uint64_t offset)
{
	short type = F_UNLCK;
	int rc = byte_lock(fd, F_OFD_GETLK, F_WRLCK, offset, &type);
	return rc < 0 ? rc : type != F_UNLCK;
}

int mdg__sys_any_is_locked(int fd)
{
	short type = F_UNLCK;
	int rc = range_lock(fd, F_OFD_GETLK, F_WRLCK, 0, 0, &type);
	return rc < 0 ? rc : type != F_UNLCK;
}

int mdg__sys_mmap(void *address, size_t length, int protection, int flags, int fd, uint64_t offset,
                  void **ret)
{
	long got = mdg__raw_mmap(address, length, protection, flags, fd, offset, mdg__page_size());
	if ((unsigned long)got >= (unsigned long)-4095L)
		return (int)got;
	*ret = (void *)got;
	return 0;
}

int mdg__sys_munmap(void *address, size_t length)
{
	return (int)MDG__RAW(SYS_munmap, address, length);
}

int mdg__sys_mremap(void *address, size_t old_length, size_t length, int flags, void *new_address,
                    void **ret)
{
	long got = MDG__RAW(SYS_mremap, address, old_length, length, flags, new_address);
	if ((unsigned long)got >= (unsigned long)-4095L)
		return (int)got;
	*ret = (void *)got;
	return 0;
}

int mdg__sys_mprotect(void *address, size_t length, int protection)
{
	return (int)MDG__RAW(SYS_mprotect, address, length, protection);
}

int mdg__sys_madvise(void *address, size_t length, int advice)
{
	return (int)MDG__RAW(SYS_madvise, address, length, advice);
}

size_t mdg__page_size(void)
{
	static _Atomic size_t known;
	size_t size = known;
	if (size == 0)
		known = size = (size_t)getauxval(AT_PAGESZ);
	return size;
}

size_t mdg__attach_step(void)
{
	return MDG__SHMLBA(mdg__page_size());
}

int mdg__sys_futex_wait(_Atomic uint32_t *word, uint32_t value, bool shared, uint64_t nanoseconds)
{
	return (int)mdg__raw_futex(word, shared ? FUTEX_WAIT : FUTEX_WAIT | FUTEX_PRIVATE, value,
	                           &nanoseconds, 0);
}

int mdg__sys_futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
	return (int)mdg__raw_futex(word, shared ? FUTEX_WAKE : FUTEX_WAKE | FUTEX_PRIVATE,
	                           (uint32_t)count, NULL, 0);
}

int mdg__sys_futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                              uint32_t bits)
{
	return (int)mdg__raw_futex(word, FUTEX_WAIT_BITSET, value,
	                           deadline == UINT64_MAX ? NULL : &deadline, bits);
}

int mdg__sys_futex_wake_bits(_Atomic uint32_t *word, int count, uint32_t bits)
{
	return (int)mdg__raw_futex(word, FUTEX_WAKE_BITSET, (uint32_t)count, NULL, bits);
}

/* One sleeper is moved from the word to the same word, and none woken: the count says it. */
bool mdg__sys_futex_has_sleepers(_Atomic uint32_t *word)
{
	return mdg__raw_futex_count(word, FUTEX_REQUEUE, 0, 1, word, 0) != 0;
}

void mdg__signals_block(mdg__sigmask *ret_old)
{
	static const mdg__sigmask all = { { UINT64_MAX, UINT64_MAX } };
	(void)(int)MDG__RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_old, KERNEL_SIGSET_SIZE);
}

void mdg__signals_restore(const mdg__sigmask *old)
{
	(void)(int)MDG__RAW(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, KERNEL_SIGSET_SIZE);
}

bool mdg__sys_process_exists(int32_t pid)
{
	return (int)MDG__RAW(SYS_kill, pid, 0) != -ESRCH;
}

/* ---- what the program may have, and was told ------------------------------------------------- */

uint64_t mdg__sys_limit(int resource)
{
	struct {
		uint64_t current, most;
	} limit = { UINT64_MAX, UINT64_MAX };
	(void)MDG__RAW(SYS_prlimit64, 0, resource, NULL, &limit);
	return limit.current;
}

uint64_t mdg__sys_memory(void)
{
	struct sysinfo info = { .mem_unit = 0 };
	if (MDG__RAW(SYS_sysinfo, &info) < 0)
		return UINT64_MAX;
	uint64_t unit = info.mem_unit != 0 ? info.mem_unit : 1;
	return ((uint64_t)info.totalram + info.totalswap) * unit;
}
