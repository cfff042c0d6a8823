/* SPDX-License-Identifier: MIT */
/*
 * stat.c - what is in a heap, counted by looking at every bitmap; and who has a slot there.
 *
 * No call keeps a count, because that would cost each of them a store that others see.
 */
#include "heap/look.h"

#include "platform/sized.h"

static void count_things(struct mdg__heap *heap, struct mdg_heap_info *ret)
{
	uint64_t high = mdg__units_high(heap), labels = 0;
	const uint64_t page = mdg__page_size();
	struct mdg__thing thing;
	for (uint64_t at = 0; at < high; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		if (mdg__is_labelled(heap, at)) {
			uint64_t blocks = thing.valid && thing.state == MDG__UNIT_SLAB
			                          ? mdg__heap_classes[thing.class].blocks
			                          : 1;
			labels += (blocks * 8 + page - 1) & ~(page - 1);
		}
		if (!thing.valid)
			continue;
		uint64_t live = mdg__thing_live(heap, &thing), size = mdg__thing_block(&thing);
		ret->blocks += live;
		ret->live += live * size;
		if (mdg__is_span(thing.state)) {
			ret->spans += live;
			ret->span_bytes += live * size;
			continue;
		}
		struct mdg_heap_class *class = &ret->classes[thing.class];
		class->slabs++;
		class->blocks += mdg__heap_classes[thing.class].blocks;
		class->live += live;
	}
	ret->tables += labels;
}

static void count_units(struct mdg__heap *heap, struct mdg_heap_info *ret)
{
	uint64_t high = mdg__units_high(heap), units = 0;
	for (uint64_t at = 0; at < high; at += 64) {
		uint64_t word = MDG__LOAD(heap->bits[MDG__BITS_COMMITTED][at / 64]);
		if (high - at < 64)
			word &= (UINT64_C(1) << (high - at)) - 1;
		units += (uint64_t)__builtin_popcountll(word);
	}
	ret->committed = units << MDG__UNIT_SHIFT;
}

/* Those that have memory, without labels. */
static uint64_t tables_of(struct mdg__heap *heap)
{
	const uint64_t page = mdg__page_size(), high = mdg__units_high(heap);
	const uint64_t slots = mdg__heap_slots_used(heap) * sizeof(struct mdg__heap_slot);
	const uint64_t each[] = {
		mdg__parts_head(&heap->parts),
		slots,
		high * 8,
		high * 8,
		high * MDG__SLAB_WORDS * 8,
		high * MDG__SLAB_WORDS * 8,
	};
	uint64_t sum = 0;
	for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
		sum += (each[i] + page - 1) & ~(page - 1);
	return sum + MDG__BITS_ALL * (((high + 7) / 8 + page - 1) & ~(page - 1));
}

static void count_slots(const struct mdg__heap *heap, struct mdg_heap_info *ret)
{
	uint32_t used = mdg__heap_slots_used(heap);
	for (uint32_t i = 0; i < used; i++) {
		uint32_t word = MDG__LOAD(heap->slot[i].life.word);
		ret->threads += mdg__life_is_living(word);
		ret->dead += mdg__life_is_dead(word);
		if (word != 0)
			ret->retired += MDG__LOAD(heap->slot[i].count);
	}
}

static uint32_t count_roots(const struct mdg__heap *heap)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < MDG_ROOTS_MOST; i++) {
		const struct mdg__heap_root *root = &heap->root[i];
		count += MDG__ROOT_STATE(MDG__LOAD(root->state)) == MDG__ROOT_NAMED &&
		         MDG__LOAD(root->place) != MDG__PLACE_REMOVED;
	}
	return count;
}

int mdg_heap_stat(mdg_heap *view, struct mdg_heap_info *ret_info)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg_heap_info own = { 0 };
	if (!mdg__sized_is_valid(ret_info->size) || mdg__is_closed(heap))
		return mdg__is_closed(heap) ? -EBADF : -EINVAL;
	own.flags = heap->flags & (MDG_HEAP_HOME | MDG_HEAP_LABELS | MDG_HEAP_CHECKED);
	own.maximum = heap->capacity << MDG__UNIT_SHIFT;
	own.limit = MDG__LOAD(heap->head->limit) << MDG__UNIT_SHIFT;
	own.keep = MDG__LOAD(heap->head->keep) << MDG__UNIT_SHIFT;
	own.home = MDG__LOAD(heap->head->home);
	own.threads_max = heap->slots;
	own.tables = tables_of(heap);
	own.roots = count_roots(heap);
	for (uint32_t i = 0; i < MDG_HEAP_CLASSES; i++)
		own.classes[i].block = mdg__heap_classes[i].size;
	count_slots(heap, &own);
	count_units(heap, &own);
	count_things(heap, &own);
	mdg__sized_give(ret_info, &own, sizeof own);
	return 0;
}

/* ---- users --------------------------------------------------------------------------------- */

/* What lies in slabs of this slot. */
static void count_slabs(struct mdg__heap *heap, uint32_t slot1, struct mdg_heap_user_info *ret)
{
	uint64_t high = mdg__units_high(heap);
	struct mdg__thing thing;
	for (uint64_t at = 0; at < high; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		if (!thing.valid || thing.state != MDG__UNIT_SLAB ||
		    MDG__HEAD_OWNER(thing.head) != slot1)
			continue;
		uint64_t live = mdg__thing_live(heap, &thing);
		ret->slabs++;
		ret->blocks += live;
		ret->bytes += live * mdg__thing_block(&thing);
	}
}

static void describe(struct mdg__heap *heap, uint32_t index, uint32_t word,
                     struct mdg_heap_user_info *ret)
{
	const struct mdg__heap_slot *slot = &heap->slot[index];
	ret->pid = MDG__LOAD(slot->pid);
	ret->tid = (int32_t)(word & MDG__TID);
	for (uint32_t i = 0; i < MDG__HANDS; i++)
		ret->held += MDG__HAND_OP(MDG__LOAD(slot->hands[i].op)) != MDG__HAND_NONE;
	ret->reading = mdg__life_is_living(word) && MDG__LOAD(slot->epoch) != 0;
	ret->retired = MDG__LOAD(slot->count);
	count_slabs(heap, index + 1, ret);
}

int mdg_heap_next_user(mdg_heap *view, uint32_t *cursor, struct mdg_heap_user_info *ret_info)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	if (!mdg__sized_is_valid(ret_info->size) || mdg__is_closed(heap))
		return mdg__is_closed(heap) ? -EBADF : -EINVAL;
	uint32_t used = mdg__heap_slots_used(heap);
	while (*cursor < used) {
		struct mdg_heap_user_info own = { 0 };
		uint32_t index = (*cursor)++, word = MDG__LOAD(heap->slot[index].life.word);
		if (word == 0)
			continue;
		describe(heap, index, word, &own);
		mdg__sized_give(ret_info, &own, sizeof own);
		return 1;
	}
	return 0;
}
