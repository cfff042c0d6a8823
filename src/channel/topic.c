/* SPDX-License-Identifier: MIT */
/*
 * topic.c - the listeners of a topic, and what its talkers may overwrite.
 *
 * Messages are kept until their room is needed. `oldest` is the first that is kept; the talker
 * that needs room moves it, to the first record in a later part of the ring (`marks`), so that it
 * needs not walk over the records in between.
 *
 * FULL_WAIT: a listener's seat says its position, and `oldest` never goes beyond one.
 * FULL_OVERWRITE: a seat says a position only while the listener holds something there. The
 * listener says so, then looks whether `oldest` is beyond; the talker moves `oldest`, then looks
 * whether a seat is before: with a full fence between, one of them sees the other. A listener
 * that sees it lets go and goes on at `oldest`; a talker that sees it does not write yet.
 *
 * Listeners come with talk_lock held: `oldest` stands still.
 */
#include "channel/internal.h"

/* ---- talkers ---------------------------------------------------------------------- */

void mdg__topic_mark(struct mdg_channel *channel, uint64_t position)
{
	uint64_t offset = mdg__offset(channel, position);
	mdg__c64 *mark = &channel->head->marks[(offset >> channel->part_shift) % MDG__MARKS];
	uint64_t first = mdg__relaxed64(mark);
	/* The first one of this lap. Marks are odd: 0 is none, also in the first lap. */
	if ((first & 1) == 0 || first < position - offset || first > (position | 1))
		mdg__note64(mark, position | 1);
}

void mdg__topic_unmark(struct mdg_channel *channel, uint64_t tail)
{
	for (int i = 0; i < MDG__MARKS; i++)
		if (mdg__relaxed64(&channel->head->marks[i]) > (tail | 1))
			mdg__note64(&channel->head->marks[i], 0);
}

/* The least that a seat says, or NOWHERE. A talker's is what it has reserved: while that is being
 * written, `oldest` stays before it. */
static uint64_t least_needed(struct mdg_channel *channel)
{
	uint64_t least = MDG__NOWHERE;
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++) {
		if (mdg__seat_state(&channel->seats[i]) == MDG__SEAT_FREE)
			continue;
		uint64_t from = atomic_load_explicit(&channel->seats[i].from, memory_order_seq_cst);
		least = from < least ? from : least;
	}
	return least == MDG__NOWHERE ? least : least & ~(uint64_t)(MDG__LINE - 1);
}

/* Where to move `oldest`, which is to be `needed` at least. */
static uint64_t later_mark(struct mdg_channel *channel, uint64_t needed)
{
	uint64_t best = channel->tail;
	for (int i = 0; i < MDG__MARKS; i++) {
		uint64_t mark = mdg__relaxed64(&channel->head->marks[i]);
		if ((mark & 1) != 0 && mark >= needed && mark < best)
			best = mark & ~(uint64_t)(MDG__LINE - 1);
	}
	return best;
}

uint64_t mdg__topic_limit(struct mdg_channel *channel, uint64_t need)
{
	mdg__c64 *field = &channel->head->oldest;
	uint64_t needed = need > channel->ring_size ? need - channel->ring_size : 0;
	uint64_t oldest = mdg__position(field), least = least_needed(channel);
	if (oldest < needed) {
		uint64_t to = later_mark(channel, needed);
		if (to > least)
			to = least >= needed ? least : oldest;
		if (to > oldest) {
			oldest = to;
			atomic_store_explicit(field, oldest, memory_order_seq_cst);
			mdg__fence();
			least = least_needed(channel);
		}
	}
	return least < oldest ? least : oldest;
}

/* ---- coming -------------------------------------------------------------------------- */

/* The last message that is kept, or the tail. */
static uint64_t find_last(struct mdg_channel *channel, uint64_t at)
{
	uint64_t last = channel->tail;
	if (last - at > channel->ring_size)
		return last; /* damaged */
	while (at < channel->tail) {
		struct mdg__record *record = mdg__record(channel, at);
		if ((mdg__record_state(record) & 0xff) == MDG__READY)
			last = at;
		/* Acquire: pairs with the release in show_reserved. */
		at += mdg__span(atomic_load_explicit(&record->size, memory_order_acquire));
	}
	return last;
}

