/* SPDX-License-Identifier: MIT */
/*
 * call.c - calls over hosts: both sides of one channel, and their inbox.
 */
#include "call/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/parts.h"

enum { HOUR_MS = 3600 * 1000 };

struct call {
	struct call_setup setup; /* with copies of the names */
	natsSubscription *inbox;
	pthread_t thread;
	bool runs;
	struct ask *ask;     /* or NULL, by `directions` */
	struct serve *serve; /* or NULL */
};

/* ---- the inbox ----------------------------------------------------------------------------- */

static void heard(struct call *call, natsMsg *message)
{
	uint64_t number = 0;
	enum call_word word = CALL_UNKNOWN;
	if (!call_parse(call->setup.inbox, natsMsg_GetSubject(message), &number, &word))
		return;
	if (number != 0 && call->ask != NULL)
		ask_heard(call->ask, number, word, message);
	else if (number == 0 && call->serve != NULL)
		serve_heard(call->serve, natsMsg_GetReply(message), word);
}

static void *inbox_main(void *argument)
{
	struct call *call = argument;
	for (;;) {
		natsMsg *message = NULL;
		natsStatus status = natsSubscription_NextMsg(&message, call->inbox, HOUR_MS);
		if (status == NATS_OK)
			heard(call, message);
		natsMsg_Destroy(message);
		if (status == NATS_SLOW_CONSUMER)
			log_event(LOG_WARN, "call-words-lost", "channel=%s", call->setup.channel);
		else if (status != NATS_OK && status != NATS_TIMEOUT)
			return NULL; /* unsubscribed, or the connection is closed for good */
	}
}

static int open_inbox(struct call *call)
{
	char subject[CALL_SUBJECT_MAX];
	if (snprintf(subject, sizeof subject, "%s.>", call->setup.inbox) >= CALL_SUBJECT_MAX - 64)
		return -ENAMETOOLONG;
	natsStatus status =
		natsConnection_SubscribeSync(&call->inbox, call->setup.connection, subject);
	if (status != NATS_OK) {
		log_event(LOG_ERROR, "call-inbox", "channel=%s nats=\"%s\"", call->setup.channel,
		          natsStatus_GetText(status));
		return -EIO;
	}
	int rc = thread_start(&call->thread, inbox_main, call);
	call->runs = rc == 0;
	return rc;
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static int copy_setup(struct call *call, const struct call_setup *setup)
{
	struct call_setup *mine = &call->setup;
	*mine = *setup;
	mine->channel = strdup(setup->channel);
	mine->subject = strdup(setup->subject);
	mine->inbox = strdup(setup->inbox);
	mine->inboxes = strdup(setup->inboxes);
	return mine->channel != NULL && mine->subject != NULL && mine->inbox != NULL &&
	                       mine->inboxes != NULL
	               ? 0
	               : -ENOMEM;
}

int call_start(struct call **ret_call, const struct call_setup *setup)
{
	struct call *call = calloc(1, sizeof *call);
	if (call == NULL)
		return -ENOMEM;
	int rc = copy_setup(call, setup);
	if (rc == 0 && (setup->directions & CALL_OUT) != 0)
		rc = ask_start(&call->ask, &call->setup);
	if (rc == 0 && (setup->directions & CALL_IN) != 0)
		rc = serve_start(&call->serve, &call->setup);
	if (rc == 0)
		rc = open_inbox(call);
	if (rc < 0) {
		call_stop(call, 0);
		return rc;
	}
	*ret_call = call;
	return 0;
}

void call_update(struct call *call, bool here, bool elsewhere)
{
	if (call->serve != NULL)
		serve_update(call->serve, here);
	if (call->ask != NULL)
		ask_update(call->ask, elsewhere && !here);
}

void call_lost(struct call *call, const char *inbox)
{
	if (call->ask != NULL)
		ask_lost(call->ask, inbox);
}

void call_look(struct call *call, struct call_counts *ret_counts)
{
	struct call_counts in = { .in = 0 };
	*ret_counts = (struct call_counts){ .out = 0 };
	if (call->ask != NULL)
		ask_look(call->ask, ret_counts);
	if (call->serve != NULL)
		serve_look(call->serve, &in);
	ret_counts->served = in.served;
	ret_counts->failed = in.failed;
	ret_counts->in = in.in;
	ret_counts->seats += in.seats;
	if (ret_counts->error == 0)
		ret_counts->error = in.error;
}

void call_stop(struct call *call, uint64_t grace)
{
	if (call == NULL)
		return;
	/* The inbox hears the last words. So it ends last, but before what it speaks to is gone. */
	uint64_t moment = call_now() + grace;
	ask_end(call->ask, moment);
	serve_end(call->serve, moment);
	if (call->inbox != NULL)
		(void)natsSubscription_Unsubscribe(call->inbox);
	if (call->runs)
		(void)pthread_join(call->thread, NULL);
	natsSubscription_Destroy(call->inbox);
	ask_free(call->ask);
	serve_free(call->serve);
	free((char *)call->setup.channel);
	free((char *)call->setup.subject);
	free((char *)call->setup.inbox);
	free((char *)call->setup.inboxes);
	free(call);
}
