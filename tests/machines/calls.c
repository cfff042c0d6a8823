/* SPDX-License-Identifier: MIT */
/*
 * calls.c - each machine's own way to the kernel: platform/sys.h, whatever it looks like inside.
 *
 * Machines differ in where a 64-bit argument lies, in the order of its halves, in how mmap and
 * times are passed, in the size of structures. A call that goes wrong there reads from another
 * place of the file, or fails. So the offsets here need both halves, and each is told from its
 * mirror image. Runs without fork and exec, which an emulator may not offer whole.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "support/check.h"

#define FAR ((UINT64_C(3) << 32) + 5 * 65536) /* a multiple of every page size */
/* qemu-user before version 8 loses the upper half of mmap2's offset on 32-bit machines. */
#if defined(__LP64__) || defined(__i386__)
#define MAPPED FAR
#else
#define MAPPED ((UINT64_C(3) << 30) + 5 * 65536)
#endif

static char directory[64], path[96];

static int new_file(void)
{
	snprintf(path, sizeof path, "%s/file", directory);
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	return fd;
}

static void at_offsets(int fd)
{
	char got[4] = "";
	struct stat status;
	CHECK(mdg__sys_ftruncate(fd, FAR + 65536) == 0);
	CHECK(mdg__sys_fstat(fd, &status) == 0 && (uint64_t)status.st_size == FAR + 65536);
	CHECK(mdg__sys_statat(AT_FDCWD, path, false, &status) == 0 && S_ISREG(status.st_mode));
	CHECK(mdg__fd_is(fd, status.st_dev, status.st_ino));
	CHECK(pwrite(fd, "abcdef", 6, 0) == 6);
	CHECK(pwrite(fd, "uvwxyz", 6, (off_t)FAR) == 6);
	CHECK(mdg__sys_pread(fd, got, 2, 3) == 2 && memcmp(got, "de", 2) == 0);
	CHECK(mdg__sys_pread(fd, got, 2, FAR + 3) == 2 && memcmp(got, "xy", 2) == 0);
	CHECK(mdg__sys_pread(fd, got, 1, FAR + 65536) == 0);
}

static void reserved(int fd)
{
	struct stat status;
	CHECK(mdg__sys_ftruncate(fd, 0) == 0);
	CHECK(mdg__sys_reserve(fd, FAR, 131072) == 0);
	CHECK(mdg__sys_fstat(fd, &status) == 0 && (uint64_t)status.st_size == FAR + 131072);
	CHECK(status.st_blocks >= 256 && status.st_blocks < 1024);
	CHECK(mdg__sys_extend(fd, FAR + 131072, 65536) == 0);
	CHECK(mdg__sys_fstat(fd, &status) == 0 && (uint64_t)status.st_size == FAR + 196608);
	CHECK(mdg__sys_punch(fd, FAR + 196608) == 0);
	CHECK(mdg__sys_fstat(fd, &status) == 0 && status.st_blocks < 16);
	CHECK(mdg__sys_ftruncate(fd, 0) == 0);
	CHECK(mdg__sys_write_zeros(fd, 70000) == 0);
	CHECK(mdg__sys_fstat(fd, &status) == 0 && status.st_size == 70000);
}

static void mapped(int fd)
{
	size_t page = mdg__page_size();
	char *memory;
	void *ret = NULL;
	CHECK(page == (size_t)sysconf(_SC_PAGESIZE));
	CHECK(mdg__sys_ftruncate(fd, FAR + 65536) == 0);
	CHECK(pwrite(fd, "near", 4, 5 * 65536) == 4);
	CHECK(pwrite(fd, "far", 3, (off_t)MAPPED) == 3);
	CHECK(mdg__sys_mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, MAPPED, &ret) == 0);
	memory = ret;
	CHECK(memcmp(memory, "far", 3) == 0);
	CHECK(mdg__sys_munmap(memory, page) == 0);
	/* An offset that no register holds fails, and does not map another place. */
	CHECK(mdg__sys_mmap(NULL, page, PROT_READ, MAP_SHARED, fd, UINT64_C(1) << 62, &ret) < 0 ||
	      sizeof(long) == 8);
	CHECK(mdg__sys_mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 100, &ret) == -EINVAL);
	CHECK(mdg__sys_mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                    0, &ret) == 0);
	memory = ret;
	memory[page] = 'm';
	CHECK(mdg__sys_mremap(memory, 2 * page, 4 * page, MREMAP_MAYMOVE, NULL, &ret) == 0);
	memory = ret;
	CHECK(memory[page] == 'm' && memory[3 * page] == 0);
	CHECK(mdg__sys_madvise(memory, page, MADV_NORMAL) == 0);
	CHECK(mdg__sys_munmap(memory, 4 * page) == 0);
}

static void locked(int fd)
{
	int other = mdg__sys_openat(AT_FDCWD, path, O_RDWR, 0);
	int copy = mdg__sys_dup_above(other, 200);
	CHECK(copy >= 200);
	CHECK(mdg__sys_lock_byte(fd, FAR + 7, false) == 0);
	CHECK(mdg__sys_lock_byte(other, FAR + 7, false) == -EAGAIN);
	CHECK(mdg__sys_byte_is_locked(copy, FAR + 7) == 1);
	CHECK(mdg__sys_byte_is_locked(copy, FAR + 8) == 0);
	CHECK(mdg__sys_byte_is_locked(copy, 5 * 65536 + 7) == 0);
	CHECK(mdg__sys_unlock_byte(fd, FAR + 7) == 0);
	CHECK(mdg__sys_lock_byte(other, FAR + 7, true) == 0);
	uint64_t mark = mdg__fd_mark(fd);
	CHECK(mark != 0 && mdg__fd_is_marked(fd, mark) && !mdg__fd_is_marked(other, mark));
	CHECK(mdg__sys_close(copy) == 0 && mdg__sys_close(other) == 0);
}

