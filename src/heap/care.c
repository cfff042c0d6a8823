/* SPDX-License-Identifier: MIT */
/*
 * care.c - the limit, giving memory back, and sweeping now.
 */
#include "heap/internal.h"

/* Whether the heap may be changed: 0, -EBADF or -EROFS. */
static int may_write(const struct mdg__heap *heap)
{
	if (mdg__is_closed(heap))
		return -EBADF;
	return (heap->flags & MDG_HEAP_RDONLY) != 0 ? -EROFS : 0;
}

int mdg_heap_limit(mdg_heap *view, uint64_t limit)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int rc = may_write(heap);
	if (rc < 0)
		return rc;
	if (limit > heap->capacity << MDG__UNIT_SHIFT)
		return -EINVAL;
	MDG__STORE(heap->head->limit, limit >> MDG__UNIT_SHIFT);
	return 0;
}

int mdg_heap_trim(mdg_heap *view, uint64_t keep)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	mdg__sigmask mask;
	int rc = may_write(heap);
	if (rc < 0)
		return rc;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own != NULL) { /* what this thread keeps for itself */
		(void)mdg__slabs_give_idle(heap, own);
		(void)mdg__spans_give(heap, own);
		mdg__own_end(own);
	}
	rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	mdg__units_trim(heap, keep >> MDG__UNIT_SHIFT);
	mdg__heap_unlock(heap, &mask);
	return 0;
}

int mdg_heap_sweep(mdg_heap *view)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int rc = may_write(heap);
	if (rc < 0)
		return rc;
	/* The caller may have retired something. It sweeps also if all slots are taken. */
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	int swept = mdg__sweep_some(heap, heap->slots);
	if (own != NULL) {
		(void)mdg__retired_free(heap, own);
		mdg__own_end(own);
	}
	return swept;
}
