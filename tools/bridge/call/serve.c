/* SPDX-License-Identifier: MIT */
/*
 * serve.c - requests from elsewhere, which servers here answer.
 *
 * Workers are threads. One of them leads: it waits for the next request from NATS, and works on it
 * itself, as a caller of the channel. If the reply takes longer than a moment, or more requests
 * wait, it first makes another worker lead. So a short call wakes no thread of the bridge but one.
 *
 * Each request that is worked on needs a place in the channel. If none can be had, the leader puts
 * the request into the backlog, says that it was taken, and goes on leading.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/serving.h"
#include "link/retire.h"

enum { HOUR_MS = 3600 * 1000 };

void serve_say(struct serve *serve, const char *request, enum call_word word)
{
	natsStatus status = call_say(serve->setup, request, word, serve->inbox, NULL, 0);
	if (status != NATS_OK)
		log_event(LOG_DEBUG, "call-unsaid", "channel=\"%s\" nats=\"%s\"",
		          serve->setup->channel, natsStatus_GetText(status));
}

/* ---- seats --------------------------------------------------------------------------------- */

/* [lock; without it for a moment] */
static mdg_channel *take_seat(struct serve *serve)
{
	mdg_channel *handle = NULL;
	if (serve->free_count > 0)
		return serve->free[--serve->free_count];
	uint64_t now = call_now();
	if (serve->open >= CALL_SEATS_MAX || now < serve->crowded)
		return NULL;
	unsigned have = serve->open++;
	(void)pthread_mutex_unlock(&serve->lock);
	int rc = call_enter(serve->setup, MDG_TALKER, have, &handle);
	(void)pthread_mutex_lock(&serve->lock);
	if (rc == 0)
		return handle;
	serve->open--;
	serve->crowded = now + CALL_TICK;
	if (call_is_final(rc)) {
		serve->counts.error = rc;
		call_counted(serve->setup, &serve->told);
	}
	return NULL;
}

void serve_give_seat(struct serve *serve, mdg_channel *handle, bool usable)
{
	serve->used = call_now();
	if (usable && serve->active && !serve->stop) {
		serve->free[serve->free_count++] = handle;
		return;
	}
	mdg_channel_close(handle);
	serve->open--;
}

/* All that are free but the first, when none was used for a while; all, when there is nothing to
 * serve. [lock] */
static void close_idle(struct serve *serve)
{
	bool all = !serve->active || serve->stop;
	if (!all && call_now() - serve->used < CALL_IDLE)
		return;
	while (serve->free_count > (all ? 0u : 1u)) {
		mdg_channel_close(serve->free[--serve->free_count]);
		serve->open--;
	}
}

/* ---- workers -------------------------------------------------------------------------------- */

static void *serve_main(void *argument);

void serve_hand_on(struct serve *serve)
{
	serve->leading = false;
	if (serve->stop)
		return;
	if (serve->idle > 0)
		(void)pthread_cond_signal(&serve->change);
	else if (serve->started <= CALL_SEATS_MAX &&
	         thread_start(&serve->workers[serve->started], serve_main, serve) == 0)
		serve->started++;
	/* Else whoever is done first leads. */
}

/* A job for the request, or NULL. */
static struct job *make_job(const struct serve *serve, natsMsg *message)
{
	const char *request = natsMsg_GetReply(message);
	struct job *job = NULL;
	if (call_may_answer(serve->setup, request))
		job = calloc(1, sizeof *job);
	if (job == NULL) {
		natsMsg_Destroy(message);
		return NULL;
	}
	job->message = message;
	job->request = request;
	job->said = call_now();
	return job;
}

