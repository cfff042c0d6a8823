/* SPDX-License-Identifier: MIT */
/*
 * msg.c - message queues: what an actor does in a step, and how such steps are
 * drawn. ops.def has the table, msg_look.c what is looked at afterwards.
 *
 * The text of a message depends on the step that sends it and on its length, so
 * one message taken for another shows.
 *
 * Not drawn: bad pointers other than NULL, and for msgrcv none at all; receivers
 * that are stopped (docs/divergences.md, "Semaphores and message queues").
 */
#include "differential/draw.h"
#include "differential/ipc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Sanitizers want as much memory as a call says. */
enum { TEXT_MAX = 8192, SAID_MAX = 100000 };

static struct message {
	long type;
	unsigned char text[SAID_MAX + 64];
} message;

/* ---- calls ---------------------------------------------------------------------------------- */

static void op_get(const struct op *op)
{
	deaths_noticed();
	int id = msgget(key_of(op->arg[1]), (int)op->arg[2]);
	log_result(id, id < 0 ? errno : 0);
	if (id >= 0)
		world->queue[op->arg[0]] = id;
}

/* If several senders are woken at once, or several sleepers are told to look again, it depends on
 * the scheduler in which order they do, on the kernel too. */
static bool has_a_sender(int id)
{
	for (int i = 0; i < ACTORS; i++) {
		const struct actor *actor = &world->actor[i];
		if (actor->untold && actor->class == OF_QUEUES && actor->object == id &&
		    actor->sends)
			return true;
	}
	return false;
}

static bool op_send(const struct op *op)
{
	int id = world->queue[op->arg[0]], flags = (int)op->arg[3];
	size_t size = (size_t)op->arg[2];
	bool sleeps = (flags & IPC_NOWAIT) == 0 && size <= TEXT_MAX && op->arg[1] > 0;
	if (sleeps && has_a_sender(id)) {
		log_outcome(REFUSED);
		return true;
	}
	world->actor[me].sends = true;
	message.type = (long)op->arg[1];
	for (size_t i = 0; i < size && i < TEXT_MAX; i++)
		message.text[i] = (unsigned char)(world->step * 31 + i * (world->step % 251 + 1));
	if (!call_begin(OF_QUEUES, id, sleeps, false))
		return true;
	int result = msgsnd(id, &message, size, flags);
	call_end(&(struct call_result){ .value = result, .error = result < 0 ? errno : 0 });
	return !sleeps;
}

static bool op_receive(const struct op *op)
{
	int id = world->queue[op->arg[0]], flags = (int)op->arg[3];
	ssize_t size = (ssize_t)op->arg[2];
	bool sleeps = (flags & IPC_NOWAIT) == 0 && size >= 0;
	if ((flags & MSG_COPY) != 0 && world->no_copy) {
		log_outcome(REFUSED);
		return true;
	}
	world->actor[me].sends = false;
	if (!call_begin(OF_QUEUES, id, sleeps, false))
		return true;
	memset(&message, 0xa5, (size >= 0 && size < TEXT_MAX ? (size_t)size : TEXT_MAX) + 64);
	ssize_t length = msgrcv(id, &message, (size_t)size, (long)op->arg[1], flags);
	int error = length < 0 ? errno : 0;
	struct call_result result = message_result(message.type, message.text, length);
	result.error = error;
	call_end(&result);
	return !sleeps;
}

/* docs/divergences.md: "an ordinary owner calls IPC_SET with another uid, or with a gid that is
 * none of his groups, in a shared namespace". */
static void give_nothing_away(int id, const struct op *op, struct ipc_perm *perm)
{
	struct msqid_ds now;
	if (!queue_now(id, &now))
		return;
	if (op->arg[1] != -1)
		perm->uid = now.msg_perm.uid;
	if (op->arg[2] != -1 && !is_my_group((gid_t)op->arg[2]))
		perm->gid = now.msg_perm.gid;
}

