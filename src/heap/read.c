/* SPDX-License-Identifier: MIT */
/*
 * read.c - read sections. readers.c says how somebody knows that they have ended.
 *
 * A section is two stores to the thread's slot, and no fence (section.h).
 */
#include "heap/section.h"

#include "platform/processors.h"

/* ---- reading ----------------------------------------------------------------------------- */

/* Others can make the threads of this process pass a fence only if it has registered. A forked
 * child registers anew. */
void mdg__section_fence(struct mdg__heap_own *own)
{
	if (own->fences == MDG__FENCES_UNKNOWN)
		own->fences =
			mdg__sys_fence_register() == 0 ? MDG__FENCES_BY_OTHERS : MDG__FENCES_ITSELF;
	mdg__fence(memory_order_seq_cst);
}

int mdg_read_begin(mdg_heap *view)
{
	int rc = 0;
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (__builtin_expect(own == NULL, 0))
		return rc;
	mdg__section_begin(heap, own);
	mdg__own_end(own);
	return 0;
}

int mdg_read_end(mdg_heap *view)
{
	int rc = 0;
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (__builtin_expect(own == NULL, 0))
		return rc;
	if (__builtin_expect(own->reading == 0, 0))
		rc = -EPERM;
	else
		mdg__section_end(own);
	mdg__own_end(own);
	return rc;
}
