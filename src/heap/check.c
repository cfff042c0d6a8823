/* SPDX-License-Identifier: MIT */
/*
 * check.c - mdg_heap_check: the head and the lock; then the rest, file by file. See check.h.
 *
 * What this process knows of the heap since it has opened it is right: it was checked then. So
 * that is written into the head again, if the head says something else.
 */
#include "heap/check.h"

static const struct mdg__spot head_spot = { NULL, 0 };

static bool mend_word(const struct mdg__heap_check *check, _Atomic uint64_t *word, uint64_t right)
{
	if (check->repair)
		MDG__STORE(*word, right);
	return check->repair;
}

static void head_says(struct mdg__heap_check *check, bool mended, const char *text)
{
	mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, mended, head_spot, text);
}

/* ---- what never changes --------------------------------------------------------------------- */

static void check_constants(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	struct mdg__heap_head *head = heap->head;
	const uint32_t kinds = MDG_HEAP_HOME | MDG_HEAP_LABELS | MDG_HEAP_CHECKED;
	if (MDG__LOAD(head->magic) != MDG__HEAP_MAGIC || MDG__LOAD(head->ready) == 0 ||
	    MDG__LOAD(head->format) != MDG__HEAP_FORMAT) {
		if (check->repair) {
			MDG__STORE(head->format, MDG__HEAP_FORMAT);
			MDG__STORE(head->magic, MDG__HEAP_MAGIC);
			MDG__STORE(head->ready, 1);
		}
		head_says(check, check->repair, "the head does not say that this is a heap");
	}
	if (MDG__LOAD(head->capacity) != heap->capacity)
		head_says(check, mend_word(check, &head->capacity, heap->capacity),
		          "the head says another maximum than when the heap was opened");
	if (MDG__LOAD(head->slots) != heap->slots ||
	    MDG__LOAD(head->flags) != (heap->flags & kinds)) {
		if (check->repair) {
			MDG__STORE(head->slots, heap->slots);
			MDG__STORE(head->flags, heap->flags & kinds);
		}
		head_says(check, check->repair,
		          "the head says another kind of heap than when it was opened");
	}
	uint64_t home = MDG__LOAD(head->home);
	if ((heap->flags & MDG_HEAP_HOME) == 0 && home != 0)
		head_says(check, mend_word(check, &head->home, 0),
		          "the heap has no home, and the head says one");
	else if ((heap->flags & MDG_HEAP_HOME) != 0 && (home == 0 || home % MDG__UNIT_BYTES != 0))
		head_says(check, false, "the head says a home address that no heap can have");
}

/* ---- bounds --------------------------------------------------------------------------------- */

/* Counts of slots only grow. */
static void check_slots_high(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	bool mended = false;
	if (MDG__LOAD(heap->head->slots_high) <= heap->slots)
		return;
	if (check->repair &&
	    mdg__heap_promise(heap, heap->parts.slots,
	                      heap->slots * (uint64_t)sizeof(struct mdg__heap_slot)) == 0) {
		atomic_store(&heap->head->slots_high, heap->slots);
		mended = true;
	}
	head_says(check, mended, "more slots are in use than there are");
}

