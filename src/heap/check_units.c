/* SPDX-License-Identifier: MIT */
/*
 * check_units.c - the words of units, and what is derived from them.
 *
 * With permission to write, that is done under the heap's lock, in parts, so that nobody waits for
 * long. What is found is noted, and reported when the lock is free again: who is told may use the
 * heap. Without permission each doubt is looked at again.
 *
 * What can be mended: bits and counts that follow from the words; the words inside of a slab; a bit
 * that says a unit has no memory, by giving it memory. What cannot: a word that makes no sense, and
 * two slabs or spans in one place. Nobody knows what was there. So units that may be a part of it
 * stay as they are, and the whole is one finding.
 */
#include "heap/units.h"

#include "heap/check.h"
#include "platform/fence.h"

enum wrong {
	WRONG_NONE,
	WRONG_WORD,
	WRONG_LENGTH,
	WRONG_INSIDE,
	WRONG_OVERLAP,
	WRONG_BARE,
	WRONG_FREE,
	WRONG_TAKEN,
	WRONG_INNER,
	WRONG_ALL
};

static const char *const texts[WRONG_ALL] = {
	[WRONG_WORD] = "its word makes no sense",
	[WRONG_LENGTH] = "what begins here would end behind the heap, or has no length",
	[WRONG_INSIDE] = "the words inside of the slab or span are not those of its units",
	[WRONG_OVERLAP] = "another slab or span begins inside of this one",
	[WRONG_BARE] = "is in use, and seems to have no memory",
	[WRONG_FREE] = "is in use, and the bitmap says it is free",
	[WRONG_TAKEN] = "is free, and the bitmap says it is in use",
	[WRONG_INNER] = "says that it is inside of a slab that is not there",
};

/* ---- one slab, span or free unit ------------------------------------------------------------ */

static uint64_t inner_word(const struct mdg__thing *thing, uint64_t at)
{
	return thing->state == MDG__UNIT_SLAB ? MDG__HEAD(MDG__UNIT_INNER, 0, 0, at) : 0;
}

/* Whether a whole slab or span seems to begin there. */
static bool is_thing(const struct mdg__heap *heap, uint64_t unit, uint64_t high)
{
	struct mdg__thing thing;
	mdg__thing_at(heap, unit, high, &thing);
	return thing.valid;
}

static enum wrong judge_taken(const struct mdg__heap *heap, const struct mdg__thing *thing,
                              uint64_t high)
{
	enum wrong wrong = WRONG_NONE;
	for (uint64_t i = 0; i < thing->units; i++) {
		uint64_t unit = thing->unit + i;
		if (i > 0 && MDG__LOAD(heap->heads[unit]) != inner_word(thing, i)) {
			if (is_thing(heap, unit, high))
				return WRONG_OVERLAP;
			wrong = WRONG_INSIDE;
		}
		if (!mdg__bit_is_set(heap, MDG__BITS_COMMITTED, unit) && wrong == WRONG_NONE)
			wrong = WRONG_BARE;
		if (mdg__bit_is_set(heap, MDG__BITS_FREE, unit) && wrong == WRONG_NONE)
			wrong = WRONG_FREE;
	}
	return wrong;
}

static enum wrong judge(const struct mdg__heap *heap, const struct mdg__thing *thing, uint64_t high)
{
	if (thing->valid)
		return judge_taken(heap, thing, high);
	switch (thing->state) {
	case MDG__UNIT_FREE:
		if (thing->head != 0)
			return WRONG_WORD;
		return mdg__bit_is_set(heap, MDG__BITS_FREE, thing->unit) ? WRONG_NONE
		                                                          : WRONG_TAKEN;
	case MDG__UNIT_INNER:
		return WRONG_INNER;
	case MDG__UNIT_SLAB:
	case MDG__UNIT_SPAN:
	case MDG__UNIT_KEPT:
		return WRONG_LENGTH;
	default:
		return WRONG_WORD;
	}
}

/* What was lost: the unit where something began that nobody knows. */
#define NOTHING_LOST UINT64_MAX

/* The same for a unit that may be a part of what was lost before it. */
static enum wrong judge_next(const struct mdg__heap *heap, const struct mdg__thing *thing,
                             uint64_t high, uint64_t *lost)
{
	enum wrong wrong = judge(heap, thing, high);
	uint64_t begins = thing->unit - MDG__HEAD_UNITS(thing->head);
	if (*lost != NOTHING_LOST && ((wrong == WRONG_TAKEN && thing->head == 0) ||
	                              (wrong == WRONG_INNER && begins == *lost)))
		return WRONG_NONE;
	bool is_lost = wrong == WRONG_WORD || wrong == WRONG_LENGTH;
	*lost = is_lost ? thing->unit : NOTHING_LOST;
	return wrong;
}

