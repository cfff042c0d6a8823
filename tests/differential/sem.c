/* SPDX-License-Identifier: MIT */
/*
 * sem.c - sets of semaphores: what an actor does in a step, and how such steps are
 * drawn. ops.def has the table, sem_look.c what is looked at afterwards.
 *
 * Not drawn: bad pointers other than NULL, and a process that is stopped while it
 * sleeps (docs/divergences.md, "Semaphores and message queues").
 */
#include "differential/draw.h"
#include "differential/ipc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ipc.h>
#include <time.h>

enum { OPS_MAX = 600, LARGE = 1000, WAIT_BRIEF = 100000 };

static unsigned short values[65536];

/* ---- calls ---------------------------------------------------------------------------------- */

static void op_get(const struct op *op)
{
	deaths_noticed();
	int id = semget(key_of(op->arg[1]), (int)op->arg[2], (int)op->arg[3]);
	log_result(id, id < 0 ? errno : 0);
	if (id >= 0)
		world->set[op->arg[0]] = id;
}

static bool may_sleep(const struct sembuf *ops, size_t count, int64_t wait)
{
	if (wait == 0 || wait < -1 || count > 500)
		return false;
	for (size_t i = 0; i < count; i++)
		if (ops[i].sem_op <= 0 && (ops[i].sem_flg & IPC_NOWAIT) == 0)
			return true;
	return false;
}

static int sem_call(int id, struct sembuf *ops, size_t count, int64_t wait)
{
	struct timespec limit = { .tv_sec = (time_t)(wait / 1000000),
		                  .tv_nsec = (long)(wait % 1000000 * 1000) };
	if (wait == -1)
		return semop(id, ops, count);
	if (wait == -2)
		limit = (struct timespec){ .tv_sec = 0, .tv_nsec = 1000000000 };
	if (wait == -3)
		limit = (struct timespec){ .tv_sec = -1, .tv_nsec = 0 };
	return semtimedop(id, ops, count, &limit);
}

static bool op_operations(const struct op *op)
{
	struct sembuf ops[OPS_MAX];
	bool many = op->kind == OP_SEM_MANY;
	size_t count = 0, most = many ? (size_t)op->arg[2] : OP_ARGS - 2;
	int id = world->set[op->arg[0]];
	int64_t wait = op->arg[1];
	for (; count < most && count < OPS_MAX; count++) {
		int64_t packed = op->arg[many ? 3 : 2 + count];
		if (!SEM_IS_THERE(packed))
			break;
		ops[count] = (struct sembuf){ .sem_num = (unsigned short)SEM_NUMBER(packed),
			                      .sem_op = (short)SEM_CHANGE(packed),
			                      .sem_flg = (short)SEM_FLAGS(packed) };
	}
	bool sleeps = may_sleep(ops, count, wait);
	if (!call_begin(OF_SETS, id, sleeps, wait > 0 && wait <= WAIT_BRIEF))
		return true;
	int result = sem_call(id, ops, count, wait);
	call_end(&(struct call_result){ .value = result, .error = result < 0 ? errno : 0 });
	return !sleeps;
}

static void op_set_all(const struct op *op)
{
	for (int i = 0; i < LARGE; i++)
		values[i] = (unsigned short)(op->arg[1] + i * op->arg[2]);
	int result = semctl(world->set[op->arg[0]], 0, SETALL, (union semun){ .array = values });
	log_result(result, result < 0 ? errno : 0);
}

static void op_all(const struct op *op)
{
	memset(values, 0, LARGE * sizeof(values[0]));
	int result = semctl(world->set[op->arg[0]], 0, GETALL, (union semun){ .array = values });
	log_result(result, result < 0 ? errno : 0);
	const int64_t fields[VALUES_FIELDS] = { LOOKED_STRUCT, 0, values_sum(values, LARGE) };
	log_record(REC_VALUES, fields, VALUES_FIELDS);
}

static void op_ask(const struct op *op)
{
	int result = semctl(world->set[op->arg[0]], (int)op->arg[1], (int)op->arg[2]);
	int error = result < 0 ? errno : 0;
	log_result(op->arg[2] == GETPID && result >= 0 ? birth_of(result) : result, error);
}

static void op_set_value(const struct op *op)
{
	int result = semctl(world->set[op->arg[0]], (int)op->arg[1], SETVAL,
	                    (union semun){ .val = (int)op->arg[2] });
	log_result(result, result < 0 ? errno : 0);
}

/* docs/divergences.md: "an ordinary owner calls IPC_SET with another uid, or with a gid that is
 * none of his groups, in a shared namespace". */