/* The leader waits for a request. NULL: there is none for now. [lock; without it while it waits] */
static struct job *receive(struct serve *serve)
{
	natsSubscription *requests = serve->requests;
	natsMsg *message = NULL;
	int64_t limit = serve->waiting > 0      ? (int64_t)(CALL_TICK / CALL_MS)
	                : serve->free_count > 1 ? (int64_t)(CALL_IDLE / CALL_MS)
	                                        : HOUR_MS;
	(void)pthread_mutex_unlock(&serve->lock);
	natsStatus status = natsSubscription_NextMsg(&message, requests, limit);
	bool valid = natsSubscription_IsValid(requests);
	struct job *job = status == NATS_OK ? make_job(serve, message) : NULL;
	(void)pthread_mutex_lock(&serve->lock);
	if (status != NATS_OK && (!valid || serve->stop)) {
		subscription_retire(requests);
		serve->requests = NULL;
		serve->draining = false;
	}
	return job;
}

/* Whether requests that nobody has received yet wait in the subscription. */
static bool has_more(const struct serve *serve)
{
	int messages = 0;
	return natsSubscription_GetPending(serve->requests, &messages, NULL) == NATS_OK &&
	       messages > 0;
}

/* [lock; without it for a moment] */
static void lead(struct serve *serve)
{
	mdg_channel *handle = NULL;
	serve->leading = true;
	struct job *job = receive(serve);
	backlog_tend(serve);
	close_idle(serve);
	if (job != NULL && serve->active && serve->waiting == 0 && !serve->stop)
		handle = take_seat(serve);
	if (handle == NULL) {
		if (job != NULL)
			backlog_add(serve, job);
		serve->leading = false;
		return;
	}
	job->leads = true;
	if (serve->requests != NULL && has_more(serve)) {
		job->leads = false;
		serve_hand_on(serve);
	}
	job_do(serve, job, handle);
}

/* Makes sure that there is a subscription, or none. [lock] */
static void subscribe(struct serve *serve)
{
	if (!serve->active || serve->stop || serve->requests != NULL)
		return;
	natsStatus status = natsConnection_QueueSubscribeSync(
		&serve->requests, serve->setup->connection, serve->setup->subject, "servers");
	if (status != NATS_OK) {
		serve->requests = NULL;
		log_event(LOG_ERROR, "call-subscribe", "channel=\"%s\" nats=\"%s\"",
		          serve->setup->channel, natsStatus_GetText(status));
	}
}

static bool has_work(const struct serve *serve)
{
	return serve->backlog != NULL && serve->active &&
	       (serve->free_count > 0 || call_now() >= serve->crowded);
}

/* How long a worker without work sleeps. */
static uint64_t idle_until(const struct serve *serve)
{
	if (serve->waiting > 0)
		return call_now() + CALL_TICK;
	if (serve->active && serve->requests == NULL)
		return call_now() + CALL_SECOND; /* the subscription failed: it is tried again */
	return serve->free_count > 1 ? call_now() + CALL_IDLE : MDG_FOREVER;
}

static void *serve_main(void *argument)
{
	struct serve *serve = argument;
	(void)pthread_mutex_lock(&serve->lock);
	while (!serve->stop || serve->requests != NULL) {
		mdg_channel *handle = has_work(serve) ? take_seat(serve) : NULL;
		struct job *job = handle != NULL ? backlog_next(serve) : NULL;
		if (job != NULL) {
			if (!serve->leading)
				serve_hand_on(serve);
			job_do(serve, job, handle);
			continue;
		}
		if (handle != NULL)
			serve_give_seat(serve, handle, true);
		if (!serve->leading)
			subscribe(serve);
		if (!serve->leading && serve->requests != NULL) {
			lead(serve);
			continue;
		}
		backlog_tend(serve);
		close_idle(serve);
		serve->idle++;
		call_wait_until(&serve->change, &serve->lock, idle_until(serve));
		serve->idle--;
	}
	(void)pthread_cond_broadcast(&serve->change);
	(void)pthread_mutex_unlock(&serve->lock);
	return NULL;
}

/* ---- from outside --------------------------------------------------------------------------- */

