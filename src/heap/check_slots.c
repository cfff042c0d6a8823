/* SPDX-License-Identifier: MIT */
/*
 * check_slots.c - the slots of threads and their hands.
 *
 * A slot that is free has nothing. Who mends one takes it first, as a thread that needs one does.
 * So nobody else has it meanwhile.
 */
#include "heap/check.h"

#include "platform/fence.h"
#include "sync/owned.h"

static struct mdg__spot slot_spot(uint32_t index)
{
	return (struct mdg__spot){ "slot", index };
}

static bool has_rests(const struct mdg__heap_slot *slot)
{
	for (uint32_t i = 0; i < MDG__HANDS; i++)
		if (MDG__HAND_OP(MDG__LOAD(slot->hands[i].op)) != MDG__HAND_NONE)
			return true;
	return MDG__LOAD(slot->epoch) != 0 || MDG__LOAD(slot->retired) != 0;
}

/* `word`: the slot's generation. */
static bool is_free_with_rests(const struct mdg__doubt *doubt)
{
	const struct mdg__heap_slot *slot = &doubt->check->heap->slot[doubt->index];
	if (atomic_load_explicit(&slot->life.word, memory_order_seq_cst) != 0 || !has_rests(slot))
		return false;
	mdg__fence(memory_order_seq_cst);
	return MDG__LOAD(slot->life.word) == 0 && MDG__LOAD(slot->generation) == doubt->word;
}

/* Takes the slot, empties it, and gives it back. */
static bool mend_free(struct mdg__heap_slot *slot)
{
	struct mdg__thread *thread = mdg__thread();
	mdg__sigmask mask;
	bool mended = false;
	mdg__signals_block(&mask);
	if (thread != NULL && thread->count < MDG__HELD_MAX - 1 &&
	    mdg__robust_take_free(thread, &slot->life)) {
		for (uint32_t i = 0; i < MDG__HANDS; i++)
			mdg__hand_set(&slot->hands[i], MDG__HAND_NONE);
		MDG__STORE(slot->epoch, 0);
		MDG__STORE(slot->retired, 0);
		MDG__STORE(slot->oldest, 0);
		MDG__STORE(slot->count, 0);
		MDG__STORE(slot->left, 0);
		atomic_store_explicit(&slot->generation, MDG__LOAD(slot->generation) + 1,
		                      memory_order_release);
		mdg__robust_give(thread, &slot->life, mdg__held_find(thread, &slot->life.word), 1);
		mended = true;
	}
	mdg__signals_restore(&mask);
	return mended;
}

static void check_free(struct mdg__heap_check *check, uint32_t index)
{
	struct mdg__heap_slot *slot = &check->heap->slot[index];
	struct mdg__doubt doubt = { check, 0, MDG__LOAD(slot->generation), index };
	if (!is_free_with_rests(&doubt) || !mdg__is_still_wrong(&doubt, is_free_with_rests))
		return;
	bool mended = check->repair && mend_free(slot);
	mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, mended, slot_spot(index),
	           "is free, and a block is in its hands, or a read section is open");
}

/* A hand with an operation that does not exist, or with a block outside of the heap. */
static bool is_no_hand(const struct mdg__doubt *doubt)
{
	const struct mdg__heap *heap = doubt->check->heap;
	const struct mdg__hand *hand = &heap->slot[doubt->index].hands[doubt->unit];
	uint64_t op = atomic_load_explicit(&hand->op, memory_order_acquire);
	if (op != doubt->word || MDG__HAND_OP(op) == MDG__HAND_NONE)
		return false;
	bool wrong = MDG__HAND_OP(op) > MDG__HAND_LAST || MDG__LOAD(hand->ref) >= heap->parts.end ||
	             MDG__LOAD(hand->place) >= heap->parts.end;
	mdg__fence(memory_order_acquire);
	return wrong && MDG__LOAD(hand->op) == op && MDG__LOAD(heap->slot[doubt->index].life.word);
}

static void check_hands(struct mdg__heap_check *check, uint32_t index)
{
	for (uint32_t i = 0; i < MDG__HANDS && !check->stopped; i++) {
		uint64_t op = MDG__LOAD(check->heap->slot[index].hands[i].op);
		struct mdg__doubt doubt = { check, i, op, index };
		if (is_no_hand(&doubt) && mdg__is_still_wrong(&doubt, is_no_hand))
			mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, false, slot_spot(index),
			           "what its thread holds makes no sense");
	}
}

/* A sweeper may be at it. Of a slot that is swept, nothing is found any more. */
static void check_dead(struct mdg__heap_check *check, uint32_t index)
{
	struct mdg__heap_slot *slot = &check->heap->slot[index];
	uint32_t generation = MDG__LOAD(slot->generation);
	bool mended = false;
	if (!mdg__life_is_dead(MDG__LOAD(slot->life.word)))
		return;
	if (check->repair) {
		(void)mdg_heap_sweep(&check->heap->view);
		mended = MDG__LOAD(slot->generation) != generation;
	}
	mdg__found(check, MDG_HEAP_FOUND_DEAD, 0, mended, slot_spot(index),
	           "its thread has died, and what it had is not given back");
}

void mdg__check_slots(struct mdg__heap_check *check)
{
	uint32_t used = mdg__heap_slots_used(check->heap);
	for (uint32_t i = 0; i < used && !check->stopped; i++) {
		check_dead(check, i);
		check_free(check, i);
		check_hands(check, i);
	}
}
