/* SPDX-License-Identifier: MIT */
/*
 * queuein.c - takes messages of a queue from other hosts, for programs that listen here.
 *
 * It takes a few packs at a time, while listeners are here and little waits. The server is told
 * that a pack is done when all of its messages were released. Until then it is told that they are
 * being worked on, each TELL_MS. If this host dies, the server gives the packs to another host.
 *
 * A pack that was given to somebody before may still lie in the queue here, if this bridge was
 * killed. So this looks, and puts only what does not. That is marked: it may have been worked on.
 *
 * When no program listens here any more, what is left goes to other hosts. The pump out does that;
 * if the rules let nothing out, this one gives back what it has brought, and nothing else.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "pump/pump.h"
#include "pump/queue.h"
#include "pump/thread.h"

enum {
	TAKEN = 2, /* packs, at most */
	TELL_MS = 3000,
	IDLE_MS = 30000,
	GLANCE_MS = 200, /* between two questions for one more pack, while another is worked on */
	WAITING_MOST = 32
};
#define MS_NS UINT64_C(1000000)

struct taken {
	natsMsg *message;
	uint64_t sequence; /* in the stream */
	uint64_t upto;     /* all of it has a number here below this */
};

struct queue_in {
	struct carry carry; /* first: see progress */
	struct taken taken[TAKEN];
	unsigned count;
	int64_t told;
	bool shared;       /* the subscription is there */
	struct carry give; /* to give back; its channel is NULL when it is not in use */
};

static bool is_taking(const struct queue_in *in)
{
	return atomic_load(&in->carry.pump->listeners) != 0;
}

/* ---- packs that are here ---------------------------------------------------- */

static void tell_server(struct queue_in *in)
{
	if (bridge_now() - in->told < TELL_MS)
		return;
	in->told = bridge_now();
	for (unsigned i = 0; i < in->count; i++)
		(void)natsMsg_InProgress(in->taken[i].message, NULL);
	if (in->carry.message)
		(void)natsMsg_InProgress(in->carry.message, NULL);
}

/* Tells the server which packs are done. Waits for the first of them until the deadline. */
static int settle(struct queue_in *in, uint64_t deadline)
{
	while (in->count) {
		struct taken *first = &in->taken[0];
		int rc = mdg_channel_settled(in->carry.channel, first->upto, deadline);

		if (rc != 0)
			return rc == -EAGAIN || rc == -ETIMEDOUT || rc == -EINTR ? 0 : rc;
		(void)natsMsg_Ack(first->message, NULL);
		natsMsg_Destroy(first->message);
		in->count--;
		memmove(first, first + 1, in->count * sizeof *first);
		pump_in_flight(in->carry.pump, in->count);
		deadline = 0;
	}
	return 0;
}

/* ---- giving back ------------------------------------------------------------ */

static int give_open(struct queue_in *in)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .flags = MDG_CHANNEL_EXISTING };
	struct carry *give = &in->give;

	give->pump = in->carry.pump;
	give->store = in->carry.store;
	give->origin = in->carry.origin;
	return mdg_channel_open(&give->channel, give->pump->bridge->ns, give->pump->channel,
	                        MDG_LISTENER, &options);
}

static void give_close(struct queue_in *in)
{
	mdg_channel_close(in->give.channel);
	free(in->give.bytes);
	in->give = (struct carry){ .pump = NULL };
}

/* Whether what is next here was brought by a bridge. */
static bool next_is_relayed(struct queue_in *in)
{
	struct mdg_message message;
	uint64_t cursor = 0;

	return mdg_channel_browse(in->carry.channel, &cursor, NULL, 0, &message, NULL) == 1 &&
	       (message.flags & MDG_RELAYED);
}

static int give_back(struct queue_in *in)
{
	struct mdg_message message;
	int rc = 0;

	while (rc == 0 && !is_taking(in) && next_is_relayed(in)) {
		if (!in->give.channel)
			rc = give_open(in);
		if (rc == 0)
			rc = mdg_channel_peek(in->give.channel, &message, 0);
		if (rc == 0 && !(message.flags & MDG_RELAYED))
			break; /* closing the handle leaves it to others */
		if (rc == 0)
			rc = queue_give(&in->give, &message, 1);
		if (rc == 0)
			rc = mdg_channel_release(in->give.channel);
	}
	give_close(in);
	return rc == -EAGAIN ? 0 : rc;
}

