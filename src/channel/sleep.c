/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - waiting for a message, for room, or for a reply.
 *
 * A handle that waits spins for a while, says in shared memory that it is about to sleep, looks
 * once more, and sleeps. wake.c explains why no wake-up is lost.
 *
 * If each message goes to one listener, a listener that stops waiting takes its bit in `alert`
 * away, and then looks whether there is one more message. The wake-up for that message may have
 * gone to this listener, which was awake already, or which took another message. Then it wakes
 * another one.
 *
 * A talker that is killed between publishing and waking wakes nobody. So nobody sleeps for longer
 * than 25 ms at a time, or a second if it asked for long waits. Then each looks for messages, for
 * the dead, and whether the channel was removed.
 */
#include "channel/kind.h"
#include "channel/peers.h"
#include "channel/wake.h"

#include "platform/sys.h"

enum {
	SPIN_LEAST_NS = 4000,
	VAIN = 8,  /* times that it spun in vain, until it spins less */
	ASK = 256, /* sleeps, until it asks again whether it has one processor */
	PAUSES = 32,
	RAN_NS = 1000 /* sched_yield took so long: another process ran */
};
enum { SPINNING = 1, AWAKE, ANNOUNCED };

/* ---- falling asleep ------------------------------------------------------------------------ */

static bool is_near(const struct mdg_channel *channel)
{
	return channel->wait == MDG_WAIT_NEAR && channel->way == MDG__TO_EACH;
}

static uint32_t own_bit(const struct mdg_channel *channel)
{
	return is_near(channel) ? MDG__ALERT_NEAR : 1u << channel->place % MDG__ALERT_BITS;
}

static mdg__c32 *bell_of(struct mdg_channel *channel, enum mdg__wait_for what)
{
	if (what == MDG__FOR_MESSAGE)
		return &channel->head->bell;
	return what == MDG__FOR_ROOM ? &channel->head->room_bell : &channel->seat->box_bell;
}

/* Says that this handle sleeps. Whatever is published from now on wakes it. */
static void announce(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	struct mdg__channel_head *head = channel->head;
	waiting->seen = atomic_load(bell_of(channel, waiting->what));
	if (waiting->what == MDG__FOR_MESSAGE) {
		mdg__alert_sleeper(channel, own_bit(channel));
	} else if (waiting->what == MDG__FOR_ROOM) {
		atomic_store(&head->full_waits, 1);
	} else {
		atomic_store(&mdg__box_of(channel, channel->place)->waits, 1);
	}
	mdg__fence();
	/* A talker may wait for the room that this listener has made. */
	if (waiting->what == MDG__FOR_MESSAGE && mdg__relaxed32(&head->full_waits) != 0)
		mdg__wake_talkers(channel);
}

static int doze(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	bool message = waiting->what == MDG__FOR_MESSAGE;
	uint64_t now = mdg__monotonic_nanoseconds();
	uint64_t until = now + mdg__slice(channel, message ? now - waiting->began : 0);
	uint32_t bits = message ? own_bit(channel) : (uint32_t)MDG__ANYONE;
	bool slice = until < waiting->deadline;
	atomic_store_explicit(&channel->seat->asleep, 1, memory_order_relaxed);
	int rc = mdg__sys_futex_wait_until(bell_of(channel, waiting->what), waiting->seen,
	                                   slice ? until : waiting->deadline, bits);
	atomic_store_explicit(&channel->seat->asleep, 0, memory_order_relaxed);
	if (rc == -EINTR)
		return rc;
	bool late = rc == -ETIMEDOUT && !slice;
	/* It looks for the dead also if it is woken again and again, because a dead process may
	 * have to give what it waits for; and at once if it was woken because the channel was
	 * removed. */
	now = mdg__monotonic_nanoseconds();
	rc = 0;
	if (now >= waiting->look_at || mdg__relaxed32(&channel->head->removed) != 0) {
		rc = mdg__look_after(channel);
		waiting->look_at = now + MDG__SLICE_NS;
	}
	return rc == 0 && late ? -ETIMEDOUT : rc;
}

/* ---- spinning ------------------------------------------------------------------------------ */

static void spun_in_vain(struct mdg_channel *channel)
{
	if (++channel->vain % VAIN == 0)
		channel->spin = mdg__sys_processors() == 1 ? 0 : SPIN_LEAST_NS;
}

