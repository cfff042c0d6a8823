/* SPDX-License-Identifier: MIT */
/*
 * memlock.c - a real-time program locks its memory and then uses shared memory.
 *
 * It locks the memory that it has and the memory that it will get. The segments that it attaches
 * count towards its limit of locked memory, and nothing else does.
 *
 * Each case runs in a child. Where a limit is to hold, the child has no CAP_IPC_LOCK. The child
 * reads VmLck without the C library's buffers, because these would be locked, too.
 */
#include "support/check.h"
#include "support/memlock.h"
#include "support/segments.h"
#include "support/userns.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { KIB = 1024, SIZE = 16 * KIB, MANY = 300 };

/* ---- what is locked -------------------------------------------------------------- */

static char text[1 << 20];

static bool read_file(const char *path)
{
	size_t filled = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && filled < sizeof(text) - 1 &&
	       (got = read(fd, text + filled, sizeof(text) - 1 - filled)) > 0)
		filled += (size_t)got;
	close(fd);
	text[filled] = '\0';
	return fd >= 0 && filled < sizeof(text) - 1;
}

static long locked_bytes(void)
{
	CHECK(read_file("/proc/self/status"));
	const char *line = strstr(text, "\nVmLck:");
	return CHECK(line != NULL) ? strtol(line + 7, NULL, 10) * KIB : -1;
}

/* Whether the mapping is locked whose line in smaps says that: 1, 0, or -1 for none. */
static int is_locked(const char *what)
{
	CHECK(read_file("/proc/self/smaps"));
	const char *at = strstr(text, what);
	const char *flags = at != NULL ? strstr(at, "\nVmFlags:") : NULL;
	if (flags == NULL)
		return -1;
	const char *end = strchr(flags + 1, '\n'), *lock = strstr(flags, " lo");
	return lock != NULL && lock < end;
}

/* ---- a limit ----------------------------------------------------------------------- */

static bool limit_to(size_t bytes)
{
	struct rlimit limit;
	return memlock_drop_capability() && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
	       limit.rlim_max >= bytes &&
	       (limit.rlim_cur = bytes, setrlimit(RLIMIT_MEMLOCK, &limit)) == 0;
}

static void child_uses(void *memory)
{
	CHECK(strcmp(memory, "locked") == 0);
	int id = make_private(SIZE, 0600);
	CHECK(attach(id) != NULL);
	CHECK(shmdt(memory) == 0);
}

