/* SPDX-License-Identifier: MIT */
/* message.c - sending and receiving: groups S, R and T of docs/semantics-msg.md. */
#include "support/queues.h"

static int queue, gone;

static void test_send(void)
{
	struct message message = { .type = 1 };
	CHECK_ERRNO("S1", EFAULT, msgsnd(-1, NULL, 1, 0));
	CHECK_ERRNO("S1", EINVAL, msgsnd(queue, &message, 8193, IPC_NOWAIT));
	CHECK_ERRNO("S1", EINVAL, msgsnd(queue, &message, (size_t)-1, IPC_NOWAIT));
	CHECK_ERRNO("S1", EINVAL, msgsnd(-1, &message, 1, IPC_NOWAIT));
	CHECK_ERRNO("S1", EINVAL, msgsnd(gone, &message, 1, IPC_NOWAIT));
	CHECK_ERRNO("S1", EINVAL, put(queue, 0, "x"));
	CHECK_ERRNO("S1", EINVAL, put(queue, LONG_MIN, "x"));
	CHECK_LINE("S2", put(queue, LONG_MAX, "x") == 0 && takes(queue, 0, 0, LONG_MAX, "x"));
	CHECK_LINE("S3", put(queue, 3, "") == 0 && takes(queue, 0, 0, 3, ""));
	for (size_t i = 0; i < sizeof message.text; i++)
		message.text[i] = (char)(i * 7);
	CHECK_LINE("S3", msgsnd(queue, &message, 8192, IPC_NOWAIT) == 0);
	CHECK_LINE("S3", take_sized(queue, 8192, 0, 0) == 8192 &&
	                         memcmp(got.text, message.text, 8192) == 0);
	CHECK_LINE("S8", put_sized(queue, 1, "y", 1, IPC_NOWAIT | MSG_NOERROR | 040) == 0);
	CHECK(takes(queue, 0, 0, 1, "y"));
}

static void test_full(void)
{
	int id = private_queue();
	CHECK(set_room(id, 10) == 0);
	CHECK_LINE("S4", put(id, 1, "123456") == 0 && put(id, 1, "1234") == 0);
	struct msqid_ds before = queue_stat(id);
	CHECK_ERRNO("S5", EAGAIN, put(id, 1, "1"));
	CHECK_LINE("S5", queue_stat(id).msg_lspid == before.msg_lspid &&
	                         queue_stat(id).msg_qnum == before.msg_qnum);
	CHECK_LINE("S4", put(id, 1, "") == 0);
	CHECK_ERRNO("S5", EAGAIN, put(id, 1, "longer than the queue"));
	empty(id);
	CHECK(set_room(id, 2) == 0);
	CHECK_LINE("S4", put(id, 1, "") == 0 && put(id, 1, "") == 0);
	CHECK_ERRNO("S4", EAGAIN, put(id, 1, ""));
	empty(id);
	CHECK(set_room(id, 0) == 0);
	CHECK_ERRNO("S4", EAGAIN, put(id, 1, ""));
	CHECK(set_room(id, 10) == 0 && put(id, 1, "1234567") == 0);
	CHECK_ERRNO("S7", EAGAIN, put(id, 1, "1234"));
	CHECK_LINE("S7", put(id, 1, "12") == 0);
}

static void test_many(void)
{
	int id = private_queue(), sent = 0;
	while (put(id, 1, "") == 0)
		sent++;
	CHECK_LINE("S4", sent == 16384 && errno == EAGAIN);
}

