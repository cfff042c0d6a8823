/* SPDX-License-Identifier: MIT */
/*
 * msg_look.c - message queues: what is looked at after a step, and the table.
 *
 * A queue is looked at by MSG_STAT_ANY, and its first messages by MSG_COPY. So
 * messages that are in the wrong order show before somebody receives them.
 */
#include "differential/ipc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { INDEXES = 32768, LOOKED_AT = 3, TEXT_MAX = 8192 };

static struct {
	long type;
	unsigned char text[TEXT_MAX];
} copy;

struct call_result message_result(long type, const unsigned char *text, ssize_t length)
{
	struct call_result result = { .value = length, .has_message = length >= 0 };
	uint64_t mix = 14695981039346656037U;
	if (length < 0)
		return result;
	for (ssize_t i = 0; i < length; i++)
		mix = (mix ^ text[i]) * 1099511628211U;
	result.type = type;
	result.length = length;
	result.text = (int64_t)(mix >> 1);
	return result;
}

/* `place`: in its queue, or -1: it was received. */
void log_message(int64_t place, const struct call_result *result)
{
	const int64_t fields[MESSAGE_FIELDS] = {
		[MESSAGE_PLACE] = place,       [MESSAGE_ERROR] = result->error,
		[MESSAGE_TYPE] = result->type, [MESSAGE_LENGTH] = result->length,
		[MESSAGE_TEXT] = result->text,
	};
	log_record(REC_MESSAGE, fields, MESSAGE_FIELDS);
}

void log_queue(int64_t slot, int64_t id, const struct msqid_ds *stat)
{
	const int64_t fields[QUEUE_FIELDS] = {
		[SEGMENT_SLOT] = slot,
		[SEGMENT_ID] = id,
		[SEGMENT_KEY] = key_name(stat->msg_perm.__key),
		[SEGMENT_UID] = stat->msg_perm.uid,
		[SEGMENT_GID] = stat->msg_perm.gid,
		[SEGMENT_CUID] = stat->msg_perm.cuid,
		[SEGMENT_CGID] = stat->msg_perm.cgid,
		[SEGMENT_MODE] = stat->msg_perm.mode,
		[SEGMENT_SEQ] = stat->msg_perm.__seq,
		[QUEUE_QBYTES] = (int64_t)stat->msg_qbytes,
		[QUEUE_QNUM] = (int64_t)stat->msg_qnum,
		[QUEUE_CBYTES] = (int64_t)stat->msg_cbytes,
		[QUEUE_STIME] = time_name(stat->msg_stime),
		[QUEUE_RTIME] = time_name(stat->msg_rtime),
		[QUEUE_CTIME] = time_name(stat->msg_ctime),
		[QUEUE_LSPID] = birth_of(stat->msg_lspid),
		[QUEUE_LRPID] = birth_of(stat->msg_lrpid),
	};
	log_record(REC_QUEUE, fields, QUEUE_FIELDS);
}

static void messages_look(int id, int64_t count)
{
	for (int64_t i = 0; i < count && i < LOOKED_AT && !world->no_copy; i++) {
		ssize_t length = msgrcv(id, &copy, TEXT_MAX, (long)i, MSG_COPY | IPC_NOWAIT);
		int error = length < 0 ? errno : 0;
		struct call_result result = message_result(copy.type, copy.text, length);
		result.error = error;
		log_message(i, &result);
		if (error != 0)
			break;
	}
}

bool queue_now(int id, struct msqid_ds *ret_now)
{
	return geteuid() != 0 && id >= 0 && msgctl(id % INDEXES, MSG_STAT_ANY, ret_now) == id;
}

bool queue_refused(int id)
{
	struct msqid_ds now;
	return world->users && queue_now(id, &now) && creators_rights(&now.msg_perm);
}

static void index_look(int64_t slot, int index, int wanted)
{
	struct msqid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	int id = msgctl(index, MSG_STAT_ANY, &stat);
	if (id < 0) {
		const int64_t fields[] = { slot, errno };
		log_record(REC_QUEUE, fields, 2);
		return;
	}
	log_queue(slot, id, &stat);
	if ((wanted < 0 || id == wanted) && !queue_refused(id))
		messages_look(id, (int64_t)stat.msg_qnum);
}

void queues_look(int slot)
{
	for (int i = 0; i < QUEUES; i++)
		if ((slot < 0 || i == slot) && world->queue[i] >= 0)
			index_look(i, world->queue[i] % INDEXES, world->queue[i]);
}

/* Every index there is, and at the end of a run they are removed. */
void queues_survey(bool remove)
{
	struct msginfo info;
	struct msqid_ds stat;
	int highest = msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&info);
	for (int index = 0; world->alone && index <= highest; index++) {
		index_look(-1, index, -1);
		int id = msgctl(index, MSG_STAT_ANY, &stat);
		if (remove && id >= 0)
			msgctl(id, IPC_RMID, NULL);
	}
	for (int slot = 0; remove && !world->alone && slot < QUEUES; slot++)
		if (world->queue[slot] >= 0)
			msgctl(world->queue[slot], IPC_RMID, NULL);
}

static void row_log(const char *line)
{
	long long f[13];
	unsigned mode;
	if (sscanf(line, "%lld %lld %o %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld",
	           &f[0], &f[1], &mode, &f[2], &f[3], &f[4], &f[5], &f[6], &f[7], &f[8], &f[9],
	           &f[10], &f[11], &f[12]) != 14)
		return;
	const int64_t fields[QUEUE_FIELDS] = {
		[SEGMENT_SLOT] = LOOKED_ROW,
		[SEGMENT_KEY] = key_name((int)f[0]),
		[SEGMENT_ID] = f[1],
		[SEGMENT_MODE] = mode,
		[QUEUE_CBYTES] = f[2],
		[QUEUE_QNUM] = f[3],
		[QUEUE_LSPID] = birth_of((pid_t)f[4]),
		[QUEUE_LRPID] = birth_of((pid_t)f[5]),
		[SEGMENT_UID] = f[6],
		[SEGMENT_GID] = f[7],
		[SEGMENT_CUID] = f[8],
		[SEGMENT_CGID] = f[9],
		[QUEUE_STIME] = time_name(f[10]),
		[QUEUE_RTIME] = time_name(f[11]),
		[QUEUE_CTIME] = time_name(f[12]),
	};
	log_record(REC_QUEUE, fields, QUEUE_FIELDS);
}

void queues_table(void)
{
	log_table("/proc/sysvipc/msg", row_log);
}

/* MSG_COPY is there only if the kernel was built with CONFIG_CHECKPOINT_RESTORE. */
bool kernel_copies(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	ssize_t length = msgrcv(id, &copy, TEXT_MAX, 0, MSG_COPY | IPC_NOWAIT);
	bool there = length < 0 && errno == ENOMSG;
	msgctl(id, IPC_RMID, NULL);
	return there;
}
