/* SPDX-License-Identifier: MIT */
/*
 * victim.c - see victim.h. How a process is held after every store:
 *
 * In the victim the mappings of the registry are made read-only. A store then
 * faults, and the tracer is told before anybody else. It has the mapping made
 * writable, lets the victim execute this one instruction (PTRACE_SINGLESTEP),
 * has the mapping made read-only again, and the victim stands right behind its
 * store. System calls are reported by PTRACE_SYSCALL. So nothing is missed, no
 * instruction needs to be understood, and no register to be changed: the same
 * code serves every processor.
 *
 * Only a process itself can change its mappings. So before it begins, the
 * victim makes a HELPER, a process that shares its memory (CLONE_VM) but not
 * its descriptors or life: it calls mprotect for the tracer. It is made before
 * the namespace is opened, so it holds no lock of it; it is killed with the
 * victim, because it would keep segments mapped.
 *
 * A forked child has memory of its own and no helper. It is followed the slow
 * way: one instruction at a time, comparing the registry's bytes.
 *
 * What it cannot do: processors whose atomic operations are pairs of exclusive
 * load and store (aarch64 before 8.1) lose the pair at each fault, and would
 * try for ever; the caller gives up when stores do not end.
 */
#include "support/tracing.h"
#include "crash/victim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GET_SIGMASK 0x420a
#define SET_SIGMASK 0x420b
#define OPTIONS     (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK)

static int *result; /* shared with the victims */

void victim_init(void)
{
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (result == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* Children of a killed victim come here and can be waited for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int victim_result(void)
{
	return *result;
}

bool victim_possible(const char **reason)
{
#if TRACING_IS_HIDDEN
	*reason = "the thread sanitizer keeps to itself what its process does";
	return false;
#endif
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno);
	int status = pid < 0 ? -1 : wait_for(pid, 0);
	if (status == 0)
		return true;
	*reason = pid < 0 || !WIFEXITED(status) ? "it cannot be tried"
	                                        : strerror(WEXITSTATUS(status));
	return false;
}

/* ---- the helper ----------------------------------------------------------- */

/* Its messages: 'm' look up the registry's mappings anew, then as 'c'; 'c' close
 * them (read-only); 'o' open them. The answer to each: the mappings. */
struct answer {
	pid_t pid;
	int ranges;
	struct victim_range range[8];
};

static struct answer kept; /* in the victim's memory; only the helper uses these */
static char maps[1 << 17];
static _Alignas(64) char helper_stack[1 << 16];
static int helper_channel;
static const char *helper_registry;

static size_t read_maps(void)
{
	size_t length = 0;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && length < sizeof(maps) - 1 &&
	       (got = read(fd, maps + length, sizeof(maps) - 1 - length)) > 0)
		length += (size_t)got;
	if (fd >= 0)
		close(fd);
	maps[length] = '\0';
	return length;
}

static void find_ranges(void)
{
	size_t name = strlen(helper_registry);
	read_maps();
	kept.ranges = 0;
	for (char *line = maps, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		char *minus, *rest;
		uint64_t from = strtoull(line, &minus, 16);
		if (*minus != '-' || (size_t)(end - line) < name || kept.ranges == 8 ||
		    memcmp(end - name, helper_registry, name) != 0)
			continue;
		uint64_t to = strtoull(minus + 1, &rest, 16);
		/* The test's own looks at the file are read-only. */
		bool stays = false;
		for (int i = 0; i < kept.ranges; i++)
			stays = stays || kept.range[i].start == from;
		if (!stays && memcmp(rest, " r--p", 5) != 0)
			kept.range[kept.ranges++] = (struct victim_range){ from, to };
	}
}

static void protect(int protection)
{
	for (int i = 0; i < kept.ranges; i++) {
		uint64_t start = kept.range[i].start;
		(void)syscall(SYS_mprotect, (uintptr_t)start, (size_t)(kept.range[i].end - start),
		              protection);
	}
}

static int helper_main(void *unused)
{
	char order;
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	kept.pid = (pid_t)syscall(SYS_getpid);
	while (send(helper_channel, &kept, sizeof(kept), MSG_NOSIGNAL) == (ssize_t)sizeof(kept) &&
	       recv(helper_channel, &order, 1, 0) == 1) {
		if (order == 'm')
			find_ranges();
		protect(order == 'o' ? PROT_READ | PROT_WRITE : PROT_READ);
	}
	_exit(0);
}

