/* SPDX-License-Identifier: MIT */
/*
 * mapping.c - the attachment of a channel's segment. All handles of a process for one channel share
 * one attachment.
 */
#include "channel/opening.h"

#include <sys/mman.h>

#include "platform/ownmap.h"
#include "segment/segment.h"

static struct mdg__mapping *mappings; /* guarded by mdg__lists_enter */

static struct mdg__mapping *mapping_find(mdg_namespace *ns, mdg_id id)
{
	struct mdg__mapping *mapping = mappings;
	while (mapping != NULL && (mapping->ns != ns || mapping->id != id))
		mapping = mapping->next;
	if (mapping != NULL)
		mapping->users++;
	return mapping;
}

static int mapping_make(struct mdg__mapping **ret, mdg_namespace *ns, mdg_id id)
{
	void *memory, *page;
	mdg__sigmask mask;
	int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	if (rc < 0)
		return rc;
	rc = mdg__map_own(NULL, sizeof **ret, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &page);
	if (rc < 0) {
		(void)mdg_segment_detach(ns, memory);
		return rc;
	}
	mdg__lists_enter(&mask);
	struct mdg__mapping *mapping = mapping_find(ns, id); /* another thread's, meanwhile */
	bool mine = mapping == NULL;
	if (mine) {
		mapping = page;
		*mapping = (struct mdg__mapping){ mappings, ns, id, 1, memory };
		mappings = mapping;
	}
	mdg__lists_leave(&mask);
	if (!mine) {
		(void)mdg__sys_munmap(page, sizeof **ret);
		(void)mdg_segment_detach(ns, memory);
	}
	*ret = mapping;
	return 0;
}

int mdg__mapping_get(struct mdg__mapping **ret, mdg_namespace *ns, mdg_id id)
{
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	*ret = mapping_find(ns, id);
	mdg__lists_leave(&mask);
	return *ret != NULL ? 0 : mapping_make(ret, ns, id);
}

void mdg__mapping_put(struct mdg__mapping *mapping)
{
	struct mdg__mapping **link = &mappings;
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	bool last = --mapping->users == 0;
	while (last && *link != mapping)
		link = &(*link)->next;
	if (last)
		*link = mapping->next;
	mdg__lists_leave(&mask);
	if (last) {
		mdg__segment_let_go(mapping->ns, mapping->memory);
		(void)mdg__sys_munmap(mapping, sizeof *mapping);
	}
}