/* Until `changed` says something new. The signal is blocked but in ppoll, so none is lost. */
static void await_change(struct queue_in *in)
{
	struct timespec pause = { .tv_sec = IDLE_MS / 1000 };
	sigset_t signals, before;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, THREAD_SIGNAL);
	(void)pthread_sigmask(SIG_BLOCK, &signals, &before);
	if (!is_taking(in) && !pump_stopping(in->carry.pump))
		(void)ppoll(NULL, 0, &pause, &before);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Nobody listens here. */
static int leave_to_others(struct queue_in *in)
{
	if (!atomic_load(&in->carry.pump->gives)) {
		int rc = give_back(in);

		if (rc != 0)
			return rc;
	}
	if (in->count)
		return settle(in, mdg_deadline(GLANCE_MS * MS_NS));
	await_change(in);
	return 0;
}

/* While there is no room for a pack. */
static int meanwhile(struct carry *carry)
{
	struct queue_in *in = (struct queue_in *)(void *)carry;

	tell_server(in);
	if (!is_taking(in) && !atomic_load(&carry->pump->gives))
		return give_back(in);
	return 0;
}

/* ---- taking ----------------------------------------------------------------- */

/* Where a message of that number is in the pack, or -1. The numbers grow. */
static int find(const struct pack *pack, uint64_t number)
{
	unsigned low = 0, high = pack->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (pack->messages[middle].number == number)
			return (int)middle;
		if (pack->messages[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

/* Leaves out what lies here already, and marks the rest. */
static int leave_out_present(struct queue_in *in)
{
	struct pack *pack = in->carry.pack;
	bool present[PACK_MESSAGES_MAX] = { false };
	struct mdg_relayed from;
	struct mdg_message message;
	uint64_t cursor = 0;
	unsigned n = 0, before = pack->count;
	int rc;

	while ((rc = mdg_channel_browse(in->carry.channel, &cursor, NULL, 0, &message, &from)) ==
	       1) {
		int at = message.flags & MDG_RELAYED ? find(pack, from.number) : -1;

		if (at >= 0 && memcmp(&from.origin, &pack->origin, sizeof from.origin) == 0)
			present[at] = true;
	}
	for (unsigned i = 0; i < pack->count; i++) {
		pack->messages[i].flags |= MDG_REDELIVERED;
		if (!present[i])
			pack->messages[n++] = pack->messages[i];
	}
	pack->count = n;
	pump_count(in->carry.pump, 0, before - n, 0);
	return rc;
}

/* A pack that the server gives to us once more, because it did not hear of us in time. */
static bool is_here(struct queue_in *in, natsMsg *message, uint64_t sequence)
{
	for (unsigned i = 0; i < in->count; i++) {
		if (in->taken[i].sequence != sequence)
			continue;
		natsMsg_Destroy(in->taken[i].message);
		in->taken[i].message = message;
		return true;
	}
	return false;
}

static int put(struct queue_in *in, natsMsg *message, uint64_t sequence, bool again)
{
	struct mdg_channel_info info = { .size = sizeof info };
	struct carry *carry = &in->carry;
	const char *wrong = NULL;
	int rc = 0;

	if (is_here(in, message, sequence))
		return 0;
	if (pack_decode(carry->pack, natsMsg_GetData(message),
	                (size_t)natsMsg_GetDataLength(message), &wrong) != 0 ||
	    carry->pack->kind != MDG_QUEUE) {
		log_event(LOG_ERROR, "pack-refused",
		          "channel=\"%s\" sequence=%" PRIu64 " why=\"%s\"", carry->pump->channel,
		          sequence, wrong ? wrong : "it is of another kind of channel");
		(void)natsMsg_Term(message, NULL);
		natsMsg_Destroy(message);
		return 0;
	}
	carry->message = message;
	if (again)
		rc = leave_out_present(in);
	if (rc == 0 && carry->pack->count)
		rc = carry_put(carry);
	if (rc == 0)
		rc = mdg_channel_look(carry->channel, &info);
	if (rc != 0)
		return rc;
	carry->message = NULL;
	in->taken[in->count++] = (struct taken){ message, sequence, info.sequence };
	pump_in_flight(carry->pump, in->count);
	return 0;
}

static int take_one(struct queue_in *in, int64_t wait_ms)
{
	struct store *store = &in->carry.store;
	natsMsg *message = NULL;
	uint64_t sequence = 0;
	bool again = false;
	int rc = 0;

	if (!in->shared)
		rc = store_share(store);
	in->shared = rc == 0;
	if (rc == 0)
		rc = store_pull(store, &message, &sequence, &again, wait_ms);
	if (rc == PULL_ENDED) {
		in->shared = false;
		pump_sleep(in->carry.pump, 10);
		return 0;
	}
	if (rc != 1)
		return rc;
	pump_lag(in->carry.pump, store->pending);
	if (is_taking(in))
		return put(in, message, sequence, again);
	(void)natsMsg_Nak(message, NULL); /* the last listener has just gone */
	natsMsg_Destroy(message);
	return 0;
}

/* Waits until little of what waits here is left. */
static int await_little(struct queue_in *in)
{
	struct mdg_channel_info info = { .size = sizeof info };
	int rc = mdg_channel_look(in->carry.channel, &info);

	if (rc != 0 || info.waiting <= WAITING_MOST)
		return rc;
	rc = mdg_channel_settled(in->carry.channel, info.sequence - WAITING_MOST,
	                         mdg_deadline(TELL_MS / 2 * MS_NS));
	return rc == -EINTR ? -ETIMEDOUT : rc;
}

static int step(struct queue_in *in)
{
	unsigned before = in->count;
	int rc = settle(in, 0);

	tell_server(in);
	if (rc != 0)
		return rc;
	if (!is_taking(in))
		return leave_to_others(in);
	rc = await_little(in);
	if (rc == -ETIMEDOUT || rc == -EAGAIN)
		return 0;
	if (rc == 0 && in->count < TAKEN) {
		before = in->count;
		rc = take_one(in, in->count ? 0 : IDLE_MS);
	}
	if (rc == 0 && in->count && in->count == before)
		rc = settle(in, mdg_deadline(GLANCE_MS * MS_NS));
	return rc;
}

/* ---- the pump --------------------------------------------------------------- */

static bool in_wanted(const struct situation *s)
{
	(void)s;
	return true; /* what was taken has to come to its end */
}

static void in_changed(struct pump *pump, const struct situation *s)
{
	uint32_t before = atomic_exchange(&pump->listeners, s->listeners);

	atomic_store(&pump->gives, s->may[BRIDGE_OUT]);
	if ((before == 0) == (s->listeners == 0) || atomic_load(&pump->ended))
		return;
	if (s->listeners == 0)
		store_wake(pump);
	(void)pthread_kill(pump->thread, THREAD_SIGNAL);
}

static int in_run(struct pump *pump)
{
	struct queue_in *in = calloc(1, sizeof *in);
	int rc;

	if (!in)
		return -ENOMEM;
	rc = carry_open(&in->carry, pump, MDG_TALKER, &queue_shape, 0, 0);
	in->carry.meanwhile = meanwhile;
	bridge_wake(pump->bridge); /* tells us who listens */
	while (rc == 0)
		rc = pump_stopping(pump) ? -EINTR : step(in);
	give_close(in);
	for (unsigned i = 0; i < in->count; i++)
		natsMsg_Destroy(in->taken[i].message);
	carry_close(&in->carry);
	free(in);
	return rc;
}

const struct pump_ops pump_queue_in = {
	.kind = MDG_QUEUE,
	.direction = BRIDGE_IN,
	.wanted = in_wanted,
	.run = in_run,
	.wake = store_wake,
	.changed = in_changed,
};
