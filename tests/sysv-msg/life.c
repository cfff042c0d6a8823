/* SPDX-License-Identifier: MIT */
/* life.c - queues and many processes: group L of docs/semantics-msg.md. */
#include "support/queues.h"

static int queue;

static void send_and_exit(void *unused)
{
	(void)unused;
	CHECK(put(queue, 4, "of a child") == 0);
}

static void receive_by_id(void *unused)
{
	(void)unused;
	CHECK_LINE("L2", takes(queue, 0, 0, 4, "of a child"));
}

static void test_outlives(void)
{
	CHECK(in_child(send_and_exit, NULL));
	CHECK_LINE("L1", queue_stat(queue).msg_qnum == 1);
	CHECK(in_child(receive_by_id, NULL));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)put(queue, 4, "k");
		kill(getpid(), SIGKILL);
	}
	CHECK_LINE("L1", result_of(pid) == -1 && takes(queue, 0, 0, 4, "k"));
}

static int after_exec(const char *text)
{
	queue = atoi(text);
	return takes(queue, 0, 0, 4, "through exec") ? 0 : 1;
}

static void test_exec(const char *self)
{
	char text[16];
	snprintf(text, sizeof text, "%d", queue);
	CHECK(put(queue, 4, "through exec") == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		execl(self, self, text, (char *)NULL);
		_exit(99);
	}
	CHECK_LINE("L2", result_of(pid) == 0);
}

enum { SENDERS = 3, RECEIVERS = 3, EACH = 500 };

struct numbered {
	long type;
	int number, pad[6];
};

static void send_many(long type, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		struct numbered message = { type, i, { 0 } };
		for (size_t k = 0; k < 6; k++)
			message.pad[k] = i;
		if (msgsnd(queue, &message, sizeof message - sizeof(long), 0) != 0)
			_exit(1);
	}
}

static void test_many(void)
{
	unsigned char(*came)[EACH] = mmap(NULL, SENDERS * EACH, PROT_READ | PROT_WRITE,
	                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[SENDERS + RECEIVERS];
	CHECK(set_room(queue, 200) == 0);
	fflush(NULL);
	for (int i = 0; i < SENDERS + RECEIVERS; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		if (i < SENDERS) {
			send_many(i + 1, 0, EACH);
			_exit(0);
		}
		int last[SENDERS] = { -1, -1, -1 };
		struct numbered message;
		while (msgrcv(queue, &message, 100, -SENDERS, 0) >= 0) {
			int from = (int)message.type - 1;
			if (message.number <= last[from])
				_exit(2);
			last[from] = message.number;
			came[from][message.number]++;
		}
		_exit(errno == EIDRM ? 0 : 3);
	}
	for (int i = 0; i < SENDERS; i++)
		CHECK_LINE("L3", result_of(pids[i]) == 0);
	for (int i = 0; i < 5000 && queue_stat(queue).msg_qnum > 0; i++)
		nap(1);
	struct msqid_ds stat = queue_stat(queue);
	CHECK_LINE("L3", stat.msg_qnum == 0 && stat.msg_cbytes == 0);
	nap(50); /* what was received is noted */
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
	for (int i = SENDERS; i < SENDERS + RECEIVERS; i++)
		CHECK_LINE("L3", result_of(pids[i]) == 0);
	bool once = true;
	for (int i = 0; i < SENDERS; i++)
		for (int k = 0; k < EACH; k++)
			once = once && came[i][k] == 1;
	CHECK_LINE("L3", once);
}

/* Senders are killed. What arrives is whole, in order, and without gaps. */
static void test_killed_senders(void)
{
	int next = 0;
	bool whole = true;
	queue = private_queue();
	for (int i = 0; i < 30; i++) {
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			send_many(1, 0, 1000000);
			_exit(0);
		}
		nanosleep(&(struct timespec){ 0, 1000000 + i * 37000 }, NULL);
		kill(pid, SIGKILL);
		CHECK(result_of(pid) == -1);
		struct numbered message;
		for (next = 0; msgrcv(queue, &message, 100, 0, IPC_NOWAIT) >= 0; next++) {
			whole = whole && message.number == next;
			for (size_t k = 0; k < 6; k++)
				whole = whole && message.pad[k] == next;
		}
	}
	CHECK_LINE("L4", whole);
	CHECK_LINE("L4", queue_stat(queue).msg_qnum == 0 && queue_stat(queue).msg_cbytes == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return after_exec(argv[1]);
	begin_queues();
	queue = private_queue();
	test_outlives();
	test_exec(argv[0]);
	test_many();
	test_killed_senders();
	return test_result();
}
