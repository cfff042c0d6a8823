/* SPDX-License-Identifier: MIT */
/*
 * kernel_limits.c - lines "fine S" of docs/semantics.md: the limits in /proc/sys/kernel,
 * and what changing them does to segments that exist.
 *
 * Runs on the kernel alone. The limits of a Madang namespace are given when it is
 * made, and shm_next_id and shm_rmid_forced do not exist there. limits.c has what
 * holds on both. The test needs an IPC namespace of its own, whose limits it may set.
 */
#include "support/segments.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static const char *path_of(const char *name)
{
	static char path[64];
	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	return path;
}

static long long get(const char *name)
{
	return number_in(path_of(name), "");
}

static bool set(const char *name, unsigned long long value)
{
	FILE *file = fopen(path_of(name), "we");
	if (file == NULL)
		return false;
	bool written = fprintf(file, "%llu\n", value) > 0;
	return fclose(file) == 0 && written;
}

static void test_defaults(void)
{
	CHECK_LINE("fine S60", get("shmmni") == 4096);
	CHECK_LINE("fine S60", get("shm_rmid_forced") == 0 && get("shm_next_id") == -1);
#if ULONG_MAX > UINT32_MAX
	unsigned long unlimited = ULONG_MAX - (1ul << 24);
	CHECK_LINE("fine S60", (unsigned long)get("shmmax") == unlimited);
	CHECK_LINE("fine S60", (unsigned long)get("shmall") == unlimited);
#endif
}

/* ---- limits that are lowered ------------------------------------------------ */

static void test_lower_size(void)
{
	key_t key = fresh_key();
	unsigned long long before = (unsigned long long)get("shmmax");
	int id = make_segment(key, 4 * page_size(), IPC_CREAT | 0600);
	CHECK(set("shmmax", page_size()));
	CHECK_ERRNO("fine S01", EINVAL, shmget(IPC_PRIVATE, page_size() + 1, 0600));
	CHECK_LINE("fine S03", stat_of(id).shm_segsz == 4 * page_size());
	CHECK_LINE("fine S03", shmget(key, 4 * page_size(), IPC_CREAT | 0600) == id);
	char *memory = attach(id);
	memory[4 * page_size() - 1] = 1;
	CHECK_LINE("fine S03", shmdt(memory) == 0);
	CHECK(set("shmmax", before));
}

