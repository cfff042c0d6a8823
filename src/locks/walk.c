/* SPDX-License-Identifier: MIT */
/*
 * walk.c - walks over the names of a segment's objects.
 *
 * mdg_names_next opens the segment's data file at each call and reads the table from it, as table.h
 * says. So no file stays open, and nothing is attached or counted.
 *
 * What it does not do: notice that an object is no longer of its kind, or never was. The caller of
 * mdg_names_set gave the kind together with the name, and what lies there is shown as that kind.
 */
#include <errno.h>
#include <string.h>

#include "locks/table.h"
#include "madang/names.h"
#include "platform/sized.h"
#include "platform/sys.h"

/* How often an entry is read that changes meanwhile. */
enum { LOOKS = 8 };
/* The largest object. */
#define OBJECT_MOST sizeof(mdg_rwlock)

/* Reads all bytes. False: the file has become shorter, or cannot be read. */
static bool read_all(int fd, void *buffer, size_t size, uint64_t offset)
{
	return mdg__sys_pread(fd, buffer, size, offset) == (int64_t)size;
}

/* Returns 1: there are names; 0: there are none; or a negative code. */
static int read_head(int fd, const struct mdg__entry *segment)
{
	struct mdg__names_head head;
	struct stat status;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0 || !mdg__names_has_table(segment, &status) ||
	    !read_all(fd, &head.magic, sizeof head.magic, segment->mapped) || head.magic == 0)
		return rc;
	mdg__names_fence();
	if (!read_all(fd, &head, sizeof head, segment->mapped))
		return 0;
	return head.magic == MDG__NAMES_MAGIC && head.version == MDG__NAMES_VERSION ? 1
	                                                                            : MDG_DAMAGED;
}

/* Reads an entry as it was at one moment. False: it is free, or changes all the time. */
static bool read_name(int fd, uint64_t place, struct mdg__name *ret)
{
	unsigned char once[sizeof *ret], again[sizeof *ret];
	for (int i = 0; i < LOOKS; i++) {
		if (!read_all(fd, once, sizeof once, place))
			return false;
		memcpy(ret, once, sizeof *ret);
		if (ret->kind == 0)
			return false;
		mdg__names_fence();
		if (!read_all(fd, again, sizeof again, place))
			return false;
		if (memcmp(once, again, sizeof once) == 0)
			return true;
	}
	return false;
}

/* Reads the entry at `place` of the file, and its object. False: it is no possible name. */
static bool read_entry(int fd, const struct mdg__entry *segment, uint64_t place,
                       struct mdg_name_info *ret)
{
	_Alignas(64) unsigned char object[OBJECT_MOST];
	struct mdg__name name;
	if (!read_name(fd, place, &name) ||
	    !mdg__names_lies_inside(segment, name.kind, name.offset) || name.name[0] == '\0' ||
	    memchr(name.name, '\0', sizeof name.name) == NULL ||
	    !read_all(fd, object, mdg__names_object_size(name.kind), name.offset))
		return false;
	ret->kind = name.kind;
	ret->offset = name.offset;
	ret->state.size = sizeof ret->state;
	memset(ret->name, 0, sizeof ret->name);
	memcpy(ret->name, name.name, strlen(name.name));
	return mdg_sync_look(object, (enum mdg_sync_kind)name.kind, &ret->state) == 0;
}

static int next_in_file(int fd, const struct mdg__entry *segment, uint32_t *cursor,
                        struct mdg_name_info *ret)
{
	int rc = read_head(fd, segment);
	if (rc <= 0)
		return rc;
	while (*cursor < MDG__NAMES) {
		uint64_t place = segment->mapped + offsetof(struct mdg__names, entry) +
		                 *cursor * sizeof(struct mdg__name);
		++*cursor;
		if (read_entry(fd, segment, place, ret))
			return 1;
	}
	return 0;
}

int mdg_names_next(mdg_namespace *ns, mdg_id id, uint32_t *cursor, struct mdg_name_info *ret_info)
{
	struct mdg_name_info own = { 0 };
	struct mdg__entry segment;
	uint64_t inode;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	int rc = mdg__entry_find(ns, id, false, &segment);
	if (rc == 0)
		rc = mdg__permit(ns, &segment, 0444);
	if (rc == 0 && !mdg__names_segment_is_possible(&segment))
		rc = MDG_DAMAGED;
	if (rc < 0 || mdg__entry_is_huge(&segment) || mdg__entry_is_fileless(&segment))
		return rc;
	mdg__enter(ns);
	int fd = mdg__data_open(ns, &segment, false, &inode);
	mdg__leave(ns);
	if (fd < 0)
		return fd == -EIDRM && mdg__entry_is_old(ns, &segment) ? -EINVAL : fd;
	rc = next_in_file(fd, &segment, cursor, &own);
	if (rc > 0)
		mdg__sized_give(ret_info, &own, sizeof own);
	(void)mdg__sys_close(fd);
	return rc;
}
