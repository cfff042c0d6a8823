/* SPDX-License-Identifier: MIT */
/*
 * seats.c - who is in a channel, and what the dead leave.
 *
 * Each talker and each listener has a seat, which has the signature of its process. A process that
 * waits asks every 25 ms whether the others live. A process that comes asks too.
 *
 * A dead talker or listener is BURIED, with the seat lock held: what it had reserved is skipped,
 * what it held goes to others, and its seat is free. Each step can be done again. So if the process
 * that buries dies as well, the next one begins anew.
 */
#include "channel/peers.h"

#include "channel/kind.h"
#include "channel/ring.h"
#include "channel/wake.h"
#include "platform/identity.h"

enum { LEAVE_NS = 1000000000 };

/* ---- events ---------------------------------------------------------------------- */

void mdg__seat_event(struct mdg_channel *channel, enum mdg_peer_change change, uint32_t place,
                     const struct mdg__seat *seat)
{
	struct mdg__channel_head *head = channel->head;
	uint32_t number = mdg__relaxed32(&head->changes);
	struct mdg__event *event = &head->events[number % MDG__EVENTS];
	uint32_t role =
		mdg__relaxed32(&seat->state) == MDG__SEAT_TALKER ? MDG_TALKER : MDG_LISTENER;
	atomic_store(&event->number1, 0);
	atomic_store(&event->what, (uint32_t)change | role << 8 | place << 16);
	atomic_store(&event->pid, mdg__relaxed32(&seat->pid));
	atomic_store(&event->number1, number + 1 != 0 ? number + 1 : 1);
	atomic_store(&head->changes, number + 1);
	if (atomic_exchange(&head->event_waits, 0) != 0)
		(void)mdg__sys_futex_wake_bits(&head->changes, INT32_MAX, (uint32_t)MDG__ANYONE);
}

/* ---- coming ------------------------------------------------------------------------ */

static uint32_t state_of(uint32_t role)
{
	return role == MDG_TALKER ? MDG__SEAT_TALKER : MDG__SEAT_LISTENER;
}

/* Whether there is somebody in this role. */
static bool is_taken(struct mdg_channel *channel)
{
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++)
		if (mdg__seat_state(&channel->seats[i]) == state_of(channel->role))
			return true;
	return false;
}

static void seat_fill(struct mdg_channel *channel, struct mdg__seat *seat)
{
	struct mdg__signature me = mdg__signature_own(channel->ns);
	channel->use = mdg__relaxed32(&seat->use) + 1;
	atomic_store(&seat->use, channel->use);
	atomic_store(&seat->leaves, 0);
	atomic_store(&seat->slot1, me.slot1);
	atomic_store(&seat->generation, me.generation);
	atomic_store(&seat->pid, (uint32_t)mdg__pid());
	atomic_store(&seat->since, (uint64_t)mdg__now_seconds());
	atomic_store(&seat->asleep, 0);
	atomic_store(&seat->polls, 0);
	atomic_store(&seat->inside, 0);
	atomic_store(&seat->count, 0);
	atomic_store(&seat->sequence, 0);
	atomic_store(&seat->missed, 0);
}

/* Takes over the seat of a dead listener with what it held. Nobody else can take the seat
 * meanwhile, because at no moment it is free. */
static int inherit(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	if (channel->ops->inherit == NULL || channel->role != MDG_LISTENER)
		return -EUSERS;
	int rc = mdg__take_lock(channel, mdg_deadline(LEAVE_NS));
	if (rc < 0)
		return rc;
	rc = -EUSERS;
	if (channel->ops->inherit(channel)) {
		seat_fill(channel, channel->seat);
		atomic_store(&channel->seat->state, MDG__SEAT_LISTENER);
		uint32_t orphans = mdg__relaxed32(&head->orphans);
		atomic_store(&head->orphans, orphans != 0 ? orphans - 1 : 0);
		rc = 0;
	}
	mdg__channel_unlock(&head->take_lock);
	return rc;
}

/* The box of a caller has memory after this, before anybody can know that the seat is taken. */
static int box_promise(struct mdg_channel *channel, uint32_t place)
{
	uint64_t begin = (uint64_t)(channel->boxes - (unsigned char *)channel->head);
	if (channel->box_size == 0 || channel->role != MDG_TALKER)
		return 0;
	return mdg__segment_promise(channel->ns, channel->id, channel->head,
	                            begin + place * channel->box_size, channel->box_size);
}

int mdg__seat_take(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	uint32_t place = 0, used = mdg__seats_used(channel);
	if (channel->way == MDG__ALONE && is_taken(channel))
		return -EBUSY;
	while (place < used && mdg__seat_state(&channel->seats[place]) != MDG__SEAT_FREE)
		place++;
	if (place == channel->seat_count)
		return inherit(channel);
	int rc = box_promise(channel, place);
	if (rc < 0)
		return rc;
	channel->seat = &channel->seats[place];
	channel->place = place;
	seat_fill(channel, channel->seat);
	atomic_store(&channel->seat->from, MDG__NOWHERE);
	atomic_store(&channel->seat->to, 0);
	if (place == used) /* Release: pairs with the acquire in mdg__seats_used. */
		atomic_store_explicit(&head->seats_used, place + 1, memory_order_release);
	return 0;
}

