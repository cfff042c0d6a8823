/* SPDX-License-Identifier: MIT */
/*
 * sem_look.c - sets of semaphores: what is looked at after a step, and the table.
 *
 * The values, the processes that GETPID names, and the counts of sleepers say
 * together who was served, in which order, and who waits for what.
 */
#include "differential/ipc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { INDEXES = 32768, LOOKED_AT = 5, LARGE = 1000 };

static unsigned short looked[65536];

/* ---- looking ------------------------------------------------------------------------------ */

void log_set(int64_t slot, int64_t id, const struct semid_ds *stat)
{
	const int64_t fields[SET_FIELDS] = {
		[SEGMENT_SLOT] = slot,
		[SEGMENT_ID] = id,
		[SEGMENT_KEY] = key_name(stat->sem_perm.__key),
		[SEGMENT_UID] = stat->sem_perm.uid,
		[SEGMENT_GID] = stat->sem_perm.gid,
		[SEGMENT_CUID] = stat->sem_perm.cuid,
		[SEGMENT_CGID] = stat->sem_perm.cgid,
		[SEGMENT_MODE] = stat->sem_perm.mode,
		[SEGMENT_SEQ] = stat->sem_perm.__seq,
		[SET_NSEMS] = (int64_t)stat->sem_nsems,
		[SET_OTIME] = time_name(stat->sem_otime),
		[SET_CTIME] = time_name(stat->sem_ctime),
	};
	log_record(REC_SET, fields, SET_FIELDS);
}

int64_t values_sum(const unsigned short *values, int64_t count)
{
	uint64_t sum = 0;
	for (int64_t i = 0; i < count; i++)
		sum = sum * 31 + values[i];
	return (int64_t)(sum & INT64_MAX);
}

/* Of the first semaphores, and of all values together. */
static void values_look(int64_t slot, int id, int64_t count)
{
	int64_t fields[VALUES_FIELDS + LOOKED_AT * VALUE_FIELDS] = { slot };
	int length = VALUES_FIELDS;
	if (count > LARGE)
		return;
	if (semctl(id, 0, GETALL, (union semun){ .array = looked }) < 0) {
		fields[VALUES_ERROR] = errno;
		log_record(REC_VALUES, fields, length);
		return;
	}
	fields[VALUES_SUM] = values_sum(looked, count);
	for (int i = 0; i < count && i < LOOKED_AT; i++, length += VALUE_FIELDS) {
		fields[length + VALUE] = looked[i];
		fields[length + VALUE_PID] = birth_of(semctl(id, i, GETPID));
		fields[length + VALUE_NCNT] = semctl(id, i, GETNCNT);
		fields[length + VALUE_ZCNT] = semctl(id, i, GETZCNT);
	}
	log_record(REC_VALUES, fields, length);
}

bool set_now(int id, struct semid_ds *ret_now)
{
	union semun now = { .buf = ret_now };
	return geteuid() != 0 && id >= 0 && semctl(id % INDEXES, 0, SEM_STAT_ANY, now) == id;
}

bool set_refused(int id)
{
	struct semid_ds now;
	return world->users && set_now(id, &now) && creators_rights(&now.sem_perm);
}

static void index_look(int64_t slot, int index, int wanted)
{
	struct semid_ds stat;
	memset(&stat, 0xa5, sizeof(stat));
	int id = semctl(index, 0, SEM_STAT_ANY, (union semun){ .buf = &stat });
	if (id < 0) {
		const int64_t fields[] = { slot, errno };
		log_record(REC_SET, fields, 2);
		return;
	}
	log_set(slot, id, &stat);
	if ((wanted < 0 || id == wanted) && !set_refused(id))
		values_look(slot, id, (int64_t)stat.sem_nsems);
}

void sets_look(int slot)
{
	for (int i = 0; i < SETS; i++)
		if ((slot < 0 || i == slot) && world->set[i] >= 0)
			index_look(i, world->set[i] % INDEXES, world->set[i]);
}

/* Every index there is, and at the end of a run they are removed. */
void sets_survey(bool remove)
{
	struct seminfo info;
	struct semid_ds stat;
	int highest = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	for (int index = 0; world->alone && index <= highest; index++) {
		index_look(-1, index, -1);
		int id = semctl(index, 0, SEM_STAT_ANY, (union semun){ .buf = &stat });
		if (remove && id >= 0)
			semctl(id, 0, IPC_RMID);
	}
	for (int slot = 0; remove && !world->alone && slot < SETS; slot++)
		if (world->set[slot] >= 0)
			semctl(world->set[slot], 0, IPC_RMID);
}

/* Whoever asks for a value adds the sums of the dead. Nothing tells the order in which several
 * died: docs/divergences.md, "several processes that have sums end". Also those who sleep know at
 * once then, and not up to 25 ms later. */
void sets_notice_death(void)
{
	struct seminfo info;
	struct semid_ds stat;
	int highest = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	for (int index = 0; world->alone && index <= highest; index++) {
		int id = semctl(index, 0, SEM_STAT_ANY, (union semun){ .buf = &stat });
		if (id >= 0)
			semctl(id, 0, GETVAL);
	}
	for (int slot = 0; !world->alone && slot < SETS; slot++)
		if (world->set[slot] >= 0)
			semctl(world->set[slot], 0, GETVAL);
}

void set_info(int id, int command)
{
	struct seminfo info;
	memset(&info, 0xa5, sizeof(info));
	int highest = semctl(id, 0, command, (union semun){ .info = &info });
	log_result(highest >= 0 && !sees_all() ? 0 : highest, highest < 0 ? errno : 0);
	const int64_t fields[INFO_FIELDS] = { info.semmap, info.semmni, info.semmns, info.semmnu,
		                              info.semmsl, info.semopm, info.semume, info.semusz,
		                              info.semvmx, info.semaem };
	if (highest >= 0 && sees_all())
		log_record(REC_INFO, fields, INFO_FIELDS);
}

void deaths_noticed(void)
{
	struct seminfo sets;
	struct msginfo queues;
	if (!world->users || geteuid() == 0)
		return;
	become(0);
	semctl(0, 0, SEM_INFO, (union semun){ .info = &sets });
	msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&queues);
	become(world->actor[me].user);
}

static void row_log(const char *line)
{
	long long f[9];
	unsigned mode;
	if (sscanf(line, "%lld %lld %o %lld %lld %lld %lld %lld %lld %lld", &f[0], &f[1], &mode,
	           &f[2], &f[3], &f[4], &f[5], &f[6], &f[7], &f[8]) != 10)
		return;
	const int64_t fields[SET_FIELDS] = {
		[SEGMENT_SLOT] = LOOKED_ROW,
		[SEGMENT_KEY] = key_name((int)f[0]),
		[SEGMENT_ID] = f[1],
		[SEGMENT_MODE] = mode,
		[SET_NSEMS] = f[2],
		[SEGMENT_UID] = f[3],
		[SEGMENT_GID] = f[4],
		[SEGMENT_CUID] = f[5],
		[SEGMENT_CGID] = f[6],
		[SET_OTIME] = time_name(f[7]),
		[SET_CTIME] = time_name(f[8]),
	};
	log_record(REC_SET, fields, SET_FIELDS);
}

void sets_table(void)
{
	log_table("/proc/sysvipc/sem", row_log);
}
