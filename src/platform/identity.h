/* SPDX-License-Identifier: MIT */
/*
 * identity.h - who this process is, and what it may do.
 */
#ifndef MADANG_PLATFORM_IDENTITY_H
#define MADANG_PLATFORM_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The process and the calling thread. Each asks the kernel every time. */
int32_t mdg__pid(void);
int32_t mdg__tid(void);
uint32_t mdg__euid(void);
uint32_t mdg__egid(void);
/* The effective user without asking the kernel each time. Only somebody who sees every call by
 * which this process changes its user can promise that the answer is still true: libmadang-sysv
 * does when it is preloaded. It says once that it watches, and after each such call, also one that
 * failed, that there was one. Changes of groups and capabilities are told too. While nobody
 * watches, this is mdg__euid(). The answer may be believed when it permits something; before
 * anything is refused, the kernel is asked. */
uint32_t mdg__euid_remembered(void);
/* The effective group likewise. */
uint32_t mdg__egid_remembered(void);
/* A number that changes with each change, for what a thread remembers of its own permissions.
 * 0: nobody watches, and nothing may be remembered. */
uint32_t mdg__identity_turn(void);
void mdg__identity_watch(void);
void mdg__identity_changed(void);
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

#endif
