/* SPDX-License-Identifier: MIT */
/*
 * permission.c - who may do what: group P of docs/semantics-msg.md. Needs root, whose children
 * become other users.
 */
#include "support/queues.h"

#include <grp.h>

enum { OWNER = 12301, STRANGER = 12302, GROUP = 12401, OTHERS = 12402 };

static int queue;
static key_t key;

static void become(uid_t uid, gid_t gid, gid_t extra)
{
	CHECK(setgroups(extra != 0, &extra) == 0 && setgid(gid) == 0 && setuid(uid) == 0);
}

static int change(unsigned mode, uid_t uid, gid_t gid, unsigned long room)
{
	struct msqid_ds stat;
	memset(&stat, 0, sizeof stat);
	stat.msg_perm.uid = uid;
	stat.msg_perm.gid = gid;
	stat.msg_perm.mode = (unsigned short)mode;
	stat.msg_qbytes = room;
	return msgctl(queue, IPC_SET, &stat);
}

/* What the caller may do, as r and w. */
static const char *rights(void)
{
	bool writes = put(queue, 1, "x") == 0;
	if (!writes)
		CHECK_LINE("S1", errno == EACCES);
	bool reads = take_sized(queue, 10, 99, 0) < 0 && errno == ENOMSG;
	if (!reads)
		CHECK_LINE("R3", errno == EACCES);
	return reads ? writes ? "rw" : "r" : writes ? "w" : "";
}

