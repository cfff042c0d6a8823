/* SPDX-License-Identifier: MIT */
/*
 * way.c - a System V program, and the programs that it starts.
 *
 *     way          makes a segment, and has it found by itself, started in every
 *                  way there is to start a program
 *     way KEY      finds the segment of that key, and adds one to its first word
 *
 * It knows nothing of Madang: that it works where the kernel's calls are
 * forbidden shows that the way in that is tested leads to Madang, and that a
 * program started by a program stays inside.
 */
#include "support/check.h"

#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/shm.h>

extern char **environ;

static int failures_of_find(key_t key)
{
	int id = shmget(key, sizeof(int), 0600);
	CHECK(id >= 0);
	atomic_int *word = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;
	if (CHECK(word != (void *)-1)) {
		atomic_fetch_add(word, 1);
		CHECK(shmdt(word) == 0);
	}
	return test_result();
}

static int status_of(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int by_spawn(char *self, char *key)
{
	pid_t pid;
	char *arguments[] = { self, key, NULL };
	return posix_spawn(&pid, self, NULL, NULL, arguments, environ) == 0 ? status_of(pid) : -1;
}

static int by_fork(char *self, char *key)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl(self, self, key, (char *)NULL);
		_exit(126);
	}
	return status_of(pid);
}

static int by_vfork(char *self, char *key)
{
	char *arguments[] = { self, key, NULL };
	pid_t pid = vfork(); /* NOLINT: that is what is tried here */
	if (pid == 0) {
		execv(self, arguments);
		_exit(126);
	}
	return status_of(pid);
}

/* A command line, with the program and the key between two parts. */
static int by_system(const char *before, const char *after, const char *self, const char *key)
{
	char command[5000];
	snprintf(command, sizeof command, "%s '%s' %s%s", before, self, key, after);
	return system(command);
}

static int by_popen(const char *self, const char *key)
{
	char command[5000];
	snprintf(command, sizeof command, "'%s' %s", self, key);
	FILE *out = popen(command, "r");
	return out != NULL ? pclose(out) : -1;
}

static int attached(int id)
{
	struct shmid_ds stat;
	return shmctl(id, IPC_STAT, &stat) == 0 ? (int)stat.shm_nattch : -1;
}

/* With a preload for another C library the system's own programs do not start. */
static bool can_run_shells(void)
{
#ifdef __GLIBC__
	return true;
#else
	return getenv("LD_PRELOAD") == NULL;
#endif
}

int main(int argc, char **argv)
{
	char self[4096], text[16];
	key_t key = 0;
	if (argc == 2)
		return failures_of_find((key_t)strtol(argv[1], NULL, 10));

	ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
	CHECK(length > 0);
	self[length > 0 ? length : 0] = '\0';
	while (key == IPC_PRIVATE)
		CHECK(getrandom(&key, sizeof key, 0) == (ssize_t)sizeof key);
	snprintf(text, sizeof text, "%d", key);
	int id = shmget(key, sizeof(int), IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	atomic_int *word = shmat(id, NULL, 0);
	if (!CHECK(word != (void *)-1))
		return test_result();

	CHECK(by_spawn(self, text) == 0);
	CHECK(by_fork(self, text) == 0);
	CHECK(by_vfork(self, text) == 0);
	if (!can_run_shells()) {
		CHECK(atomic_load(word) == 3);
		CHECK(shmctl(id, IPC_RMID, NULL) == 0);
		return test_result();
	}
	CHECK(by_popen(self, text) == 0);
	CHECK(by_system("", "", self, text) == 0);
	CHECK(by_system("exec sh -c \"exec", "\"", self, text) == 0);
	CHECK(by_system("env A=b", "", self, text) == 0);
	CHECK(by_system("((", ") </dev/null | cat)", self, text) == 0);
	CHECK(atomic_load(word) == 8);
	CHECK(attached(id) == 1);
	CHECK(shmdt(word) == 0 && attached(id) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	return test_result();
}
