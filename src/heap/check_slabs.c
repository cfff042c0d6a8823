/* SPDX-License-Identifier: MIT */
/*
 * check_slabs.c - the owners of slabs and spans, bitmaps, and labels that say `held`.
 *
 * None of these is guarded by the lock. So each doubt is looked at again. What is mended is mended
 * by one atomic operation, which fails if somebody has changed it meanwhile.
 *
 * Two things are mended without a word, since a thread that is killed may leave them and they only
 * cost room: a slab without an owner that nobody would look for, and a block that others have freed
 * in a word of the bitmap of which no hint tells the owner.
 */
#include "heap/check.h"

#include "platform/fence.h"

static struct mdg__spot unit_spot(uint64_t unit)
{
	return (struct mdg__spot){ "unit", unit };
}

static bool is_taken(const struct mdg__heap *heap, uint32_t slot1)
{
	return slot1 <= mdg__heap_slots_used(heap) &&
	       MDG__LOAD(heap->slot[slot1 - 1].life.word) != 0;
}

/* ---- owners --------------------------------------------------------------------------------- */

/* Who makes a slot free has left all its slabs before. */
static bool is_nobodys(const struct mdg__doubt *doubt)
{
	const struct mdg__heap *heap = doubt->check->heap;
	uint32_t slot1 = MDG__HEAD_OWNER(doubt->word);
	bool owned = slot1 != 0 || MDG__HEAD_STATE(doubt->word) == MDG__UNIT_KEPT;
	return owned && (slot1 == 0 || !is_taken(heap, slot1)) &&
	       atomic_load_explicit(&heap->heads[doubt->unit], memory_order_acquire) == doubt->word;
}

static void check_owner(struct mdg__heap_check *check, const struct mdg__thing *thing)
{
	struct mdg__heap *heap = check->heap;
	struct mdg__doubt doubt = { check, thing->unit, thing->head, 0 };
	if (!is_nobodys(&doubt) || !mdg__is_still_wrong(&doubt, is_nobodys))
		return;
	bool slab = thing->state == MDG__UNIT_SLAB, mended = false;
	if (check->repair && thing->state == MDG__UNIT_KEPT) {
		mended = mdg__units_give(heap, thing->unit, thing->head) == 0;
	} else if (check->repair) {
		uint64_t head = thing->head, now = head & ~(UINT64_C(0xffff) << 16);
		if (slab) {
			mdg__slab_abandon(heap, thing->unit, head);
			mended = MDG__LOAD(heap->heads[thing->unit]) != head;
		} else {
			mended = atomic_compare_exchange_strong(&heap->heads[thing->unit], &head,
			                                        now);
		}
	}
	mdg__found(check, MDG_HEAP_FOUND_TABLE, mdg__ref_of_unit(heap, thing->unit), mended,
	           unit_spot(thing->unit),
	           slab ? "the owner of the slab does not exist"
	                : "the holder of the span does not exist");
}

/* ---- bitmaps -------------------------------------------------------------------------------- */

/* Bits for blocks that the slab does not have. They would be in the last word. */
static bool is_beyond(const struct mdg__doubt *doubt)
{
	const struct mdg__heap *heap = doubt->check->heap;
	const struct mdg__size_class *about = &mdg__heap_classes[MDG__HEAD_CLASS(doubt->word)];
	uint32_t last = about->words - 1;
	uint64_t bits = MDG__LOAD(mdg__free_words(heap, doubt->unit)[last]) |
	                MDG__LOAD(mdg__remote_words(heap, doubt->unit)[last]);
	mdg__fence(memory_order_acquire);
	return (bits & ~mdg__class_word(about, last)) != 0 &&
	       MDG__HEAD_STATE(MDG__LOAD(heap->heads[doubt->unit])) == MDG__UNIT_SLAB &&
	       MDG__HEAD_CLASS(MDG__LOAD(heap->heads[doubt->unit])) == MDG__HEAD_CLASS(doubt->word);
}

static void check_bitmaps(struct mdg__heap_check *check, const struct mdg__thing *thing)
{
	struct mdg__heap *heap = check->heap;
	const struct mdg__size_class *about = &mdg__heap_classes[thing->class];
	struct mdg__doubt doubt = { check, thing->unit, thing->head, 0 };
	uint32_t last = about->words - 1;
	uint64_t valid = mdg__class_word(about, last);
	if (!is_beyond(&doubt) || !mdg__is_still_wrong(&doubt, is_beyond))
		return;
	if (check->repair) {
		atomic_fetch_and(&mdg__free_words(heap, thing->unit)[last], valid);
		atomic_fetch_and(&mdg__remote_words(heap, thing->unit)[last], valid);
	}
	mdg__found(check, MDG_HEAP_FOUND_TABLE, mdg__ref_of_unit(heap, thing->unit), check->repair,
	           unit_spot(thing->unit), "a bitmap says that blocks are free which do not exist");
}

