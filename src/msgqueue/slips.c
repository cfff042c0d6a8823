/* SPDX-License-Identifier: MIT */
/*
 * slips.c - the slips of threads: getting one, using it for a call, and the cells in it.
 *
 * A thread gets a slip in a queue when it has used the queue by the lock a second time. A process
 * that sends one message needs none. It keeps the slip for its next calls.
 *
 * SIGNAL HANDLERS. A call takes the slip out of the thread's table, and puts it back at its end. A
 * handler that interrupts the call finds no slip, and goes the way by the lock. If the handler
 * leaves the call by siglongjmp, the slip stays out, and the thread gets another one. The cells in
 * it are lost until the thread ends. A handler may interrupt the taking itself. The table has a
 * generation, and whoever finds that it has changed takes nothing.
 *
 * A slip that is not in any table and is not busy is found again by its thread. That of a thread
 * that has died is given to somebody else.
 */
#include "msgqueue/internal.h"

#include "msgqueue/region.h"
#include "platform/identity.h"

enum { SECOND = 2, BATCH = 64, BATCH_MOST = 256, LOOKED_AT_MOST = 1 << 16 };

static struct mdg__slip_entry *find(struct mdg__queue_region *region,
                                    const struct mdg__queue *queue)
{
	for (int i = 0; region != NULL && i < MDG__SLIP_TABLE; i++)
		if (region->slips[i].base == queue->base)
			return &region->slips[i];
	return NULL;
}

/* NULL: it is of another queue that was mapped here, or the parent's. */
static struct mdg__queue_slip *own(const struct mdg__queue *queue,
                                   const struct mdg__slip_entry *entry, uint32_t unit)
{
	struct mdg__queue_slip *slip = mdg__queue_slip_at(queue, unit);
	return slip != NULL && MDG__GET(slip->name) == entry->name &&
	                       MDG__GET(slip->pid) == queue->pid
	               ? slip
	               : NULL;
}

/* ---- for a call ------------------------------------------------------------------------------ */

struct mdg__queue_slip *mdg__queue_slip_begin(const struct mdg__queue *queue, uint32_t *ret_unit)
{
	struct mdg__queue_region *region = mdg__queue_region();
	uint32_t before = region == NULL ? 0 : region->generation;
	struct mdg__slip_entry *entry = find(region, queue);
	uint32_t unit = entry == NULL ? 0 : entry->unit;
	if (unit == 0)
		return NULL;
	struct mdg__queue_slip *slip = own(queue, entry, unit);
	entry->unit = 0;
	if (slip == NULL)
		return NULL;
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(slip->busy, 1);
	atomic_signal_fence(memory_order_seq_cst);
	if (region->generation != before)
		return NULL;
	*ret_unit = unit;
	return slip;
}

void mdg__queue_slip_end(const struct mdg__queue *queue, struct mdg__queue_slip *slip,
                         uint32_t unit)
{
	struct mdg__slip_entry *entry = find(mdg__queue_region(), queue);
	if (entry != NULL && entry->unit == 0 && entry->name == MDG__GET(slip->name))
		entry->unit = unit;
	/* Release: pairs with the acquire in sweep.c. */
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&slip->busy, 0, memory_order_release);
}

/* ---- getting one. [the lock is held] --------------------------------------------------------- */

/* One that this thread has lost, or that a thread has left which has died. */
static uint32_t find_left(const struct mdg__visit *visit, uint64_t own_pids)
{
	const struct mdg__queue *queue = visit->queue;
	uint32_t unit = MDG__GET(mdg__head(queue)->slips);
	for (int i = 0; i < LOOKED_AT_MOST && unit != 0; i++) {
		struct mdg__queue_slip *slip = mdg__queue_slip_at(queue, unit);
		if (slip == NULL)
			return 0;
		/* In another pid namespace the same numbers are another thread's. */
		bool mine = own_pids != 0 && MDG__GET(slip->pids) == own_pids &&
		            MDG__GET(slip->tid) == visit->thread->tid &&
		            MDG__GET(slip->pid) == queue->pid;
		bool busy = MDG__GET(slip->busy) != 0;
		if (mine ? !busy : mdg__queue_slip_owner_is_dead(slip, own_pids)) {
			/* What it had was in between: see sweep.c. */
			return busy && !mdg__cells_find_lost(queue) ? 0 : unit;
		}
		unit = MDG__GET(slip->next);
	}
	return 0;
}

static uint32_t make(struct mdg__queue *queue)
{
	uint32_t unit = 0;
	if (mdg__cells_take_run(queue, MDG__SLIP_UNITS, &unit) < 0)
		return 0;
	struct mdg__queue_slip *slip = mdg__queue_slip_at(queue, unit);
	if (slip == NULL)
		return 0;
	MDG__PUT(slip->taking, 0);
	MDG__PUT(slip->rest, 0);
	MDG__PUT(slip->spare, 0);
	MDG__PUT(slip->next, MDG__GET(mdg__head(queue)->slips));
	mdg__commit32(&mdg__head(queue)->slips, unit);
	return unit;
}

