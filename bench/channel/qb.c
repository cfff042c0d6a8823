/* SPDX-License-Identifier: MIT */
/*
 * qb.c - libqb's ring buffer, one talker and one listener; large messages in place.
 *
 * To sleep, a listener waits at the semaphore of the ring buffer. To spin, the ring buffer is made
 * without one. It does not wait for room, so its talker asks again.
 */
#include "bench/channel/channel.h"

#include <qb/qbrb.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct qb_end {
	const struct channel_game *game;
	qb_ringbuffer_t *out, *in;
};

static void *qb_reserve(struct qb_end *end, size_t size)
{
	void *place;

	while ((place = qb_rb_chunk_alloc(end->out, size)) == NULL) {
		if (errno != EAGAIN)
			return NULL;
		channel_moment(end->game);
	}
	return place;
}

static int qb_commit(struct qb_end *end, size_t size)
{
	return qb_rb_chunk_commit(end->out, size) < 0;
}

static int qb_put(struct qb_end *end, const void *data, size_t size)
{
	while (qb_rb_chunk_write(end->out, data, size) < 0) {
		if (errno != EAGAIN)
			return -1;
		channel_moment(end->game);
	}
	return 0;
}

/* Nothing there: 0, or a code, with or without a semaphore. */
static int qb_take(struct qb_end *end, void *data, size_t size)
{
	ssize_t done;

	while ((done = qb_rb_chunk_read(end->in, data, size, end->game->sleeps ? -1 : 0)) <= 0) {
		if (done < 0 && done != -ETIMEDOUT && done != -EBADMSG && done != -EINTR)
			return -1;
		channel_moment(end->game);
	}
	return done != (ssize_t)size;
}

static const void *qb_peek(struct qb_end *end, size_t size)
{
	void *place = NULL;
	ssize_t done;

	while ((done = qb_rb_chunk_peek(end->in, &place, end->game->sleeps ? -1 : 0)) <= 0) {
		if (done < 0 && done != -ETIMEDOUT && done != -EBADMSG && done != -EINTR)
			return NULL;
		channel_moment(end->game);
	}
	return done == (ssize_t)size ? place : NULL;
}

static int qb_release(struct qb_end *end)
{
	qb_rb_chunk_reclaim(end->in);
	return 0;
}

/* The members have it from the fork; then its files are not needed any more. */
static bool qb_make(struct channel_game *game)
{
	static const char *const files[] = { "header", "data" };
	uint32_t flags = QB_RB_FLAG_CREATE | QB_RB_FLAG_SHARED_PROCESS |
	                 (game->sleeps ? 0 : QB_RB_FLAG_NO_SEMAPHORE);
	char name[64], path[128];

	for (unsigned i = 0; i < channel_count(game); i++) {
		snprintf(name, sizeof name, "madang-bench-%ld-%u-%u", (long)getpid(), game->number,
		         i);
		game->made[i] = qb_rb_open(name, channel_room(game), flags, 0);
		if (game->made[i] == NULL)
			return channel_cannot_errno(game, "qb_rb_open");
		for (unsigned file = 0; file < 2; file++) {
			snprintf(path, sizeof path, "/dev/shm/qb-%s-%s", name, files[file]);
			unlink(path);
		}
	}
	return true;
}

static void qb_unmake(struct channel_game *game)
{
	for (unsigned i = 0; i < channel_count(game); i++)
		if (game->made[i] != NULL)
			qb_rb_close(game->made[i]);
}

static bool qb_join(struct channel_game *game)
{
	static struct qb_end end;

	end = (struct qb_end){ game, game->made[channel_out(game)], game->made[channel_in(game)] };
	game->ends = &end;
	return true;
}

#define SIDE       qb
#define SIDE_MANY  0
#define SIDE_PLACE 1
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

void channel_qb_fill(struct channel_side *side)
{
	side->name = "libqb";
	side->spins = true;
	side->sleeps = true;
	side->make = qb_make;
	side->unmake = qb_unmake;
	side->join = qb_join;
	qb_set_plays(side);
}
