/* SPDX-License-Identifier: MIT */
/*
 * calls.c - shmget, shmat, shmdt, ftok: see shmget(2), shmop(2), ftok(3).
 *
 * Each function exists twice: an exported one, and a hidden one for callers inside the library.
 * Other libraries write a jump to a hook over the first bytes of an exported function. Such a hook
 * comes back to us by syscall(2) (see numbers.c). If we then called the exported function, the
 * hook would call itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "platform/sys.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/seen.h"
#if defined(MDG__SHARED)
#include "sysv/names.h"
#endif

_Static_assert(MDG_CREATE == IPC_CREAT && MDG_EXCL == IPC_EXCL, "flags are shmget's");
_Static_assert(MDG_RDONLY == SHM_RDONLY && MDG_ROUND == SHM_RND && MDG_REMAP == SHM_REMAP,
               "flags are shmat's");

static int get(key_t key, size_t size, int flags)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	int rc = mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = mdg_segment_get(ns, key, size, (unsigned)flags, &id);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : id;
}

static void *attach(int id, const void *address, int flags)
{
	mdg_namespace *ns;
	void *memory = NULL;
	int rc = mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = mdg_segment_attach(ns, id, (void *)(uintptr_t)address, (unsigned)flags,
		                        &memory);
	return rc < 0 ? (void *)(intptr_t)mdg__sysv_fail(rc, 1) : memory;
}

static int detach(const void *address)
{
	mdg_namespace *ns;
	int rc = mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = mdg__host_detach(ns, address);
	if (rc == 0)
		return 0;
	errno = EINVAL; /* all that shmdt ever says */
	return -1;
}

/* ---- the calls, as they are seen --------------------------------------------------------- */

int mdg__sysv_shmget(key_t key, size_t size, int flags)
{
	return MDG__SEEN(shmget, &mdg__log_shmget, get(key, size, flags), key, size, flags, 0, 0);
}

void *mdg__sysv_shmat(int id, const void *address, int flags)
{
	return MDG__SEEN(shmat, &mdg__log_shmat, attach(id, address, flags), id, address, flags, 0,
	                 0);
}

int mdg__sysv_shmdt(const void *address)
{
	return MDG__SEEN(shmdt, &mdg__log_shmdt, detach(address), address, 0, 0, 0, 0);
}

MDG_EXPORT int shmget(key_t key, size_t size, int flags)
{
	return mdg__sysv_shmget(key, size, flags);
}

MDG_EXPORT void *shmat(int id, const void *address, int flags)
{
	return mdg__sysv_shmat(id, address, flags);
}

MDG_EXPORT int shmdt(const void *address)
{
	return mdg__sysv_shmdt(address);
}

/* The C library's ftok, where there is one, computes the same number. */
static key_t key_of(const char *path, int id)
{
#if defined(MDG__SHARED)
	typedef key_t ftok_function(const char *, int);
	ftok_function *next = (ftok_function *)mdg__next_ready(MDG__OF_ftok);
	if (next != NULL)
		return next(path, id);
#endif
	struct stat status;
	int rc = mdg__sys_statat(AT_FDCWD, path, true, &status);
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return (key_t)(((uint32_t)status.st_ino & 0xffff) | ((uint32_t)status.st_dev & 0xff) << 16 |
	               ((uint32_t)id & 0xff) << 24);
}

MDG_EXPORT key_t ftok(const char *path, int id)
{
	struct mdg__logged logged;
	if (!mdg__is_logged())
		return key_of(path, id);
	mdg__log_begin(&logged, &mdg__log_ftok, (long)path, id, 0, 0, 0);
	return (key_t)mdg__log_end(&logged, key_of(path, id));
}