void mdg__topic_join(struct mdg_channel *channel, uint32_t from)
{
	uint64_t oldest = mdg__position(&channel->head->oldest);
	mdg__tail_load(channel);
	channel->next = channel->tail;
	channel->expected = channel->sequence;
	if (from == MDG_FROM_OLDEST)
		channel->next = oldest;
	else if (from == MDG_FROM_LAST)
		channel->next = find_last(channel, oldest);
	if (channel->next != channel->tail) {
		struct mdg__record *record = mdg__record(channel, channel->next);
		uint32_t state = mdg__record_state(record) & 0xff;
		channel->expected =
			state == MDG__SKIP ? UINT64_MAX : mdg__relaxed64(&record->sequence);
	}
	mdg__note64(&channel->seat->sequence,
	            channel->expected != UINT64_MAX ? channel->expected : channel->sequence);
	bool waits = channel->full == MDG_FULL_WAIT;
	atomic_store_explicit(&channel->seat->from, waits ? channel->next : MDG__NOWHERE,
	                      memory_order_seq_cst);
}

/* ---- listening ------------------------------------------------------------------------ */

/* Overtaken: goes on at the oldest that is kept. */
static bool is_overtaken(struct mdg_channel *channel)
{
	uint64_t oldest = mdg__position(&channel->head->oldest);
	if (__builtin_expect(oldest <= channel->next, 1))
		return false;
	channel->next = oldest;
	channel->jumped = true;
	return true;
}

static void protect(struct mdg_channel *channel)
{
	do {
		atomic_store_explicit(&channel->seat->from, channel->next, memory_order_seq_cst);
		mdg__fence();
	} while (is_overtaken(channel));
}

void mdg__topic_let_go(struct mdg_channel *channel)
{
	uint64_t from = channel->full == MDG_FULL_OVERWRITE ? MDG__NOWHERE : channel->next;
	/* Release: what was read was read before. */
	atomic_store_explicit(&channel->seat->from, from, memory_order_release);
}

static bool next_is_there(struct mdg_channel *channel, uint64_t at)
{
	bool there = !mdg__is_waiting(mdg__record_state(mdg__record(channel, at)));
	/* Else it may have been written over. */
	return there || mdg__position(&channel->head->oldest) > at;
}

bool mdg__topic_has(struct mdg_channel *channel)
{
	return next_is_there(channel,
	                     channel->held.count != 0 ? channel->held.upto : channel->next);
}

static uint64_t missed_before(const struct mdg_channel *channel, uint64_t sequence)
{
	bool known = channel->jumped && channel->expected != UINT64_MAX;
	return known && sequence > channel->expected ? sequence - channel->expected : 0;
}

int mdg__topic_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	bool overwrite = channel->full == MDG_FULL_OVERWRITE;
	if (overwrite) {
		if (!next_is_there(channel, channel->next))
			return 0;
		protect(channel);
	}
	int rc = mdg__gather(channel, messages, count, channel->next, UINT64_MAX, 0);
	uint64_t upto = channel->held.upto;
	if (rc > 0) {
		channel->missing = missed_before(channel, messages[0].sequence);
		messages[0].missed = channel->missing;
		return rc;
	}
	if (upto != channel->next) { /* nothing but skipped records */
		channel->next = upto;
		mdg__topic_let_go(channel);
		mdg__made_room(channel, upto);
	} else if (overwrite) {
		mdg__topic_let_go(channel);
	}
	return rc;
}

void mdg__topic_release(struct mdg_channel *channel)
{
	channel->next = channel->held.upto;
	mdg__topic_let_go(channel);
	/* A talker that overwrites waits for nothing but what is held. No fence for it: one that is
	 * just going to sleep may be missed here, and then looks up by itself. */
	if (channel->full == MDG_FULL_OVERWRITE && mdg__relaxed32(&channel->head->full_waits) != 0)
		mdg__wake_talkers(channel);
	channel->expected = channel->held.sequence;
	if (__builtin_expect(channel->jumped, 0)) {
		channel->jumped = false;
		channel->missed += channel->missing;
		mdg__note64(&channel->seat->missed, channel->missed);
	}
}
