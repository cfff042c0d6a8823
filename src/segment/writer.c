/* SPDX-License-Identifier: MIT */
/*
 * writer.c - what a process needs before it may change the registry: a process
 * slot, its attachments entered under that slot, and the writer lock.
 */
#include <errno.h>

#include "registry/clearing.h"
#include "registry/slot.h"
#include "registry/tie.h"
#include "segment/datafile.h"
#include "segment/internal.h"

/* ---- entering the attachments of a process that lost its slot ------------- */

/* Enters the attachments of one segment under this process's slot. -EAGAIN: the table has to grow
 * first. */
static int enter_one_anew(struct mdg_namespace *ns, uint32_t index, uint32_t *ret_made)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__segment_cache *cache = &ns->caches[index];
	int rc = mdg__lock(registry);
	if (rc < 0)
		return rc;
	uint32_t tag = mdg__get32(&registry->segments[index].tag);
	if (mdg__tag_generation(tag) == cache->sequence1 - 1 && mdg__tag_state(tag) >= MDG__LIVE) {
		rc = mdg__tie_make(registry, MDG__SEGMENTS, index, registry->slot1 - 1, ret_made,
		                   &cache->generation);
		if (rc == 0) {
			struct mdg__tie *record = &registry->ties[*ret_made];
			cache->attachment1 = *ret_made + 1;
			cache->epoch = ns->epoch;
			(void)mdg__tie_add(registry, *ret_made, cache->generation,
			                   (int32_t)cache->pieces);
			atomic_store_explicit(&record->fd, (uint32_t)cache->fd + 1,
			                      memory_order_release);
		}
	}
	mdg__unlock(registry);
	return rc;
}

/* A process loses its slot when others take it for dead, or when it was forked and no handler ran.
 * It enters its attachments again. If that fails, the next call tries again. */
static int enter_anew(struct mdg_namespace *ns)
{
	for (uint32_t i = 0; i < ns->piece_count; i++)
		if (!mdg__cache_has_record(ns, &ns->caches[ns->pieces[i].index]))
			ns->caches[ns->pieces[i].index].attachment1 = 0;
	for (uint32_t i = 0; i < ns->piece_count;) {
		uint32_t index = ns->pieces[i].index, made = 0;
		int rc = ns->caches[index].attachment1 != 0 ? 0 : enter_one_anew(ns, index, &made);
		if (rc == -EAGAIN)
			rc = mdg__attachments_ready(ns, made + 1);
		else if (rc == 0)
			i++;
		if (rc < 0)
			return rc;
	}
	ns->unentered = false;
	return 0;
}

/* ---- the slot ------------------------------------------------------------- */

/* Clears away what the process had that used this slot before (registry/slot.c). */
static int settle(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	const struct mdg__process *process = &registry->processes[registry->slot1 - 1];
	struct mdg__clearing clearing = { 0 };
	int rc = -EAGAIN;
	while (rc == -EAGAIN) {
		rc = mdg__lock(registry);
		if (rc < 0)
			break;
		rc = mdg__slot_reap(registry, registry->slot1 - 1, registry->generation, &clearing);
		mdg__unlock(registry);
		mdg__clear(ns, &clearing);
	}
	if (rc == 0 && (mdg__get32(&process->ties) != 0 || mdg__get32(&process->working) != 0))
		rc = MDG_DAMAGED;
	if (rc == 0)
		mdg__slot_settle(registry);
	else
		mdg__slot_leave(registry);
	return rc;
}

/* A witness is a link in the robust list of this process. Where other users may write to the
 * registry there is none: they could lead the list astray. */
void mdg__bear_witness(struct mdg_namespace *ns)
{
	if (!mdg__slot_is_witnessed(&ns->registry) && !mdg__is_shared(ns) && !mdg__is_guest(ns))
		mdg__slot_bear_witness(&ns->registry);
}

int mdg__ensure_slot(struct mdg_namespace *ns)
{
	bool new_slot;
	struct mdg__clearing clearing = { 0 };
	if (ns->registry.look)
		return -EROFS;
	int rc = mdg__slot_ensure(&ns->registry, &new_slot, &clearing);
	if (rc == 0 && mdg__slot_is_inherited(&ns->registry))
		rc = settle(ns);
	if (rc < 0)
		return rc;
	ns->unentered = ns->unentered || (new_slot && ns->piece_count > 0);
	if (ns->unentered)
		rc = enter_anew(ns);
	if (ns->piece_count > 0) /* a child inherits attachments, and a witness may have ended */
		mdg__bear_witness(ns);
	mdg__clear(ns, &clearing);
	return rc;
}

/* ---- the writer lock ------------------------------------------------------ */

int mdg__enter_writer(struct mdg_namespace *ns)
{
	int rc = mdg__ensure_slot(ns);
	return rc < 0 ? rc : mdg__lock(&ns->registry);
}

void mdg__leave_writer(struct mdg_namespace *ns)
{
	mdg__unlock(&ns->registry);
}