static void give_nothing_away(int id, const struct op *op, struct ipc_perm *perm)
{
	struct semid_ds now;
	if (!set_now(id, &now))
		return;
	if (op->arg[1] != -1)
		perm->uid = now.sem_perm.uid;
	if (op->arg[2] != -1 && !is_my_group((gid_t)op->arg[2]))
		perm->gid = now.sem_perm.gid;
}

static void op_set(const struct op *op)
{
	struct semid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	stat.sem_perm.uid = (uid_t)op->arg[1];
	stat.sem_perm.gid = (gid_t)op->arg[2];
	stat.sem_perm.mode = (unsigned short)op->arg[3];
	give_nothing_away(world->set[op->arg[0]], op, &stat.sem_perm);
	int result = semctl(world->set[op->arg[0]], 0, IPC_SET, (union semun){ .buf = &stat });
	log_result(result, result < 0 ? errno : 0);
}

static void op_stat(int id, int number, int command, bool structure)
{
	struct semid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	int result = semctl(id, number, command, (union semun){ .buf = &stat });
	log_result(result, result < 0 ? errno : 0);
	if (structure && result >= 0)
		log_set(LOOKED_STRUCT, command == IPC_STAT ? id : result, &stat);
}

static void op_null(int id, int command)
{
	if (command != IPC_RMID && (has_32_bits || null_is_mapped())) {
		log_outcome(REFUSED);
		return;
	}
	int result = semctl(id, 0, command, (union semun){ .buf = NULL });
	log_result(result, result < 0 ? errno : 0);
}

static void op_index_stat(const struct op *op)
{
	if (!world->alone)
		log_outcome(REFUSED);
	else
		op_stat((int)op->arg[0], 0, op->arg[1] != 0 ? SEM_STAT_ANY : SEM_STAT, true);
}

bool sem_act(const struct op *op)
{
	int id = op_slot(op) >= 0 ? world->set[op_slot(op)] : -1;
	if (op->kind != OP_SEM_GET && set_refused(id)) {
		log_outcome(REFUSED);
		return true;
	}
	switch ((enum op_kind)op->kind) {
	case OP_SEM_GET:
		op_get(op);
		break;
	case OP_SEM_OP:
	case OP_SEM_MANY:
		return op_operations(op);
	case OP_SEM_ASK:
		op_ask(op);
		break;
	case OP_SEM_SET_VALUE:
		op_set_value(op);
		break;
	case OP_SEM_SET_ALL:
		op_set_all(op);
		break;
	case OP_SEM_ALL:
		op_all(op);
		break;
	case OP_SEM_STAT:
		op_stat(id, 0, IPC_STAT, true);
		break;
	case OP_SEM_SET:
		op_set(op);
		break;
	case OP_SEM_REMOVE:
		op_null(id, IPC_RMID);
		break;
	case OP_SEM_NULL:
		op_null(id, (int)op->arg[1]);
		break;
	case OP_SEM_CONTROL:
		if (is_c_librarys(op->arg[2]))
			log_outcome(REFUSED);
		else
			op_stat(id, (int)op->arg[1], (int)op->arg[2], false);
		break;
	case OP_SEM_INDEX_STAT:
		op_index_stat(op);
		break;
	case OP_SEM_ID_STAT:
		op_stat(id, 0, op->arg[1] != 0 ? SEM_STAT_ANY : SEM_STAT, true);
		break;
	case OP_SEM_INFO:
		set_info((int)op->arg[0], (int)op->arg[1]);
		break;
	default:
		sets_table();
		break;
	}
	return true;
}

/* ---- drawing ------------------------------------------------------------------------------- */

static int64_t some_set(struct situation *s)
{
	uint32_t first = chance(s, 60) ? s->hot % SETS : below(s, SETS);
	for (uint32_t i = 0; i < SETS && !chance(s, 6); i++)
		if (s->sems[(first + i) % SETS] != 0)
			return (first + i) % SETS;
	return first;
}

static void forget_set(struct situation *s, int64_t set, int sems)
{
	s->sems[set] = (uint8_t)sems;
	memset(s->value[set], 0, sizeof(s->value[set]));
}