static void test_stamps(void)
{
	int id = private_queue();
	struct msqid_ds fresh = queue_stat(id);
	time_t now = clock_before();
	CHECK(put(id, 1, "12345") == 0);
	struct msqid_ds sent = queue_stat(id);
	CHECK_LINE("S6", sent.msg_lspid == getpid() && sent.msg_stime >= now);
	CHECK_LINE("S6", sent.msg_qnum == 1 && sent.msg_cbytes == 5);
	CHECK_LINE("S6", sent.msg_rtime == 0 && sent.msg_lrpid == 0);
	CHECK_LINE("S6", sent.msg_ctime == fresh.msg_ctime);
	CHECK_ERRNO("R4", E2BIG, take_sized(id, 4, 0, 0));
	CHECK_LINE("R4", queue_stat(id).msg_lrpid == 0 && queue_stat(id).msg_qnum == 1);
	CHECK_LINE("R4", take_sized(id, 3, 0, MSG_NOERROR) == 3 && strcmp(got.text, "123") == 0);
	struct msqid_ds received = queue_stat(id);
	CHECK_LINE("R6", received.msg_lrpid == getpid() && received.msg_rtime >= now);
	CHECK_LINE("R6", received.msg_qnum == 0 && received.msg_cbytes == 0);
	CHECK_LINE("R6", received.msg_stime == sent.msg_stime);
	CHECK_ERRNO("R5", ENOMSG, take_sized(id, 3, 0, 0));
	CHECK(put(id, 9, "lost") == 0);
	CHECK_LINE("R4", take_sized(id, 0, 0, MSG_NOERROR) == 0 && got.type == 9);
}

static void test_receive(void)
{
	struct message message;
	int id = private_queue();
	memset(&message, 'z', sizeof message);
	CHECK(put(id, 4, "abc") == 0 && put(id, 5, "de") == 0);
	CHECK_LINE("R1", msgrcv(id, &message, LONG_MAX, 0, IPC_NOWAIT) == 3);
	CHECK_LINE("R1", message.type == 4 && memcmp(message.text, "abcz", 4) == 0);
	CHECK_ERRNO("R1", EINVAL, msgrcv(id, &message, (size_t)-1, 0, IPC_NOWAIT));
	CHECK_ERRNO("R3", EINVAL, msgrcv(-1, &message, 10, 0, IPC_NOWAIT));
	CHECK_ERRNO("R3", EINVAL, msgrcv(gone, &message, 10, 0, IPC_NOWAIT));
	CHECK_ERRNO("R3", ENOMSG, msgrcv(id, &message, 0, 77, IPC_NOWAIT));
	CHECK_ERRNO("R3", E2BIG, msgrcv(id, NULL, 0, 0, IPC_NOWAIT));
	CHECK_ERRNO("R7", EFAULT, msgrcv(id, NULL, 10, 0, IPC_NOWAIT));
	CHECK_LINE("R7", queue_stat(id).msg_qnum == 0);
	for (int i = 1; i < 6; i++)
		CHECK(put(id, i, (char[]){ (char)('0' + i), '\0' }) == 0);
	CHECK_LINE("R2", takes(id, 0, 0, 1, "1") && takes(id, 0, 0, 2, "2"));
	empty(id);
}

static void fill(const char *types)
{
	empty(queue);
	for (const char *p = types; *p != '\0'; p++)
		CHECK(put(queue, *p - '0', (char[]){ *p, (char)('a' + (p - types)), '\0' }) == 0);
}

static void test_types(void)
{
	fill("53935");
	CHECK_LINE("T1", takes(queue, 5, 0, 5, "5a") && takes(queue, 5, 0, 5, "5e"));
	CHECK_LINE("T1", takes(queue, 0, 0, 3, "3b"));
	CHECK_ERRNO("T1", ENOMSG, take_sized(queue, 9, 5, 0));
	fill("53935");
	CHECK_LINE("T2", takes(queue, -4, 0, 3, "3b") && takes(queue, -9, 0, 3, "3d"));
	CHECK_LINE("T2", takes(queue, LONG_MIN, 0, 5, "5a"));
	CHECK_ERRNO("T2", ENOMSG, take_sized(queue, 9, -4, 0));
	fill("553");
	CHECK_LINE("T3", takes(queue, 5, MSG_EXCEPT, 3, "3c"));
	CHECK_ERRNO("T3", ENOMSG, take_sized(queue, 9, 5, MSG_EXCEPT));
	CHECK_LINE("T3", takes(queue, 0, MSG_EXCEPT, 5, "5a"));
	CHECK_LINE("T3", takes(queue, -5, MSG_EXCEPT, 5, "5b"));
#if LONG_MAX > INT32_MAX
	CHECK(put(queue, 2147483649, "a") == 0 && put(queue, 2147483648, "b") == 0);
	CHECK_LINE("T2", takes(queue, INT_MIN, 0, 2147483648, "b"));
	CHECK_ERRNO("T2", ENOMSG, take_sized(queue, 9, INT_MIN, 0));
#endif
	empty(queue);
}