static void op_set(const struct op *op)
{
	struct msqid_ds stat;
	if (asleep_in(OF_QUEUES, world->queue[op->arg[0]]) > 1) {
		log_outcome(REFUSED);
		return;
	}
	memset(&stat, 0xa5, sizeof(stat));
	stat.msg_perm.uid = (uid_t)op->arg[1];
	stat.msg_perm.gid = (gid_t)op->arg[2];
	stat.msg_perm.mode = (unsigned short)op->arg[3];
	give_nothing_away(world->queue[op->arg[0]], op, &stat.msg_perm);
	stat.msg_qbytes = (msglen_t)op->arg[4];
	int result = msgctl(world->queue[op->arg[0]], IPC_SET, &stat);
	log_result(result, result < 0 ? errno : 0);
}

static void op_stat(int id, int command, bool structure)
{
	struct msqid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	int result = msgctl(id, command, &stat);
	log_result(result, result < 0 ? errno : 0);
	if (structure && result >= 0)
		log_queue(LOOKED_STRUCT, command == IPC_STAT ? id : result, &stat);
}

static void op_null(int id, int command)
{
	if (command != IPC_RMID && (has_32_bits || null_is_mapped())) {
		log_outcome(REFUSED);
		return;
	}
	int result = msgctl(id, command, NULL);
	log_result(result, result < 0 ? errno : 0);
}

static void op_index_stat(const struct op *op)
{
	if (!world->alone)
		log_outcome(REFUSED);
	else
		op_stat((int)op->arg[0], op->arg[1] != 0 ? MSG_STAT_ANY : MSG_STAT, true);
}

static void op_info(const struct op *op)
{
	struct msginfo info;
	memset(&info, 0xa5, sizeof(info));
	int highest = msgctl((int)op->arg[0], (int)op->arg[1], (struct msqid_ds *)(void *)&info);
	log_result(highest >= 0 && !sees_all() ? 0 : highest, highest < 0 ? errno : 0);
	const int64_t fields[INFO_FIELDS] = { info.msgpool, info.msgmap, info.msgmax, info.msgmnb,
		                              info.msgmni,  info.msgssz, info.msgtql, info.msgseg };
	if (highest >= 0 && sees_all())
		log_record(REC_INFO, fields, INFO_FIELDS);
}

bool msg_act(const struct op *op)
{
	int id = op_slot(op) >= 0 ? world->queue[op_slot(op)] : -1;
	if (op->kind != OP_MSG_GET && queue_refused(id)) {
		log_outcome(REFUSED);
		return true;
	}
	switch ((enum op_kind)op->kind) {
	case OP_MSG_GET:
		op_get(op);
		break;
	case OP_MSG_SEND:
		return op_send(op);
	case OP_MSG_RECEIVE:
		return op_receive(op);
	case OP_MSG_STAT:
		op_stat(id, IPC_STAT, true);
		break;
	case OP_MSG_SET:
		op_set(op);
		break;
	case OP_MSG_REMOVE:
		op_null(id, IPC_RMID);
		break;
	case OP_MSG_NULL:
		op_null(id, (int)op->arg[1]);
		break;
	case OP_MSG_CONTROL:
		if (is_c_librarys(op->arg[1]))
			log_outcome(REFUSED);
		else
			op_stat(id, (int)op->arg[1], false);
		break;
	case OP_MSG_INDEX_STAT:
		op_index_stat(op);
		break;
	case OP_MSG_ID_STAT:
		op_stat(id, op->arg[1] != 0 ? MSG_STAT_ANY : MSG_STAT, true);
		break;
	case OP_MSG_INFO:
		op_info(op);
		break;
	default:
		queues_table();
		break;
	}
	return true;
}

/* ---- drawing ------------------------------------------------------------------------------- */

