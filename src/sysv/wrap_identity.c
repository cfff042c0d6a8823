/* SPDX-License-Identifier: MIT */
/*
 * wrap_identity.c - the calls by which the program becomes another user, or comes into another
 * user namespace. The next definition makes each call. Before, the native library opens what the
 * program may not open any more afterwards (segment/hostidentity.c). Afterwards the native library
 * is told, so that it need not ask the kernel at every call who the caller is
 * (platform/identity.h).
 *
 * The library is told that somebody watches only if the program's own calls come here: not in a
 * library that was loaded late. syscall(2) by number is watched in numbers.c. A program that makes
 * such a call by an instruction of its own is not seen; docs/divergences.md says so.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#include <errno.h>
#include <sched.h>
#include <sys/types.h>
#include <unistd.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/names.h"

typedef int one_function(uid_t);
typedef int two_function(uid_t, uid_t);
typedef int three_function(uid_t, uid_t, uid_t);
typedef int unshare_function(int);
typedef int setns_function(int, int);

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
