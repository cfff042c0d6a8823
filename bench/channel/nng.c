/* SPDX-License-Identifier: MIT */
/*
 * nng.c - nng, PUSH to PULL through its abstract:// sockets, which are those of ipc:// with
 * a name that is no file.
 *
 * Its messages pass through threads of its own, on the processor of the process that it belongs to:
 * who waits sleeps. Small messages by its plain calls, large ones in its message objects.
 */
#include "bench/channel/channel.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include <stdio.h>
#include <unistd.h>

struct nano_end {
	nng_socket out, in;
	bool talks, listens;
	nng_msg *message;
};

static int nano_put(struct nano_end *end, const void *data, size_t size)
{
	/* it does not write there without NNG_FLAG_ALLOC */
	return nng_send(end->out, (void *)(uintptr_t)data, size, 0);
}

static int nano_take(struct nano_end *end, void *data, size_t size)
{
	size_t got = size;

	return nng_recv(end->in, data, &got, 0) != 0 || got != size;
}

static void *nano_reserve(struct nano_end *end, size_t size)
{
	return nng_msg_alloc(&end->message, size) == 0 ? nng_msg_body(end->message) : NULL;
}

static int nano_commit(struct nano_end *end, size_t size)
{
	(void)size;
	return nng_sendmsg(end->out, end->message, 0);
}

static const void *nano_peek(struct nano_end *end, size_t size)
{
	if (nng_recvmsg(end->in, &end->message, 0) != 0 || nng_msg_len(end->message) != size)
		return NULL;
	return nng_msg_body(end->message);
}

static int nano_release(struct nano_end *end)
{
	nng_msg_free(end->message);
	return 0;
}

static void name_of(const struct channel_game *game, unsigned number, char *ret_name, size_t room)
{
	snprintf(ret_name, room, "abstract://madang-bench-%ld-%u-%u", (long)getppid(), game->number,
	         number);
}

static bool nano_join(struct channel_game *game)
{
	static struct nano_end end;
	char name[96];
	int rc;

	game->ends = &end;
	if (!channel_listens(game))
		return true;
	name_of(game, channel_in(game), name, sizeof name);
	rc = nng_pull0_open(&end.in);
	end.listens = rc == 0;
	if (rc == 0)
		rc = nng_listen(end.in, name, NULL, 0);
	return rc == 0 || channel_cannot(game, "nng_listen", nng_strerror(rc));
}

static bool nano_reach(struct channel_game *game)
{
	struct nano_end *end = game->ends;
	char name[96];
	int rc;

	if (!channel_talks(game))
		return true;
	name_of(game, channel_out(game), name, sizeof name);
	rc = nng_push0_open(&end->out);
	end->talks = rc == 0;
	if (rc == 0)
		rc = nng_dial(end->out, name, NULL, 0);
	return rc == 0 || channel_cannot(game, "nng_dial", nng_strerror(rc));
}

static void nano_leave(struct channel_game *game)
{
	struct nano_end *end = game->ends;

	if (end->talks)
		nng_close(end->out);
	if (end->listens)
		nng_close(end->in);
}

#define SIDE       nano
#define SIDE_MANY  0
#define SIDE_PLACE 1
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

void channel_nng_fill(struct channel_side *side)
{
	side->name = "nng";
	side->sleeps = true;
	side->talkers = true;
	side->join = nano_join;
	side->reach = nano_reach;
	side->leave = nano_leave;
	nano_set_plays(side);
}
