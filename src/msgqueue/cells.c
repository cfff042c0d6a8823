/* SPDX-License-Identifier: MIT */
/*
 * cells.c - the cells of a queue: which are free, and making memory for more.
 *
 * A cell is taken from the front of the free chain, where it was put last and is likely to be in
 * the processor's cache. A chain that is given back keeps its order, so the next message of the
 * same length finds neighbouring cells again. Cells that were never used come after that, in order.
 *
 * Nothing here is a step that has to be undone after a death: repair.c makes the free chain anew.
 */
#include "msgqueue/internal.h"

uint32_t mdg__fresh(const struct mdg__queue *queue)
{
	uint32_t fresh = MDG__GET(mdg__head(queue)->fresh);
	if (fresh < MDG__CELL_FIRST)
		return MDG__CELL_FIRST;
	return fresh < MDG__UNITS_MOST ? fresh : (uint32_t)MDG__UNITS_MOST;
}

uint32_t mdg__used(const struct mdg__queue *queue)
{
	uint32_t fresh = mdg__fresh(queue);
	return fresh % MDG__BLOCK_UNITS == MDG__CELL_OTHER ? fresh - MDG__CELL_OTHER : fresh;
}

/* The unit behind `unit` that may be a cell. */
static inline uint32_t after(uint32_t unit)
{
	unit++;
	return unit % MDG__BLOCK_UNITS == 0 ? unit + MDG__CELL_OTHER : unit;
}

/* Units up to this one may be touched. */
static uint32_t promised(const struct mdg__queue *queue)
{
	uint32_t units = mdg__units(queue), kept = MDG__GET(mdg__head(queue)->kept);
	return kept != 0 && kept < units ? kept : units;
}

/* Maps the memory up to the unit. Asks for more than that, so as not to ask often. */
static int map_memory(struct mdg__queue *queue, uint64_t units)
{
	uint64_t bytes = units * MDG__UNIT, step = MDG__BLOCK;
	if (bytes <= queue->length)
		return 0;
	if (units > MDG__UNITS_MOST)
		return -ENOMEM;
	uint64_t more = (bytes + queue->length / 4 + step - 1) / step * step;
	uint64_t most = (uint64_t)MDG__UNITS_MOST * MDG__UNIT;
	int rc = queue->memory->reach(queue, more < most ? more : most);
	if (rc == -ENOMEM || rc == -ENOSPC)
		rc = queue->memory->reach(queue, bytes);
	if (rc == -ENOSPC || (rc == 0 && queue->length < bytes))
		rc = -ENOMEM;
	return rc;
}

/* Makes sure that the memory up to the unit may be touched. */
static int make_memory(struct mdg__queue *queue, uint64_t units)
{
	struct mdg__queue_head *head = mdg__head(queue);
	if (__builtin_expect(units <= promised(queue), 1))
		return 0;
	int rc = map_memory(queue, units);
	uint32_t kept = MDG__GET(head->kept), least = promised(queue);
	if (rc < 0 || units <= least)
		return rc;
	uint32_t end =
		(uint32_t)(units + MDG__BLOCK_UNITS - 1) / MDG__BLOCK_UNITS * MDG__BLOCK_UNITS;
	end = end < mdg__units(queue) ? end : mdg__units(queue);
	rc = queue->memory->promise(queue, (uint64_t)kept * MDG__UNIT,
	                            (uint64_t)(end - kept) * MDG__UNIT);
	if (rc == 0)
		MDG__PUT(head->kept, end);
	return rc == -ENOSPC ? -ENOMEM : rc;
}

/* Whoever used it had made the memory for it. If that is not so, the number is forged, or the file
 * was cut. */
int mdg__cells_reach(struct mdg__queue *queue)
{
	uint32_t used = mdg__used(queue);
	if (__builtin_expect(used <= mdg__units(queue), 1))
		return 0;
	int rc = queue->memory->reach(queue, 0);
	return rc < 0 || used <= mdg__units(queue) ? rc : MDG_DAMAGED;
}

/* Links so many cells that were never used, the first of them to `last`, if it is one. */
static int take_fresh(struct mdg__queue *queue, uint32_t count, uint32_t last, uint32_t *ret_first)
{
	uint32_t unit = mdg__fresh(queue), first = unit;
	uint64_t end = unit;
	uint32_t blocks = count / (MDG__BLOCK_UNITS - MDG__CELL_OTHER) + 2;
	end += count + (uint64_t)blocks * MDG__CELL_OTHER;
	if (end > promised(queue)) { /* it may be too little: count exactly */
		end = unit;
		for (uint32_t i = 1; i < count && end < MDG__UNITS_MOST; i++)
			end = after((uint32_t)end);
		int rc = make_memory(queue, end + 1);
		if (rc < 0)
			return rc;
	}
	for (uint32_t i = 0; i < count; i++, unit = after(unit)) {
		if (last != 0)
			MDG__PUT(*mdg__link_of(queue, last), unit);
		last = unit;
	}
	MDG__PUT(*mdg__link_of(queue, last), 0);
	MDG__PUT(mdg__head(queue)->fresh, unit);
	*ret_first = first;
	return 0;
}

int mdg__cells_take(struct mdg__queue *queue, uint32_t count, uint32_t *ret_first)
{
	uint32_t fresh = mdg__fresh(queue), first = MDG__GET(mdg__head(queue)->free);
	uint32_t cell = first, last = 0, got = 0;
	for (; got < count && cell != 0; got++) {
		if (__builtin_expect(!mdg__is_cell(queue, cell) || cell >= fresh, 0))
			return MDG_DAMAGED;
		last = cell;
		cell = MDG__GET(*mdg__link_of(queue, cell));
	}
	if (got < count) {
		uint32_t more = 0;
		int rc = take_fresh(queue, count - got, last, &more);
		if (rc < 0)
			return rc;
		first = first == 0 ? more : first;
	} else {
		MDG__PUT(*mdg__link_of(queue, last), 0);
	}
	MDG__PUT(mdg__head(queue)->free, cell);
	*ret_first = first;
	return 0;
}

int mdg__cells_give(struct mdg__queue *queue, uint32_t first, uint32_t count)
{
	uint32_t cell = first;
	if (__builtin_expect(count > mdg__units(queue), 0))
		return MDG_DAMAGED;
	for (uint32_t i = 1; i < count; i++) {
		cell = MDG__GET(*mdg__link_of(queue, cell));
		if (__builtin_expect(!mdg__is_cell(queue, cell), 0))
			return MDG_DAMAGED;
	}
	MDG__PUT(*mdg__link_of(queue, cell), MDG__GET(mdg__head(queue)->free));
	MDG__PUT(mdg__head(queue)->free, first);
	return 0;
}

/* The cells up to the next block, if the run does not fit before it, become free. */
int mdg__cells_take_run(struct mdg__queue *queue, uint32_t count, uint32_t *ret_first)
{
	uint32_t fresh = mdg__fresh(queue);
	uint32_t left = MDG__BLOCK_UNITS - fresh % MDG__BLOCK_UNITS, first = 0;
	uint32_t skipped = left < count ? left : 0;
	int rc = make_memory(queue, (uint64_t)fresh + skipped + MDG__CELL_OTHER + count);
	if (rc == 0 && skipped != 0) {
		rc = take_fresh(queue, skipped, 0, &first);
		if (rc == 0)
			rc = mdg__cells_give(queue, first, skipped);
	}
	return rc == 0 ? take_fresh(queue, count, 0, ret_first) : rc;
}
