/* SPDX-License-Identifier: MIT */
/*
 * hold.c - messages that go to one listener each, and the listener that holds them. Used by queues
 * and calls.
 *
 * With take_lock held a listener finds the next messages, says in its seat that it holds them, and
 * moves `taken` beyond them, in this order. A talker reads `taken` first and the seats then. So it
 * never takes space for free that is held. To release is to say in the seat that nothing is held.
 *
 * A seat whose owner died or left while it held something becomes an orphan. The next listener that
 * takes adopts the messages: its own seat says that it holds them, `moves` grows, then the orphan's
 * seat says that it does not. A talker that looks at the seats meanwhile notices by `moves`.
 *
 * A listener that dies with the lock has done half of one of two things, and both show:
 *
 *   - It holds what begins at `taken`, which has not moved. Then it has taken nothing.
 *   - It holds what an orphan holds as well. Then the orphan's hold goes.
 */
#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/wake.h"

enum { MOVES_MOST = 64 };

/* ---- holds --------------------------------------------------------------------------------- */

static void hold(struct mdg__seat *seat, uint64_t from, uint64_t to)
{
	atomic_store_explicit(&seat->to, to, memory_order_release);
	atomic_store_explicit(&seat->from, from, memory_order_release);
}

static void hold_nothing(struct mdg__seat *seat)
{
	/* Release: pairs with the acquire in holds_of_seats. */
	atomic_store_explicit(&seat->from, MDG__NOWHERE, memory_order_release);
}

static uint64_t held_from(const struct mdg__seat *seat)
{
	return atomic_load_explicit(&seat->from, memory_order_acquire);
}

/* An orphan holds less, or nothing and is free. [take] */
static void orphan_shrink(struct mdg__channel_head *head, struct mdg__seat *orphan, uint64_t from)
{
	if (from < mdg__relaxed64(&orphan->to)) {
		atomic_store_explicit(&orphan->from, from, memory_order_release);
		return;
	}
	hold_nothing(orphan);
	atomic_store_explicit(&orphan->state, MDG__SEAT_FREE, memory_order_release);
	uint32_t orphans = mdg__relaxed32(&head->orphans);
	atomic_store_explicit(&head->orphans, orphans != 0 ? orphans - 1 : 0, memory_order_release);
}

bool mdg__hold_orphan(struct mdg_channel *channel, struct mdg__seat *seat)
{
	if (held_from(seat) == MDG__NOWHERE)
		return false;
	/* The number is raised first. While it is too large it costs others a look in vain. */
	atomic_fetch_add_explicit(&channel->head->orphans, 1, memory_order_release);
	atomic_store_explicit(&seat->state, MDG__SEAT_ORPHAN, memory_order_release);
	return true;
}

bool mdg__hold_inherit(struct mdg_channel *channel)
{
	struct mdg__taken *held = &channel->held;
	uint32_t used = mdg__seats_used(channel), place = 0;
	while (place < used && mdg__seat_state(&channel->seats[place]) != MDG__SEAT_ORPHAN)
		place++;
	if (place == used)
		return false;
	channel->seat = &channel->seats[place];
	channel->place = place;
	held->from = held->upto = mdg__position(&channel->seat->from);
	held->to = mdg__position(&channel->seat->to);
	held->again = true;
	return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What listeners and orphans hold, and what talkers have reserved: whoever buries a talker looks
 * for its records there, until its seat says nothing more. A hold may go from one seat to another
 * while this looks, and be in neither. Then `moves` has grown, and this looks again. */
static uint64_t holds_of_seats(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	for (int i = 0; i < MOVES_MOST; i++) {
		uint32_t moves = atomic_load_explicit(&head->moves, memory_order_acquire);
		uint64_t needed = mdg__position(&head->taken); /* before the holds: see the top */
		uint32_t used = mdg__seats_used(channel);
		for (uint32_t k = 0; k < used; k++)
			if (mdg__seat_state(&channel->seats[k]) != MDG__SEAT_FREE)
				needed = least(needed, held_from(&channel->seats[k]));
		if (atomic_load_explicit(&head->moves, memory_order_acquire) == moves)
			return needed;
	}
	return 0; /* no room: asked again */
}

uint64_t mdg__hold_needed(struct mdg_channel *channel, uint64_t need)
{
	(void)need;
	return holds_of_seats(channel) & ~(uint64_t)(MDG__STEP - 1);
}

/* ---- repair -------------------------------------------------------------------------------- */

/* What both the listener and an orphan hold is the listener's. */
static void drop_double(struct mdg_channel *channel, const struct mdg__seat *listener,
                        uint64_t from)
{
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++) {
		struct mdg__seat *other = &channel->seats[i];
		if (other != listener && mdg__seat_state(other) == MDG__SEAT_ORPHAN &&
		    held_from(other) == from)
			orphan_shrink(channel->head, other, mdg__relaxed64(&listener->to));
	}
}

