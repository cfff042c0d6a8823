/* SPDX-License-Identifier: MIT */
/*
 * relay.c - what a bridge does: messages that were first sent elsewhere, and how far it has come.
 *
 * A message that is relayed is sent as any other, with a tag in front. All of it is copied with the
 * lock held, so that messages and position change in one step (origins.c). So a batch ends after
 * some bytes.
 */
#include "madang/relay.h"

#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/peers.h"
#include "channel/ring.h"

enum { RELAYED_LOCKED = 65536, LOCK_NS = 1000000000 };
/* The position has changed since it was looked at. */
enum { LOOK_AGAIN = 0 };

/* ---- relaying ------------------------------------------------------------------------------ */

static bool same_origin(const struct mdg_origin *a, const struct mdg_origin *b)
{
	return a->identity[0] == b->identity[0] && a->identity[1] == b->identity[1] &&
	       a->epoch == b->epoch;
}

static int check(const struct mdg_channel *channel, const struct mdg_relayed *messages,
                 unsigned count)
{
	bool ordered = channel->way != MDG__TO_ONE;
	if (count == 0 || count > MDG_MANY_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		const struct mdg_relayed *message = &messages[i];
		uint32_t may = i + 1 == count ? MDG_REDELIVERED | MDG_RELAY_MORE : MDG_REDELIVERED;
		if ((message->flags & ~may) != 0 || message->number == UINT64_MAX ||
		    !same_origin(&message->origin, &messages[0].origin) ||
		    (ordered && i != 0 && message->number <= messages[i - 1].number))
			return -EINVAL;
	}
	return 0;
}

/* How many messages were taken before. In a queue none is dropped. */
static unsigned count_repeats(const struct mdg_channel *channel, const struct mdg_relayed *messages,
                              unsigned count)
{
	uint64_t next;
	unsigned repeats = 0;
	if (channel->way == MDG__TO_ONE ||
	    mdg__origin_next(channel, &messages[0].origin, &next) < 0)
		return 0;
	while (repeats < count && messages[repeats].number < next)
		repeats++;
	return repeats;
}

/* Their sizes, for as many as are sent at once: how many. */
static int take_sizes(struct mdg_channel *channel, const struct mdg_relayed *messages,
                      unsigned count)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		if (messages[i].size > channel->capacity)
			return i == 0 ? -EMSGSIZE : (int)i;
		bytes += messages[i].size + MDG__TAG;
		if (i != 0 && bytes > RELAYED_LOCKED)
			return (int)i;
		channel->size[i] = (uint32_t)messages[i].size + MDG__TAG;
	}
	return (int)count;
}

static void write_tagged(struct mdg_channel *channel, const struct mdg_relayed *messages,
                         unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct mdg_relayed *from = &messages[i];
		const struct mdg__tag tag = { { from->origin.identity[0],
			                        from->origin.identity[1] },
			                      from->origin.epoch,
			                      from->number };
		unsigned char *to = mdg__message_of(mdg__record(channel, channel->at[i]));
		memcpy(to, &tag, sizeof tag);
		if (from->size != 0)
			mdg__copy(to + sizeof tag, from->data, from->size);
	}
}

/* Shows the records that were written, the first one last, as show_records. [talk] */
static void show_tagged(struct mdg_channel *channel, const struct mdg_relayed *messages,
                        unsigned count)
{
	const struct mdg__reserved *reserved = &channel->reserved;
	for (unsigned i = count; i-- > 0;) {
		struct mdg__record *record = mdg__record(channel, channel->at[i]);
		bool again = (messages[i].flags & MDG_REDELIVERED) != 0;
		uint64_t before = i == 0 ? reserved->from
		                         : channel->at[i - 1] + mdg__span(channel->size[i - 1]);
		atomic_store_explicit(&record->size, channel->size[i], memory_order_relaxed);
		mdg__note64(&record->sequence, reserved->sequence + i);
		mdg__record_show(record, again ? MDG__RELAYED_AGAIN : MDG__RELAYED, channel->place);
		if (before != channel->at[i])
			mdg__skip_between(channel, before, channel->at[i]);
	}
}

/* The number after the greatest of these, and not before what the entry says. */
static uint64_t next_after(const struct mdg__origin *entry, const struct mdg_relayed *messages,
                           unsigned count)
{
	uint64_t next = mdg__relaxed64(&entry->next);
	for (unsigned i = 0; i < count; i++)
		next = messages[i].number >= next ? messages[i].number + 1 : next;
	return next;
}

