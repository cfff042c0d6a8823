/* SPDX-License-Identifier: MIT */
/*
 * walk.c - all segments, the processes attached to one, and the totals.
 *
 * A walk is not a snapshot. Each step is right at the moment when it is made.
 */
#include <errno.h>
#include <string.h>

#include "platform/sized.h"
#include "registry/alive.h"
#include "registry/current.h"
#include "registry/ids.h"
#include "registry/tie.h"
#include "registry/users.h"
#include "segment/internal.h"

int mdg_segment_next(mdg_namespace *ns, uint32_t *cursor, unsigned flags,
                     struct mdg_segment_info *ret_info)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	int gone = mdg__registry_glance(registry);
	if (gone < 0)
		return gone;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	for (uint32_t index = *cursor; index < ready; index++) {
		if (!mdg__object_in_use(registry, MDG__SEGMENTS, index))
			continue;
		int rc = mdg_segment_stat(ns, (mdg_id)index,
		                          MDG_STAT_INDEX | MDG_STAT_ANY |
		                                  (flags & (MDG_STAT_RESIDENT | MDG_STAT_CREATOR)),
		                          ret_info);
		*cursor = index + 1;
		if (rc != -EINVAL)
			return rc < 0 ? rc : 1;
	}
	*cursor = ready;
	return 0;
}

/* `cursor` is the next process slot to look at. */
int mdg_segment_next_process(mdg_namespace *ns, mdg_id id, uint32_t *cursor,
                             struct mdg_process_info *ret_info)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__entry entry;
	int rc = mdg__registry_glance(registry);
	if (rc == 0 && !mdg__sized_is_valid(ret_info->size))
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	rc = mdg__entry_read(ns, id, false, &entry);
	if (rc < 0)
		return rc;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t slot = *cursor; slot < ready; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t tag = mdg__get32(&process->tag);
		*cursor = slot + 1;
		uint32_t at = mdg__slot_state(tag) == MDG__SLOT_FREE
		                      ? 0
		                      : mdg__tie_of(registry, slot, MDG__SEGMENTS, entry.index);
		uint32_t count = at == 0 ? 0 : (uint32_t)mdg__get64(&registry->ties[at - 1].word);
		if (count == 0 || !mdg__slot_alive(registry, slot, mdg__tag_generation(tag)))
			continue;
		struct mdg_process_info own = {
			.pid = (int32_t)mdg__get32(&process->pid),
			.uid = mdg__id_shown(registry, MDG__USER, mdg__get32(&process->uid)),
			.attached = count,
			.same_pid_namespace =
				mdg__get64(&process->pid_namespace) == registry->pid_namespace,
		};
		mdg__sized_give(ret_info, &own, sizeof own);
		return 1;
	}
	return 0;
}

static uint32_t slots_taken(const struct mdg__registry *registry)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES), taken = 0;
	for (uint32_t slot = 0; slot < ready; slot++)
		taken += mdg__slot_state(mdg__get32(&registry->processes[slot].tag)) !=
		         MDG__SLOT_FREE;
	return taken;
}

static uint64_t resident_pages(struct mdg_namespace *ns)
{
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	uint64_t bytes = 0;
	while (mdg_segment_next(ns, &cursor, MDG_STAT_RESIDENT, &info) > 0)
		bytes += info.resident;
	return bytes / mdg__page_size();
}

/* Clears away removed segments that nobody has attached any more. The last process to detach one
 * may not have been allowed to unlink its file, because the file is another user's. */
static void finish_removals(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	struct mdg__entry entry;
	for (uint32_t index = 0; index < ready; index++)
		if (mdg__tag_state(mdg__get32(&registry->segments[index].tag)) == MDG__REMOVED)
			(void)mdg__entry_find(ns, (mdg_id)index, true, &entry);
}

int mdg_namespace_info(mdg_namespace *ns, unsigned flags, struct mdg_namespace_info *ret_info)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg_namespace_info own = { 0 };
	int gone = mdg__registry_here(registry);
	if (gone < 0)
		return gone;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	mdg__settings_follow(ns);
	/* What dead processes hold must not be counted. It does no harm if that fails. */
	mdg__enter(ns);
	mdg__reap_all(ns);
	mdg__leave(ns);
	finish_removals(ns);
	int32_t highest = mdg__object_highest(registry, MDG__SEGMENTS);
	own.flags = registry->flags;
	own.segments_max = mdg__get32(&registry->head->directory[MDG__SEGMENTS].most);
	own.processes_max = registry->process_capacity;
	own.segments_used = mdg__get32(&registry->head->directory[MDG__SEGMENTS].in_use);
	own.processes_used = slots_taken(registry);
	own.highest_index = highest < 0 ? 0 : highest;
	own.shmmax = mdg__get64(&registry->head->shmmax_now);
	own.shmall = mdg__get64(&registry->head->shmall_now);
	own.pages_total = mdg__get64(&registry->head->pages);
	if (flags & MDG_INFO_RESIDENT)
		own.pages_resident = resident_pages(ns);
	memcpy(own.path, registry->path, sizeof own.path);
	mdg__sized_give(ret_info, &own, sizeof own);
	return 0;
}