/* ---- mending -------------------------------------------------------------------------------- */

/* [lock] */
static bool mend_bare(struct mdg__heap *heap, const struct mdg__thing *thing, uint64_t end)
{
	if (mdg__heap_promise(heap, mdg__ref_of_unit(heap, thing->unit),
	                      thing->units << MDG__UNIT_SHIFT) < 0)
		return false;
	mdg__put_bits(heap, MDG__BITS_COMMITTED, thing->unit, end, true);
	return true;
}

/* [lock] The counts follow later. */
static bool mend(struct mdg__heap *heap, const struct mdg__thing *thing, enum wrong wrong)
{
	uint64_t end = thing->unit + thing->units;
	switch (wrong) {
	case WRONG_INSIDE:
		for (uint64_t i = 1; i < thing->units; i++)
			MDG__STORE(heap->heads[thing->unit + i], inner_word(thing, i));
		return true;
	case WRONG_BARE:
		return mend_bare(heap, thing, end);
	case WRONG_WORD: /* of a unit that is free, with rests in it? */
		if (thing->state != MDG__UNIT_FREE ||
		    !mdg__bit_is_set(heap, MDG__BITS_FREE, thing->unit))
			return false;
		MDG__STORE(heap->heads[thing->unit], 0);
		return true;
	case WRONG_INNER:
		MDG__STORE(heap->heads[thing->unit], 0);
		mdg__put_bits(heap, MDG__BITS_FREE, thing->unit, end, true);
		return true;
	case WRONG_FREE:
	case WRONG_TAKEN:
		mdg__put_bits(heap, MDG__BITS_FREE, thing->unit, end, wrong == WRONG_TAKEN);
		return true;
	default:
		return false;
	}
}

/* ---- counts --------------------------------------------------------------------------------- */

struct counts {
	uint64_t committed, free, lowest;
};

static uint64_t bits_at(const struct mdg__heap *heap, enum mdg__unit_bits which, uint64_t at,
                        uint64_t high)
{
	uint64_t word = MDG__LOAD(heap->bits[which][at / 64]);
	return high - at >= 64 ? word : word & ((UINT64_C(1) << (high - at)) - 1);
}

static struct counts count(struct mdg__heap *heap)
{
	uint64_t high = mdg__units_high(heap);
	struct counts counts = { .lowest = high };
	for (uint64_t at = 0; at < high; at += 64) {
		uint64_t committed = bits_at(heap, MDG__BITS_COMMITTED, at, high);
		uint64_t free = bits_at(heap, MDG__BITS_FREE, at, high);
		counts.committed += (uint64_t)__builtin_popcountll(committed);
		counts.free += (uint64_t)__builtin_popcountll(committed & free);
		if (free != 0 && counts.lowest == high)
			counts.lowest = at + (uint64_t)__builtin_ctzll(free);
	}
	return counts;
}

/* What is wrong in the head; NULL: nothing. */
static const char *judge_counts(struct mdg__heap *heap)
{
	struct counts counts = count(heap);
	if (MDG__LOAD(heap->head->committed) != counts.committed)
		return "the number of units that have memory is counted wrongly";
	if (MDG__LOAD(heap->head->free) != counts.free)
		return "the number of free units is counted wrongly";
	return MDG__LOAD(heap->head->lowest) > counts.lowest
	               ? "units are free that would never be found"
	               : NULL;
}

static bool lock_is_free(const struct mdg__heap *heap)
{
	mdg__fence(memory_order_seq_cst);
	return (MDG__LOAD(heap->head->lock.robust.word) & MDG__TID) == 0;
}

/* For who cannot take the lock: whether it is wrong while nobody has the lock, before and after.
 * Its holder may be stopped in the middle of a change: then nobody can say. */
static bool is_wrong_outside(const struct mdg__doubt *doubt, mdg__is_wrong *is_wrong)
{
	enum { TRIES = 20 };
	for (int i = 0; i < TRIES; i++) {
		bool free = lock_is_free(doubt->check->heap), wrong = free && is_wrong(doubt);
		if (free && !wrong)
			return false;
		if (free && lock_is_free(doubt->check->heap))
			return true;
		mdg__nap(doubt->check);
	}
	return false;
}

/* The same numbers twice, which do not agree. */
static bool counts_differ(const struct mdg__doubt *doubt)
{
	struct mdg__heap *heap = doubt->check->heap;
	uint64_t committed = MDG__LOAD(heap->head->committed), free = MDG__LOAD(heap->head->free);
	struct counts one = count(heap), two = count(heap);
	return memcmp(&one, &two, sizeof one) == 0 && judge_counts(heap) != NULL &&
	       committed == MDG__LOAD(heap->head->committed) && free == MDG__LOAD(heap->head->free);
}