/* Sends messages for which there is room. [talk] */
static int put_placed(struct mdg_channel *channel, const struct mdg_relayed *messages,
                      unsigned count)
{
	const struct mdg__reserved *reserved = &channel->reserved;
	struct mdg__origin *entry = mdg__origin_get(channel, &messages[0].origin);
	if (entry == NULL)
		return -ENOSPC;
	if (channel->way != MDG__TO_ONE && messages[0].number < mdg__relaxed64(&entry->next))
		return LOOK_AGAIN;
	write_tagged(channel, messages, count);
	mdg__clear_behind(channel, reserved->to);
	mdg__mark_parts(channel, count);
	mdg__tell_pollers(channel, count);
	mdg__redo_begin(channel, entry, next_after(entry, messages, count));
	show_tagged(channel, messages, count);
	mdg__redo_end(channel, reserved->to);
	mdg__tail_store(channel, reserved->to, reserved->sequence + count);
	channel->relayed_next = channel->sequence;
	return (int)count;
}

/* Listeners with MDG_WAIT_NEAR are woken when a further quarter of the ring has been filled. */
static uint32_t whom_to_wake(const struct mdg_channel *channel)
{
	uint64_t quarter = channel->ring_size / 4;
	bool near = channel->reserved.from / quarter != channel->reserved.to / quarter;
	return near ? MDG__ALERT_ASLEEP : MDG__ALERT_ASLEEP & ~MDG__ALERT_NEAR;
}

static int put(struct mdg_channel *channel, const struct mdg_relayed *messages, unsigned count,
               uint64_t deadline)
{
	bool more = (messages[count - 1].flags & MDG_RELAY_MORE) != 0;
	int rc = take_sizes(channel, messages, count);
	channel->relays = true;
	if (rc > 0)
		rc = mdg__place(channel, (unsigned)rc, deadline);
	channel->relays = false;
	if (rc < 0)
		return rc;
	rc = put_placed(channel, messages, (unsigned)rc);
	mdg__talk_end(channel);
	if (rc >= 0)
		mdg__claim_end(channel, more || (unsigned)rc < count);
	if (rc > 0)
		mdg__sent_to(channel, (unsigned)rc, whom_to_wake(channel));
	return rc;
}

int mdg_channel_relay(mdg_channel *channel, const struct mdg_relayed *messages, unsigned count,
                      unsigned *ret_repeats, uint64_t deadline)
{
	unsigned repeats;
	int rc = mdg__may_talk(channel, 0);
	if (rc == 0)
		rc = check(channel, messages, count);
	if (rc < 0)
		return rc;
	do {
		repeats = count_repeats(channel, messages, count);
		if (repeats == count)
			break;
		rc = put(channel, messages + repeats, count - repeats, repeats != 0 ? 0 : deadline);
	} while (rc == LOOK_AGAIN);
	if (ret_repeats != NULL)
		*ret_repeats = repeats;
	if (rc < 0 && repeats == 0)
		return rc;
	return (int)repeats + (rc > 0 ? rc : 0);
}

int mdg_channel_relayed_next(const mdg_channel *channel, uint64_t *ret_number)
{
	int rc = mdg__usable(channel, MDG_TALKER);
	if (rc == 0)
		*ret_number = channel->relayed_next;
	return rc;
}

/* ---- positions ----------------------------------------------------------------------------- */

static int usable_by_any(const struct mdg_channel *channel)
{
	if (channel->role == MDG_OBSERVER)
		return mdg__epoch_is(channel->epoch) ? 0 : -EPERM;
	return mdg__usable(channel, UINT32_MAX);
}

/* Whoever takes the lock has set right what a dead talker had begun. A stream's talker did when it
 * came. */
static int read_lock(struct mdg_channel *channel)
{
	int rc = usable_by_any(channel);
	if (rc < 0 || channel->way == MDG__ALONE)
		return rc;
	return mdg__talk_lock(channel, mdg_deadline(LOCK_NS));
}

/* The right to change the table. In a stream only the talker has it. */
static int table_lock(struct mdg_channel *channel)
{
	bool may = channel->way != MDG__ALONE || channel->role == MDG_TALKER;
	return may ? read_lock(channel) : -EPERM;
}

static void table_unlock(struct mdg_channel *channel)
{
	if (channel->way != MDG__ALONE)
		mdg__channel_unlock(&channel->head->talk_lock);
}

int mdg_channel_position(mdg_channel *channel, const struct mdg_origin *origin, uint64_t *ret_next)
{
	int rc = read_lock(channel);
	if (rc < 0)
		return rc;
	rc = mdg__origin_next(channel, origin, ret_next);
	table_unlock(channel);
	return rc;
}

int mdg_channel_commit_position(mdg_channel *channel, const struct mdg_origin *origin,
                                uint64_t next)
{
	int rc = table_lock(channel);
	if (rc < 0)
		return rc;
	struct mdg__origin *entry = mdg__origin_get(channel, origin);
	if (entry == NULL)
		rc = -ENOSPC;
	else if (next < mdg__relaxed64(&entry->next))
		rc = -EINVAL;
	else
		mdg__origin_set(entry, next);
	table_unlock(channel);
	return rc;
}

