/* SPDX-License-Identifier: MIT */
/*
 * reserve.c - room in the ring, and showing what was written there.
 *
 * A stream's talker has the tail to itself. It writes messages beyond the tail, and shows them with
 * the store of the first one's state: of all its stores the last that listeners look at. Nobody
 * else knows of the space before that, so a death leaves nothing.
 *
 * In other kinds there may be more talkers, and the tail moves with talk_lock held. A message of up
 * to 1 KiB is copied and shown before the lock is given back. For a larger one, and for a
 * reservation, the records are shown as RESERVED, the tail moves, and the talker fills them without
 * the lock. Its seat names them, so that they can be skipped if it dies.
 *
 * If many records are sent at once, the first is shown last. A listener reads in order, so it sees
 * all of them or none.
 */
#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/ring.h"

/* ---- room ---------------------------------------------------------------------------------- */

/* Where a record of `span` bytes begins if the one before it ends at `end`. */
static uint64_t place_from(struct mdg_channel *channel, uint64_t end, uint64_t span)
{
	uint64_t rest = channel->ring_size - mdg__offset(channel, end);
	return rest < span ? end + rest : end;
}

bool mdg__has_room(struct mdg_channel *channel, uint64_t need)
{
	if (__builtin_expect(need <= channel->limit, 1))
		return true;
	if (__builtin_expect(mdg__is_claimed(channel), 0))
		return false;
	uint64_t needed = channel->ops->needed(channel, need);
	channel->limit = (needed < channel->tail ? needed : channel->tail) + channel->ring_size;
	return need <= channel->limit;
}

/* Lays out records from the tail on. Returns how many have room. */
static unsigned lay_out(struct mdg_channel *channel, unsigned count)
{
	struct mdg__reserved *reserved = &channel->reserved;
	uint64_t end = channel->tail;
	unsigned placed = 0;
	while (placed < count) {
		uint64_t span = mdg__span(channel->size[placed]);
		uint64_t at = place_from(channel, end, span);
		uint64_t need = at + span + MDG__STEP;
		if (!mdg__has_room(channel, need))
			break;
		channel->at[placed++] = at;
		end = at + span;
	}
	reserved->from = channel->tail;
	reserved->to = end;
	reserved->sequence = channel->sequence;
	return placed;
}

static int try_place(struct mdg_channel *channel, unsigned count, uint64_t deadline)
{
	int rc = mdg__talk_begin(channel, deadline);
	if (rc < 0)
		return rc;
	unsigned placed = lay_out(channel, count);
	if (placed == 0)
		mdg__talk_end(channel);
	return placed == 0 ? -EAGAIN : (int)placed;
}

int mdg__place(struct mdg_channel *channel, unsigned count, uint64_t deadline)
{
	int rc = try_place(channel, count, deadline);
	if (__builtin_expect(rc != -EAGAIN, 1))
		return rc;
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_ROOM, deadline);
	while (rc == -EAGAIN) {
		mdg__claim_room(channel);
		int error = mdg__wait_more(channel, &waiting);
		rc = error < 0 ? error : try_place(channel, count, deadline);
		if (error == -EAGAIN)
			break;
	}
	mdg__wait_end(channel, &waiting, rc > 0);
	return rc;
}

/* ---- records ------------------------------------------------------------------------------- */

void mdg__skip_between(struct mdg_channel *channel, uint64_t from, uint64_t to)
{
	struct mdg__record *record = mdg__record(channel, from);
	atomic_store_explicit(&record->size, (uint32_t)(to - from - MDG__RECORD_HEAD),
	                      memory_order_relaxed);
	mdg__record_show(record, MDG__SKIP, channel->place);
}

/* Shows the first `count` reserved records, the first one last. What is between them is skipped.
 * `messages` has their sizes, if these are not those of the reservation. */
