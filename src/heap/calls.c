/* SPDX-License-Identifier: MIT */
/*
 * calls.c - blocks that are zeroed, aligned, or given another size.
 *
 * A block is given another size where it is, if its class has room for that, or, for a span, if the
 * units behind it are free. Otherwise it is copied. A block that becomes smaller stays where it is
 * unless less than half of it would be used.
 */
#include "heap/guard.h"

#include "platform/sys.h"

static void *failed(const struct mdg__heap *heap, struct mdg__heap_own *own, int why)
{
	if (own != NULL)
		own->why = why;
	else
		mdg__own_failed(heap, why);
	return NULL;
}

/* ---- zeroed, aligned ----------------------------------------------------------------------- */

void *mdg_alloc_zeroed(mdg_heap *heap, size_t count, size_t size)
{
	size_t all;
	if (__builtin_mul_overflow(count, size, &all))
		all = SIZE_MAX; /* larger than any block */
	void *block = mdg_alloc(heap, all);
	return block == NULL ? NULL : memset(block, 0, all);
}

/* The least class with room for `size` bytes whose blocks are all aligned: slabs begin at units.
 * MDG__HEAP_CLASSES_ALL: there is none. */
static uint32_t aligned_class(size_t alignment, size_t size)
{
	if (size > MDG__MEDIUM_MOST)
		return MDG__HEAP_CLASSES_ALL;
	uint32_t class = mdg__heap_class_of(size);
	while (class < MDG__HEAP_CLASSES_ALL && mdg__heap_classes[class].size % alignment != 0)
		class ++;
	return class;
}

void *mdg_alloc_aligned(mdg_heap *view, size_t alignment, size_t size)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int why;
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL)
		return failed(heap, NULL, why);
	void *block;
	if (alignment == 0 || (alignment & (alignment - 1)) != 0 ||
	    alignment > MDG_ALIGNMENT_MOST) {
		block = failed(heap, own, -EINVAL);
	} else {
		uint32_t class = aligned_class(alignment, mdg__guarded(heap, size));
		if (class == MDG__HEAP_CLASSES_ALL)
			block = mdg__alloc(heap, own, size, NULL);
		else if (mdg__is_checked(heap))
			block = mdg__alloc_checked(heap, own, class, size, NULL);
		else
			block = mdg__alloc_class(heap, own, class, NULL);
	}
	mdg__own_end(own);
	return block;
}

/* ---- another size -------------------------------------------------------------------------- */

size_t mdg_usable_size(mdg_heap *view, const void *address)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__block block;
	uint64_t ref = (uint64_t)((uintptr_t)address - (uintptr_t)view->base);
	if (address == NULL || mdg__block_find(heap, ref, &block) < 0 ||
	    mdg__block_is_free(heap, &block))
		return 0;
	return (size_t)mdg__usable(heap, &block);
}

static bool resize_span(struct mdg__heap *heap, const struct mdg__block *block, size_t size)
{
	uint64_t units = ((uint64_t)size + MDG__UNIT_BYTES - 1) >> MDG__UNIT_SHIFT;
	return size > MDG__MEDIUM_MOST && size <= PTRDIFF_MAX && units <= heap->capacity &&
	       mdg__units_resize(heap, block->unit, block->head, (uint32_t)units) == 0;
}

/* Whether the block has the size after this, where it is. */
static bool resize_here(struct mdg__heap *heap, const struct mdg__block *block, size_t size)
{
	size_t room = mdg__guarded(heap, size);
	bool span = MDG__HEAD_STATE(block->head) == MDG__UNIT_SPAN;
	if (span && !mdg__is_checked(heap))
		return resize_span(heap, block, size);
	if (room > block->size ||
	    (room <= block->size / 2 && (span || mdg__heap_class_of(room) != block->class)))
		return false;
	if (mdg__is_checked(heap))
		mdg__guard_resize(heap, block, size);
	return true;
}

/* What was held is held afterwards, by another hand. */
static void *move(struct mdg__heap *heap, struct mdg__heap_own *own, const struct mdg__block *block,
                  void *address, size_t size)
{
	uint64_t ref = (uint64_t)((unsigned char *)address - heap->view.base);
	bool held = mdg__hand_find(own, ref) != NULL;
	void *other = held ? mdg__hold(heap, own, size) : mdg__alloc(heap, own, size, NULL);
	if (other == NULL)
		return NULL;
	size_t before = (size_t)mdg__usable(heap, block);
	memcpy(other, address, size < before ? size : before);
	int rc = mdg__free_any(heap, own, ref);
	if (rc == 0)
		return other;
	/* Another thread holds it, or has freed it meanwhile. */
	(void)mdg__free_any(heap, own, (uint64_t)((unsigned char *)other - heap->view.base));
	return failed(heap, own, rc);
}

static void *resize(struct mdg__heap *heap, struct mdg__heap_own *own, void *address, size_t size)
{
	struct mdg__block block;
	uint64_t ref = (uint64_t)((uintptr_t)address - (uintptr_t)heap->view.base);
	if (mdg__block_find(heap, ref, &block) < 0 || mdg__block_is_free(heap, &block))
		return failed(heap, own, -EINVAL);
	int rc = mdg__guard_judge(heap, ref);
	if (rc < 0)
		return failed(heap, own, rc);
	if (resize_here(heap, &block, size))
		return address;
	return move(heap, own, &block, address, size);
}

void *mdg_realloc(mdg_heap *view, void *address, size_t size)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int why;
	if (address == NULL)
		return mdg_alloc(view, size);
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL)
		return failed(heap, NULL, why);
	void *block = resize(heap, own, address, size);
	mdg__own_end(own);
	return block;
}
