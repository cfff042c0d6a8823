/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - what the rooms above ask about a segment that they need not have attached.
 */
#include <errno.h>
#include <string.h>

#include "registry/current.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "segment/internal.h"

bool mdg__segment_is_removed(mdg_namespace *ns, mdg_id id)
{
	struct mdg__entry entry;
	int rc = mdg__entry_read(ns, id, false, &entry);
	return rc == -EINVAL || (rc == 0 && mdg__tag_state(entry.tag) == MDG__REMOVED);
}

bool mdg__segment_label(mdg_namespace *ns, mdg_id id, char ret_name[MDG_NAME_MAX + 1],
                        unsigned *ret_mode)
{
	struct mdg__entry entry;
	if (mdg__entry_read(ns, id, false, &entry) != 0)
		return false;
	memcpy(ret_name, entry.name, sizeof entry.name);
	*ret_mode = entry.mode & 0777;
	return true;
}

int mdg__segment_open_file(mdg_namespace *ns, mdg_id id, enum mdg__segment_kind kind,
                           uint64_t least_size, char ret_name[MDG_NAME_MAX + 1])
{
	struct mdg__entry entry;
	uint64_t inode;
	int rc = mdg__entry_read(ns, id, false, &entry);
	if (rc == 0 &&
	    (entry.kind != (uint32_t)kind || entry.name[0] == '\0' || entry.size < least_size))
		rc = -ENOENT;
	if (rc == 0)
		rc = mdg__permit(ns, &entry, 0444);
	if (rc < 0)
		return rc;
	memcpy(ret_name, entry.name, sizeof entry.name);
	mdg__enter(ns);
	rc = mdg__data_open(ns, &entry, false, &inode);
	mdg__leave(ns);
	return rc;
}
