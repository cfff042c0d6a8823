/* SPDX-License-Identifier: MIT */
/* fine.c - the fine print of docs/semantics-msg.md, where nobody sleeps. */
#include "support/queues.h"

#include <pthread.h>
#include <stdint.h>

static int queue;

/* On 32 bits the C library translates the structure. Then it does not fill the reserved fields, and
 * reads what the pointer names also for IPC_RMID. */
static const bool is_the_kernels = sizeof(long) == 8;

/* ---- ids and keys ------------------------------------------------------------------------ */

static void test_keys(void)
{
	static const key_t keys[] = { INT_MIN, INT_MAX, 1 };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		int id = msgget(keys[i], IPC_CREAT | IPC_EXCL | 0600);
		if (id < 0 && errno == EEXIST)
			continue; /* the kernel's table is not ours alone */
		CHECK_LINE("fine G16", id >= 0 && queue_stat(id).msg_perm.__key == keys[i]);
		CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	}
	key_t key = fresh_queue_key();
	int id = make_queue(key, IPC_CREAT | 0600);
	CHECK_LINE("fine G15", msgget(key, 0x40000000 | 0100000) == id);
	struct msqid_ds stat = queue_stat(id);
	const unsigned char *bytes = (const unsigned char *)&stat;
	CHECK_LINE("fine G26",
	           !is_the_kernels || (bytes[sizeof stat - 1] == 0 && bytes[sizeof stat - 4] == 0));
}

static void test_many_queues(void)
{
	enum { MANY = 1000, USED = 100 };
	static int ids[MANY];
	bool made = true, rounds = true;
	for (int i = 0; i < MANY; i++) {
		ids[i] = msgget(IPC_PRIVATE, 0600);
		made = made && ids[i] >= 0;
	}
	CHECK_LINE("fine G25", made && put(ids[MANY - 1], 1, "x") == 0);
	for (int i = USED; i < MANY; i++)
		CHECK(msgctl(ids[i], IPC_RMID, NULL) == 0);
	CHECK_ERRNO("fine G18", EINVAL, put(ids[MANY - 1], 1, "x"));
	int stale = ids[USED], again = -1;
	for (int i = 0; alone() && i < 4 * MANY && again < 0; i++) {
		int id = private_queue();
		queues_count--;
		rounds = rounds && (i < 2 * MANY || id % 32768 < 2 * USED);
		if (id % 32768 == stale % 32768)
			again = id;
		else
			CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	}
	if (again >= 0) {
		CHECK_LINE("fine G20", again != stale && msgctl(again, IPC_RMID, NULL) == 0);
		CHECK_ERRNO("fine G20", EINVAL, put(stale, 1, "x"));
	}
	CHECK_LINE("fine G31", rounds);
	for (int i = 0; i < USED; i++)
		CHECK(msgctl(ids[i], IPC_RMID, NULL) == 0);
}

static void without_descriptors(void *unused)
{
	(void)unused;
	key_t key = fresh_queue_key();
	int id = make_queue(key, IPC_CREAT | 0600);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	CHECK_LINE("fine G29", put(id, 1, "x") == 0 && takes(id, 0, 0, 1, "x"));
	CHECK_LINE("fine G29", msgget(key, 0) == id && private_queue() >= 0);
	CHECK_LINE("fine G29", msgctl(id, IPC_RMID, NULL) == 0);
}

/* ---- sending and receiving ---------------------------------------------------------------- */

