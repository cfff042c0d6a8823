/* SPDX-License-Identifier: MIT */
/*
 * dropped-ipc.c - a server that makes a set and a queue as root, and whose workers are an ordinary
 * user.
 *
 *     dropped-ipc UID child [syscall]     each worker gives up root's rights itself, as in Apache
 *     dropped-ipc UID parent [syscall]    the server does, and forks the workers then, as in uWSGI
 *
 * One object is given to the user by IPC_SET, another has mode 0666. Nobody used them before. The
 * workers use both: with SEM_UNDO, asleep, filling the queue to its end. One is killed while it
 * holds the semaphore. With `syscall` the rights are given up by syscall(2). A plain System V
 * program, linked with nothing of Madang. Prints what it sees.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

union semun {
	int val;
	struct semid_ds *buf;
};

struct message {
	long type;
	char text[512];
};

static int given_set, open_set, given_queue, open_queue;
static uid_t uid;
static bool by_number;

static void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, result);
	fflush(stdout);
}

static void give_up_rights(void)
{
	if ((by_number ? (int)syscall(SYS_setuid, uid) : setuid(uid)) != 0) {
		perror("setuid");
		_exit(1);
	}
}

static int operate(int set, int by, int flags)
{
	struct sembuf operation = { 0, (short)by, (short)flags };
	return semop(set, &operation, 1);
}

static void make(void)
{
	struct semid_ds set;
	struct msqid_ds queue;
	given_set = semget(IPC_PRIVATE, 2, 0600);
	open_set = semget(IPC_PRIVATE, 1, 0666);
	given_queue = msgget(IPC_PRIVATE, 0600);
	open_queue = msgget(IPC_PRIVATE, 0666);
	semctl(given_set, 0, IPC_STAT, (union semun){ .buf = &set });
	set.sem_perm.uid = uid;
	say("the set is given away", semctl(given_set, 0, IPC_SET, (union semun){ .buf = &set }));
	msgctl(given_queue, IPC_STAT, &queue);
	queue.msg_perm.uid = uid;
	say("the queue is given away", msgctl(given_queue, IPC_SET, &queue));
}

/* Ends by the signal of another, or at its own end. */
static pid_t start(void (*work)(void), bool gives_up)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (gives_up)
		give_up_rights();
	work();
	_exit(0);
}

static void finish(const char *who, pid_t pid)
{
	int status;
	waitpid(pid, &status, 0);
	printf("%s ended: %#x\n", who, (unsigned)status);
	fflush(stdout);
}

static void use(void)
{
	struct message message = { .type = 3, .text = "text" };
	say("a post", operate(given_set, 1, 0));
	say("a take with undo", operate(given_set, -1, SEM_UNDO));
	say("a post with undo", operate(given_set, 1, SEM_UNDO));
	say("a post of the open set", operate(open_set, 2, 0));
	say("its value", semctl(open_set, 0, GETVAL));
	say("SETVAL of the given one", semctl(given_set, 1, SETVAL, (union semun){ .val = 5 }));
	long count = 0;
	while (msgsnd(given_queue, &message, sizeof message.text, IPC_NOWAIT) == 0)
		count++;
	say("the queue is full", -1);
	say("messages", count);
	say("a message", msgsnd(open_queue, &message, 10, 0));
	say("received", msgrcv(open_queue, &message, sizeof message.text, 0, 0));
	while (msgrcv(given_queue, &message, sizeof message.text, 3, IPC_NOWAIT) >= 0)
		count--;
	say("messages left", count);
	say("removes the open set", semctl(open_set, 0, IPC_RMID));
}

static void take_and_stay(void)
{
	(void)operate(given_set, -1, SEM_UNDO);
	(void)operate(given_set, 3, SEM_UNDO);
	struct message message = { .type = 1 };
	(void)msgsnd(given_queue, &message, 1, 0);
	pause();
}

/* Sleeps until the other one is killed: 1 - 1 + 3 are undone then, and 1 is there again. */
static void await(void)
{
	struct sembuf one_alone[2] = { { 0, -1, 0 }, { 0, 0, 0 } };
	say("had to wait for the other's death", semop(given_set, one_alone, 2));
}

static void work(bool gives_up)
{
	struct message message;
	finish("a user", start(use, gives_up));
	pid_t holder = start(take_and_stay, gives_up);
	say("the holder tells", msgrcv(given_queue, &message, sizeof message.text, 0, 0));
	say("value while it is held", semctl(given_set, 0, GETVAL));
	pid_t waiter = start(await, gives_up);
	while (semctl(given_set, 0, GETNCNT) + semctl(given_set, 0, GETZCNT) != 1)
		usleep(1000);
	kill(holder, SIGKILL);
	finish("the waiter", waiter);
	finish("the holder", holder);
	say("value at last", semctl(given_set, 0, GETVAL));
}

int main(int argc, char **argv)
{
	bool parent = argc > 2 && strcmp(argv[2], "parent") == 0;
	uid = argc > 2 ? (uid_t)atoi(argv[1]) : 0;
	by_number = argc > 3;
	make();
	if (parent)
		give_up_rights();
	work(!parent);
	say("remove", semctl(given_set, 0, IPC_RMID) | msgctl(given_queue, IPC_RMID, NULL));
	return 0;
}
