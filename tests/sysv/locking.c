/* SPDX-License-Identifier: MIT */
/*
 * locking.c - lines "fine C60" and "fine C61" of docs/semantics.md: whose limit
 * SHM_LOCK counts against, and what it does to the pages.
 *
 * That SHM_LOCK sets and clears a mark is in shmctl.c, who may lock in
 * permission.c.
 */
#include "support/segments.h"

#include <limits.h>
#include <sys/resource.h>

enum { USER = 12306 };

static size_t page;

static int lock(int id)
{
	return shmctl(id, SHM_LOCK, NULL);
}

static int unlock(int id)
{
	return shmctl(id, SHM_UNLOCK, NULL);
}

static unsigned long resident(void)
{
	struct shm_info use;
	memset(&use, 0, sizeof(use));
	CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&use) >= 0);
	return use.shm_rss;
}

/* Root's own limit does not count. */
static void test_not_populated(void)
{
	if (!alone())
		return;
	int id = make_segment(IPC_PRIVATE, 16 * page, 0600 | SHM_NORESERVE);
	unsigned long before = resident();
	CHECK_LINE("fine C60", lock(id) == 0 && resident() == before);
	CHECK_LINE("fine C60", unlock(id) == 0 && resident() == before);
}

static void lock_in_other_process(void *id)
{
	CHECK_ERRNO("fine C60", ENOMEM, lock(*(int *)id));
}

/* What one user has locked counts until it is unlocked, or until its end. */
static void lock_as_user(void *unused)
{
	(void)unused;
	struct rlimit limit = { 2 * page, 2 * page };
	CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	CHECK(setgid(USER) == 0 && setuid(USER) == 0);
	int large = make_private(2 * page, 0600), small = make_private(1, 0600);
	CHECK_LINE("fine C60", lock(large) == 0);
	CHECK_LINE("fine C60", lock(large) == 0); /* counted once */
	CHECK_ERRNO("fine C60", ENOMEM, lock(small));
	CHECK(in_child(lock_in_other_process, &small));
	CHECK_LINE("fine C60", unlock(large) == 0 && lock(small) == 0);
	CHECK_ERRNO("fine C60", ENOMEM, lock(large));
	CHECK(shmctl(small, IPC_RMID, NULL) == 0);
	CHECK_LINE("fine C60", lock(large) == 0);
	CHECK_LINE("fine C60", unlock(large) == 0);
	CHECK(shmctl(large, IPC_RMID, NULL) == 0);
}

/* No huge page is needed as long as nobody touches one. */
static void test_huge(void)
{
	int id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600);
	if (id < 0) {
		printf("not checked: fine C61 (no huge pages here)\n");
		return;
	}
	keep_track(id);
	CHECK_LINE("fine C61", lock(id) == 0);
	CHECK_LINE("fine C61", stat_of(id).shm_perm.mode == 0600);
	CHECK_LINE("fine C61", unlock(id) == 0);
}

int main(void)
{
	begin();
	if (geteuid() != 0)
		SKIP("only root can become a user with a limit of its own");
	page = page_size();
	test_not_populated();
	CHECK(in_child(lock_as_user, NULL));
	test_huge();
	return test_result();
}
