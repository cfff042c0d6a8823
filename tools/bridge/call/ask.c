/* SPDX-License-Identifier: MIT */
/*
 * ask.c - requests of callers here, which servers elsewhere answer.
 *
 * The bridge has a pool of servers (seats) in the channel. One thread, ask_main, receives with one
 * seat at a time, and sends the request on from where it lies in the channel. The seat then holds
 * the request. Words about it come to the thread of the inbox, which answers the caller with that
 * seat, straight from the message of NATS. So a reply wakes nobody in the bridge but that thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/asking.h"
#include "madang/relay.h"

static bool is_connected(const struct ask *ask)
{
	return natsConnection_Status(ask->setup->connection) == NATS_CONN_STATUS_CONNECTED;
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Whether a request that NATS would not send surely was not sent. */
static bool is_unsent(natsStatus status)
{
	return status == NATS_CONNECTION_CLOSED || status == NATS_DRAINING ||
	       status == NATS_INSUFFICIENT_BUFFER || status == NATS_NO_MEMORY ||
	       status == NATS_INVALID_SUBJECT || status == NATS_INVALID_ARG;
}

/* A reply may come before this function has returned. [lock; without it while NATS sends] */
static void send_request(struct ask *ask, struct ask_seat *seat)
{
	char reply[CALL_SUBJECT_MAX];
	uint64_t number = ++ask->counter << 8 | (uint64_t)(seat - ask->seats);
	seat->number = number;
	seat->state = ASKED;
	seat->heard = seat->questions = call_now();
	(void)pthread_mutex_unlock(&ask->lock);
	(void)snprintf(reply, sizeof reply, "%s.%" PRIx64, ask->setup->inbox, number);
	natsStatus status = NATS_CONNECTION_CLOSED;
	if (is_connected(ask))
		status = natsConnection_PublishRequest(ask->setup->connection, ask->setup->subject,
		                                       reply, seat->request.data,
		                                       (int)seat->request.size);
	(void)pthread_mutex_lock(&ask->lock);
	if (status == NATS_OK || seat->number != number || seat->state != ASKED)
		return;
	if (status == NATS_MAX_PAYLOAD) {
		log_event(LOG_ERROR, "call-too-large", "channel=\"%s\" bytes=%zu limit=%" PRId64,
		          ask->setup->channel, seat->request.size,
		          natsConnection_GetMaxPayload(ask->setup->connection));
		ask_refuse(ask, seat);
	} else if (is_unsent(status)) {
		ask_again(ask, seat);
	} else {
		log_event(LOG_WARN, "call-unsure", "channel=\"%s\" nats=\"%s\"",
		          ask->setup->channel, natsStatus_GetText(status));
	}
}

/* ---- what is on its way ---------------------------------------------------------------------- */

/* Tells the one who works on it, if anybody said so. Else decline does it when somebody says so. */
static void give_up(struct ask *ask, struct ask_seat *seat)
{
	if (seat->taker[0] != '\0')
		ask_tell(ask, seat->taker, seat->number, CALL_GIVEN_UP);
	ask->counts.given_up++;
	ask_end_seat(ask, seat, mdg_channel_release(seat->handle));
}

/* [lock] */
static void tend_asked(struct ask *ask, struct ask_seat *seat, uint64_t now)
{
	int rc = mdg_channel_awaited(seat->handle);
	if (rc == MDG_PEER_DIED || rc == -ECANCELED)
		give_up(ask, seat);
	else if (rc < 0)
		ask_end_seat(ask, seat, rc);
	else if (now - seat->heard >= CALL_SILENCE)
		ask_abandon(ask, seat, seat->taker[0] != '\0' ? "silence" : "unanswered");
	else if (now - seat->heard >= CALL_QUERY && now - seat->questions >= CALL_WORD / 2 &&
	         seat->taker[0] != '\0' && is_connected(ask)) {
		seat->questions = now;
		ask_tell(ask, seat->taker, seat->number, CALL_HOW);
	}
}

