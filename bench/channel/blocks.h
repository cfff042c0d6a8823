/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - the blocks of all cases, for the side that includes this file.
 *
 * Before, the side has defined SIDE, a word that all names begin with, and for that word (here
 * `my`; each function returns 0, waits as the game says, and takes what my_join put into
 * game->ends):
 *
 *     struct my_end
 *     my_put(end, data, size), my_take(end, data, size)    one message
 *     SIDE_MANY 1 or 0                                     and then, `count` at most CHANNEL_BATCH:
 *     my_put_many(end, packets, count)                     all of them
 *     my_take_many(end, packets, most)                     returns how many, or < 0
 *     SIDE_PLACE 1 or 0: large messages in place           and then:
 *     my_reserve(end, size), my_commit(end, size)          a place to write into, or NULL
 *     my_peek(end, size), my_release(end)                  a message in place, or NULL
 *     SIDE_LARGE 1 or 0: it takes large ones at all
 *
 * No guard: it is included once for each side, and ends by forgetting what was defined.
 * A listener checks each message's number; one that is not the next fails the block.
 */
#define CHANNEL_GLUE2(side, name) side##_##name
#define CHANNEL_GLUE(side, name)  CHANNEL_GLUE2(side, name)
#define MY(name)                  CHANNEL_GLUE(SIDE, name)

static struct MY(end) * MY(end_of)(struct channel_game *game)
{
	return (struct MY(end) *)game->ends;
}

/* ---- there and back ----------------------------------------------------------------- */

static int MY(ask)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	CHANNEL_ALIGNED struct channel_packet packets[CHANNEL_WRITTEN];
	CHANNEL_ALIGNED struct channel_packet answer;

	channel_packets_init(packets, 0);
	for (unsigned i = 0; i < n; i++) {
		struct channel_packet *packet;

		channel_stamp(game, i);
		packet = channel_packet_write(packets, i, game->ahead);
		if (MY(put)(end, packet, sizeof *packet) != 0 ||
		    MY(take)(end, &answer, sizeof answer) != 0)
			return -1;
		channel_used(&answer);
		if (answer.number != i)
			return -1;
	}
	channel_stamp(game, n);
	return 0;
}

static int MY(answer)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	CHANNEL_ALIGNED struct channel_packet packet;

	while (n-- > 0)
		if (MY(take)(end, &packet, sizeof packet) != 0 ||
		    MY(put)(end, &packet, sizeof packet) != 0)
			return -1;
	return 0;
}

/* ---- one way, one by one ------------------------------------------------------------ */

static int MY(talk_one)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	CHANNEL_ALIGNED struct channel_packet packets[CHANNEL_WRITTEN];

	channel_packets_init(packets, game->member);
	for (unsigned i = 0; i < n; i++) {
		struct channel_packet *packet = channel_packet_write(packets, i, game->ahead);

		if (MY(put)(end, packet, sizeof *packet) != 0)
			return -1;
	}
	return 0;
}

static int MY(listen_one)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	uint64_t expected[CHANNEL_MEMBERS] = { 0 };
	CHANNEL_ALIGNED struct channel_packet packet;

	for (uint64_t left = (uint64_t)n * game->talkers; left > 0; left--) {
		if (MY(take)(end, &packet, sizeof packet) != 0)
			return -1;
		channel_used(&packet);
		if (channel_wrong(&packet, expected) != 0)
			return -1;
	}
	return 0;
}

static int MY(put_one)(struct channel_game *game)
{
	CHANNEL_ALIGNED struct channel_packet packet;

	memset(&packet, 0, sizeof packet);
	return MY(put)(MY(end_of)(game), &packet, sizeof packet);
}

static int MY(take_one)(struct channel_game *game)
{
	CHANNEL_ALIGNED struct channel_packet packet;

	return MY(take)(MY(end_of)(game), &packet, sizeof packet);
}

/* ---- in batches --------------------------------------------------------------------- */

