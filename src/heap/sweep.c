/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - what dead threads leave: what was in their hands (bury.c), their slabs, their slots.
 *
 * Who sweeps takes the dead thread's slot as its own, in its robust list. If it dies too, the slot
 * is marked as dead again, and the next one goes on. Each step may be done twice.
 */
#include "heap/guard.h"
#include "heap/held.h"

#include "platform/fence.h"
#include "sync/owned.h"

/* Takes the slot of a dead thread. Signals are blocked: a handler may need a slot of its own, which
 * stays in the list of robust locks. */
static bool slot_seize(struct mdg__thread *thread, struct mdg__heap_slot *slot, uint32_t seen)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	uintptr_t before = mdg__pending_begin(thread, &slot->life.word);
	/* Acquire: what the dead thread has written is before this. */
	bool taken = atomic_compare_exchange_strong_explicit(
		&slot->life.word, &seen, thread->tid, memory_order_acq_rel, memory_order_relaxed);
	if (taken)
		mdg__held_enter(thread, &slot->life.word);
	mdg__pending_end(thread, before);
	mdg__signals_restore(&mask);
	return taken;
}

static void slab_leave(struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	uint32_t class = MDG__HEAD_CLASS(head);
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	if (about->blocks == 0 || heap->capacity - unit < about->units)
		return;
	mdg__slab_leave(heap, unit, class, head);
}

/* Its slabs, and the spans that it kept (spans.c). */
static void units_leave(struct mdg__heap *heap, uint32_t slot1)
{
	uint64_t high = mdg__units_high(heap);
	for (uint64_t unit = 0; unit < high; unit++) {
		uint64_t head = atomic_load_explicit(&heap->heads[unit], memory_order_acquire);
		if (MDG__HEAD_OWNER(head) != slot1)
			continue;
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB)
			slab_leave(heap, unit, head);
		else if (MDG__HEAD_STATE(head) == MDG__UNIT_KEPT &&
		         mdg__kept_is_whole(heap, unit, head))
			(void)mdg__units_give(heap, unit, head);
	}
}

/* Leaves the slot free; or as that of a dead thread: there is more to do, at another time. */
static void slot_leave(struct mdg__thread *thread, struct mdg__heap_slot *slot, bool free)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	int at = mdg__held_find(thread, &slot->life.word);
	if (free) {
		mdg__robust_give(thread, &slot->life, at, 1);
	} else {
		uintptr_t before = mdg__pending_begin(thread, &slot->life.word);
		mdg__held_leave(thread, at);
		atomic_store_explicit(&slot->life.word, MDG__DIED, memory_order_release);
		mdg__pending_end(thread, before);
	}
	mdg__signals_restore(&mask);
}

bool mdg__sweep_is_possible(void)
{
	const struct mdg__thread *thread = mdg__thread();
	return thread != NULL && thread->count < MDG__HELD_MAX - 1;
}

static bool sweep(struct mdg__heap *heap, uint32_t index, uint32_t seen)
{
	struct mdg__thread *thread = mdg__thread();
	struct mdg__heap_slot *slot = &heap->slot[index];
	if (!mdg__sweep_is_possible() || !slot_seize(thread, slot, seen))
		return false;
	/* It reads nothing any more, though its word is not that of a dead thread now. */
	atomic_store_explicit(&slot->epoch, 0, memory_order_release);
	bool all = mdg__sweep_hands(heap, index, false);
	units_leave(heap, index + 1);
	if (!all || MDG__LOAD(slot->retired) != 0)
		all = mdg__readers_passed(heap, slot) && mdg__sweep_hands(heap, index, true) &&
		      mdg__sweep_retired(heap, slot);
	if (!all) {
		slot_leave(thread, slot, false);
		return false;
	}
	MDG__STORE(slot->left, 0);
	MDG__STORE(slot->retired, 0);
	MDG__STORE(slot->oldest, 0);
	MDG__STORE(slot->count, 0);
	/* Release: no place has a mark of the old one any more (mdg__place_is_nonsense). */
	atomic_store_explicit(&slot->generation, MDG__LOAD(slot->generation) + 1,
	                      memory_order_release);
	slot_leave(thread, slot, true);
	return true;
}

/* Sweeps the slot if its thread is dead, and nobody is sweeping it. True: it is free now. */
static bool sweep_dead(struct mdg__heap *heap, uint32_t index)
{
	uint32_t word = MDG__LOAD(heap->slot[index].life.word);
	return (word & MDG__DIED) != 0 && (word & MDG__TID) == 0 &&
	       !mdg__readers_hold_up(heap, &heap->slot[index]) && sweep(heap, index, word);
}

int mdg__sweep_some(struct mdg__heap *heap, uint32_t most)
{
	uint32_t used = mdg__heap_slots_used(heap);
	int swept = 0;
	if (used == 0)
		return 0;
	if (most > used)
		most = used;
	uint64_t from =
		atomic_fetch_add_explicit(&heap->head->next_look, most, memory_order_relaxed);
	for (uint32_t i = 0; i < most; i++)
		swept += sweep_dead(heap, (uint32_t)((from + i) % used));
	return swept;
}

bool mdg__taker_settle(struct mdg__heap *heap, const _Atomic uint64_t *word, uint64_t value,
                       int *rounds)
{
	enum { ROUNDS_MOST = 64 };
	if (!mdg__is_mark(heap, value) || ++*rounds > ROUNDS_MOST)
		return false;
	(void)sweep_dead(heap, MDG__MARK_SLOT1(value) - 1);
	return atomic_load_explicit(word, memory_order_acquire) != value;
}

/* The taker may have ended, and its slot may have another generation, since the word was read. But
 * a place loses its mark before the slot gets another generation. So the word is read again after
 * the generation was. And the mark may be a later one that looks the same. So both are done twice.
 */
bool mdg__place_is_nonsense(const struct mdg__heap *heap, const _Atomic uint64_t *word,
                            uint64_t value)
{
	uint64_t place = (uint64_t)((uintptr_t)word - (uintptr_t)heap->view.base);
	if ((value & 1) == 0 || (value == MDG__PLACE_REMOVED && mdg__is_root(heap, place)))
		return false;
	for (int looks = 0; looks < 2; looks++) {
		if (mdg__is_mark(heap, value))
			return false;
		/* Pairs with the release of the generation. */
		mdg__fence(memory_order_acquire);
		if (atomic_load_explicit(word, memory_order_acquire) != value)
			return false;
	}
	return true;
}
