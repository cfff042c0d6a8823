/* SPDX-License-Identifier: MIT */
/*
 * wrap_identity.c - the calls by which the program becomes another user, leaves or joins groups,
 * changes its capabilities, or comes into another user namespace. The next definition makes each
 * call. Before, the native library opens what the program may not open any more afterwards
 * (segment/hostidentity.c). Afterwards the native library is told, so that it need not ask the
 * kernel at every call who the caller is and what it may do (platform/identity.h).
 *
 * The library is told that somebody watches only if the program's own calls come here: not in a
 * library that was loaded late. syscall(2) by number is watched in numbers.c. A program that makes
 * such a call by an instruction of its own is not seen; docs/divergences.md says so.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/names.h"

/* Users and groups are numbers of one type. */
typedef int one_function(uid_t);
typedef int two_function(uid_t, uid_t);
typedef int three_function(uid_t, uid_t, uid_t);
typedef int groups_function(size_t, const gid_t *);
typedef int initgroups_function(const char *, gid_t);
typedef int capset_function(void *, void *);
typedef int unshare_function(int);
typedef int setns_function(int, int);

/* The C library has this function, but declares it nowhere. */
int capset(void *header, void *data);

static void prepare(void)
{
	int before = errno;
	mdg__host_identity_changing();
	errno = before;
}

#define PASS(type, name, ...)                                                                      \
	type *next = (type *)mdg__next_ready(MDG__OF_##name);                                      \
	if (next == NULL) {                                                                        \
		errno = ENOSYS;                                                                    \
		return -1;                                                                         \
	}                                                                                          \
	prepare();                                                                                 \
	int rc = next(__VA_ARGS__);                                                                \
	mdg__host_identity_changed();                                                              \
	return rc

MDG_EXPORT int setuid(uid_t uid)
{
	PASS(one_function, setuid, uid);
}

MDG_EXPORT int seteuid(uid_t uid)
{
	PASS(one_function, seteuid, uid);
}

MDG_EXPORT int setreuid(uid_t real, uid_t effective)
{
	PASS(two_function, setreuid, real, effective);
}

MDG_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	PASS(three_function, setresuid, real, effective, saved);
}

MDG_EXPORT int setgid(gid_t gid)
{
	PASS(one_function, setgid, gid);
}

MDG_EXPORT int setegid(gid_t gid)
{
	PASS(one_function, setegid, gid);
}

MDG_EXPORT int setregid(gid_t real, gid_t effective)
{
	PASS(two_function, setregid, real, effective);
}

MDG_EXPORT int setresgid(gid_t real, gid_t effective, gid_t saved)
{
	PASS(three_function, setresgid, real, effective, saved);
}

MDG_EXPORT int setgroups(size_t count, const gid_t *groups)
{
	PASS(groups_function, setgroups, count, groups);
}

MDG_EXPORT int initgroups(const char *user, gid_t gid)
{
	PASS(initgroups_function, initgroups, user, gid);
}

MDG_EXPORT int capset(void *header, void *data)
{
	PASS(capset_function, capset, header, data);
}

MDG_EXPORT int unshare(int flags)
{
	PASS(unshare_function, unshare, flags);
}

MDG_EXPORT int setns(int fd, int kind)
{
	PASS(setns_function, setns, fd, kind);
}

/* After names.c has found the names. */
__attribute__((constructor(103))) static void watch(void)
{
	uintptr_t ours =
		atomic_load_explicit(&mdg__names[MDG__OF_setuid].ours, memory_order_relaxed);
	if (ours != 0 && (uintptr_t)mdg__real_dlsym(NULL, "setuid") == ours)
		mdg__host_identity_watch();
}