/* [lock; without it for a moment] */
static void tend_waiting(struct ask *ask, struct ask_seat *seat, uint64_t now)
{
	int rc = mdg_channel_awaited(seat->handle);
	if (rc < 0) {
		ask->counts.given_up++;
		ask_end_seat(ask, seat, call_is_final(rc) ? rc : mdg_channel_release(seat->handle));
	} else if (now >= seat->again) {
		ask->counts.again++;
		send_request(ask, seat);
	}
}

static void close_seat(struct ask *ask, struct ask_seat *seat)
{
	mdg_channel_close(seat->handle);
	seat->handle = NULL;
	seat->state = EMPTY;
	ask->open--;
}

/* Looks after all seats. Returns when to do so again. [lock] */
static uint64_t tend(struct ask *ask)
{
	uint64_t now = call_now(), next = ask->held > 0 ? now + CALL_TICK : MDG_FOREVER;
	unsigned keep = ask->active ? 1 : 0;
	if (now - ask->looked < CALL_TICK / 4 && now < ask->soon && ask->active && !ask->stop) {
		next = ask->held > 0 || ask->open > 1 ? ask->looked + CALL_TICK : MDG_FOREVER;
		return next < ask->soon ? next : ask->soon;
	}
	ask->looked = now;
	ask->soon = MDG_FOREVER;
	for (unsigned i = 0; i < CALL_SEATS_MAX; i++) {
		struct ask_seat *seat = &ask->seats[i];
		if (seat->state == ASKED)
			tend_asked(ask, seat, now);
		else if (seat->state == WAITING)
			tend_waiting(ask, seat, now);
		if (seat->state == WAITING && seat->again < ask->soon)
			ask->soon = seat->again;
		if (seat->state == BROKEN || (seat->state == FREE && ask->open > keep &&
		                              (keep == 0 || now - seat->again >= CALL_IDLE)))
			close_seat(ask, seat);
	}
	if (ask->open > keep && next > now + CALL_IDLE)
		next = now + CALL_IDLE;
	return next < ask->soon ? next : ask->soon;
}

/* ---- the thread -------------------------------------------------------------------------- */

/* The channel is of no use any more. [lock] */
static void has_failed(struct ask *ask, int rc)
{
	ask->counts.error = rc;
	call_counted(ask->setup, &ask->told);
}

/* A seat to receive with, or NULL: for a while there is none. [lock; without it for a moment] */
static struct ask_seat *find_seat(struct ask *ask)
{
	struct ask_seat *empty = NULL;
	for (unsigned i = 0; i < CALL_SEATS_MAX; i++) {
		if (ask->seats[i].state == FREE)
			return &ask->seats[i];
		if (ask->seats[i].state == EMPTY && empty == NULL)
			empty = &ask->seats[i];
	}
	uint64_t now = call_now();
	if (empty == NULL || now < ask->crowded)
		return NULL;
	unsigned have = ask->open;
	(void)pthread_mutex_unlock(&ask->lock);
	int rc = call_enter(ask->setup, MDG_LISTENER, have, &empty->handle);
	(void)pthread_mutex_lock(&ask->lock);
	if (rc < 0) {
		empty->handle = NULL;
		ask->crowded = now + CALL_TICK;
		if (call_is_final(rc))
			has_failed(ask, rc);
		return NULL;
	}
	ask->open++;
	empty->state = FREE;
	empty->again = now;
	return empty;
}

/* [lock; without it while it waits] */
static void take_one(struct ask *ask, struct ask_seat *seat, uint64_t next)
{
	seat->state = TAKING;
	(void)pthread_mutex_unlock(&ask->lock);
	int rc = mdg_channel_peek(seat->handle, &seat->request, next);
	(void)pthread_mutex_lock(&ask->lock);
	if (rc == 0) {
		ask->held++;
		ask->counts.asked++;
		call_counted(ask->setup, &ask->told);
		send_request(ask, seat);
		return;
	}
	seat->state = call_is_final(rc) ? BROKEN : FREE;
	if (call_is_final(rc) && rc != -ESTALE)
		has_failed(ask, rc);
}

