/* SPDX-License-Identifier: MIT */
/*
 * change.c - beginning and ending a change of an object's entry.
 *
 * Between the two, the caller has entered the namespace and holds the writer
 * lock. Nothing is held when the beginning fails.
 */
#include <errno.h>

#include "platform/identity.h"
#include "registry/current.h"
#include "segment/change.h"

int mdg__change_enter(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                      struct mdg__entry *ret)
{
	mdg__enter(ns);
	int rc = mdg__enter_writer(ns);
	if (rc == 0) {
		mdg__object_copy(ns, class, (uint32_t)id % MDG__IDS, ret);
		enum mdg__object_state state = mdg__tag_state(ret->tag);
		if (mdg__entry_id(ret) == id &&
		    (state == MDG__LIVE || (state == MDG__REMOVED && class == MDG__SEGMENTS)))
			return 0;
		mdg__unlock(&ns->registry);
		rc = -EINVAL;
	}
	mdg__leave(ns);
	return rc;
}

/* `here`: what the registry's place has been found to be. */
static int begin(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, int here,
                 struct mdg__entry *ret)
{
	struct mdg__entry before = { 0 }; /* no slot is needed to be refused */
	int rc = here;
	if (rc == 0)
		rc = mdg__object_find_entry(ns, class, id, &before);
	if (rc == 0)
		rc = mdg__permit_control(ns, &before);
	if (rc == 0)
		rc = mdg__change_enter(ns, class, id, ret);
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

int mdg__change_begin(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                      struct mdg__entry *ret)
{
	return begin(ns, class, id, mdg__registry_here(&ns->registry), ret);
}

int mdg__change_begin_inside(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                             struct mdg__entry *ret)
{
	bool watched = mdg__identity_turn() != 0;
	int here =
		watched ? mdg__registry_glance(&ns->registry) : mdg__registry_here(&ns->registry);
	return begin(ns, class, id, here, ret);
}

void mdg__change_end(struct mdg_namespace *ns)
{
	mdg__commit(&ns->registry);
	mdg__unlock(&ns->registry);
	mdg__leave(ns);
}
