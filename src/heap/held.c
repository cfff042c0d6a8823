/* SPDX-License-Identifier: MIT */
/*
 * held.c - who holds a block, as it is written. See held.h.
 */
#include "heap/held.h"

static bool is_span(const struct mdg__block *block)
{
	return MDG__HEAD_STATE(block->head) == MDG__UNIT_SPAN;
}

/* 0: nobody holds it. */
static uint64_t label_of(const struct mdg__heap *heap, const struct mdg__block *block)
{
	/* Acquire: who reads that the label is another's sees what that one has written before. */
	return mdg__is_labelled(heap, block->unit)
	               ? atomic_load_explicit(mdg__block_label(heap, block), memory_order_acquire)
	               : 0;
}

/* The word of a span's unit: its owner, if it is a span still. */
static uint32_t span_owner(const struct mdg__heap *heap, const struct mdg__block *block,
                           uint64_t *ret_head)
{
	*ret_head = atomic_load_explicit(&heap->heads[block->unit], memory_order_acquire);
	return MDG__HEAD_STATE(*ret_head) == MDG__UNIT_SPAN ? MDG__HEAD_OWNER(*ret_head) : 0;
}

uint32_t mdg__held_by(const struct mdg__heap *heap, const struct mdg__block *block)
{
	uint64_t word;
	if (is_span(block))
		return span_owner(heap, block, &word);
	word = label_of(heap, block);
	return (word & MDG__LABEL_HELD) != 0 ? MDG__LABEL_SLOT1(word) : 0;
}

bool mdg__is_held_by(const struct mdg__heap *heap, const struct mdg__block *block,
                     struct mdg__holder holder)
{
	uint64_t head;
	if (is_span(block))
		return span_owner(heap, block, &head) == holder.slot1;
	return mdg__label_names(label_of(heap, block), holder);
}

/* The owner of a span, from any to this one; or from this one to nobody. The lock may change how
 * many units it has at the same time. */
static void span_change(struct mdg__heap *heap, const struct mdg__block *block, uint32_t from,
                        uint32_t to)
{
	const uint64_t owner = UINT64_C(0xffff) << 16;
	uint64_t head;
	uint32_t before = span_owner(heap, block, &head);
	while (MDG__HEAD_STATE(head) == MDG__UNIT_SPAN && (from == 0 || before == from) &&
	       !atomic_compare_exchange_weak_explicit(&heap->heads[block->unit], &head,
	                                              (head & ~owner) | (uint64_t)to << 16,
	                                              memory_order_acq_rel, memory_order_acquire))
		before = MDG__HEAD_OWNER(head);
}

void mdg__held_set(struct mdg__heap *heap, const struct mdg__block *block,
                   struct mdg__holder holder)
{
	if (is_span(block)) {
		span_change(heap, block, 0, holder.slot1);
		return;
	}
	if (!mdg__is_labelled(heap, block->unit))
		return;
	_Atomic uint64_t *label = mdg__block_label(heap, block);
	/* Release: who finds the label finds the hand that was stored before. */
	atomic_store_explicit(label, mdg__label_held(MDG__LOAD(*label), holder),
	                      memory_order_release);
}

void mdg__held_clear(struct mdg__heap *heap, const struct mdg__block *block,
                     struct mdg__holder holder)
{
	if (is_span(block))
		span_change(heap, block, holder.slot1, 0);
	else if (mdg__is_labelled(heap, block->unit))
		mdg__held_clear_label(heap, mdg__block_label(heap, block), holder);
}
