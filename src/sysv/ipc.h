/* SPDX-License-Identifier: MIT */
/*
 * ipc.h - semaphores and message queues, as the System V names give them.
 *
 *   semcalls.c   semget, semop, semtimedop; on 32-bit glibc a twin with 64-bit times
 *   semctl.c     semctl, and its twin
 *   msgcalls.c   msgget, msgsnd, msgrcv
 *   msgctl.c     msgctl, and its twin
 *
 * The semantics are in the rooms semset and msgqueue, behind <madang/sem.h> and <madang/msg.h>.
 * These functions do what the exported functions of the same names do. See internal.h for why
 * there are two of each.
 */
#ifndef MADANG_SYSV_IPC_H
#define MADANG_SYSV_IPC_H

#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/types.h>

/* The fourth argument of semctl. Programs declare this union themselves, with any names. */
union mdg__semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

struct timespec;

int mdg__sysv_semget(key_t key, int count, int flags);
/* `timeout` NULL: semop. */
int mdg__sysv_semtimedop(int id, const struct sembuf *ops, size_t count,
                         const struct timespec *timeout);
/* The same with 64-bit times, on 32-bit glibc (semtimedop64.c). `timeout` points to two numbers. */
#if !defined(mdg__sysv_semtimedop)
int mdg__sysv_semtimedop64(int id, const struct sembuf *ops, size_t count, const void *timeout);
#endif
int mdg__sysv_semctl(int id, int number, int cmd, union mdg__semun argument);

int mdg__sysv_msgget(key_t key, int flags);
/* These two are not cancellation points; the exported ones are. */
int mdg__sysv_msgsnd(int id, const void *message, size_t size, int flags);
ssize_t mdg__sysv_msgrcv(int id, void *message, size_t size, long wanted, int flags);
int mdg__sysv_msgctl(int id, int cmd, struct msqid_ds *ds);

#endif
