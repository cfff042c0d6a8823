/* SPDX-License-Identifier: MIT */
/*
 * permission.c - who may do what: group P of docs/semantics-sem.md, and what others say of
 * permission. Needs root, whose children become other users.
 */
#include "support/sets.h"

#include <grp.h>
#include <sys/syscall.h>

enum { OWNER = 12301, STRANGER = 12302, GROUP = 12401, OTHERS = 12402 };

static int set;
static key_t key;

static void become(uid_t uid, gid_t gid, gid_t extra)
{
	CHECK(setgroups(extra != 0, &extra) == 0 && setgid(gid) == 0 && setuid(uid) == 0);
}

static void change_mode(unsigned mode, uid_t uid, gid_t gid)
{
	struct semid_ds stat;
	memset(&stat, 0, sizeof stat);
	stat.sem_perm.uid = uid;
	stat.sem_perm.gid = gid;
	stat.sem_perm.mode = (unsigned short)mode;
	CHECK(semctl(set, 0, IPC_SET, (union semun){ .buf = &stat }) == 0);
}

/* What the caller may do, as r and w. */
static const char *rights(void)
{
	bool reads = value_of(set, 0) >= 0, writes = OPS(set, OP(0, 1, 0)) == 0;
	return reads ? writes ? "rw" : "r" : writes ? "w" : "";
}