static void test_copy(void)
{
	fill("53");
	struct msqid_ds before = queue_stat(queue);
	if (take_sized(queue, 9, 0, MSG_COPY) < 0 && errno == ENOSYS)
		return; /* a kernel without CONFIG_CHECKPOINT_RESTORE */
	CHECK_LINE("T4", takes(queue, 1, MSG_COPY, 3, "3b") && takes(queue, 0, MSG_COPY, 5, "5a"));
	struct msqid_ds after = queue_stat(queue);
	CHECK_LINE("T4", after.msg_qnum == 2 && after.msg_lrpid == before.msg_lrpid &&
	                         after.msg_rtime == before.msg_rtime);
	CHECK_ERRNO("T5", EINVAL, msgrcv(queue, &got, 9, 0, MSG_COPY));
	CHECK_ERRNO("T5", EINVAL, take_sized(queue, 9, 0, MSG_COPY | MSG_EXCEPT));
	CHECK_ERRNO("T5", ENOMSG, take_sized(queue, 9, 2, MSG_COPY));
	CHECK_ERRNO("T5", ENOMSG, take_sized(queue, 9, -1, MSG_COPY));
	CHECK_ERRNO("T5", E2BIG, take_sized(queue, 1, 0, MSG_COPY));
	CHECK_ERRNO("T5", EINVAL, take_sized(queue, 1, 0, MSG_COPY | MSG_NOERROR));
	empty(queue);
}

/* ---- at random, beside a model ------------------------------------------------------------ */

enum { MODEL_MAX = 64 };
static struct {
	long type;
	unsigned number;
} model[MODEL_MAX];
static int model_count;

static int chosen(long wanted, int flags)
{
	int best = -1;
	for (int i = 0; i < model_count; i++) {
		long type = model[i].type;
		bool fits = wanted == 0          ? true
		            : wanted < 0         ? type <= -wanted
		            : flags & MSG_EXCEPT ? type != wanted
		                                 : type == wanted;
		if (fits && (best < 0 || (wanted < 0 && type < model[best].type)))
			best = i;
	}
	return best;
}

static void test_at_random(void)
{
	unsigned random = 12345, number = 0;
	bool agrees = true;
	for (int i = 0; i < 4000 && agrees; i++) {
		random = random * 1103515245 + 12345;
		unsigned draw = random >> 16;
		char text[16];
		if (draw % 2 == 0 && model_count < MODEL_MAX) {
			long type = 1 + (long)(draw / 2 % 6);
			snprintf(text, sizeof text, "%u", ++number);
			agrees = put(queue, type, text) == 0;
			model[model_count].type = type;
			model[model_count++].number = number;
			continue;
		}
		long wanted = (long)(draw / 2 % 15) - 7;
		int flags = draw & 64 ? MSG_EXCEPT : 0, which = chosen(wanted, flags);
		if (which < 0) {
			agrees = take_sized(queue, 16, wanted, flags) < 0 && errno == ENOMSG;
			continue;
		}
		snprintf(text, sizeof text, "%u", model[which].number);
		agrees = takes(queue, wanted, flags, model[which].type, text);
		model_count--;
		memmove(&model[which], &model[which + 1],
		        (size_t)(model_count - which) * sizeof model[0]);
	}
	CHECK_LINE("T6", agrees);
}

int main(void)
{
	begin_queues();
	queue = private_queue();
	gone = private_queue();
	CHECK(msgctl(gone, IPC_RMID, NULL) == 0);
	test_send();
	test_full();
	test_many();
	test_stamps();
	test_receive();
	test_types();
	test_copy();
	test_at_random();
	return test_result();
}