static bool hear(struct victim *victim)
{
	struct answer answer;
	if (recv(victim->channel, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
		return false;
	victim->helper = answer.pid;
	victim->ranges = answer.ranges;
	memcpy(victim->range, answer.range, sizeof(answer.range));
	return true;
}

static void tell(struct victim *victim, char order)
{
	if (send(victim->channel, &order, 1, MSG_NOSIGNAL) != 1 || !hear(victim)) {
		fprintf(stderr, "the victim's helper does not answer\n");
		exit(1);
	}
}

/* ---- whether a store is missed -------------------------------------------- */

static char bytes_before[1 << 19], bytes_now[1 << 19];

static ssize_t read_registry(const char *path, char *buffer)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, buffer, sizeof(bytes_now));
	if (fd >= 0)
		close(fd);
	return got < 0 ? 0 : got;
}

/* Nothing may change between one point and the next store or system call. */
static void look_for_misses(struct victim *victim, bool behind)
{
	static ssize_t before;
	if (!victim->watched || victim->child != 0) /* a child stores as well */
		return;
	ssize_t now = read_registry(victim->registry, behind ? bytes_before : bytes_now);
	if (!behind && (now != before || memcmp(bytes_before, bytes_now, (size_t)now) != 0))
		victim->missed++;
	before = now;
}

/* ---- starting --------------------------------------------------------------- */

static bool is_victim; /* in the victim itself */

void victim_begins(void)
{
	if (is_victim)
		raise(SIGSTOP);
}

static void __attribute__((noreturn))
victim_main(int channel, const char *registry, victim_body *body, void *argument)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	is_victim = true;
	helper_channel = channel;
	helper_registry = registry;
	char *top = helper_stack + sizeof(helper_stack);
	/* Whose parent is ours, so that it can be waited for. */
	if (clone(helper_main, top, CLONE_VM | CLONE_PARENT | SIGCHLD, NULL) < 0 ||
	    ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(126);
	close(channel);
	*result = body(argument);
	raise(SIGSTOP);
	for (;;)
		pause();
}

/* A fault takes its signal out of the victim's mask, and others may look at the
 * mask: so it is put back after each. */
static void keep_mask(struct victim *victim)
{
	trace(GET_SIGMASK, victim->pid, sizeof(victim->mask), (uintptr_t)&victim->mask);
}

static void put_mask_back(struct victim *victim)
{
	trace(SET_SIGMASK, victim->pid, sizeof(victim->mask), (uintptr_t)&victim->mask);
}

bool victim_start(struct victim *victim, const char *registry, victim_body *body, void *argument)
{
	int ends[2];
	*victim = (struct victim){ .watched = victim->watched, .hold_child = victim->hold_child };
	victim->registry = registry;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	fflush(NULL);
	*result = -1;
	victim->pid = fork();
	if (victim->pid == 0) {
		close(ends[0]);
		victim_main(ends[1], registry, body, argument);
	}
	close(ends[1]);
	victim->channel = ends[0];
	if (victim->pid < 0 || !hear(victim))
		return false;
	int status = wait_for(victim->pid, 0);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
		fprintf(stderr, "the victim did not get as far as its beginning: status %#x\n",
		        (unsigned)status);
		victim_kill(victim);
		return false;
	}
	trace(PTRACE_SETOPTIONS, victim->pid, 0, OPTIONS);
	keep_mask(victim);
	tell(victim, 'm');
	look_for_misses(victim, true);
	return true;
}

/* ---- system calls ----------------------------------------------------------- */

static bool one_of(uint64_t number, const long *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (number == (uint64_t)list[i])
			return true;
	return false;
}
#define ONE_OF(number, list) one_of(number, list, sizeof(list) / sizeof((list)[0]))

static bool changes_mappings(uint64_t number)
{
	static const long calls[] = {
#ifdef SYS_mmap
		SYS_mmap,
#endif
#ifdef SYS_mmap2
		SYS_mmap2,
#endif
		SYS_munmap, SYS_mremap, SYS_mprotect
	};
	return ONE_OF(number, calls);
}

static bool forks(uint64_t number)
{
	static const long calls[] = {
#ifdef SYS_fork
		SYS_fork,
#endif
#ifdef SYS_clone3
		SYS_clone3,
#endif
		SYS_clone
	};
	return ONE_OF(number, calls);
}

static bool is_fcntl(uint64_t number)
{
#ifdef SYS_fcntl64
	if (number == SYS_fcntl64)
		return true;
#endif
#ifdef SYS_fcntl
	if (number == SYS_fcntl)
		return true;
#endif
	return false;
}

/* Whether it does something else, or fails, where the mappings are read-only. */
static bool needs_the_mappings(uint64_t number)
{
	return forks(number) || number == SYS_madvise; /* which gives memory to them */
}