static void test_lower_number(void)
{
	int ids[3];
	for (int i = 0; i < 3; i++)
		ids[i] = make_private(1, 0600);
	CHECK(set("shmmni", 1));
	CHECK_ERRNO("fine S10", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
	for (int i = 0; i < 3; i++)
		CHECK_LINE("fine S13", shmdt(attach(ids[i])) == 0 && exists(ids[i]));
	CHECK_LINE("fine S63", set("shmmni", 32768));
	CHECK(set("shmmni", 4096));
}

/* ---- shm_next_id ------------------------------------------------------------- */

static void test_next_id(void)
{
	const int wish = 7 * 32768 + 5000;
	CHECK(set("shm_next_id", wish));
	CHECK_LINE("fine S16", make_private(1, 0600) == wish);
	CHECK_LINE("fine S16", get("shm_next_id") == -1);
	CHECK_LINE("fine S16", make_private(1, 0600) != wish);
}

/* ---- shm_rmid_forced --------------------------------------------------------- */

static int *made; /* shared with the children */

static void make_it(void *unused)
{
	(void)unused;
	*made = make_private(page_size(), 0600);
}

static void make_and_wait(void *gate)
{
	char byte;
	int *ends = gate;
	make_it(NULL);
	CHECK(write(ends[3], ".", 1) == 1);
	CHECK(read(ends[0], &byte, 1) == 1);
}

static bool gone(int id)
{
	return !exists(id);
}

/* The segment of a child that has ended. */
static int orphan(void)
{
	CHECK(in_child(make_it, NULL));
	return *made;
}

static void test_forced(void)
{
	CHECK(set("shm_rmid_forced", 1));
	int id = make_private(page_size(), 0600);
	CHECK_LINE("fine S17", exists(id));
	CHECK_LINE("fine S18", stat_of(id).shm_perm.mode == 0600);
	void *one = attach(id), *two = attach(id);
	CHECK(shmdt(one) == 0);
	CHECK_LINE("fine S19", exists(id) && stat_of(id).shm_perm.mode == 0600);
	CHECK(shmdt(two) == 0);
	CHECK_LINE("fine S19", gone(id));
	CHECK_LINE("fine S20", gone(orphan()));
	CHECK(set("shm_rmid_forced", 0));
	id = orphan();
	CHECK_LINE("fine S21", exists(id));
	CHECK(shmdt(attach(id)) == 0);
	CHECK_LINE("fine S21", exists(id));
}

/* An orphan that somebody has attached lives until that one detaches. */
static void test_forced_with_dead_creator(void)
{
	int ends[4], status = -1;
	char byte;
	CHECK(set("shm_rmid_forced", 1));
	CHECK(pipe(ends) == 0 && pipe(ends + 2) == 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		make_and_wait(ends);
		_exit(test_result());
	}
	CHECK(read(ends[2], &byte, 1) == 1);
	int id = *made;
	void *memory = attach(id);
	CHECK(write(ends[1], ".", 1) == 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_LINE("fine S19", exists(id));
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("fine S19", gone(id));
	for (int i = 0; i < 4; i++)
		close(ends[i]);
	CHECK(set("shm_rmid_forced", 0));
}

static void test_forcing_later(void)
{
	int mine = make_private(1, 0600), attached_one = orphan(), lost = orphan();
	void *memory = attach(attached_one);
	CHECK(set("shm_rmid_forced", 1));
	CHECK_LINE("fine S22", exists(mine) && exists(attached_one) && gone(lost));
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("fine S22", gone(attached_one));
	CHECK(set("shm_rmid_forced", 0));
}

struct maker {
	int id;
	pid_t thread;
};

static void *make_in_thread(void *maker_pointer)
{
	struct maker *maker = maker_pointer;
	maker->thread = (pid_t)syscall(SYS_gettid);
	maker->id = make_private(1, 0600);
	return NULL;
}

static void test_creator_is_a_thread(void)
{
	pthread_t thread;
	struct maker maker = { -1, 0 };
	char path[64];
	CHECK(set("shm_rmid_forced", 1));
	CHECK(pthread_create(&thread, NULL, make_in_thread, &maker) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	/* It may be joined a little before the kernel has done with it. */
	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)maker.thread);
	while (access(path, F_OK) == 0)
		sched_yield();
	CHECK_LINE("fine S23", maker.id >= 0 && gone(maker.id));
	CHECK(set("shm_rmid_forced", 0));
}

/* ---- and another namespace ----------------------------------------------------- */

static void set_elsewhere(void *unused)
{
	(void)unused;
	CHECK(unshare(CLONE_NEWIPC) == 0);
	CHECK_LINE("fine S62", get("shmmni") == 4096);
	CHECK(set("shmmni", 0));
	CHECK_ERRNO("fine S62", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
}

static void test_other_namespace(void)
{
	CHECK(set("shmmni", 1000));
	CHECK(in_child(set_elsewhere, NULL));
	CHECK_LINE("fine S62", get("shmmni") == 1000);
	CHECK(set("shmmni", 4096));
}

int main(void)
{
	begin();
	if (!on_kernel() || !alone() || !set("shmmni", 4096))
		SKIP("the kernel's limits can only be set by root, in an IPC namespace");
	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return 1;
	test_defaults();
	test_lower_size();
	test_lower_number();
	test_next_id();
	test_forced();
	test_forced_with_dead_creator();
	test_forcing_later();
	test_creator_is_a_thread();
	test_other_namespace();
	return test_result();
}
