/* SPDX-License-Identifier: MIT */
/*
 * L8: a removed segment's memory is free again as soon as the last attached
 * process ended, however it ended, with no call by anybody in between.
 *
 * A story is who makes, removes and last holds a segment of 32 MiB, and who
 * else is alive and could keep its file open by mistake: a process that was
 * attached once, or a child that inherited from one. When the last holder is
 * gone, the free space of the namespace's file system has to be back.
 *
 * To measure that alone, the test mounts a memory file system of its own over
 * the namespace, in a mount namespace of its own. Where it may not, it watches
 * the common one, whose free space others change too: then it waits for half of
 * the segment to come back. On the kernel, shm_tot tells.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FAILED ((void *)-1)

static const size_t size = (size_t)32 << 20;
static const long long little = 1 << 20; /* registry pages touched meanwhile */
static bool is_private;
static const char *directory = ""; /* the namespace */

/* ---- the file system --------------------------------------------------- */

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

/* A mount namespace; with a user namespace around it when that is what it takes. */
static bool own_mounts(void)
{
	char user[64], group[64];
	snprintf(user, sizeof(user), "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
	snprintf(group, sizeof(group), "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
	if (unshare(CLONE_NEWNS) == 0)
		return true;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", user) && write_text("/proc/self/gid_map", group);
}

static bool mount_own(void)
{
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return false;
	return own_mounts() && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", directory, "tmpfs", 0, "mode=0700,size=128m") == 0;
}

/* Bytes free in the namespace's file system, or not taken by segments. */
static long long free_bytes(void)
{
	struct statvfs stat;
	struct shm_info info;
	if (on_kernel()) {
		shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info);
		return -(long long)info.shm_tot * (long long)page_size();
	}
	if (statvfs(directory, &stat) != 0)
		return -1;
	return (long long)stat.f_bfree * (long long)stat.f_frsize;
}

/* Whether what the segment took is there again. */
static bool came_back(long long before)
{
	if (is_private)
		return free_bytes() >= before - little;
	for (int i = 0; i < 500; i++) {
		if (free_bytes() >= before - (long long)size / 2)
			return true;
		struct timespec moment = { 0, 10000000 };
		nanosleep(&moment, NULL);
	}
	return false;
}

static bool is_taken(long long before)
{
	return !is_private || free_bytes() <= before - (long long)size + little;
}

/* ---- the parts to play -------------------------------------------------- */

static void *fill(int id)
{
	void *memory = attach(id);
	if (memory != FAILED)
		memset(memory, 0x5a, size);
	return memory;
}

static void hold(struct peer *test, void *arg)
{
	fill(*(const int *)arg);
	peer_say(test);
	peer_hear(test);
}

static void hold_without_descriptors(struct peer *test, void *arg)
{
	fill(*(const int *)arg);
	for (int fd = 3; fd < 65536; fd++)
		close(fd);
	peer_say(test);
	peer_hear(test);
}

/* Attached and detached once, and alive since. */
static void held_once(struct peer *test, void *arg)
{
	void *memory = attach(*(const int *)arg);
	CHECK(shmdt(memory) == 0);
	peer_say(test);
	peer_hear(test);
}

static pid_t *bystander; /* in memory that the children share */

/* Its child gave the attachment back that it inherited, and lives on alone. */
static void leave_bystander(struct peer *test, void *arg)
{
	void *memory = fill(*(const int *)arg);
	int ready[2];
	char byte = 0;
	CHECK(pipe(ready) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		shmdt(memory);
		CHECK(write(ready[1], &byte, 1) == 1);
		pause();
		_exit(0);
	}
	*bystander = pid;
	CHECK(read(ready[0], &byte, 1) == 1);
	peer_say(test);
	peer_hear(test);
}

static void exec_cat(struct peer *test, void *arg)
{
	fill(*(const int *)arg);
	peer_say(test);
	peer_hear(test);
	unsetenv("LD_PRELOAD"); /* may be for another C library than cat's */
	execlp("cat", "cat", (char *)NULL);
	_exit(1);
}

static void remove_it(void *arg)
{
	CHECK(shmctl(*(const int *)arg, IPC_RMID, NULL) == 0);
}

/* ---- the stories -------------------------------------------------------- */

/* The way to the memory of a process that has no descriptors, /proc/PID/map_files,
 * is for the privileged. */
static bool may_reach_memory(void)
{
	unsigned long long start, end;
	char path[80];
	FILE *maps = fopen("/proc/self/maps", "re");
	int fields = maps != NULL ? fscanf(maps, "%llx-%llx", &start, &end) : 0;
	if (maps != NULL)
		fclose(maps);
	if (fields != 2)
		return false;
	snprintf(path, sizeof(path), "/proc/self/map_files/%llx-%llx", start, end);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void story(const char *name, long long before)
{
	if (!CHECK_LINE("L8", came_back(before)))
		fprintf(stderr, "  when the last holder ended: %s\n", name);
}

/* One holder, removed by the test, ended so. */
static void one_holder(const char *name, void (*holder)(struct peer *, void *), bool is_killed)
{
	long long before = free_bytes();
	int id = make_private(size, 0600);
	struct peer child = peer_start(holder, &id);
	CHECK(peer_hear(&child));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("L8", is_taken(before));
	CHECK_LINE("L8", is_killed ? peer_kill(&child) == 128 + SIGKILL : peer_finish(&child) == 0);
	/* Without that way the name had to stay, for whoever calls next. */
	if (holder == hold_without_descriptors && !on_kernel() && !may_reach_memory())
		CHECK(!exists(id));
	story(name, before);
	CHECK_LINE("L8", !exists(id));
}

static void last_of_three(void)
{
	long long before = free_bytes();
	int id = make_private(size, 0600);
	struct peer child[3];
	for (int i = 0; i < 3; i++) {
		child[i] = peer_start(hold, &id);
		CHECK(peer_hear(&child[i]));
	}
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	peer_kill(&child[1]);
	peer_kill(&child[0]);
	CHECK_LINE("L8", is_taken(before));
	peer_kill(&child[2]);
	story("the last of three", before);
	CHECK_LINE("L8", !exists(id));
}

/* The test had it attached, another removes it: in use, or by nobody. */
static void former_holder(bool is_in_use)
{
	long long before = free_bytes();
	int id = make_private(size, 0600);
	struct peer once = peer_start(held_once, &id), child = { 0 };
	CHECK(peer_hear(&once));
	CHECK(shmdt(fill(id)) == 0);
	if (is_in_use) {
		child = peer_start(hold, &id);
		CHECK(peer_hear(&child));
	}
	CHECK_LINE("L8", is_taken(before));
	CHECK(in_child(remove_it, &id));
	if (is_in_use)
		peer_kill(&child);
	story(is_in_use ? "another had been attached" : "nobody was attached", before);
	CHECK(peer_finish(&once) == 0);
	CHECK_LINE("L8", !exists(id));
}

/* Its last holder came only after it was removed. */
static void late_holder(void)
{
	long long before = free_bytes();
	int id = make_private(size, 0600);
	void *memory = fill(id);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	struct peer child = peer_start(hold, &id);
	CHECK(peer_hear(&child));
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("L8", is_taken(before) && attached(id) == 2); /* inherited, and its own */
	peer_kill(&child);
	story("it attached after the removal", before);
	CHECK_LINE("L8", !exists(id));
}

static void executing(void)
{
	long long before = free_bytes();
	int id = make_private(size, 0600);
	struct peer child = peer_start(exec_cat, &id);
	CHECK(peer_hear(&child));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("L8", is_taken(before));
	peer_say(&child);
	peer_say(&child);
	CHECK(peer_hear(&child)); /* cat speaks */
	story("it executed another program", before);
	CHECK_LINE("L8", !exists(id));
	peer_kill(&child);
}

/* Its own munmap or shmdt, nobody dies. */
static void own_detach(void)
{
	long long before = free_bytes();
	int id = make_private(size, 0600);
	void *memory = fill(id);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("L8", is_taken(before));
	CHECK(shmdt(memory) == 0);
	story("by shmdt", before);
}

int main(void)
{
	const char *named = getenv("MADANG_NAMESPACE");
	if (named != NULL)
		directory = named;
	else if (!on_kernel())
		SKIP("to be run by enclose, which makes a namespace");
	is_private = on_kernel() ? alone() : mount_own();
	if (!is_private)
		printf("measured roughly: no file system of its own for this test\n");
	fflush(stdout);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* for the bystander */
	begin();
	remove_it(&(int){ make_private(1, 0600) }); /* makes what is there to stay */
	one_holder("killed", hold, true);
	one_holder("exit", hold, false);
	one_holder("killed, without descriptors", hold_without_descriptors, true);
	bystander = mmap(NULL, sizeof(*bystander), PROT_READ | PROT_WRITE,
	                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	one_holder("killed, its child detached before and lives", leave_bystander, true);
	CHECK(kill(*bystander, SIGKILL) == 0 && reap(*bystander) == 128 + SIGKILL);
	last_of_three();
	former_holder(false);
	former_holder(true);
	late_holder();
	executing();
	own_detach();
	return test_result();
}
