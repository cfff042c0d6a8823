/* SPDX-License-Identifier: MIT */
/*
 * guard.c - the guard words and the fill of a checked heap. See guard.h.
 *
 * What is read here may be written to by others at the same time. So it is read by atomic loads of
 * a machine word each.
 */
#include "heap/guard.h"

/* ---- the word -------------------------------------------------------------------------------- */

/* size | state << 44 | check << 47 */
enum { STATE_SHIFT = 44, CHECK_SHIFT = 47 };
#define SIZE_MASK ((UINT64_C(1) << STATE_SHIFT) - 1)
#define FRESH     UINT64_C(0xa5a5a5a5a5a5a5a5)

static uint64_t with_check(uint64_t payload, uint64_t ref)
{
	uint64_t mixed = payload ^ ref * UINT64_C(0x9e3779b97f4a7c15);
	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return payload | (mixed ^ mixed >> 32) << CHECK_SHIFT;
}

static uint64_t encode(uint64_t ref, enum mdg__guard_state state, uint64_t size)
{
	return with_check(size | (uint64_t)state << STATE_SHIFT, ref);
}

static _Atomic uint64_t *word_at(const struct mdg__heap *heap, uint64_t ref, uint64_t room)
{
	return (_Atomic uint64_t *)(void *)(heap->view.base + (size_t)(ref + room - 8));
}

struct mdg__guard mdg__guard_read(const struct mdg__heap *heap, uint64_t ref, uint64_t room)
{
	struct mdg__guard guard = { .state = MDG__GUARD_NONE };
	/* Acquire: pairs with the release of who has written it. */
	guard.word = atomic_load_explicit(word_at(heap, ref, room), memory_order_acquire);
	uint64_t size = guard.word & SIZE_MASK;
	uint32_t state = (uint32_t)(guard.word >> STATE_SHIFT) & 7;
	if (guard.word == FRESH) {
		guard.state = MDG__GUARD_FRESH;
	} else if (state != 0 && state < MDG__GUARD_FRESH && size <= room - MDG__GUARD_BYTES &&
	           guard.word == encode(ref, (enum mdg__guard_state)state, size)) {
		guard.state = (enum mdg__guard_state)state;
		guard.size = size;
	}
	return guard;
}

