/* SPDX-License-Identifier: MIT */
/*
 * table.c - what is possible in a table of names: see table.h. It trusts nothing that it is given,
 * because whoever may write the segment can write its table.
 */
#include "locks/table.h"

#include "madang/sync.h"
#include "platform/sys.h"

uint32_t mdg__names_object_size(uint32_t kind)
{
	switch (kind) {
	case MDG_SYNC_MUTEX:
		return sizeof(mdg_mutex);
	case MDG_SYNC_RWLOCK:
		return sizeof(mdg_rwlock);
	case MDG_SYNC_COND:
		return sizeof(mdg_cond);
	case MDG_SYNC_SEM:
		return sizeof(mdg_sem);
	case MDG_SYNC_EVENT:
		return sizeof(mdg_event);
	case MDG_SYNC_BARRIER:
		return sizeof(mdg_barrier);
	case MDG_SYNC_ONCE:
		return sizeof(mdg_once);
	case MDG_SYNC_CELL:
		return sizeof(mdg_cell);
	case MDG_SYNC_TXN:
		return sizeof(mdg_txn);
	default:
		return 0;
	}
}

bool mdg__names_lies_inside(const struct mdg__entry *segment, uint32_t kind, uint64_t offset)
{
	uint32_t size = mdg__names_object_size(kind);
	return size != 0 && offset % 64 == 0 && size <= segment->size &&
	       offset <= segment->size - size;
}

bool mdg__names_segment_is_possible(const struct mdg__entry *segment)
{
	return segment->size != 0 && segment->size <= segment->mapped &&
	       segment->mapped % mdg__page_size() == 0 &&
	       segment->mapped <= INT64_MAX - MDG__DATA_TAIL;
}

bool mdg__names_has_table(const struct mdg__entry *segment, const struct stat *status)
{
	return (uint64_t)status->st_size >= segment->mapped + MDG__DATA_TAIL;
}