#if SIDE_MANY
static int MY(talk_many)(struct channel_game *game, unsigned n)
{
	const unsigned batch = CHANNEL_BATCH;
	struct MY(end) *end = MY(end_of)(game);
	CHANNEL_ALIGNED struct channel_packet packets[CHANNEL_BATCH];

	memset(packets, 0, sizeof packets);
	for (unsigned i = 0; i < CHANNEL_BATCH; i++)
		packets[i].talker = game->member;
	for (unsigned sent = 0; sent < n;) {
		unsigned count = n - sent < batch ? n - sent : batch;

		for (unsigned i = 0; i < count; i++)
			packets[i].number = sent + i;
		channel_used(packets);
		if (MY(put_many)(end, packets, count) != 0)
			return -1;
		sent += count;
	}
	return 0;
}

static int MY(listen_many)(struct channel_game *game, unsigned n)
{
	const unsigned batch = CHANNEL_BATCH;
	struct MY(end) *end = MY(end_of)(game);
	uint64_t expected[CHANNEL_MEMBERS] = { 0 };
	CHANNEL_ALIGNED struct channel_packet packets[CHANNEL_BATCH];

	for (uint64_t left = (uint64_t)n * game->talkers; left > 0;) {
		unsigned most = left < batch ? (unsigned)left : batch;
		int count = MY(take_many)(end, packets, most);

		if (count <= 0)
			return -1;
		channel_used(packets);
		for (int i = 0; i < count; i++)
			if (channel_wrong(&packets[i], expected) != 0)
				return -1;
		left -= (unsigned)count;
	}
	return 0;
}
#endif

/* ---- large -------------------------------------------------------------------------- */

#if SIDE_LARGE && SIDE_PLACE
static int MY(talk_large)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);

	for (unsigned i = 0; i < n; i++) {
		void *place = MY(reserve)(end, CHANNEL_LARGE);

		if (place == NULL)
			return -1;
		channel_fill(place, i);
		if (MY(commit)(end, CHANNEL_LARGE) != 0)
			return -1;
	}
	return 0;
}

static int MY(listen_large)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	unsigned talkers = game->talkers; /* whose messages cannot be told apart: not checked */

	for (unsigned i = 0; i < n * talkers; i++) {
		const void *place = MY(peek)(end, CHANNEL_LARGE);

		if (place == NULL || (channel_look_through(place, i) != 0 && talkers == 1) ||
		    MY(release)(end) != 0)
			return -1;
	}
	return 0;
}
#elif SIDE_LARGE
static int MY(talk_large)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	static CHANNEL_ALIGNED char large[CHANNEL_LARGE];

	for (unsigned i = 0; i < n; i++) {
		channel_fill(large, i);
		if (MY(put)(end, large, sizeof large) != 0)
			return -1;
	}
	return 0;
}

static int MY(listen_large)(struct channel_game *game, unsigned n)
{
	struct MY(end) *end = MY(end_of)(game);
	unsigned talkers = game->talkers;
	static CHANNEL_ALIGNED char large[CHANNEL_LARGE];

	for (unsigned i = 0; i < n * talkers; i++)
		if (MY(take)(end, large, sizeof large) != 0 ||
		    (channel_look_through(large, i) != 0 && talkers == 1))
			return -1;
	return 0;
}
#endif

static void MY(set_plays)(struct channel_side *side)
{
	side->play[CHANNEL_ROUND][0] = MY(ask);
	side->play[CHANNEL_ROUND][1] = MY(answer);
	side->play[CHANNEL_ONE][0] = MY(listen_one);
	side->play[CHANNEL_ONE][1] = MY(talk_one);
#if SIDE_MANY
	side->play[CHANNEL_MANY][0] = MY(listen_many);
	side->play[CHANNEL_MANY][1] = MY(talk_many);
#endif
#if SIDE_LARGE
	side->play[CHANNEL_BIG][0] = MY(listen_large);
	side->play[CHANNEL_BIG][1] = MY(talk_large);
#endif
	side->put_one = MY(put_one);
	side->take_one = MY(take_one);
}

#undef SIDE
#undef SIDE_MANY
#undef SIDE_PLACE
#undef SIDE_LARGE
#undef MY
#undef CHANNEL_GLUE
#undef CHANNEL_GLUE2
