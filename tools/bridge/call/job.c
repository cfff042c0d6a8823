/* SPDX-License-Identifier: MIT */
/*
 * job.c - one request from elsewhere, and its reply.
 *
 * A short call ends before anybody has to be told that it was taken. See AT_ONCE and SOON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "call/serving.h"

#define AT_ONCE (200 * UINT64_C(1000)) /* so long the leader works alone */
#define SOON    (2 * CALL_MS)          /* then the one who asks is told that it was taken */

/* What is still the matter while a request is worked on. */
static bool is_hopeless(struct serve *serve, const struct job *job)
{
	uint64_t now = call_now();
	(void)pthread_mutex_lock(&serve->lock);
	bool ends = job->given_up || (serve->stop && now >= serve->end) ||
	            (!serve->active && now - serve->unserved >= CALL_UNSERVED);
	(void)pthread_mutex_unlock(&serve->lock);
	return ends;
}

static void lead_no_more(struct serve *serve, struct job *job)
{
	(void)pthread_mutex_lock(&serve->lock);
	if (job->leads)
		serve_hand_on(serve);
	job->leads = false;
	(void)pthread_mutex_unlock(&serve->lock);
}

/* The next moment to which it waits; `step` counts. Tells the others what is due by then. */
static uint64_t next_moment(struct serve *serve, struct job *job, uint64_t began, unsigned step)
{
	if (step == 1)
		lead_no_more(serve, job);
	if (step >= 2) {
		serve_say(serve, job->request, CALL_TAKEN);
		(void)pthread_mutex_lock(&serve->lock);
		job->said = call_now();
		(void)pthread_mutex_unlock(&serve->lock);
	}
	if (step == 0)
		return began + AT_ONCE;
	return step == 1 ? began + SOON : call_now() + CALL_WORD;
}

/* Waits for the reply, or for room for the request. The library's code, or -ECONNABORTED. */
static int work(struct serve *serve, struct job *job, mdg_channel *handle,
                struct mdg_message *ret_reply)
{
	const void *data = natsMsg_GetData(job->message);
	size_t size = (size_t)natsMsg_GetDataLength(job->message);
	uint64_t began = call_now();
	bool sent = false;
	for (unsigned step = 0;;) {
		uint64_t moment = next_moment(serve, job, began, step);
		int rc = sent ? 0 : mdg_channel_send(handle, data, size, moment);
		sent = rc == 0;
		if (sent)
			rc = mdg_channel_peek(handle, ret_reply, moment);
		if (rc != -ETIMEDOUT && rc != -EINTR)
			return rc;
		step += rc == -ETIMEDOUT && step < 2;
		if (step >= 2 && is_hopeless(serve, job))
			return -ECONNABORTED;
	}
}

static enum call_word word_of(int rc)
{
	return rc == 0                               ? CALL_REPLY
	       : rc == -ECANCELED || rc == -EMSGSIZE ? CALL_REFUSED
	                                             : CALL_DIED;
}

/* Sends the reply, or what there is instead. Returns what was said. */
static enum call_word reply(struct serve *serve, const struct job *job, int rc,
                            const struct mdg_message *reply)
{
	enum call_word word = word_of(rc);
	if (rc == 0 &&
	    (int64_t)reply->size > natsConnection_GetMaxPayload(serve->setup->connection)) {
		log_event(LOG_ERROR, "call-reply-too-large",
		          "channel=\"%s\" bytes=%zu limit=%" PRId64, serve->setup->channel,
		          reply->size, natsConnection_GetMaxPayload(serve->setup->connection));
		word = CALL_LARGE;
	}
	if (rc == -EMSGSIZE)
		log_event(LOG_ERROR, "call-too-large", "channel=\"%s\" bytes=%d",
		          serve->setup->channel, natsMsg_GetDataLength(job->message));
	bool has = word == CALL_REPLY;
	natsStatus status = call_say(serve->setup, job->request, word, NULL,
	                             has ? reply->data : NULL, has ? reply->size : 0);
	if (status != NATS_OK)
		log_event(LOG_WARN, "call-reply-unsent", "channel=\"%s\" nats=\"%s\"",
		          serve->setup->channel, natsStatus_GetText(status));
	return word;
}

void job_destroy(struct job *job)
{
	natsMsg_Destroy(job->message);
	free(job);
}

/* [lock] */
static void forget(struct serve *serve, struct job *job)
{
	struct job **at = &serve->working;
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job_destroy(job);
}

void job_do(struct serve *serve, struct job *job, mdg_channel *handle)
{
	struct mdg_message message = { .size = 0 };
	job->next = serve->working;
	serve->working = job;
	serve->counts.in++;
	call_counted(serve->setup, &serve->told);
	(void)pthread_mutex_unlock(&serve->lock);
	int rc = work(serve, job, handle, &message);
	enum call_word word = reply(serve, job, rc, &message);
	(void)pthread_mutex_lock(&serve->lock);
	bool has = word == CALL_REPLY;
	kept_add(&serve->kept, job->request, word, has ? message.data : NULL,
	         has ? message.size : 0);
	if (rc == 0)
		(void)mdg_channel_release(handle);
	serve->counts.in--;
	call_counted(serve->setup, &serve->told);
	if (rc == 0)
		serve->counts.served++;
	else
		serve->counts.failed++;
	if (job->leads)
		serve->leading = false;
	forget(serve, job);
	/* After these the next request would have to end this one first. */
	serve_give_seat(serve, handle, rc == 0 || rc == MDG_PEER_DIED || rc == -ECANCELED);
}
