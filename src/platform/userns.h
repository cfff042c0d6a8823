/* SPDX-License-Identifier: MIT */
/*
 * userns.h - user namespaces: what the numbers of users and groups mean.
 *
 * The kernel knows one user by one number, and shows it to a process in the
 * numbers of the process's user namespace. Two processes that share a directory
 * may so see two numbers for one user, and one number for two users. What they
 * tell each other about users has to be in numbers that all of them mean alike:
 * the OUTSIDE numbers, which are those of the initial user namespace. INSIDE
 * numbers are those that the calling process sees and gives.
 *
 * A process learns how its namespace was made from /proc/self/uid_map and
 * gid_map. Their outside column is in the numbers of the parent namespace. If
 * the parent is not the initial one, these are not outside numbers, and no file
 * says so. One thing gives it away: the files under /proc/sys belong to the
 * real root. Where the map and their owner do not agree about him, the parent is
 * another one, and outside numbers are UNKNOWN.
 *
 * Without /proc nothing is known: then outside numbers are unknown as well.
 */
#ifndef MADANG_PLATFORM_USERNS_H
#define MADANG_PLATFORM_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* No number: it is not mapped, or cannot be told. */
#define MDG__ID_UNKNOWN UINT32_C(0xfffffffd)
/* The lowest number that means something else than a user or a group. Numbers from here on,
 * which nobody has, are unknown to the registry. */
#define MDG__ID_END MDG__ID_UNKNOWN

enum mdg__id_kind { MDG__USER, MDG__GROUP };

/* A user namespace as a process has found it. It never changes and is never freed. */
struct mdg__userns;

/* The calling process's. Remembered for as long as `euid`, the effective user as the kernel gives
 * it, is the same: a new namespace nearly always changes that. Never NULL. */
const struct mdg__userns *mdg__userns(uint32_t euid);
/* Asks the kernel again. NULL: it cannot be told just now. For whatever relies on a capability,
 * or writes down who the caller is. */
const struct mdg__userns *mdg__userns_ask(uint32_t euid);
/* In the child of a fork, which may have been made in a namespace of its own. */
void mdg__userns_forget(void);

/* The last one that was found, without asking even for the effective user: right after a call of
 * the above. Never NULL. */
const struct mdg__userns *mdg__userns_known(void);
/* A number of the namespace, for names; 0 where /proc does not tell. */
uint64_t mdg__userns_inode(const struct mdg__userns *userns);
/* Whether all users of the machine are in it, under their outside numbers. */
bool mdg__userns_is_whole(const struct mdg__userns *userns);
/* Whether outside numbers are known at all. */
bool mdg__userns_has_numbers(const struct mdg__userns *userns);
/* The real root's number inside; false: he has none. */
bool mdg__userns_root(const struct mdg__userns *userns, uint32_t *ret_inside);
/* What the kernel shows in the place of those that are not mapped. */
uint32_t mdg__id_overflow(const struct mdg__userns *userns, enum mdg__id_kind kind);
/* Whether the kernel takes an inside number for anybody. */
bool mdg__id_is_mapped(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside);
/* A number that stat shows inside is surely that of one mapped user. */
bool mdg__id_is_certain(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside);
/* Either may be MDG__ID_UNKNOWN. */
uint32_t mdg__id_outside(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside);
uint32_t mdg__id_inside(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t outside);

/* Whether a file is the calling process's own, as the kernel sees it, at any depth of namespaces.
 * `name` in the directory `dirfd`, whose status it is; what kind of file it is was checked.
 * `flags`: of openat, O_NOFOLLOW or 0. */
bool mdg__file_is_mine(int dirfd, const char *name, int flags, const struct stat *status);

/* Whether the process has a capability in the initial user namespace, as the kernel's capable().
 * A user namespace's own root has it there alone: see src/segment/permission.c. */
bool mdg__capable(int capability);

#endif