/* [lock] */
static void give_all_up(struct ask *ask)
{
	for (unsigned i = 0; i < CALL_SEATS_MAX; i++) {
		struct ask_seat *seat = &ask->seats[i];
		if (seat->state == ASKED)
			ask_abandon(ask, seat, "end");
		else if (seat->state == WAITING)
			ask_refuse(ask, seat);
	}
}

static void *ask_main(void *argument)
{
	struct ask *ask = argument;
	(void)pthread_mutex_lock(&ask->lock);
	while (!ask->stop || ask->held > 0) {
		ask->granted = ask->wishes;
		uint64_t next = tend(ask);
		if (ask->stop && call_now() >= ask->end)
			give_all_up(ask);
		if (ask->stop && ask->held > 0 && next > ask->end)
			next = ask->end;
		if (ask->stop && ask->held == 0)
			break;
		bool takes = ask->active && !ask->stop && ask->counts.error == 0;
		struct ask_seat *seat = takes ? find_seat(ask) : NULL;
		if (ask->granted != ask->wishes)
			continue;
		if (seat != NULL) {
			take_one(ask, seat, next);
			continue;
		}
		if (takes && next > call_now() + CALL_TICK)
			next = call_now() + CALL_TICK; /* for a place */
		ask->waits = true;
		call_wait_until(&ask->change, &ask->lock, next);
		ask->waits = false;
	}
	ask->active = false;
	ask->granted = ask->wishes;
	(void)tend(ask);
	(void)pthread_mutex_unlock(&ask->lock);
	return NULL;
}

/* Until ask_main has seen what was changed. A signal that comes just before it sleeps ends nothing,
 * so there are several. [lock; without it while it waits] */
static void wish(struct ask *ask)
{
	unsigned mine = ++ask->wishes;
	(void)pthread_cond_signal(&ask->change);
	while ((int)(ask->granted - mine) < 0) {
		(void)pthread_mutex_unlock(&ask->lock);
		(void)pthread_kill(ask->thread, THREAD_SIGNAL);
		(void)nats_Sleep(1);
		(void)pthread_mutex_lock(&ask->lock);
	}
}

/* ---- from outside --------------------------------------------------------------------------- */

int ask_start(struct ask **ret_ask, const struct call_setup *setup)
{
	struct ask *ask = calloc(1, sizeof *ask);
	if (ask == NULL)
		return -ENOMEM;
	ask->setup = setup;
	(void)pthread_mutex_init(&ask->lock, NULL);
	int rc = call_condition(&ask->change);
	if (rc == 0)
		rc = thread_start(&ask->thread, ask_main, ask);
	if (rc < 0) {
		free(ask);
		return rc;
	}
	*ret_ask = ask;
	return 0;
}

void ask_update(struct ask *ask, bool active)
{
	(void)pthread_mutex_lock(&ask->lock);
	bool differs = ask->active != active;
	ask->active = active;
	if (differs && !ask->stop)
		wish(ask);
	(void)pthread_mutex_unlock(&ask->lock);
}

void ask_look(struct ask *ask, struct call_counts *ret_counts)
{
	(void)pthread_mutex_lock(&ask->lock);
	ask->told = false;
	*ret_counts = ask->counts;
	ret_counts->out = ask->held;
	ret_counts->seats = ask->open;
	(void)pthread_mutex_unlock(&ask->lock);
}

void ask_end(struct ask *ask, uint64_t moment)
{
	if (ask == NULL)
		return;
	(void)pthread_mutex_lock(&ask->lock);
	ask->stop = true;
	ask->end = moment;
	wish(ask);
	(void)pthread_mutex_unlock(&ask->lock);
	(void)pthread_join(ask->thread, NULL);
}

void ask_free(struct ask *ask)
{
	if (ask == NULL)
		return;
	(void)pthread_cond_destroy(&ask->change);
	(void)pthread_mutex_destroy(&ask->lock);
	free(ask);
}
