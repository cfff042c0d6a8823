/* SPDX-License-Identifier: MIT */
/*
 * set.h - a set of semaphores for tests, in two kinds: the engine of src/semset in plain shared
 * memory, and the kernel's. Each fact is asked of both, so that the tests themselves are checked.
 *
 *     on_both(test)          runs test() with the engine, and then with the kernel
 *     fresh(3)               a new set for test and its children; the former one is gone
 *     op1(0, -1, UNDO)       semop with one operation: 0 or -errno
 *     pid_t p = sleeper(...) a child that calls semop, and exits with what it returned
 *
 * The engine's set lies in a file in memory that all children map, 64 MiB of addresses.
 */
#ifndef MADANG_TESTS_SEMSET_SET_H
#define MADANG_TESTS_SEMSET_SET_H

#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "platform/epoch.h"
#include "platform/identity.h"
#include "semset/internal.h"
#include "support/check.h"
#include "sync/shared.h"

enum { UNDO = SEM_UNDO, NOWAIT = IPC_NOWAIT };
#define WINDOW   (UINT64_C(64) << 20)
#define FOR_EVER INT64_MAX

static struct world {
	bool kernel;
	int id;   /* the kernel's */
	int file; /* the engine's */
	char *base;
	uint32_t count;
} world = { .id = -1, .file = -1 };

/* ---- the engine's host --------------------------------------------------------------------- */

static inline int test_grow(struct mdg__semset *set, uint64_t least)
{
	struct stat status;
	least = (least + 4095) & ~UINT64_C(4095);
	if (least > WINDOW || fstat(world.file, &status) < 0)
		return -ENOMEM;
	if ((uint64_t)status.st_size < least && ftruncate(world.file, (off_t)least) < 0)
		return -ENOMEM;
	set->length = (uint64_t)status.st_size > least ? (uint64_t)status.st_size : least;
	return 0;
}

/* The process with this number has ended: there is none, or it is a zombie. */
static inline bool has_ended(pid_t pid)
{
	char path[32], text[256] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	ssize_t size = read(fd, text, sizeof text - 1);
	close(fd);
	const char *end = size > 0 ? strrchr(text, ')') : NULL;
	return end == NULL || end[2] == 'Z' || end[2] == 'X';
}

static inline bool test_pair_lives(struct mdg__semset *set, uint32_t slot1, uint32_t generation)
{
	(void)set;
	return !has_ended((pid_t)(slot1 - 1 + generation * 16384));
}

static inline bool test_sign_is_gone(struct mdg__semset *set, uint32_t sign, uint32_t rounds)
{
	(void)rounds;
	return !test_pair_lives(set, sign & 0x7fff, sign >> 16);
}

static inline void test_keep(struct mdg__semset *set, struct mdg__robust *witness)
{
	(void)witness;
	(void)set;
}

static inline bool test_is_there(struct mdg__semset *set)
{
	(void)set;
	return true;
}

static inline void test_sleeps(struct mdg__semset *set)
{
	(void)set;
}

static const struct mdg__semset_host test_host = { test_grow,       test_sign_is_gone,
	                                           test_pair_lives, test_is_there,
	                                           test_keep,       test_sleeps };

/* The set for the calling process. */
static inline struct mdg__semset *engine(void)
{
	static struct mdg__semset set;
	struct stat status;
	static uint32_t epoch;
	if (epoch == 0 || !mdg__epoch_is(epoch)) {
		set.self.pid = getpid();
		set.self.slot1 = (uint32_t)getpid() % 16384 + 1;
		set.self.generation = (uint32_t)getpid() / 16384;
		set.self.sign = set.self.generation << 16 | set.self.slot1;
		set.self.start = mdg__process_start();
		set.self.pid_namespace = mdg__pid_namespace();
		set.host = &test_host;
		atomic_signal_fence(memory_order_seq_cst); /* a handler may come here, too */
		epoch = mdg__epoch();
	}
	set.base = world.base;
	set.count = world.count;
	if (set.length == 0 || set.context != world.base) {
		fstat(world.file, &status);
		set.length = (uint64_t)status.st_size;
		set.context = world.base;
	}
	return &set;
}

/* ---- both kinds ---------------------------------------------------------------------------- */

static inline void set_gone(void)
{
	if (world.id >= 0)
		semctl(world.id, 0, IPC_RMID);
	world.id = -1;
}

static inline void fresh(uint32_t count)
{
	world.count = count;
	set_gone();
	if (world.kernel) {
		world.id = semget(IPC_PRIVATE, (int)count, 0600);
		CHECK(world.id >= 0);
		return;
	}
	if (world.file >= 0)
		close(world.file);
	/* The former one stays mapped: this process may be a witness in it. */
	world.file = memfd_create("semset", MFD_CLOEXEC);
	uint64_t least = mdg__semset_heap_at(count) + 4 * MDG__BLOCK;
	CHECK(ftruncate(world.file, (off_t)((least + 4095) & ~UINT64_C(4095))) == 0);
	world.base = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, world.file, 0);
	CHECK(world.base != MAP_FAILED);
}

static inline int code(int rc)
{
	return rc < 0 ? -errno : rc;
}

