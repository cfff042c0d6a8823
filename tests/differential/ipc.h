/* SPDX-License-Identifier: MIT */
/*
 * ipc.h - sets and queues: what the files that act have of the files that look.
 */
#ifndef MADANG_TESTS_DIFFERENTIAL_IPC_H
#define MADANG_TESTS_DIFFERENTIAL_IPC_H

#include "differential/world.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

/* Not every C library has all of them. */
#ifndef SEM_STAT
#define SEM_STAT 18
#define SEM_INFO 19
#endif
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

#ifndef MSG_STAT
#define MSG_STAT 11
#define MSG_INFO 12
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

/* act.c */
bool null_is_mapped(void);
/* With 32 bits the C library translates the structures of semctl and msgctl. It touches NULL, and
 * takes a bit of the command for its own. */
enum { has_32_bits = sizeof(void *) == 4 };
static inline bool is_c_librarys(int64_t command)
{
	return has_32_bits && (command & 0x100) != 0;
}
bool is_my_group(gid_t group);
/* docs/divergences.md, "a removed segment of another user": root looks, then its id is free. */
void deaths_noticed(void);
bool creators_rights(const struct ipc_perm *perm);

/* sem_look.c: whether the set is there, and what is known of it. */
bool set_now(int id, struct semid_ds *ret_now);
bool queue_now(int id, struct msqid_ds *ret_now);
/* For a step of a user who is not root: docs/divergences.md, "the creator of a segment that has
 * another owner or group by now". */
bool set_refused(int id);
bool queue_refused(int id);
void log_set(int64_t slot, int64_t id, const struct semid_ds *stat);
int64_t values_sum(const unsigned short *values, int64_t count);
void sets_table(void);
void set_info(int id, int command);

/* msg_look.c */
void log_queue(int64_t slot, int64_t id, const struct msqid_ds *stat);
struct call_result message_result(long type, const unsigned char *text, ssize_t length);
void queues_table(void);

#endif
