/* SPDX-License-Identifier: MIT */
/* ctl.c - semctl: group C of docs/semantics-sem.md. */
#include "support/sets.h"

#include <limits.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY (20 | (IPC_STAT & 0x100))
#endif

static int set, gone;

static void test_ids(void)
{
	static const int commands[] = { GETVAL,   GETPID,   GETNCNT,  GETZCNT, GETALL,
		                        SETVAL,   SETALL,   IPC_STAT, IPC_SET, IPC_RMID,
		                        IPC_INFO, SEM_INFO, SEM_STAT, 99,      INT_MAX };
	struct semid_ds stat = set_stat(set);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		CHECK_ERRNO("C1", EINVAL,
		            semctl(-1, 0, commands[i], (union semun){ .buf = &stat }));
	CHECK_ERRNO("C1", EINVAL, semctl(set, 0, 99, (union semun){ .val = 0 }));
	CHECK_ERRNO("C1", EINVAL, semctl(set, 0, -1, (union semun){ .val = 0 }));
}

static void test_values(void)
{
	static const int gets[] = { GETVAL, GETPID, GETNCNT, GETZCNT };
	unsigned short values[3] = { 1, 2, 3 };
	union semun array = { .array = values };
	int id = private_set(3);
	for (int i = 0; i < 4; i++) {
		CHECK_ERRNO("C2", EINVAL, semctl(id, 3, gets[i]));
		CHECK_ERRNO("C2", EINVAL, semctl(id, -1, gets[i]));
		CHECK_LINE("C2", semctl(id, 2, gets[i]) == 0);
	}
	CHECK_ERRNO("C3", ERANGE, set_value(gone, 9, 32768));
	CHECK_ERRNO("C3", ERANGE, set_value(id, 0, -1));
	CHECK_ERRNO("C3", EINVAL, set_value(id, 3, 1));
	CHECK_ERRNO("C3", EINVAL, set_value(gone, 0, 1));
	wait_past(set_stat(id).sem_ctime);
	time_t now = clock_before();
	CHECK_LINE("C3", set_value(id, 1, 7) == 0 && value_of(id, 1) == 7);
	CHECK_LINE("C3", semctl(id, 1, GETPID) == getpid() && semctl(id, 0, GETPID) == 0);
	CHECK_LINE("C3", set_stat(id).sem_otime == 0 && set_stat(id).sem_ctime >= now);
	CHECK_ERRNO("C4", EINVAL, semctl(gone, 0, SETALL, (union semun){ .array = NULL }));
	values[2] = 40000;
	CHECK_ERRNO("C4", ERANGE, semctl(id, 0, SETALL, array));
	CHECK_LINE("C4", value_of(id, 0) == 0 && value_of(id, 1) == 7);
	values[2] = 3;
	CHECK_LINE("C4", semctl(id, -5, SETALL, array) == 0 && semctl(id, 2, GETPID) == getpid());
	CHECK_LINE("C4", set_stat(id).sem_otime == 0);
	memset(values, 0, sizeof values);
	CHECK_LINE("C5", semctl(id, 99, GETALL, array) == 0);
	CHECK_LINE("C5", values[0] == 1 && values[1] == 2 && values[2] == 3);
	CHECK_LINE("C12", semctl(id, 0, SETVAL, 0x1234) == 0 && value_of(id, 0) == 0x1234);
	/* With 32 bits the C library looks into the structures itself. */
	CHECK_ERRNO("C4", EFAULT, semctl(id, 0, SETALL, (union semun){ .array = NULL }));
	CHECK_ERRNO("C5", EFAULT, semctl(id, 0, GETALL, (union semun){ .array = NULL }));
}

