/* SPDX-License-Identifier: MIT */
/*
 * remove.c - IPC_RMID. The segment loses its key and name at once. It is
 * cleared away at once if nobody has it attached, else with the last detach.
 */
#include "registry/clearing.h"
#include "registry/object.h"
#include "segment/change.h"

int mdg_segment_remove(mdg_namespace *ns, mdg_id id)
{
	struct mdg__entry entry;
	struct mdg__registry *registry = &ns->registry;
	struct mdg__clearing clearing = { 0 };
	int rc = mdg__change_begin(ns, id, &entry);
	if (rc < 0)
		return rc;
	/* If nobody has it attached, it becomes REMOVED and BUSY in one change. If it were
	 * REMOVED only, and this process died, no other death would lead to it, and it would
	 * stay. */
	if (mdg__tag_state(entry.tag) == MDG__LIVE)
		mdg__object_remove(registry, MDG__SEGMENTS, entry.index);
	bool gone = mdg__object_begin_clearing(registry, MDG__SEGMENTS, entry.index, &clearing);
	mdg__commit(registry);
	mdg__entry_copy(ns, entry.index, &entry);
	mdg__unlock(registry);
	if (ns->kept_detached1 == entry.index + 1)
		mdg__cache_drop_fd(ns, entry.index);
	if (gone)
		mdg__clear(ns, &clearing);
	else
		mdg__data_hide(ns, &entry);
	mdg__leave(ns);
	return 0;
}