static int64_t some_queue(struct situation *s)
{
	uint32_t first = chance(s, 60) ? s->hot % QUEUES : below(s, QUEUES);
	for (uint32_t i = 0; i < QUEUES && !chance(s, 6); i++)
		if (s->queue[(first + i) % QUEUES])
			return (first + i) % QUEUES;
	return first;
}

/* The queue is new, or another one. */
static void forget_queue(struct situation *s, int64_t queue, bool there)
{
	s->queue[queue] = there;
	memset(s->messages[queue], 0, sizeof(s->messages[queue]));
}

static int believed(const struct situation *s, int64_t queue)
{
	int count = 0;
	for (int type = 0; type < BELIEVED_TYPES; type++)
		count += s->messages[queue][type];
	return count;
}

static int type_of(int64_t type)
{
	return type >= 0 && type < BELIEVED_TYPES ? (int)type : BELIEVED_TYPES - 1;
}

/* Takes one away, in the belief; false: there is none that is wanted. */
static bool believe_received(struct situation *s, int64_t queue, int64_t wanted, int64_t flags)
{
	for (int type = 0; type < BELIEVED_TYPES; type++) {
		bool fits = wanted == 0 || type == type_of(wanted);
		if (wanted > 0 && (flags & MSG_EXCEPT) != 0)
			fits = type != type_of(wanted);
		if (wanted < 0)
			fits = type <= type_of(-wanted);
		if (fits && s->messages[queue][type] > 0) {
			s->messages[queue][type]--;
			return true;
		}
	}
	return false;
}

static void draw_get(struct situation *s)
{
	int64_t queue = below(s, QUEUES), key = chance(s, 40) ? 0 : 1 + below(s, 7);
	int64_t flags = some_open_mode(s) | (chance(s, 85) ? IPC_CREAT : 0);
	if (chance(s, 15))
		flags |= IPC_EXCL;
	for (int i = 0; i < QUEUES && s->queue[queue] && chance(s, 80); i++)
		queue = (queue + 1) % QUEUES;
	step(s, OP_MSG_GET, queue, key, flags, 0);
	forget_queue(s, queue, true);
}

static int64_t some_size(struct situation *s)
{
	static const int64_t sizes[] = { 0, 0, 1, 7, 8, 8, 20, 48, 100, 500, 512, 513, 1000 };
	static const int64_t large[] = { 3000, 5000, 8000, 8191, 8192, 8192, 8193, 100000, -1 };
	return chance(s, 80) ? ONE_OF(s, sizes) : ONE_OF(s, large);
}

static void draw_send(struct situation *s)
{
	static const int64_t types[] = { 1, 1, 1, 2, 2, 3, 4, 7 };
	static const int64_t rare[] = { 0, -1, INT_MAX, INT_MIN, 5, 1000000 };
	int64_t queue = some_queue(s), flags = 0, size = some_size(s);
	int64_t type = chance(s, 96) ? ONE_OF(s, types) : ONE_OF(s, rare);
	if (believed(s, queue) > 6 ? chance(s, 70) : chance(s, 25))
		flags |= IPC_NOWAIT;
	flags |= chance(s, 4) ? MSG_NOERROR : 0;
	step(s, OP_MSG_SEND, queue, type, size, flags);
	if (believed(s, queue) < 100)
		s->messages[queue][type_of(type)]++;
	if ((flags & IPC_NOWAIT) == 0 && (size > 1000 || chance(s, 15)))
		s->asleep[s->actor] = ASLEEP_IN_QUEUE(queue);
	wake_some(s, ASLEEP_IN_QUEUE(queue), 15);
}

static int64_t some_wish(struct situation *s)
{
	static const int64_t wishes[] = { 0, 0, 0, 0, 1, 1, 2, 3, 4, -1, -2, -2, -3, -4, -7 };
	static const int64_t rare[] = { INT_MAX, INT_MIN, 5, 1000000, -1000000 };
	return chance(s, 96) ? ONE_OF(s, wishes) : ONE_OF(s, rare);
}

