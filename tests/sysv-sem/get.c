/* SPDX-License-Identifier: MIT */
/* get.c - semget: group G of docs/semantics-sem.md. */
#include "support/sets.h"

static int most(void)
{
	struct seminfo info = { 0 };
	CHECK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }) >= 0);
	return info.semmsl;
}

static void test_private(void)
{
	int one = private_set(1), two = make_set(IPC_PRIVATE, 1, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("G1", one != two && set_stat(one).sem_perm.__key == 0);
	int id = make_set(-1, 1, IPC_CREAT | 0600);
	CHECK_LINE("G1", set_stat(id).sem_perm.__key == -1);
}

static void test_order(void)
{
	key_t key = fresh_set_key(), absent = fresh_set_key();
	CHECK_ERRNO("G2", EINVAL, semget(absent, -1, 0));
	CHECK_ERRNO("G2", EINVAL, semget(absent, most() + 1, 0));
	CHECK_ERRNO("G3", ENOENT, semget(absent, 0, 0));
	CHECK_ERRNO("G3", ENOENT, semget(absent, 1, IPC_EXCL));
	CHECK_ERRNO("G5", EINVAL, semget(absent, 0, IPC_CREAT | 0600));
	CHECK_ERRNO("G5", EINVAL, semget(IPC_PRIVATE, 0, 0600));
	int id = make_set(key, 3, IPC_CREAT | 0600);
	CHECK_ERRNO("G2", EINVAL, semget(key, -1, IPC_CREAT | IPC_EXCL));
	CHECK_ERRNO("G2", EINVAL, semget(key, most() + 1, 0));
	CHECK_ERRNO("G4", EEXIST, semget(key, 0, IPC_CREAT | IPC_EXCL));
	CHECK_ERRNO("G4", EEXIST, semget(key, 4, IPC_CREAT | IPC_EXCL));
	CHECK_LINE("G6", semget(key, 0, 0) == id && semget(key, 3, IPC_CREAT) == id);
	CHECK_ERRNO("G6", EINVAL, semget(key, 4, IPC_CREAT | 0600));
	CHECK_LINE("G3", semget(key, 1, IPC_EXCL) == id);
}

static void test_fresh(void)
{
	time_t before = clock_before();
	mode_t mask = umask(077);
	int id = make_set(fresh_set_key(), 4, IPC_CREAT | 07654);
	umask(mask);
	struct semid_ds stat = set_stat(id);
	CHECK_LINE("G7", (stat.sem_perm.mode & 07777) == 0654);
	CHECK_LINE("G8", stat.sem_otime == 0 && stat.sem_nsems == 4);
	CHECK_LINE("G8", stat.sem_ctime >= before && stat.sem_ctime <= clock_after());
	CHECK_LINE("G8", stat.sem_perm.uid == geteuid() && stat.sem_perm.cuid == geteuid());
	CHECK_LINE("G8", stat.sem_perm.gid == getegid() && stat.sem_perm.cgid == getegid());
	for (int i = 0; i < 4; i++)
		CHECK_LINE("G8", value_of(id, i) == 0 && semctl(id, i, GETPID) == 0 &&
		                         up_waiters(id, i) == 0 && zero_waiters(id, i) == 0);
}

static int *made;

static void make_in_child(void *key)
{
	*made = semget(*(key_t *)key, 2, IPC_CREAT | 0600);
	CHECK(set_value(*made, 1, 7) == 0);
}

static void test_life(void)
{
	key_t key = fresh_set_key();
	made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(in_child(make_in_child, &key));
	struct semid_ds stat = set_stat(*made);
	int id = make_set(key, 2, IPC_CREAT | 0666);
	CHECK_LINE("G9", id == *made && value_of(id, 1) == 7);
	CHECK_LINE("G9", set_stat(id).sem_perm.mode == stat.sem_perm.mode);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	int next = make_set(key, 2, IPC_CREAT | 0600);
	CHECK_LINE("G10", next != id && next % 32768 != id % 32768);
	CHECK_LINE("G10", set_stat(next).sem_perm.__seq == next / 32768);
	CHECK_ERRNO("G10", EINVAL, value_of(id, 0));
	if (!alone())
		return;
	for (int i = 0; i < 64; i++)
		CHECK(semctl(make_set(IPC_PRIVATE, 1, 0600), 0, IPC_RMID) == 0);
	int later = make_set(IPC_PRIVATE, 1, 0600);
	CHECK_LINE("G10", later % 32768 < 64 && later / 32768 == next / 32768 + 1);
}

int main(void)
{
	begin_sets();
	test_private();
	test_order();
	test_fresh();
	test_life();
	return test_result();
}