/* Up to the segment itself. */
static void pays_for_segments(int flags)
{
	CHECK(mlockall(flags) == 0);
	long before = locked_bytes();
	int id = make_private(SIZE, 0600);
	CHECK(locked_bytes() == before);
	char *memory = attach(id);
	CHECK(locked_bytes() == before + SIZE);
	strcpy(memory, "locked");
	CHECK(shmctl(id, SHM_LOCK, NULL) == 0 && shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK(in_child(child_uses, memory));
	CHECK(locked_bytes() == before + SIZE);
	CHECK(shmdt(memory) == 0);
	CHECK(locked_bytes() == before);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void small_limit(void *bytes)
{
	if (!limit_to(*(size_t *)bytes))
		exit(77);
	pays_for_segments(MCL_FUTURE);
}

static void enter_user_namespace(void *unused)
{
	(void)unused;
	CHECK(userns_enter_alone());
}

/* Where the capability counts for nothing. The library has to read how the namespace was made. */
static void in_user_namespace(void *bytes)
{
	struct rlimit limit = { *(size_t *)bytes, *(size_t *)bytes };
	if (!in_child(enter_user_namespace, NULL) || setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	    !userns_enter_alone())
		exit(77);
	pays_for_segments(MCL_FUTURE);
}

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static void on_fault(void *bytes)
{
	if (!limit_to(*(size_t *)bytes))
		exit(77);
	pays_for_segments(MCL_FUTURE | MCL_ONFAULT);
}

/* Tables that grow with the number of attachments. */
static void many(void *bytes)
{
	static void *memory[MANY];
	long page = sysconf(_SC_PAGESIZE);
	if (!limit_to(*(size_t *)bytes))
		exit(77);
	CHECK(mlockall(MCL_FUTURE) == 0);
	int id = make_private((size_t)page, 0600);
	long before = locked_bytes();
	for (int i = 0; i < MANY; i++)
		memory[i] = attach(id);
	CHECK(locked_bytes() == before + MANY * page);
	CHECK(stat_of(id).shm_nattch == MANY);
	for (int i = 0; i < MANY; i++)
		CHECK(shmdt(memory[i]) == 0);
	CHECK(locked_bytes() == before);
}

/* A segment can be made as long as a single page may still be locked. Attaching it needs more. */
static void used_up(void *bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), most = *(size_t *)bytes;
	if (!limit_to(most))
		exit(77);
	CHECK(mlockall(MCL_FUTURE) == 0);
	size_t rest = most - (size_t)locked_bytes();
	char *all = mmap(NULL, rest, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(all != MAP_FAILED);
	int id = shmget(IPC_PRIVATE, SIZE, 0600);
	if (on_kernel())
		CHECK(id >= 0);
	else
		CHECK(id < 0 && errno == ENOMEM); /* docs/divergences.md */
	CHECK(munmap(all, page) == 0);
	if (id < 0)
		id = shmget(IPC_PRIVATE, SIZE, 0600);
	CHECK(id >= 0);
	CHECK_ERRNO(NULL, EAGAIN, shmat(id, NULL, 0));
	CHECK(munmap(all + page, SIZE) == 0);
	CHECK(attach(id) != NULL);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

/* ---- all that there is ------------------------------------------------------------- */

/* With the capability, or under a limit that suffices. */
static void current(void *unused)
{
	char place[40];
	(void)unused;
	int id = make_private(SIZE, 0600);
	char *memory = attach(id);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		exit(77);
	snprintf(place, sizeof(place), "\n%08lx-", (unsigned long)memory);
	CHECK(is_locked(place) == 1);
	CHECK(is_locked("/registry\n") == (on_kernel() ? -1 : 0));
	long before = locked_bytes();
	CHECK(shmdt(memory) == 0);
	CHECK(locked_bytes() == before - SIZE);
	CHECK(munlockall() == 0);
	CHECK(mlockall(MCL_CURRENT) == 0);
	CHECK(is_locked("/registry\n") == (on_kernel() ? -1 : 0));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void run(void (*f)(void *), size_t bytes, const char *what)
{
	fflush(NULL);
	pid_t pid = fork();
	int status = -1;
	if (pid == 0) {
		check_failures = 0;
		f(&bytes);
		fflush(NULL);
		_exit(test_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("skipped: %s with %zu bytes: not allowed here\n", what, bytes);
	else
		CHECK_LINE(what, WEXITSTATUS(status) == 0);
}

/* The sanitizers' mlockall does nothing. */
static void is_honoured(void *unused)
{
	(void)unused;
	if (mlockall(MCL_FUTURE) != 0)
		exit(77);
	long before = locked_bytes();
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	exit(memory != MAP_FAILED && locked_bytes() == before + SIZE ? 0 : 77);
}

int main(void)
{
	begin();
	if (!in_child(is_honoured, NULL))
		SKIP("memory cannot be locked here, or mlockall is not the C library's");
	run(small_limit, 64 * KIB, "future");
	run(small_limit, 4096 * KIB, "future");
	run(small_limit, 8192 * KIB, "future");
	run(in_user_namespace, 64 * KIB, "future, in a user namespace");
	run(on_fault, 64 * KIB, "future on fault");
	run(many, 4096 * KIB, "many");
	run(used_up, 1024 * KIB, "used up");
	run(current, 0, "current");
	return test_result();
}