void mdg__hold_repair(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	uint32_t used = mdg__seats_used(channel), orphans = 0;
	uint64_t taken = mdg__position(&head->taken);
	/* `moves` grows before anything is taken from an orphan, as in adopt. */
	atomic_fetch_add_explicit(&head->moves, 1, memory_order_release);
	for (uint32_t i = 0; i < used; i++) {
		struct mdg__seat *seat = &channel->seats[i];
		uint64_t from = held_from(seat); /* once: a living one may release it meanwhile */
		if (mdg__seat_state(seat) != MDG__SEAT_LISTENER || from == MDG__NOWHERE)
			continue;
		if (from == taken)
			hold_nothing(seat);
		else
			drop_double(channel, seat, from);
	}
	for (uint32_t i = 0; i < used; i++)
		orphans += mdg__seat_state(&channel->seats[i]) == MDG__SEAT_ORPHAN;
	atomic_store_explicit(&head->orphans, orphans, memory_order_release);
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* Takes take_lock if nobody has it, or enters it if it is kept. `next` is `taken` then. */
static inline bool take_straight(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	if (!mdg__lock_straight(channel, &head->take_lock))
		return false;
	if (channel->keeping.word == 0) { /* else it knows */
		uint64_t known = channel->next;
		channel->next = mdg__position(&head->taken);
		mdg__alone(channel, channel->next == known);
	}
	return true;
}

/* The same, and waits for it. */
static int take_begin(struct mdg_channel *channel)
{
	if (take_straight(channel))
		return 0;
	int rc = mdg__take_lock(channel, 0);
	if (rc == 0)
		channel->next = mdg__position(&channel->head->taken);
	return rc;
}

static inline void take_end(struct mdg_channel *channel)
{
	mdg__unlock_straight(channel, &channel->head->take_lock);
}

/* ---- taking -------------------------------------------------------------------------------- */

/* Describes up to `count` messages between `from` and `end`: how many. */
static int walk(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                uint64_t from, uint64_t end)
{
	return mdg__gather(channel, messages, count, from, end,
	                   channel->held.again ? MDG__NOWHERE : 0);
}

/* Takes messages that an orphan holds: how many. [take] */
static int adopt(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	struct mdg__taken *held = &channel->held;
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++) {
		struct mdg__seat *orphan = &channel->seats[i];
		if (mdg__seat_state(orphan) != MDG__SEAT_ORPHAN)
			continue;
		held->again = true;
		int rc = walk(channel, messages, count, mdg__position(&orphan->from),
		              mdg__position(&orphan->to));
		if (rc > 0) {
			hold(channel->seat, held->from, held->upto);
			atomic_fetch_add_explicit(&channel->head->moves, 1, memory_order_release);
			held->to = held->upto;
		}
		orphan_shrink(channel->head, orphan, rc > 0 ? held->to : UINT64_MAX);
		if (rc > 0)
			return rc;
	}
	return 0;
}

/* Takes the messages at `taken`: how many. [take] */
static int take_next(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	struct mdg__channel_head *head = channel->head;
	struct mdg__taken *held = &channel->held;
	held->again = false;
	int rc = walk(channel, messages, count, channel->next, UINT64_MAX);
	if (rc > 0) {
		hold(channel->seat, held->from, held->upto);
		mdg__note64(&head->taken_sequence, held->sequence);
	}
	held->to = rc > 0 ? held->upto : held->from;
	if (held->upto != held->from)
		mdg__hold_taken(channel, held->upto);
	return rc;
}

/* Gives what is left of an earlier take: how many. */
static int take_kept(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	struct mdg__taken *held = &channel->held;
	int rc = walk(channel, messages, count, held->from, held->to);
	if (rc <= 0) { /* nothing but skipped records, or damaged */
		hold_nothing(channel->seat);
		held->from = held->to;
	}
	return rc;
}

