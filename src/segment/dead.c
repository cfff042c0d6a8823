/* SPDX-License-Identifier: MIT */
/*
 * dead.c - giving back what dead processes had.
 *
 * A dead process's slot is cleared by the next call that comes across it. The
 * registry does the work in steps (registry/reap.c). After each step the lock
 * is let go, and the objects that went with the dead are cleared away.
 */
#include <errno.h>

#include "registry/alive.h"
#include "registry/clearing.h"
#include "registry/object.h"
#include "registry/presence.h"
#include "registry/tie.h"
#include "segment/internal.h"

void mdg__reap(struct mdg_namespace *ns, const struct mdg__holder *dead, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct mdg__clearing clearing = { 0 };
		int rc = -EAGAIN;
		while (rc == -EAGAIN) {
			if (mdg__enter_writer(ns) < 0)
				return; /* they stay uncounted all the same */
			rc = mdg__slot_reap(&ns->registry, dead[i].slot, dead[i].generation,
			                    &clearing);
			mdg__unlock(&ns->registry);
			mdg__clear(ns, &clearing);
		}
	}
}

void mdg__reap_all(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t slot = 0; slot < ready; slot++) {
		uint32_t tag = mdg__get32(&registry->processes[slot].tag);
		struct mdg__holder holder = { slot, mdg__tag_generation(tag), 0, -1 };
		if (mdg__slot_state(tag) != MDG__SLOT_FREE &&
		    !mdg__slot_alive(registry, slot, mdg__tag_generation(tag)))
			mdg__reap(ns, &holder, 1);
	}
}

bool mdg__is_worked_on(struct mdg_namespace *ns, uint32_t worker1, uint32_t generation)
{
	struct mdg__registry *registry = &ns->registry;
	return mdg__pair_at_work(registry, worker1, generation) &&
	       mdg__slot_may_be_inside(registry, worker1 - 1);
}

void mdg__clear_abandoned(struct mdg_namespace *ns, enum mdg__class class, uint32_t index,
                          uint32_t tag)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__object *object = mdg__object_at(registry, class, index);
	struct mdg__clearing clearing = { 0 };
	uint32_t worker1 = mdg__get32(&object->worker);
	struct mdg__holder worker = { worker1 - 1, mdg__get32(&object->worker_generation), 0, -1 };
	/* A worker has all signals blocked from before the tag was BUSY until after
	 * it is not: BUSY before this question and after it, and nobody found. */
	if (mdg__get32(&object->tag) != tag || mdg__is_worked_on(ns, worker1, worker.generation))
		return;
	if (mdg__is_slot1(registry, worker1))
		mdg__reap(ns, &worker, 1); /* nothing happens to one that lives */
	if (mdg__enter_writer(ns) < 0)
		return;
	if (mdg__get32(&object->tag) == tag && mdg__get32(&object->worker) == worker1 &&
	    mdg__get32(&object->worker_generation) == worker.generation) {
		mdg__object_take_work(registry, class, index);
		mdg__commit(registry);
		mdg__clearing_add(&clearing, class, index);
	}
	mdg__unlock(registry);
	mdg__clear(ns, &clearing);
}