static void test_sizes(void)
{
	static struct message message = { .type = 1 }, other;
	bool same = true;
	for (size_t i = 0; i < sizeof message.text; i++)
		message.text[i] = (char)(i * 11 + i / 256);
	for (size_t size = 0; size <= TEXT_MAX; size += size < 600 ? 1 : 61) {
		memset(&other, 'z', sizeof other);
		same = same && msgsnd(queue, &message, size, IPC_NOWAIT) == 0 &&
		       msgrcv(queue, &other, TEXT_MAX, 0, IPC_NOWAIT) == (ssize_t)size &&
		       memcmp(message.text, other.text, size) == 0 &&
		       (size == TEXT_MAX || other.text[size] == 'z');
	}
	CHECK_LINE("fine S24", same);
	CHECK_LINE("fine R25",
	           queue_stat(queue).msg_qnum == 0 && queue_stat(queue).msg_cbytes == 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they look at all the bytes */
	CHECK_ERRNO("fine S09", EINVAL, msgsnd(queue, &message, LONG_MAX, IPC_NOWAIT));
#endif
	CHECK(set_room(queue, 10) == 0);
	CHECK_ERRNO("fine S15", EAGAIN, put_sized(queue, 1, "x", 11, IPC_NOWAIT | MSG_NOERROR));
	CHECK(set_room(queue, 16384) == 0);
	int sent = 0;
	while (put(queue, 1, "1") == 0)
		sent++;
	CHECK_LINE("fine S27", sent == 16384 && errno == EAGAIN);
	empty(queue);
}

static void test_too_long(void)
{
	CHECK(put(queue, 1, "12345") == 0 && put(queue, 1, "1") == 0 && put(queue, 2, "123") == 0);
	struct msqid_ds before = queue_stat(queue);
	CHECK_ERRNO("fine R19", E2BIG, take_sized(queue, 2, 0, 0));
	CHECK_ERRNO("fine R20", E2BIG, take_sized(queue, 2, 1, 0));
	CHECK_ERRNO("fine R20", E2BIG, take_sized(queue, 2, 2, 0));
	CHECK_ERRNO("fine R18", ENOMSG, take_sized(queue, 2, 3, 0));
	struct msqid_ds after = queue_stat(queue);
	CHECK_LINE("fine R18", before.msg_rtime == after.msg_rtime &&
	                               before.msg_lrpid == after.msg_lrpid && after.msg_qnum == 3);
	CHECK_LINE("fine R21", takes(queue, 0, 0100000 | 01000, 1, "12345"));
	CHECK_LINE("fine R22", takes(queue, 0, 0200, 1, "1"));
	CHECK_LINE("fine R24", take_sized(queue, 2, 0, MSG_NOERROR) == 2 && got.text[1] == '2');
}

static void *in_thread(void *unused)
{
	struct message message;
	(void)unused;
	CHECK(put(queue, 1, "x") == 0 && msgrcv(queue, &message, 10, 0, IPC_NOWAIT) == 1);
	return NULL;
}

static void receive_one(void *ret_pid)
{
	*(pid_t *)ret_pid = getpid();
	CHECK(takes(queue, 0, 0, 1, "y"));
}

static void test_pids(void)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_LINE("fine S25", queue_stat(queue).msg_lspid == getpid());
	CHECK_LINE("fine R23", queue_stat(queue).msg_lrpid == getpid());
	pid_t *child = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(put(queue, 1, "y") == 0 && in_child(receive_one, child));
	CHECK_LINE("fine R17", queue_stat(queue).msg_lrpid == *child);
}

/* ---- which message ------------------------------------------------------------------------ */

static void test_types(void)
{
	CHECK(put(queue, 2, "two") == 0 && put(queue, LONG_MAX, "most") == 0);
	CHECK_ERRNO("fine T19", ENOMSG, take_sized(queue, 9, -1, 0));
	CHECK_LINE("fine T07", takes(queue, -2, 0, 2, "two"));
	CHECK_ERRNO("fine T06", ENOMSG, take_sized(queue, 9, -LONG_MAX + 1, 0));
	CHECK_LINE("fine T11", takes(queue, LONG_MIN, 0, LONG_MAX, "most"));
	CHECK(put(queue, LONG_MAX, "a") == 0 && put(queue, 5, "b") == 0);
	CHECK_LINE("fine T09", takes(queue, -LONG_MAX, 0, 5, "b"));
	CHECK_LINE("fine T09", takes(queue, -LONG_MAX, 0, LONG_MAX, "a"));
}

