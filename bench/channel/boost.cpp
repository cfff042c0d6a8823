/* SPDX-License-Identifier: MIT */
/*
 * boost.cpp - Boost's lockfree::spsc_queue with slots of 64 bytes in shared memory, and
 * interprocess::message_queue. Built only where a C++ compiler and Boost's headers are found.
 *
 * The first cannot sleep, and takes one talker. The second waits at its own condition. Their
 * exceptions are not caught in blocks: a member that meets one ends, and its game with it.
 */
#include "bench/channel/channel.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include <cstdio>
#include <new>
#include <unistd.h>

namespace ipc = boost::interprocess;

namespace
{

/* ---- spsc_queue --------------------------------------------------------------------- */

typedef boost::lockfree::spsc_queue<channel_packet, boost::lockfree::capacity<CHANNEL_SLOTS>>
	packet_queue;

static_assert(2 * sizeof(packet_queue) <= CHANNEL_MEMORY, "");

struct spsc_end {
	const channel_game *game;
	packet_queue *out, *in;
};

inline int spsc_put(spsc_end *end, const void *data, size_t size)
{
	(void)size;
	while (!end->out->push(*static_cast<const channel_packet *>(data)))
		channel_moment(end->game);
	return 0;
}

inline int spsc_take(spsc_end *end, void *data, size_t size)
{
	(void)size;
	while (!end->in->pop(*static_cast<channel_packet *>(data)))
		channel_moment(end->game);
	return 0;
}

inline int spsc_put_many(spsc_end *end, const channel_packet *packets, unsigned count)
{
	for (size_t sent = 0; sent < count;) {
		size_t done = end->out->push(packets + sent, count - sent);

		if (done == 0)
			channel_moment(end->game);
		sent += done;
	}
	return 0;
}

inline int spsc_take_many(spsc_end *end, channel_packet *packets, unsigned most)
{
	size_t done;

	while ((done = end->in->pop(packets, most)) == 0)
		channel_moment(end->game);
	return static_cast<int>(done);
}

bool spsc_make(channel_game *game)
{
	char *memory = static_cast<char *>(game->memory);

	for (unsigned i = 0; i < channel_count(game); i++)
		game->made[i] =
			new (memory + static_cast<size_t>(i) * (CHANNEL_MEMORY / 2)) packet_queue();
	return true;
}

bool spsc_join(channel_game *game)
{
	static spsc_end end;

	end.game = game;
	end.out = static_cast<packet_queue *>(game->made[channel_out(game)]);
	end.in = static_cast<packet_queue *>(game->made[channel_in(game)]);
	game->ends = &end;
	return true;
}

#define SIDE       spsc
#define SIDE_MANY  1
#define SIDE_PLACE 0
#define SIDE_LARGE 0
#include "bench/channel/blocks.h"

/* ---- message_queue ------------------------------------------------------------------ */

struct boost_end {
	const channel_game *game;
	ipc::message_queue *out, *in;
};

inline int boost_put(boost_end *end, const void *data, size_t size)
{
	if (end->game->sleeps)
		end->out->send(data, size, 0);
	else
		while (!end->out->try_send(data, size, 0))
			channel_moment(end->game);
	return 0;
}

inline int boost_take(boost_end *end, void *data, size_t size)
{
	ipc::message_queue::size_type got = 0;
	unsigned priority;

	if (end->game->sleeps)
		end->in->receive(data, size, got, priority);
	else
		while (!end->in->try_receive(data, size, got, priority))
			channel_moment(end->game);
	return got != size;
}

/* The members have it from the fork; then its name is not needed any more. */
bool boost_make(channel_game *game)
{
	size_t most = game->measure == CHANNEL_BIG ? CHANNEL_LARGE_SLOTS : CHANNEL_SLOTS;
	char name[64];

	for (unsigned i = 0; i < channel_count(game); i++) {
		std::snprintf(name, sizeof name, "madang-bench-%ld-%u-%u", (long)getpid(),
		              game->number, i);
		try {
			game->made[i] = new ipc::message_queue(ipc::create_only, name, most,
			                                       channel_size(game));
			ipc::message_queue::remove(name);
		} catch (const ipc::interprocess_exception &reason) {
			return channel_cannot(game, "message_queue", reason.what());
		}
	}
	return true;
}

void boost_unmake(channel_game *game)
{
	for (unsigned i = 0; i < channel_count(game); i++)
		delete static_cast<ipc::message_queue *>(game->made[i]);
}

bool boost_join(channel_game *game)
{
	static boost_end end;

	end.game = game;
	end.out = static_cast<ipc::message_queue *>(game->made[channel_out(game)]);
	end.in = static_cast<ipc::message_queue *>(game->made[channel_in(game)]);
	game->ends = &end;
	return true;
}

#define SIDE       boost
#define SIDE_MANY  0
#define SIDE_PLACE 0
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

} // namespace

void channel_boost_fill(channel_side side[CHANNEL_SIDES])
{
	channel_side *spsc = &side[CHANNEL_SPSC], *queue = &side[CHANNEL_BOOST_MQ];

	spsc->name = "boost spsc";
	spsc->spins = true;
	spsc->make = spsc_make;
	spsc->join = spsc_join;
	spsc_set_plays(spsc);
	queue->name = "boost queue";
	queue->spins = queue->sleeps = queue->talkers = true;
	queue->make = boost_make;
	queue->unmake = boost_unmake;
	queue->join = boost_join;
	boost_set_plays(queue);
}