void mdg__guard_write(struct mdg__heap *heap, uint64_t ref, uint64_t room,
                      enum mdg__guard_state state, uint64_t size)
{
	/* Release: behind the fill. */
	atomic_store_explicit(word_at(heap, ref, room), encode(ref, state, size),
	                      memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

bool mdg__guard_change(struct mdg__heap *heap, uint64_t ref, uint64_t room,
                       const struct mdg__guard *from, enum mdg__guard_state state, uint64_t size)
{
	uint64_t before = from->word;
	return atomic_compare_exchange_strong_explicit(word_at(heap, ref, room), &before,
	                                               encode(ref, state, size),
	                                               memory_order_acq_rel, memory_order_relaxed);
}

/* ---- fill ------------------------------------------------------------------------------------ */

/* mdg_heap_check looks at blocks that somebody may be filling or using, and then looks again
 * whether they still are what they were. ThreadSanitizer does not know that, so it does not see the
 * look. */
__attribute__((no_sanitize("thread"))) uint64_t
mdg__fill_broken(const struct mdg__heap *heap, uint64_t ref, uint64_t from, uint64_t to)
{
	const unsigned char *block = heap->view.base + (size_t)ref;
	const uintptr_t whole = (uintptr_t)FRESH;
	while (from < to) {
		if (from % sizeof whole == 0 && to - from >= sizeof whole &&
		    MDG__LOAD(*(const _Atomic uintptr_t *)(const void *)(block + from)) == whole) {
			from += sizeof whole;
			continue;
		}
		if (MDG__LOAD(*(const _Atomic unsigned char *)(block + from)) != MDG__FILL)
			return from;
		from++;
	}
	return to;
}

void mdg__fill(struct mdg__heap *heap, uint64_t ref, uint64_t from, uint64_t to)
{
	memset(heap->view.base + (size_t)(ref + from), MDG__FILL, (size_t)(to - from));
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- blocks that are allocated --------------------------------------------------------------- */

/* No call makes a block in units without memory. But somebody may have scribbled in `heads`. */
bool mdg__guard_is_there(struct mdg__heap *heap, const struct mdg__block *block)
{
	uint64_t units = (block->size + MDG__UNIT_BYTES - 1) >> MDG__UNIT_SHIFT;
	uint64_t high = mdg__units_high(heap);
	if (MDG__HEAD_STATE(block->head) == MDG__UNIT_SLAB)
		units = mdg__heap_classes[block->class].units;
	return block->unit < high && units <= high - block->unit &&
	       mdg__bit_is_set(heap, MDG__BITS_COMMITTED, block->unit) &&
	       mdg__bit_is_set(heap, MDG__BITS_COMMITTED, block->unit + units - 1);
}

uint64_t mdg__usable(struct mdg__heap *heap, const struct mdg__block *block)
{
	if (!mdg__is_checked(heap))
		return block->size;
	if (!mdg__guard_is_there(heap, block))
		return 0;
	struct mdg__guard guard =
		mdg__guard_read(heap, mdg__ref_of_block(heap, block), block->size);
	return guard.state == MDG__GUARD_LIVE ? guard.size : 0;
}

static bool is_overrun(const struct mdg__heap *heap, uint64_t ref, uint64_t room,
                       const struct mdg__guard *guard)
{
	return mdg__fill_broken(heap, ref, guard->size, room - 8) != room - 8;
}

int mdg__guard_judge(struct mdg__heap *heap, uint64_t ref)
{
	struct mdg__block block;
	if (!mdg__is_checked(heap) || mdg__block_find(heap, ref, &block) < 0 ||
	    !mdg__guard_is_there(heap, &block))
		return 0;
	struct mdg__guard guard = mdg__guard_read(heap, ref, block.size);
	if (guard.state == MDG__GUARD_LIVE)
		return is_overrun(heap, ref, block.size, &guard) ? MDG_OVERRUN : 0;
	return guard.state == MDG__GUARD_FREED ? 0 : MDG_OVERRUN;
}

/* Who was killed while it freed the block has left it filled in part. */
static int begin_free(struct mdg__heap *heap, const struct mdg__block *block, uint64_t ref)
{
	uint64_t room = block->size, size = room - MDG__GUARD_BYTES;
	struct mdg__guard guard = mdg__guard_read(heap, ref, room);
	switch (guard.state) {
	case MDG__GUARD_LIVE:
		if (is_overrun(heap, ref, room, &guard)) {
			mdg__guard_write(heap, ref, room, MDG__GUARD_OVERRUN, guard.size);
			return MDG_OVERRUN;
		}
		mdg__guard_write(heap, ref, room, MDG__GUARD_FREED, guard.size);
		break;
	case MDG__GUARD_FREED:
		break;
	case MDG__GUARD_WRITTEN:
		return MDG_FREED_TWICE;
	case MDG__GUARD_OVERRUN:
		return MDG_OVERRUN;
	default:
		mdg__guard_write(heap, ref, room, MDG__GUARD_OVERRUN, size);
		return MDG_OVERRUN;
	}
	if (room <= (uint64_t)MDG__FILLED_UNITS << MDG__UNIT_SHIFT)
		mdg__fill(heap, ref, 0, guard.size);
	return 0;
}

int mdg__guard_free(struct mdg__heap *heap, const struct mdg__block *block)
{
	if (!mdg__is_checked(heap))
		return 0;
	if (mdg__block_is_free(heap, block))
		return MDG_FREED_TWICE;
	return mdg__guard_is_there(heap, block)
	               ? begin_free(heap, block, mdg__ref_of_block(heap, block))
	               : 0;
}

void mdg__guard_resize(struct mdg__heap *heap, const struct mdg__block *block, uint64_t size)
{
	uint64_t ref = mdg__ref_of_block(heap, block), before = mdg__usable(heap, block);
	if (size < before)
		mdg__fill(heap, ref, size, before);
	mdg__guard_write(heap, ref, block->size, MDG__GUARD_LIVE, size);
}
