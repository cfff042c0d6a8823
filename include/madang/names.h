/* SPDX-License-Identifier: MIT */
/*
 * madang/names.h - names for locks and other objects of <madang/sync.h> that
 * lie in segments, so that people can find them.
 *
 *     struct box { mdg_mutex lock; int total; } *box = memory; // from mdg_segment_attach
 *     mdg_names_set(ns, &box->lock, MDG_SYNC_MUTEX, "box");
 *
 * From now on `madang locks` shows who holds "box" and who waits for it. A
 * program can look for itself:
 *
 *     struct mdg_name_info info = { .size = sizeof info };
 *     uint32_t cursor = 0;
 *     while (mdg_names_next(ns, id, &cursor, &info) == 1)
 *             printf("%s: held by thread %u\n", info.name, (unsigned)info.state.owner);
 *
 * A name makes the use of an object neither slower nor different. The names of
 * a segment lie in its data file, behind the segment's own bytes, and end with
 * the segment. At most 255 objects of a segment can have names. Segments of
 * huge pages cannot have names for their objects.
 *
 * Names are not unique: two objects may have the same one.
 *
 * Errors are those of <madang/base.h>. Any thread may call these functions.
 * Signal handlers may too. They are no cancellation points and do not use
 * malloc.
 */
#ifndef MADANG_NAMES_H
#define MADANG_NAMES_H

#include <madang/base.h>
#include <madang/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDG_OBJECT_NAME_MAX 39u /* bytes in the name of an object, without its final NUL */

/* Gives the object at `object` a name, or a new name, or with NULL takes its
 * name away.
 * `object` lies in a segment that this process has attached. `kind` says what
 * the object is. `name` has 1 to MDG_OBJECT_NAME_MAX bytes of any value but NUL.
 * Returns 0, or
 *   -EINVAL      `object` is not in an attached segment, does not fit in it or is
 *                not aligned to 64 bytes; or `kind` or `name` is not valid
 *   -EACCES      the caller may not write to the segment
 *   -ENOENT      there is no name to take away
 *   -ENOSPC      255 objects of the segment have names
 *   -ENOMEM      there is no memory for the table of names
 *   -EOPNOTSUPP  the segment has huge pages
 *   MDG_DAMAGED  something else than a table of names lies behind the segment */
MDG_API int mdg_names_set(mdg_namespace *ns, const void *object, enum mdg_sync_kind kind,
                          const char *name);

/* An object that has a name. */
struct mdg_name_info {
	uint32_t size;                      /* sizeof(struct mdg_name_info), set by the caller */
	uint32_t kind;                      /* enum mdg_sync_kind */
	uint64_t offset;                    /* of the object in its segment, in bytes */
	char name[MDG_OBJECT_NAME_MAX + 1]; /* ends with NUL */
	uint64_t reserved[4];               /* zeros: the fields of later versions */
	struct mdg_sync_state state;        /* as mdg_sync_look gives it. This structure grows
	                                       with that one, so nothing ever follows it */
};

/* Walks over the objects of a segment that have names, in no particular order.
 * The segment need not be attached. *cursor is 0 before the first call.
 * Returns 1 and fills in *ret_info; or 0 when there are no more; or
 *   -EINVAL      there is no such segment; or ret_info->size is not valid
 *   -EACCES      the caller may not read the segment
 *   MDG_DAMAGED  something else than a table of names lies behind the segment
 * An entry of the table that cannot be a name is passed over. */
MDG_API int mdg_names_next(mdg_namespace *ns, mdg_id id, uint32_t *cursor,
                           struct mdg_name_info *ret_info);

#ifdef __cplusplus
}
#endif

#endif
