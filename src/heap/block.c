/* SPDX-License-Identifier: MIT */
/*
 * block.c - which block begins at a reference, if any.
 */
#include "heap/internal.h"

/* The unit where the medium slab begins of which this one is a part. False: the words make no
 * sense. */
static bool find_first(const struct mdg__heap *heap, uint64_t head, uint64_t *unit,
                       uint64_t *ret_head)
{
	uint64_t distance = MDG__HEAD_UNITS(head);
	if (distance == 0 || distance >= MDG__MEDIUM_UNITS || distance > *unit)
		return false;
	*unit -= distance;
	*ret_head = atomic_load_explicit(&heap->heads[*unit], memory_order_acquire);
	uint32_t class = MDG__HEAD_CLASS(*ret_head);
	return MDG__HEAD_STATE(*ret_head) == MDG__UNIT_SLAB &&
	       mdg__heap_classes[class].units == MDG__MEDIUM_UNITS;
}

static int find_in_slab(const struct mdg__heap *heap, uint64_t offset, struct mdg__block *ret)
{
	const struct mdg__size_class *class = &mdg__heap_classes[ret->class];
	uint64_t from = ret->unit << MDG__UNIT_SHIFT;
	uint64_t index = (offset - from) * class->inverse >> 32;
	if (index >= class->blocks || index * class->size != offset - from ||
	    heap->capacity - ret->unit < class->units)
		return -EINVAL;
	ret->index = (uint32_t)index;
	ret->size = class->size;
	return 0;
}

static int find_span(const struct mdg__heap *heap, uint64_t offset, struct mdg__block *ret)
{
	uint64_t units = MDG__HEAD_UNITS(ret->head);
	if (MDG__HEAD_STATE(ret->head) != MDG__UNIT_SPAN || offset % MDG__UNIT_BYTES != 0 ||
	    units == 0 || units > heap->capacity - ret->unit)
		return -EINVAL;
	ret->index = 0;
	ret->size = units << MDG__UNIT_SHIFT;
	return 0;
}

int mdg__block_find_any(struct mdg__heap *heap, uint64_t ref, struct mdg__block *ret)
{
	uint64_t offset = ref - heap->parts.data;
	if (ref < heap->parts.data)
		return -EINVAL;
	ret->unit = offset >> MDG__UNIT_SHIFT;
	if (offset >= MDG__LOAD(heap->known) && ret->unit >= mdg__units_high(heap))
		return -EINVAL;
	/* Acquire: pairs with the release of who took the unit, units.c. */
	ret->head = atomic_load_explicit(&heap->heads[ret->unit], memory_order_acquire);
	if (MDG__HEAD_STATE(ret->head) == MDG__UNIT_INNER &&
	    !find_first(heap, ret->head, &ret->unit, &ret->head))
		return -EINVAL;
	ret->class = MDG__HEAD_CLASS(ret->head);
	return MDG__HEAD_STATE(ret->head) == MDG__UNIT_SLAB ? find_in_slab(heap, offset, ret)
	                                                    : find_span(heap, offset, ret);
}

bool mdg__block_is_free(const struct mdg__heap *heap, const struct mdg__block *block)
{
	uint32_t word = block->index / 64, bit = block->index % 64;
	if (MDG__HEAD_STATE(block->head) != MDG__UNIT_SLAB)
		return false;
	/* The merge writes `free` before it clears `remote`. */
	uint64_t bits = atomic_load_explicit(&mdg__remote_words(heap, block->unit)[word],
	                                     memory_order_acquire);
	bits |= MDG__LOAD(mdg__free_words(heap, block->unit)[word]);
	return (bits >> bit & 1) != 0;
}

_Atomic uint64_t *mdg__block_label(const struct mdg__heap *heap, const struct mdg__block *block)
{
	return &heap->labels[block->unit * MDG__LABELS_OF_UNIT + block->index];
}