static bool is_miscounted(const struct mdg__doubt *doubt)
{
	return is_wrong_outside(doubt, counts_differ);
}

static void check_counts(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	struct mdg__doubt doubt = { .check = check };
	mdg__sigmask mask;
	const char *text;
	if (!check->lockable) {
		text = judge_counts(heap);
		if (text != NULL && mdg__is_still_wrong(&doubt, is_miscounted))
			mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, false,
			           (struct mdg__spot){ NULL, 0 }, text);
		return;
	}
	if (mdg__heap_lock(heap, &mask) < 0)
		return;
	text = judge_counts(heap);
	if (text != NULL && check->repair) {
		struct counts counts = count(heap);
		(void)mdg__units_charge(heap, counts.committed);
		MDG__STORE(heap->head->committed, counts.committed);
		MDG__STORE(heap->head->free, counts.free);
		MDG__STORE(heap->head->lowest, counts.lowest);
	}
	mdg__heap_unlock(heap, &mask);
	if (text != NULL)
		mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, check->repair,
		           (struct mdg__spot){ NULL, 0 }, text);
}

/* ---- all units ------------------------------------------------------------------------------ */

enum { NOTES = 64, UNITS_AT_ONCE = 8192 };

struct note {
	enum wrong wrong;
	bool mended;
	uint64_t unit;
};
struct notes {
	uint64_t lost; /* see judge_next */
	uint32_t count;
	struct note note[NOTES];
};

/* [lock] Looks at the next units, from `from` on. Where to go on. What begins before `from`, and
 * reaches behind it, was not there when the lock was held before. */
static uint64_t look_at_some(struct mdg__heap_check *check, uint64_t from, struct notes *notes)
{
	struct mdg__heap *heap = check->heap;
	uint64_t high = mdg__units_high(heap), at = 0, seen = 0;
	struct mdg__thing thing;
	for (; at < from && at < high; at += thing.units)
		mdg__thing_at(heap, at, high, &thing);
	for (; at < high && seen < UNITS_AT_ONCE && notes->count < NOTES; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		seen += thing.units;
		enum wrong wrong = judge_next(heap, &thing, high, &notes->lost);
		if (wrong == WRONG_NONE)
			continue;
		bool mended = check->repair && mend(heap, &thing, wrong);
		notes->note[notes->count++] = (struct note){ wrong, mended, at };
	}
	return at < high ? at : UINT64_MAX;
}

static void check_locked(struct mdg__heap_check *check)
{
	struct notes notes = { .lost = NOTHING_LOST };
	for (uint64_t at = 0; at != UINT64_MAX && !check->stopped;) {
		mdg__sigmask mask;
		notes.count = 0;
		if (mdg__heap_lock(check->heap, &mask) < 0)
			return;
		at = look_at_some(check, at, &notes);
		mdg__heap_unlock(check->heap, &mask);
		for (uint32_t i = 0; i < notes.count; i++) {
			const struct note *note = &notes.note[i];
			mdg__found(check, MDG_HEAP_FOUND_TABLE,
			           mdg__ref_of_unit(check->heap, note->unit), note->mended,
			           (struct mdg__spot){ "unit", note->unit }, texts[note->wrong]);
		}
	}
}

/* Without the lock. `index`: what was wrong before. */
static bool judges_the_same(const struct mdg__doubt *doubt)
{
	struct mdg__heap *heap = doubt->check->heap;
	uint64_t high = mdg__units_high(heap);
	struct mdg__thing thing;
	if (doubt->unit >= high)
		return false;
	mdg__thing_at(heap, doubt->unit, high, &thing);
	return thing.head == doubt->word && judge(heap, &thing, high) == doubt->index;
}

static bool is_wrong(const struct mdg__doubt *doubt)
{
	return is_wrong_outside(doubt, judges_the_same);
}

static void check_without_lock(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	uint64_t high = mdg__units_high(heap), lost = NOTHING_LOST;
	struct mdg__thing thing;
	for (uint64_t at = 0; at < high && !check->stopped; at += thing.units) {
		mdg__thing_at(heap, at, high, &thing);
		enum wrong wrong = judge_next(heap, &thing, high, &lost);
		struct mdg__doubt doubt = { check, at, thing.head, (uint32_t)wrong };
		if (wrong != WRONG_NONE && mdg__is_still_wrong(&doubt, is_wrong))
			mdg__found(check, MDG_HEAP_FOUND_TABLE, mdg__ref_of_unit(heap, at), false,
			           (struct mdg__spot){ "unit", at }, texts[wrong]);
	}
}

void mdg__check_units(struct mdg__heap_check *check)
{
	if (check->lockable)
		check_locked(check);
	else
		check_without_lock(check);
	if (!check->stopped)
		check_counts(check);
}