static struct mdg__slip_entry *keep(struct mdg__queue_region *region,
                                    const struct mdg__queue *queue, uint64_t name, uint32_t unit)
{
	struct mdg__slip_entry *entry = find(region, queue);
	region->generation = region->generation + 1;
	if (entry == NULL) {
		entry = &region->slips[region->slip_next % MDG__SLIP_TABLE];
		region->slip_next = region->slip_next + 1;
	}
	entry->base = queue->base;
	entry->name = name;
	entry->by_lock = 0;
	entry->batch = BATCH;
	entry->unit = unit;
	return entry;
}

static struct mdg__queue_slip *get(const struct mdg__visit *visit, struct mdg__queue_region *region)
{
	struct mdg__queue *queue = visit->queue;
	uint64_t pids = mdg__pid_namespace();
	uint32_t unit = find_left(visit, pids);
	if (unit == 0)
		unit = make(queue);
	struct mdg__queue_slip *slip = mdg__queue_slip_at(queue, unit);
	if (slip == NULL)
		return NULL;
	uint64_t name = mdg__monotonic_nanoseconds() << 16 ^ visit->thread->tid;
	MDG__PUT(slip->tid, visit->thread->tid);
	MDG__PUT(slip->pid, queue->pid);
	MDG__PUT(slip->pids, pids);
	MDG__PUT(slip->name, name);
	MDG__PUT(slip->busy, 0);
	(void)keep(region, queue, name, unit);
	return slip;
}

/* ---- the cells in it. [the lock is held] ----------------------------------------------------- */

static void refill(struct mdg__queue *queue, struct mdg__queue_slip *slip, uint32_t cells,
                   struct mdg__slip_entry *entry)
{
	uint64_t spare = MDG__GET(slip->spare);
	uint32_t more = entry->batch > cells ? entry->batch : cells, first = 0;
	if (spare >> 32 >= cells || mdg__cells_take(queue, more, &first) < 0)
		return;
	if (entry->batch < BATCH_MOST)
		entry->batch *= 2;
	uint32_t last = first;
	for (uint32_t i = 1; i < more; i++) {
		last = MDG__GET(*mdg__link_of(queue, last));
		if (!mdg__is_cell(queue, last))
			return;
	}
	MDG__PUT(*mdg__link_of(queue, last), (uint32_t)spare);
	mdg__chain_write(&slip->spare, first, (uint32_t)(spare >> 32) + more);
}

void mdg__queue_slip_prepare(const struct mdg__visit *visit, uint32_t cells)
{
	struct mdg__queue *queue = visit->queue;
	struct mdg__queue_region *region = mdg__queue_region_make(visit->thread);
	if (region == NULL)
		return;
	struct mdg__slip_entry *entry = find(region, queue);
	if (entry == NULL)
		entry = keep(region, queue, 0, 0);
	uint32_t unit = entry->unit;
	struct mdg__queue_slip *slip = unit == 0 ? NULL : own(queue, entry, unit);
	if (slip == NULL) {
		entry->unit = 0;
		if (++entry->by_lock < SECOND)
			return;
		slip = get(visit, region);
	}
	if (slip != NULL && cells <= MDG__EXPRESS_CELLS)
		refill(queue, slip, cells, find(region, queue));
}

void mdg__queue_slip_trim(struct mdg__queue *queue, struct mdg__queue_slip *slip)
{
	uint64_t spare = MDG__GET(slip->spare);
	uint32_t count = (uint32_t)(spare >> 32), cell = (uint32_t)spare;
	if (count <= MDG__SPARE_KEPT)
		return;
	for (uint32_t i = 1; i < MDG__SPARE_KEPT && mdg__is_cell(queue, cell); i++)
		cell = MDG__GET(*mdg__link_of(queue, cell));
	if (!mdg__is_cell(queue, cell))
		return;
	uint32_t rest = MDG__GET(*mdg__link_of(queue, cell));
	mdg__chain_write(&slip->spare, (uint32_t)spare, MDG__SPARE_KEPT);
	if (mdg__is_cell(queue, rest))
		(void)mdg__cells_give(queue, rest, count - MDG__SPARE_KEPT);
}

void mdg__queue_slip_give_up(const struct mdg__queue *queue)
{
	struct mdg__slip_entry *entry = find(mdg__queue_region(), queue);
	struct mdg__queue_slip *slip =
		entry == NULL || entry->unit == 0 ? NULL : own(queue, entry, entry->unit);
	if (slip == NULL)
		return;
	MDG__PUT(slip->taking, 0);
	MDG__PUT(slip->rest, 0);
	MDG__PUT(slip->spare, 0);
}
