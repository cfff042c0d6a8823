/* SPDX-License-Identifier: MIT */
/*
 * madang.c - Madang's side of the comparison of channels.
 *
 * STREAM, QUEUE, TOPIC copy in and out, and write and read the large messages in place. PLACE is a
 * stream whose small messages are written and read in place, too. DEFAULT is a stream that spins
 * before it sleeps, beside those that sleep at once. CALL asks and replies, there and back only.
 */
#include "bench/channel/channel.h"

#include <madang/channel.h>
#include <madang/segment.h>

#include <stdio.h>

/* A side's variant: a kind of channel, and how who is to sleep does it. */
enum { VARIANT_KIND = 0xff, VARIANT_DEFAULT = 0x100 };

struct madang_end {
	mdg_namespace *ns;
	mdg_channel *out, *in;
	struct mdg_message messages[CHANNEL_BATCH];
};

/* ---- by copy ------------------------------------------------------------------------ */

static int madang_put(struct madang_end *end, const void *data, size_t size)
{
	return mdg_channel_send(end->out, data, size, MDG_FOREVER);
}

static int madang_take(struct madang_end *end, void *data, size_t size)
{
	return mdg_channel_recv(end->in, data, size, NULL, MDG_FOREVER) != (int)size;
}

static int madang_put_many(struct madang_end *end, struct channel_packet *packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		end->messages[i].data = &packets[i];
		end->messages[i].size = sizeof *packets;
	}
	for (unsigned sent = 0; sent < count;) {
		int done = mdg_channel_send_many(end->out, end->messages + sent, count - sent,
		                                 MDG_FOREVER);

		if (done <= 0)
			return -1;
		sent += (unsigned)done;
	}
	return 0;
}

static int madang_take_many(struct madang_end *end, struct channel_packet *packets, unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		end->messages[i].data = &packets[i];
		end->messages[i].size = sizeof *packets;
	}
	return mdg_channel_recv_many(end->in, end->messages, most, MDG_FOREVER);
}

/* ---- in place ----------------------------------------------------------------------- */

static void *madang_reserve(struct madang_end *end, size_t size)
{
	void *place;

	return mdg_channel_reserve(end->out, size, &place, MDG_FOREVER) == 0 ? place : NULL;
}

static int madang_commit(struct madang_end *end, size_t size)
{
	return mdg_channel_commit(end->out, size);
}

static const void *madang_peek(struct madang_end *end, size_t size)
{
	struct mdg_message message;

	if (mdg_channel_peek(end->in, &message, MDG_FOREVER) != 0 || message.size != size)
		return NULL;
	return message.data;
}

static int madang_release(struct madang_end *end)
{
	return mdg_channel_release(end->in);
}

#define SIDE       madang
#define SIDE_MANY  1
#define SIDE_PLACE 1
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

#define place_end madang_end

/* A message is made at its place, and used there: two words of it are. */
static int place_put(struct place_end *end, const void *data, size_t size)
{
	void *place = madang_reserve(end, size);

	if (place == NULL)
		return -1;
	memcpy(place, data, size);
	return mdg_channel_commit(end->out, size);
}

static int place_take(struct place_end *end, struct channel_packet *packet, size_t size)
{
	const struct channel_packet *place = madang_peek(end, size);

	if (place == NULL)
		return -1;
	packet->number = place->number;
	packet->talker = place->talker;
	return mdg_channel_release(end->in);
}

static int place_put_many(struct place_end *end, const struct channel_packet *packets,
                          unsigned count)
{
	for (unsigned sent = 0; sent < count;) {
		int done;

		for (unsigned i = 0; i < count - sent; i++)
			end->messages[i].size = sizeof *packets;
		done = mdg_channel_reserve_many(end->out, end->messages, count - sent, MDG_FOREVER);
		if (done <= 0)
			return -1;
		for (int i = 0; i < done; i++)
			memcpy(end->messages[i].data, &packets[sent + (unsigned)i],
			       sizeof *packets);
		if (mdg_channel_commit_many(end->out, end->messages, (unsigned)done) != 0)
			return -1;
		sent += (unsigned)done;
	}
	return 0;
}

static int place_take_many(struct place_end *end, struct channel_packet *packets, unsigned most)
{
	int done = mdg_channel_peek_many(end->in, end->messages, most, MDG_FOREVER);

	for (int i = 0; i < done; i++) {
		const struct channel_packet *place = end->messages[i].data;

		packets[i].number = place->number;
		packets[i].talker = place->talker;
	}
	return done > 0 && mdg_channel_release(end->in) != 0 ? -1 : done;
}

#define SIDE       place
#define SIDE_MANY  1
#define SIDE_PLACE 0
#define SIDE_LARGE 0
#include "bench/channel/blocks.h"

/* ---- asking ------------------------------------------------------------------------- */

