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

static bool side_produce(struct heap_end *end, unsigned n)
{
	struct heap_control *control = end->game->control;
	uint32_t made = control->made, until = made + n, gone = word_get(&control->gone);

	for (; made != until; word_set(&control->made, ++made)) {
		void **block = (void **)heap_take(end, end->sizes[0]);

		if (block == NULL)
			return false;
		*block = (void *)(uintptr_t)made;
		for (unsigned looks = 0; made - gone == HEAP_RING; looks++) {
			heap_moment(looks);
			gone = word_get(&control->gone);
		}
		control->ring[made % HEAP_RING] = block;
	}
	return true;
}

static bool side_consume(struct heap_end *end, unsigned n)
{
	struct heap_control *control = end->game->control;
	uint32_t gone = control->gone, until = gone + n, made = gone;

	for (; gone != until; word_set(&control->gone, ++gone)) {
		void **block;

		for (unsigned looks = 0; made == gone; looks++) {
			heap_moment(looks);
			made = word_get(&control->made);
			if (word_get(&control->of[0].bad) != 0)
				return false;
		}
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
