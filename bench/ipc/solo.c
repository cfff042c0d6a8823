/* SPDX-License-Identifier: MIT */
/*
 * solo.c - the blocks of one process alone.
 *
 * Every call's answer is looked at: a block in which one failed gives no time.
 */
#include "bench/ipc/ipc.h"

#include <errno.h>
#include <string.h>

enum { SMALL = 64, LARGE = 8192 };

static uint64_t ended(uint64_t start, bool bad)
{
	uint64_t took = now_ns() - start;

	return bad ? 0 : took ? took : 1;
}

/* ---- semaphores ------------------------------------------------------------------------- */

/* Takes and gives back, n times. */
static uint64_t take_and_give(struct ipc_game *game, unsigned n, short flags)
{
	int (*op)(int, struct sembuf *, size_t) = game->side->set_op;
	struct sembuf take = { 0, -1, flags }, give = { 0, 1, flags };
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = op(game->set, &take, 1) != 0 || op(game->set, &give, 1) != 0;
	return ended(start, bad);
}

uint64_t ipc_run_op(struct ipc_game *game, unsigned n)
{
	return take_and_give(game, n, 0);
}

uint64_t ipc_run_op_undo(struct ipc_game *game, unsigned n)
{
	return take_and_give(game, n, SEM_UNDO);
}

/* From one semaphore to the other, and back. */
uint64_t ipc_run_op_two(struct ipc_game *game, unsigned n)
{
	int (*op)(int, struct sembuf *, size_t) = game->side->set_op;
	struct sembuf there[2] = { { 0, -1, 0 }, { 1, 1, 0 } };
	struct sembuf back[2] = { { 1, -1, 0 }, { 0, 1, 0 } };
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = op(game->set, there, 2) != 0 || op(game->set, back, 2) != 0;
	return ended(start, bad);
}

uint64_t ipc_run_value(struct ipc_game *game, unsigned n)
{
	int (*value)(int, int) = game->side->set_value;
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = value(game->set, 0) != game->what->value;
	return ended(start, bad);
}

static uint64_t find(struct ipc_game *game, unsigned n, int flags)
{
	int (*get)(key_t, int, int) = game->side->set_get;
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = get(game->key, 1, flags) != game->set;
	return ended(start, bad);
}

uint64_t ipc_run_find(struct ipc_game *game, unsigned n)
{
	return find(game, n, 0);
}

uint64_t ipc_run_find_ask(struct ipc_game *game, unsigned n)
{
	return find(game, n, 0600);
}

uint64_t ipc_run_set_make(struct ipc_game *game, unsigned n)
{
	const struct ipc_side *side = game->side;
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--) {
		int id = side->set_get(IPC_PRIVATE, 1, IPC_CREAT | 0600);

		bad = id < 0 || side->set_remove(id) != 0;
	}
	return ended(start, bad);
}

uint64_t ipc_run_set_stat(struct ipc_game *game, unsigned n)
{
	int (*stat)(int) = game->side->set_stat;
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = stat(game->set) != 0;
	return ended(start, bad);
}

/* ---- queues ----------------------------------------------------------------------------- */

static uint64_t send_and_receive(struct ipc_game *game, unsigned n, size_t size)
{
	const struct ipc_side *side = game->side;
	struct {
		long type;
		char text[LARGE];
	} sent, got;
	uint64_t start;
	bool bad = false;

	memset(&sent, 'm', sizeof sent);
	sent.type = 1;
	start = now_ns();
	for (; n > 0 && !bad; n--) {
		/* The text differs from one message to the next, at its beginning and its end. */
		memcpy(sent.text, &n, sizeof n);
		memcpy(sent.text + size - sizeof n, &n, sizeof n);
		bad = side->queue_send(game->queue, &sent, size) != 0 ||
		      side->queue_receive(game->queue, &got, size, 0) != (ssize_t)size ||
		      got.type != 1 || memcmp(got.text, &n, sizeof n) != 0 ||
		      memcmp(got.text + size - sizeof n, &n, sizeof n) != 0;
	}
	return ended(start, bad);
}

uint64_t ipc_run_message(struct ipc_game *game, unsigned n)
{
	return send_and_receive(game, n, SMALL);
}

uint64_t ipc_run_message_8k(struct ipc_game *game, unsigned n)
{
	return send_and_receive(game, n, LARGE);
}

uint64_t ipc_run_queue_make(struct ipc_game *game, unsigned n)
{
	const struct ipc_side *side = game->side;
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--) {
		int id = side->queue_get(IPC_PRIVATE, IPC_CREAT | 0600);

		bad = id < 0 || side->queue_remove(id) != 0;
	}
	return ended(start, bad);
}

uint64_t ipc_run_queue_stat_new(struct ipc_game *game, unsigned n)
{
	int (*stat)(int) = game->side->queue_stat;
	uint64_t start = now_ns();
	bool bad = false;

	for (; n > 0 && !bad; n--)
		bad = stat(game->queue) != 0;
	return ended(start, bad);
}

/* Of a queue through which a message has gone. */
uint64_t ipc_run_queue_stat(struct ipc_game *game, unsigned n)
{
	if (!game->used && ipc_run_message(game, 1) == 0)
		return 0;
	game->used = true;
	return ipc_run_queue_stat_new(game, n);
}