static void check_bounds(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	struct mdg__heap_head *head = heap->head;
	uint64_t epoch = 0;
	if (MDG__LOAD(head->limit) > heap->capacity)
		head_says(check, mend_word(check, &head->limit, heap->capacity),
		          "the limit is larger than the heap can be");
	check_slots_high(check);
	if (MDG__LOAD(head->epoch) == 0) {
		if (check->repair)
			(void)atomic_compare_exchange_strong(&head->epoch, &epoch, 1);
		head_says(check, check->repair, "the epoch of the readers is 0");
	}
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* Sets whether it can be taken. Who gets it from a dead one counts what follows from the tables. */
static void check_lock(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	bool dead = mdg__life_is_dead(MDG__LOAD(heap->head->lock.robust.word)), taken = false;
	mdg__sigmask mask;
	check->lockable = (heap->flags & MDG_HEAP_RDONLY) == 0 && (!dead || check->repair);
	if (check->lockable) {
		int rc = mdg__heap_lock(heap, &mask);
		taken = rc == 0;
		if (taken)
			mdg__heap_unlock(heap, &mask);
		check->lockable = taken;
		if (rc == MDG_BROKEN) {
			mdg__found(check, MDG_HEAP_FOUND_LOCK, 0, false, head_spot,
			           "the lock is held, and nobody seems to have it");
			return;
		}
	}
	if (dead)
		mdg__found(check, MDG_HEAP_FOUND_LOCK, 0, taken, head_spot,
		           "a thread has died that held the lock");
}

/* ---- where the tables end ------------------------------------------------------------------- */

static bool high_is_valid(const struct mdg__heap *heap)
{
	uint64_t high = MDG__LOAD(heap->head->high);
	return high == heap->capacity || (high < heap->capacity && high % MDG__PIECE_UNITS == 0);
}

/* [COMMITTED has memory] Behind the last unit that has memory. */
static uint64_t behind_committed(const struct mdg__heap *heap)
{
	for (uint64_t at = (heap->capacity + 63) / 64; at-- > 0;) {
		uint64_t word = MDG__LOAD(heap->bits[MDG__BITS_COMMITTED][at]);
		if (word != 0)
			return at * 64 + 64 - (uint64_t)__builtin_clzll(word);
	}
	return 0;
}

/* [lock] What has memory was in use, or may be. What is behind it is free, and is taken as units
 * that were never used: their tables are made anew. */
static bool mend_high(struct mdg__heap *heap)
{
	if (mdg__heap_promise(heap, heap->parts.bits[MDG__BITS_COMMITTED],
	                      (heap->capacity + 63) / 64 * 8) < 0)
		return false;
	uint64_t high = behind_committed(heap);
	high = (high + MDG__PIECE_UNITS - 1) / MDG__PIECE_UNITS * MDG__PIECE_UNITS;
	if (high > heap->capacity || mdg__tables_promise(heap, 0, high) < 0)
		return false;
	atomic_store(&heap->head->high, high);
	MDG__STORE(heap->known, (size_t)(high << MDG__UNIT_SHIFT));
	return true;
}

static void check_high(struct mdg__heap_check *check)
{
	struct mdg__heap *heap = check->heap;
	bool mended = false;
	mdg__sigmask mask;
	if (high_is_valid(heap))
		return;
	if (check->repair && check->lockable && mdg__heap_lock(heap, &mask) == 0) {
		mended = high_is_valid(heap) || mend_high(heap);
		mdg__heap_unlock(heap, &mask);
	}
	head_says(check, mended, "the number of units that have tables makes no sense");
}

/* A thread that died with the lock may have left the units in the middle of a change. And where the
 * tables end must be known. */
static bool units_are_steady(const struct mdg__heap_check *check)
{
	return !mdg__life_is_dead(MDG__LOAD(check->heap->head->lock.robust.word)) &&
	       high_is_valid(check->heap);
}

int mdg_heap_check(mdg_heap *view, unsigned flags, mdg__heap_found *found, void *context)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_check check = { .heap = heap,
		                         .repair = (flags & MDG_CHECK_REPAIR) != 0,
		                         .found = found,
		                         .context = context };
	if (mdg__is_closed(heap))
		return -EBADF;
	if ((flags & ~MDG_CHECK_REPAIR) != 0)
		return -EINVAL;
	if (check.repair && (heap->flags & MDG_HEAP_RDONLY) != 0)
		return -EROFS;
	check_constants(&check);
	check_bounds(&check);
	check_lock(&check);
	check_high(&check);
	if (units_are_steady(&check))
		mdg__check_units(&check);
	mdg__check_slots(&check);
	if (high_is_valid(heap)) /* else blocks seem not to be there */
		mdg__check_slabs(&check);
	if (units_are_steady(&check))
		mdg__check_guards(&check);
	if (high_is_valid(heap))
		mdg__check_roots(&check);
	return check.left;
}
