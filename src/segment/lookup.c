/* SPDX-License-Identifier: MIT */
/*
 * lookup.c - finding a segment by its id, and counting the living who have it
 * attached.
 *
 * Counting takes no lock, unless the registry changes too fast.
 */
#include <errno.h>
#include <sys/mman.h>

#include "registry/alive.h"
#include "registry/clearing.h"
#include "registry/tie.h"
#include "segment/internal.h"

#define TRIES 16

int mdg__entry_read(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret)
{
	return mdg__object_entry(ns, MDG__SEGMENTS, id, any, ret);
}

/* ---- who has it attached -------------------------------------------------- */

/* A list of processes with room for all. */
struct long_list {
	struct mdg__holder *holders;
	size_t bytes;
};

/* A namespace that was opened for a look has no lock to take. The list is read in a moment without
 * changes. If there is none, the list is empty. */
static int list_without_lock(struct mdg_namespace *ns, const struct mdg__entry *entry,
                             struct mdg__holder *holders, uint32_t room)
{
	int count = -EAGAIN;
	for (int i = 0; i < TRIES && count == -EAGAIN; i++)
		count = mdg__object_holders(&ns->registry, MDG__SEGMENTS, entry->index, entry->tag,
		                            holders, room);
	return count == -EAGAIN || count == -E2BIG ? 0 : count;
}

static int list_with_lock(struct mdg_namespace *ns, const struct mdg__entry *entry,
                          struct long_list *list)
{
	void *memory;
	uint32_t room = ns->registry.process_capacity;
	list->bytes = room * sizeof list->holders[0];
	int rc = mdg__map_own(NULL, list->bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc < 0)
		return rc;
	list->holders = memory;
	if (ns->registry.look)
		return list_without_lock(ns, entry, list->holders, room);
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		rc = mdg__object_holders(&ns->registry, MDG__SEGMENTS, entry->index, entry->tag,
		                         list->holders, room);
		mdg__unlock(&ns->registry);
	}
	return rc;
}

/* Sums up the attachments of the living, and moves the dead to the front of the list. */
static uint32_t sum_living(struct mdg_namespace *ns, struct mdg__holder *holders, int count,
                           uint32_t *ret_dead)
{
	uint32_t sum = 0;
	*ret_dead = 0;
	for (int i = 0; i < count; i++) {
		if (mdg__slot_lives_on(&ns->registry, holders[i].slot, holders[i].generation))
			sum += holders[i].count;
		else
			holders[(*ret_dead)++] = holders[i];
	}
	return sum;
}

static int attached_entered(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t *ret)
{
	struct long_list list = { NULL, 0 };
	uint32_t dead = 0;
	int count = list_with_lock(ns, entry, &list);
	if (count >= 0) {
		*ret = sum_living(ns, list.holders, count, &dead);
		mdg__reap(ns, list.holders, dead);
	}
	if (list.holders != NULL)
		(void)mdg__sys_munmap(list.holders, list.bytes);
	if (count < 0)
		return count;
	/* A removed segment is cleared away with the last of the dead. If nobody at all has it
	 * attached, its removal was cut off, and is finished here. */
	if (mdg__tag_state(entry->tag) == MDG__REMOVED && *ret == 0 && !ns->registry.look) {
		struct mdg__clearing clearing = { 0 };
		int rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		(void)mdg__object_begin_clearing(&ns->registry, MDG__SEGMENTS, entry->index,
		                                 &clearing);
		mdg__unlock(&ns->registry);
		mdg__clear(ns, &clearing);
	}
	if (mdg__tag_state(entry->tag) == MDG__REMOVED && *ret == 0)
		return -EINVAL; /* it is gone, even if only another user may unlink its file */
	return mdg__get32(&ns->registry.segments[entry->index].tag) == entry->tag ? 0 : -EINVAL;
}

int mdg__entry_attached(struct mdg_namespace *ns, const struct mdg__entry *entry, bool entered,
                        uint32_t *ret)
{
	struct mdg__holder holders[32];
	uint32_t dead = 0;
	int count = mdg__object_holders(&ns->registry, MDG__SEGMENTS, entry->index, entry->tag,
	                                holders, 32);
	if (count == -EINVAL || count == MDG_DAMAGED)
		return count;
	if (count >= 0) {
		*ret = sum_living(ns, holders, count, &dead);
		if (dead == 0 && (*ret > 0 || mdg__tag_state(entry->tag) == MDG__LIVE))
			return 0;
	}
	if (!entered)
		mdg__enter(ns);
	int rc = attached_entered(ns, entry, ret);
	if (!entered)
		mdg__leave(ns);
	return rc;
}

/* ---- finding -------------------------------------------------------------- */

int mdg__entry_find(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret)
{
	uint32_t living;
	int rc = mdg__entry_read(ns, id, any, ret);
	if (rc == 0 && mdg__tag_state(ret->tag) == MDG__REMOVED)
		rc = mdg__entry_attached(ns, ret, false, &living);
	return rc;
}

int mdg__object_find_entry(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                           struct mdg__entry *ret)
{
	return class == MDG__SEGMENTS ? mdg__entry_find(ns, id, false, ret)
	                              : mdg__object_entry(ns, class, id, false, ret);
}

int mdg__entry_at(struct mdg_namespace *ns, uintptr_t address, struct mdg__entry *ret,
                  uint64_t *ret_offset)
{
	uint32_t at = mdg__piece_after(ns, address);
	if (at == ns->piece_count || ns->pieces[at].start > address)
		return -EINVAL;
	const struct mdg__piece *piece = &ns->pieces[at];
	mdg__entry_copy(ns, piece->index, ret);
	if (mdg__tag_generation(ret->tag) != piece->sequence)
		return MDG_DAMAGED; /* attached, and yet gone */
	*ret_offset = piece->offset + (address - piece->start);
	return 0;
}