static void test_structure(void)
{
	int id = private_set(2);
	struct semid_ds stat, before = set_stat(id);
	CHECK_LINE("C6", semctl(id, 77, IPC_STAT, (union semun){ .buf = &stat }) == 0);
#if ULONG_MAX > UINT32_MAX
	CHECK_ERRNO("C6", EFAULT, semctl(id, 0, IPC_STAT, (union semun){ .buf = NULL }));
	CHECK_ERRNO("C6", EINVAL, semctl(gone, 0, IPC_STAT, (union semun){ .buf = NULL }));
	CHECK_ERRNO("C7", EFAULT, semctl(gone, 0, IPC_SET, (union semun){ .buf = NULL }));
	CHECK_ERRNO("C9", EFAULT, semctl(0, 0, IPC_INFO, (union semun){ .info = NULL }));
#endif
	wait_past(before.sem_ctime);
	time_t now = clock_before();
	stat.sem_perm.mode = 07640;
	stat.sem_perm.cuid = 12;
	stat.sem_nsems = 9;
	CHECK_LINE("C7", semctl(id, 9, IPC_SET, (union semun){ .buf = &stat }) == 0);
	stat = set_stat(id);
	CHECK_LINE("C7", stat.sem_perm.mode == 0640 && stat.sem_nsems == 2);
	CHECK_LINE("C7", stat.sem_perm.cuid == before.sem_perm.cuid && stat.sem_ctime >= now);
	stat.sem_perm.uid = (uid_t)-1;
	CHECK_ERRNO("C7", EINVAL, semctl(id, 0, IPC_SET, (union semun){ .buf = &stat }));
	CHECK_LINE("C8", semctl(id, 99, IPC_RMID) == 0);
	CHECK_ERRNO("C8", EINVAL, semctl(id, 0, IPC_RMID));
	CHECK_ERRNO("C8", EINVAL, value_of(id, 0));
}

static void test_info(void)
{
	struct seminfo info = { 0 }, now = { 0 };
	struct semid_ds stat = { .sem_nsems = 0 };
	int id = private_set(5);
	int highest = semctl(0, 0, IPC_INFO, (union semun){ .info = &info });
	CHECK_LINE("C9", highest >= id % 32768 && semctl(99, 7, IPC_INFO, &info) == highest);
	CHECK_LINE("C9", info.semvmx == 32767 && info.semaem == 32767 && info.semusz == 20);
	CHECK_LINE("C9", info.semume == 500 && info.semmnu == 1024000000);
	CHECK_LINE("C9", info.semmap == 1024000000);
	long long limits[4] = { 0 };
	FILE *file = fopen("/proc/sys/kernel/sem", "r");
	CHECK(file != NULL && fscanf(file, "%lld %lld %lld %lld", &limits[0], &limits[1],
	                             &limits[2], &limits[3]) == 4);
	if (file != NULL)
		fclose(file);
	CHECK_LINE("C9", info.semmsl == limits[0] && info.semmns == limits[1]);
	CHECK_LINE("C9", info.semopm == limits[2] && info.semmni == limits[3]);
	CHECK_LINE("L1", limits[0] == 32000 && limits[1] == 1024000000 && limits[2] == 500 &&
	                         limits[3] == 32000);
	CHECK(semctl(0, 0, SEM_INFO, (union semun){ .info = &info }) == highest);
	int more = private_set(7);
	CHECK(semctl(0, 0, SEM_INFO, (union semun){ .info = &now }) >= 0);
	if (alone())
		CHECK_LINE("C10", now.semusz == info.semusz + 1 && now.semaem == info.semaem + 7);
	CHECK_LINE("C11", semctl(id % 32768, 0, SEM_STAT, (union semun){ .buf = &stat }) == id);
	CHECK_LINE("C11", stat.sem_nsems == 5);
	CHECK_LINE("C11", semctl(id, 0, SEM_STAT_ANY, (union semun){ .buf = &stat }) == id);
	CHECK(semctl(more, 0, IPC_RMID) == 0);
	CHECK_ERRNO("C11", EINVAL,
	            semctl(more % 32768, 0, SEM_STAT, (union semun){ .buf = &stat }));
}

int main(void)
{
	begin_sets();
	set = private_set(3);
	gone = private_set(1);
	CHECK(semctl(gone, 0, IPC_RMID) == 0);
	test_ids();
	test_values();
	test_structure();
	test_info();
	return test_result();
}
