/* SPDX-License-Identifier: MIT */
/*
 * errno.c - a call that succeeds leaves errno alone, as a system call does.
 *
 * In every state of things that takes another path through the library: the
 * first call of a process, of a child, after exec, without descriptors.
 */
#include "support/segments.h"

#include <sys/resource.h>

enum { MARK = 4242 };

/* The call succeeds, and errno is what it was. */
#define QUIET(call) (errno = MARK, CHECK((intptr_t)(call) != -1 && errno == MARK))

static void use(void)
{
	struct shmid_ds stat;
	struct shm_info info;
	struct shminfo limits;
	void *memory = NULL, *again = NULL;
	key_t key = fresh_key();
	int id = -1;
	QUIET(id = shmget(key, 5000, IPC_CREAT | 0600));
	keep_track(id);
	QUIET(shmget(key, 0, 0));
	QUIET(shmget(key, 100, 0600));
	QUIET(memory = shmat(id, NULL, 0));
	QUIET(again = shmat(id, NULL, SHM_RDONLY));
	QUIET(shmdt(again));
	QUIET(shmat(id, again, SHM_REMAP));
	QUIET(shmctl(id, IPC_STAT, &stat));
	QUIET(shmctl(id, IPC_SET, &stat));
	QUIET(shmctl(id % 32768, SHM_STAT, &stat));
	QUIET(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info));
	QUIET(shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits));
	QUIET(shmctl(id, SHM_LOCK, NULL));
	QUIET(shmctl(id, SHM_UNLOCK, NULL));
	QUIET(shmctl(id, IPC_RMID, NULL));
	QUIET(again != NULL ? shmdt(again) : -1);
	QUIET(memory != NULL ? shmdt(memory) : -1);
	QUIET(ftok("/", 'x'));
}

static void in_a_child(void *arg)
{
	(void)arg;
	use();
}

static void without_descriptors(void *arg)
{
	(void)arg;
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
	use();
}

static void around_fork(void)
{
	int id = make_private(100, 0600), status;
	void *memory = attach(id);
	errno = MARK;
	pid_t pid = fork();
	if (pid == 0)
		_exit(errno != MARK);
	CHECK(pid > 0 && errno == MARK);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	errno = MARK;
	struct shmid_ds stat = stat_of(id);
	CHECK(errno == MARK && stat.shm_nattch == 1); /* the dead was met on the way */
	QUIET(shmdt(memory));
}

/* What shmget may say, and nothing of files. */
static void without_room(void *arg)
{
	(void)arg;
	struct rlimit one_page = { 4096, 4096 };
	char place[] = "/tmp/madang-errno-XXXXXX";
	CHECK(mkdtemp(place) != NULL && setenv("MADANG_NAMESPACE", place, 1) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &one_page) == 0);
	CHECK_ERRNO("no room for a namespace", ENOMEM, shmget(IPC_PRIVATE, 100, 0600));
	char registry[sizeof(place) + sizeof("/registry")];
	snprintf(registry, sizeof(registry), "%s/registry", place);
	unlink(registry);
	CHECK(rmdir(place) == 0);
}

int main(void)
{
	begin();
	if (!on_kernel())
		CHECK(in_child(without_room, NULL)); /* which makes its first call */
	use();
	use();
	around_fork();
	CHECK(in_child(in_a_child, NULL));
	CHECK(in_child(without_descriptors, NULL));
	return test_result();
}
