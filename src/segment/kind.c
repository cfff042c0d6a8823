/* SPDX-License-Identifier: MIT */
/*
 * kind.c - what a segment is used for, as its entry says.
 *
 * Whoever makes something particular of a segment (a channel) writes so in the entry. So
 * the others of that kind are found without opening data files. The kind is a hint for
 * those who look: whoever uses the segment checks what lies in it.
 */
#include <errno.h>

#include "segment/internal.h"

int mdg__segment_kind(struct mdg_namespace *ns, mdg_id id)
{
	struct mdg__entry entry;
	int rc = mdg__entry_read(ns, id, false, &entry);
	if (rc < 0)
		return rc;
	const struct mdg__object *object = &ns->registry.segments[entry.index].object;
	uint32_t kind = mdg__get32(&object->kind);
	if (mdg__get32(&object->tag) != entry.tag)
		return -EINVAL;
	return kind <= INT32_MAX ? (int)kind : MDG_DAMAGED;
}

int mdg__segment_set_kind(struct mdg_namespace *ns, mdg_id id, enum mdg__segment_kind kind)
{
	struct mdg__entry entry;
	struct mdg__registry *registry = &ns->registry;
	int rc = mdg__entry_read(ns, id, false, &entry);
	if (rc < 0)
		return rc;
	mdg__enter(ns);
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		struct mdg__object *object = &registry->segments[entry.index].object;
		if (mdg__get32(&object->tag) == entry.tag) {
			mdg__put32(registry, &object->kind, (uint32_t)kind);
			mdg__commit(registry);
		} else {
			rc = -EINVAL;
		}
		mdg__unlock(registry);
	}
	mdg__leave(ns);
	return rc;
}
