/* SPDX-License-Identifier: MIT */
/*
 * ck.c - Concurrency Kit's ring, with slots of 64 bytes in shared memory: the calls for one
 * talker and one listener, or for many talkers and one listener.
 *
 * It cannot sleep, and has no batches. Its functions are inline.
 */
#include "bench/channel/channel.h"

#include <ck_ring.h>

#include <stdlib.h>

CK_RING_PROTOTYPE(packet, channel_packet)

/* In shared memory. A ring of 2^n slots holds one less. */
struct ck_place {
	struct ck_ring ring;
	char rest[256 - sizeof(struct ck_ring) % 256];
	CHANNEL_ALIGNED struct channel_packet slots[CHANNEL_SLOTS];
};

_Static_assert(2 * sizeof(struct ck_place) <= CHANNEL_MEMORY, "");

struct ck_end {
	const struct channel_game *game;
	struct ck_place *out, *in;
};

static int ck_put(struct ck_end *end, struct channel_packet *packet, size_t size)
{
	struct ck_place *out = end->out;

	(void)size;
	if (end->game->talkers > 1)
		while (!ck_ring_enqueue_mpsc_packet(&out->ring, out->slots, packet))
			channel_moment(end->game);
	else
		while (!ck_ring_enqueue_spsc_packet(&out->ring, out->slots, packet))
			channel_moment(end->game);
	return 0;
}

static int ck_take(struct ck_end *end, struct channel_packet *packet, size_t size)
{
	struct ck_place *in = end->in;

	(void)size;
	if (end->game->talkers > 1)
		while (!ck_ring_dequeue_mpsc_packet(&in->ring, in->slots, packet))
			channel_moment(end->game);
	else
		while (!ck_ring_dequeue_spsc_packet(&in->ring, in->slots, packet))
			channel_moment(end->game);
	return 0;
}

static bool ck_make(struct channel_game *game)
{
	struct ck_place *places = game->memory;

	for (unsigned i = 0; i < channel_count(game); i++)
		ck_ring_init(&places[i].ring, CHANNEL_SLOTS);
	return true;
}

static bool ck_join(struct channel_game *game)
{
	static struct ck_end end;
	struct ck_place *places = game->memory;

	end = (struct ck_end){ game, &places[channel_out(game)], &places[channel_in(game)] };
	game->ends = &end;
	return true;
}

#define SIDE       ck
#define SIDE_MANY  0
#define SIDE_PLACE 0
#define SIDE_LARGE 0
#include "bench/channel/blocks.h"

void channel_ck_fill(struct channel_side *side)
{
	side->name = "ck_ring";
	side->spins = true;
	side->talkers = true;
	side->make = ck_make;
	side->join = ck_join;
	ck_set_plays(side);
}
