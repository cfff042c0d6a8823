/* SPDX-License-Identifier: MIT */
/* queue.c - msgget and msgctl: groups G and C of docs/semantics-msg.md. */
#include "support/queues.h"

#include <sys/resource.h>

static int gone;

static void test_keys(void)
{
	int one = private_queue(), two = make_queue(IPC_PRIVATE, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("G1", one != two && queue_stat(one).msg_perm.__key == 0);
	key_t key = fresh_queue_key();
	CHECK_ERRNO("G2", ENOENT, msgget(key, 0600));
	CHECK_ERRNO("G2", ENOENT, msgget(key, IPC_EXCL | 0600));
	int id = make_queue(key, IPC_CREAT | 0600);
	CHECK_LINE("G3", msgget(key, 0) == id && msgget(key, IPC_CREAT | 0600) == id);
	CHECK_ERRNO("G3", EEXIST, msgget(key, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_LINE("G4", msgget(key, IPC_EXCL | 0400) == id);
	int odd = make_queue(-1, IPC_CREAT | 0600);
	CHECK_LINE("G7", queue_stat(odd).msg_perm.__key == -1);
	CHECK_LINE("G7", shmget(key, 0, 0) < 0 && errno == ENOENT);
}

static void test_fresh(void)
{
	time_t before = clock_before();
	mode_t mask = umask(077);
	int id = make_queue(IPC_PRIVATE, 07654);
	umask(mask);
	struct msqid_ds stat = queue_stat(id);
	CHECK_LINE("G5", (stat.msg_perm.mode & 07777) == 0654);
	CHECK_LINE("G6", stat.msg_qnum == 0 && stat.msg_cbytes == 0 && stat.msg_lspid == 0);
	CHECK_LINE("G6", stat.msg_lrpid == 0 && stat.msg_stime == 0 && stat.msg_rtime == 0);
	CHECK_LINE("G6", stat.msg_ctime >= before && stat.msg_ctime <= clock_after());
	CHECK_LINE("G6", stat.msg_qbytes == 16384 && stat.msg_perm.uid == geteuid());
	CHECK_LINE("G6", stat.msg_perm.cuid == geteuid() && stat.msg_perm.gid == getegid());
	CHECK_LINE("C11", stat.msg_ctime <= clock_after());
}

static void test_ids(void)
{
	key_t key = fresh_queue_key();
	int id = make_queue(key, IPC_CREAT | 0600);
	CHECK_LINE("G8", queue_stat(id).msg_perm.__seq == id / 32768);
	CHECK(put(id, 1, "lost") == 0 && msgctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("C7", EINVAL, msgctl(id, IPC_RMID, NULL));
	CHECK_ERRNO("G8", EINVAL, take_sized(id, 10, 0, 0));
	int next = make_queue(key, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("C7", next != id && queue_stat(next).msg_qnum == 0);
	if (alone()) {
		for (int i = 0; i < 64; i++)
			CHECK(msgctl(private_queue(), IPC_RMID, NULL) == 0);
		int later = private_queue();
		CHECK_LINE("G8", later % 32768 < 64 && later / 32768 == next / 32768 + 1);
	}
	gone = id;
}

static void test_commands(void)
{
	int id = private_queue();
	struct msqid_ds stat;
	CHECK_ERRNO("C1", EINVAL, msgctl(-1, IPC_STAT, &stat));
	CHECK_ERRNO("C1", EINVAL, msgctl(-1, IPC_INFO, &stat));
	CHECK_ERRNO("C1", EINVAL, msgctl(-1, MSG_STAT, &stat));
	CHECK_ERRNO("C1", EINVAL, msgctl(id, -1, &stat));
	CHECK_ERRNO("C1", EINVAL, msgctl(id, 99, &stat));
	CHECK_ERRNO("C1", EINVAL, msgctl(gone, IPC_STAT, &stat));
	CHECK_LINE("C2", msgctl(id, IPC_STAT, &stat) == 0);
#if ULONG_MAX > UINT32_MAX
	CHECK_ERRNO("C2", EFAULT, msgctl(id, IPC_STAT, NULL));
	CHECK_ERRNO("C2", EINVAL, msgctl(gone, IPC_STAT, NULL));
	CHECK_ERRNO("C3", EFAULT, msgctl(gone, IPC_SET, NULL));
	CHECK_ERRNO("C8", EFAULT, msgctl(0, IPC_INFO, NULL));
#endif
	struct msqid_ds before = queue_stat(id);
	wait_past(before.msg_ctime);
	time_t now = clock_before();
	stat = before;
	stat.msg_perm.mode = 07640;
	stat.msg_perm.cuid = 12;
	stat.msg_qbytes = 100;
	stat.msg_qnum = 7;
	stat.msg_lspid = 7;
	CHECK_LINE("C3", msgctl(id, IPC_SET, &stat) == 0);
	stat = queue_stat(id);
	CHECK_LINE("C3", stat.msg_perm.mode == 0640 && stat.msg_qbytes == 100);
	CHECK_LINE("C3", stat.msg_perm.cuid == before.msg_perm.cuid && stat.msg_qnum == 0);
	CHECK_LINE("C3", stat.msg_ctime >= now && stat.msg_lspid == 0);
	stat.msg_perm.uid = (uid_t)-1;
	stat.msg_qbytes = 200;
	CHECK_ERRNO("C3", EINVAL, msgctl(id, IPC_SET, &stat));
	CHECK_LINE("C3", queue_stat(id).msg_qbytes == 100);
	CHECK_LINE("C4", set_room(id, 16384) == 0);
	CHECK(put_sized(id, 1, "a", 50, IPC_NOWAIT) == 0 && set_room(id, 20) == 0);
	CHECK_ERRNO("C6", EAGAIN, put(id, 1, "b"));
	CHECK_LINE("C6", takes(id, 0, MSG_NOERROR, 1, "a") || got.type == 1);
}

static void test_info(void)
{
	struct msginfo info, now;
	struct msqid_ds stat;
	int id = private_queue();
	int highest = msgctl(99, IPC_INFO, (struct msqid_ds *)(void *)&info);
	CHECK_LINE("C8", highest >= id % 32768);
	CHECK_LINE("C8", info.msgmax == 8192 && info.msgmnb == 16384 && info.msgmni == 32000);
	CHECK_LINE("C8", info.msgpool == 512000 && info.msgmap == 16384 && info.msgssz == 16);
	CHECK_LINE("C8", info.msgtql == 16384 && info.msgseg == 65535);
	CHECK(msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&info) == highest);
	int more = private_queue();
	CHECK(put(more, 1, "1234") == 0 && put(more, 1, "") == 0);
	CHECK(msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&now) >= 0);
	if (alone()) {
		CHECK_LINE("C9", now.msgpool == info.msgpool + 1);
		CHECK_LINE("C9", now.msgmap == info.msgmap + 2 && now.msgtql == info.msgtql + 4);
	}
	CHECK_LINE("C10", msgctl(more % 32768, MSG_STAT, &stat) == more && stat.msg_qnum == 2);
	CHECK_LINE("C10", msgctl(more, MSG_STAT_ANY, &stat) == more);
	CHECK(msgctl(more, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("C10", EINVAL, msgctl(more % 32768, MSG_STAT, &stat));
}

static void no_descriptors(void *unused)
{
	(void)unused;
	int id = private_queue();
	CHECK(put(id, 1, "x") == 0 && takes(id, 0, 0, 1, "x"));
	int lowest = dup(0);
	close(lowest);
	CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 }) == 0);
	CHECK_LINE("G10", put(id, 1, "y") == 0 && takes(id, 0, 0, 1, "y"));
	CHECK_LINE("G10", msgctl(id, IPC_RMID, NULL) == 0);
}

static void lowest_stays(void *unused)
{
	(void)unused;
	int lowest = dup(0);
	close(lowest);
	int id = private_queue();
	CHECK(put(id, 1, "x") == 0);
	int then = dup(0);
	CHECK_LINE("G10", then == lowest);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

int main(void)
{
	begin_queues();
	test_keys();
	test_fresh();
	test_ids();
	test_commands();
	test_info();
	CHECK(in_child(no_descriptors, NULL));
	CHECK(in_child(lowest_stays, NULL));
	return test_result();
}
