/* SPDX-License-Identifier: MIT */
/*
 * room.c - where the tail is, what is clear ahead of it, and how far a talker may go.
 *
 * A talker that dies at any store leaves one of these, and mdg__tail_repair knows them apart by the
 * record at the tail: EMPTY, nothing was shown; READY (or SKIP), it was shown and the tail has not
 * followed: it stands, and the tail follows; RESERVED, the reservation had not been made: it is
 * taken back. Then what is ahead of the tail is cleared, because a message half written lies there.
 */
#include "channel/internal.h"

enum { MOVES_MOST = 64 };

/* ---- clearing -------------------------------------------------------------------- */

void mdg__clear_lines(struct mdg_channel *channel, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	uint64_t offset = mdg__offset(channel, from);
	for (uint64_t left = to - from; left != 0; left -= MDG__LINE) {
		struct mdg__record *record = (struct mdg__record *)(void *)(channel->ring + offset);
		/* Relaxed: what is published afterwards is released. */
		atomic_store_explicit(&record->state, MDG__EMPTY, memory_order_relaxed);
		offset += MDG__LINE;
		if (offset == channel->ring_size)
			offset = 0;
	}
}

/* ---- the tail -------------------------------------------------------------------- */

void mdg__tail_load(struct mdg_channel *channel)
{
	channel->tail = mdg__position(&channel->head->tail);
	channel->sequence = mdg__relaxed64(&channel->head->sequence);
}

/* The number first: what is shown and not followed by the tail has its own (mdg__tail_repair). */
void mdg__tail_store(struct mdg_channel *channel, uint64_t tail, uint64_t sequence)
{
	channel->tail = tail;
	channel->sequence = sequence;
	atomic_store_explicit(&channel->head->sequence, sequence, memory_order_release);
	atomic_store_explicit(&channel->head->tail, tail, memory_order_release);
}

/* Behind what was shown at the tail. */
static uint64_t behind_shown(struct mdg_channel *channel, uint64_t tail, uint64_t *sequence)
{
	for (uint64_t end = tail + channel->ring_size; tail < end;) {
		struct mdg__record *record = mdg__record(channel, tail);
		uint32_t state = mdg__record_state(record) & 0xff;
		uint64_t span = mdg__span(mdg__relaxed32(&record->size));
		bool inside = mdg__offset(channel, tail) + span <= channel->ring_size;
		if ((state != MDG__READY && state != MDG__SKIP) || !inside)
			break;
		if (state == MDG__READY)
			*sequence = mdg__relaxed64(&record->sequence) + 1;
		tail += span;
	}
	return tail;
}

/* A reservation that was not made must not be looked for when its talker is buried: by then another
 * message may lie across where it began. */
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
	mdg__clear_lines(channel, tail, tail + channel->ahead);
	if (channel->kind == MDG_TOPIC)
		mdg__topic_unmark(channel, tail);
	forget_reserved(channel, tail);
	mdg__tail_store(channel, tail, sequence);
}

/* ---- room -------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What listeners hold, and orphans; and what talkers have reserved, until their seats say no more
 * that they have: whoever buries one looks there for records. A hold that goes from one to the other
 * while this looks is in neither: then `moves` has grown. */
static uint64_t queue_needed(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	for (int i = 0; i < MOVES_MOST; i++) {
		uint32_t moves = atomic_load_explicit(&head->moves, memory_order_acquire);
		uint64_t needed = mdg__position(&head->taken); /* before the holds: see queue.c */
		uint32_t used = mdg__seats_used(channel);
		for (uint32_t k = 0; k < used; k++)
			if (mdg__seat_state(&channel->seats[k]) != MDG__SEAT_FREE)
				needed = least(needed, atomic_load_explicit(&channel->seats[k].from,
				                                            memory_order_acquire));
		if (atomic_load_explicit(&head->moves, memory_order_acquire) == moves)
			return needed;
	}
	return 0; /* no room: asked again */
}

uint64_t mdg__oldest_needed(struct mdg_channel *channel)
{
	if (channel->kind == MDG_STREAM)
		return mdg__position(&channel->head->taken);
	if (channel->kind == MDG_TOPIC)
		return mdg__position(&channel->head->oldest);
	return queue_needed(channel) & ~(uint64_t)(MDG__LINE - 1);
}

uint64_t mdg__room_limit(struct mdg_channel *channel, uint64_t need)
{
	uint64_t oldest = channel->kind == MDG_TOPIC ? mdg__topic_limit(channel, need)
	                                             : mdg__oldest_needed(channel);
	return least(oldest, channel->tail) + channel->ring_size;
}
