/* SPDX-License-Identifier: MIT */
/*
 * pieces.c - memory for units, in pieces of 1 MiB.
 *
 * A small heap gets its first pieces in parts: as much as it has already, and at least what is
 * needed. So it doubles until it has a piece, and a heap with one small block has one unit.
 *
 * All of it runs under the heap's lock. COMMITTED says which units have memory. It is set after
 * they have it, and cleared before they have it no more. So a thread that dies in between has left
 * memory that nobody counts, and no unit that has none and seems to.
 */
#include "heap/units.h"

uint64_t mdg__units_high(struct mdg__heap *heap)
{
	/* Acquire: pairs with the release in mdg__units_raise. */
	uint64_t high = atomic_load_explicit(&heap->head->high, memory_order_acquire);
	high = high < heap->capacity ? high : heap->capacity;
	size_t bytes = (size_t)(high << MDG__UNIT_SHIFT), known = MDG__LOAD(heap->known);
	while (bytes > known &&
	       !atomic_compare_exchange_weak_explicit(&heap->known, &known, bytes,
	                                              memory_order_relaxed, memory_order_relaxed))
		;
	return high;
}

int mdg__units_charge(struct mdg__heap *heap, uint64_t committed)
{
	const uint64_t tables_of_unit = (2 * MDG__SLAB_WORDS + 2) * sizeof(uint64_t);
	uint64_t bytes = mdg__parts_head(&heap->parts) + (committed << MDG__UNIT_SHIFT);
	bytes += mdg__units_high(heap) * tables_of_unit;
	int rc = mdg__segment_charge(heap->ns, heap->id, bytes);
	return rc == -ENOSPC ? -ENOMEM : 0;
}

/* Up to a multiple of `step`, which is a power of two. */
static uint64_t round_up(const struct mdg__heap *heap, uint64_t unit, uint64_t step)
{
	uint64_t up = (unit + step - 1) & ~(step - 1);
	return up < heap->capacity ? up : heap->capacity;
}

int mdg__units_raise(struct mdg__heap *heap, uint64_t high, uint64_t least)
{
	uint64_t to = round_up(heap, least, MDG__PIECE_UNITS);
	if (least <= high)
		return 0;
	int rc = mdg__tables_promise(heap, high, to);
	if (rc < 0)
		return rc;
	mdg__put_bits(heap, MDG__BITS_FREE, high, to, true);
	/* Release: pairs with the acquire in mdg__units_high. */
	atomic_store_explicit(&heap->head->high, to, memory_order_release);
	(void)mdg__units_high(heap);
	return 0;
}

/* The next units from `at` to `end` without memory: where they begin; `end`: there are none.
 * *ret_behind is where they end. */
static uint64_t next_bare(const struct mdg__heap *heap, uint64_t at, uint64_t end,
                          uint64_t *ret_behind)
{
	while (at < end && mdg__bit_is_set(heap, MDG__BITS_COMMITTED, at))
		at++;
	uint64_t behind = at;
	while (behind < end && !mdg__bit_is_set(heap, MDG__BITS_COMMITTED, behind))
		behind++;
	*ret_behind = behind;
	return at;
}

static uint64_t count_bare(const struct mdg__heap *heap, uint64_t at, uint64_t end)
{
	uint64_t count = 0, behind;
	while ((at = next_bare(heap, at, end, &behind)) < end) {
		count += behind - at;
		at = behind;
	}
	return count;
}

/* The units from `at` to `end`, which have none, have memory after this. All are free. */
static int commit_bare(struct mdg__heap *heap, uint64_t at, uint64_t end)
{
	struct mdg__heap_head *head = heap->head;
	uint64_t offset = heap->parts.data + (at << MDG__UNIT_SHIFT);
	uint64_t length = (end - at) << MDG__UNIT_SHIFT;
	int rc = mdg__heap_promise(heap, offset, length);
	if (rc < 0) {
		(void)mdg__heap_return(heap, offset, length); /* a part may have got some */
		return rc;
	}
	MDG__STORE(head->committed, MDG__LOAD(head->committed) + (end - at));
	MDG__STORE(head->free, MDG__LOAD(head->free) + (end - at));
	mdg__put_bits(heap, MDG__BITS_COMMITTED, at, end, true);
	return 0;
}

/* The units from `at` to `end` have memory after this. All that have none are free. */
static int commit_range(struct mdg__heap *heap, uint64_t at, uint64_t end)
{
	struct mdg__heap_head *head = heap->head;
	uint64_t bare = count_bare(heap, at, end), behind;
	uint64_t limit = MDG__LOAD(head->limit), committed = MDG__LOAD(head->committed);
	if (bare == 0)
		return 0;
	if (committed > limit || limit - committed < bare)
		return -EDQUOT;
	int rc = mdg__units_charge(heap, committed + bare);
	if (rc < 0)
		return rc;
	while (rc == 0 && (at = next_bare(heap, at, end, &behind)) < end) {
		rc = commit_bare(heap, at, behind);
		at = behind;
	}
	if (rc < 0)
		(void)mdg__units_charge(heap, MDG__LOAD(head->committed));
	return rc;
}