/* [MDG_WAIT_SPIN] Lets others have the processor. If somebody takes it, this handle shares it,
 * perhaps with the one that it waits for. Then the next wait begins with this. Returns the time. */
static uint64_t give_way(struct mdg_channel *channel, uint64_t now)
{
	mdg__sys_yield();
	uint64_t then = mdg__monotonic_nanoseconds();
	channel->spin = then - now >= RAN_NS ? 0 : MDG__SPIN_MOST_NS;
	return then;
}

static void begins_at(struct mdg__waiting *waiting, uint64_t now)
{
	waiting->began = now;
	waiting->look_at = now + MDG__SLICE_NS;
}

/* 0: look again; -ETIMEDOUT, -EIDRM. May end the spinning. */
static int spin(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	for (int i = 0; i < PAUSES && channel->spin != 0; i++) {
		mdg__cpu_pause();
		if (waiting->watch != NULL && mdg__relaxed32(waiting->watch) != waiting->watched)
			return 0;
		if (waiting->box != NULL && mdg__relaxed64(waiting->box) != waiting->word)
			return 0;
	}
	if (waiting->what == MDG__FOR_MESSAGE && mdg__relaxed32(&channel->head->full_waits) != 0)
		mdg__wake_talkers(channel);
	uint64_t now = mdg__monotonic_nanoseconds();
	if (now >= waiting->deadline)
		return -ETIMEDOUT;
	if (waiting->began == 0)
		begins_at(waiting, now);
	if (channel->wait == MDG_WAIT_SPIN) {
		if (now - waiting->began >= channel->spin)
			now = give_way(channel, now);
		if (now < waiting->look_at)
			return 0;
		waiting->look_at = now + MDG__SLICE_NS;
		return mdg__look_after(channel);
	}
	if (now - waiting->began >= channel->spin) {
		spun_in_vain(channel);
		waiting->step = AWAKE;
	}
	return 0;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* A handle that never waits has to wake talkers and look for the dead, too. 0: look again. */
static int do_not_wait(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	if (waiting->what == MDG__FOR_MESSAGE && mdg__relaxed32(&channel->head->full_waits) != 0)
		mdg__wake_talkers(channel);
	if (mdg__relaxed32(&channel->head->removed) != 0)
		return -EIDRM;
	uint64_t now = mdg__monotonic_nanoseconds();
	if (now - channel->looked < MDG__SLICE_NS)
		return -EAGAIN;
	int rc = mdg__look_after(channel);
	channel->looked = mdg__monotonic_nanoseconds();
	return rc;
}

static void begin(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	/* The process may have more than one processor by now. */
	bool may_spin = channel->wait != MDG_WAIT_SPIN && channel->wait != MDG_WAIT_SLEEP;
	if (channel->spin == 0 && may_spin && ++channel->vain % ASK == 0 &&
	    mdg__sys_processors() != 1)
		channel->spin = SPIN_LEAST_NS;
	/* Who spins looks at the clock after the first pauses: most waits are shorter. */
	waiting->step = channel->spin != 0 || channel->wait == MDG_WAIT_SPIN ? SPINNING : AWAKE;
	if (waiting->step == AWAKE)
		begins_at(waiting, mdg__monotonic_nanoseconds());
}

int mdg__wait_more(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	if (waiting->what == MDG__FOR_ROOM)
		mdg__alert_near(channel);
	if (waiting->deadline == 0)
		return do_not_wait(channel, waiting);
	if (waiting->step == 0)
		begin(channel, waiting);
	if (waiting->step == SPINNING)
		return spin(channel, waiting);
	if (waiting->step == AWAKE) {
		announce(channel, waiting);
		waiting->step = ANNOUNCED;
		return 0;
	}
	waiting->step = AWAKE;
	return doze(channel, waiting);
}

void mdg__wait_end(struct mdg_channel *channel, struct mdg__waiting *waiting, bool got)
{
	if (waiting->step == SPINNING && got && channel->vain != 0) {
		channel->vain = 0;
		channel->spin = MDG__SPIN_MOST_NS;
	}
	if (waiting->what != MDG__FOR_MESSAGE || waiting->step <= SPINNING)
		return;
	/* Always before the look below: whoever has taken the bit away has published before. */
	if (mdg__seats_used(channel) <= MDG__ALERT_BITS && !is_near(channel))
		atomic_fetch_and(&channel->head->alert, ~own_bit(channel));
	if (channel->way == MDG__TO_ONE && channel->ops->has(channel))
		mdg__alert_others(channel, 1);
}