static inline void show_records(struct mdg_channel *channel, unsigned count, uint32_t state,
                                const struct mdg_message *messages)
{
	struct mdg__reserved *reserved = &channel->reserved;
	for (unsigned i = count; i-- > 0;) {
		struct mdg__record *record = mdg__record(channel, channel->at[i]);
		uint64_t size = messages != NULL ? messages[i].size : channel->size[i];
		uint64_t before =
			i == 0 ? reserved->from
			       : channel->at[i - 1] + mdg__span(messages != NULL
		                                                        ? messages[i - 1].size
		                                                        : channel->size[i - 1]);
		atomic_store_explicit(&record->size, (uint32_t)size, memory_order_relaxed);
		mdg__note64(&record->sequence, reserved->sequence + i);
		mdg__record_show(record, state, channel->place);
		if (__builtin_expect(before != channel->at[i], 0))
			mdg__skip_between(channel, before, channel->at[i]);
	}
}

void mdg__mark_parts(struct mdg_channel *channel, unsigned count)
{
	for (unsigned i = 0; channel->way == MDG__TO_EACH && i < count; i++)
		mdg__mark(channel, channel->at[i]);
}

/* Shows messages that were written beyond the tail, and moves the tail to `to`, where they end. */
static inline void show_at_tail(struct mdg_channel *channel, unsigned count,
                                const struct mdg_message *messages, uint64_t to)
{
	struct mdg__reserved *reserved = &channel->reserved;
	mdg__clear_behind(channel, to);
	mdg__mark_parts(channel, count);
	mdg__tell_pollers(channel, count);
	show_records(channel, count, MDG__READY, messages);
	mdg__tail_store(channel, to, reserved->sequence + count);
}

/* Shows messages that were written where mdg__place has found room. */
static inline void send_placed(struct mdg_channel *channel, unsigned count)
{
	show_at_tail(channel, count, NULL, channel->reserved.to);
	mdg__talk_end(channel);
	mdg__sent(channel, count);
}

/* ---- reserving ----------------------------------------------------------------------------- */

/* Shows the records as reserved, so that others can go on behind them. Gives talk_lock back. */
static void reserve_shown(struct mdg_channel *channel, unsigned count)
{
	struct mdg__reserved *reserved = &channel->reserved;
	struct mdg__seat *seat = channel->seat;
	atomic_store_explicit(&seat->to, reserved->to, memory_order_release);
	atomic_store_explicit(&seat->from, reserved->from, memory_order_release);
	mdg__clear_behind(channel, reserved->to);
	mdg__mark_parts(channel, count);
	show_records(channel, count, MDG__RESERVED, NULL);
	mdg__tail_store(channel, reserved->to, reserved->sequence + count);
	mdg__talk_end(channel);
}

int mdg__reserve_records(struct mdg_channel *channel, unsigned count, uint64_t deadline)
{
	int rc = mdg__place(channel, count, deadline);
	if (rc < 0)
		return rc;
	channel->reserved.count = (uint32_t)rc;
	channel->reserved.straight = false;
	if (!mdg__is_alone(channel))
		reserve_shown(channel, (unsigned)rc);
	return rc;
}

static void reservation_ends(struct mdg_channel *channel)
{
	if (!mdg__is_alone(channel))
		atomic_store_explicit(&channel->seat->from, MDG__NOWHERE, memory_order_release);
	channel->reserved.count = 0;
}

/* Skips the records from `first` on, and what is left of the room before them, from `end`. */
static void skip_from(struct mdg_channel *channel, unsigned first, uint64_t end)
{
	struct mdg__reserved *reserved = &channel->reserved;
	for (unsigned i = reserved->count; i-- > first;)
		mdg__record_show(mdg__record(channel, channel->at[i]), MDG__SKIP, channel->place);
	uint64_t next = first < reserved->count ? channel->at[first] : reserved->to;
	if (end != next)
		mdg__skip_between(channel, end, next);
}

