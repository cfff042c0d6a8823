/* SPDX-License-Identifier: MIT */
/*
 * objectlimit.c - the limits of semaphores and messages, and how much of them is in use.
 */
#include "registry/clearing.h"
#include "registry/current.h"
#include "registry/ids.h"
#include "registry/object.h"
#include "segment/internal.h"
#include "segment/objects.h"

/* Where a limit lies in the registry's head. */
static uint64_t value_of(const struct mdg__head *head, enum mdg__object_limit limit)
{
	const struct mdg__directory *sets = &head->directory[MDG__SEMAPHORE_SETS];
	const struct mdg__directory *queues = &head->directory[MDG__MESSAGE_QUEUES];
	switch (limit) {
	case MDG__SEMMSL:
		return mdg__get64(&sets->limit[0]);
	case MDG__SEMMNS:
		return mdg__get64(&sets->total_most);
	case MDG__SEMOPM:
		return mdg__get64(&sets->limit[1]);
	case MDG__SEMMNI:
		return mdg__get32(&sets->most);
	case MDG__MSGMAX:
		return mdg__get64(&queues->limit[0]);
	case MDG__MSGMNB:
		return mdg__get64(&queues->limit[1]);
	case MDG__MSGMNI:
		return mdg__get32(&queues->most);
	default:
		return 0;
	}
}

uint64_t mdg__object_limit(mdg_namespace *ns, enum mdg__object_limit limit)
{
	mdg__settings_follow(ns);
	return value_of(ns->registry.head, limit);
}

/* [entered] Objects that were removed, but whose file this or another process was not allowed to
 * unlink. */
static void finish_removals(struct mdg_namespace *ns, enum mdg__class class)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, class);
	for (uint32_t index = 0; index < ready; index++) {
		struct mdg__clearing clearing = { 0 };
		const struct mdg__object *object = mdg__object_at(registry, class, index);
		if (mdg__tag_state(mdg__get32(&object->tag)) != MDG__REMOVED ||
		    mdg__enter_writer(ns) < 0)
			continue;
		(void)mdg__object_begin_clearing(registry, class, index, &clearing);
		mdg__leave_writer(ns);
		mdg__clear(ns, &clearing);
	}
}

int mdg__object_totals(mdg_namespace *ns, enum mdg__class class, struct mdg__object_totals *ret)
{
	struct mdg__registry *registry = &ns->registry;
	int gone = mdg__registry_here(registry);
	if (gone < 0)
		return gone;
	/* It does not matter if that fails. */
	mdg__enter(ns);
	mdg__reap_all(ns);
	finish_removals(ns, class);
	mdg__leave(ns);
	ret->used = mdg__get32(&registry->head->directory[class].in_use);
	ret->highest = mdg__object_highest(registry, class);
	ret->total = mdg__get64(mdg__object_total(registry, class));
	return 0;
}
