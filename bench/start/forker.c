/* SPDX-License-Identifier: MIT */
/*
 * forker.c - a program that is not linked with Madang: what its fork, exit and wait take.
 *
 * forker FORKS ATTACHMENTS  attaches segments of 64 KiB, forks so often, and prints the nanoseconds
 * of one fork. The System V calls are the kernel's, or those of the library that is preloaded.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 65536, WARM = 5 };

/* It is removed when this process ends. */
static int attach_one(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	void *memory = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	if (memory == (void *)-1) {
		perror("forker: shared memory");
		return -1;
	}
	memset(memory, 1, SIZE);
	return 0;
}

/* Else a fork costs a quarter more or less depending on where the child happens to run. */
static void stay_here(void)
{
	int here = sched_getcpu();
	cpu_set_t one;

	if (here < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET((size_t)here, &one);
	sched_setaffinity(0, sizeof one, &one);
}

static int forks(long n)
{
	for (; n > 0; n--) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (child < 0 || waitpid(child, NULL, 0) != child) {
			perror("forker: fork");
			return -1;
		}
	}
	return 0;
}

static double nanoseconds(const struct timespec *start, const struct timespec *end)
{
	return (double)(end->tv_sec - start->tv_sec) * 1e9 +
	       (double)(end->tv_nsec - start->tv_nsec);
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	long attachments = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	struct timespec start, end;

	if (count <= 0) {
		fputs("usage: forker FORKS ATTACHMENTS\n", stderr);
		return 2;
	}
	stay_here();
	while (attachments-- > 0)
		if (attach_one() != 0)
			return 1;
	if (forks(WARM) != 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (forks(count) != 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.0f\n", nanoseconds(&start, &end) / (double)count);
	return 0;
}