/* How many units get memory at once: a power of two, at most what the heap has. */
static uint64_t step_of(uint64_t committed)
{
	uint64_t step = 1;
	while (step < MDG__PIECE_UNITS && step * 2 <= committed)
		step *= 2;
	return step;
}

int mdg__units_commit(struct mdg__heap *heap, uint64_t at, uint64_t units)
{
	uint64_t step = step_of(MDG__LOAD(heap->head->committed));
	uint64_t from = at & ~(step - 1), to = round_up(heap, at + units, step);
	if (count_bare(heap, at, at + units) == 0)
		return 0;
	int rc = commit_range(heap, from, to);
	return rc == 0 ? 0 : commit_range(heap, at, at + units);
}

/* ---- giving back --------------------------------------------------------------------------- */

/* A bit for each of the four pieces that begin at a multiple of 64 units: that of the first unit.
 * It is 1 if all bits of the piece are 1 in this word. */
static uint64_t whole_pieces(uint64_t word)
{
	const uint64_t first_of_each = UINT64_C(0x0001000100010001);
	word &= word >> 8;
	word &= word >> 4;
	word &= word >> 2;
	word &= word >> 1;
	return word & first_of_each;
}
_Static_assert(MDG__PIECE_UNITS == 16, "a word of a bitmap has four pieces");

/* The pieces, likewise, of which all units are free and some have memory. */
static uint64_t idle_pieces(const struct mdg__heap *heap, uint64_t at)
{
	uint64_t committed = MDG__LOAD(heap->bits[MDG__BITS_COMMITTED][at / 64]);
	return whole_pieces(MDG__LOAD(heap->bits[MDG__BITS_FREE][at / 64])) &
	       ~whole_pieces(~committed);
}

static bool piece_is_idle(const struct mdg__heap *heap, uint64_t at)
{
	return (idle_pieces(heap, at / 64 * 64) >> (at % 64) & 1) != 0;
}

/* How many units of the piece have memory. */
static uint64_t piece_memory(const struct mdg__heap *heap, uint64_t at)
{
	return MDG__PIECE_UNITS - count_bare(heap, at, at + MDG__PIECE_UNITS);
}

/* [the piece is idle] Gives its memory back. If that does not work, it has it as before. */
static void piece_return(struct mdg__heap *heap, uint64_t at)
{
	struct mdg__heap_head *head = heap->head;
	_Atomic uint64_t *word = &heap->bits[MDG__BITS_COMMITTED][at / 64];
	uint64_t before = MDG__LOAD(*word), units = piece_memory(heap, at);
	mdg__put_bits(heap, MDG__BITS_COMMITTED, at, at + MDG__PIECE_UNITS, false);
	if (mdg__heap_return(heap, heap->parts.data + (at << MDG__UNIT_SHIFT),
	                     MDG__PIECE_UNITS << MDG__UNIT_SHIFT)) {
		MDG__STORE(head->committed, MDG__LOAD(head->committed) - units);
		MDG__STORE(head->free, MDG__LOAD(head->free) - units);
		(void)mdg__units_charge(heap, MDG__LOAD(head->committed));
		return;
	}
	MDG__STORE(*word, before);
}

void mdg__units_trim(struct mdg__heap *heap, uint64_t keep)
{
	uint64_t at = mdg__units_high(heap) / MDG__PIECE_UNITS * MDG__PIECE_UNITS;
	while (at != 0) {
		uint64_t free = MDG__LOAD(heap->head->free);
		if (free <= keep)
			return;
		at -= MDG__PIECE_UNITS;
		if (piece_is_idle(heap, at) && free - keep >= piece_memory(heap, at))
			piece_return(heap, at);
	}
}

void mdg__units_shed(struct mdg__heap *heap, uint64_t from, uint64_t to)
{
	uint64_t keep = MDG__LOAD(heap->head->keep), free = MDG__LOAD(heap->head->free);
	uint64_t high = mdg__units_high(heap), idle = 0;
	from = from / MDG__PIECE_UNITS * MDG__PIECE_UNITS;
	while (from < to && from < high && !piece_is_idle(heap, from))
		from += MDG__PIECE_UNITS;
	if (from >= to || from >= high || free <= keep)
		return;
	for (uint64_t at = 0; at < high; at += 64)
		for (uint64_t bits = idle_pieces(heap, at); bits != 0; bits &= bits - 1) {
			uint64_t piece = at + (uint64_t)__builtin_ctzll(bits);
			idle += piece_memory(heap, piece);
			if (idle > keep && high - piece >= MDG__PIECE_UNITS)
				piece_return(heap, piece);
		}
}
