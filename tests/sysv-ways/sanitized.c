/* SPDX-License-Identifier: MIT */
/*
 * sanitized.c - a program that sanitizers.sh builds with a sanitizer.
 *
 *     sanitized [kernel]
 *
 * Exit 0: it has used a segment, of the kernel or of Madang, which shows in its map:
 * one is a file there. With OWN_OPTIONS it has options for AddressSanitizer itself.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#ifdef OWN_OPTIONS
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "color=never";
}
#endif

static void *use(void *arg)
{
	volatile char *copy = malloc(64);
	int id = *(int *)arg;
	volatile char *memory = shmat(id, NULL, 0);
	if (copy == NULL || memory == (void *)-1)
		return arg;
	memory[0] = 1;
	copy[0] = memory[0];
	free((void *)copy);
	return shmdt((void *)memory) == 0 ? NULL : arg;
}

static int is_mapped(const char *what)
{
	char line[512];
	int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
		found |= strstr(line, what) != NULL;
	if (maps != NULL)
		fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *wrong = &thread;
	struct shmid_ds stat;
	int id = shmget(IPC_PRIVATE, 2 * 4096, 0600);
	char *memory = shmat(id, NULL, 0);
	(void)argv;
	if (id < 0 || memory == (void *)-1)
		return 2;
	memset(memory, 1, 2 * 4096);
	int is_right = is_mapped(argc > 1 ? "/SYSV" : "/seg-");
	if (pthread_create(&thread, NULL, use, &id) != 0 || pthread_join(thread, &wrong) != 0 ||
	    wrong != NULL)
		return 3;
	if (munmap(memory + 4096, 4096) != 0 || shmdt(memory) != 0)
		return 4;
	memset(&stat, 0, sizeof stat);
	if (shmctl(id, IPC_STAT, &stat) != 0 || stat.shm_nattch != 0)
		return 5;
	return shmctl(id, IPC_RMID, NULL) != 0 || !is_right;
}
