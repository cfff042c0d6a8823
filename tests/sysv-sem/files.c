/* SPDX-License-Identifier: MIT */
/* files.c - /proc/sysvipc/sem and the structures: groups F and L of docs/semantics-sem.md. */
#include "support/sets.h"

#include <stddef.h>

/* Reads the header and the row of the set. */
static void read_table(int id, char header[200], char row[200])
{
	char line[200], number[16];
	snprintf(number, sizeof number, " %d ", id);
	header[0] = row[0] = '\0';
	FILE *file = fopen("/proc/sysvipc/sem", "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (header[0] == '\0')
			strcpy(header, line);
		else if (strstr(line, number) != NULL)
			strcpy(row, line);
	}
	if (file != NULL)
		fclose(file);
}

static void test_table(void)
{
	char header[200], row[200], wanted[200];
	int id = make_set(fresh_set_key(), 17, IPC_CREAT | 0640);
	CHECK(OPS(id, OP(3, 1, 0)) == 0);
	struct semid_ds stat = set_stat(id);
	snprintf(wanted, sizeof wanted, "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n",
	         stat.sem_perm.__key, id, 0640u, 17u, geteuid(), getegid(), geteuid(), getegid(),
	         (unsigned long long)stat.sem_otime, (unsigned long long)stat.sem_ctime);
	read_table(id, header, row);
	CHECK_LINE("F1", strcmp(header, "       key      semid perms      nsems   uid   gid  cuid"
	                                "  cgid      otime      ctime\n") == 0);
	CHECK_LINE("F1", strcmp(row, wanted) == 0);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	read_table(id, header, row);
	CHECK_LINE("F1", row[0] == '\0');
}

static void test_layout(void)
{
	CHECK_LINE("F2", sizeof(struct seminfo) == 40 && sizeof(struct sembuf) == 6);
#if defined(__x86_64__) && defined(__LP64__)
	CHECK_LINE("F2", sizeof(struct semid_ds) == 104);
	CHECK_LINE("F2", offsetof(struct semid_ds, sem_otime) == 48);
	CHECK_LINE("F2", offsetof(struct semid_ds, sem_ctime) == 64);
	CHECK_LINE("F2", offsetof(struct semid_ds, sem_nsems) == 80);
#endif
}

static bool write_to(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");
	bool written = file != NULL && fputs(text, file) >= 0;
	return file != NULL && fclose(file) == 0 && written;
}

static void test_limits(void)
{
	const char *name = "/proc/sys/kernel/sem", *next = "/proc/sys/kernel/sem_next_id";
	if (!alone() || !write_to(name, "10 100 5 32000\n"))
		return; /* only root may set the kernel's */
	static struct sembuf many[6];
	key_t key = fresh_set_key();
	int id = make_set(key, 10, IPC_CREAT | 0600);
	CHECK_ERRNO("L1", EINVAL, semget(IPC_PRIVATE, 11, 0600));
	CHECK_ERRNO("L1", E2BIG, semop(id, many, 6));
	CHECK_LINE("L1", semop(id, many, 5) == 0);
	CHECK(write_to(name, "5 100 5 32000\n"));
	CHECK_LINE("L1", OPS(id, OP(9, 1, 0)) == 0 && semget(key, 5, 0) == id);
	CHECK_ERRNO("L1", EINVAL, semget(key, 6, 0));
	CHECK(write_to(name, "32000 12 500 32000\n"));
	CHECK_ERRNO("G5", ENOSPC, semget(IPC_PRIVATE, 3, 0600));
	CHECK_ERRNO("G5", EINVAL, semget(IPC_PRIVATE, 0, 0600));
	CHECK(write_to(name, "32000 1024000000 500 1\n"));
	CHECK_ERRNO("G5", ENOSPC, semget(IPC_PRIVATE, 1, 0600));
	CHECK(write_to(name, "32000 1024000000 500 32000\n"));
	if (write_to(next, "229476\n")) { /* 7 * 32768 + 100 */
		CHECK_LINE("L2", private_set(1) == 229476);
		CHECK_LINE("L2", number_in(next, "") == -1 && private_set(1) != 229476);
	}
}

int main(void)
{
	begin_sets();
	test_table();
	test_layout();
	test_limits();
	return test_result();
}
