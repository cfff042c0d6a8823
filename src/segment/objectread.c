/* SPDX-License-Identifier: MIT */
/*
 * objectread.c - looking at an object of any class, by its id or its index.
 *
 * Readers take no lock. A copy of the entry counts when the registry's version
 * did not move while it was made. When changes come too fast, or the last
 * writer died in the middle of a change, the reader takes the lock once. That
 * settles it.
 */
#include "registry/current.h"
#include "registry/object.h"
#include "segment/objects.h"

#include <errno.h>

#include "segment/internal.h"

#define TRIES 16

/* ---- one object ------------------------------------------------------------------ */

/* A segment that was removed is there while it is attached. Others are gone at once. */
static bool is_there(const struct mdg__entry *entry, uint32_t sequence, bool any)
{
	enum mdg__object_state state = mdg__tag_state(entry->tag);
	return (state == MDG__LIVE || (state == MDG__REMOVED && entry->class == MDG__SEGMENTS)) &&
	       (any || entry->tag >> 8 == sequence);
}

int mdg__object_entry(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, bool any,
                      struct mdg__entry *ret)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t index = (uint32_t)id % MDG__IDS, sequence = (uint32_t)id / MDG__IDS, version;
	mdg__arrive(ns);
	if (id < 0 || index >= mdg__registry_ready_count(registry, class))
		return -EINVAL;
	for (int i = 0; i < TRIES; i++) {
		if (!mdg__read_begin(registry, &version))
			break;
		mdg__object_copy(ns, class, index, ret);
		if (!mdg__read_retry(registry, version))
			return is_there(ret, sequence, any) ? 0 : -EINVAL;
	}
	if (registry->look) { /* it cannot take the lock; every use of the copy is checked */
		mdg__object_copy(ns, class, index, ret);
		return is_there(ret, sequence, any) ? 0 : -EINVAL;
	}
	mdg__enter(ns);
	int rc = mdg__enter_writer(ns);
	if (rc == 0) {
		mdg__object_copy(ns, class, index, ret);
		mdg__unlock(registry);
		rc = is_there(ret, sequence, any) ? 0 : -EINVAL;
	}
	mdg__leave(ns);
	return rc;
}

bool mdg__object_is_there(mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	uint32_t index = (uint32_t)id % MDG__IDS;
	if (id < 0 || index >= mdg__registry_ready_count(&ns->registry, class))
		return false;
	return mdg__get32(&mdg__object_at(&ns->registry, class, index)->tag) ==
	       mdg__tag((uint32_t)id / MDG__IDS, MDG__LIVE);
}

_Atomic uint64_t *mdg__object_fields(mdg_namespace *ns, enum mdg__class class, mdg_id id)
{
	uint32_t index = (uint32_t)id % MDG__IDS;
	if (class == MDG__SEGMENTS || id < 0 ||
	    index >= mdg__registry_ready_count(&ns->registry, class))
		return NULL;
	return mdg__late_at(&ns->registry, class, index)->field;
}

/* ---- the namespace ---------------------------------------------------------------- */

int mdg__object_glance(mdg_namespace *ns)
{
	return mdg__registry_glance(&ns->registry);
}

int mdg__object_glance_at(mdg_namespace *ns, uint64_t realtime)
{
	return mdg__registry_glance_at(&ns->registry, realtime);
}

bool mdg__object_is_look(const mdg_namespace *ns)
{
	return ns->registry.look;
}

bool mdg__object_is_shared(const mdg_namespace *ns)
{
	return (ns->registry.flags & MDG_NS_SHARED) != 0;
}

/* ---- all objects ------------------------------------------------------------------- */

int mdg__object_next_entry(mdg_namespace *ns, enum mdg__class class, uint32_t *cursor,
                           struct mdg__entry *ret)
{
	uint32_t index;
	while ((index = mdg__object_next(&ns->registry, class, *cursor)) != UINT32_MAX) {
		*cursor = index + 1;
		int rc = mdg__object_entry(ns, class, (mdg_id)index, true, ret);
		if (rc != -EINVAL) /* half made, or gone meanwhile */
			return rc < 0 ? rc : 1;
	}
	return 0;
}
