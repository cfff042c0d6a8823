/* SPDX-License-Identifier: MIT */
/*
 * units.c - the units of 64 KiB, which are taken and given back under the heap's lock.
 *
 * What a unit is stands in its word in `heads`, and that is the truth. Everything else is derived
 * from it: the bitmap of free units, and the counts in the head of the heap. A thread that dies
 * with the lock leaves these as they were in the middle of its change. So who gets the lock after a
 * death derives all of it again.
 *
 * TAKING is first fit from below. What is above `high` was never used, has no tables, and is free.
 * In this order, so that a death between any two steps does no harm:
 *   1. the tables get memory, and `high` says so;
 *   2. the units get memory, and COMMITTED says so;
 *   3. the bitmaps of a slab are filled; who holds a span is written down (mark.c);
 *   4. the words of the units behind the first say INNER;
 *   5. the word of the first unit says what it is: now it is taken.
 * GIVING BACK first makes the word of the first unit FREE.
 *
 * Memory goes back to the system when more than `keep` units would stay in pieces that are wholly
 * free (pieces.c).
 */
#include "heap/units.h"

#include "madang/sync.h"
#include "platform/sys.h"
#include "sync/owned.h"

/* ---- the lock ------------------------------------------------------------------------------ */

/* Units that what begins at `unit` has. 1 also for words that make no sense. */
static uint64_t extent(const struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	uint64_t units = 1, left = heap->capacity - unit;
	uint32_t class = MDG__HEAD_CLASS(head);
	if (MDG__HEAD_STATE(head) == MDG__UNIT_SPAN || MDG__HEAD_STATE(head) == MDG__UNIT_KEPT)
		units = MDG__HEAD_UNITS(head);
	else if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB && class < MDG__HEAP_CLASSES_ALL)
		units = mdg__heap_classes[class].units;
	return units == 0 || units > left ? 1 : units;
}

void mdg__units_rebuild(struct mdg__heap *heap)
{
	uint64_t high = mdg__units_high(heap), committed = 0, free = 0, lowest = high;
	for (uint64_t at = 0; at < high; at += 64)
		MDG__STORE(heap->bits[MDG__BITS_FREE][at / 64], 0);
	for (uint64_t unit = 0; unit < high;) {
		uint64_t head = MDG__LOAD(heap->heads[unit]);
		uint64_t end = unit + extent(heap, unit, head);
		bool is_free = MDG__HEAD_STATE(head) == MDG__UNIT_FREE ||
		               MDG__HEAD_STATE(head) == MDG__UNIT_INNER;
		if (is_free) { /* INNER: of a slab that was not taken, or was given back */
			MDG__STORE(heap->heads[unit], 0);
			mdg__put_bits(heap, MDG__BITS_FREE, unit, unit + 1, true);
			lowest = lowest < unit ? lowest : unit;
		}
		for (; unit < end && unit < high; unit++)
			if (mdg__bit_is_set(heap, MDG__BITS_COMMITTED, unit)) {
				committed++;
				free += is_free;
			}
		unit = end;
	}
	(void)mdg__units_charge(heap, committed);
	MDG__STORE(heap->head->committed, committed);
	MDG__STORE(heap->head->free, free);
	MDG__STORE(heap->head->lowest, lowest);
}

/* The lock of a heap is held for microseconds, or while memory is made; but its owner may be
 * stopped in between. So signals are let in now and then. */
static int take_lock(struct mdg__heap *heap, mdg__sigmask *mask)
{
	int rc, looks = 0;
	if (MDG__LOAD(heap->broken) != 0) {
		rc = mdg__owned_take(&heap->head->lock, 0);
		return rc == -ETIMEDOUT ? MDG_BROKEN : rc;
	}
	while ((rc = mdg__owned_take(&heap->head->lock, mdg_deadline(MDG__LOOK_NS))) ==
	       -ETIMEDOUT) {
		if (mdg__lock_is_nobodys(&heap->head->lock, false, &looks)) {
			MDG__STORE(heap->broken, 1);
			return MDG_BROKEN;
		}
		mdg__signals_restore(mask);
		mdg__signals_block(mask);
	}
	return rc == -EDEADLK ? MDG_BROKEN : rc;
}

int mdg__heap_lock(struct mdg__heap *heap, mdg__sigmask *ret_mask)
{
	mdg__signals_block(ret_mask);
	int rc = take_lock(heap, ret_mask);
	if (rc == MDG_OWNER_DIED) {
		if (heap->capacity != 0) /* else see head.c */
			mdg__units_rebuild(heap);
		rc = 0;
	}
	if (rc < 0)
		mdg__signals_restore(ret_mask);
	return rc;
}

void mdg__heap_unlock(struct mdg__heap *heap, const mdg__sigmask *mask)
{
	(void)mdg__owned_give(&heap->head->lock);
	mdg__signals_restore(mask);
}

