/* SPDX-License-Identifier: MIT */
/*
 * entry.c - a private copy of a segment's entry in the registry.
 *
 * mdg__entry_copy reads field by field. The copy is consistent when the writer
 * lock is held, or when the registry's version did not move meanwhile
 * (lookup.c).
 */
#include <string.h>

#include "segment/hugepage.h"
#include "segment/internal.h"

void mdg__entry_copy(struct mdg_namespace *ns, uint32_t index, struct mdg__entry *ret)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	ret->index = index;
	ret->tag = mdg__get32(&segment->tag);
	ret->key = (int32_t)mdg__get32(&segment->key);
	ret->mode = mdg__get32(&segment->mode);
	ret->kind = mdg__get32(&segment->kind);
	ret->uid = mdg__get32(&segment->uid);
	ret->gid = mdg__get32(&segment->gid);
	ret->cuid = mdg__get32(&segment->cuid);
	ret->cgid = mdg__get32(&segment->cgid);
	ret->cpid = (int32_t)mdg__get32(&segment->cpid);
	ret->lpid = (int32_t)mdg__get32(&segment->lpid);
	ret->size = mdg__get64(&segment->size);
	ret->mapped = mdg__get64(&segment->mapped);
	ret->inode = mdg__get64(&segment->inode);
	ret->ctime = (int64_t)mdg__get64(&segment->ctime);
	ret->atime = (int64_t)mdg__get64(&segment->atime);
	ret->dtime = (int64_t)mdg__get64(&segment->dtime);
	ret->worker = mdg__get32(&segment->worker);
	ret->worker_generation = mdg__get32(&segment->worker_generation);
	ret->flags = mdg__get32(&segment->flags);
	ret->lock_uid = mdg__get32(&segment->lock_uid);
	ret->new_uid1 = mdg__get32(&segment->new_uid1);
	ret->name[0] = '\0';
	uint64_t first = mdg__get64(&segment->name[0]);
	if (first == 0)
		return;
	for (size_t i = 0; i < 8; i++) {
		uint64_t word = mdg__get64(&segment->name[i]);
		memcpy(ret->name + 8 * i, &word, 8);
	}
	ret->name[MDG_NAME_MAX] = '\0';
}

bool mdg__entry_is_old(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	return mdg__get32(&ns->registry.segments[entry->index].tag) != entry->tag;
}

bool mdg__entry_is_huge(const struct mdg__entry *entry)
{
	return mdg__huge_shift(entry->flags) != 0;
}
