/* SPDX-License-Identifier: MIT */
/*
 * userns.h - user namespaces: what the numbers of users and groups mean.
 *
 * The kernel knows each user by one number. A process sees that user under the
 * number that the process's user namespace gives him. So two processes that share
 * a directory may see two numbers for one user, or one number for two users. What
 * they tell each other about users has to be in numbers that mean the same to all
 * of them. These are the OUTSIDE numbers, those of the initial user namespace.
 * INSIDE numbers are those that the calling process sees and passes to the kernel.
 *
 * A process learns how its namespace was made from /proc/self/uid_map and
 * gid_map. The second column there has the numbers of the parent namespace. If
 * the parent is not the initial namespace, these are not outside numbers, and no
 * file says so. But the files under /proc/sys belong to the real root. If the map
 * and the owner of these files do not agree about him, the parent is not the
 * initial namespace, and outside numbers are UNKNOWN. They are unknown without
 * /proc, too.
 */
#ifndef MADANG_PLATFORM_USERNS_H
#define MADANG_PLATFORM_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* No number: the user or group is not mapped, or this process cannot tell. */
#define MDG__ID_UNKNOWN UINT32_C(0xfffffffd)
/* The lowest number that does not mean a user or a group. No user has this number or a higher one,
 * and the registry takes such numbers for unknown. */
#define MDG__ID_END MDG__ID_UNKNOWN

enum mdg__id_kind { MDG__USER, MDG__GROUP };

/* A user namespace as a process has found it. It never changes and is never freed. */
struct mdg__userns;

/* The namespace of the calling process. It is remembered while `euid`, the effective user as the
 * kernel gives it, stays the same; entering a new namespace nearly always changes that. Never
 * NULL. */
const struct mdg__userns *mdg__userns(uint32_t euid);
/* Asks the kernel again. NULL: it cannot be told at this moment. Use this where the code relies on
 * a capability, or writes down who the caller is. */
const struct mdg__userns *mdg__userns_ask(uint32_t euid);
/* Call it in the child of a fork. The child may have been made in a namespace of its own. */
void mdg__userns_forget(void);

/* The namespace that was found last. It does not even ask for the effective user, so use it right
 * after one of the calls above. Never NULL. */
const struct mdg__userns *mdg__userns_known(void);
/* A number of the namespace, for use in names. 0: /proc does not tell. */
uint64_t mdg__userns_inode(const struct mdg__userns *userns);
/* Whether all users of the machine are in the namespace, under their outside numbers. */
bool mdg__userns_is_whole(const struct mdg__userns *userns);
/* Whether outside numbers are known at all. */
bool mdg__userns_has_numbers(const struct mdg__userns *userns);
/* The real root's number inside; false: he has none. */
bool mdg__userns_root(const struct mdg__userns *userns, uint32_t *ret_inside);
/* The number that the kernel shows for users or groups that are not mapped. */
uint32_t mdg__id_overflow(const struct mdg__userns *userns, enum mdg__id_kind kind);
/* Whether an inside number means any user or group to the kernel. */
bool mdg__id_is_mapped(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside);
/* Whether a number that stat shows inside surely belongs to one mapped user. */
bool mdg__id_is_certain(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside);
/* Either may be MDG__ID_UNKNOWN. */
uint32_t mdg__id_outside(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t inside);
uint32_t mdg__id_inside(const struct mdg__userns *userns, enum mdg__id_kind kind, uint32_t outside);

/* Whether the calling process owns a file as the kernel sees it, at any depth of namespaces. The
 * file is `name` in the directory `dirfd`, and `status` is its status. The caller has checked what
 * kind of file it is. `flags` are those of openat: O_NOFOLLOW or 0. */
bool mdg__file_is_mine(int dirfd, const char *name, int flags, const struct stat *status);

/* Whether the process has a capability in the initial user namespace, as the kernel's capable()
 * asks. The root of another user namespace has capabilities only there: see
 * src/segment/permission.c. */
bool mdg__capable(int capability);

#endif
