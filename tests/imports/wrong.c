/* SPDX-License-Identifier: MIT */
/*
 * wrong.c - a program whose clock stands still, whose files cannot be read and whose ids are
 * others', by functions of its own (names.c). Madang must not notice: deadlines come, deaths are
 * told, segments have their true times and owners, a fork is counted.
 *
 * Built with WRONG_PLAIN it knows System V alone, for a preload.
 *
 * Nothing of the C library can be relied upon here, so what fails is told by exit codes and plain
 * system calls.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/machine.h"

#ifndef WRONG_PLAIN
#include <madang/channel.h>
#include <madang/segment.h>
#include <madang/sync.h>
#endif

static int failures;

static void say(const char *text)
{
	(void)MDG__RAW(SYS_write, 2, text, strlen(text));
}

#define CHECK(expression)                                                                          \
	do                                                                                         \
		if (!(expression)) {                                                               \
			say("does not hold: " #expression "\n");                                   \
			failures++;                                                                \
		}                                                                                  \
	while (0)

static int64_t true_seconds(int clock)
{
	int64_t time[2] = { 0, 0 };
#if defined(__LP64__)
	(void)MDG__RAW(SYS_clock_gettime, clock, time);
#else
	(void)MDG__RAW(403, clock, time); /* clock_gettime64 */
#endif
	return time[0];
}

static void segments(void)
{
	struct shmid_ds status;
	int64_t before = true_seconds(0) - 1;
	int id = shmget(IPC_PRIVATE, 100000, 0600);
	char *memory = shmat(id, NULL, 0);
	CHECK(id >= 0 && memory != (void *)-1);
	if (failures != 0)
		return;
	memory[99999] = 1;
	CHECK(shmctl(id, IPC_STAT, &status) == 0);
	CHECK(status.shm_nattch == 1);
	CHECK(status.shm_ctime >= before && status.shm_ctime <= true_seconds(0));
	CHECK(status.shm_atime >= before && status.shm_atime <= true_seconds(0));
	CHECK(status.shm_cpid == (pid_t)MDG__RAW(SYS_getpid));
#if defined(SYS_geteuid32)
	CHECK(status.shm_perm.uid == (uid_t)MDG__RAW(SYS_geteuid32));
#else
	CHECK(status.shm_perm.uid == (uid_t)MDG__RAW(SYS_geteuid));
#endif
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 2);
		CHECK(memory[99999] == 1);
		_exit(failures);
	}
	int result = -1;
	CHECK(waitpid(pid, &result, 0) == pid && result == 0);
	CHECK(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 1);
	CHECK(shmdt(memory) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

#ifndef WRONG_PLAIN
static struct box {
	mdg_mutex lock, held;
	mdg_event event;
	_Atomic uint32_t taken;
} * box;

static void deadlines(mdg_namespace *ns)
{
	const uint64_t soon = 50000000;
	mdg_channel *listener, *talker;
	struct mdg_message message;
	int64_t before = true_seconds(1);
	CHECK(mdg_deadline(0) / 1000000000u >= (uint64_t)before);
	CHECK(mdg_event_wait_until(&box->event, mdg_deadline(soon)) == -ETIMEDOUT);
	CHECK(mdg_channel_open(&listener, ns, "wrong", MDG_LISTENER, NULL) == 0);
	CHECK(mdg_channel_peek(listener, &message, mdg_deadline(soon)) == -ETIMEDOUT);
	CHECK(mdg_channel_open(&talker, ns, "wrong", MDG_TALKER, NULL) == 0);
	CHECK(mdg_channel_send(talker, "x", 1, mdg_deadline(soon)) == 0);
	CHECK(mdg_channel_peek(listener, &message, mdg_deadline(soon)) == 0 && message.size == 1);
	CHECK(mdg_channel_release(listener) == 0);
	mdg_channel_close(talker);
	mdg_channel_close(listener);
	CHECK(mdg_channel_remove(ns, "wrong") == 0);
	CHECK(true_seconds(1) - before < 30);
}

static void deaths(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(mdg_mutex_lock(&box->held) == 0);
		atomic_store(&box->taken, 1);
		for (;;)
			(void)mdg_event_wait(&box->event);
	}
	while (atomic_load(&box->taken) == 0)
		(void)mdg_event_wait_until(&box->event, mdg_deadline(1000000));
	CHECK(mdg_mutex_lock_until(&box->held, mdg_deadline(50000000)) == -ETIMEDOUT);
	(void)MDG__RAW(SYS_kill, pid, SIGKILL);
	CHECK(mdg_mutex_lock_until(&box->held, mdg_deadline(UINT64_C(20000000000))) ==
	      MDG_OWNER_DIED);
	CHECK(mdg_mutex_unlock(&box->held) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static void native(void)
{
	mdg_namespace *ns;
	box = (struct box *)mdg__raw_mmap(NULL, sizeof(*box), PROT_READ | PROT_WRITE,
	                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0, 4096);
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	if (failures != 0)
		return;
	deadlines(ns);
	deaths();
}
#else
static void native(void)
{
}
#endif

int main(void)
{
	segments();
	native();
	return failures == 0 ? 0 : 1;
}