/* Shows the records in order. A death in between leaves the first of them. */
static void show_reserved(struct mdg_channel *channel, unsigned count,
                          const struct mdg_message *messages)
{
	for (unsigned i = 0; i < count; i++) {
		struct mdg__record *record = mdg__record(channel, channel->at[i]);
		uint64_t end = channel->at[i] + mdg__span(messages[i].size);
		if (i + 1 < count && end != channel->at[i + 1])
			mdg__skip_between(channel, end, channel->at[i + 1]);
		/* Release: a process that walks over reserved records by their sizes finds what is
		 * skipped. */
		atomic_store_explicit(&record->size, (uint32_t)messages[i].size,
		                      memory_order_release);
		mdg__record_show(record, MDG__READY, channel->place);
	}
}

int mdg__commit_records(struct mdg_channel *channel, const struct mdg_message *messages,
                        unsigned count)
{
	uint64_t end = channel->at[count - 1] + mdg__span(messages[count - 1].size);
	if (mdg__is_alone(channel)) {
		show_at_tail(channel, count, messages, end);
	} else {
		skip_from(channel, count, end);
		mdg__tell_pollers(channel, count);
		show_reserved(channel, count, messages);
	}
	reservation_ends(channel);
	mdg__sent(channel, count);
	return 0;
}

/* Takes the reservation back if nothing came behind it. [talk] */
static bool take_back(struct mdg_channel *channel)
{
	struct mdg__reserved *reserved = &channel->reserved;
	/* A listener of a topic may have begun at the tail. */
	if (channel->tail != reserved->to || channel->way == MDG__TO_EACH)
		return false;
	/* What is skipped before the first record stays, because listeners may have gone beyond
	 * it. */
	mdg__tail_store(channel, channel->at[0], reserved->sequence);
	mdg__clear_behind(channel, channel->at[0]);
	return true;
}

int mdg__cancel_all(struct mdg_channel *channel)
{
	struct mdg__reserved *reserved = &channel->reserved;
	if (reserved->count == 0)
		return -EINVAL;
	if (mdg__is_alone(channel)) {
		channel->reserved.count = 0;
		return 0;
	}
	bool back = false;
	if (mdg__talk_begin(channel, mdg_deadline(1000000000)) == 0) {
		back = take_back(channel);
		if (back) /* before anybody else can move the tail: see forget_reserved */
			reservation_ends(channel);
		mdg__talk_end(channel);
	}
	if (!back) {
		skip_from(channel, 0, channel->at[0]);
		reservation_ends(channel);
	}
	mdg__tell(channel, 1); /* who waits for it goes on */
	return 0;
}

int mdg__reserve_record(struct mdg_channel *channel, size_t size, void **ret_data,
                        uint64_t deadline)
{
	channel->size[0] = (uint32_t)size;
	int rc = mdg__reserve_records(channel, 1, deadline);
	if (rc < 0)
		return rc;
	*ret_data = mdg__message_of(mdg__record(channel, channel->at[0]));
	return 0;
}

/* The common case in a stream: room that is known, and no end of the ring near. False: this is
 * another case, and nothing was done. */
static inline bool reserve_straight(struct mdg_channel *channel, size_t size, void **ret_data)
{
	uint64_t at = channel->tail, span = mdg__span(size), offset = at - channel->base;
	if (!mdg__is_alone(channel) || offset >= channel->ring_size ||
	    offset + span + MDG__STEP > channel->ring_size ||
	    at + span + MDG__STEP > channel->limit)
		return false;
	channel->reserved.from = channel->at[0] = at;
	channel->reserved.to = at + span;
	channel->reserved.sequence = channel->sequence;
	channel->reserved.count = 1;
	channel->reserved.straight = true;
	channel->size[0] = (uint32_t)size;
	*ret_data = mdg__message_of((struct mdg__record *)(void *)(channel->ring + offset));
	return true;
}

int mdg_channel_reserve(mdg_channel *channel, size_t size, void **ret_data, uint64_t deadline)
{
	if (__builtin_expect(channel->door != NULL, 0))
		return channel->door->reserve(channel, size, ret_data, deadline);
	int rc = mdg__may_talk(channel, size);
	if (rc < 0 || reserve_straight(channel, size, ret_data))
		return rc;
	return mdg__reserve_record(channel, size, ret_data, deadline);
}

