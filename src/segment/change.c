/* SPDX-License-Identifier: MIT */
/*
 * change.c - beginning and ending a change of a segment's entry.
 *
 * Between the two, the caller has entered the namespace and holds the writer
 * lock. Nothing is held when the beginning fails.
 */
#include <errno.h>

#include "registry/current.h"
#include "segment/change.h"

int mdg__change_enter(struct mdg_namespace *ns, mdg_id id, uint32_t index, struct mdg__entry *ret)
{
	mdg__enter(ns);
	int rc = mdg__enter_writer(ns);
	if (rc == 0) {
		mdg__entry_copy(ns, index, ret);
		if (mdg__tag_state(ret->tag) >= MDG__LIVE &&
		    mdg__tag_generation(ret->tag) == (uint32_t)id / MDG__IDS)
			return 0;
		mdg__unlock(&ns->registry);
		rc = -EINVAL;
	}
	mdg__leave(ns);
	return rc;
}

int mdg__change_begin(struct mdg_namespace *ns, mdg_id id, struct mdg__entry *ret)
{
	struct mdg__entry before = { 0 }; /* no slot is needed to be refused */
	int rc = mdg__registry_here(&ns->registry);
	if (rc == 0)
		rc = mdg__entry_find(ns, id, false, &before);
	if (rc == 0)
		rc = mdg__permit_control(ns, &before);
	if (rc == 0)
		rc = mdg__change_enter(ns, id, before.index, ret);
	if (rc < 0)
		return rc;
	if (ret->uid != before.uid) /* a system call saved: nearly never */
		rc = mdg__permit_control(ns, ret);
	if (rc < 0) {
		mdg__unlock(&ns->registry);
		mdg__leave(ns);
	}
	return rc;
}

void mdg__change_end(struct mdg_namespace *ns)
{
	mdg__commit(&ns->registry);
	mdg__unlock(&ns->registry);
	mdg__leave(ns);
}
