/* SPDX-License-Identifier: MIT */
/*
 * slab.c - the two bitmaps of a slab: what the owner frees, and what others free.
 *
 * Somebody else frees a block by setting its bit in `remote`. Then a bit of `hints` says which word
 * of `remote` is not 0. The owner moves the bits to `free` when it needs blocks (merge). Between
 * the two steps of the merge a bit is set in both, and nobody allocates. So a death there does no
 * harm: the sweeper does the same again.
 *
 * A slab without an owner is adopted by who needs one of its class. If its last block is freed, who
 * frees it adopts the slab in order to give it back.
 */
#include "heap/guard.h"

/* Of blocks that somebody held and another thread has freed: their labels must not say `held` any
 * more when they can be allocated again. */
static void clear_held(struct mdg__heap *heap, uint64_t unit, uint32_t word, uint64_t bits)
{
	for (; bits != 0; bits &= bits - 1) {
		uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(bits);
		_Atomic uint64_t *label = &heap->labels[unit * MDG__LABELS_OF_UNIT + index];
		uint64_t now = MDG__LOAD(*label);
		if ((now & MDG__LABEL_HELD) != 0)
			atomic_store_explicit(label, mdg__label_unheld(heap, now),
			                      memory_order_release);
	}
}

static uint32_t merge_word(struct mdg__heap *heap, uint64_t unit, uint32_t at, uint64_t valid)
{
	_Atomic uint64_t *free = &mdg__free_words(heap, unit)[at];
	_Atomic uint64_t *remote = &mdg__remote_words(heap, unit)[at];
	/* Pairs with who frees: its bit, then the hint; here the hint, then the bits. What the
	 * freeing thread has done with the block is before what is done with it next. */
	uint64_t all = atomic_load_explicit(remote, memory_order_seq_cst), bits = all & valid;
	if (all == 0)
		return 0;
	if (mdg__bit_is_set(heap, MDG__BITS_LABELLED, unit))
		clear_held(heap, unit, at, bits);
	uint64_t before = MDG__LOAD(*free);
	atomic_store_explicit(free, before | bits, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_fetch_and_explicit(remote, ~all, memory_order_acq_rel);
	return (uint32_t)__builtin_popcountll(bits & ~before);
}

uint32_t mdg__slab_merge(struct mdg__heap *heap, uint64_t unit, uint32_t class, bool all)
{
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	uint32_t got = 0;
	if (!all && MDG__LOAD(heap->hints[unit]) == 0)
		return 0;
	uint64_t hints = atomic_exchange_explicit(&heap->hints[unit], 0, memory_order_seq_cst);
	if (all)
		hints = ~UINT64_C(0);
	for (uint32_t at = 0; at < about->words; at++)
		if ((hints >> at & 1) != 0)
			got += merge_word(heap, unit, at, mdg__class_word(about, at));
	return got;
}

uint32_t mdg__slab_count_free(const struct mdg__heap *heap, uint64_t unit, uint32_t class)
{
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	uint32_t count = 0;
	for (uint32_t at = 0; at < about->words; at++) {
		/* Acquire: pairs with the release of who has freed. */
		uint64_t bits = atomic_load_explicit(&mdg__remote_words(heap, unit)[at],
		                                     memory_order_acquire) |
		                atomic_load_explicit(&mdg__free_words(heap, unit)[at],
		                                     memory_order_acquire);
		count += (uint32_t)__builtin_popcountll(bits & mdg__class_word(about, at));
	}
	return count;
}

bool mdg__slab_is_idle(const struct mdg__heap *heap, uint64_t unit, uint32_t class)
{
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	for (uint32_t at = 0; at < about->words; at++) {
		/* Acquire: pairs with the release of who has freed. The slab may have been
		 * somebody else's, who has died. */
		uint64_t bits = atomic_load_explicit(&mdg__free_words(heap, unit)[at],
		                                     memory_order_acquire);
		if ((~bits & mdg__class_word(about, at)) != 0)
			return false;
	}
	return true;
}

/* ---- without an owner ---------------------------------------------------------------------- */

bool mdg__slab_adopt(struct mdg__heap *heap, uint64_t unit, uint64_t head, uint32_t slot1)
{
	uint64_t now = head | (uint64_t)slot1 << 16;
	/* Acquire: pairs with the release in mdg__slab_abandon, or with that of the sweeper. */
	if (MDG__HEAD_OWNER(head) != 0 ||
	    !atomic_compare_exchange_strong_explicit(&heap->heads[unit], &head, now,
	                                             memory_order_acq_rel, memory_order_relaxed))
		return false;
	mdg__bit_clear(heap, MDG__BITS_ABANDONED, unit);
	if (MDG__LOAD(heap->head->abandoned) != 0)
		atomic_fetch_sub_explicit(&heap->head->abandoned, 1, memory_order_relaxed);
	return true;
}

/* The bit is set first: a slab that has no owner and no bit would not be found again. A bit without
 * such a slab is cleared by who finds it (refill.c). */
void mdg__slab_abandon(struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	uint64_t now = head & ~(UINT64_C(0xffff) << 16);
	mdg__bit_set(heap, MDG__BITS_ABANDONED, unit);
	atomic_fetch_add_explicit(&heap->head->abandoned, 1, memory_order_relaxed);
	/* seq_cst: pairs with mdg__slab_free_remote. Who frees the last block after that sees that
	 * the slab has no owner. What was freed before is seen by who looks now. */
	(void)atomic_compare_exchange_strong_explicit(&heap->heads[unit], &head, now,
	                                              memory_order_seq_cst, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static bool is_free_orphan(const struct mdg__heap *heap, uint64_t unit, uint32_t class,
                           uint64_t head)
{
	return MDG__HEAD_STATE(head) == MDG__UNIT_SLAB && MDG__HEAD_OWNER(head) == 0 &&
	       MDG__HEAD_CLASS(head) == class &&
	       mdg__slab_count_free(heap, unit, class) == mdg__heap_classes[class].blocks;
}

/* [the slot that `head` names is the caller's] Gives the slab back if it is idle. Else it has no
 * owner from here on; true then, if blocks were in use. Who has freed the last of them meanwhile
 * saw an owner, so somebody has to look again. */
static bool leave(struct mdg__heap *heap, uint64_t unit, uint32_t class, uint64_t head)
{
	(void)mdg__slab_merge(heap, unit, class, true);
	/* This sets aside blocks that were written to while they were free. */
	bool whole = mdg__slab_is_whole(heap, unit, class);
	/* What others have freed after the merge does not count: its labels may still say held, and
	 * would say so in the next life of the unit. */
	bool idle = mdg__slab_is_idle(heap, unit, class);
	if (whole && idle && mdg__units_give(heap, unit, head) >= 0)
		return false;
	mdg__slab_abandon(heap, unit, head);
	return !idle;
}

/* The caller's slot owns the slab for a moment, so that it is given back if the caller dies. After
 * the count, another one may have owned the slab, have allocated, and have died: only its owner
 * knows that the slab is idle. */
void mdg__slab_give_orphan(struct mdg__heap *heap, uint64_t unit, uint32_t class, uint32_t slot1)
{
	uint64_t head;
	do {
		head = MDG__LOAD(heap->heads[unit]);
		if (!is_free_orphan(heap, unit, class, head) ||
		    !mdg__slab_adopt(heap, unit, head, slot1))
			return;
	} while (leave(heap, unit, class, head | (uint64_t)slot1 << 16));
}

void mdg__slab_leave(struct mdg__heap *heap, uint64_t unit, uint32_t class, uint64_t head)
{
	if (leave(heap, unit, class, head))
		mdg__slab_give_orphan(heap, unit, class, MDG__HEAD_OWNER(head));
}

/* ---- freeing by others --------------------------------------------------------------------- */

int mdg__slab_free_remote(struct mdg__heap *heap, const struct mdg__block *block, uint32_t slot1)
{
	uint32_t at = block->index / 64;
	_Atomic uint64_t *remote = &mdg__remote_words(heap, block->unit)[at];
	_Atomic uint64_t *hints = &heap->hints[block->unit];
	uint64_t bit = UINT64_C(1) << (block->index % 64), hint = UINT64_C(1) << at;
	uint64_t free = MDG__LOAD(mdg__free_words(heap, block->unit)[at]);
	if ((free & bit) != 0)
		return MDG_FREED_TWICE;
	/* Release: what was done with the block is before its next life. Now it is free. */
	uint64_t before = atomic_fetch_or_explicit(remote, bit, memory_order_seq_cst);
	if ((before & bit) != 0)
		return MDG_FREED_TWICE;
	if ((atomic_load_explicit(hints, memory_order_seq_cst) & hint) == 0)
		atomic_fetch_or_explicit(hints, hint, memory_order_seq_cst);
	uint64_t valid = mdg__class_word(&mdg__heap_classes[block->class], at);
	/* Others' bits may have gone from `remote` to `free` since: whoever has moved them stored
	 * them there first. And the slab may have lost its owner since the caller looked. */
	free = atomic_load_explicit(&mdg__free_words(heap, block->unit)[at], memory_order_acquire);
	if (__builtin_expect(((free | before | bit) & valid) == valid, 0) && slot1 != 0 &&
	    MDG__HEAD_OWNER(
		    atomic_load_explicit(&heap->heads[block->unit], memory_order_seq_cst)) == 0)
		mdg__slab_give_orphan(heap, block->unit, block->class, slot1);
	return 0;
}
