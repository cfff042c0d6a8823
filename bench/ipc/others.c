/* SPDX-License-Identifier: MIT */
/*
 * others.c - a crowd of other sets and queues, to see whether their number matters.
 *
 * They have keys, so that key indexes fill as well. The kernel's outlive a process that crashes,
 * and so do the kernel's set and queue of a game. Those are removed even on a crash. Madang's lie
 * in the run's own namespace directory.
 */
#include "bench/ipc/ipc.h"

#include <errno.h>
#include <signal.h>

#define OTHERS_MAX 30000
#define FIRST_KEY  0x6e000000 /* away from the games' keys and from ftok's usual ones */

struct crowd {
	int sets, queues;
	int set[OTHERS_MAX], queue[OTHERS_MAX];
};

static struct crowd crowds[IPC_SIDES];
/* The kernel's, of games; -1: none. */
static int game_set[IPC_SIDES] = { -1, -1, -1 }, game_queue[IPC_SIDES] = { -1, -1, -1 };

static void crowd_make(int number, int count)
{
	const struct ipc_side *side = ipc_side(number);
	struct crowd *crowd = &crowds[number];
	key_t key = FIRST_KEY + number * OTHERS_MAX * 4;

	while (crowd->sets < count && !stop_asked()) {
		int id = side->set_get(key++, 1, IPC_CREAT | IPC_EXCL | 0600);

		if (id >= 0)
			crowd->set[crowd->sets++] = id;
		else if (errno != EEXIST)
			break; /* as many as the system has room for */
	}
	while (crowd->queues < count && !stop_asked()) {
		int id = side->queue_get(key++, IPC_CREAT | IPC_EXCL | 0600);

		if (id >= 0)
			crowd->queue[crowd->queues++] = id;
		else if (errno != EEXIST)
			break;
	}
}

static void crowd_remove(int number)
{
	const struct ipc_side *side = ipc_side(number);
	struct crowd *crowd = &crowds[number];

	while (crowd->sets > 0)
		side->set_remove(crowd->set[--crowd->sets]);
	while (crowd->queues > 0)
		side->queue_remove(crowd->queue[--crowd->queues]);
}

static bool has_crowd(int number)
{
	return number != IPC_NATIVE && ipc_side(number) != NULL;
}

void ipc_others_make(int count, int ret_made[IPC_SIDES])
{
	for (int i = 0; i < IPC_SIDES; i++) {
		if (!has_crowd(i))
			continue;
		crowd_make(i, count);
		ret_made[i] = crowds[i].sets < crowds[i].queues ? crowds[i].sets : crowds[i].queues;
	}
}

void ipc_others_remove(void)
{
	for (int i = 0; i < IPC_SIDES; i++)
		if (has_crowd(i))
			crowd_remove(i);
}

/* ---- a crash ---------------------------------------------------------------------------- */

/* On a control run the kernel is behind Madang's side too. */
static bool is_kernel(int number)
{
	return ipc_side(number) != NULL && ipc_side(IPC_KERNEL) != NULL &&
	       ipc_side(number)->set_get == ipc_side(IPC_KERNEL)->set_get;
}

void ipc_game_has(int side, int set, int queue)
{
	game_set[side] = is_kernel(side) ? set : -1;
	game_queue[side] = is_kernel(side) ? queue : -1;
}

/* Only the kernel's: system calls are all that may be relied on now. */
static void on_crash(int number)
{
	for (int i = 0; i < IPC_SIDES; i++) {
		if (!is_kernel(i))
			continue;
		crowd_remove(i);
		if (game_set[i] >= 0)
			ipc_side(i)->set_remove(game_set[i]);
		if (game_queue[i] >= 0)
			ipc_side(i)->queue_remove(game_queue[i]);
	}
	signal(number, SIG_DFL);
	raise(number);
}

void ipc_remove_on_crash(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		signal(numbers[i], on_crash);
}
