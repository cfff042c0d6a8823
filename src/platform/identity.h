/* SPDX-License-Identifier: MIT */
/*
 * identity.h - who this process is, what it may do, and whether another lives.
 */
#ifndef MADANG_PLATFORM_IDENTITY_H
#define MADANG_PLATFORM_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int32_t mdg__pid(void); /* asked of the kernel each time */
uint32_t mdg__euid(void);
uint32_t mdg__egid(void);
/* Whether `gid` is the effective group or one of the supplementary ones. */
bool mdg__in_group(uint32_t gid);

/* The real user and group: what a set-user-ID program was started by. */
uint32_t mdg__real_uid(void);
uint32_t mdg__real_gid(void);
/* Whether the effective user may do that (R_OK, W_OK, X_OK) with the path: 0 or -errno. */
int mdg__sys_may(const char *path, int what);

/* The capabilities that System V shared memory asks for, capabilities(7). */
enum { MDG__CAP_IPC_LOCK = 14, MDG__CAP_IPC_OWNER = 15, MDG__CAP_SYS_ADMIN = 21 };
/* Whether the process has it at all: in its own user namespace, which says little about users
 * elsewhere. See mdg__capable in userns.h. */
bool mdg__has_capability(int capability);

/* Whether the kernel maps files at addresses that differ from run to run. */
bool mdg__addresses_are_random(void);
uint64_t mdg__random(void);

/* A number for this boot of the machine and one for the process's pid
 * namespace; 0 where /proc does not tell. */
uint64_t mdg__boot_id(void);
uint64_t mdg__pid_namespace(void);

/* What another process is asked when its lock is found free: does a process
 * `pid`, started no later than `born_before` (boot nanoseconds), map the file
 * of that inode at `address`? A zombie maps nothing; after exec the old map is gone. */
enum mdg__answer { MDG__NO, MDG__YES, MDG__CANNOT_TELL };
enum mdg__answer mdg__process_maps(int32_t pid, uint64_t born_before, uint64_t address,
                                   ino_t inode);

/* Whether a thread of the process has every signal blocked, as each thread has
 * while it holds a lock of ours. `except`: a thread that is not asked, 0 none. */
enum mdg__answer mdg__process_blocks_signals(int32_t pid, int32_t except);
int32_t mdg__tid(void);

/* A path through which a file that a process maps can be opened without any
 * descriptor of it: /proc/PID/map_files/... (which the kernel opens to root
 * alone). False when the process does not map it. */
bool mdg__mapped_path(int32_t pid, ino_t inode, char path[96]);

#endif
