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
#include "link/ear.h"

struct call {
	struct call_setup setup; /* its names are in `names` */
	char *names[4];
	struct ear *inbox;
	struct ask *ask;     /* or NULL, by `directions` */
	struct serve *serve; /* or NULL */
};

/* ---- the inbox ----------------------------------------------------------------------------- */

/* Its bytes are the reply subject of a request. */
static void heard_question(struct call *call, enum call_word word, natsMsg *message)
{
	char request[CALL_SUBJECT_MAX];
	int length = natsMsg_GetDataLength(message);
	if (length <= 0 || length >= CALL_SUBJECT_MAX)
		return;
	memcpy(request, natsMsg_GetData(message), (size_t)length);
	request[length] = '\0';
	serve_heard(call->serve, request, word);
}

/* In the thread of the subscription. (A synchronous subscription would not do: it turns the message
 * that nobody was there into a code, and does not say about which request.) */
static void heard(void *context, natsMsg *message)
{
	struct call *call = context;
	uint64_t number = 0;
	enum call_word word = CALL_UNKNOWN;
	if (!call_parse(call->setup.inbox, natsMsg_GetSubject(message), &number, &word))
		return;
	if (number != 0 && call->ask != NULL)
		ask_heard(call->ask, number, word, message);
	else if (number == 0 && call->serve != NULL)
		heard_question(call, word, message);
}

static int open_inbox(struct call *call)
{
	char subject[CALL_SUBJECT_MAX];
	if (snprintf(subject, sizeof subject, "%s.>", call->setup.inbox) >= CALL_SUBJECT_MAX - 64)
		return -ENAMETOOLONG;
	natsStatus status = ear_open(&call->inbox, call->setup.connection, subject, heard, call);
	if (status == NATS_OK)
		return 0;
	log_event(LOG_ERROR, "call-inbox", "channel=\"%s\" nats=\"%s\"", call->setup.channel,
	          natsStatus_GetText(status));
	return -EIO;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static int copy_setup(struct call *call, const struct call_setup *setup)
{
	const char *const names[] = { setup->channel, setup->subject, setup->inbox,
		                      setup->inboxes };
	call->setup = *setup;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		call->names[i] = strdup(names[i]);
		if (call->names[i] == NULL)
			return -ENOMEM;
	}
	call->setup.channel = call->names[0];
	call->setup.subject = call->names[1];
	call->setup.inbox = call->names[2];
	call->setup.inboxes = call->names[3];
	return 0;
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
	ear_close(call->inbox);
	ask_free(call->ask);
	serve_free(call->serve);
	for (size_t i = 0; i < sizeof call->names / sizeof *call->names; i++)
		free(call->names[i]);
	free(call);
}
