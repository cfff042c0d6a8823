/* SPDX-License-Identifier: MIT */
/*
 * entry.c - a private copy of an object's entry in the registry.
 *
 * mdg__object_copy reads field by field. The copy is consistent when the writer
 * lock is held, or when the registry's version did not move meanwhile
 * (objectread.c).
 */
#include <string.h>

#include "registry/object.h"
#include "segment/hugepage.h"
#include "segment/internal.h"

static void copy_name(const struct mdg__object *object, struct mdg__entry *ret)
{
	ret->name[0] = '\0';
	uint64_t first = mdg__get64(&object->name[0]);
	if (first == 0)
		return;
	for (size_t i = 0; i < 8; i++) {
		uint64_t word = mdg__get64(&object->name[i]);
		memcpy(ret->name + 8 * i, &word, 8);
	}
	ret->name[MDG_NAME_MAX] = '\0';
}

static void copy_head(const struct mdg__object *object, struct mdg__entry *ret)
{
	ret->tag = mdg__get32(&object->tag);
	ret->key = (int32_t)mdg__get32(&object->key);
	ret->mode = mdg__get32(&object->mode);
	ret->uid = mdg__get32(&object->uid);
	ret->gid = mdg__get32(&object->gid);
	ret->cuid = mdg__get32(&object->cuid);
	ret->cgid = mdg__get32(&object->cgid);
	ret->cpid = (int32_t)mdg__get32(&object->cpid);
	ret->ctime = (int64_t)mdg__get64(&object->ctime);
	ret->worker = mdg__get32(&object->worker);
	ret->worker_generation = mdg__get32(&object->worker_generation);
	copy_name(object, ret);
}

static void copy_segment(const struct mdg__segment *segment, struct mdg__entry *ret)
{
	ret->kind = mdg__get32(&segment->kind);
	ret->lpid = (int32_t)mdg__get32(&segment->lpid);
	ret->size = mdg__get64(&segment->size);
	ret->mapped = mdg__get64(&segment->mapped);
	ret->inode = mdg__get64(&segment->inode);
	ret->atime = (int64_t)mdg__get64(&segment->atime);
	ret->dtime = (int64_t)mdg__get64(&segment->dtime);
	ret->flags = mdg__get32(&segment->flags);
	ret->lock_uid = mdg__get32(&segment->lock_uid);
	ret->new_uid1 = mdg__get32(&segment->new_uid1);
	ret->file = mdg__segment_file(ret->flags);
}

static void copy_late(const struct mdg__late *late, struct mdg__entry *ret)
{
	ret->kind = 0;
	ret->lpid = 0;
	ret->size = ret->mapped = ret->inode = 0;
	ret->atime = ret->dtime = 0;
	ret->flags = ret->lock_uid = 0;
	ret->new_uid1 = mdg__get32(&late->new_uid1);
	ret->file = mdg__get32(&late->file);
	for (int i = 0; i < MDG__CLASS_FIELDS; i++)
		ret->field[i] = mdg__get64(&late->field[i]);
}

void mdg__object_copy(struct mdg_namespace *ns, enum mdg__class class, uint32_t index,
                      struct mdg__entry *ret)
{
	struct mdg__registry *registry = &ns->registry;
	ret->class = class;
	ret->index = index;
	copy_head(mdg__object_at(registry, class, index), ret);
	if (class == MDG__SEGMENTS)
		copy_segment(&registry->segments[index], ret);
	else
		copy_late(mdg__late_at(registry, class, index), ret);
}

void mdg__entry_copy(struct mdg_namespace *ns, uint32_t index, struct mdg__entry *ret)
{
	mdg__object_copy(ns, MDG__SEGMENTS, index, ret);
}

mdg_id mdg__entry_id(const struct mdg__entry *entry)
{
	return mdg__tag_id(entry->tag, entry->index);
}

bool mdg__entry_is_old(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	const struct mdg__object *object =
		mdg__object_at(&ns->registry, entry->class, entry->index);
	return mdg__get32(&object->tag) != entry->tag;
}

bool mdg__entry_is_fileless(const struct mdg__entry *entry)
{
	return entry->file != MDG__FILE_MADE;
}

bool mdg__entry_is_huge(const struct mdg__entry *entry)
{
	return mdg__huge_shift(entry->flags) != 0;
}
