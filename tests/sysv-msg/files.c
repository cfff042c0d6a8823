/* SPDX-License-Identifier: MIT */
/* files.c - /proc/sysvipc/msg, structures, sysctls: groups F and X of docs/semantics-msg.md. */
#include "support/queues.h"

#include <stddef.h>

static void read_table(int id, char header[200], char row[200])
{
	char line[200], number[16];
	snprintf(number, sizeof number, " %d ", id);
	header[0] = row[0] = '\0';
	FILE *file = fopen("/proc/sysvipc/msg", "r");
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
	int id = make_queue(fresh_queue_key(), IPC_CREAT | 0640);
	CHECK(put(id, 1, "12345") == 0 && put(id, 1, "12") == 0 && takes(id, 0, 0, 1, "12345"));
	struct msqid_ds stat = queue_stat(id);
	snprintf(wanted, sizeof wanted,
	         "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu\n",
	         stat.msg_perm.__key, id, 0640u, 2ul, 1ul, (unsigned)getpid(), (unsigned)getpid(),
	         geteuid(), getegid(), geteuid(), getegid(), (unsigned long long)stat.msg_stime,
	         (unsigned long long)stat.msg_rtime, (unsigned long long)stat.msg_ctime);
	read_table(id, header, row);
	CHECK_LINE("F1", strcmp(header, "       key      msqid perms      cbytes       qnum lspid"
	                                " lrpid   uid   gid  cuid  cgid      stime      rtime"
	                                "      ctime\n") == 0);
	CHECK_LINE("F1", strcmp(row, wanted) == 0);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	read_table(id, header, row);
	CHECK_LINE("F1", row[0] == '\0');
}

static void test_layout(void)
{
	CHECK_LINE("F2", sizeof(struct msginfo) == 32);
#if defined(__x86_64__) && defined(__LP64__)
	CHECK_LINE("F2", sizeof(struct msqid_ds) == 120);
	CHECK_LINE("F2", offsetof(struct msqid_ds, msg_stime) == 48);
	CHECK_LINE("F2", offsetof(struct msqid_ds, msg_qnum) == 80);
	CHECK_LINE("F2", offsetof(struct msqid_ds, msg_lrpid) == 100);
#endif
}

static bool write_to(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");
	bool written = file != NULL && fputs(text, file) >= 0;
	return file != NULL && fclose(file) == 0 && written;
}

/* msgmax is 200000 and msgmnb 150000. */
static void test_raised(void)
{
	enum { LONG_TEXT = 100000 };
	static struct {
		long type;
		char text[LONG_TEXT];
	} sent = { 1, { 0 } }, came;
	struct msginfo info;
	int id = private_queue();
	memset(sent.text, 'l', sizeof sent.text);
	CHECK_LINE("fine X05", queue_stat(id).msg_qbytes == 150000);
	CHECK_LINE("fine X05", msgsnd(id, &sent, LONG_TEXT, IPC_NOWAIT) == 0 &&
	                               msgrcv(id, &came, LONG_TEXT, 0, IPC_NOWAIT) == LONG_TEXT);
	CHECK_LINE("fine X05", memcmp(sent.text, came.text, LONG_TEXT) == 0);
	CHECK_LINE("fine X13", msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&info) >= 0 &&
	                               info.msgmax == 200000 && info.msgmnb == 150000);
}

static void test_limits(void)
{
	const char *max = "/proc/sys/kernel/msgmax", *mnb = "/proc/sys/kernel/msgmnb";
	const char *mni = "/proc/sys/kernel/msgmni", *next = "/proc/sys/kernel/msg_next_id";
	int id = private_queue();
	CHECK_LINE("X1", number_in(max, "") == 8192 && number_in(mnb, "") == 16384);
	CHECK_LINE("X1", number_in(mni, "") == 32000);
	CHECK_LINE("X3", number_in("/proc/sys/kernel/auto_msgmni", "") == 0);
	if (!alone() || !write_to(max, "3\n"))
		return; /* only root may set the kernel's */
	CHECK_ERRNO("X1", EINVAL, put(id, 1, "1234"));
	CHECK_LINE("X1", put(id, 1, "123") == 0);
	CHECK(write_to(max, "20000\n") && write_to(mnb, "10\n"));
	int small = private_queue();
	CHECK_LINE("X1", queue_stat(small).msg_qbytes == 10);
	CHECK_LINE("X1", queue_stat(id).msg_qbytes == 16384);
	CHECK_ERRNO("X2", EAGAIN, put(small, 1, "longer than ten"));
	CHECK(write_to(max, "200000\n") && write_to(mnb, "150000\n"));
	test_raised();
	CHECK(write_to(mnb, "16384\n") && write_to(max, "8192\n") && write_to(mni, "1\n"));
	CHECK_LINE("fine X12", put(id, 2, "still there") == 0 && takes(id, 2, 0, 2, "still there"));
	CHECK_ERRNO("G9", ENOSPC, msgget(IPC_PRIVATE, 0600));
	CHECK_ERRNO("G9", ENOENT, msgget(fresh_queue_key(), 0));
	CHECK(write_to(mni, "32000\n"));
	CHECK_LINE("X3", write_to("/proc/sys/kernel/auto_msgmni", "1\n"));
	CHECK_LINE("X3", number_in("/proc/sys/kernel/auto_msgmni", "") == 0);
	if (write_to(next, "229476\n")) { /* 7 * 32768 + 100 */
		CHECK_LINE("X3", private_queue() == 229476);
		CHECK_LINE("X3", number_in(next, "") == -1 && private_queue() != 229476);
	}
}

int main(void)
{
	begin_queues();
	test_table();
	test_layout();
	test_limits();
	return test_result();
}
