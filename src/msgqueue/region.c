/* SPDX-License-Identifier: MIT */
/*
 * region.c - a thread gets its region: see region.h.
 *
 * What a thread that has ended left in a region is forgotten. Its slips are found in the queues.
 */
#include "msgqueue/region.h"

struct mdg__queue_region *mdg__queue_region_make(const struct mdg__thread *thread)
{
	struct mdg__per_thread *page = mdg__per_thread_make(thread->tid);
	if (page == NULL)
		return NULL;
	struct mdg__queue_region *region = (struct mdg__queue_region *)(void *)page->of_queues;
	if (region->turn != page->turn) {
		memset(region, 0, sizeof *region);
		region->turn = page->turn;
	}
	return region;
}