static void mend_hints(struct mdg__heap *heap, const struct mdg__thing *thing)
{
	uint64_t hints = 0;
	for (uint32_t i = 0; i < mdg__heap_classes[thing->class].words; i++)
		if (MDG__LOAD(mdg__remote_words(heap, thing->unit)[i]) != 0)
			hints |= UINT64_C(1) << i;
	if ((hints & ~MDG__LOAD(heap->hints[thing->unit])) != 0)
		atomic_fetch_or(&heap->hints[thing->unit], hints);
	if (MDG__HEAD_OWNER(thing->head) == 0 &&
	    !mdg__bit_is_set(heap, MDG__BITS_ABANDONED, thing->unit)) {
		mdg__bit_set(heap, MDG__BITS_ABANDONED, thing->unit);
		atomic_fetch_add(&heap->head->abandoned, 1);
	}
}

/* ---- labels --------------------------------------------------------------------------------- */

/* Whether the slot that the label names is taken, in the same generation. */
static bool names_slot(const struct mdg__heap *heap, uint64_t label)
{
	uint32_t slot1 = MDG__LABEL_SLOT1(label);
	return slot1 != 0 && is_taken(heap, slot1) &&
	       (MDG__LOAD(heap->slot[slot1 - 1].generation) & 0xffu) ==
	               MDG__LABEL_GENERATION(label);
}

/* Whether the label is still the same. If others have freed the block, the owner of the slab clears
 * the label when it gets the block back. */
static bool is_unchanged(const struct mdg__doubt *doubt)
{
	const struct mdg__heap *heap = doubt->check->heap;
	uint32_t index = doubt->index;
	uint64_t remote = atomic_load_explicit(&mdg__remote_words(heap, doubt->unit)[index / 64],
	                                       memory_order_seq_cst);
	uint64_t label = atomic_load_explicit(
		&heap->labels[doubt->unit * MDG__LABELS_OF_UNIT + index], memory_order_seq_cst);
	return (remote >> (index % 64) & 1) == 0 && label == doubt->word &&
	       mdg__is_labelled(heap, doubt->unit);
}

/* Whether a hand of the thread that the label names says that it has the block. A hand says so
 * before the label does, and until the label does not any more. */
static bool is_in_a_hand(const struct mdg__doubt *doubt)
{
	const struct mdg__heap *heap = doubt->check->heap;
	const struct mdg__heap_slot *slot = &heap->slot[MDG__LABEL_SLOT1(doubt->word) - 1];
	uint32_t class = MDG__HEAD_CLASS(MDG__LOAD(heap->heads[doubt->unit]));
	uint64_t ref = mdg__ref_of_unit(heap, doubt->unit) +
	               (uint64_t)doubt->index * mdg__heap_classes[class].size;
	for (uint32_t i = 0; i < MDG__HANDS; i++)
		if (MDG__HAND_OP(MDG__LOAD(slot->hands[i].op)) != MDG__HAND_NONE &&
		    (MDG__LOAD(slot->hands[i].ref) == ref || MDG__LOAD(slot->hands[i].old) == ref))
			return true;
	mdg__fence(memory_order_seq_cst);
	return false;
}

static bool label_is_wrong(const struct mdg__doubt *doubt)
{
	bool held = names_slot(doubt->check->heap, doubt->word) && is_in_a_hand(doubt);
	return !held && is_unchanged(doubt);
}

static void check_label(struct mdg__heap_check *check, const struct mdg__thing *thing,
                        uint32_t index)
{
	struct mdg__heap *heap = check->heap;
	_Atomic uint64_t *place = &heap->labels[thing->unit * MDG__LABELS_OF_UNIT + index];
	uint64_t label = atomic_load_explicit(place, memory_order_acquire);
	struct mdg__doubt doubt = { check, thing->unit, label, index };
	if ((label & MDG__LABEL_HELD) == 0 || !label_is_wrong(&doubt) ||
	    !mdg__is_still_wrong(&doubt, label_is_wrong))
		return;
	bool labels = (heap->flags & MDG_HEAP_LABELS) != 0, mended = false;
	if (check->repair)
		mended = atomic_compare_exchange_strong(place, &label,
		                                        labels ? label & ~MDG__LABEL_HELD : 0);
	mdg__found(check, MDG_HEAP_FOUND_TABLE,
	           mdg__ref_of_unit(heap, thing->unit) +
	                   (uint64_t)index * mdg__heap_classes[thing->class].size,
	           mended, unit_spot(thing->unit),
	           "a block is held by nobody, and says it is held");
}

static void check_labels(struct mdg__heap_check *check, const struct mdg__thing *thing)
{
	struct mdg__heap *heap = check->heap;
	uint32_t blocks = mdg__heap_classes[thing->class].blocks;
	if (!mdg__is_labelled(heap, thing->unit) ||
	    mdg__heap_promise_read(heap, heap->parts.labels + thing->unit * MDG__LABELS_OF_UNIT * 8,
	                           (uint64_t)blocks * 8) < 0)
		return;
	for (uint32_t i = 0; i < blocks && !check->stopped; i++)
		check_label(check, thing, i);
}

void mdg__check_slabs(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	uint64_t high = mdg__units_high(heap);
	struct mdg__thing thing;
	for (uint64_t at = 0; at < high && !check->stopped; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		if (!thing.valid)
			continue;
		check_owner(check, &thing);
		if (thing.state != MDG__UNIT_SLAB)
			continue;
		check_bitmaps(check, &thing);
		check_labels(check, &thing);
		if (check->repair)
			mend_hints(heap, &thing);
	}
}