static void without_any(void *unused)
{
	struct semid_ds stat;
	struct seminfo info;
	unsigned short values[2] = { 0 };
	(void)unused;
	become(STRANGER, OTHERS, 0);
	CHECK_LINE("G6", semget(key, 2, 0) == set);
	CHECK_ERRNO("G6", EACCES, semget(key, 2, 0400));
	CHECK_ERRNO("G6", EACCES, semget(key, 2, 0002));
	CHECK_ERRNO("G6", EINVAL, semget(key, 3, 0400));
	CHECK_ERRNO("G4", EEXIST, semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERRNO("S2", EACCES, OPS(set, OP(0, 0, 0)));
	CHECK_ERRNO("S1", EFBIG, OPS(set, OP(2, 1, 0)));
	CHECK_ERRNO("P3", EFBIG, OPS(set, OP(2, 1, 0)));
	CHECK_ERRNO("C2", EACCES, semctl(set, 9, GETVAL));
	CHECK_ERRNO("P3", EACCES, semctl(set, 9, GETPID));
	CHECK_ERRNO("C2", EACCES, semctl(set, 0, GETNCNT));
	CHECK_ERRNO("C2", EACCES, semctl(set, 0, GETZCNT));
	CHECK_ERRNO("C3", EACCES, set_value(set, 0, 1));
	CHECK_ERRNO("P3", EINVAL, set_value(set, 2, 1));
	CHECK_ERRNO("P3", ERANGE, set_value(set, 0, 40000));
	CHECK_ERRNO("C4", EACCES, semctl(set, 0, SETALL, (union semun){ .array = NULL }));
	CHECK_ERRNO("C5", EACCES, semctl(set, 0, GETALL, (union semun){ .array = values }));
	CHECK_ERRNO("P3", EACCES, semctl(set, 0, GETALL, (union semun){ .array = NULL }));
	CHECK_ERRNO("C6", EACCES, semctl(set, 0, IPC_STAT, (union semun){ .buf = &stat }));
	memset(&stat, 0xff, sizeof stat);
	CHECK_ERRNO("C7", EPERM, semctl(set, 0, IPC_SET, (union semun){ .buf = &stat }));
	CHECK_ERRNO("C8", EPERM, semctl(set, 0, IPC_RMID));
	CHECK_LINE("C9", semctl(0, 0, IPC_INFO, (union semun){ .info = &info }) >= 0);
	CHECK_ERRNO("C11", EACCES, semctl(set % 32768, 0, SEM_STAT, (union semun){ .buf = &stat }));
	CHECK_LINE("C11", semctl(set % 32768, 0, 20 | (IPC_STAT & 0x100),
	                         (union semun){ .buf = &stat }) == set);
	FILE *file = fopen("/proc/sysvipc/sem", "r");
	char line[200], number[16];
	bool found = false;
	snprintf(number, sizeof number, " %d ", set);
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		found |= strstr(line, number) != NULL;
	CHECK_LINE("F1", found);
}

static void as_other(void *wanted)
{
	become(STRANGER, OTHERS, 0);
	CHECK_LINE("P1", strcmp(rights(), wanted) == 0);
}

static void as_member(void *wanted)
{
	become(STRANGER, GROUP, 0);
	CHECK_LINE("P1", strcmp(rights(), wanted) == 0);
}

static void as_extra_member(void *wanted)
{
	become(STRANGER, OTHERS, GROUP);
	CHECK_LINE("P1", strcmp(rights(), wanted) == 0);
}

static void as_owner(void *wanted)
{
	become(OWNER, OTHERS, 0);
	CHECK_LINE("P1", strcmp(rights(), wanted) == 0);
}

/* ThreadSanitizer's runtime needs rights that the child gives up. */
#if defined(__SANITIZE_THREAD__)
enum { LEAVES = 0 };
#else
enum { LEAVES = 1 };
#endif

/* The numbers of capabilities(7). musl has no header with them. */
enum { SETGID = 6, IPC_OWNER = 15, VERSION_3 = 0x20080522 };

static void have_capability(unsigned capability)
{
	struct {
		uint32_t version;
		int pid;
	} header = { VERSION_3, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} words[2];
	CHECK(syscall(SYS_capget, &header, words) == 0);
	words[0].effective = 1u << capability;
	words[1].effective = 0;
	CHECK(syscall(SYS_capset, &header, words) == 0);
}

/* A right that came with a group, or with a capability, goes with it. */
static void as_leaver(void *unused)
{
	gid_t extra = GROUP;
	(void)unused;
	CHECK(setgroups(1, &extra) == 0 && setgid(OTHERS) == 0);
	CHECK(setresuid(STRANGER, STRANGER, 0) == 0);
	have_capability(SETGID);
	CHECK_LINE("P1", strcmp(rights(), "rw") == 0);
	CHECK(setgroups(0, NULL) == 0);
	CHECK_LINE("P1", strcmp(rights(), "") == 0);
	have_capability(IPC_OWNER);
	CHECK_LINE("P1", strcmp(rights(), "rw") == 0);
	have_capability(SETGID);
	CHECK_LINE("P1", strcmp(rights(), "") == 0);
	CHECK(setegid(GROUP) == 0);
	CHECK_LINE("P1", strcmp(rights(), "rw") == 0);
	CHECK(setegid(OTHERS) == 0);
	CHECK_LINE("P1", strcmp(rights(), "") == 0);
}

static void test_classes(void)
{
	change_mode(0426, OWNER, GROUP);
	CHECK(in_child(as_owner, (char[]){ "r" }));
	CHECK(in_child(as_member, (char[]){ "w" }));
	CHECK(in_child(as_extra_member, (char[]){ "w" }));
	CHECK(in_child(as_other, (char[]){ "rw" }));
	change_mode(0060, OWNER, GROUP);
	CHECK(!LEAVES || in_child(as_leaver, NULL));
	change_mode(0066, OWNER, GROUP);
	CHECK(in_child(as_owner, (char[]){ "" }));
	change_mode(0000, OWNER, GROUP);
	CHECK_LINE("P1: root passes", strcmp(rights(), "rw") == 0);
}

static void only_writes(void *unused)
{
	unsigned short values[2] = { 1, 1 };
	(void)unused;
	become(STRANGER, OTHERS, 0);
	CHECK_LINE("P2", OPS(set, OP(0, 1, 0)) == 0 && set_value(set, 0, 2) == 0);
	CHECK_LINE("P2", semctl(set, 0, SETALL, (union semun){ .array = values }) == 0);
	CHECK_ERRNO("P2", EACCES, value_of(set, 0));
	CHECK_ERRNO("S2", EACCES, OPS(set, OP(0, 0, IPC_NOWAIT)));
	CHECK_LINE("S2", OPS(set, OP(1, -1, 0), OP(1, 0, 0)) == 0);
}

static void only_reads(void *unused)
{
	(void)unused;
	become(STRANGER, OTHERS, 0);
	CHECK_LINE("P2", value_of(set, 0) == 1 && OPS(set, OP(1, 0, 0)) == 0);
	CHECK_ERRNO("S2", EACCES, OPS(set, OP(0, 1, 0)));
	CHECK_ERRNO("P2", EACCES, set_value(set, 0, 2));
}

static void own_set(void *unused)
{
	(void)unused;
	become(OWNER, GROUP, 0);
	set = semget(IPC_PRIVATE, 1, 0600);
	CHECK(set >= 0);
	change_mode(0, OWNER, GROUP);
	CHECK_ERRNO("P4", EACCES, value_of(set, 0));
	change_mode(0600, OWNER, GROUP);
	CHECK_LINE("P4", value_of(set, 0) == 0);
	CHECK(semctl(set, 0, IPC_RMID) == 0);
	set = semget(IPC_PRIVATE, 1, 0);
	CHECK_LINE("C8", set >= 0 && semctl(set, 0, IPC_RMID) == 0);
}

int main(void)
{
	begin_sets();
	if (geteuid() != 0 || !alone())
		SKIP("only root can become other users");
	key = fresh_set_key();
	set = make_set(key, 2, IPC_CREAT | 0600);
	CHECK(in_child(without_any, NULL));
	test_classes();
	change_mode(0602, 0, 0);
	CHECK(in_child(only_writes, NULL));
	change_mode(0604, 0, 0);
	CHECK(in_child(only_reads, NULL));
	CHECK(in_child(own_set, NULL));
	return test_result();
}
