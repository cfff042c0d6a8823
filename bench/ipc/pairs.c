/* SPDX-License-Identifier: MIT */
/*
 * pairs.c - the blocks of two processes: there and back, a mutex that both want, messages one way.
 */
#include "bench/ipc/ipc.h"

#include "bench/common/processes.h"

#include <string.h>

enum { TEXT = 64, THERE = 1, BACK = 2 };

struct message {
	long type;
	uint32_t number;
	char rest[TEXT - sizeof(uint32_t)];
};

static uint64_t ended(uint64_t start, bool bad)
{
	uint64_t took = now_ns() - start;

	return bad ? 0 : took ? took : 1;
}

static bool change(struct ipc_game *game, unsigned short number, short by, short flags)
{
	struct sembuf op = { number, by, flags };

	return game->side->set_op(game->set, &op, 1) == 0;
}

/* ---- a semaphore there and back --------------------------------------------------------- */

uint64_t ipc_run_set_pair(struct ipc_game *game, unsigned n)
{
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !change(game, 0, 1, 0) || !change(game, 1, -1, 0);
	return ended(start, bad);
}

uint32_t ipc_partner_set_pair(struct ipc_game *game, uint32_t n)
{
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !change(game, 0, -1, 0) || !change(game, 1, 1, 0);
	return bad ? UINT32_MAX : 0;
}

/* ---- a mutex ---------------------------------------------------------------------------- */

static bool count_under_mutex(struct ipc_game *game)
{
	volatile uint64_t *guarded = &game->control->guarded;

	if (!change(game, 0, -1, SEM_UNDO))
		return false;
	*guarded = *guarded + 1;
	return change(game, 0, 1, SEM_UNDO);
}

uint64_t ipc_run_mutex(struct ipc_game *game, unsigned n)
{
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !count_under_mutex(game);
	return ended(start, bad);
}

/* Until the driver has done its part. */
uint32_t ipc_partner_mutex(struct ipc_game *game, uint32_t n)
{
	uint32_t done = 0;
	bool bad = false;

	(void)n;
	for (; !bad && word_get(&game->control->stop) == 0; done++)
		bad = !count_under_mutex(game);
	return bad ? UINT32_MAX : done;
}

/* ---- messages --------------------------------------------------------------------------- */

static bool message_send(struct ipc_game *game, long type, uint32_t number)
{
	struct message message = { .type = type, .number = number };

	return game->side->queue_send(game->queue, &message, TEXT) == 0;
}

static bool message_receive(struct ipc_game *game, long type, uint32_t number)
{
	struct message message;

	return game->side->queue_receive(game->queue, &message, TEXT, type) == TEXT &&
	       message.number == number;
}

/* One queue, and a type for each direction. */
uint64_t ipc_run_queue_pair(struct ipc_game *game, unsigned n)
{
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !message_send(game, THERE, n) || !message_receive(game, BACK, n);
	return ended(start, bad);
}

uint32_t ipc_partner_queue_pair(struct ipc_game *game, uint32_t n)
{
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !message_receive(game, THERE, n) || !message_send(game, BACK, n);
	return bad ? UINT32_MAX : 0;
}

/* The driver receives. */
uint64_t ipc_run_one_way(struct ipc_game *game, unsigned n)
{
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !message_receive(game, THERE, n);
	return ended(start, bad);
}

uint32_t ipc_partner_one_way(struct ipc_game *game, uint32_t n)
{
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = !message_send(game, THERE, n);
	return bad ? UINT32_MAX : 0;
}
