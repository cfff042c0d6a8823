/* SPDX-License-Identifier: MIT */
/*
 * game.c - what one case needs on one side: a set of two semaphores, a queue, memory that the
 * processes share, and the partner.
 */
#include "bench/ipc/ipc.h"

#include "bench/common/processes.h"

#include <errno.h>
#include <sys/mman.h>

#define FIRST_KEY 0x6f000000

/* With a key that nobody has. */
static bool make_set(struct ipc_game *game, int number)
{
	game->key = FIRST_KEY + number * 0x10000;
	do {
		game->key++;
		game->set = game->side->set_get(game->key, 2, IPC_CREAT | IPC_EXCL | 0600);
	} while (game->set < 0 && errno == EEXIST);
	return game->set >= 0 && game->side->set_give(game->set, 0, game->what->value) == 0 &&
	       game->side->set_give(game->set, 1, game->what->value) == 0;
}

bool ipc_game_begin(struct ipc_game *game, int number, const struct ipc_case *what)
{
	*game = (struct ipc_game){ .side = ipc_side(number), .what = what, .set = -1, .queue = -1 };
	game->control = shared_memory(sizeof *game->control);
	if (make_set(game, number)) {
		game->queue = game->side->queue_get(IPC_PRIVATE, IPC_CREAT | 0600);
		ipc_game_has(number, game->set, game->queue);
		if (game->queue >= 0 && (what->partner == NULL || ipc_partner_begin(game)))
			return true;
	}
	ipc_game_end(game, number);
	return false;
}

void ipc_game_end(struct ipc_game *game, int number)
{
	int saved = errno;

	ipc_partner_end(game);
	if (game->set >= 0)
		game->side->set_remove(game->set);
	if (game->queue >= 0)
		game->side->queue_remove(game->queue);
	ipc_game_has(number, -1, -1);
	munmap(game->control, sizeof *game->control);
	game->side = NULL;
	errno = saved;
}
