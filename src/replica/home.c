/* SPDX-License-Identifier: MIT */
/*
 * home.c - views at the home address of a heap.
 *
 * The address is held by a mapping without access from the opening of the handle on, so that
 * nothing else comes to lie there. A view puts a second mapping of its copy over it: mremap(2) with
 * a length of 0 makes one of a shared mapping, and needs no descriptor. It stays until a view of
 * the other copy takes its place.
 */
#include "replica/handle.h"

#include <errno.h>
#include <sys/mman.h>

#include "platform/ownmap.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_FIXED
#define MREMAP_FIXED 2
#endif
#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#endif

static size_t length_of(const struct mdg_replica *replica)
{
	return (size_t)(replica->parts.at_copy[1] - replica->parts.at_copy[0]);
}

int mdg__home_reserve(struct mdg_replica *replica, uint64_t home)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	size_t page = mdg__page_size();
	void *place;
	if (home == 0 || home % page != 0 || home > UINTPTR_MAX)
		return -EINVAL;
	if (replica->parts.at_copy[0] % page != 0 || replica->parts.at_copy[1] % page != 0)
		return -ENOSYS; /* pages are larger than a copy is aligned */
	void *want = (void *)(uintptr_t)home;
	int rc = mdg__map_unlocked(want, length_of(replica), PROT_NONE, flags, -1, &place);
	if (rc < 0)
		return rc == -EEXIST ? MDG_HOME_TAKEN : rc;
	if (place != want) { /* Linux before 4.17 takes it for a hint */
		(void)mdg__sys_munmap(place, length_of(replica));
		return MDG_HOME_TAKEN;
	}
	replica->home = place;
	return 0;
}

int mdg__home_show(struct mdg_replica *replica, unsigned copy)
{
	void *place;
	if (replica->home_copy == copy + 1)
		return 0;
	replica->home_copy = 0;
	int rc = mdg__sys_mremap(mdg__copy(replica, copy), 0, length_of(replica),
	                         MREMAP_MAYMOVE | MREMAP_FIXED, replica->home, &place);
	if (rc == 0)
		replica->home_copy = copy + 1;
	return rc;
}

void mdg__home_free(struct mdg_replica *replica)
{
	if (replica->home != NULL)
		(void)mdg__sys_munmap(replica->home, length_of(replica));
}
