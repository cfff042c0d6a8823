/* SPDX-License-Identifier: MIT */
/*
 * sysv.c - an outside program that knows only System V, linked with
 * libmadang-sysv as installed.
 *
 * MADANG_NAMESPACE names a namespace of its own, made already or not. Making
 * a segment must make a file there: that shows that Madang answered and not
 * the kernel.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static int failed(const char *what)
{
	perror(what);
	return 1;
}

/* How many entries a directory has, 0 when it is not there. */
static int entries(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
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
	if (dir == NULL) {
		fprintf(stderr, "sysv: MADANG_NAMESPACE is not set\n");
		return 1;
	}
	int before = entries(dir);
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	if (id < 0)
		return failed("shmget");
	int result = entries(dir) > before ? 0 : 1;
	if (result != 0)
		fprintf(stderr, "sysv: the kernel answered, not Madang\n");
	if (round_trip(id) != 0)
		result = 1;
	if (shmctl(id, IPC_RMID, NULL) != 0)
		result = failed("shmctl IPC_RMID");
	if (result == 0)
		printf("sysv: libmadang-sysv works\n");
	return result;
}