/* ---- finding room -------------------------------------------------------------------------- */

/* How many free units follow each other from `at` on in its word of the bitmap; 0: `at` is taken,
 * and *ret_skip units are. */
static uint64_t run_in_word(const struct mdg__heap *heap, uint64_t at, bool with_memory,
                            uint64_t *ret_skip)
{
	uint64_t word = MDG__LOAD(heap->bits[MDG__BITS_FREE][at / 64]);
	if (with_memory)
		word &= MDG__LOAD(heap->bits[MDG__BITS_COMMITTED][at / 64]);
	word >>= at % 64;
	if ((word & 1) != 0)
		return ~word == 0 ? 64 : (uint64_t)__builtin_ctzll(~word);
	*ret_skip = word == 0 ? 64 - at % 64 : (uint64_t)__builtin_ctzll(word);
	return 0;
}

/* [lock] The lowest run of so many free units, `with_memory`: that have memory. False: there is
 * none. */
static bool find_run(const struct mdg__heap *heap, uint64_t high, uint64_t units, bool with_memory,
                     uint64_t *ret)
{
	uint64_t at = MDG__LOAD(heap->head->lowest), run = 0;
	if (at > high)
		at = high;
	while (at < high) {
		uint64_t skip = 0, more = run_in_word(heap, at, with_memory, &skip);
		if (more > high - at)
			more = high - at;
		run = more == 0 ? 0 : run + more;
		at += more + skip;
		if (run >= units)
			break;
	}
	if (at > high)
		at = high;
	*ret = at - run;
	return run >= units || (!with_memory && heap->capacity - (at - run) >= units);
}

/* ---- taking -------------------------------------------------------------------------------- */

/* Nobody sees these before the unit's word says SLAB. */
static void fill_bitmaps(struct mdg__heap *heap, uint64_t unit, uint32_t class)
{
	_Atomic uint64_t *free = mdg__free_words(heap, unit),
			 *remote = mdg__remote_words(heap, unit);
	for (uint32_t i = 0; i < mdg__heap_classes[class].words; i++) {
		MDG__STORE(free[i], mdg__class_word(&mdg__heap_classes[class], i));
		MDG__STORE(remote[i], 0);
	}
	MDG__STORE(heap->hints[unit], 0);
}

/* [lock] */
static int make(struct mdg__heap *heap, const struct mdg__units_wanted *wanted, uint64_t unit)
{
	uint32_t class = MDG__HEAD_CLASS(wanted->head);
	if (mdg__bit_is_set(heap, MDG__BITS_LABELLED, unit))
		mdg__bit_clear(heap, MDG__BITS_LABELLED, unit);
	if (mdg__bit_is_set(heap, MDG__BITS_ABANDONED, unit))
		mdg__bit_clear(heap, MDG__BITS_ABANDONED, unit);
	if (MDG__HEAD_STATE(wanted->head) == MDG__UNIT_SLAB) {
		int rc = mdg__is_checked(heap) ? mdg__guard_slab(heap, unit, class) : 0;
		if (rc < 0)
			return rc;
		fill_bitmaps(heap, unit, class);
		for (uint32_t i = 1; i < wanted->units; i++)
			MDG__STORE(heap->heads[unit + i], MDG__HEAD(MDG__UNIT_INNER, 0, 0, i));
	} else if (wanted->own != NULL) {
		int rc = mdg__heap_mark(heap, wanted->own, wanted->hand, unit, 0,
		                        heap->parts.data + (unit << MDG__UNIT_SHIFT));
		if (rc < 0)
			return rc;
		if (mdg__is_checked(heap))
			mdg__guard_span(heap, unit, wanted->units, wanted->asked);
	}
	/* Release: pairs with the acquire in mdg__block_find. Now it is taken. */
	atomic_store_explicit(&heap->heads[unit], wanted->head, memory_order_release);
	return 0;
}

/* [lock] Where so many free units are, which have memory after this. */
static int find_room(struct mdg__heap *heap, uint64_t units, uint64_t *ret_unit)
{
	uint64_t high = mdg__units_high(heap);
	if (!find_run(heap, high, units, false, ret_unit))
		return -ENOMEM;
	int rc = mdg__units_raise(heap, high, *ret_unit + units);
	if (rc == 0)
		rc = mdg__units_commit(heap, *ret_unit, units);
	if (rc < 0 && find_run(heap, high, units, true, ret_unit))
		rc = 0;
	return rc;
}