static void draw_get(struct situation *s)
{
	static const int64_t impossible[] = { 0, 0, -1, 32001, INT_MIN, INT_MAX };
	int64_t nsems = 1 + below(s, 4), set = below(s, SETS);
	if (chance(s, 4))
		nsems = chance(s, 50) ? 20 + below(s, 300) : 5 + below(s, 60);
	if (chance(s, 5))
		nsems = ONE_OF(s, impossible);
	int64_t key = chance(s, 40) ? 0 : 1 + below(s, 7);
	int64_t flags = some_open_mode(s) | (chance(s, 85) ? IPC_CREAT : 0);
	if (chance(s, 15))
		flags |= IPC_EXCL;
	for (int i = 0; i < SETS && s->sems[set] != 0 && chance(s, 80); i++)
		set = (set + 1) % SETS;
	step(s, OP_SEM_GET, set, key, nsems, flags);
	if (nsems > 0 && nsems <= 400)
		forget_set(s, set, nsems < BELIEVED_SEMS ? (int)nsems : BELIEVED_SEMS);
}

static int64_t some_operation(struct situation *s, int64_t set)
{
	static const int changes[] = { -1, -1, -1, -1, -1, -1, 1, 1,  1, 1,
		                       1,  0,  0,  -2, -2, 2,  2, -3, 3 };
	static const int large[] = { 32767, -32768, -32767, 30000, 20000, -20000, 100 };
	int sems = s->sems[set] != 0 ? s->sems[set] : 1;
	int number = (int)below(s, (uint32_t)sems), flags = 0;
	if (chance(s, 1))
		number = chance(s, 50) ? sems : 65535;
	int change = chance(s, 96) ? ONE_OF(s, changes) : ONE_OF(s, large);
	flags |= chance(s, 35) ? SEM_UNDO : 0;
	flags |= chance(s, 15) ? IPC_NOWAIT : 0;
	flags |= chance(s, 2) ? 0x4000 : 0;
	return sem_pack(number, change, flags);
}

/* What programs often do: a lock by a wait for 0, a token moved on, a barrier. */
static int draw_idiom(struct situation *s, int64_t set, int64_t operations[])
{
	uint32_t sems = s->sems[set] != 0 ? s->sems[set] : 1;
	int one = (int)below(s, sems), other = (int)below(s, sems);
	int flags = chance(s, 40) ? SEM_UNDO : 0;
	int count = 2;
	switch (below(s, 4)) {
	case 0:
		operations[0] = sem_pack(one, 0, 0);
		operations[1] = sem_pack(one, 1, flags);
		break;
	case 1:
		operations[0] = sem_pack(one, -1, flags);
		operations[1] = sem_pack(other, 1, flags);
		break;
	case 2:
		operations[0] = sem_pack(one, 0, 0);
		operations[1] = sem_pack(other, 0, 0);
		break;
	default:
		operations[0] = sem_pack(one, 0, 0);
		count = 1;
		break;
	}
	return count;
}

static int64_t some_wait(struct situation *s)
{
	static const int64_t rare[] = { -2, -3, 0, 0, 0, INT64_MAX, INT64_C(1) << 60 };
	if (chance(s, 82))
		return -1;
	if (chance(s, 3))
		return 50 + below(s, 300); /* is waited for */
	return chance(s, 60) ? INT64_C(3600000000) : ONE_OF(s, rare);
}

/* What becomes of the operations in the belief; false: they cannot be done. */
static bool believe(struct situation *s, const struct op *op, bool *ret_no_wait)
{
	int64_t set = op->arg[0];
	int now[BELIEVED_SEMS];
	memcpy(now, s->value[set], sizeof(now));
	for (int i = 2; i < OP_ARGS && SEM_IS_THERE(op->arg[i]); i++) {
		int number = SEM_NUMBER(op->arg[i]), change = SEM_CHANGE(op->arg[i]);
		*ret_no_wait = (SEM_FLAGS(op->arg[i]) & IPC_NOWAIT) != 0 || number >= BELIEVED_SEMS;
		if (number >= BELIEVED_SEMS || now[number] + change < 0 ||
		    (change == 0 && now[number] != 0))
			return false;
		now[number] += change;
	}
	memcpy(s->value[set], now, sizeof(now));
	return true;
}

static void draw_operations(struct situation *s)
{
	struct op op = { OP_SEM_OP, (uint8_t)s->actor, { some_set(s), some_wait(s) } };
	int count = chance(s, 60) ? 1 : chance(s, 60) ? 2 : 3 + (int)below(s, 3);
	bool no_wait = false;
	if (chance(s, 20))
		(void)draw_idiom(s, op.arg[0], &op.arg[2]);
	else
		for (int i = 0; i < count; i++)
			op.arg[2 + i] = some_operation(s, op.arg[0]);
	if (chance(s, 1)) /* none */
		op.arg[2] = 0;
	program_add(s->program, op);
	bool can = believe(s, &op, &no_wait);
	if (can)
		wake_some(s, ASLEEP_IN_SET(op.arg[0]), 12);
	/* The belief is often wrong. To take one for asleep who is not costs less. */
	if ((!can || chance(s, 20)) && !no_wait && (op.arg[1] == -1 || op.arg[1] > WAIT_BRIEF))
		s->asleep[s->actor] = ASLEEP_IN_SET(op.arg[0]);
}

