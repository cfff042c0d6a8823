/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - which cells are in use, found anew; and the free chain, made anew of the others.
 *
 * The marks are bits in private memory. They cannot be in the links, because a thread on the
 * express way follows and changes the links of its own cells at any time.
 *
 * THE CELLS OF A SLIP are marked while its owner goes on with its work. While the turn is LOCKED,
 * no message changes its owner, so the cells that are the owner's are the same all the time. But
 * the owner moves them from one of the slip's fields to another. It writes the new field before it
 * clears or changes the old one, in the order `taking`, `rest`, `spare`. The fields are read in
 * that order, so each of its cells is found in one of them. Some may be marked that are somebody
 * else's; they are missing in the free chain until the next sweep.
 *
 * Between its calls only `spare` counts. The other fields name what the last call had, which may be
 * anybody's by now. If they were read as well, a thread that does not call again could keep
 * hundreds of cells from others.
 *
 * A slip whose owner has died has no cells.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

#include <sys/mman.h>

#include "platform/identity.h"
#include "platform/memory.h"

static uint32_t next_cell(uint32_t unit)
{
	unit++;
	return unit % MDG__BLOCK_UNITS == 0 ? unit + MDG__CELL_OTHER : unit;
}

int mdg__marks_begin(struct mdg__marks *marks, uint32_t end)
{
	uint64_t page = mdg__page_size(), bytes = (uint64_t)end / 8 + 1;
	void *got = NULL;
	marks->end = end;
	marks->highest = 0;
	marks->bytes = (size_t)((bytes + page - 1) / page * page);
	if (mdg__sys_mmap(NULL, marks->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                  -1, 0, &got) < 0)
		return -ENOMEM;
	marks->bits = got;
	return 0;
}

void mdg__marks_end(struct mdg__marks *marks)
{
	(void)mdg__sys_munmap(marks->bits, marks->bytes);
}

bool mdg__marks_add(struct mdg__marks *marks, uint32_t unit)
{
	unsigned char *byte = &marks->bits[unit / 8], bit = (unsigned char)(1u << unit % 8);
	if ((*byte & bit) != 0)
		return false;
	*byte |= bit;
	if (unit > marks->highest)
		marks->highest = unit;
	return true;
}

bool mdg__marks_add_message(const struct mdg__queue *queue, struct mdg__marks *marks, uint32_t cell)
{
	const struct mdg__message *message = mdg__message(queue, cell);
	uint32_t length = MDG__GET(message->length);
	if (length > marks->end * (uint64_t)MDG__UNIT || MDG__GET(message->type) < 1)
		return false;
	for (uint32_t left = mdg__cells_for(length); left > 0; left--) {
		if (!mdg__is_cell(queue, cell) || cell >= marks->end ||
		    !mdg__marks_add(marks, cell))
			return false;
		cell = MDG__GET(*mdg__link_of(queue, cell));
	}
	return true;
}

static void mark_waiters(const struct mdg__queue *queue, struct mdg__marks *marks)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t groups = MDG__GET(head->waiter_groups);
	for (uint32_t i = 0; i < groups && i < MDG__WAITER_GROUPS; i++) {
		uint32_t unit = MDG__GET(head->group[i]);
		if (mdg__waiter(queue, (i + 1) * MDG__WAITER_GROUP) == NULL)
			break;
		for (uint32_t at = 0; at < MDG__WAITER_GROUP * MDG__WAITER_UNITS; at++)
			if (unit + at < marks->end)
				(void)mdg__marks_add(marks, unit + at);
	}
}

static void mark_chain(const struct mdg__queue *queue, struct mdg__marks *marks, uint64_t chain)
{
	uint32_t cell = (uint32_t)chain;
	for (uint64_t left = chain >> 32; left > 0; left--) {
		if (!mdg__is_cell(queue, cell) || cell >= marks->end)
			return;
		(void)mdg__marks_add(marks, cell);
		cell = MDG__GET(*mdg__link_of(queue, cell));
	}
}

/* In doubt, it lives. */
bool mdg__queue_slip_owner_is_dead(const struct mdg__queue_slip *slip, uint64_t own_pids)
{
	uint64_t pids = MDG__GET(slip->pids);
	return pids != 0 && pids == own_pids &&
	       !mdg__sys_process_exists((int32_t)MDG__GET(slip->tid));
}

static void mark_cells(const struct mdg__queue *queue, struct mdg__marks *marks,
                       struct mdg__queue_slip *slip)
{
	/* Acquire: whoever finds that the call has ended finds what it has left in `spare`. If a
	 * call has taken cells by now, its swap came before the turn was LOCKED, and is seen. */
	if (atomic_load_explicit(&slip->busy, memory_order_acquire) != 0) {
		mark_chain(queue, marks, mdg__chain_read(&slip->taking));
		mark_chain(queue, marks, mdg__chain_read(&slip->rest));
	}
	mark_chain(queue, marks, mdg__chain_read(&slip->spare));
}