int mdg_channel_forget(mdg_channel *channel, const struct mdg_origin *origin)
{
	int rc = table_lock(channel);
	if (rc < 0)
		return rc;
	struct mdg__origin *entry = mdg__origin_find(channel, origin);
	if (entry != NULL) /* Release: whoever takes the entry anew writes to it after this. */
		atomic_fetch_add_explicit(&entry->uses, 1, memory_order_release);
	table_unlock(channel);
	return entry != NULL ? 0 : -ENOENT;
}

/* One entry as it is: false: it is not in use. */
static bool entry_read(const struct mdg__origin *entry, struct mdg_position *ret)
{
	uint32_t uses = atomic_load_explicit(&entry->uses, memory_order_acquire);
	if ((uses & 1) == 0)
		return false;
	ret->origin.identity[0] = mdg__relaxed64(&entry->identity[0]);
	ret->origin.identity[1] = mdg__relaxed64(&entry->identity[1]);
	ret->origin.epoch = mdg__relaxed64(&entry->epoch);
	ret->when = (int64_t)mdg__relaxed64(&entry->when);
	ret->next = atomic_load_explicit(&entry->next, memory_order_acquire);
	return mdg__relaxed32(&entry->uses) == uses;
}

int mdg_channel_positions(mdg_channel *channel, struct mdg_position *ret, unsigned room)
{
	unsigned count = 0;
	int rc = read_lock(channel);
	if (rc < 0)
		return rc;
	for (int i = 0; i < MDG__ORIGINS; i++) {
		struct mdg_position position;
		if (!entry_read(&channel->head->origins[i], &position))
			continue;
		if (count < room)
			ret[count] = position;
		count++;
	}
	table_unlock(channel);
	return (int)count;
}

/* ---- what became of messages --------------------------------------------------------------- */

/* Whether what a seat says is not beyond the messages before `number`. [talk] */
static bool is_behind(struct mdg_channel *channel, const struct mdg__seat *seat, uint64_t number)
{
	uint32_t state = mdg__seat_state(seat);
	uint64_t tail = mdg__position(&channel->head->tail);
	uint64_t from = atomic_load_explicit(&seat->from, memory_order_acquire);
	if (state != MDG__SEAT_LISTENER && state != MDG__SEAT_ORPHAN)
		return false;
	if (channel->way == MDG__TO_EACH) {
		bool at_end = from != MDG__NOWHERE && from >= tail;
		return mdg__relaxed64(&seat->sequence) < number && !at_end;
	}
	if (from == MDG__NOWHERE)
		return false;
	from &= ~(uint64_t)(MDG__STEP - 1);
	struct mdg__record *record;
	uint32_t size;
	/* With the lock nothing there is written over, even if it is released meanwhile. */
	return mdg__find_ready(channel, &from, tail, &record, &size) > 0 &&
	       mdg__relaxed64(&record->sequence) < number;
}

static bool is_taken(const struct mdg_channel *channel, uint64_t number)
{
	const struct mdg__channel_head *head = channel->head;
	return mdg__position(&head->taken) >= mdg__position(&head->tail) ||
	       mdg__relaxed64(&head->taken_sequence) >= number;
}

/* 1: all before `number` is done with; 0: not yet. */
static int is_settled(struct mdg_channel *channel, uint64_t number)
{
	struct mdg__channel_head *head = channel->head;
	if (channel->way == MDG__ALONE)
		return is_taken(channel, number);
	uint32_t moves = atomic_load_explicit(&head->moves, memory_order_acquire);
	if (channel->way == MDG__TO_ONE && !is_taken(channel, number))
		return 0;
	int rc = mdg__talk_lock(channel, mdg_deadline(LOCK_NS));
	if (rc < 0)
		return rc;
	bool behind = false;
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used && !behind; i++)
		behind = is_behind(channel, &channel->seats[i], number);
	mdg__channel_unlock(&head->talk_lock);
	/* A hold that went from one seat to another may have been in neither. */
	return !behind && atomic_load_explicit(&head->moves, memory_order_acquire) == moves;
}

int mdg_channel_settled(mdg_channel *channel, uint64_t number, uint64_t deadline)
{
	int rc = mdg__usable(channel, MDG_TALKER);
	if (rc < 0 || channel->door != NULL)
		return rc < 0 ? rc : -EPERM;
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_ROOM, deadline);
	rc = is_settled(channel, number);
	while (rc == 0) {
		int error = mdg__wait_more(channel, &waiting);
		rc = is_settled(channel, number);
		if (error < 0 && rc == 0)
			rc = error;
	}
	mdg__wait_end(channel, &waiting, rc > 0);
	return rc > 0 ? 0 : rc;
}