/* Whether the record at `taken` is there. `taken` is the same before and after the look. */
static bool next_is_there(struct mdg_channel *channel)
{
	for (int i = 0; i < 64; i++) {
		uint64_t at = mdg__position(&channel->head->taken);
		bool there = !mdg__is_waiting(mdg__record_state(mdg__record(channel, at)));
		/* Otherwise the record may have been freed and written over meanwhile. */
		if (mdg__position(&channel->head->taken) == at)
			return there;
	}
	return true;
}

bool mdg__hold_has(struct mdg_channel *channel)
{
	const struct mdg__taken *held = &channel->held;
	return held->upto < held->to || next_is_there(channel) ||
	       atomic_load_explicit(&channel->head->orphans, memory_order_acquire) != 0;
}

int mdg__hold_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	struct mdg__channel_head *head = channel->head;
	if (__builtin_expect(channel->held.from < channel->held.to, 0)) {
		int kept = take_kept(channel, messages, count);
		if (kept != 0)
			return kept;
	}
	bool orphans = atomic_load_explicit(&head->orphans, memory_order_acquire) != 0;
	if (!orphans && !next_is_there(channel))
		return 0;
	int rc = take_begin(channel);
	if (rc < 0)
		return 0; /* its owner is stopped: as if there was nothing yet */
	if (__builtin_expect(orphans, 0))
		rc = adopt(channel, messages, count);
	if (rc == 0)
		rc = take_next(channel, messages, count);
	take_end(channel);
	return rc;
}

void mdg__hold_release(struct mdg_channel *channel)
{
	struct mdg__taken *held = &channel->held;
	if (held->upto < held->to)
		atomic_store_explicit(&channel->seat->from, held->upto, memory_order_release);
	else
		hold_nothing(channel->seat);
}

/* ---- the common case ----------------------------------------------------------------------- */

/* The small message at `at`, or NULL. */
static inline struct mdg__record *next_small(const struct mdg_channel *channel, uint64_t at,
                                             size_t room, uint32_t *ret_size)
{
	struct mdg__record *record = mdg__record_straight(channel, at, ret_size);
	return record != NULL && *ret_size <= room && *ret_size <= MDG__SMALL ? record : NULL;
}

/* Without the lock: it is looked at again with it. */
static inline bool seems_small(const struct mdg_channel *channel, size_t room)
{
	uint32_t size;
	return next_small(channel, mdg__position(&channel->head->taken), room, &size) != NULL;
}

/* The next message, held, if it is small, has this room, and nothing else is to be seen to. NULL:
 * this is another case, and nothing was done. */
static inline struct mdg__record *hold_small(struct mdg_channel *channel, size_t room,
                                             uint32_t *ret_size)
{
	struct mdg__taken *held = &channel->held;
	if (!mdg__hold_is_plain(channel) || !seems_small(channel, room) || !take_straight(channel))
		return NULL;
	struct mdg__record *record = next_small(channel, channel->next, room, ret_size);
	if (record != NULL) {
		held->from = channel->next;
		held->upto = held->to = channel->next + mdg__span(*ret_size);
		held->sequence = mdg__relaxed64(&record->sequence) + 1;
		held->again = false;
		hold(channel->seat, held->from, held->upto);
		mdg__note64(&channel->head->taken_sequence, held->sequence);
		mdg__hold_taken(channel, held->upto);
	}
	take_end(channel);
	return record;
}

bool mdg__hold_peek(struct mdg_channel *channel, struct mdg_message *ret)
{
	uint32_t size;
	struct mdg__record *record = hold_small(channel, MDG__SMALL, &size);
	if (record == NULL)
		return false;
	mdg__describe(record, size, ret);
	channel->held.count = 1;
	return true;
}

int mdg__hold_recv(struct mdg_channel *channel, void *data, size_t room,
                   struct mdg_message *ret_message)
{
	struct mdg__taken *held = &channel->held;
	uint32_t size;
	struct mdg__record *record = hold_small(channel, room, &size);
	if (record == NULL)
		return -EAGAIN;
	mdg__copy_out(record, size, data, ret_message);
	mdg__received(channel, 1);
	hold_nothing(channel->seat);
	held->from = held->upto;
	mdg__made_room(channel, held->upto);
	return (int)size;
}
