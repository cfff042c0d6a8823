/* SPDX-License-Identifier: MIT */
/*
 * work.c - segments, forks, locks, channels, and the deaths of those who use them, as a program
 * would: what is asked for here has to be enough for any other.
 *
 * Included by the one program, so that CHECK counts in one place.
 */
#include <fcntl.h>
#include <madang/channel.h>
#include <madang/segment.h>
#include <madang/sync.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "support/check.h"

struct work {
	char given[256]; /* the namespace that enclose chose */
	int id;
	struct shared {
		mdg_mutex mutex;
		mdg_cond cond;
		mdg_sem sem;
		mdg_event event;
		mdg_rwlock rwlock;
		_Atomic int stage;
	} * memory;
};

#define SECONDS(n) mdg_deadline((n)*UINT64_C(1000000000))

static struct work *work_begin(void)
{
	static struct work work;
	const char *given = getenv("MADANG_NAMESPACE");
	snprintf(work.given, sizeof work.given, "%s", given != NULL ? given : "");
	return &work;
}

static void work_attach(struct work *work)
{
	work->id = shmget(0x4d45, 65536, IPC_CREAT | 0600);
	work->memory = shmat(work->id, NULL, 0);
	if (!CHECK(work->id >= 0 && work->memory != (void *)-1))
		_exit(1);
}

static pid_t child(void (*f)(struct work *), struct work *work)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		f(work);
		fflush(NULL);
		_exit(test_result());
	}
	CHECK(pid > 0);
	return pid;
}

static int end_of(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void kill_at_stage(struct work *work, pid_t pid)
{
	while (atomic_load(&work->memory->stage) == 0)
		usleep(1000);
	kill(pid, SIGKILL);
	CHECK(end_of(pid) == SIGKILL);
	atomic_store(&work->memory->stage, 0);
}

static void stop_here(struct work *work)
{
	atomic_store(&work->memory->stage, 1);
	for (;;)
		usleep(100000);
}

/* ---- segments ------------------------------------------------------------------------------- */

static unsigned long attached(int id)
{
	struct shmid_ds status = { 0 };
	CHECK(shmctl(id, IPC_STAT, &status) == 0);
	return (unsigned long)status.shm_nattch;
}

static void every_call(struct work *work)
{
	struct shmid_ds status;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int id = shmget(IPC_PRIVATE, (size_t)3 << 20, 0640);
	char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
	CHECK(one != (char *)-1 && two != (char *)-1);
	CHECK(shmctl(id, IPC_STAT, &status) == 0);
	status.shm_perm.mode = 0600;
	CHECK(shmctl(id, IPC_SET, &status) == 0);
	CHECK(shmctl(id, SHM_LOCK, NULL) == 0 || errno == EPERM || errno == ENOMEM);
	CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0 || errno == EPERM);
	CHECK(shmctl(0, IPC_INFO, (void *)&(struct shminfo){ 0 }) >= 0);
	CHECK(shmctl(0, SHM_INFO, (void *)&(struct shm_info){ 0 }) >= 0);
	CHECK(shmctl(0, SHM_STAT, &status) >= 0 || errno == EINVAL);
	CHECK(munmap(two + page, page) == 0 && attached(id) == 3);
	CHECK(mmap(two + 4 * page, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	           0) != MAP_FAILED);
	CHECK(mremap(one, (size_t)3 << 20, (size_t)2 << 20, 0) == one);
	CHECK(shmat(id, one, SHM_REMAP) == one);
	CHECK(shmdt(one) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK(shmdt(two) == 0);
	/* As many that tables grow and descriptors are given back. */
	int ids[300];
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		ids[i] = shmget(IPC_PRIVATE, page, 0600);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		CHECK(shmctl(ids[i], IPC_RMID, NULL) == 0);
	CHECK(shmget(IPC_PRIVATE, 100, SHM_HUGETLB | 0600) == -1 || errno == 0);
	(void)work;
}

static void table(struct work *work)
{
	char line[256];
	FILE *file = fopen("/proc/sysvipc/shm", "r");
	(void)work;
	if (file == NULL)
		return; /* as where memfd_create is refused */
	CHECK(fgets(line, sizeof line, file) != NULL);
	fclose(file);
}

static void grandchild(struct work *work)
{
	CHECK(shmdt(work->memory) == 0);
}

static void in_the_child(struct work *work)
{
	CHECK(attached(work->id) == 2);
	CHECK(end_of(child(grandchild, work)) == 0);
	CHECK(attached(work->id) == 2);
}

static void forks(struct work *work)
{
	CHECK(end_of(child(in_the_child, work)) == 0);
	kill_at_stage(work, child(stop_here, work));
	CHECK(attached(work->id) == 1);
}

/* ---- locks ---------------------------------------------------------------------------------- */

static void holds(struct work *work)
{
	CHECK(mdg_mutex_lock(&work->memory->mutex) == 0);
	CHECK(mdg_rwlock_write(&work->memory->rwlock) == 0);
	stop_here(work);
}

static void wakes(struct work *work)
{
	usleep(20000);
	CHECK(mdg_mutex_lock(&work->memory->mutex) == 0);
	CHECK(mdg_cond_broadcast(&work->memory->cond) == 0);
	CHECK(mdg_mutex_unlock(&work->memory->mutex) == 0);
	CHECK(mdg_sem_post(&work->memory->sem, 1) == 0);
	CHECK(mdg_event_set(&work->memory->event) == 0);
}

static void *in_a_thread(void *argument)
{
	struct work *work = argument;
	CHECK(mdg_mutex_lock(&work->memory->mutex) == 0);
	CHECK(mdg_mutex_unlock(&work->memory->mutex) == 0);
	return NULL;
}

static void locks(struct work *work)
{
	struct shared *memory = work->memory;
	pthread_t thread;
	if (mdg_mutex_lock(&memory->mutex) == -ENOSYS)
		return; /* the kernel has no robust lists */
	CHECK(mdg_mutex_unlock(&memory->mutex) == 0);
	kill_at_stage(work, child(holds, work));
	CHECK(mdg_mutex_lock_until(&memory->mutex, SECONDS(10)) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&memory->mutex) == 0);
	CHECK(pthread_create(&thread, NULL, in_a_thread, work) == 0);
	pid_t pid = child(wakes, work);
	CHECK(mdg_cond_wait_until(&memory->cond, &memory->mutex, SECONDS(10)) == 0);
	CHECK(mdg_mutex_unlock(&memory->mutex) == 0);
	CHECK(mdg_sem_wait_until(&memory->sem, SECONDS(10)) == 0);
	CHECK(mdg_event_wait_until(&memory->event, SECONDS(10)) == 0);
	CHECK(end_of(pid) == 0);
	pthread_join(thread, NULL);
	CHECK(mdg_rwlock_read_until(&memory->rwlock, SECONDS(10)) == MDG_OWNER_DIED);
	CHECK(mdg_sem_wait_until(&memory->sem, mdg_deadline(1000000)) == -ETIMEDOUT);
}

