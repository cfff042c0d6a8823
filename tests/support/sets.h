/* SPDX-License-Identifier: MIT */
/*
 * sets.h - what the tests of System V semaphores need: sets that are removed at the end, short
 * names for the operations, and children that sleep in semop.
 *
 * The same source runs on Madang and on the kernel, the oracle. Include it after check.h, once in a
 * program, and begin main() with begin().
 */
#ifndef MADANG_TESTS_SETS_H
#define MADANG_TESTS_SETS_H

#include "support/segments.h"

#include <signal.h>
#include <sys/sem.h>
#include <sys/stat.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

enum { SETS_MAX = 4096 };
static int sets_made[SETS_MAX];
static int sets_count;

static inline void sets_remove_all(void)
{
	if (getpid() == segments_first_process)
		while (sets_count > 0)
			semctl(sets_made[--sets_count], 0, IPC_RMID);
}

static inline void begin_sets(void)
{
	begin();
	atexit(sets_remove_all);
}

/* A semget that must succeed. */
static inline int make_set(key_t key, int count, int flags)
{
	int id = semget(key, count, flags);
	CHECK(id >= 0);
	if (id >= 0 && sets_count < SETS_MAX)
		sets_made[sets_count++] = id;
	return id;
}

static inline int private_set(int count)
{
	return make_set(IPC_PRIVATE, count, 0600);
}

static inline key_t fresh_set_key(void)
{
	key_t key;
	do
		key = fresh_key();
	while (semget(key, 0, 0) >= 0);
	return key;
}

static inline struct semid_ds set_stat(int id)
{
	struct semid_ds stat;
	memset(&stat, 0xa5, sizeof stat);
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &stat }) == 0);
	return stat;
}

#define OP(number, change, flags)                                                                  \
	((struct sembuf){ (unsigned short)(number), (short)(change), (short)(flags) })
#define OPS(id, ...)                                                                               \
	semop(id, (struct sembuf[]){ __VA_ARGS__ },                                                \
	      sizeof((struct sembuf[]){ __VA_ARGS__ }) / sizeof(struct sembuf))

static inline int value_of(int id, int number)
{
	return semctl(id, number, GETVAL);
}

static inline int set_value(int id, int number, int value)
{
	return semctl(id, number, SETVAL, (union semun){ .val = value });
}

static inline int up_waiters(int id, int number)
{
	return semctl(id, number, GETNCNT);
}

static inline int zero_waiters(int id, int number)
{
	return semctl(id, number, GETZCNT);
}

static inline void nap(long milliseconds)
{
	nanosleep(&(struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000 }, NULL);
}

/* A child that does the operations and exits with their errno, 0 for success. */
static inline pid_t child_ops(int id, const struct sembuf *ops, size_t count)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct sembuf copy[8];
		memcpy(copy, ops, count * sizeof *ops);
		_exit(semop(id, copy, count) == 0 ? 0 : errno);
	}
	return pid;
}

/* The same; returns when as many sleep at the semaphore as `waiters` says. */
static inline pid_t sleeper(int id, const struct sembuf *ops, size_t count, int at, int waiters)
{
	pid_t pid = child_ops(id, ops, count);
	for (int i = 0; i < 5000 && up_waiters(id, at) + zero_waiters(id, at) < waiters; i++)
		nap(1);
	CHECK(up_waiters(id, at) + zero_waiters(id, at) == waiters);
	return pid;
}
#define SLEEPER(id, at, waiters, ...)                                                              \
	sleeper(id, (struct sembuf[]){ __VA_ARGS__ },                                              \
	        sizeof((struct sembuf[]){ __VA_ARGS__ }) / sizeof(struct sembuf), at, waiters)

/* What the child's call failed with, or 0; -1: it was killed; -2: it has not ended in 10 s. */
static inline int result_of(pid_t pid)
{
	int status = 0;
	for (int i = 0; i < 5000; i++) {
		pid_t ended = waitpid(pid, &status, WNOHANG);
		if (ended == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		nap(2);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -2;
}

static inline bool is_alive(pid_t pid)
{
	int status;
	nap(30);
	return waitpid(pid, &status, WNOHANG) == 0;
}

#endif
