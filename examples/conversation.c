/* SPDX-License-Identifier: MIT */
/*
 * conversation.c - joining, waiting and leaving; see conversation.h for the rule.
 *
 * These are plain System V calls. Linked with -lmadang-sysv they are answered
 * in user space; linked without it, by the kernel. The source does not differ.
 *
 * What it does not do: it does not clean up after a conversation in which both
 * were killed with SIGKILL. It recognises what is left and says how to remove it.
 */
#include "conversation.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static sigset_t our_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

bool conversation_block_signals(void)
{
	sigset_t set = our_signals();

	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
		perror("cannot block signals");
		return false;
	}
	return true;
}

/* ftok makes a key from a file's inode. A missing file gives -1, which is a
 * key like any other, so two unrelated programs would meet there: make sure
 * of the file first, and never use -1. */
static bool key_of(const char *path, key_t *ret_key)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		fprintf(stderr, "cannot make the key file %s: %s\n", path, strerror(errno));
		return false;
	}
	close(fd);
	*ret_key = ftok(path, 1);
	if (*ret_key == -1) {
		fprintf(stderr, "no key from %s: %s\n", path, strerror(errno));
		return false;
	}
	return true;
}

struct conversation *conversation_join(const char *path, int *ret_id)
{
	key_t key;
	int id;
	void *memory;

	if (!key_of(path, &key))
		return NULL;
	/* No IPC_EXCL: whoever comes first makes it, the other one finds it. */
	id = shmget(key, sizeof(struct conversation), IPC_CREAT | 0600);
	if (id == -1) {
		fprintf(stderr, "no segment for key 0x%08x: %s\n", (unsigned)key, strerror(errno));
		return NULL;
	}
	memory = shmat(id, NULL, 0);
	/* shmat fails with (void *)-1 and not with NULL. */
	if (memory == (void *)-1) {
		fprintf(stderr, "cannot attach segment %d: %s\n", id, strerror(errno));
		return NULL;
	}
	*ret_id = id;
	return memory;
}

bool conversation_take_place(int id, _Atomic int32_t *place, const char *role)
{
	struct shmid_ds about;
	int32_t taken_by = 0;

	if (atomic_compare_exchange_strong(place, &taken_by, (int32_t)getpid()))
		return true;
	if (shmctl(id, IPC_STAT, &about) == 0 && about.shm_nattch == 1)
		fprintf(stderr,
		        "segment %d is left over from a conversation that was killed; "
		        "remove it with: ipcrm -m %d\n",
		        id, id);
	else
		fprintf(stderr, "there is a %s already: process %d\n", role, (int)taken_by);
	return false;
}

bool conversation_move(struct conversation *c, int32_t state, _Atomic int32_t *other)
{
	pid_t pid;

	/* This writes the state first, and then looks who is there. A newcomer does the reverse: it
	 * writes its process id first, and then looks at the state. However the two interleave, at
	 * least one sees what the other wrote. Either we send the signal, or the newcomer needs
	 * none. (All four accesses are sequentially consistent. With a weaker order it could be
	 * that neither sees the other.) */
	atomic_store(&c->state, state);
	pid = (pid_t)atomic_load(other);
	/* Memory that others can write is not to be trusted: kill(-1) would
	 * signal every process of this user. */
	if (pid <= 0)
		return true;
	/* ESRCH: the other process has ended. Either it had seen the state before, or it died, and
	 * conversation_wait will notice that. */
	if (kill(pid, SIGUSR1) != 0 && errno != ESRCH) {
		fprintf(stderr, "cannot wake process %d: %s\n", (int)pid, strerror(errno));
		return false;
	}
	return true;
}

/* Whether nobody is left who could continue the conversation: another process was there or the
 * segment is removed, and now only this process has it attached. The count of attachments is right
 * also after a SIGKILL. */
static bool alone(struct conversation *c, int id)
{
	bool met = atomic_load(&c->listener) != 0 && atomic_load(&c->talker) != 0;
	struct shmid_ds about;

	if (shmctl(id, IPC_STAT, &about) != 0)
		return true;
	return about.shm_nattch < 2 && (met || (about.shm_perm.mode & SHM_DEST));
}

bool conversation_wait(struct conversation *c, int id, int32_t state)
{
	/* A dead process sends no signal, so look for it once a second. */
	const struct timespec second = { .tv_sec = 1, .tv_nsec = 0 };
	sigset_t set = our_signals();
	bool was_alone = false;

	for (;;) {
		int got;

		if (atomic_load(&c->state) >= state)
			return true;
		if (was_alone) {
			fprintf(stderr, "the other one is gone\n");
			return false;
		}
		got = sigtimedwait(&set, NULL, &second);
		if (got == SIGINT || got == SIGTERM) {
			fprintf(stderr, "interrupted\n");
			return false;
		}
		/* The caller looks at the state once more after this, because the last thing that
		 * the other process did may have been to change it. */
		if (got < 0 && errno == EAGAIN)
			was_alone = alone(c, id);
	}
}

bool conversation_leave(struct conversation *c)
{
	if (shmdt(c) != 0) {
		perror("cannot detach");
		return false;
	}
	return true;
}

bool conversation_remove(int id)
{
	if (shmctl(id, IPC_RMID, NULL) != 0) {
		fprintf(stderr, "cannot remove segment %d: %s\n", id, strerror(errno));
		return false;
	}
	return true;
}

bool conversation_write(char to[TEXT_MAX + 1], const char *text)
{
	size_t length = strlen(text);

	if (length > TEXT_MAX) {
		fprintf(stderr, "the text has %zu bytes; at most %d fit\n", length, TEXT_MAX);
		return false;
	}
	memcpy(to, text, length + 1);
	return true;
}