int serve_start(struct serve **ret_serve, const struct call_setup *setup)
{
	struct serve *serve = calloc(1, sizeof *serve);
	if (serve == NULL)
		return -ENOMEM;
	serve->setup = setup;
	serve->backlog_end = &serve->backlog;
	(void)snprintf(serve->inbox, sizeof serve->inbox, "%s.0", setup->inbox);
	(void)pthread_mutex_init(&serve->lock, NULL);
	int rc = call_condition(&serve->change);
	if (rc == 0)
		rc = thread_start(&serve->workers[0], serve_main, serve);
	if (rc < 0) {
		free(serve);
		return rc;
	}
	serve->started = 1;
	*ret_serve = serve;
	return 0;
}

/* What has come to the subscription already is still received, and given back. [lock] */
static void drain(struct serve *serve)
{
	if (serve->requests == NULL || serve->draining)
		return;
	serve->draining = natsSubscription_DrainTimeout(serve->requests, 1000) == NATS_OK;
	if (!serve->draining)
		(void)natsSubscription_Unsubscribe(serve->requests);
}

void serve_update(struct serve *serve, bool active)
{
	(void)pthread_mutex_lock(&serve->lock);
	if (serve->active != active) {
		serve->active = active;
		serve->unserved = call_now();
		if (!active)
			drain(serve);
		(void)pthread_cond_broadcast(&serve->change);
	}
	(void)pthread_mutex_unlock(&serve->lock);
}

/* [lock] */
static struct job *find_job(struct job *all, const char *request)
{
	while (all != NULL && strcmp(all->request, request) != 0)
		all = all->next;
	return all;
}

void serve_heard(struct serve *serve, const char *request, enum call_word word)
{
	if (!call_may_answer(serve->setup, request))
		return;
	(void)pthread_mutex_lock(&serve->lock);
	struct job *job = find_job(serve->working, request);
	if (job == NULL)
		job = find_job(serve->backlog, request);
	if (job != NULL && word == CALL_GIVEN_UP)
		job->given_up = true;
	if (word == CALL_HOW && job != NULL)
		serve_say(serve, request, CALL_TAKEN);
	const struct kept_reply *kept = job == NULL ? kept_find(&serve->kept, request) : NULL;
	if (word == CALL_HOW && kept != NULL)
		(void)call_say(serve->setup, request, kept->word, NULL, kept->data, kept->size);
	else if (word == CALL_HOW && job == NULL)
		serve_say(serve, request, CALL_DIED);
	(void)pthread_mutex_unlock(&serve->lock);
}

void serve_look(struct serve *serve, struct call_counts *ret_counts)
{
	(void)pthread_mutex_lock(&serve->lock);
	serve->told = false;
	*ret_counts = serve->counts;
	ret_counts->in += serve->waiting;
	ret_counts->seats = serve->open;
	(void)pthread_mutex_unlock(&serve->lock);
}

void serve_end(struct serve *serve, uint64_t moment)
{
	if (serve == NULL)
		return;
	(void)pthread_mutex_lock(&serve->lock);
	serve->stop = true;
	serve->end = moment;
	drain(serve);
	(void)pthread_cond_broadcast(&serve->change);
	for (unsigned i = 0; i < serve->started; i++) {
		/* Nobody starts one any more. */
		(void)pthread_mutex_unlock(&serve->lock);
		(void)pthread_join(serve->workers[i], NULL);
		(void)pthread_mutex_lock(&serve->lock);
	}
	backlog_tend(serve);
	close_idle(serve);
	(void)pthread_mutex_unlock(&serve->lock);
	subscription_retire(serve->requests);
	serve->requests = NULL;
}

void serve_free(struct serve *serve)
{
	if (serve == NULL)
		return;
	kept_clear(&serve->kept);
	(void)pthread_cond_destroy(&serve->change);
	(void)pthread_mutex_destroy(&serve->lock);
	free(serve);
}
