/* SPDX-License-Identifier: MIT */
/*
 * region.c - a thread gets its region: see region.h.
 *
 * A thread that has ended may have left a region. What that thread was a witness in is given back
 * here.
 */
#include "semset/region.h"

#include "platform/epoch.h"

static void clean(struct mdg__set_region *region)
{
	if (region->epoch != 0 && mdg__epoch_is(region->epoch))
		for (uint32_t i = 0; i < region->kept_count; i++)
			mdg__memory_leave(&region->kept[i].memory);
	for (uint32_t i = 0; i < MDG__SLIPS_KEPT; i++)
		region->slip[i] = (struct mdg__slip_kept){ NULL, 0 };
	region->kept_count = 0;
	region->epoch = 0;
}

struct mdg__set_region *mdg__set_region_make(void)
{
	const struct mdg__thread *thread = mdg__thread();
	struct mdg__per_thread *page = thread == NULL ? NULL : mdg__per_thread_make(thread->tid);
	if (page == NULL)
		return NULL;
	struct mdg__set_region *region = (struct mdg__set_region *)(void *)page->of_sets;
	if (region->turn != page->turn) {
		clean(region);
		region->turn = page->turn;
	}
	return region;
}
