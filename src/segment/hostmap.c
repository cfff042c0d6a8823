/* SPDX-License-Identifier: MIT */
/*
 * hostmap.c - what the program does to its mappings by itself.
 *
 * The kernel counts what is mapped. So libmadang-sysv passes the program's
 * munmap, mmap with MAP_FIXED and mremap through here: they do what they always
 * do, and an attachment that they touch is cut, moved or counted accordingly.
 * A call that touches none takes no lock: it may come from an allocator, below
 * a lock that a forking thread wants, which has ours.
 *
 * Not seen: system calls that the program makes without the C library, and
 * mprotect, mlock and madvise, which split a mapping for the kernel's count.
 *
 * Unlike the rest of the native library these behave as the calls they stand
 * for: -1 or MAP_FAILED, and errno.
 */
#include <errno.h>
#include <sys/mman.h>

#include "segment/hostcall.h"
#include "segment/hostcalls.h"

static bool touches(const void *address, size_t length)
{
	return mdg__pieces_touch((uintptr_t)address, length);
}

/* ---- before the call ---------------------------------------------------------- */

bool mdg__host_before_munmap(const void *address, size_t length)
{
	mdg__before_munmap((uintptr_t)address, length);
	return touches(address, length);
}

bool mdg__host_before_mmap(const void *address, size_t length, int protection, int flags, int fd,
                           uint64_t offset)
{
	mdg__before_mmap((uintptr_t)address, length, protection, flags, fd, offset);
	return (flags & MDG__MAP_FIXED_ANY) && touches(address, length);
}

static int call_munmap(struct host *host, mdg__munmap_function *next, void *address, size_t length)
{
	if (next == NULL)
		return mdg__sys_munmap(address, length);
	mdg__host_step_out(host);
	int rc = next(address, length);
	return mdg__host_step_in(host, rc != 0);
}

int mdg__host_munmap(mdg__munmap_function *next, void *address, size_t length)
{
	struct host host;
	int rc;
	if (next == NULL && !touches(address, length)) {
		rc = mdg__sys_munmap(address, length);
		return rc == 0 ? 0 : (errno = -rc, -1);
	}
	mdg__host_begin(&host);
	rc = mdg__host_reserve();
	if (rc == 0)
		rc = call_munmap(&host, next, address, length);
	if (rc == 0)
		mdg__host_cut(&host, (uintptr_t)address, length);
	mdg__host_end(&host, rc);
	return rc < 0 ? -1 : 0;
}

void *mdg__host_mmap(mdg__mmap_function *next, void *address, size_t length, int protection,
                     int flags, int fd, uint64_t offset)
{
	struct host host;
	void *memory = MAP_FAILED;
	int rc;
	if (next == NULL && (!(flags & MDG__MAP_FIXED_ANY) || !touches(address, length))) {
		rc = mdg__sys_mmap(address, length, protection, flags, fd, offset, &memory);
		return rc == 0 ? memory : (errno = -rc, MAP_FAILED);
	}
	mdg__host_begin(&host);
	rc = mdg__host_reserve();
	if (rc == 0 && next == NULL) {
		rc = mdg__sys_mmap(address, length, protection, flags, fd, offset, &memory);
	} else if (rc == 0) {
		mdg__host_step_out(&host);
		memory = next(address, length, protection, flags, fd, offset);
		rc = mdg__host_step_in(&host, memory == MAP_FAILED);
	}
	if (rc == 0)
		mdg__host_cut(&host, (uintptr_t)memory, length);
	mdg__host_end(&host, rc);
	return rc < 0 ? MAP_FAILED : memory;
}

void mdg__others_cut(const struct mdg_namespace *but, uintptr_t start, size_t length)
{
	mdg__sigmask mask;
	if (mdg__namespaces->next == NULL)
		return; /* there is no other */
	mdg__host_enter(&mask);
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		if (ns != but && mdg__pieces_reserve(ns, 2) == 0)
			mdg__pieces_cut(ns, start, length);
	mdg__host_leave(&mask);
}
