/* SPDX-License-Identifier: MIT */
/*
 * logged.c - makes System V calls, for the test of `madang run --log`.
 *
 *     logged all       every call, with results and failures
 *     logged sleep     calls that sleep until a child wakes them, or the time is over
 *     logged numbers   calls by number
 *     logged few       one call
 *     logged elsewhere FILE    likewise, as a program with this standard error
 *     logged bare              likewise, as a program without an environment
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEY = 0x4d414e };

static void *anything(void *structure)
{
	return structure;
}

static void segments(void)
{
	struct shmid_ds ds;
	struct shminfo limits;
	struct shm_info totals;
	int id = shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0640);
	(void)shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0640);
	(void)shmget(KEY + 1, 1, 0);
	void *memory = shmat(id, NULL, SHM_RDONLY);
	(void)shmat(id, (void *)1, SHM_RND | SHM_REMAP);
	(void)shmctl(id, IPC_STAT, &ds);
	(void)shmctl(id, IPC_SET, &ds);
	(void)shmctl(0, IPC_INFO, anything(&limits));
	(void)shmctl(0, SHM_INFO, anything(&totals));
	(void)shmctl(id, 77, NULL);
	(void)shmdt(memory);
	(void)shmdt(memory);
	(void)shmctl(id, IPC_RMID, NULL);
}

static void sets(void)
{
	unsigned short values[20] = { 1, 2, 3 };
	struct semid_ds ds;
	struct seminfo info;
	struct sembuf ops[20] = { { 0, -1, SEM_UNDO }, { 1, 0, IPC_NOWAIT } };
	int id = semget(IPC_PRIVATE, 20, 0600);
	(void)semctl(id, 0, SETALL, values);
	(void)semctl(id, 0, GETALL, values);
	(void)semctl(id, 2, SETVAL, 7);
	(void)semctl(id, 2, GETVAL);
	(void)semctl(id, 99, GETVAL);
	(void)semctl(id, 0, IPC_STAT, &ds);
	(void)semctl(0, 0, IPC_INFO, &info);
	(void)semop(id, ops, 2);
	(void)semop(id, ops, 1);
	ops[0].sem_flg = IPC_NOWAIT;
	(void)semop(id, ops, 20);
	(void)semctl(id, 0, IPC_RMID);
}

static void queues(void)
{
	struct {
		long type;
		char text[100];
	} message = { 5, "tab\tquote\"\1" };
	struct msqid_ds ds;
	int id = msgget(KEY, IPC_CREAT | 0600);
	(void)msgsnd(id, &message, 11, IPC_NOWAIT);
	(void)msgctl(id, IPC_STAT, &ds);
	(void)msgrcv(id, &message, 100, -9, MSG_NOERROR);
	(void)msgrcv(id, &message, 100, 0, IPC_NOWAIT);
	memset(message.text, 'm', sizeof message.text);
	(void)msgsnd(id, &message, 100, 0);
	message.type = 0;
	(void)msgsnd(id, &message, 1, 0);
	(void)msgctl(id, IPC_RMID, NULL);
}

/* Until the log says so. */
static void wait_for(const char *text)
{
	char line[2000];
	for (;;) {
		FILE *in = fopen(getenv("MADANG_LOG"), "r");
		while (in != NULL && fgets(line, sizeof line, in) != NULL)
			if (strstr(line, text) != NULL && strstr(line, "unfinished") != NULL) {
				fclose(in);
				return;
			}
		if (in != NULL)
			fclose(in);
		usleep(10000);
	}
}

static void sleeps(void)
{
	struct sembuf take = { 0, -1, 0 }, give = { 0, 1, 0 };
	const struct timespec moment = { 0, 0 };
	struct {
		long type;
		char text[100];
	} message = { 5, "hello" };
	int set = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
	(void)semtimedop(set, &take, 1, &moment);
	pid_t pid = fork();
	if (pid == 0) {
		wait_for(" semop(");
		(void)semop(set, &give, 1);
		wait_for(" msgrcv(");
		(void)msgsnd(queue, &message, 5, 0);
		_exit(0);
	}
	(void)semop(set, &take, 1);
	(void)msgrcv(queue, &message, 100, 5, 0);
	(void)waitpid(pid, NULL, 0);
	(void)semctl(set, 0, IPC_RMID);
	(void)msgctl(queue, IPC_RMID, NULL);
}

static void numbers(void)
{
#if defined(SYS_shmget) && defined(SYS_msgget)
	long id = syscall(SYS_shmget, IPC_PRIVATE, 100, 0600);
	(void)syscall(SYS_shmctl, id, IPC_RMID, NULL);
	id = syscall(SYS_msgget, IPC_PRIVATE, 0600);
	(void)syscall(SYS_msgctl, id, IPC_RMID, NULL);
#endif
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "few";
	if (strcmp(what, "all") == 0) {
		printf("%s\n", ftok("/", 'a') == -1 ? "ftok failed" : "ftok");
		fflush(stdout);
		segments();
		sets();
		queues();
	} else if (strcmp(what, "sleep") == 0) {
		sleeps();
	} else if (strcmp(what, "numbers") == 0) {
		numbers();
	} else if (strcmp(what, "elsewhere") == 0) {
		if (freopen(argv[2], "w", stderr) != NULL)
			execl(argv[0], argv[0], "few", (char *)NULL);
	} else if (strcmp(what, "bare") == 0) {
		execle(argv[0], argv[0], "few", (char *)NULL, (char *[]){ NULL });
	} else {
		(void)shmget(KEY, 0, 0);
	}
	return 0;
}