/* ---- channels ------------------------------------------------------------------------------- */

static mdg_namespace *ns;

static mdg_channel *enter(unsigned kind, unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = kind,
		                               .capacity = 65536 };
	mdg_channel *channel = NULL;
	if (!CHECK(mdg_channel_open(&channel, ns, "confined", role, &options) == 0))
		_exit(1);
	return channel;
}

static unsigned kind;

static void talks(struct work *work)
{
	mdg_channel *channel = enter(kind, MDG_TALKER);
	int bytes = 0;
	(void)work;
	for (int i = 0; i < 3; i++) {
		usleep(30000); /* so that the listener sleeps */
		CHECK(mdg_channel_send(channel, "hello", 5, SECONDS(10)) == 0);
		if (kind == MDG_CALL)
			CHECK(mdg_channel_recv(channel, &bytes, sizeof bytes, NULL, SECONDS(10)) ==
			      2);
	}
	mdg_channel_close(channel);
}

static void listens(mdg_channel *channel)
{
	char bytes[16];
	for (int i = 0; i < 3; i++) {
		if (i == 1 && kind != MDG_CALL) {
			struct pollfd wait = { .fd = mdg_channel_fd(channel), .events = POLLIN };
			CHECK(wait.fd >= 0 && poll(&wait, 1, 10000) == 1);
		}
		CHECK(mdg_channel_recv(channel, bytes, sizeof bytes, NULL, SECONDS(10)) == 5);
		if (kind == MDG_CALL)
			CHECK(mdg_channel_send(channel, "ok", 2, SECONDS(10)) == 0);
	}
}

static void talks_and_dies(struct work *work)
{
	mdg_channel *channel = enter(kind, MDG_TALKER);
	CHECK(mdg_channel_send(channel, "hello", 5, SECONDS(10)) == 0);
	stop_here(work);
}

static void channels(struct work *work)
{
	static const unsigned kinds[] = { MDG_STREAM, MDG_QUEUE, MDG_TOPIC, MDG_CALL };
	char bytes[16];
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		kind = kinds[i];
		mdg_channel *channel = enter(kind, MDG_LISTENER);
		pid_t pid = child(talks, work);
		listens(channel);
		CHECK(end_of(pid) == 0);
		kill_at_stage(work, child(talks_and_dies, work));
		CHECK(mdg_channel_recv(channel, bytes, sizeof bytes, NULL, SECONDS(10)) == 5);
		if (kind == MDG_CALL)
			(void)mdg_channel_send(channel, "ok", 2, 0);
		CHECK(mdg_channel_recv(channel, bytes, sizeof bytes, NULL,
		                       mdg_deadline(60000000)) == -ETIMEDOUT);
		mdg_channel_close(channel);
		CHECK(mdg_channel_remove(ns, "confined") == 0);
	}
	CHECK(mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL) >= 0);
	mdg_namespace_close(ns);
}

/* ---- a namespace of several users ---------------------------------------------------------- */

static void shared(struct work *work)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_SHARED };
	struct mdg_segment_info info = { .size = sizeof info };
	char path[sizeof work->given + 8];
	mdg_namespace *many = NULL;
	void *memory;
	mdg_id id = -1;
	snprintf(path, sizeof path, "%s-many", work->given);
	int rc = mdg_namespace_open(&many, path, &options);
	if (!CHECK(rc == 0 || rc == -EEXIST))
		return;
	if (many == NULL && mdg_namespace_open(&many, path, NULL) != 0)
		return;
	CHECK(mdg_segment_create(many, NULL, 8192, 0600, 0, &id) == 0);
	CHECK(mdg_segment_attach(many, id, NULL, 0, &memory) == 0);
	CHECK(mdg_segment_set(many, id, geteuid(), getegid(), 0640) == 0);
	if (geteuid() == 0)
		CHECK(mdg_segment_set(many, id, 65534, 65534, 0640) == 0);
	CHECK(mdg_segment_stat(many, id, MDG_STAT_ANY, &info) == 0);
	CHECK(mdg_segment_detach(many, memory) == 0);
	CHECK(mdg_segment_remove(many, id) == 0);
	mdg_namespace_close(many);
}

static void work_all(struct work *work)
{
	every_call(work);
	table(work);
	forks(work);
	locks(work);
	channels(work);
	shared(work);
	CHECK(shmdt(work->memory) == 0);
	CHECK(shmctl(work->id, IPC_RMID, NULL) == 0);
}
