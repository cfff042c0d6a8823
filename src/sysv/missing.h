/* SPDX-License-Identifier: MIT */
/*
 * missing.h - names of the System V headers that some C libraries lack.
 */
#ifndef MADANG_SYSV_MISSING_H
#define MADANG_SYSV_MISSING_H

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY (13 | (IPC_STAT & 0x100))
#endif
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

/* The field of struct msqid_ds. glibc has this name only for its own __msg_cbytes. */
#ifndef msg_cbytes
#define MDG__CBYTES msg_cbytes
#else
#define MDG__CBYTES __msg_cbytes
#endif

#endif