/* semtimedop with so many nanoseconds. -EAGAIN also when the time is over. */
static inline int op_timed(const struct sembuf *ops, unsigned count, int64_t nanoseconds)
{
	if (world.kernel) {
		struct timespec time = { (time_t)(nanoseconds / 1000000000),
			                 (long)(nanoseconds % 1000000000) };
		return code(semtimedop(world.id, (struct sembuf *)(uintptr_t)ops, count,
		                       nanoseconds == FOR_EVER ? NULL : &time));
	}
	struct mdg_semset_op own[MDG__OPS_MAX];
	for (unsigned i = 0; i < count && i < MDG__OPS_MAX; i++)
		own[i] = (struct mdg_semset_op){ ops[i].sem_num, ops[i].sem_op, ops[i].sem_flg };
	int rc = mdg__semset_op(engine(), own, count,
	                        nanoseconds == FOR_EVER ? MDG_FOREVER
	                                                : mdg_deadline((uint64_t)nanoseconds));
	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

static inline int op(const struct sembuf *ops, unsigned count)
{
	return op_timed(ops, count, FOR_EVER);
}
#define OPS(...)                                                                                   \
	(const struct sembuf[]){ __VA_ARGS__ },                                                    \
		sizeof((const struct sembuf[]){ __VA_ARGS__ }) / sizeof(struct sembuf)

static inline int op1(unsigned number, int change, int flags)
{
	return op(OPS({ (unsigned short)number, (short)change, (short)flags }));
}

static inline int value(unsigned number)
{
	return world.kernel ? code(semctl(world.id, (int)number, GETVAL))
	                    : mdg__semset_value(engine(), number);
}
static inline int last_pid(unsigned number)
{
	int32_t pid = 0;
	if (world.kernel)
		return code(semctl(world.id, (int)number, GETPID));
	int rc = mdg__semset_pid(engine(), number, &pid);
	return rc < 0 ? rc : pid;
}
static inline int ncount(unsigned number)
{
	return world.kernel ? code(semctl(world.id, (int)number, GETNCNT))
	                    : mdg__semset_waiting(engine(), number, false);
}
static inline int zcount(unsigned number)
{
	return world.kernel ? code(semctl(world.id, (int)number, GETZCNT))
	                    : mdg__semset_waiting(engine(), number, true);
}
static inline int set_value(unsigned number, int new)
{
	return world.kernel ? code(semctl(world.id, (int)number, SETVAL, new))
	                    : mdg__semset_set_value(engine(), number, new);
}
static inline int set_all(const unsigned short *values)
{
	return world.kernel ? code(semctl(world.id, 0, SETALL, values))
	                    : mdg__semset_set_all(engine(), values);
}
static inline int get_all(unsigned short *values)
{
	return world.kernel ? code(semctl(world.id, 0, GETALL, values))
	                    : mdg__semset_all(engine(), values);
}
static inline int remove_set(void)
{
	return world.kernel ? code(semctl(world.id, 0, IPC_RMID)) : mdg__semset_remove(engine());
}
static inline int64_t otime(void)
{
	struct semid_ds status = { 0 };
	if (!world.kernel)
		return mdg__semset_otime(engine());
	semctl(world.id, 0, IPC_STAT, &status);
	return status.sem_otime;
}

/* ---- children ------------------------------------------------------------------------------ */

/* What a child's semop returned: its exit status is -errno, or 0. */
static inline int result(pid_t pid)
{
	int status = ended(pid);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -1000 - WTERMSIG(status);
}

/* Asleep in semop, and not on a lock: twice the same, with a moment in between. Or ended. */
static inline void until_asleep(pid_t pid)
{
	for (int same = 0, i = 0; same < 2 && i < 20000; i++) {
		same = is_asleep(pid) || has_ended(pid) ? same + 1 : 0;
		usleep(1000);
	}
}

/* A child that calls semop once and exits with the result. Returns when the child sleeps or has
 * ended. */
static inline pid_t sleeper_timed(const struct sembuf *ops, unsigned count, int64_t nanoseconds)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-op_timed(ops, count, nanoseconds));
	}
	until_asleep(pid);
	return pid;
}
static inline pid_t sleeper(const struct sembuf *ops, unsigned count)
{
	return sleeper_timed(ops, count, FOR_EVER);
}
static inline pid_t sleeper1(unsigned number, int change, int flags)
{
	return sleeper(OPS({ (unsigned short)number, (short)change, (short)flags }));
}

/* A child that does these operations, and then nothing until it is killed. */
static inline pid_t holder(const struct sembuf *ops, unsigned count)
{
	int done[2];
	char byte = 0;
	CHECK(pipe(done) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = op(ops, count) == 0 ? 'y' : 'n';
		if (write(done[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(done[1]);
	CHECK(read(done[0], &byte, 1) == 1 && byte == 'y');
	close(done[0]);
	return pid;
}
static inline pid_t holder1(unsigned number, int change, int flags)
{
	return holder(OPS({ (unsigned short)number, (short)change, (short)flags }));
}

/* Whether the child still sleeps. It may be awake for a moment, to look who lives. */
static inline bool sleeps(pid_t pid)
{
	nap_ms(20);
	for (int i = 0; i < 400 && !has_ended(pid); i++) {
		if (is_asleep(pid))
			return true;
		nap_ms(5);
	}
	return false;
}

/* Kills it, and returns when nothing of it is left but what the parent has not waited for. */
static inline void kill_to_zombie(pid_t pid)
{
	siginfo_t info;
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static inline void on_both(void (*test)(void), const char *name)
{
	for (int kernel = 0; kernel < 2; kernel++) {
		world.kernel = kernel == 1;
		int before = check_failures;
		int probe = kernel ? semget(IPC_PRIVATE, 1, 0600) : 0;
		if (probe < 0)
			continue; /* the kernel's are not to be had here */
		if (kernel)
			semctl(probe, 0, IPC_RMID);
		test();
		if (check_failures != before)
			fprintf(stderr, "... in %s, with the %s\n", name,
			        kernel ? "kernel" : "engine");
	}
	set_gone();
}
#define ON_BOTH(test) on_both(test, #test)

#endif
