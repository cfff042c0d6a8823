/* SPDX-License-Identifier: MIT */
/*
 * deleted.c - somebody deletes the files of the namespace while it is in use.
 *
 * Others then make the namespace anew. The program learns of it by EIDRM, keeps what it has
 * attached, and does not get into the new namespace. The kernel has no such case: systemd's
 * RemoveIPC= leaves a segment alone while anyone has it attached.
 */
#include "support/check.h"
#include "support/segments.h"

#include <dirent.h>

#define FAILED ((void *)-1)

static void delete_files(void)
{
	const char *path = getenv("MADANG_NAMESPACE");
	char name[600];
	struct dirent *entry;
	DIR *directory = opendir(path);
	CHECK(directory != NULL);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		CHECK(remove(name) == 0);
	}
	if (directory != NULL)
		closedir(directory);
}

/* A new run of this program. It makes two segments with the same keys, or finds them. */
static int newcomer(const char *what, key_t key)
{
	bool makes = strcmp(what, "make") == 0;
	int one = shmget(key, 4096, makes ? IPC_CREAT | IPC_EXCL | 0600 : 0600);
	int two = shmget(key + 1, 4096, makes ? IPC_CREAT | IPC_EXCL | 0600 : 0600);
	char *memory = shmat(one, NULL, 0), *other = shmat(two, NULL, 0);
	if (memory == FAILED || other == FAILED)
		return 1;
	if (makes)
		strcpy(memory, "new");
	return strcmp(memory, "new") == 0 && other[0] == 0 ? 0 : 1;
}

static bool run_newcomer(const char *what, key_t key)
{
	char number[20];
	int status = -1;
	snprintf(number, sizeof(number), "%d", (int)key);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "deleted", what, number, (char *)NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void told(int id, key_t key)
{
	struct shmid_ds stat = { .shm_nattch = 0 };
	struct shm_info info;
	/* Calls that only look may be told some ms late. */
	for (int ms = 0; ms < 5000 && shmctl(id, IPC_STAT, &stat) == 0; ms++)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	CHECK_ERRNO(NULL, EIDRM, shmctl(id, IPC_STAT, &stat));
	CHECK_ERRNO(NULL, EIDRM, shmget(key, 0, 0));
	CHECK_ERRNO(NULL, EIDRM, shmget(IPC_PRIVATE, 4096, 0600));
	CHECK_ERRNO(NULL, EIDRM, shmget(key, 4096, IPC_CREAT | 0600));
	CHECK_ERRNO(NULL, EIDRM, shmat(id, NULL, 0));
	CHECK_ERRNO(NULL, EIDRM, shmctl(id, IPC_SET, &stat));
	CHECK_ERRNO(NULL, EIDRM, shmctl(id, SHM_LOCK, NULL));
	CHECK_ERRNO(NULL, EIDRM, shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(NULL, EIDRM, shmctl(0, SHM_STAT, &stat));
	CHECK_ERRNO(NULL, EIDRM, shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info));
}

static void child_uses(void *memory)
{
	CHECK(strcmp(memory, "old") == 0);
	CHECK_ERRNO(NULL, EIDRM, shmget(IPC_PRIVATE, 4096, 0600));
	CHECK(shmdt(memory) == 0);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return newcomer(argv[1], (key_t)strtol(argv[2], NULL, 10));
	if (on_kernel())
		SKIP("the kernel has no files to delete");
	begin();
	const key_t key = 4711;
	int id = shmget(key, 4096, IPC_CREAT | 0600),
	    other = shmget(key + 1, 4096, IPC_CREAT | 0600);
	char *memory = attach(id);
	CHECK(other >= 0);
	strcpy(memory, "old");
	delete_files();
	CHECK_ERRNO(NULL, EIDRM, shmctl(other, IPC_RMID, NULL)); /* at once */
	CHECK(run_newcomer("make", key));
	told(id, key);
	CHECK_ERRNO(NULL, EIDRM, shmctl(other, IPC_RMID, NULL));
	CHECK(strcmp(memory, "old") == 0);
	CHECK(in_child(child_uses, memory));
	CHECK(shmdt(memory) == 0);
	CHECK(run_newcomer("find", key));
	return test_result();
}
