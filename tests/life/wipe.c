/* SPDX-License-Identifier: MIT */
/*
 * wipe.c - a forked child where the kernel's MADV_WIPEONFORK is not what it should be.
 *
 *     wipe kernel    as the kernel is
 *     wipe qemu      as qemu-user makes it
 *     wipe lies      it answers 0 and does nothing
 *     wipe refuses   it answers EINVAL, as before Linux 4.14
 *
 * A seccomp filter makes the last two. In all four, a process with an attached segment, a locked
 * mutex and an open channel forks. The child must be a process of its own at once. Its detach
 * counts for itself, it can lock and unlock, and it cannot give back what its parent holds.
 *
 * With WIPE_PLAIN the program uses nothing but System V, so that the library can be preloaded.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "reach/ban.h"
#include "support/check.h"

#ifndef WIPE_PLAIN
#include <madang/channel.h>
#include <madang/segment.h>
#include <madang/sync.h>

static mdg_namespace *ns;
static mdg_mutex *locks; /* 0: the parent's, 1: anybody's */
static mdg_channel *talker;
static bool can_lock; /* qemu-user has no robust lists */
#endif

static int id;
static char *memory;

/* ---- the kernel's answer ----------------------------------------------------------------- */

/* madvise(..., 18) answers this, without being done. */
static bool answer_wiping(unsigned error)
{
	enum { AT_ADVICE = 32, WIPE_ON_FORK = 18 };
	struct ban_instruction code[] = {
		{ BAN_LOAD, 0, 0, BAN_AT_NUMBER },
		{ BAN_IF_EQUAL, 0, 3, SYS_madvise },
		{ BAN_LOAD, 0, 0, AT_ADVICE },
		{ BAN_IF_EQUAL, 0, 1, WIPE_ON_FORK },
		{ BAN_RETURN, 0, 0, 0x00050000u | error },
		{ BAN_RETURN, 0, 0, BAN_ALLOW },
	};
	struct ban_program program = { sizeof(code) / sizeof(code[0]), code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, BAN_FILTER_MODE, &program) != 0)
		return false;
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rc = madvise(page, 4096, WIPE_ON_FORK);
	munmap(page, 4096);
	return error == 0 ? rc == 0 : rc == -1 && errno == (int)error;
}

/* ---- children ---------------------------------------------------------------------------- */

static pid_t by_fork(void)
{
	return fork();
}

static pid_t by_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 34)
#define HAS_FORK_ALONE 1
static pid_t by_fork_alone(void)
{
	return _Fork();
}
#endif
#endif

static const struct {
	pid_t (*birth)(void);
	bool counted; /* from the first moment: fork's handlers ran */
} births[] = {
	{ by_fork, true },
	{ by_clone, false },
#ifdef HAS_FORK_ALONE
	{ by_fork_alone, false },
#endif
};
enum { BIRTHS = sizeof(births) / sizeof(births[0]) };

static int attached(void)
{
	struct shmid_ds status;
	return shmctl(id, IPC_STAT, &status) == 0 ? (int)status.shm_nattch : -1;
}

#ifdef WIPE_PLAIN
static void use_more(void)
{
}
#else
static void use_more(void)
{
	/* Before anything else of the thread tells it that it is another one. */
	CHECK(mdg_mutex_unlock(&locks[0]) == -EPERM);
	CHECK(mdg_channel_send(talker, "x", 1, 0) == -EPERM);
	if (!can_lock)
		return;
	CHECK(mdg_mutex_trylock(&locks[0]) == -EBUSY);
	CHECK(mdg_mutex_lock(&locks[1]) == 0);
	CHECK(mdg_mutex_unlock(&locks[1]) == 0);
}
#endif

/* The count is the child's and its parent's. */
static void use(void)
{
	CHECK(memory[0] == 'p');
	use_more();
	int own = shmget(IPC_PRIVATE, 4096, 0600);
	CHECK(own >= 0 && shmctl(own, IPC_RMID, NULL) == 0);
	CHECK(attached() == 2);
	CHECK(shmdt(memory) == 0);
	CHECK(attached() == 1);
	memory = shmat(id, NULL, 0);
	CHECK(memory != (void *)-1 && attached() == 2);
}

/* Once more from a child that is not the first one's parent's any more. */
static void use_and_multiply(int birth)
{
	use();
	pid_t pid = births[birth].birth();
	if (pid == 0) {
		CHECK(shmdt(memory) == 0);
		CHECK(attached() == 2);
		_exit(test_result());
	}
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(attached() == 2);
}

static void give_birth(int birth)
{
	fflush(NULL);
	pid_t pid = births[birth].birth();
	if (pid == 0) {
		alarm(20); /* who waits for a lock that nobody has does so for ever */
		use_and_multiply(birth);
		fflush(NULL);
		_exit(test_result());
	}
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(attached() == 1);
#ifndef WIPE_PLAIN
	if (can_lock) {
		CHECK(mdg_mutex_trylock(&locks[1]) == 0); /* a death would say so */
		CHECK(mdg_mutex_unlock(&locks[1]) == 0);
	}
	CHECK(mdg_channel_send(talker, "x", 1, 0) == 0);
#endif
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "kernel";
	alarm(100);
	bool filtered = strcmp(how, "lies") == 0 || strcmp(how, "refuses") == 0;
	if (filtered && !answer_wiping(strcmp(how, "lies") == 0 ? 0 : EINVAL))
		SKIP("seccomp filters are not to be had here");
	id = shmget(IPC_PRIVATE, 4096, 0600);
	memory = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	if (!CHECK(memory != (void *)-1))
		return test_result();
	memory[0] = 'p';
#ifndef WIPE_PLAIN
	locks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	CHECK(mdg_channel_open(&talker, ns, "wipe", MDG_TALKER, NULL) == 0);
	can_lock = mdg_mutex_lock(&locks[0]) == 0;
	CHECK(can_lock || (mdg_mutex_lock(&locks[0]) == -ENOSYS && strcmp(how, "qemu") == 0));
#endif
	for (int birth = 0; birth < BIRTHS; birth++)
		give_birth(birth);
#ifndef WIPE_PLAIN
	CHECK(mdg_mutex_unlock(&locks[0]) == (can_lock ? 0 : -EPERM));
	mdg_channel_close(talker);
	CHECK(mdg_channel_remove(ns, "wipe") == 0);
#endif
	CHECK(shmdt(memory) == 0 && shmctl(id, IPC_RMID, NULL) == 0);
	return test_result();
}
