/* SPDX-License-Identifier: MIT */
/*
 * tag.c - the tag that the next blocks of this thread get in their labels.
 */
#include "heap/internal.h"

uint32_t mdg_alloc_tag(mdg_heap *view, uint32_t tag)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	const uint64_t all = (uint64_t)MDG_TAG_MOST << 20;
	int why;
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL) {
		mdg__own_failed(heap, why);
		return 0;
	}
	uint32_t before = own->tag;
	own->tag = tag & MDG_TAG_MOST;
	own->label = (own->label & ~all) | (uint64_t)own->tag << 20;
	mdg__own_end(own);
	return before;
}