/* Whether others may notice that it was made: files and locks. The rest only
 * asks, or concerns this process alone. */
static bool is_noticed(uint64_t number, const uint64_t argument[6])
{
	static const long calls[] = { SYS_close,       SYS_ftruncate,   SYS_fallocate, SYS_fchmod,
		                      SYS_fchown,      SYS_unlinkat,    SYS_mkdirat,   SYS_fchmodat,
		                      SYS_setxattr,    SYS_removexattr, SYS_pwrite64,  SYS_write,
		                      SYS_madvise,
#ifdef SYS_ftruncate64
		                      SYS_ftruncate64,
#endif
#ifdef SYS_fchown32
		                      SYS_fchown32,
#endif
#ifdef SYS_mkdir
		                      SYS_mkdir,       SYS_chmod,       SYS_unlink,    SYS_rmdir,
		                      SYS_link,
#endif
		                      SYS_linkat,      SYS_renameat };
	if (number == SYS_openat)
		return (argument[2] & O_CREAT) != 0;
	if (is_fcntl(number))
		return (int)argument[1] == F_OFD_SETLK || (int)argument[1] == F_OFD_SETLKW;
	return ONE_OF(number, calls) || forks(number);
}

/* Calls that one run makes and another does not, because they depend on how long things take. A
 * process that waits sleeps. And every few milliseconds a process asks whether the registry is
 * still the directory's, and whether others still hold their locks. */
static bool depends_on_time(uint64_t number, const uint64_t argument[6])
{
	static const long calls[] = {
#ifdef SYS_fstat
		SYS_fstat,
#endif
#ifdef SYS_newfstatat
		SYS_newfstatat,
#endif
#ifdef SYS_fstatat64
		SYS_fstatat64,
#endif
#ifdef SYS_statx
		SYS_statx,
#endif
#ifdef SYS__llseek
		SYS__llseek,
#endif
		SYS_lseek,      SYS_futex
	};
	return ONE_OF(number, calls) || (is_fcntl(number) && (int)argument[1] == F_OFD_GETLK);
}

/* A stop at a system call. Returns whether it is a point. */
static bool at_call(struct victim *victim)
{
	struct syscall_info info = { 0 };
	bool known = trace(GET_SYSCALL_INFO, victim->pid, sizeof(info), (uintptr_t)&info) > 0;
	bool entry = known ? info.kind == INFO_ENTRY : !victim->in_call;
	victim->in_call = entry;
	look_for_misses(victim, !entry);
	if (entry) {
		victim->call = info.number;
		if (!depends_on_time(info.number, info.argument) && victim->begun < VICTIM_CALLS)
			victim->points_at[victim->begun++] = victim_points(victim);
		memcpy(victim->argument, info.argument, sizeof(info.argument));
		/* A child inherits the protection as it is: it has no helper. */
		if ((!known || needs_the_mappings(victim->call)) && !victim->skipping)
			tell(victim, 'o');
		return false;
	}
	keep_mask(victim);
	if (victim->skipping)
		return false;
	if (!known || changes_mappings(victim->call))
		tell(victim, 'm');
	else if (needs_the_mappings(victim->call))
		tell(victim, 'c');
	if (known && !is_noticed(victim->call, victim->argument))
		return false;
	victim->calls++;
	return true;
}

/* ---- going on ------------------------------------------------------------------ */

static bool is_store(struct victim *victim)
{
	siginfo_t info;
	if (trace(PTRACE_GETSIGINFO, victim->pid, 0, (uintptr_t)&info) != 0)
		return false;
	uint64_t at = (uintptr_t)info.si_addr;
	for (int i = 0; i < victim->ranges; i++)
		if (at >= victim->range[i].start && at < victim->range[i].end)
			return true;
	fprintf(stderr, "the victim faults at %#llx, which is not in the registry\n",
	        (unsigned long long)at);
	return false;
}

/* Executes the one instruction that stores. */
static bool store(struct victim *victim)
{
	look_for_misses(victim, false);
	tell(victim, 'o');
	trace(PTRACE_SINGLESTEP, victim->pid, 0, 0);
	int status = wait_for(victim->pid, 0);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return false;
	put_mask_back(victim);
	tell(victim, 'c');
	look_for_misses(victim, true);
	victim->stores++;
	return true;
}

static void at_fork(struct victim *victim)
{
	unsigned long child = 0;
	trace(PTRACE_GETEVENTMSG, victim->pid, 0, (uintptr_t)&child);
	victim->child = (pid_t)child;
	wait_for(victim->child, __WALL); /* held at its birth */
	if (!victim->hold_child)
		trace(PTRACE_DETACH, victim->child, 0, 0);
}

