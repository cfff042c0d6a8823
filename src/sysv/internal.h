/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the System V names over the native interface.
 *
 *   default.c    the namespace that the calls work in, and the errno for each code
 *   calls.c      shmget, shmat, shmdt, ftok
 *   shmctl.c     shmctl, and on 32-bit glibc its twin with 64-bit times
 *   ipc.h        the calls for semaphores and message queues: semcalls.c semctl.c msgcalls.c
 *                msgctl.c
 *   table.c      the files of /proc that are ours, see proc.h; rows.c
 *   look.c       what stat and access say of these files
 *   wrap_*.c     calls of the C library that have to know of attachments or these files
 *   names.c      what is behind each exported name; symbols.c and loaded_object.c find it
 *   numbers.c    the calls by number, for syscall(2); number_pass.c passes others on
 *   rebind.c     points a module's references at us that were bound past us
 *   sanitizer.c  sets an option of AddressSanitizer
 *
 * The semantics are in the segment room. This room adds only what the form of
 * System V needs: -1 and errno, structures, commands.
 */
#ifndef MADANG_SYSV_INTERNAL_H
#define MADANG_SYSV_INTERNAL_H

#include <sys/shm.h>

#include "madang/segment.h"

#define MDG_EXPORT __attribute__((visibility("default")))

/* The namespace of this process. The first call opens it. It is then kept, even if the process
 * becomes another user, just as a process keeps its IPC namespace in the kernel. After a failure
 * the next call tries again. */
int mdg__sysv_namespace(mdg_namespace **ret_ns);

/* Sets errno for a code and returns -1. `in_attach`: shmat has no ENOSPC. */
int mdg__sysv_fail(int code, int in_attach);

/* The same, but NULL when it has not been opened yet. */
mdg_namespace *mdg__sysv_namespace_if_open(void);

/* These do what the exported functions of the same names do. Other libraries cannot overwrite
 * them, because they are hidden. */
int mdg__sysv_shmget(key_t key, size_t size, int flags);
void *mdg__sysv_shmat(int id, const void *address, int flags);
int mdg__sysv_shmdt(const void *address);
int mdg__sysv_shmctl(int id, int cmd, struct shmid_ds *ds);

#endif
