/* SPDX-License-Identifier: MIT */
/*
 * parts.c - what the system calls cost that a user-space implementation is
 * made of.
 *
 * The design rests on these numbers: which questions are worth a system call,
 * and how far below the kernel's own calls one can get. All parts are visited
 * in turn, one block each, so that a drift of the machine spreads over all of
 * them. Files lie in a directory of their own inside the namespace directory,
 * that is, on the memory file system that Madang itself would use. Calls that
 * libmadang-sysv wraps (mmap, munmap, openat) are made past the wrapper.
 */
#include "bench/segment/segment.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

#ifdef SYS_mmap2
#define MAP_CALL SYS_mmap2
#else
#define MAP_CALL SYS_mmap
#endif

#define DATA_FILE "parts-data"
#define NEW_FILE  "parts-new"

/* What the parts work on. */
struct tools {
	int directory;
	int file;   /* one page, tmpfs */
	int holder; /* a second description of the file, which locks its byte 0 */
	size_t page;
};

/* Each part is one expression done n times; the loop is written once. */
#define PART(name, expression)                                                                     \
	static uint64_t name(void *context, unsigned n)                                            \
	{                                                                                          \
		const struct tools *tools = context;                                               \
		uint64_t start = now_ns();                                                         \
		bool done = true;                                                                  \
		(void)tools;                                                                       \
		for (unsigned i = 0; i < n && done; i++)                                           \
			done = (expression);                                                       \
		return done ? now_ns() - start : 0;                                                \
	}

static bool signals_pair(void)
{
	sigset_t all, before;

	sigfillset(&all);
	return sigprocmask(SIG_BLOCK, &all, &before) == 0 &&
	       sigprocmask(SIG_SETMASK, &before, NULL) == 0;
}

static bool stat_file(int file)
{
	struct stat about;

	return fstat(file, &about) == 0;
}

static bool map_and_unmap(const struct tools *tools, bool touch)
{
	long memory = syscall(MAP_CALL, NULL, tools->page, PROT_READ | PROT_WRITE, MAP_SHARED,
	                      tools->file, 0);

	if (memory == -1)
		return false;
	if (touch)
		*(volatile char *)memory = 1;
	return syscall(SYS_munmap, memory, tools->page) == 0;
}

static int open_in(int directory, const char *name, int flags)
{
	return (int)syscall(SYS_openat, directory, name, flags | O_RDWR | O_CLOEXEC, 0600);
}

static bool open_and_close(const struct tools *tools)
{
	int file = open_in(tools->directory, DATA_FILE, O_NOFOLLOW);

	return file >= 0 && close(file) == 0;
}

/* What a segment's data file goes through at least; `reserve` bytes of it promised. */
static bool make_and_unlink(const struct tools *tools, off_t reserve)
{
	int file = open_in(tools->directory, NEW_FILE, O_CREAT | O_EXCL);
	bool done;

	if (file < 0)
		return false;
	done = ftruncate(file, 65536) == 0 && (reserve == 0 || fallocate(file, 0, 0, reserve) == 0);
	close(file);
	return unlinkat(tools->directory, NEW_FILE, 0) == 0 && done;
}

/* Asks who holds a byte of the file; `wanted` is the answer that is right. */
static bool ask_lock(const struct tools *tools, off_t byte, short wanted)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};

	return fcntl(tools->file, F_OFD_GETLK, &lock) == 0 && lock.l_type == wanted;
}

static bool lock_and_unlock(const struct tools *tools)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 1 };

	if (fcntl(tools->file, F_OFD_SETLK, &lock) != 0)
		return false;
	lock.l_type = F_UNLCK;
	return fcntl(tools->file, F_OFD_SETLK, &lock) == 0;
}

static bool read_clock(clockid_t clock)
{
	struct timespec now;

	return clock_gettime(clock, &now) == 0;
}

static bool fork_and_wait(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child > 0 && waitpid(child, NULL, 0) == child;
}