static void draw_set_values(struct situation *s)
{
	static const int64_t some[] = { 0, 0, 0, 1, 1, 1, 2, 3, 5, 32767, 32766, 32768, -1 };
	int64_t set = some_set(s), value = ONE_OF(s, some);
	int64_t number = below(s, s->sems[set] + 1U) % (s->sems[set] != 0 ? s->sems[set] : 1U);
	if (chance(s, 3))
		number = chance(s, 50) ? -1 : s->sems[set];
	if (chance(s, 75)) {
		step(s, OP_SEM_SET_VALUE, set, number, value, 0);
		if (number >= 0 && number < BELIEVED_SEMS)
			s->value[set][number] = value < 0 ? 0 : (int)value;
	} else {
		step(s, OP_SEM_SET_ALL, set, value, below(s, 2), 0);
		for (int i = 0; i < BELIEVED_SEMS; i++)
			s->value[set][i] = value < 0 ? 0 : (int)value;
	}
	wake_some(s, ASLEEP_IN_SET(set), 25);
}

static void draw_remove(struct situation *s)
{
	int64_t set = some_set(s);
	step(s, OP_SEM_REMOVE, set, 0, 0, 0);
	if (chance(s, 80))
		forget_set(s, set, 0);
	wake_some(s, ASLEEP_IN_SET(set), 95);
}

static void draw_many(struct situation *s)
{
	static const int64_t counts[] = { 0, 1, 3, 5, 10, 100, 499, 500, 501 };
	int64_t set = some_set(s);
	step(s, OP_SEM_MANY, set, some_wait(s), ONE_OF(s, counts), some_operation(s, set));
}

static void draw_rest(struct situation *s)
{
	static const int64_t asks[] = { GETPID, GETVAL, GETNCNT, GETZCNT };
	static const int64_t unknown[] = { 99, -1, 1000, 4, 10, 21, 0x100 | IPC_STAT };
	static const int64_t with_null[] = { GETALL, SETALL, IPC_STAT, IPC_SET, SEM_STAT };
	int64_t set = some_set(s), uid, gid;
	switch (below(s, 16)) {
	case 0:
		step(s, OP_SEM_NULL, set, ONE_OF(s, with_null), 0, 0);
		break;
	case 1:
		step(s, OP_SEM_CONTROL, set, (int64_t)below(s, 5) - 1, ONE_OF(s, unknown), 0);
		break;
	case 2:
		step(s, OP_SEM_INDEX_STAT, (int64_t)below(s, 30) - 1, below(s, 2), 0, 0);
		break;
	case 3:
		step(s, OP_SEM_ID_STAT, set, below(s, 2), 0, 0);
		break;
	case 4:
		step(s, OP_SEM_INFO, (int64_t)below(s, 100) - 50,
		     chance(s, 50) ? IPC_INFO : SEM_INFO, 0, 0);
		break;
	case 5:
	case 6:
	case 7:
		some_owner(s, &uid, &gid);
		step(s, OP_SEM_SET, set, uid, gid, some_open_mode(s) | (chance(s, 10) ? 07000 : 0));
		break;
	case 8:
		step(s, OP_SEM_ALL, set, 0, 0, 0);
		break;
	case 9:
	case 10:
		step(s, OP_SEM_STAT, set, 0, 0, 0);
		break;
	case 11:
		step(s, chance(s, 15) ? OP_SEM_TABLE : OP_SEM_STAT, set, 0, 0, 0);
		break;
	default:
		step(s, OP_SEM_ASK, set, (int64_t)below(s, s->sems[set] + 2U) - chance(s, 10),
		     ONE_OF(s, asks), 0);
		break;
	}
}

void sem_draw(struct situation *s)
{
	uint32_t what = below(s, 1000);
	if (what < 80)
		draw_get(s);
	else if (what < 660)
		draw_operations(s);
	else if (what < 668)
		draw_many(s);
	else if (what < 780)
		draw_set_values(s);
	else if (what < 820)
		draw_remove(s);
	else
		draw_rest(s);
}
