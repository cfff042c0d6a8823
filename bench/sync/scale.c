/* SPDX-License-Identifier: MIT */
/*
 * scale.c - one object of synchronisation that many processes use at once.
 *
 * The work of each process is that of a block of a case (blocks.h). A cell has readers alone here.
 */
#include "bench/common/processes.h"
#include "bench/sync/games.h"

#include <sys/mman.h>

static const struct {
	enum sync_case_name play;
	const char *name;
} calls[] = {
	{ SYNC_MUTEX_2, "mutex" },          { SYNC_READ, "rwlock: read" },
	{ SYNC_WRITE, "rwlock: write" },    { SYNC_SEM, "semaphore: post + wait" },
	{ SYNC_CELL_WRITER, "cell: read" }, { SYNC_TXN, "transaction" },
};

struct scale_play {
	struct sync_game game;
	const struct sync_play *play;
};

static bool work(void *context, unsigned n)
{
	struct scale_play *play = context;

	return play->play->run(&play->game, n) != 0;
}

void sync_scale_measure(const struct settings *settings, struct scale_result *ret_result)
{
	struct sync_side_about about[2] = { { 0 } };

	sync_madang_fill(&about[0]);
	sync_libc_fill(&about[1]);
	*ret_result = (struct scale_result){
		.section = "sync_scale",
		.title = "One object of synchronisation",
		.side = { about[0].name, about[1].name },
	};
	for (unsigned i = 0; i < sizeof calls / sizeof *calls && !stop_asked(); i++) {
		struct scale_call call = { .name = calls[i].name };
		struct scale_play play[2] = { { .play = NULL } };

		for (int side = 0; side < 2; side++) {
			play[side].play = &about[side].play[calls[i].play];
			play[side].game.objects = shared_memory(SYNC_OBJECTS_SIZE);
			if (play[side].play->run != NULL &&
			    about[side].make(play[side].game.objects))
				call.side[side] =
					(struct scale_game){ .work = work, .context = &play[side] };
		}
		scale_measure(settings, &call, ret_result);
		for (int side = 0; side < 2; side++)
			munmap(play[side].game.objects, SYNC_OBJECTS_SIZE);
	}
}
