/* SPDX-License-Identifier: MIT */
/*
 * wake.c - waking those who wait for a message, for room, or for a reply.
 *
 * A process that waits says in shared memory that it is about to sleep, looks once more, and sleeps
 * (sleep.c). A process that has published something looks whether anybody sleeps. Each of the two
 * stores first and loads then; if nothing reordered that, no wake-up would be lost.
 *
 * So each of them needs a fence between its store and its load. For a talker that would be a fence
 * with each message, which waits until the reader's processor has given a cache line away. So the
 * process that goes to sleep, which has time, makes all the others pass a fence: membarrier(2)
 * reaches every process that has registered, and all that open a channel do. Where the kernel does
 * not offer it, and for listeners that sleep at once, talkers are told to fence
 * (MDG__ALERT_FENCE).
 *
 * Each seat has a bit in `alert`. Whoever wakes others takes their bits away first. If each message
 * goes to one listener, it takes as many bits as there are messages, else all. So no talker calls
 * the kernel for a listener that is awake.
 *
 * In a topic, listeners with MDG_WAIT_NEAR share one bit. Talkers that relay leave it alone, but
 * for four times in a ring's length. So such a listener may sleep while there are messages that it
 * has not seen, and that take room. Hence each talker that finds no room wakes it first. The bit
 * stays when such a listener wakes up by itself: that costs the next talker one call.
 */
#include "channel/wake.h"

#include <limits.h>

#include "channel/kind.h"
#include "platform/sys.h"

/* ---- fences -------------------------------------------------------------------------------- */

/* Makes every thread pass a fence that may be between publishing and looking. */
static void barrier(struct mdg_channel *channel, uint32_t alert)
{
	/* Talkers fence by themselves, and have done so since this handle was opened. */
	if ((alert & MDG__ALERT_FENCE) != 0 && channel->wait == MDG_WAIT_SLEEP)
		return;
	if (mdg__sys_fence_all() == 0)
		return;
	atomic_fetch_or(&channel->head->alert, MDG__ALERT_FENCE);
}

/* A talker that looked at the flag just before it was set has passed a fence by membarrier. */
void mdg__ask_for_fences(struct mdg_channel *channel)
{
	atomic_fetch_or(&channel->head->alert, MDG__ALERT_FENCE);
	(void)mdg__sys_fence_all();
}

void mdg__alert_sleeper(struct mdg_channel *channel, uint32_t bit)
{
	barrier(channel, atomic_fetch_or(&channel->head->alert, bit));
}

void mdg__alert_pollers(struct mdg_channel *channel)
{
	barrier(channel, atomic_fetch_or(&channel->head->alert, MDG__ALERT_POLL));
	mdg__fence();
}

/* ---- waking -------------------------------------------------------------------------------- */

static uint32_t lowest_bits(uint32_t bits, unsigned count)
{
	uint32_t rest = bits;
	while (rest != 0 && count-- != 0)
		rest &= rest - 1;
	return bits & ~rest;
}

static void ring_bell(mdg__c32 *bell, uint32_t bits)
{
	atomic_fetch_add(bell, 1);
	(void)mdg__sys_futex_wake_bits(bell, INT_MAX, bits);
}

void mdg__alert_some(struct mdg_channel *channel, unsigned messages, uint32_t whom)
{
	mdg__c32 *field = &channel->head->alert;
	uint32_t alert = mdg__relaxed32(field);
	if ((alert & MDG__ALERT_FENCE) != 0) {
		mdg__fence();
		alert = mdg__relaxed32(field);
	}
	/* If seats share a bit, nobody can tell which of them sleeps. Then all are woken. */
	bool few = channel->way == MDG__TO_ONE && mdg__seats_used(channel) <= MDG__ALERT_BITS;
	uint32_t asleep = alert & whom, wake = 0;
	while (asleep != 0 && wake == 0) { /* another talker may have taken the same bits */
		wake = few ? lowest_bits(asleep, messages) : asleep;
		asleep = atomic_fetch_and(field, ~wake) & whom;
		wake &= asleep;
	}
	if (wake != 0)
		ring_bell(&channel->head->bell, wake);
	if ((alert & MDG__ALERT_POLL) != 0 && messages != 0)
		mdg__pipes_ring(channel, messages);
}

void mdg__wake_talkers(struct mdg_channel *channel)
{
	if (atomic_exchange(&channel->head->full_waits, 0) != 0)
		ring_bell(&channel->head->room_bell, (uint32_t)MDG__ANYONE);
}

void mdg__wake_sleeping_caller(struct mdg_channel *channel, uint32_t place)
{
	struct mdg__seat *seat = &channel->seats[place];
	mdg__c32 *waits = &mdg__box_of(channel, place)->waits;
	if (mdg__relaxed32(waits) != 0 && atomic_exchange(waits, 0) != 0) {
		atomic_fetch_add(&seat->box_bell, 1);
		(void)mdg__sys_futex_wake_bits(&seat->box_bell, 1, (uint32_t)MDG__ANYONE);
	}
	if (mdg__relaxed32(&seat->polls) != 0)
		mdg__pipe_ring_one(channel, place);
}

void mdg__wake_everybody(struct mdg_channel *channel)
{
	struct mdg__channel_head *head = channel->head;
	atomic_fetch_and(&head->alert, ~MDG__ALERT_ASLEEP);
	ring_bell(&head->bell, (uint32_t)MDG__ANYONE);
	atomic_store(&head->full_waits, 0);
	ring_bell(&head->room_bell, (uint32_t)MDG__ANYONE);
	mdg__pipes_ring_all(channel);
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; channel->ops->has_boxes && i < used; i++)
		if (mdg__seat_state(&channel->seats[i]) == MDG__SEAT_TALKER) /* its box is there */
			mdg__wake_caller(channel, i);
}