/* To the next point, or the beginning of this system call. */
static enum victim_event go(struct victim *victim, unsigned calls)
{
	int signal = 0;
	for (;;) {
		trace(PTRACE_SYSCALL, victim->pid, 0, (uintptr_t)signal);
		int status = wait_for(victim->pid, 0);
		signal = 0;
		if (!WIFSTOPPED(status))
			return VICTIM_DIED;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (at_call(victim) || victim->begun >= calls)
				return VICTIM_POINT;
		} else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8)) {
			at_fork(victim);
			if (victim->hold_child)
				return VICTIM_FORKED;
		} else if (WSTOPSIG(status) == SIGSEGV && is_store(victim)) {
			return store(victim) ? VICTIM_POINT : VICTIM_DIED;
		} else if (WSTOPSIG(status) == SIGSTOP) {
			return VICTIM_ENDED;
		} else {
			signal = WSTOPSIG(status);
		}
	}
}

enum victim_event victim_next(struct victim *victim)
{
	return go(victim, UINT_MAX);
}

enum victim_event victim_skip(struct victim *victim, const struct victim *former, unsigned points)
{
	unsigned calls = former->begun;
	while (calls > 0 && former->points_at[calls - 1] >= points)
		calls--;
	if (calls < 2)
		return VICTIM_POINT;
	victim->skipping = true;
	tell(victim, 'o');
	enum victim_event event = VICTIM_POINT;
	while (event == VICTIM_POINT && victim->begun < calls)
		event = go(victim, calls);
	victim->skipping = false;
	memcpy(victim->points_at, former->points_at, sizeof(victim->points_at));
	victim->calls = 0;
	victim->stores = former->points_at[calls - 1];
	tell(victim, 'm');
	if (forks(victim->call)) /* which it stands before: as at_call does */
		tell(victim, 'o');
	return event;
}

/* ---- ending --------------------------------------------------------------------- */

static void wait_for_death(pid_t pid)
{
	int status;
	do
		status = wait_for(pid, __WALL);
	while (status != -1 && !WIFEXITED(status) && !WIFSIGNALED(status));
}

static void end_helper(struct victim *victim)
{
	if (victim->helper > 0) {
		kill(victim->helper, SIGKILL);
		wait_for_death(victim->helper);
	}
	close(victim->channel);
	victim->helper = 0;
}

void victim_kill(struct victim *victim)
{
	if (victim->pid > 0) {
		kill(victim->pid, SIGKILL);
		wait_for_death(victim->pid);
		end_helper(victim);
	}
	victim->pid = 0;
}

void victim_stop(struct victim *victim)
{
	tell(victim, 'o'); /* it is to run by itself from here */
	kill(victim->pid, SIGSTOP);
	trace(PTRACE_DETACH, victim->pid, 0, 0);
	wait_for(victim->pid, WUNTRACED);
}

bool victim_go_on(struct victim *victim, int milliseconds)
{
	kill(victim->pid, SIGCONT);
	for (int i = 0; i < milliseconds; i++) {
		int status;
		if (waitpid(victim->pid, &status, WUNTRACED | WNOHANG) == victim->pid) {
			if (!WIFSTOPPED(status))
				victim->pid = 0;
			return WIFSTOPPED(status);
		}
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	}
	return false;
}

/* ---- a child, instruction by instruction ------------------------------------------ */

enum victim_event victim_child_next(struct victim *victim)
{
	ssize_t before = read_registry(victim->registry, bytes_before);
	int fd = open(victim->registry, O_RDONLY | O_CLOEXEC), signal = 0;
	for (;;) {
		trace(PTRACE_SINGLESTEP, victim->child, 0, (uintptr_t)signal);
		int status = wait_for(victim->child, __WALL);
		ssize_t now = pread(fd, bytes_now, sizeof(bytes_now), 0);
		bool same = now == before && memcmp(bytes_before, bytes_now, (size_t)now) == 0;
		signal = WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP &&
		                         WSTOPSIG(status) != SIGSTOP
		                 ? WSTOPSIG(status)
		                 : 0;
		if (same && WIFSTOPPED(status) && WSTOPSIG(status) != SIGSTOP)
			continue;
		close(fd);
		victim->stores += !same;
		return !WIFSTOPPED(status)           ? VICTIM_DIED
		       : WSTOPSIG(status) == SIGSTOP ? VICTIM_ENDED
		                                     : VICTIM_POINT;
	}
}

void victim_child_kill(struct victim *victim)
{
	if (victim->child <= 0)
		return;
	kill(victim->child, SIGKILL);
	wait_for_death(victim->child);
	victim->child = 0;
}
