/* SPDX-License-Identifier: MIT */
/*
 * remove.c - IPC_RMID. The object loses its key and name at once. A segment is cleared away at
 * once if nobody has it attached, else with the last detach. Other objects are always cleared
 * away at once.
 */
#include <errno.h>

#include "registry/clearing.h"
#include "registry/object.h"
#include "segment/change.h"
#include "segment/mapping.h"
#include "segment/objects.h"

/* After the beginning of a change; ends it. */
static int remove_found(mdg_namespace *ns, struct mdg__entry *entry)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__clearing clearing = { 0 };
	/* If nobody holds it, it becomes REMOVED and BUSY in one change. If it were
	 * REMOVED only, and this process died, no other death would lead to it, and it would
	 * stay. */
	if (mdg__tag_state(entry->tag) == MDG__LIVE)
		mdg__object_remove(registry, entry->class, entry->index);
	bool gone = mdg__object_begin_clearing(registry, entry->class, entry->index, &clearing);
	mdg__commit(registry);
	mdg__object_copy(ns, entry->class, entry->index, entry);
	mdg__unlock(registry);
	if (entry->class == MDG__SEGMENTS && ns->kept_detached1 == entry->index + 1)
		mdg__cache_drop_fd(ns, entry->index);
	if (entry->class != MDG__SEGMENTS)
		mdg__mapping_drop(ns, entry->class, entry->index);
	if (gone)
		mdg__clear(ns, &clearing);
	else
		mdg__data_hide(ns, entry);
	mdg__leave(ns);
	return 0;
}

int mdg__object_rmid(mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	struct mdg__entry entry;
	int rc = mdg__change_begin(ns, class, id, &entry);
	return rc < 0 ? rc : remove_found(ns, &entry);
}

int mdg__object_rmid_unused(mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	struct mdg__entry entry;
	int rc = mdg__change_begin_inside(ns, class, id, &entry);
	if (rc == 0 && entry.file != MDG__FILE_NONE) {
		mdg__unlock(&ns->registry);
		mdg__leave(ns);
		rc = -EBUSY;
	}
	return rc < 0 ? rc : remove_found(ns, &entry);
}

int mdg__object_end_removal(mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	struct mdg__entry entry;
	int rc = mdg__change_enter(ns, class, id, &entry);
	return rc < 0 ? rc : remove_found(ns, &entry);
}

int mdg_segment_remove(mdg_namespace *ns, mdg_id id)
{
	return mdg__object_rmid(ns, MDG__SEGMENTS, id);
}
