/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - what members do in a block, for the allocator of the file that includes this one.
 *
 * Before, the side has defined heap_take(end, size), which returns a block or NULL, and
 * heap_give(end, block), which returns 0 or something else. So they are called directly, and each
 * side does the same around its calls. No guard: it is included once, by each side's file. Also
 * read as C++.
 *
 * A block is written to once when it is allocated, and looked at when it is freed. If two callers
 * had got the same one, it would be found.
 */

#include "bench/common/processes.h"

static inline bool block_fill(struct heap_end *end, uint32_t at)
{
	uint32_t size = end->sizes[heap_random(end) % HEAP_SIZES];
	void **block = (void **)heap_take(end, size);

	end->live[at] = block;
	if (block == NULL)
		return false;
	*block = &end->live[at];
	((uint32_t *)block)[2] = size; /* for HEAP_CHURN */
	return true;
}

/* Allocates n more live blocks. */
static bool side_fill(struct heap_end *end, unsigned n)
{
	for (; n > 0; n--)
		if (!block_fill(end, end->live_count++))
			return false;
	return true;
}

/* Frees one, and allocates another in its stead. */
static bool side_pair(struct heap_end *end, unsigned n)
{
	bool good = true;

	for (; n > 0 && good; n--) {
		uint32_t at = (uint32_t)(((uint64_t)heap_random(end) * end->live_count) >> 32);
		void **block = (void **)end->live[at];

		good = *block == &end->live[at] && heap_give(end, block) == 0 &&
		       block_fill(end, at);
	}
	return good;
}

/* ---- one allocates, another frees ------------------------------------------------------ */

/* The ring is full or empty: waits until *word has come to `value`, for half a ring as a rule. If
 * one waited for one block only, both would write to the same lines of the ring at each block from
 * then on. That takes longer than the allocator, and the slower side would have the better time. */
static bool hand_wait(struct heap_end *end, const uint32_t *word, uint32_t value, uint32_t *ret_now)
{
	struct heap_report *other = &end->game->control->of[1 - end->number];

	for (unsigned looks = 0;; looks++) {
		*ret_now = word_get(word);
		if ((int32_t)(*ret_now - value) >= 0)
			return true;
		if (word_get(&other->bad) != 0)
			return false;
		heap_moment(looks);
	}
}

static bool side_produce(struct heap_end *end, unsigned n)
{
	struct heap_control *control = end->game->control;
	uint32_t made = control->made, until = made + n, gone = word_get(&control->gone);

	for (; made != until; word_set(&control->made, ++made)) {
		void **block = (void **)heap_take(end, end->sizes[0]);

		if (block == NULL)
			return false;
		*block = (void *)(uintptr_t)made;
		if (made - gone == HEAP_RING &&
		    !hand_wait(end, &control->gone, made - HEAP_RING / 2, &gone))
			return false;
		control->ring[made % HEAP_RING] = block;
	}
	return true;
}

static bool side_consume(struct heap_end *end, unsigned n)
{
	struct heap_control *control = end->game->control;
	uint32_t gone = control->gone, until = gone + n, made = gone;

	for (; gone != until; word_set(&control->gone, ++gone)) {
		uint32_t left = until - gone, half = HEAP_RING / 2;
		void **block;

		if (made == gone &&
		    !hand_wait(end, &control->made, gone + (left < half ? left : half), &made))
			return false;
		block = (void **)control->ring[gone % HEAP_RING];
		if (*block != (void *)(uintptr_t)gone || heap_give(end, block) != 0)
			return false;
	}
	return true;
}

static bool side_hand(struct heap_end *end, unsigned n)
{
	return end->number == 0 ? side_produce(end, n) : side_consume(end, n);
}

/* In turns of a ring each. Only the work is timed. */
static bool side_hand_turns(struct heap_end *end, unsigned n)
{
	struct heap_control *control = end->game->control;
	uint32_t *mine = end->number == 0 ? &control->full : &control->empty;
	uint32_t *other = end->number == 0 ? &control->empty : &control->full;
	bool good = true;

	while (n > 0 && good) {
		unsigned batch = n < (unsigned)HEAP_RING ? n : (unsigned)HEAP_RING;
		uint64_t start;

		if (end->number == 1)
			end->turns_seen = turn_wait(other, end->turns_seen);
		start = heap_cpu_ns();
		good = end->number == 0 ? side_produce(end, batch) : side_consume(end, batch);
		end->ns += heap_cpu_ns() - start;
		turn_next(mine);
		if (end->number == 0)
			end->turns_seen = turn_wait(other, end->turns_seen);
		n -= batch;
	}
	return good;
}

static void side_plays(struct heap_side *side)
{
	side->fill = side_fill;
	side->play[HEAP_PAIR] = side_pair;
	side->play[HEAP_HOLD] = side_pair;
	side->play[HEAP_HAND] = side_hand;
	side->play[HEAP_HAND_TURNS] = side_hand_turns;
	side->play[HEAP_GROW] = side_fill;
	side->play[HEAP_CHURN] = side_pair;
}