/* The slips themselves. A list that leads to nowhere, or in a circle, ends there. */
static void mark_list(const struct mdg__queue *queue, struct mdg__marks *marks)
{
	_Atomic uint32_t *from = &mdg__head(queue)->slips;
	for (uint32_t unit; (unit = MDG__GET(*from)) != 0;) {
		struct mdg__queue_slip *slip = mdg__queue_slip_at(queue, unit);
		if (slip == NULL || unit + MDG__SLIP_UNITS > marks->end ||
		    !mdg__marks_add(marks, unit)) {
			MDG__PUT(*from, 0);
			return;
		}
		for (uint32_t i = 1; i < MDG__SLIP_UNITS; i++)
			(void)mdg__marks_add(marks, unit + i);
		from = &slip->next;
	}
}

static void mark_slips(const struct mdg__queue *queue, struct mdg__marks *marks)
{
	uint32_t unit = MDG__GET(mdg__head(queue)->slips);
	if (unit == 0)
		return;
	uint64_t own_pids = mdg__pid_namespace();
	mark_list(queue, marks);
	for (uint32_t left = marks->end; left > 0; left--) {
		struct mdg__queue_slip *slip = mdg__queue_slip_at(queue, unit);
		if (slip == NULL)
			return;
		if (!mdg__queue_slip_owner_is_dead(slip, own_pids)) {
			mark_cells(queue, marks, slip);
		} else {
			MDG__PUT(slip->taking, 0);
			MDG__PUT(slip->rest, 0);
			MDG__PUT(slip->spare, 0);
		}
		unit = MDG__GET(slip->next);
	}
}

/* Makes the free chain of the cells up to `end` that are not marked. */
static void free_others(const struct mdg__queue *queue, const struct mdg__marks *marks,
                        uint32_t end)
{
	uint32_t free = 0, last = 0;
	for (uint32_t cell = MDG__CELL_FIRST; cell < end; cell = next_cell(cell)) {
		if ((marks->bits[cell / 8] >> cell % 8 & 1) != 0)
			continue;
		if (last == 0)
			free = cell;
		else
			MDG__PUT(*mdg__link_of(queue, last), cell);
		MDG__PUT(*mdg__link_of(queue, cell), 0);
		last = cell;
	}
	MDG__PUT(mdg__head(queue)->free, free);
}

void mdg__sweep(const struct mdg__queue *queue, struct mdg__marks *marks)
{
	mark_slips(queue, marks);
	mark_waiters(queue, marks);
	free_others(queue, marks, marks->end);
}

bool mdg__cells_find_lost(const struct mdg__queue *queue)
{
	uint32_t end = mdg__fresh(queue), units = mdg__units(queue);
	uint32_t cell = MDG__GET(mdg__head(queue)->first);
	struct mdg__marks marks;
	bool whole = true;
	if (mdg__marks_begin(&marks, end < units ? end : units) < 0)
		return false;
	for (; cell != 0 && whole; cell = mdg__next(queue, cell))
		whole = mdg__is_cell(queue, cell) && mdg__marks_add_message(queue, &marks, cell);
	if (whole)
		mdg__sweep(queue, &marks);
	mdg__marks_end(&marks);
	return whole;
}

/* The new figures come before the memory goes. If this process dies in between, memory is kept that
 * need not be. */
bool mdg__cells_give_all(struct mdg__queue *queue)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t fresh = mdg__fresh(queue), units = mdg__units(queue);
	struct mdg__marks marks;
	if (mdg__marks_begin(&marks, fresh < units ? fresh : units) < 0)
		return false;
	mark_slips(queue, &marks);
	mark_waiters(queue, &marks);
	if (marks.highest >= MDG__UNITS_KEPT - 1) {
		free_others(queue, &marks, marks.end);
		MDG__PUT(head->not_given, fresh);
	} else {
		fresh = marks.highest < MDG__CELL_FIRST ? MDG__CELL_FIRST : marks.highest + 1;
		free_others(queue, &marks, fresh);
		MDG__PUT(head->fresh, fresh);
		MDG__PUT(head->kept, MDG__UNITS_KEPT);
		atomic_signal_fence(memory_order_seq_cst);
		queue->memory->punch(queue, (uint64_t)MDG__UNITS_KEPT * MDG__UNIT);
	}
	mdg__marks_end(&marks);
	return true;
}
