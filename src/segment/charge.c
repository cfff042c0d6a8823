/* SPDX-License-Identifier: MIT */
/*
 * charge.c - what a segment counts that takes its memory as it grows.
 *
 * Such a segment is sparse and as long as it can ever be. Its length says nothing about the memory
 * that it takes. So whoever gives it memory says in the registry how many pages it has, and these
 * count against SHMALL.
 *
 * The count is said before the memory is taken, and after memory was given back. So it is never too
 * low. A process that is killed in between leaves it too high. Whoever sets right then what the
 * dead process was doing says it again. That is why the call says the whole, and not what has
 * changed: it may be made any number of times.
 *
 * Count and total change in one change of the registry. The count of a segment that was removed is
 * taken out of the total when its entry is freed.
 */
#include <errno.h>

#include "registry/ids.h"
#include "segment/internal.h"

/* [object lock] */
static int charge(struct mdg_namespace *ns, mdg_id id, uint64_t pages)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t index = (uint32_t)id % MDG__IDS, sequence = (uint32_t)id / MDG__IDS;
	if (index >= mdg__registry_ready_count(registry, MDG__SEGMENTS))
		return -EINVAL;
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	const struct mdg__segment *segment = &registry->segments[index];
	uint32_t tag = mdg__get32(&segment->tag);
	if (mdg__tag_generation(tag) != sequence || mdg__tag_state(tag) < MDG__LIVE ||
	    mdg__get32(&segment->kind) != MDG__KIND_CHARGED)
		rc = -EINVAL;
	else
		rc = mdg__object_charge(registry, index, pages);
	mdg__leave_writer(ns);
	return rc;
}

int mdg__segment_charge(mdg_namespace *ns, mdg_id id, uint64_t bytes)
{
	_Static_assert((int)MDG__KIND_HEAP == (int)MDG__KIND_CHARGED, "");
	if (id < 0)
		return -EINVAL;
	mdg__settings_follow(ns);
	mdg__enter(ns);
	int rc = charge(ns, id, mdg__pages_of(bytes));
	if (rc == -ENOSPC) { /* dead processes may still have what is missing */
		mdg__reap_all(ns);
		rc = charge(ns, id, mdg__pages_of(bytes));
	}
	mdg__leave(ns);
	return rc;
}