/* [lock] */
static int take(struct mdg__heap *heap, const struct mdg__units_wanted *wanted, uint64_t *ret_unit)
{
	struct mdg__heap_head *head = heap->head;
	uint64_t unit, end;
	int rc = find_room(heap, wanted->units, &unit);
	if (rc < 0) { /* free memory elsewhere may count against the limit */
		mdg__units_trim(heap, 0);
		rc = find_room(heap, wanted->units, &unit);
	}
	if (rc == 0)
		rc = make(heap, wanted, unit);
	if (rc < 0)
		return rc;
	end = unit + wanted->units;
	mdg__put_bits(heap, MDG__BITS_FREE, unit, end, false);
	MDG__STORE(head->free, MDG__LOAD(head->free) - wanted->units);
	if (unit == MDG__LOAD(head->lowest))
		MDG__STORE(head->lowest, end);
	*ret_unit = unit;
	return 0;
}

int mdg__units_take(struct mdg__heap *heap, const struct mdg__units_wanted *wanted,
                    uint64_t *ret_unit)
{
	mdg__sigmask mask;
	if (wanted->units == 0 || wanted->units > heap->capacity)
		return -ENOMEM;
	int rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	rc = take(heap, wanted, ret_unit);
	mdg__heap_unlock(heap, &mask);
	return rc;
}

/* ---- giving back --------------------------------------------------------------------------- */

/* [lock] What begins at this unit has become free. */
static void give(struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	uint64_t end = unit + extent(heap, unit, head), high = mdg__units_high(heap), freed = 0;
	if (end > high)
		end = high;
	for (uint64_t at = unit; at < end; at++) {
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB)
			MDG__STORE(heap->heads[at], 0); /* INNER */
		freed += mdg__bit_is_set(heap, MDG__BITS_COMMITTED, at);
	}
	mdg__put_bits(heap, MDG__BITS_FREE, unit, end, true);
	MDG__STORE(heap->head->free, MDG__LOAD(heap->head->free) + freed);
	if (unit < MDG__LOAD(heap->head->lowest))
		MDG__STORE(heap->head->lowest, unit);
	mdg__units_shed(heap, unit, end);
}

int mdg__units_give_locked(struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	uint64_t seen = head;
	/* Release: what was done with it is before its next life. Now it is free. */
	if (!atomic_compare_exchange_strong_explicit(&heap->heads[unit], &seen, 0,
	                                             memory_order_acq_rel, memory_order_relaxed))
		return -EINVAL;
	give(heap, unit, head);
	return 0;
}

int mdg__units_give(struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	mdg__sigmask mask;
	int rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	rc = mdg__units_give_locked(heap, unit, head);
	mdg__heap_unlock(heap, &mask);
	return rc;
}

/* ---- another length ------------------------------------------------------------------------ */

/* [lock] Takes the units from `end` to `to` as well, if they are free. */
static int extend(struct mdg__heap *heap, uint64_t end, uint64_t to)
{
	uint64_t high = mdg__units_high(heap);
	if (to > heap->capacity)
		return -ENOMEM;
	for (uint64_t at = end; at < to && at < high; at++)
		if (!mdg__bit_is_set(heap, MDG__BITS_FREE, at))
			return -ENOMEM;
	int rc = mdg__units_raise(heap, high, to);
	return rc < 0 ? rc : mdg__units_commit(heap, end, to - end);
}

/* [lock] */
static int resize(struct mdg__heap *heap, uint64_t unit, uint64_t head, uint64_t units)
{
	uint64_t end = unit + MDG__HEAD_UNITS(head), to = unit + units;
	int rc = to > end ? extend(heap, end, to) : 0;
	if (rc < 0)
		return rc;
	/* Now it has the other length. Somebody may change its owner meanwhile (held.c). */
	while (!atomic_compare_exchange_weak_explicit(&heap->heads[unit], &head,
	                                              (head & 0xffffffffu) | units << 32,
	                                              memory_order_acq_rel, memory_order_relaxed))
		;
	if (to > end) {
		mdg__put_bits(heap, MDG__BITS_FREE, end, to, false);
		MDG__STORE(heap->head->free, MDG__LOAD(heap->head->free) - (to - end));
		return 0;
	}
	mdg__put_bits(heap, MDG__BITS_FREE, to, end, true);
	MDG__STORE(heap->head->free, MDG__LOAD(heap->head->free) + (end - to));
	if (to < MDG__LOAD(heap->head->lowest))
		MDG__STORE(heap->head->lowest, to);
	mdg__units_shed(heap, to, end);
	return 0;
}

int mdg__units_resize(struct mdg__heap *heap, uint64_t unit, uint64_t head, uint32_t units)
{
	mdg__sigmask mask;
	if (units == 0 || units == MDG__HEAD_UNITS(head))
		return 0;
	int rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	rc = MDG__LOAD(heap->heads[unit]) == head ? resize(heap, unit, head, units) : -EINVAL;
	mdg__heap_unlock(heap, &mask);
	return rc;
}
