/* SPDX-License-Identifier: MIT */
/*
 * mark.c - who is about to have a block: written down before the block is allocated.
 *
 * A thread may die between the two. Then the block is still free by its bit or its unit's word, and
 * what is written here is wrong and harms nobody. The sweeper of a dead thread asks the bit first.
 */
#include "heap/internal.h"

/* Minutes count from the first whole second of the heap, so that no label is of the future. */
uint64_t mdg__label_minute(const struct mdg__heap *heap, struct mdg__heap_own *own, int64_t now)
{
	int64_t begun = (int64_t)((MDG__LOAD(heap->head->begun) + 999999999) / 1000000000);
	int64_t minutes = now > begun ? (now - begun) / 60 : 0;
	own->minute_from = begun + minutes * 60;
	own->label = (own->label & ~UINT64_C(0xfffff)) | ((uint64_t)minutes & 0xfffff);
	return own->label;
}

/* The word of a slab is there already. That of a span is not: it names the holder. */
int mdg__heap_mark(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                   uint64_t unit, uint32_t index, uint64_t ref)
{
	bool labels = (heap->flags & MDG_HEAP_LABELS) != 0;
	if (hand == NULL && !labels)
		return 0;
	uint64_t head = MDG__LOAD(heap->heads[unit]);
	bool slab = MDG__HEAD_STATE(head) == MDG__UNIT_SLAB;
	uint32_t blocks = slab ? mdg__heap_classes[MDG__HEAD_CLASS(head)].blocks : 1;
	_Atomic uint64_t *label = &heap->labels[unit * MDG__LABELS_OF_UNIT + index];
	int rc = slab || labels ? mdg__labels_promise(heap, unit, blocks) : 0;
	if (rc < 0)
		return rc;
	uint64_t now = labels ? mdg__label_now(heap, own) : 0;
	if (labels && (hand == NULL || !slab))
		atomic_store_explicit(label, now, memory_order_release);
	if (hand != NULL)
		mdg__hand_fill(own, (size_t)(hand - own->slot->hands), ref, slab ? label : NULL);
	return 0;
}
