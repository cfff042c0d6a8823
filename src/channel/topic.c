/* SPDX-License-Identifier: MIT */
/*
 * topic.c - the kind `topic`: each message goes to every listener.
 *
 * Messages are kept until their room is needed. `oldest` is the first message that is kept. A
 * talker that needs room moves `oldest` to the next mark (marks.c).
 *
 * FULL_WAIT: a listener's seat says its position, and `oldest` never goes beyond one of these.
 *
 * FULL_OVERWRITE: a seat says a position only while the listener holds something there. The
 * listener says so, and then looks whether `oldest` is beyond. The talker moves `oldest`, and then
 * looks whether a seat is before. Each has a full fence in between, so one of them sees the other.
 * A listener that sees it lets go and goes on at `oldest`. A talker that sees it does not write
 * yet.
 *
 * Listeners come with talk_lock held, so that `oldest` stands still.
 */
#include "channel/kind.h"
#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/wake.h"

enum { JOIN_NS = 1000000000 };

/* ---- talkers ------------------------------------------------------------------------------- */

/* The least position that a seat says, or NOWHERE. A talker's seat says what it has reserved. While
 * the talker writes there, `oldest` stays before it. */
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
	return least == MDG__NOWHERE ? least : least & ~(uint64_t)(MDG__STEP - 1);
}

static uint64_t topic_needed(struct mdg_channel *channel, uint64_t need)
{
	mdg__c64 *field = &channel->head->oldest;
	uint64_t needed = need > channel->ring_size ? need - channel->ring_size : 0;
	uint64_t oldest = mdg__position(field), least = least_needed(channel);
	if (oldest < needed) {
		uint64_t to = mdg__mark_after(channel, needed);
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

/* ---- coming -------------------------------------------------------------------------------- */

/* The last message that is kept, or the tail. */
static uint64_t find_last(struct mdg_channel *channel, uint64_t at)
{
	uint64_t last = channel->tail;
	if (last - at > channel->ring_size)
		return last; /* damaged */
	while (at < channel->tail) {
		struct mdg__record *record = mdg__record(channel, at);
		uint32_t state = mdg__record_state(record);
		if ((state & 0xff) == MDG__READY || mdg__is_relayed(state))
			last = at;
		/* Acquire: pairs with the release in show_reserved. */
		at += mdg__span(atomic_load_explicit(&record->size, memory_order_acquire));
	}
	return last;
}

/* The first message that is kept of this number or later, or the tail. Also one that is reserved:
 * it has its number. */
static uint64_t find_number(struct mdg_channel *channel, uint64_t at, uint64_t number)
{
	if (channel->tail - at > channel->ring_size)
		return channel->tail; /* damaged */
	while (at < channel->tail) {
		struct mdg__record *record = mdg__record(channel, at);
		if ((mdg__record_state(record) & 0xff) != MDG__SKIP &&
		    mdg__relaxed64(&record->sequence) >= number)
			break;
		/* Acquire: pairs with the release in show_reserved. */
		at += mdg__span(atomic_load_explicit(&record->size, memory_order_acquire));
	}
	return at < channel->tail ? at : channel->tail;
}

/* Decides where a listener begins. [talk] */
static void begin(struct mdg_channel *channel, uint32_t from)
{
	uint64_t oldest = mdg__position(&channel->head->oldest);
	mdg__tail_load(channel);
	channel->next = channel->tail;
	channel->expected = channel->sequence;
	if (from == MDG_FROM_OLDEST)
		channel->next = oldest;
	else if (from == MDG_FROM_LAST)
		channel->next = find_last(channel, oldest);
	else if (from == MDG_FROM_NUMBER)
		channel->next = find_number(channel, oldest, channel->first);
	if (channel->next != channel->tail) {
		struct mdg__record *record = mdg__record(channel, channel->next);
		uint32_t state = mdg__record_state(record) & 0xff;
		channel->expected =
			state == MDG__SKIP ? UINT64_MAX : mdg__relaxed64(&record->sequence);
	}
	/* What was between is gone: the first message says how many it missed. */
	if (from == MDG_FROM_NUMBER && channel->first < channel->expected) {
		channel->expected = channel->first;
		channel->jumped = true;
	}
	mdg__note64(&channel->seat->sequence,
	            channel->expected != UINT64_MAX ? channel->expected : channel->sequence);
	bool waits = channel->full == MDG_FULL_WAIT;
	atomic_store_explicit(&channel->seat->from, waits ? channel->next : MDG__NOWHERE,
	                      memory_order_seq_cst);
}

static int topic_join(struct mdg_channel *channel, uint32_t from)
{
	if (channel->role != MDG_LISTENER) {
		mdg__seat_show(channel);
		return 0;
	}
	int rc = mdg__talk_lock(channel, mdg_deadline(JOIN_NS));
	if (rc < 0)
		return rc;
	begin(channel, from);
	mdg__seat_show(channel);
	mdg__channel_unlock(&channel->head->talk_lock);
	return 0;
}

/* ---- listening ----------------------------------------------------------------------------- */

/* Whether the listener was overtaken. Then it goes on at the oldest message that is kept. */
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

/* What was taken is not needed after all. */
static void let_go(struct mdg_channel *channel)
{
	uint64_t from = channel->full == MDG_FULL_OVERWRITE ? MDG__NOWHERE : channel->next;
	/* Release: all reads of the messages come before. */
	atomic_store_explicit(&channel->seat->from, from, memory_order_release);
}

static bool next_is_there(struct mdg_channel *channel, uint64_t at)
{
	bool there = !mdg__is_waiting(mdg__record_state(mdg__record(channel, at)));
	/* Otherwise it may have been written over. */
	return there || mdg__position(&channel->head->oldest) > at;
}

static bool topic_has(struct mdg_channel *channel)
{
	return next_is_there(channel,
	                     channel->held.count != 0 ? channel->held.upto : channel->next);
}

static uint64_t missed_before(const struct mdg_channel *channel, uint64_t sequence)
{
	bool known = channel->jumped && channel->expected != UINT64_MAX;
	return known && sequence > channel->expected ? sequence - channel->expected : 0;
}

static int topic_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
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
		let_go(channel);
		mdg__made_room(channel, upto);
	} else if (overwrite) {
		let_go(channel);
	}
	return rc;
}

void mdg__topic_release(struct mdg_channel *channel)
{
	channel->next = channel->held.upto;
	let_go(channel);
	/* A talker that overwrites waits only for what is held. There is no fence for it: this may
	 * miss a talker that is just going to sleep, which then looks up by itself. */
	if (channel->full == MDG_FULL_OVERWRITE && mdg__relaxed32(&channel->head->full_waits) != 0)
		mdg__wake_talkers(channel);
	channel->expected = channel->held.sequence;
	if (__builtin_expect(channel->jumped, 0)) {
		channel->jumped = false;
		channel->missed += channel->missing;
		mdg__note64(&channel->seat->missed, channel->missed);
	}
}

static void topic_gave_less(struct mdg_channel *channel)
{
	if (channel->held.count == 0)
		let_go(channel);
}

const struct mdg__channel_kind mdg__kind_topic = {
	.number = MDG_TOPIC,
	.way = MDG__TO_EACH,
	.may_overwrite = true,
	.polls = MDG_LISTENER,
	.join = topic_join,
	.needed = topic_needed,
	.take = topic_take,
	.release = mdg__topic_release,
	.gave_less = topic_gave_less,
	.has = topic_has,
};
