/* SPDX-License-Identifier: MIT */
/*
 * queues.h - what the tests of System V message queues need: queues that are removed at the end,
 * messages of a type and a text, and children that sleep in msgsnd or msgrcv.
 *
 * The same source runs on Madang and on the kernel, the oracle. Include it after check.h, once in a
 * program, and begin main() with begin_queues().
 */
#ifndef MADANG_TESTS_QUEUES_H
#define MADANG_TESTS_QUEUES_H

#include "support/segments.h"

#include <limits.h>
#include <signal.h>
#include <sys/msg.h>
#include <sys/stat.h>

#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY (13 | (IPC_STAT & 0x100))
#endif
#if defined(__GLIBC__) && !defined(msg_cbytes)
#define msg_cbytes __msg_cbytes
#endif

enum { QUEUES_MAX = 4096, TEXT_MAX = 8192 };
static int queues_made[QUEUES_MAX];
static int queues_count;

struct message {
	long type;
	char text[TEXT_MAX];
};

static inline void queues_remove_all(void)
{
	if (getpid() == segments_first_process)
		while (queues_count > 0)
			msgctl(queues_made[--queues_count], IPC_RMID, NULL);
}

static inline void begin_queues(void)
{
	begin();
	atexit(queues_remove_all);
}

/* A msgget that must succeed. */
static inline int make_queue(key_t key, int flags)
{
	int id = msgget(key, flags);
	CHECK(id >= 0);
	if (id >= 0 && queues_count < QUEUES_MAX)
		queues_made[queues_count++] = id;
	return id;
}

static inline int private_queue(void)
{
	return make_queue(IPC_PRIVATE, 0600);
}

static inline key_t fresh_queue_key(void)
{
	key_t key;
	do
		key = fresh_key();
	while (msgget(key, 0) >= 0);
	return key;
}

static inline struct msqid_ds queue_stat(int id)
{
	struct msqid_ds stat;
	memset(&stat, 0xa5, sizeof stat);
	CHECK(msgctl(id, IPC_STAT, &stat) == 0);
	return stat;
}

/* Sends a message of `size` bytes that begins with the text. */
static inline int put_sized(int id, long type, const char *text, size_t size, int flags)
{
	struct message message = { .type = type };
	snprintf(message.text, sizeof message.text, "%s", text);
	return msgsnd(id, &message, size, flags);
}

static inline int put(int id, long type, const char *text)
{
	return put_sized(id, type, text, strlen(text), IPC_NOWAIT);
}

static struct message got;

/* Receives without a sleep, with room for `size` bytes. What came is in `got`. */
static inline ssize_t take_sized(int id, size_t size, long wanted, int flags)
{
	memset(&got, 0, sizeof got);
	return msgrcv(id, &got, size, wanted, flags | IPC_NOWAIT);
}

/* Whether the message that is chosen has this type and text. */
static inline bool takes(int id, long wanted, int flags, long type, const char *text)
{
	ssize_t length = take_sized(id, sizeof got.text, wanted, flags);
	return length == (ssize_t)strlen(text) && got.type == type && strcmp(got.text, text) == 0;
}

static inline void empty(int id)
{
	while (take_sized(id, sizeof got.text, 0, 0) >= 0)
		;
}

static inline void nap(long milliseconds)
{
	nanosleep(&(struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000 }, NULL);
}

/* Waits until the process sleeps, in a system call that it has begun. */
static inline void until_asleep(pid_t pid)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	for (int quiet = 0, i = 0; i < 3000 && quiet < 10; i++) {
		FILE *file = fopen(path, "re");
		if (file == NULL || fgets(text, sizeof text, file) == NULL)
			text[0] = '\0';
		if (file != NULL)
			fclose(file);
		const char *end = strrchr(text, ')');
		quiet = end != NULL && end[1] == ' ' && end[2] == 'S' ? quiet + 1 : 0;
		nap(1);
	}
}

/* A child that receives one message and exits with its length, or 100 + errno. */
static inline pid_t receiver(int id, size_t size, long wanted, int flags)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		ssize_t length = msgrcv(id, &got, size, wanted, flags);
		_exit(length >= 0 ? (int)length : 100 + errno);
	}
	until_asleep(pid);
	return pid;
}

/* A child that sends one message and exits with 0, or 100 + errno. */
static inline pid_t sender(int id, long type, size_t size)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(put_sized(id, type, "x", size, 0) == 0 ? 0 : 100 + errno);
	until_asleep(pid);
	return pid;
}

/* The child's exit code; -1: it was killed; -2: it has not ended in 10 s. */
static inline int result_of(pid_t pid)
{
	int status = 0;
	for (int i = 0; i < 5000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		nap(2);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -2;
}

static inline bool is_alive(pid_t pid)
{
	int status;
	nap(30);
	return waitpid(pid, &status, WNOHANG) == 0;
}

static inline int set_room(int id, unsigned long bytes)
{
	struct msqid_ds stat = queue_stat(id);
	stat.msg_qbytes = bytes;
	return msgctl(id, IPC_SET, &stat);
}

#endif
