/* SPDX-License-Identifier: MIT */
/*
 * readers.c - how somebody knows that read sections have ended.
 *
 * The head has an EPOCH, a number that grows. A thread that begins a read section stores the epoch
 * in its slot, and stores 0 when the section ends. Somebody takes blocks out of their places,
 * counts the epoch up from E to E + 1, and looks at all slots. A reader that may have seen the
 * blocks has a number of E or less there. When there is no such number any more, the blocks may be
 * freed.
 *
 * Two things have to be true for that:
 *   1. A reader with a number above E cannot see the blocks. Counting up is a release, and reading
 *      the epoch is an acquire. So it finds the places as they were when E was left, or later.
 *   2. A reader whose number was not seen cannot see the blocks either. The reader stores its
 *      number and then reads the places; the other one changes the places and then reads the
 *      numbers. Each side needs a fence in between, or both may overlook each other. But the reader
 *      passes none: the other side, which has time, makes all processors pass one (membarrier(2)).
 *      It passes a reader either after that has stored its number, which is seen then, or before it
 *      has read any place, and then it finds them changed.
 *
 * Where a process has no membarrier, its readers fence by themselves. And if such a process is to
 * look at the numbers, it cannot make the others pass a fence. So it asks them in the head to fence
 * by themselves, and believes the numbers after FENCES_NS. By then every thread that began a
 * section before it saw that has been interrupted by the kernel, or has long stored its number.
 *
 * A slot whose thread is dead counts for nothing. A stopped reader holds up what was retired since.
 */
#include "heap/internal.h"

#include "platform/clock.h"
#include "platform/fence.h"
#include "platform/processors.h"

#define FENCES_NS UINT64_C(1000000000)

/* Asks all readers to fence by themselves. True: all of them do by now. */
static bool ask_for_fences(struct mdg__heap_head *head)
{
	uint64_t now = mdg__monotonic_nanoseconds(), none = 0;
	MDG__STORE(head->fences, 1);
	(void)atomic_compare_exchange_strong(&head->fences_since, &none, now);
	/* The machine may have started anew since then, or somebody has scribbled there. */
	if (none > now)
		MDG__STORE(head->fences_since, now);
	return none != 0 && none <= now && now - none > FENCES_NS;
}

/* The number of this slot's reader; UINT64_MAX: nobody reads there. */
static uint64_t number_of(const struct mdg__heap_slot *slot)
{
	uint32_t word = MDG__LOAD(slot->life.word);
	/* Acquire: pairs with the release at the end of a section. */
	uint64_t number = atomic_load_explicit(&slot->epoch, memory_order_acquire);
	bool reads = word != 0 && (word & MDG__DIED) == 0 && number != 0;
	return reads ? number : UINT64_MAX;
}

uint64_t mdg__readers_turn(struct mdg__heap *heap)
{
	/* Release: 1 above. */
	return atomic_fetch_add_explicit(&heap->head->epoch, 1, memory_order_acq_rel);
}

uint64_t mdg__readers_oldest(struct mdg__heap *heap)
{
	uint64_t oldest = UINT64_MAX;
	mdg__fence(memory_order_seq_cst);
	if (mdg__sys_fence_all() < 0 && !ask_for_fences(heap->head))
		return 0;
	/* Behind the fence, as the numbers: a reader may have made the table longer. */
	uint32_t used = mdg__heap_slots_used(heap);
	for (uint32_t at = 0; at < used; at++) {
		uint64_t number = number_of(&heap->slot[at]);
		oldest = number < oldest ? number : oldest;
	}
	return oldest;
}

bool mdg__readers_hold_up(const struct mdg__heap *heap, const struct mdg__heap_slot *dead)
{
	uint32_t used = mdg__heap_slots_used(heap);
	uint64_t left = MDG__LOAD(dead->left);
	for (uint32_t at = 0; left != 0 && at < used; at++)
		if (number_of(&heap->slot[at]) <= left)
			return true;
	return false;
}

bool mdg__readers_passed(struct mdg__heap *heap, struct mdg__heap_slot *dead)
{
	uint64_t left = MDG__LOAD(dead->left);
	if (left == 0) {
		left = mdg__readers_turn(heap);
		MDG__STORE(dead->left, left);
	}
	return mdg__readers_oldest(heap) > left;
}
