/* SPDX-License-Identifier: MIT */
/*
 * cells.c - the cells that a thread has given back are there for others, also after a repair, and
 * also if that thread makes no further call.
 *
 * A sweep reads the slips of threads that live. A slip still says what the thread's last send had
 * left over (`rest`), and the thread has given some of that back since then.
 */
#include "msgqueue/layout.h"
#include "msgqueue/queue.h"

enum { LIMIT = 120000, TEXT = 1000, TEXT_CELLS = 17, KEPT = 256, MOST = 512 };

static struct world *world;
static char text[TEXT];

static struct mdg__queue_head *head_of(void)
{
	return (struct mdg__queue_head *)(void *)world->memory;
}

/* How many cells this thread's slip has; 0 if it has no slip. */
static uint32_t own_cells(void)
{
	uint32_t unit = atomic_load(&head_of()->slips);
	while (unit != 0) {
		struct mdg__queue_slip *slip =
			(struct mdg__queue_slip *)(void *)(world->memory + unit * MDG__UNIT);
		if (atomic_load(&slip->pid) == getpid())
			return (uint32_t)(atomic_load(&slip->spare) >> 32);
		unit = atomic_load(&slip->next);
	}
	return 0;
}

/* Sends until there is no memory, and receives all. */
static void fill_and_drain(void *none)
{
	uint32_t count = 0;
	(void)none;
	while (snd_bytes(world, 1, text, TEXT, 0) == 0)
		count++;
	atomic_store(&world->said[0], count);
	while (rcv(world, 0, 0)->rc == 0)
		count--;
	CHECK(count == 0);
}

static uint32_t room(void)
{
	CHECK(ended_well(start(fill_and_drain, NULL)));
	return atomic_load(&world->said[0]);
}

static void send_many(void *none)
{
	(void)none;
	for (int i = 0; i < MOST / TEXT_CELLS + 2; i++)
		CHECK(snd_bytes(world, 1, text, TEXT, 0) == 0);
}

static void die_with_lock(void *none)
{
	(void)none;
	(void)mdg__owned_take(&head_of()->lock, MDG_FOREVER);
	die();
}

static void drain(void *none)
{
	(void)none;
	while (rcv(world, 0, 0)->rc == 0)
		;
}

/* Much is left over by a send; and then half of what the slip has is given back. */
static void leave_old_rest(void)
{
	CHECK(ended_well(start(send_many, NULL)));
	while (own_cells() + TEXT_CELLS <= MOST && rcv(world, 0, 0)->rc == 0)
		;
	CHECK(snd(world, 2, "x", 0) == 0 && own_cells() + TEXT_CELLS >= MOST);
	while (own_cells() > KEPT && rcv(world, 0, 0)->rc == 0)
		;
	CHECK(own_cells() == KEPT);
	CHECK(ended_well(start(drain, NULL)));
}

int main(void)
{
	world = world_make(1 << 20);
	for (int i = 0; i < 4; i++)
		CHECK(snd(world, 1, "x", 0) == 0 && rcv(world, 0, 0)->rc == 0);
	atomic_store(&world->limit, LIMIT);
	uint32_t before = room(), had = own_cells();
	CHECK(before > 50 && had > 0 && had <= KEPT);
	leave_old_rest();
	ended(start(die_with_lock, NULL));
	uint32_t after = room(), kept = (KEPT - had) / TEXT_CELLS;
	if (!CHECK(after + kept + 3 >= before))
		fprintf(stderr, "%u messages went in before, and %u after\n", before, after);
	world_drop(world);
	return test_result();
}