static void draw_receive(struct situation *s)
{
	int64_t queue = some_queue(s), type = some_wish(s), flags = 0;
	int64_t size = chance(s, 60) ? TEXT_MAX : some_size(s);
	if (believed(s, queue) == 0 ? chance(s, 55) : chance(s, 35))
		flags |= IPC_NOWAIT;
	flags |= chance(s, 35) ? MSG_NOERROR : 0;
	flags |= chance(s, 10) ? MSG_EXCEPT : 0;
	if (chance(s, 6)) {
		flags |= MSG_COPY | (chance(s, 90) ? IPC_NOWAIT : 0);
		flags &= chance(s, 90) ? ~(int64_t)MSG_EXCEPT : -1;
		type = (int64_t)below(s, 6) - chance(s, 10);
	}
	step(s, OP_MSG_RECEIVE, queue, type, size, flags);
	if ((flags & MSG_COPY) != 0)
		return;
	bool can = believe_received(s, queue, type, flags);
	if ((flags & IPC_NOWAIT) == 0 && size >= 0 && (!can || chance(s, 20)))
		s->asleep[s->actor] = ASLEEP_IN_QUEUE(queue);
	wake_some(s, ASLEEP_IN_QUEUE(queue), 6);
}

static void draw_remove(struct situation *s)
{
	int64_t queue = some_queue(s);
	step(s, OP_MSG_REMOVE, queue, 0, 0, 0);
	forget_queue(s, queue, chance(s, 20));
	wake_some(s, ASLEEP_IN_QUEUE(queue), 95);
}

static void draw_set(struct situation *s)
{
	static const int64_t room[] = { 16384, 16384, 16384, 100,   1,     500,    1000,
		                        3000,  8192,  0,     16385, 65536, 1000000 };
	int64_t uid, gid, mode = some_open_mode(s) | (chance(s, 10) ? 07000 : 0);
	some_owner(s, &uid, &gid);
	struct op op = { OP_MSG_SET,
		         (uint8_t)s->actor,
		         { some_queue(s), uid, gid, mode, ONE_OF(s, room) } };
	program_add(s->program, op);
	wake_some(s, ASLEEP_IN_QUEUE(op.arg[0]), 15);
}

static void draw_rest(struct situation *s)
{
	static const int64_t unknown[] = { 99, -1, 1000, 4, 10, 14, 0x100 | IPC_STAT };
	static const int64_t with_null[] = { IPC_STAT, IPC_SET, MSG_STAT, MSG_STAT_ANY };
	int64_t queue = some_queue(s);
	switch (below(s, 9)) {
	case 0:
		step(s, OP_MSG_NULL, queue, ONE_OF(s, with_null), 0, 0);
		break;
	case 1:
		step(s, OP_MSG_CONTROL, queue, ONE_OF(s, unknown), 0, 0);
		break;
	case 2:
		step(s, OP_MSG_INDEX_STAT, (int64_t)below(s, 30) - 1, below(s, 2), 0, 0);
		break;
	case 3:
		step(s, OP_MSG_ID_STAT, queue, below(s, 2), 0, 0);
		break;
	case 4:
		step(s, OP_MSG_INFO, (int64_t)below(s, 100) - 50,
		     chance(s, 50) ? IPC_INFO : MSG_INFO, 0, 0);
		break;
	case 5:
		step(s, chance(s, 15) ? OP_MSG_TABLE : OP_MSG_STAT, queue, 0, 0, 0);
		break;
	default:
		step(s, OP_MSG_STAT, queue, 0, 0, 0);
		break;
	}
}

void msg_draw(struct situation *s)
{
	uint32_t what = below(s, 1000);
	if (what < 70)
		draw_get(s);
	else if (what < 430)
		draw_send(s);
	else if (what < 770)
		draw_receive(s);
	else if (what < 860)
		draw_set(s);
	else if (what < 890)
		draw_remove(s);
	else
		draw_rest(s);
}
