/* SPDX-License-Identifier: MIT */
/*
 * above.c - what above.h says, by the room's own functions.
 */
#include "segment/above.h"

#include <errno.h>
#include <string.h>

#include "registry/current.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "segment/internal.h"

_Static_assert(MDG__BESIDE_NAME_ROOM >= MDG__FILE_NAME_ROOM, "");

bool mdg__segment_is(mdg_namespace *ns, mdg_id id, enum mdg__segment_kind kind)
{
	struct mdg__entry entry;
	if (mdg__entry_read(ns, id, false, &entry) != 0)
		return false;
	const struct mdg__object *object = &ns->registry.segments[entry.index].object;
	uint32_t found = mdg__get32(&object->kind);
	return mdg__get32(&object->tag) == entry.tag && found == (uint32_t)kind;
}

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

int mdg__segment_open_file(mdg_namespace *ns, mdg_id id, uint64_t least_size,
                           char ret_name[MDG_NAME_MAX + 1])
{
	struct mdg__entry entry;
	uint64_t inode;
	int rc = mdg__entry_read(ns, id, false, &entry);
	if (rc == 0 && (entry.name[0] == '\0' || entry.size < least_size))
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

void mdg__segment_let_go(mdg_namespace *ns, void *memory)
{
	(void)mdg__detach_anyway(ns, memory);
}

/* ---- files beside the segments -------------------------------------------------------- */

void mdg__beside_name(const mdg_namespace *ns, const char *kind, mdg_id id,
                      char ret_name[MDG__BESIDE_NAME_ROOM])
{
	mdg__file_name(&ns->registry, kind, id, ret_name);
}

int mdg__beside_enter(mdg_namespace *ns, bool to_make)
{
	mdg__enter(ns);
	int gone = to_make ? mdg__registry_here(&ns->registry) : 0;
	return gone < 0 ? gone : mdg__registry_dirfd(&ns->registry);
}

void mdg__beside_leave(mdg_namespace *ns)
{
	mdg__leave(ns);
}

int mdg__beside_keep_fd(int fd)
{
	return mdg__fd_out_of_the_way(fd);
}

/* ---- lists ------------------------------------------------------------------------------ */

void mdg__lists_enter(mdg__sigmask *ret_mask)
{
	mdg__signals_block(ret_mask);
	mdg__list_lock();
}

void mdg__lists_leave(const mdg__sigmask *mask)
{
	mdg__list_unlock();
	mdg__signals_restore(mask);
}