/* The common case in a stream: one small message that was reserved straight. False: this is another
 * case, and nothing was done. */
static inline bool commit_straight(struct mdg_channel *channel, size_t size)
{
	struct mdg__reserved *reserved = &channel->reserved;
	uint64_t offset = reserved->from - channel->base;
	if (reserved->count == 0 || !reserved->straight || size > channel->size[0] ||
	    size > MDG__SMALL || offset >= channel->ring_size)
		return false;
	mdg__show_small(channel, reserved->from, offset, size);
	reserved->count = 0;
	mdg__sent(channel, 1);
	return true;
}

int mdg__commit_record(struct mdg_channel *channel, size_t size)
{
	struct mdg_message message = { .size = size };
	if (channel->reserved.count != 1 || size > channel->size[0])
		return -EINVAL;
	return mdg__commit_records(channel, &message, 1);
}

int mdg_channel_commit(mdg_channel *channel, size_t size)
{
	if (channel->door != NULL)
		return channel->door->commit(channel, size);
	int rc = mdg__usable(channel, MDG_TALKER);
	return rc < 0 || commit_straight(channel, size) ? rc : mdg__commit_record(channel, size);
}

int mdg_channel_cancel(mdg_channel *channel)
{
	if (channel->door != NULL)
		return channel->door->cancel(channel);
	int rc = mdg__usable(channel, MDG_TALKER);
	return rc < 0 ? rc : mdg__cancel_all(channel);
}

/* ---- copies -------------------------------------------------------------------------------- */

static inline void fill(struct mdg_channel *channel, const struct mdg__request *request,
                        const void *data, size_t size)
{
	unsigned char *message = mdg__message_of(mdg__record(channel, channel->at[0]));
	if (request != NULL) {
		memcpy(message, request, sizeof *request);
		message += sizeof *request;
	}
	if (size != 0)
		memcpy(message, data, size);
}

int mdg__send_record(struct mdg_channel *channel, const struct mdg__request *request,
                     const void *data, size_t size, uint64_t deadline)
{
	size_t whole = size + (request != NULL ? sizeof *request : 0);
	channel->size[0] = (uint32_t)whole;
	if (!mdg__is_alone(channel) && whole > MDG__COPIED_LOCKED) {
		struct mdg_message message = { .size = whole };
		int rc = mdg__reserve_records(channel, 1, deadline);
		if (rc < 0)
			return rc;
		fill(channel, request, data, size);
		return mdg__commit_records(channel, &message, 1);
	}
	int rc = mdg__place(channel, 1, deadline);
	if (__builtin_expect(rc < 0, 0))
		return rc;
	fill(channel, request, data, size);
	send_placed(channel, 1);
	return 0;
}

static void copy_in(struct mdg_channel *channel, const struct mdg_message *messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mdg__copy(mdg__message_of(mdg__record(channel, channel->at[i])), messages[i].data,
		          messages[i].size);
}

/* Whether the messages have so few bytes that they are copied with the lock held. */
static bool are_small(const struct mdg_channel *channel, unsigned count)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		bytes += channel->size[i];
	return bytes <= MDG__MANY_LOCKED;
}

int mdg__send_records(struct mdg_channel *channel, const struct mdg_message *messages,
                      unsigned count, uint64_t deadline)
{
	if (!mdg__is_alone(channel) && !are_small(channel, count)) {
		int reserved = mdg__reserve_records(channel, count, deadline);
		if (reserved < 0)
			return reserved;
		copy_in(channel, messages, (unsigned)reserved);
		(void)mdg__commit_records(channel, messages, (unsigned)reserved);
		return reserved;
	}
	int placed = mdg__place(channel, count, deadline);
	if (placed < 0)
		return placed;
	copy_in(channel, messages, (unsigned)placed);
	send_placed(channel, (unsigned)placed);
	return placed;
}
