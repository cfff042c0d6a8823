/* SPDX-License-Identifier: MIT */
/*
 * hand_calls.c - the public functions about blocks that a thread holds. See hand.c.
 * The two that are called most, mdg_hold and mdg_publish, stand beside what they do: in alloc.c
 * and hand.c.
 */
#include "heap/internal.h"

static void *address_of(const struct mdg__heap *heap, uint64_t ref)
{
	return mdg_at(&heap->view, ref);
}

/* Whether pointers may stand in the heap, in this process: 0, -EBADF or -EINVAL. */
static int look_home(const struct mdg__heap *heap)
{
	if (mdg__is_closed(heap))
		return -EBADF;
	uint64_t home = MDG__LOAD(heap->head->home);
	return home != 0 && home == (uintptr_t)heap->view.base ? 0 : -EINVAL;
}

int mdg_keep(mdg_heap *view, void *block)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int rc;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = mdg__keep(heap, own, mdg__ref_of(heap, block));
	mdg__own_end(own);
	return rc;
}

int mdg_publish_ptr(mdg_heap *view, void *block, void **place, void *expected)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int rc = look_home(heap);
	return rc < 0 ? rc
	              : mdg__publish_call(heap, mdg__ref_of(heap, block), place,
	                                  (uintptr_t)expected, MDG__HAND_POINTER);
}

static void *take_call(mdg_heap *view, const void *place, uint64_t kind)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int why;
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL) {
		mdg__own_failed(heap, why);
		return NULL;
	}
	uint64_t ref = mdg__take(heap, own, mdg__ref_of(heap, place), kind);
	mdg__own_end(own);
	return address_of(heap, ref);
}

void *mdg_take(mdg_heap *heap, mdg_ref *place)
{
	return take_call(heap, place, 0);
}

void *mdg_take_ptr(mdg_heap *view, void **place)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int rc = look_home(heap);
	if (rc == 0)
		return take_call(view, place, MDG__HAND_POINTER);
	mdg__own_failed(heap, rc);
	return NULL;
}

int mdg_swap(mdg_heap *view, void *block, mdg_ref *place, void **ret_old)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	uint64_t old = 0;
	int rc;
	*ret_old = NULL;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = mdg__swap(heap, own, mdg__ref_of(heap, block), mdg__ref_of(heap, place), &old);
	if (rc == 0)
		*ret_old = address_of(heap, old);
	mdg__own_end(own);
	return rc;
}
