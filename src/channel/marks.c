/* SPDX-License-Identifier: MIT */
/*
 * marks.c - where the parts of a topic's ring begin.
 *
 * The ring is divided into 16 parts. A mark says where the first record of a part begins. A talker
 * that needs room gives up all messages before a mark, so it needs not walk over the records in
 * between. A part is less than an eighth of the ring, so it gives up less than that too much: what
 * the capacity promises is kept if no message is larger than three quarters of it.
 *
 * A mark is the position plus one: marks are odd, and 0 is none, also in the first lap.
 */
#include "channel/ring.h"

void mdg__mark(struct mdg_channel *channel, uint64_t position)
{
	uint64_t offset = mdg__offset(channel, position);
	mdg__c64 *mark = &channel->head->marks[(offset >> channel->part_shift) % MDG__MARKS];
	uint64_t first = mdg__relaxed64(mark);
	/* The first one of this lap. */
	if ((first & 1) == 0 || first < position - offset || first > (position | 1))
		mdg__note64(mark, position | 1);
}

void mdg__unmark(struct mdg_channel *channel, uint64_t tail)
{
	for (int i = 0; i < MDG__MARKS; i++)
		if (mdg__relaxed64(&channel->head->marks[i]) > (tail | 1))
			mdg__note64(&channel->head->marks[i], 0);
}

uint64_t mdg__mark_after(struct mdg_channel *channel, uint64_t position)
{
	uint64_t best = channel->tail;
	for (int i = 0; i < MDG__MARKS; i++) {
		uint64_t mark = mdg__relaxed64(&channel->head->marks[i]);
		if ((mark & 1) != 0 && mark >= position && mark < best)
			best = mark & ~(uint64_t)(MDG__STEP - 1);
	}
	return best;
}
