/* SPDX-License-Identifier: MIT */
/*
 * slots.c - the slots of threads.
 *
 * A thread that uses a heap has a slot there as long as it lives. The word of the slot contains the
 * thread's id, and is in the thread's robust list (sync/held.h). So the kernel marks the slot when
 * the thread ends, however it ends. Who comes across the mark sweeps the slot (sweep.c).
 *
 * The table grows by a page at a time, under the heap's lock.
 */
#include "heap/internal.h"

#include "platform/identity.h"
#include "platform/unmapping.h"
#include "segment/sign.h"
#include "sync/owned.h"

uint32_t mdg__heap_slots_used(const struct mdg__heap *heap)
{
	/* Acquire: pairs with the release in grow. */
	uint32_t used = atomic_load_explicit(&heap->head->slots_high, memory_order_acquire);
	return used < heap->slots ? used : heap->slots;
}

bool mdg__heap_slot_lives(const struct mdg__heap *heap, uint32_t slot1, uint32_t generation)
{
	if (slot1 == 0 || slot1 > mdg__heap_slots_used(heap))
		return false;
	const struct mdg__heap_slot *slot = &heap->slot[slot1 - 1];
	return (MDG__LOAD(slot->life.word) & MDG__TID) != 0 &&
	       MDG__LOAD(slot->generation) == generation;
}

/* More slots, unless another thread has made some. 0; -EUSERS: there are no more. */
static int grow(struct mdg__heap *heap, uint32_t used)
{
	enum { SLOTS_AT_ONCE = 8 };
	const uint64_t size = sizeof(struct mdg__heap_slot);
	mdg__sigmask mask;
	if (used >= heap->slots)
		return -EUSERS;
	int rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	if (mdg__heap_slots_used(heap) == used) {
		uint32_t to =
			used + SLOTS_AT_ONCE < heap->slots ? used + SLOTS_AT_ONCE : heap->slots;
		rc = mdg__heap_promise(heap, heap->parts.slots + used * size, (to - used) * size);
		if (rc == 0) /* Release: pairs with the acquire in mdg__heap_slots_used. */
			atomic_store_explicit(&heap->head->slots_high, to, memory_order_release);
	}
	mdg__heap_unlock(heap, &mask);
	return rc;
}

/* Says who has the slot, for people who look. A process without a signature has none here. */
static void describe(struct mdg__heap *heap, struct mdg__heap_slot *slot)
{
	struct mdg__signature me = { 0, 0 };
	(void)mdg__sign(heap->ns, &me);
	MDG__STORE(slot->pid, mdg__pid());
	MDG__STORE(slot->signature, (uint64_t)me.generation << 32 | me.slot1);
}

int mdg__heap_slot_take(struct mdg__heap *heap, uint32_t *ret_slot1)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	/* The slot stays in the list of robust locks. That is not possible in a handler that has
	 * interrupted a change of the list (sync/held.h). */
	if (mdg__held_is_changing(thread))
		return -EBUSY;
	if (thread->count >= MDG__HELD_MAX - 2) /* what it does next needs the heap's lock */
		return -ENOLCK;
	for (uint32_t at = 0;; at++) {
		uint32_t used = mdg__heap_slots_used(heap);
		if (at >= used) {
			int rc = grow(heap, used);
			if (rc < 0)
				return rc;
		}
		struct mdg__heap_slot *slot = &heap->slot[at];
		if (MDG__LOAD(slot->life.word) != 0 || !mdg__robust_take_free(thread, &slot->life))
			continue;
		describe(heap, slot);
		*ret_slot1 = at + 1;
		return 0;
	}
}

void mdg__heap_slot_leave(struct mdg__heap *heap, uint32_t slot1)
{
	mdg__unmapping_let_go((uintptr_t)&heap->slot[slot1 - 1], sizeof(struct mdg__heap_slot));
}