PART(run_geteuid, geteuid() != (uid_t)-1)
PART(run_signals, signals_pair())
PART(run_fstat, stat_file(tools->file))
PART(run_map, map_and_unmap(tools, false))
PART(run_map_touch, map_and_unmap(tools, true))
PART(run_open, open_and_close(tools))
PART(run_make, make_and_unlink(tools, 0))
PART(run_make_reserved, make_and_unlink(tools, 65536))
PART(run_lock_free, ask_lock(tools, 1, F_UNLCK))
PART(run_lock_held, ask_lock(tools, 0, F_WRLCK))
PART(run_lock_pair, lock_and_unlock(tools))
PART(run_clock_coarse, read_clock(CLOCK_REALTIME_COARSE))
PART(run_clock, read_clock(CLOCK_REALTIME))
PART(run_fork, fork_and_wait())

static const struct {
	const char *name, *what;
	block_run *run;
} parts[] = {
	{ "geteuid", "geteuid", run_geteuid },
	{ "sigprocmask", "rt_sigprocmask: block all, restore (two calls)", run_signals },
	{ "fstat", "fstat of a tmpfs file", run_fstat },
	{ "mmap", "mmap + munmap, shared, 4 KiB, of an open tmpfs file", run_map },
	{ "mmap-touch", "the same with one page touched", run_map_touch },
	{ "open", "openat + close of an existing tmpfs file", run_open },
	{ "make", "openat(O_CREAT) + ftruncate + close + unlinkat", run_make },
	{ "make-64k", "the same with fallocate of 64 KiB", run_make_reserved },
	{ "getlk-free", "F_OFD_GETLK of a byte that nobody holds", run_lock_free },
	{ "getlk-held", "F_OFD_GETLK of a byte that is held", run_lock_held },
	{ "setlk", "F_OFD_SETLK: lock, unlock (two calls)", run_lock_pair },
	{ "clock-coarse", "clock_gettime(CLOCK_REALTIME_COARSE)", run_clock_coarse },
	{ "clock", "clock_gettime(CLOCK_REALTIME)", run_clock },
	{ "fork", "fork + _exit + waitpid", run_fork },
};
#define PART_COUNT ((unsigned)(sizeof parts / sizeof *parts))

static bool tools_make(struct tools *tools, const char *dir)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	tools->page = (size_t)sysconf(_SC_PAGESIZE);
	tools->directory = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tools->directory < 0)
		return false;
	tools->file = open_in(tools->directory, DATA_FILE, O_CREAT);
	tools->holder = open_in(tools->directory, DATA_FILE, O_CREAT);
	return tools->file >= 0 && tools->holder >= 0 &&
	       ftruncate(tools->file, (off_t)tools->page) == 0 &&
	       fcntl(tools->holder, F_OFD_SETLK, &lock) == 0;
}

static void tools_drop(struct tools *tools)
{
	if (tools->file >= 0)
		close(tools->file);
	if (tools->holder >= 0)
		close(tools->holder);
	if (tools->directory >= 0) {
		unlinkat(tools->directory, DATA_FILE, 0);
		unlinkat(tools->directory, NEW_FILE, 0); /* left when a part failed half-way */
		close(tools->directory);
	}
}

unsigned parts_measure(const struct settings *settings, const char *dir,
                       struct part_result ret_results[PARTS_MAX])
{
	struct tools tools = { .directory = -1, .file = -1, .holder = -1 };
	struct samples samples[PART_COUNT] = { { 0 } };
	unsigned size[PART_COUNT] = { 0 };
	uint64_t until;

	_Static_assert(PART_COUNT <= PARTS_MAX, "room for every part");
	if (!tools_make(&tools, dir))
		perror("madang-bench: cannot set up files for --parts");
	for (unsigned i = 0; i < PART_COUNT; i++)
		size[i] = block_size(parts[i].run, &tools, settings->block);
	until = now_ns() + (uint64_t)(settings->seconds * PART_COUNT * 1e9);
	while (now_ns() < until && !stop_asked()) {
		for (unsigned i = 0; i < PART_COUNT; i++) {
			uint64_t took = size[i] ? parts[i].run(&tools, size[i]) : 0;

			if (took != 0)
				samples_add(&samples[i], (double)took / size[i]);
		}
	}
	for (unsigned i = 0; i < PART_COUNT; i++) {
		ret_results[i].name = parts[i].name;
		ret_results[i].what = parts[i].what;
		ret_results[i].ns = samples_spread(&samples[i]);
		samples_free(&samples[i]);
	}
	tools_drop(&tools);
	return PART_COUNT;
}
