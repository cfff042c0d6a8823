/* SPDX-License-Identifier: MIT */
/*
 * tail.c - where the next message goes.
 *
 * A talker can die at any store. Then the record at the tail says what it had begun:
 *
 *     EMPTY           it had shown nothing
 *     READY, SKIP,    it had shown the record, but not moved the tail: the record counts, and the
 *     RELAYED         tail moves
 *     RESERVED        it had not moved the tail, so the reservation was not made: it is taken back
 *
 * After that the tail is EMPTY.
 */
#include "channel/ring.h"

/* The position behind what was shown at the tail. */
static uint64_t behind_shown(struct mdg_channel *channel, uint64_t tail, uint64_t *sequence)
{
	for (uint64_t end = tail + channel->ring_size; tail < end;) {
		struct mdg__record *record = mdg__record(channel, tail);
		uint32_t state = mdg__record_state(record) & 0xff;
		uint64_t span = mdg__span(mdg__relaxed32(&record->size));
		bool inside = mdg__offset(channel, tail) + span <= channel->ring_size;
		bool message = state == MDG__READY || mdg__is_relayed(state);
		if ((!message && state != MDG__SKIP) || !inside)
			break;
		if (message)
			*sequence = mdg__relaxed64(&record->sequence) + 1;
		tail += span;
	}
	return tail;
}

/* Makes seats forget reservations that were not made after all. Otherwise whoever buries the talker
 * would look for its records where by then another message may lie. */
static void forget_reserved(struct mdg_channel *channel, uint64_t tail)
{
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++) {
		struct mdg__seat *seat = &channel->seats[i];
		if (mdg__seat_state(seat) == MDG__SEAT_TALKER && mdg__position(&seat->to) > tail)
			atomic_store_explicit(&seat->from, MDG__NOWHERE, memory_order_release);
	}
}

void mdg__tail_repair(struct mdg_channel *channel)
{
	mdg__tail_load(channel);
	uint64_t sequence = channel->sequence;
	uint64_t tail = behind_shown(channel, channel->tail, &sequence);
	mdg__clear_behind(channel, tail);
	if (channel->way == MDG__TO_EACH)
		mdg__unmark(channel, tail);
	forget_reserved(channel, tail);
	mdg__redo_end(channel, tail);
	mdg__tail_store(channel, tail, sequence);
}
