/* SPDX-License-Identifier: MIT */
/*
 * sysv.c - an outside program that knows only System V, linked with
 * libmadang-sysv as installed.
 *
 * Expects MADANG_NAMESPACE to name a directory that is not there yet, and to
 * find it made after its calls: that shows that Madang answered and not the
 * kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

static int failed(const char *what)
{
	perror(what);
	return 1;
}

static int round_trip(int id)
{
	struct shmid_ds info;
	char *memory = shmat(id, NULL, 0);
	if (memory == (void *)-1)
		return failed("shmat");
	strcpy(memory, "hello");
	if (shmctl(id, IPC_STAT, &info) != 0 || info.shm_nattch != 1 || info.shm_segsz != 4096)
		return failed("shmctl IPC_STAT");
	if (shmdt(memory) != 0)
		return failed("shmdt");
	return 0;
}

int main(void)
{
	const char *dir = getenv("MADANG_NAMESPACE");
	if (dir == NULL || access(dir, F_OK) == 0) {
		fprintf(stderr, "sysv: MADANG_NAMESPACE must name a directory that is not there yet\n");
		return 1;
	}
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	if (id < 0)
		return failed("shmget");
	int result = round_trip(id);
	if (shmctl(id, IPC_RMID, NULL) != 0)
		result = failed("shmctl IPC_RMID");
	if (access(dir, F_OK) != 0) {
		fprintf(stderr, "sysv: the kernel answered, not Madang\n");
		result = 1;
	}
	if (result == 0)
		printf("sysv: libmadang-sysv works\n");
	return result;
}
