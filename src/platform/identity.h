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

/* The real user and group. In a set-user-ID program they are those that started it. */
uint32_t mdg__real_uid(void);
uint32_t mdg__real_gid(void);
/* Whether the effective user may do that (R_OK, W_OK, X_OK) with the path: 0 or -errno. */
int mdg__sys_may(const char *path, int what);

/* The capabilities that System V shared memory asks for, capabilities(7). */
enum { MDG__CAP_IPC_LOCK = 14, MDG__CAP_IPC_OWNER = 15, MDG__CAP_SYS_ADMIN = 21 };
/* Whether the process has the capability in its own user namespace. That says little about users of
 * other namespaces. See mdg__capable in userns.h. */
bool mdg__has_capability(int capability);

/* Whether the kernel maps files at addresses that differ from run to run. */
bool mdg__addresses_are_random(void);
uint64_t mdg__random(void);

/* A number for this boot of the machine, and a number for the process's pid namespace. 0: /proc
 * does not tell. */
uint64_t mdg__boot_id(void);
uint64_t mdg__pid_namespace(void);

/* Asked about another process when its lock is found free: is there a process `pid` that was
 * started no later than `born_before` (nanoseconds since boot), and that maps the file of that
 * inode at `address`? A zombie maps nothing. After exec the old map is gone. */
enum mdg__answer { MDG__NO, MDG__YES, MDG__CANNOT_TELL };
enum mdg__answer mdg__process_maps(int32_t pid, uint64_t born_before, uint64_t address,
                                   ino_t inode);

/* Whether a thread of the process has every signal blocked, as a thread has while it holds a lock
 * of ours. `except`: a thread to leave out; 0: none. */
enum mdg__answer mdg__process_blocks_signals(int32_t pid, int32_t except);
int32_t mdg__tid(void);

/* A path through which a file that a process maps can be opened without any
 * descriptor of it: /proc/PID/map_files/... (which the kernel opens to root
 * alone). False when the process does not map it. */
bool mdg__mapped_path(int32_t pid, ino_t inode, char path[96]);

#endif
