/* SPDX-License-Identifier: MIT */
/*
 * dropped.c - a server that attaches as root, becomes an ordinary user, and forks.
 *
 *     dropped UID [closed]
 *
 * So do chronyd, gpsd and many others. What it attached before it can no longer
 * open; its children, which may close every descriptor they find (`closed`), their
 * children, and those that are killed have to be counted all the same. A plain
 * System V program, linked with nothing of Madang. Prints what it sees.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static int id;
static volatile int *memory; /* counts how many children have come so far */
static bool closed;

static void say(const char *what)
{
	struct shmid_ds about;
	if (shmctl(id, IPC_STAT, &about) == 0)
		printf("%s: %lu attached\n", what, (unsigned long)about.shm_nattch);
	else
		printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
}

static void close_descriptors(void)
{
	for (int fd = 3; closed && fd < 1024; fd++)
		close(fd);
}

static void wait_for(int count)
{
	while (__atomic_load_n(memory, __ATOMIC_ACQUIRE) < count)
		usleep(1000);
}

static pid_t child(bool has_child)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	close_descriptors();
	if (has_child && fork() == 0)
		close_descriptors();
	__atomic_fetch_add(memory, 1, __ATOMIC_ACQ_REL);
	for (;;)
		pause();
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A child's own calls, and what is left when its parent has gone. */
static void child_that_calls(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		close_descriptors();
		say("in a child");
		printf("its shmdt: %d\n", shmdt((const void *)memory));
		say("after it");
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say("after its end");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	closed = argc > 2;
	id = shmget(IPC_PRIVATE, 4096, 0666);
	memory = shmat(id, NULL, 0);
	if (id < 0 || memory == (void *)-1) {
		perror("shmat");
		return 1;
	}
	uid_t user = (uid_t)strtoul(argv[1], NULL, 10);
	if (setgid(user) != 0 || setuid(user) != 0) {
		perror("setuid");
		return 1;
	}
	say("alone");
	pid_t one = child(false);
	say("one child, at once");
	pid_t two = child(false);
	wait_for(2);
	say("two children");
	end(one);
	say("one of them killed");
	/* Without descriptors and rights it has nothing to vouch for a child with. */
	pid_t three = child(!closed);
	wait_for(closed ? 3 : 4);
	say("a child with a child");
	end(three);
	say("the child killed, not its child");
	child_that_calls();
	for (int i = 0; i < 300; i++)
		end(child(false));
	say("300 more came and went");
	end(two);
	say("before the end");
	return 0; /* the grandchild is still there */
}