static void without_any(void *unused)
{
	struct msqid_ds stat;
	(void)unused;
	become(STRANGER, OTHERS, 0);
	CHECK_LINE("G4", msgget(key, 0) == queue);
	CHECK_ERRNO("G4", EACCES, msgget(key, 0400));
	CHECK_ERRNO("G4", EACCES, msgget(key, 0002));
	CHECK_ERRNO("G3", EEXIST, msgget(key, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERRNO("S1", EINVAL, put(queue, 0, "x"));
	CHECK_ERRNO("R3", EACCES, msgrcv(queue, &got, 0, 0, 0));
	CHECK_ERRNO("C2", EACCES, msgctl(queue, IPC_STAT, &stat));
	CHECK_ERRNO("P1", EACCES, msgctl(queue % 32768, MSG_STAT, &stat));
	CHECK_LINE("C10", msgctl(queue % 32768, MSG_STAT_ANY, &stat) == queue);
	CHECK_ERRNO("C3", EPERM, msgctl(queue, IPC_SET, &stat));
	CHECK_ERRNO("C7", EPERM, msgctl(queue, IPC_RMID, NULL));
	CHECK_ERRNO("T4", EACCES, take_sized(queue, 10, 0, MSG_COPY));
}

static void as_other(void *wanted)
{
	become(STRANGER, OTHERS, 0);
	CHECK_LINE("P1, P2", strcmp(rights(), wanted) == 0);
}

static void as_member(void *wanted)
{
	become(STRANGER, GROUP, 0);
	CHECK_LINE("P2", strcmp(rights(), wanted) == 0);
}

static void as_extra_member(void *wanted)
{
	become(STRANGER, OTHERS, GROUP);
	CHECK_LINE("P2", strcmp(rights(), wanted) == 0);
}

static void as_owner(void *wanted)
{
	become(OWNER, OTHERS, 0);
	CHECK_LINE("P2", strcmp(rights(), wanted) == 0);
}

static void own_queue(void *unused)
{
	(void)unused;
	become(OWNER, GROUP, 0);
	queue = msgget(IPC_PRIVATE, 0600);
	CHECK(queue >= 0 && strcmp(rights(), "rw") == 0);
	CHECK_LINE("C4", change(0600, OWNER, GROUP, 100) == 0);
	CHECK_LINE("C4", change(0600, OWNER, GROUP, 16384) == 0);
	CHECK_ERRNO("C4", EPERM, change(0640, OWNER, GROUP, 16385));
	CHECK_LINE("C4", queue_stat(queue).msg_perm.mode == 0600);
	CHECK_LINE("P3", change(0, OWNER, GROUP, 16384) == 0 && strcmp(rights(), "") == 0);
	CHECK_LINE("P3", change(0600, OWNER, GROUP, 16384) == 0);
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
}

static void set_again(void *unused)
{
	(void)unused;
	become(OWNER, GROUP, 0);
	CHECK_ERRNO("C5", EPERM, change(0600, OWNER, GROUP, 16384));
	CHECK_LINE("C5", queue_stat(queue).msg_qbytes == 16384);
	CHECK_LINE("C5", change(0600, OWNER, GROUP, 100) == 0);
}

static bool write_limit(const char *text)
{
	FILE *file = fopen("/proc/sys/kernel/msgmnb", "we");
	bool written = file != NULL && fputs(text, file) >= 0;
	return file != NULL && fclose(file) == 0 && written;
}

static void asleep(void *unused)
{
	(void)unused;
	become(STRANGER, OTHERS, 0);
	CHECK_ERRNO("B8, P4", EACCES, msgrcv(queue, &got, 10, 50, 0));
}

static void test_revoked(void)
{
	CHECK(change(0606, 0, 0, 16384) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		asleep(NULL);
		_exit(test_result());
	}
	until_asleep(pid);
	CHECK(change(0600, 0, 0, 16384) == 0);
	CHECK_LINE("B8", result_of(pid) == 0);
}

static void remove_it(void *unused)
{
	(void)unused;
	become(OWNER, GROUP, 0);
	CHECK_LINE("C7", msgctl(queue, IPC_RMID, NULL) == 0);
}

/* The owner has no rights, and yet the one who sleeps is told at once. */
static void test_removed_without_rights(void)
{
	int before = queue;
	queue = private_queue();
	CHECK(change(0, OWNER, GROUP, 16384) == 0);
	pid_t sleeps = receiver(queue, 10, 0, 0);
	CHECK(in_child(remove_it, NULL));
	CHECK_LINE("B9", result_of(sleeps) == 100 + EIDRM);
	queue = before;
}

static void make_and_remove(void *number)
{
	become(STRANGER, OTHERS, 0);
	if (number == NULL) {
		CHECK(msgget(key + 1, IPC_CREAT | IPC_EXCL | 0666) >= 0);
	} else {
		CHECK_LINE("C7", msgctl(*(int *)number, IPC_RMID, NULL) == 0);
	}
}

/* The creator removes it, who is not the owner any more. */
static void test_removed_by_creator(void)
{
	enum { SLEEPERS = 6 };
	pid_t pids[SLEEPERS];
	int before = queue;
	CHECK(in_child(make_and_remove, NULL));
	queue = msgget(key + 1, 0);
	CHECK(queue >= 0 && change(0666, OWNER, GROUP, 16384) == 0);
	for (int i = 0; i < SLEEPERS; i++)
		pids[i] = receiver(queue, 10, 0, 0);
	CHECK(in_child(make_and_remove, &queue));
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_LINE("B9", result_of(pids[i]) == 100 + EIDRM);
	queue = before;
}

int main(void)
{
	begin_queues();
	if (geteuid() != 0 || !alone())
		SKIP("only root can become other users");
	key = fresh_queue_key();
	queue = make_queue(key, IPC_CREAT | 0600);
	CHECK(put(queue, 1, "x") == 0);
	CHECK(in_child(without_any, NULL));
	CHECK(change(0426, OWNER, GROUP, 16384) == 0);
	CHECK(in_child(as_owner, (char[]){ "r" }));
	CHECK(in_child(as_member, (char[]){ "w" }));
	CHECK(in_child(as_extra_member, (char[]){ "w" }));
	CHECK(in_child(as_other, (char[]){ "rw" }));
	CHECK(change(0622, 0, 0, 16384) == 0 && in_child(as_other, (char[]){ "w" }));
	CHECK(change(0644, 0, 0, 16384) == 0 && in_child(as_other, (char[]){ "r" }));
	CHECK(change(0066, OWNER, GROUP, 16384) == 0 && in_child(as_owner, (char[]){ "" }));
	CHECK(change(0, OWNER, GROUP, 16384) == 0);
	CHECK_LINE("P4", strcmp(rights(), "rw") == 0);
	CHECK(in_child(own_queue, NULL));
	test_removed_without_rights();
	for (int i = 0; i < 3; i++)
		test_removed_by_creator();
	if (change(0600, OWNER, GROUP, 16384) == 0 && write_limit("100\n")) {
		CHECK(in_child(set_again, NULL));
		CHECK(write_limit("16384\n"));
	}
	test_revoked();
	return test_result();
}