static void test_copies(void)
{
	CHECK(put(queue, 2, "ab") == 0 && put(queue, 3, "cde") == 0);
	if (take_sized(queue, 9, 0, MSG_COPY) < 0 && errno == ENOSYS)
		return; /* a kernel without CONFIG_CHECKPOINT_RESTORE */
	CHECK_LINE("fine Y09", take_sized(queue, 3, 1, MSG_COPY) == 3 && got.type == 3);
	CHECK_LINE("fine Y13", takes(queue, 1, MSG_COPY, 3, "cde"));
	CHECK_ERRNO("fine Y14", EINVAL, take_sized(-1, 9, 0, MSG_COPY));
	CHECK_LINE("fine Y15", takes(queue, 0, 0, 2, "ab") && takes(queue, 0, MSG_COPY, 3, "cde"));
#if ULONG_MAX > UINT32_MAX
	CHECK_ERRNO("fine E24", EFAULT, msgrcv(queue, NULL, 9, 0, MSG_COPY | IPC_NOWAIT));
#endif
	CHECK_LINE("fine E25", takes(queue, 0, 0, 3, "cde"));
	CHECK_ERRNO("fine Y10", ENOMSG, take_sized(queue, 9, 0, MSG_COPY));
}

/* ---- pointers and commands ----------------------------------------------------------------- */

static void test_pointers(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pages != MAP_FAILED && mprotect(pages, page, PROT_READ | PROT_WRITE) == 0);
	long *last = (long *)(void *)(pages + page - sizeof(long));
	*last = 6;
	CHECK_LINE("fine E07", msgsnd(queue, last, 0, IPC_NOWAIT) == 0);
	*last = 0;
	CHECK_LINE("fine R10", msgrcv(queue, last, LONG_MAX, 0, IPC_NOWAIT) == 0 && *last == 6);
	CHECK_ERRNO("fine E05", EINVAL, msgsnd(queue, last, 8193, IPC_NOWAIT));
#if ULONG_MAX > UINT32_MAX
	CHECK_ERRNO("fine E22", EFAULT, msgctl(0, MSG_INFO, NULL));
	CHECK_ERRNO("fine E23", EFAULT, msgctl(queue % 32768, MSG_STAT, NULL));
#endif
	munmap(pages, 2 * page);
}

static void test_commands(void)
{
	struct msginfo before, after;
	struct msqid_ds stat;
	CHECK_ERRNO("fine C04", EINVAL, msgctl(-1, MSG_INFO, &stat));
	CHECK_LINE("fine C24", msgctl(1, MSG_INFO, (struct msqid_ds *)(void *)&before) >= 0);
	int id = private_queue();
	CHECK(put(id, 1, "abc") == 0);
	struct msqid_ds *none = is_the_kernels ? (struct msqid_ds *)(uintptr_t)1 : NULL;
	CHECK_LINE("fine C14", msgctl(id, IPC_RMID, none) == 0);
	CHECK_ERRNO("fine C15", EINVAL, msgctl(id, IPC_RMID, NULL));
	CHECK(msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&after) >= 0);
	if (alone()) {
		CHECK_LINE("fine C32", after.msgpool == before.msgpool);
		CHECK_LINE("fine C33",
		           after.msgmap == before.msgmap && after.msgtql == before.msgtql);
	}
	CHECK_LINE("fine C27", msgctl(queue % 32768 + 32768 * 9, MSG_STAT, &stat) == queue);
	CHECK_LINE("fine C28", msgctl(queue % 32768 + 32768 * 9, MSG_STAT_ANY, &stat) == queue);
	CHECK_ERRNO("fine C31", EINVAL, msgctl(32767, MSG_STAT, &stat));
	CHECK_ERRNO("fine C31", EINVAL, msgctl(32767, MSG_STAT_ANY, &stat));
}

/* Rows in the order of the index. */
static void test_rows(void)
{
	char line[200];
	int before = -1, seen = 0, key, id;
	bool ordered = true;
	private_queue();
	private_queue();
	FILE *file = fopen("/proc/sysvipc/msg", "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "%d %d", &key, &id) != 2)
			continue;
		ordered = ordered && id % 32768 > before;
		before = id % 32768;
		seen++;
	}
	if (file != NULL)
		fclose(file);
	CHECK_LINE("fine F06", seen >= 3 && ordered);
}

int main(void)
{
	begin_queues();
	struct msginfo info;
	if (alone())
		CHECK_LINE("fine C20", msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&info) == 0);
	queue = private_queue();
	test_keys();
	test_many_queues();
	CHECK(in_child(without_descriptors, NULL));
	test_sizes();
	test_too_long();
	test_pids();
	test_types();
	test_copies();
	test_pointers();
	test_commands();
	test_rows();
	return test_result();
}
