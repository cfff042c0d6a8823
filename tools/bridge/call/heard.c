/* SPDX-License-Identifier: MIT */
/*
 * heard.c - what is heard about requests that were sent, and what their callers are told.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "call/asking.h"
#include "madang/relay.h"

/* ---- the end of a request ---------------------------------------------------------------- */

/* Its caller was told: `rc` is what the library said. [lock] */
void ask_end_seat(struct ask *ask, struct ask_seat *seat, int rc)
{
	call_counted(ask->setup, &ask->told);
	seat->state = call_is_final(rc) ? BROKEN : FREE;
	seat->again = call_now();
	seat->taker[0] = '\0';
	seat->tries = 0;
	ask->held--;
	if (ask->waits)
		(void)pthread_cond_signal(&ask->change);
}

/* [lock] */
void ask_abandon(struct ask *ask, struct ask_seat *seat, const char *why)
{
	log_event(LOG_WARN, "call-died", "channel=\"%s\" why=%s", ask->setup->channel, why);
	ask->counts.died++;
	ask_end_seat(ask, seat, mdg_channel_abandon(seat->handle));
}

/* [lock] */
void ask_refuse(struct ask *ask, struct ask_seat *seat)
{
	ask->counts.answered++;
	ask_end_seat(ask, seat, mdg_channel_release(seat->handle));
}

/* Nobody has taken it. [lock] */
void ask_again(struct ask *ask, struct ask_seat *seat)
{
	unsigned shift = seat->tries < 5 ? seat->tries : 5;
	uint64_t pause = 10 * CALL_MS << shift;
	seat->state = WAITING;
	seat->taker[0] = '\0'; /* whoever had it has given it back */
	seat->tries++;
	seat->again = call_now() + (pause < 250 * CALL_MS ? pause : 250 * CALL_MS);
	if (seat->again < ask->soon)
		ask->soon = seat->again;
	if (ask->waits)
		(void)pthread_cond_signal(&ask->change);
	else
		(void)pthread_kill(ask->thread,
		                   THREAD_SIGNAL); /* it may receive until later than that */
}

/* The caller is told outside of the lock: to copy a large reply takes its time. [lock] */
static void answer(struct ask *ask, struct ask_seat *seat, natsMsg *message)
{
	seat->state = ENDING;
	(void)pthread_mutex_unlock(&ask->lock);
	int rc = mdg_channel_send(seat->handle, natsMsg_GetData(message),
	                          (size_t)natsMsg_GetDataLength(message), 0);
	if (rc == -EMSGSIZE) {
		log_event(LOG_ERROR, "call-reply-too-large", "channel=\"%s\" bytes=%d",
		          ask->setup->channel, natsMsg_GetDataLength(message));
		rc = mdg_channel_release(seat->handle);
	}
	(void)pthread_mutex_lock(&ask->lock);
	ask->counts.answered++;
	ask_end_seat(ask, seat, rc);
}

/* ---- words from elsewhere ---------------------------------------------------------------- */

static void taken(struct ask *ask, struct ask_seat *seat, natsMsg *message)
{
	const char *taker = natsMsg_GetReply(message);
	if (call_may_answer(ask->setup, taker) && seat->taker[0] == '\0')
		(void)snprintf(seat->taker, sizeof seat->taker, "%s", taker);
}

/* [lock] */
static void heard(struct ask *ask, struct ask_seat *seat, enum call_word word, natsMsg *message)
{
	seat->heard = call_now();
	switch (word) {
	case CALL_NONE: /* only from NATS itself */
		if (natsMsg_IsNoResponders(message) && seat->taker[0] == '\0')
			ask_again(ask, seat);
		break;
	case CALL_TAKEN:
		taken(ask, seat, message);
		break;
	case CALL_REPLY:
		answer(ask, seat, message);
		break;
	case CALL_DIED:
		ask_abandon(ask, seat, "server");
		break;
	case CALL_LARGE:
		log_event(LOG_ERROR, "call-reply-too-large", "channel=\"%s\" limit=%" PRId64,
		          ask->setup->channel,
		          natsConnection_GetMaxPayload(ask->setup->connection));
		ask_refuse(ask, seat);
		break;
	case CALL_REFUSED:
		ask_refuse(ask, seat);
		break;
	case CALL_BUSY:
		ask_again(ask, seat);
		break;
	default:
		break;
	}
}

void ask_tell(struct ask *ask, const char *taker, uint64_t number, enum call_word word)
{
	char request[CALL_SUBJECT_MAX];
	(void)snprintf(request, sizeof request, "%s.%" PRIx64, ask->setup->inbox, number);
	/* Without a reply subject. NATS would say there that nobody heard this, and that would look
	 * as if nobody had heard the request. */
	(void)call_say(ask->setup, taker, word, NULL, request, strlen(request));
}

/* Somebody works on what nobody waits for: that one is told. */
static void decline(struct ask *ask, uint64_t number, natsMsg *message)
{
	const char *taker = natsMsg_GetReply(message);
	if (call_may_answer(ask->setup, taker))
		ask_tell(ask, taker, number, CALL_GIVEN_UP);
}

void ask_heard(struct ask *ask, uint64_t number, enum call_word word, natsMsg *message)
{
	unsigned place = number & 0xff;
	if (place >= CALL_SEATS_MAX)
		return;
	struct ask_seat *seat = &ask->seats[place];
	(void)pthread_mutex_lock(&ask->lock);
	bool known = seat->number == number && seat->state == ASKED;
	if (known)
		heard(ask, seat, word, message);
	(void)pthread_mutex_unlock(&ask->lock);
	if (!known && word == CALL_TAKEN)
		decline(ask, number, message);
}

void ask_lost(struct ask *ask, const char *inbox)
{
	(void)pthread_mutex_lock(&ask->lock);
	for (unsigned i = 0; i < CALL_SEATS_MAX; i++) {
		struct ask_seat *seat = &ask->seats[i];
		if (seat->state == ASKED && seat->taker[0] != '\0' &&
		    strncmp(seat->taker, inbox, strlen(inbox)) == 0)
			ask_abandon(ask, seat, "bridge");
	}
	(void)pthread_mutex_unlock(&ask->lock);
}