void mdg__seat_show(struct mdg_channel *channel)
{
	/* Release: all else in the seat is right. */
	atomic_store_explicit(&channel->seat->state, state_of(channel->role), memory_order_release);
}

/* ---- going --------------------------------------------------------------------------- */

/* What a talker had reserved will not appear. [seat lock] */
static int clear_talker(struct mdg_channel *channel, uint32_t place, uint64_t deadline)
{
	struct mdg__seat *seat = &channel->seats[place];
	if (channel->way == MDG__ALONE)
		return 0;
	int rc = mdg__talk_lock(channel, deadline);
	if (rc < 0)
		return rc;
	mdg__skip_reserved(channel, seat, place);
	atomic_store(&seat->from, MDG__NOWHERE);
	mdg__channel_unlock(&channel->head->talk_lock);
	bool (*drop)(struct mdg_channel *, uint32_t) = channel->ops->drop_talker;
	return drop != NULL && !drop(channel, place) ? -EAGAIN : 0;
}

/* What a listener held goes to others. 1: the seat is not free yet. [seat lock] */
static int clear_listener(struct mdg_channel *channel, struct mdg__seat *seat, bool died,
                          uint64_t deadline)
{
	if (channel->ops->drop_listener != NULL)
		return channel->ops->drop_listener(channel, seat, died, deadline);
	atomic_store(&seat->from, MDG__NOWHERE);
	return 0;
}

/* Empties a seat. False: a living process is in the middle of something, so this has to be tried
 * again. [seat lock] */
static bool empty_seat(struct mdg_channel *channel, uint32_t place, enum mdg_peer_change change,
                       uint64_t deadline)
{
	struct mdg__seat *seat = &channel->seats[place];
	struct mdg__seat was;
	was.state = mdg__relaxed32(&seat->state);
	was.pid = mdg__relaxed32(&seat->pid);
	bool died = change == MDG_PEER_GONE;
	int rc = was.state == MDG__SEAT_TALKER ? clear_talker(channel, place, deadline)
	                                       : clear_listener(channel, seat, died, deadline);
	if (rc < 0)
		return false;
	atomic_fetch_add(&seat->use, 1); /* its handle, if it lives after all, may not go on */
	if (rc == 0)
		atomic_store(&seat->state, MDG__SEAT_FREE);
	mdg__seat_event(channel, change, place, &was);
	return true;
}

void mdg__seat_leave(struct mdg_channel *channel)
{
	struct mdg__seat *seat = channel->seat;
	uint64_t deadline = mdg_deadline(LEAVE_NS);
	/* If this handle cannot empty its seat, whoever finds the seat like this does it. */
	atomic_store(&seat->leaves, 1);
	if (mdg__seat_lock(channel, deadline) < 0) {
		atomic_store(&seat->slot1, 0);
		return;
	}
	if (mdg__is_seated(channel) &&
	    !empty_seat(channel, channel->place, MDG_PEER_LEFT, deadline))
		atomic_store(&seat->slot1, 0);
	mdg__channel_unlock(&channel->head->seat_lock);
	mdg__wake_everybody(channel);
}

/* ---- the dead ---------------------------------------------------------------------------- */

static bool seat_is_dead(struct mdg_channel *channel, const struct mdg__seat *seat)
{
	uint32_t state = mdg__seat_state(seat);
	if (state != MDG__SEAT_TALKER && state != MDG__SEAT_LISTENER)
		return false;
	struct mdg__signature its = mdg__seat_signature(seat);
	struct mdg__signature me = mdg__signature_own(channel->ns);
	if (its.slot1 == me.slot1 && its.generation == me.generation)
		return false;
	return !mdg__signature_lives(channel->ns, its);
}

/* Buries the dead. Returns whether there were any. A server that is buried lets go of its caller's
 * seat. */
static bool bury(struct mdg_channel *channel)
{
	uint32_t used = mdg__seats_used(channel);
	bool buried = false;
	if (mdg__seat_lock(channel, 0) < 0)
		return false;
	for (uint32_t i = 0; i < used; i++) {
		struct mdg__seat *seat = &channel->seats[i];
		if (!seat_is_dead(channel, seat))
			continue;
		uint32_t use = mdg__relaxed32(&seat->use);
		enum mdg_peer_change change =
			mdg__relaxed32(&seat->leaves) != 0 ? MDG_PEER_LEFT : MDG_PEER_GONE;
		if (empty_seat(channel, i, change, 0)) {
			mdg__pipe_unlink(channel, i, use);
			buried = true;
		} else {
			atomic_store(&seat->slot1, 0); /* its server is told: server.c */
		}
	}
	mdg__channel_unlock(&channel->head->seat_lock);
	return buried;
}

static bool is_removed(struct mdg_channel *channel)
{
	return mdg__relaxed32(&channel->head->removed) != 0 ||
	       mdg__segment_is_removed(channel->ns, channel->id);
}

int mdg__look_after(struct mdg_channel *channel)
{
	struct mdg__signature me;
	(void)mdg__sign(channel->ns, &me); /* the program may have closed what shows it */
	uint32_t used = mdg__seats_used(channel), i = 0;
	while (i < used && !seat_is_dead(channel, &channel->seats[i]))
		i++;
	if (i < used && bury(channel))
		mdg__wake_everybody(channel);
	if (channel->seat != NULL && !mdg__is_seated(channel))
		return -ESTALE;
	return is_removed(channel) ? -EIDRM : 0;
}
