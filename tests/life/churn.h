/* SPDX-License-Identifier: MIT */
/*
 * churn.h - makes, attaches, finds, detaches and removes segments, again and again.
 * Two programs that do this at once want the same records and the same lock.
 */
#ifndef MADANG_TESTS_CHURN_H
#define MADANG_TESTS_CHURN_H

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

/* One life of a segment: whether all was as it should be. */
static inline int churn_once(int round)
{
	struct shmid_ds stat;
	int id = shmget(IPC_PRIVATE, (size_t)(round % 3 + 1) * 5000, 0600);
	if (id < 0)
		return 0;
	int *memory = shmat(id, NULL, 0), held = 0;
	if (memory != (void *)-1) {
		held = memory[0] == 0 && shmctl(id, IPC_STAT, &stat) == 0 && stat.shm_nattch == 1 &&
		       stat.shm_cpid == getpid() && stat.shm_lpid == getpid();
		memory[0] = getpid();
	}
	held = shmctl(id, IPC_RMID, NULL) == 0 && held;
	if (memory != (void *)-1)
		held = memory[0] == getpid() && shmdt(memory) == 0 && held;
	return held && shmctl(id, IPC_STAT, &stat) == -1 && errno == EINVAL;
}

/* How many of so many rounds went wrong. */
static inline int churn(int rounds)
{
	int wrong = 0;
	for (int round = 0; round < rounds; round++)
		wrong += !churn_once(round);
	return wrong;
}

#endif
