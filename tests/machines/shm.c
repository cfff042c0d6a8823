/* SPDX-License-Identifier: MIT */
/*
 * shm.c - the System V calls, a fork, a channel between two threads and a deeply bound module,
 * where enclose cannot be: an emulator has no seccomp, and cannot exec what it emulates.
 *
 *     machine-shm [MODULE]
 *
 * Locks are asked for whether they are there at all: emulators have no robust lists.
 */
#include <dlfcn.h>
#include <ftw.h>
#include <madang/channel.h>
#include <madang/segment.h>
#include <madang/sync.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "support/check.h"

static char directory[64], namespace_path[80];

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat, (void)kind, (void)walk;
	return remove(path);
}

static void make_directory(void)
{
	snprintf(directory, sizeof directory, "%s/madang-machine-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(directory) == NULL)
		exit(1);
	snprintf(namespace_path, sizeof namespace_path, "%s/ns", directory);
	setenv("MADANG_NAMESPACE", namespace_path, 1);
}

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds status = { 0 };
	CHECK(shmctl(id, IPC_STAT, &status) == 0);
	return status;
}

static int segment(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 3 * page + 5;
	int id = shmget(0x4d44, size, IPC_CREAT | IPC_EXCL | 0640);
	CHECK(id >= 0);
	CHECK_ERRNO("again", EEXIST, shmget(0x4d44, size, IPC_CREAT | IPC_EXCL | 0640));
	struct shmid_ds status = stat_of(id);
	CHECK(status.shm_segsz == size && status.shm_nattch == 0 && status.shm_cpid == getpid());
	CHECK((status.shm_perm.mode & 0777) == 0640 && status.shm_perm.uid == geteuid());
	CHECK(status.shm_ctime > 1500000000 && status.shm_atime == 0);
	char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
	CHECK(one != (char *)-1 && two != (char *)-1 && one != two);
	strcpy(one + 2 * page, "courtyard");
	CHECK(strcmp(two + 2 * page, "courtyard") == 0);
	CHECK(stat_of(id).shm_nattch == 2 && stat_of(id).shm_lpid == getpid());
	/* Part of an attachment goes: the preload sees munmap. */
	CHECK(munmap(two + page, page) == 0);
	CHECK(stat_of(id).shm_nattch == 3);
	CHECK(shmdt(two) == 0 && stat_of(id).shm_nattch == 1);
	return id;
}

/* As far apart as the machine wants it, and no further. */
static void rounded(int id)
{
	char *room = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *there = (char *)(((uintptr_t)room + (1 << 19)) & -(uintptr_t)(1 << 18));
	CHECK(munmap(room, 1 << 20) == 0);
	CHECK_ERRNO("not a multiple", EINVAL, shmat(id, there + 100, 0));
	char *got = shmat(id, there + 100, SHM_RND);
	CHECK(got == there);
	CHECK(shmdt(got) == 0);
#if defined(__arm__)
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	CHECK_ERRNO("SHMLBA", EINVAL, shmat(id, there + page, 0));
	CHECK(shmat(id, there + 3 * page, SHM_RND) == there && shmdt(there) == 0);
#endif
}

/* The child makes no call of its own: emulators wipe no page at fork. */
static void forked(int id)
{
	int gate[2], status;
	char *memory = shmat(id, NULL, 0);
	CHECK(pipe(gate) == 0);
	memory[0] = 0;
	pid_t pid = fork();
	if (pid == 0) {
		char byte;
		close(gate[1]);
		memory[0] = 'c';
		_exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(gate[0]);
	while (((volatile char *)memory)[0] != 'c')
		usleep(1000);
	CHECK(stat_of(id).shm_nattch == 4);
	close(gate[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(stat_of(id).shm_nattch == 2);
	CHECK(shmdt(memory) == 0);
}

static mdg_channel *news(mdg_namespace *ns, unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = MDG_STREAM,
		                               .capacity = 4096 };
	mdg_channel *channel = NULL;
	CHECK(mdg_channel_open(&channel, ns, "news", role, &options) == 0);
	return channel;
}

static void *talker(void *ns)
{
	mdg_channel *channel = news(ns, MDG_TALKER);
	for (int i = 0; i < 1000; i++)
		CHECK(mdg_channel_send(channel, &i, sizeof i,
		                       mdg_deadline(UINT64_C(10000000000))) == 0);
	mdg_channel_close(channel);
	return NULL;
}

static void conversed(void)
{
	pthread_t thread;
	mdg_namespace *ns = NULL;
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	mdg_channel *channel = news(ns, MDG_LISTENER);
	CHECK(pthread_create(&thread, NULL, talker, ns) == 0);
	for (int i = 0; i < 1000 && check_failures == 0; i++) {
		uint64_t in_time = mdg_deadline(UINT64_C(10000000000));
		int got = -1;
		CHECK(mdg_channel_recv(channel, &got, sizeof got, NULL, in_time) ==
		      (int64_t)sizeof got);
		CHECK(got == i);
	}
	pthread_join(thread, NULL);
	mdg_channel_close(channel);
	CHECK(mdg_channel_remove(ns, "news") == 0);
	mdg_namespace_close(ns);
}

static void locked(void *memory)
{
	mdg_mutex *mutex = memory;
	int rc = mdg_mutex_lock(mutex);
	if (rc == -ENOSYS) {
		puts("no robust lists: locks are not tried");
		return;
	}
	CHECK(rc == 0 && mdg_mutex_trylock(mutex) == -EDEADLK);
	CHECK(mdg_mutex_unlock(mutex) == 0);
}

static void bound_deeply(const char *path, int id)
{
#if defined(RTLD_DEEPBIND)
	void *module = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND);
	int (*get)(int) = NULL;
	if (!CHECK(module != NULL))
		return;
	*(void **)&get = dlsym(module, "module_gets");
	CHECK(get != NULL && get(0x4d44) == id);
	dlclose(module);
#else
	(void)path, (void)id;
#endif
}

int main(int argc, char **argv)
{
	make_directory();
	int id = segment();
	rounded(id);
	forked(id);
	void *memory = shmat(id, NULL, 0);
	memset(memory, 0, sizeof(mdg_mutex));
	locked(memory);
	if (argc > 1)
		bound_deeply(argv[1], id);
	CHECK(shmdt(memory) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	conversed();
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return test_result();
}