static int call_ask(struct channel_game *game, unsigned n)
{
	struct madang_end *end = game->ends;
	CHANNEL_ALIGNED struct channel_packet packets[CHANNEL_WRITTEN];
	CHANNEL_ALIGNED struct channel_packet answer;

	channel_packets_init(packets, 0);
	for (unsigned i = 0; i < n; i++) {
		struct channel_packet *packet;

		channel_stamp(game, i);
		packet = channel_packet_write(packets, i, game->ahead);
		if (mdg_channel_call(end->out, packet, sizeof *packet, &answer, sizeof answer, NULL,
		                     MDG_FOREVER) != (int)sizeof answer ||
		    answer.number != i)
			return -1;
	}
	channel_stamp(game, n);
	return 0;
}

static int call_answer(struct channel_game *game, unsigned n)
{
	struct madang_end *end = game->ends;
	CHANNEL_ALIGNED struct channel_packet packet;

	while (n-- > 0)
		if (mdg_channel_recv(end->in, &packet, sizeof packet, NULL, MDG_FOREVER) !=
		            (int)sizeof packet ||
		    mdg_channel_send(end->in, &packet, sizeof packet, MDG_FOREVER) != 0)
			return -1;
	return 0;
}

/* ---- opening ------------------------------------------------------------------------ */

static bool enter(struct channel_game *game)
{
	static struct madang_end end;
	int rc;

	memset(&end, 0, sizeof end);
	game->ends = &end;
	rc = mdg_namespace_open(&end.ns, NULL, NULL);
	return rc == 0 || channel_cannot(game, "mdg_namespace_open", mdg_strerror(rc));
}

static bool channel_open(struct channel_game *game, unsigned number, unsigned role,
                         mdg_channel **ret_channel)
{
	const struct madang_end *end = game->ends;
	unsigned variant = game->side->variant;
	struct mdg_channel_options options = {
		.size = sizeof options,
		.kind = variant & VARIANT_KIND,
		.capacity = channel_room(game),
		.wait = !game->sleeps               ? MDG_WAIT_SPIN
		        : variant & VARIANT_DEFAULT ? MDG_WAIT_DEFAULT
		                                    : MDG_WAIT_SLEEP,
	};
	char name[32];
	int rc;

	snprintf(name, sizeof name, "bench-%u-%u", game->number, number);
	rc = mdg_channel_open(ret_channel, end->ns, name, role, &options);
	return rc == 0 || channel_cannot(game, "mdg_channel_open", mdg_strerror(rc));
}

static bool join(struct channel_game *game)
{
	if (!enter(game))
		return false;
	return !channel_listens(game) || channel_open(game, channel_in(game), MDG_LISTENER,
	                                              &((struct madang_end *)game->ends)->in);
}

static bool reach(struct channel_game *game)
{
	return !channel_talks(game) || channel_open(game, channel_out(game), MDG_TALKER,
	                                            &((struct madang_end *)game->ends)->out);
}

/* One channel serves both ways: member 1 serves, member 0 calls. */
static bool call_join(struct channel_game *game)
{
	return game->member == 0 ? enter(game) : join(game);
}

static bool call_reach(struct channel_game *game)
{
	return game->member != 0 || reach(game);
}

static void leave(struct channel_game *game)
{
	struct madang_end *end = game->ends;
	char name[32];

	mdg_channel_close(end->out);
	mdg_channel_close(end->in);
	for (unsigned i = 0; i < channel_count(game) && game->member == 0; i++) {
		snprintf(name, sizeof name, "bench-%u-%u", game->number, i);
		mdg_channel_remove(end->ns, name);
	}
	mdg_namespace_close(end->ns);
}

/* ---- all ---------------------------------------------------------------------------- */

static void fill(struct channel_side *side, const char *name, unsigned variant, bool talkers)
{
	*side = (struct channel_side){
		.name = name,
		.variant = variant,
		.spins = true,
		.sleeps = true,
		.talkers = talkers,
		.join = join,
		.reach = reach,
		.leave = leave,
	};
	madang_set_plays(side);
}

void channel_madang_fill(struct channel_side side[CHANNEL_SIDES])
{
	struct channel_side *call = &side[CHANNEL_CALL];

	fill(&side[CHANNEL_STREAM], "stream", MDG_STREAM, false);
	fill(&side[CHANNEL_QUEUE], "queue", MDG_QUEUE, true);
	fill(&side[CHANNEL_TOPIC], "topic", MDG_TOPIC, true);
	fill(&side[CHANNEL_PLACE], "stream, in place", MDG_STREAM, false);
	place_set_plays(&side[CHANNEL_PLACE]);
	side[CHANNEL_PLACE].play[CHANNEL_BIG][0] = NULL; /* the stream's is in place already */
	fill(&side[CHANNEL_DEFAULT], "stream, default", MDG_STREAM | VARIANT_DEFAULT, false);
	side[CHANNEL_DEFAULT].spins = false; /* with MDG_WAIT_SPIN it is the stream */
	fill(call, "call", MDG_CALL, false);
	for (int i = 0; i < CHANNEL_MEASURES; i++)
		call->play[i][0] = call->play[i][1] = NULL;
	call->play[CHANNEL_ROUND][0] = call_ask;
	call->play[CHANNEL_ROUND][1] = call_answer;
	call->join = call_join;
	call->reach = call_reach;
}
