/* SPDX-License-Identifier: MIT */
/*
 * zmq.c - ZeroMQ, PUSH to PULL through ipc://.
 *
 * Its messages pass through threads of its own, on the processor of the process that it belongs to:
 * who waits sleeps. Small messages by its plain calls, large ones in its message objects.
 */
#include "bench/channel/channel.h"

#include <zmq.h>

#include <stdio.h>
#include <unistd.h>

struct zero_end {
	void *context, *out, *in;
	zmq_msg_t message;
};

static int zero_put(struct zero_end *end, const void *data, size_t size)
{
	return zmq_send(end->out, data, size, 0) != (int)size;
}

static int zero_take(struct zero_end *end, void *data, size_t size)
{
	return zmq_recv(end->in, data, size, 0) != (int)size;
}

static void *zero_reserve(struct zero_end *end, size_t size)
{
	return zmq_msg_init_size(&end->message, size) == 0 ? zmq_msg_data(&end->message) : NULL;
}

static int zero_commit(struct zero_end *end, size_t size)
{
	return zmq_msg_send(&end->message, end->out, 0) != (int)size;
}

static const void *zero_peek(struct zero_end *end, size_t size)
{
	if (zmq_msg_init(&end->message) != 0 ||
	    zmq_msg_recv(&end->message, end->in, 0) != (int)size)
		return NULL;
	return zmq_msg_data(&end->message);
}

static int zero_release(struct zero_end *end)
{
	return zmq_msg_close(&end->message);
}

/* A name without a file. */
static void name_of(const struct channel_game *game, unsigned number, char *ret_name, size_t room)
{
	snprintf(ret_name, room, "ipc://@madang-bench-%ld-%u-%u", (long)getppid(), game->number,
	         number);
}

static bool refuses(struct channel_game *game, const char *what)
{
	return channel_cannot(game, what, zmq_strerror(zmq_errno()));
}

static bool zero_join(struct channel_game *game)
{
	static struct zero_end end;
	const int most = game->measure == CHANNEL_BIG ? CHANNEL_LARGE_SLOTS : CHANNEL_SLOTS;
	char name[96];

	game->ends = &end;
	end.context = zmq_ctx_new();
	if (end.context == NULL)
		return refuses(game, "zmq_ctx_new");
	if (!channel_listens(game))
		return true;
	name_of(game, channel_in(game), name, sizeof name);
	end.in = zmq_socket(end.context, ZMQ_PULL);
	if (end.in == NULL || zmq_setsockopt(end.in, ZMQ_RCVHWM, &most, sizeof most) != 0 ||
	    zmq_bind(end.in, name) != 0)
		return refuses(game, "zmq_bind");
	return true;
}

static bool zero_reach(struct channel_game *game)
{
	struct zero_end *end = game->ends;
	const int most = game->measure == CHANNEL_BIG ? CHANNEL_LARGE_SLOTS : CHANNEL_SLOTS;
	char name[96];

	if (!channel_talks(game))
		return true;
	name_of(game, channel_out(game), name, sizeof name);
	end->out = zmq_socket(end->context, ZMQ_PUSH);
	if (end->out == NULL || zmq_setsockopt(end->out, ZMQ_SNDHWM, &most, sizeof most) != 0 ||
	    zmq_connect(end->out, name) != 0)
		return refuses(game, "zmq_connect");
	return true;
}

static void zero_leave(struct channel_game *game)
{
	struct zero_end *end = game->ends;
	const int none = 0;

	if (end->out != NULL) {
		zmq_setsockopt(end->out, ZMQ_LINGER, &none, sizeof none);
		zmq_close(end->out);
	}
	if (end->in != NULL)
		zmq_close(end->in);
	zmq_ctx_term(end->context);
}

#define SIDE       zero
#define SIDE_MANY  0
#define SIDE_PLACE 1
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

void channel_zmq_fill(struct channel_side *side)
{
	side->name = "zeromq";
	side->sleeps = true;
	side->talkers = true;
	side->join = zero_join;
	side->reach = zero_reach;
	side->leave = zero_leave;
	zero_set_plays(side);
}