/* ---- time --------------------------------------------------------------------------------- */

static uint64_t monotonic(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static _Atomic uint32_t word = 1;

static void *wake_it(void *unused)
{
	while (!mdg__sys_futex_has_sleepers(&word))
		sched_yield();
	CHECK(mdg__sys_futex_wake(&word, 1, true) == 1);
	return unused;
}

static void waited(void)
{
	const uint64_t step = 50 * 1000000u, began = monotonic();
	pthread_t thread;
	CHECK(mdg__sys_futex_wait(&word, 0, true, step) == -EAGAIN);
	CHECK(mdg__sys_futex_wait(&word, 1, true, step) == -ETIMEDOUT);
	CHECK(monotonic() - began >= step);
	CHECK(mdg__sys_futex_wait_until(&word, 1, monotonic() + step, 1) == -ETIMEDOUT);
	CHECK(monotonic() - began >= 2 * step);
	CHECK(mdg__sys_futex_wait_until(&word, 1, 1, 1) == -ETIMEDOUT);
	CHECK(mdg__sys_futex_wake_bits(&word, 1, 1) == 0);
	CHECK(!mdg__sys_futex_has_sleepers(&word));
	CHECK(pthread_create(&thread, NULL, wake_it, NULL) == 0);
	/* A day, and more than a signed 32-bit number of nanoseconds has. */
	CHECK(mdg__sys_futex_wait(&word, 1, true, UINT64_C(86400000000000)) == 0);
	pthread_join(thread, NULL);
	uint64_t before = monotonic();
	CHECK(mdg__monotonic_nanoseconds() >= before &&
	      mdg__monotonic_nanoseconds() <= monotonic());
	CHECK(mdg__now_seconds() > 1500000000 &&
	      llabs((long long)mdg__now_seconds() - time(NULL)) < 9);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void signals_blocked(int fd)
{
	mdg__sigmask mask;
	sigset_t now, pending;
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	struct rlimit small = { 65536, limit.rlim_max };
	mdg__signals_block(&mask);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	CHECK(sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGSYS) == 1);
	CHECK(mdg__sys_ftruncate(fd, 0) == 0 && setrlimit(RLIMIT_FSIZE, &small) == 0);
	/* Too large a file: an error, and no signal. */
	CHECK(mdg__sys_ftruncate(fd, FAR) == -EFBIG);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	mdg__signals_restore(&mask);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	CHECK(sigismember(&now, SIGUSR1) == 0);
}

/* ---- who ------------------------------------------------------------------------------------- */

static void identity(void)
{
	CHECK(mdg__pid() == getpid());
	CHECK(mdg__euid() == geteuid() && mdg__egid() == getegid());
	CHECK(mdg__in_group(getegid()));
	CHECK(mdg__random() != mdg__random());
	CHECK(mdg__sys_process_exists(getpid()));
	(void)mdg__addresses_are_random();
}

static void names(void)
{
	char list[4096], here[256], fifo[96];
	int fd = mdg__sys_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0);
	CHECK(fd >= 0);
	CHECK(mdg__sys_getdents(fd, list, sizeof list) > 0);
	CHECK(mdg__sys_mknodat(fd, "node", 0600) == 0);
	CHECK(mdg__sys_mkfifoat(fd, "fifo", 0600) == 0);
	CHECK(mdg__sys_fchmodat(fd, "node", 0640) == 0);
	snprintf(fifo, sizeof fifo, "%s/fifo", directory);
	CHECK(mdg__sys_chmod(fifo, 0620) == 0);
	struct stat status;
	CHECK(mdg__sys_statat(fd, "node", false, &status) == 0 && (status.st_mode & 0777) == 0640);
	CHECK(mdg__sys_statat(fd, "fifo", false, &status) == 0 && S_ISFIFO(status.st_mode) &&
	      (status.st_mode & 0777) == 0620);
	CHECK(mdg__sys_unlinkat(fd, "node") == 0 && mdg__sys_unlinkat(fd, "fifo") == 0);
	CHECK(mdg__sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0) == -ENOTDIR);
	CHECK(symlinkat("file", fd, "link") == 0);
	CHECK(mdg__sys_openat(fd, "link", O_RDONLY | O_NOFOLLOW, 0) == -ELOOP);
	CHECK(mdg__sys_unlinkat(fd, "link") == 0);
	CHECK(mdg__sys_may(directory, W_OK) == 0);
	CHECK(mdg__sys_getcwd(here, sizeof here) > 0 && here[0] == '/');
	CHECK(mdg__sys_close(fd) == 0);
}

int main(void)
{
	snprintf(directory, sizeof directory, "%s/madang-machine-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(directory) != NULL);
	int fd = new_file();
	at_offsets(fd);
	reserved(fd);
	mapped(fd);
	locked(fd);
	waited();
	signals_blocked(fd);
	names();
	identity();
	close(fd);
	unlink(path);
	CHECK(rmdir(directory) == 0);
	return test_result();
}
