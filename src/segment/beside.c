/* SPDX-License-Identifier: MIT */
/*
 * beside.c - files of the rooms above, beside the segments in the directory of the namespace.
 */
#include "registry/current.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "segment/internal.h"

_Static_assert(MDG__BESIDE_NAME_ROOM >= MDG__FILE_NAME_ROOM, "");

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
