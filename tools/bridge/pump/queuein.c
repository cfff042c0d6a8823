/* SPDX-License-Identifier: MIT */
/*
 * queuein.c - takes messages of a queue from other hosts, for programs that listen here.
 *
 * It takes a few packs at a time, while listeners are here and little waits. The server is told
 * that a pack is done when all of its messages were released (queuehand.c). Until then it is told,
 * each 3 s, that they are being worked on. If this host dies, the server gives the packs to
 * another host.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "pump/pump.h"
#include "pump/queue.h"
#include "pump/queuehand.h"
#include "pump/thread.h"

enum {
	IDLE_MS = 30000,
	GLANCE_MS = 200, /* between two questions for one more pack, while another is worked on */
	LEAVE_MS = 1000,
	LITTLE_MS = 1500, /* that a wait for room lasts, at most */
	WAITING_MOST = 32,
	/* of packs that are too large here: so often if another host takes messages, and if not; a
	 * quarter of an hour, and three seconds */
	PASSES_MOST = 100,
	PASSES_ALONE = 5,
	PASS_MS = 250, /* longer each time */
	PASS_LONGEST_MS = 10000
};
#define MS_NS UINT64_C(1000000)

struct queue_in {
	struct carry carry; /* first: see meanwhile */
	struct hand hand;   /* the packs that were taken */
	bool shared;        /* the subscription is there */
	uint64_t passed;    /* the last pack that went back because it is too large */
	struct carry give;  /* to give back; its channel is NULL when it is not in use */
};

static bool is_taking(const struct queue_in *in)
{
	return atomic_load(&in->carry.pump->listeners) != 0;
}

/* ---- giving back ------------------------------------------------------------ */

static int give_open(struct queue_in *in)
{
	struct carry *give = &in->give;

	give->pump = in->carry.pump;
	give->store = in->carry.store;
	give->origin = in->carry.origin;
	return queue_listen(give, &give->channel);
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

/* `all`: also while programs here listen. */
static int give_back(struct queue_in *in, bool all)
{
	struct mdg_message message;
	int rc = 0;

	while (rc == 0 && (all || !is_taking(in)) && next_is_relayed(in)) {
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
		int rc = give_back(in, false);

		if (rc != 0)
			return rc;
	}
	if (in->hand.count)
		return hand_settle(&in->hand, mdg_deadline(GLANCE_MS * MS_NS));
	await_change(in);
	return 0;
}

/* While there is no room for a pack. */
static int meanwhile(struct carry *carry)
{
	struct queue_in *in = (struct queue_in *)(void *)carry;

	hand_tell(&in->hand);
	if (!is_taking(in) && !atomic_load(&carry->pump->gives))
		return give_back(in, false);
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

/* Leaves out what lies here already, and marks the rest. What a listener had taken before we look
 * does not count: that may be our pump out, which has just sent this very pack, and releases what
 * it holds. */
static int leave_out_present(struct queue_in *in)
{
	struct mdg_channel_info info = { .size = sizeof info };
	struct pack *pack = in->carry.pack;
	bool present[PACK_MESSAGES_MAX] = { false };
	struct mdg_relayed from;
	struct mdg_message message;
	uint64_t cursor = 0;
	unsigned n = 0, before = pack->count;
	int rc = mdg_channel_look(in->carry.channel, &info);

	if (rc != 0)
		return rc;
	while ((rc = mdg_channel_browse(in->carry.channel, &cursor, NULL, 0, &message, &from)) ==
	       1) {
		int at = message.flags & MDG_RELAYED ? find(pack, from.number) : -1;

		if (at >= 0 && memcmp(&from.origin, &pack->origin, sizeof from.origin) == 0)
			present[at] |= message.sequence >= info.sequence - info.waiting;
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

/* Whether a message of the pack, or a later one of its origin, was here before. */
static bool was_here(const struct queue_in *in)
{
	const struct pack *pack = in->carry.pack;
	uint64_t next;

	return mdg_channel_position(in->carry.channel, &pack->origin, &next) == 0 &&
	       pack->messages[0].number < next;
}

static bool decode(struct queue_in *in, const struct pulled *pulled)
{
	struct carry *carry = &in->carry;
	const char *wrong = NULL;

	if (pack_decode(carry->pack, natsMsg_GetData(pulled->message),
	                (size_t)natsMsg_GetDataLength(pulled->message), &wrong) == 0 &&
	    carry->pack->kind == MDG_QUEUE)
		return true;
	log_event(LOG_ERROR, "pack-refused", "channel=\"%s\" sequence=%" PRIu64 " why=\"%s\"",
	          carry->pump->channel, pulled->sequence,
	          wrong ? wrong : "it is of another kind of channel");
	store_tell(&carry->store, pulled->message, TELL_DROP);
	natsMsg_Destroy(pulled->message);
	return false;
}

/* A message of the pack is too large for the channel here. Another host may have room: so it goes
 * back, and comes to whoever asks first after a while. If nobody takes it in the end, this host
 * does, and what does not fit is dropped. */
static bool pass_on(struct queue_in *in, const struct pulled *pulled)
{
	struct pump *pump = in->carry.pump;
	uint64_t most = atomic_load(&pump->others) ? PASSES_MOST : PASSES_ALONE;
	uint64_t pause = pulled->given * PASS_MS;
	size_t largest = 0;
	char word[64];

	for (unsigned i = 0; i < in->carry.pack->count; i++)
		if (in->carry.pack->messages[i].size > largest)
			largest = in->carry.pack->messages[i].size;
	if (largest <= pump->info.capacity || pulled->given > most)
		return false;
	if (pulled->sequence > in->passed)
		log_event(LOG_WARN, "pack-passed-on",
		          "channel=\"%s\" sequence=%" PRIu64 " bytes=%zu limit=%" PRIu64
		          " advice=\"make the channel here anew with a larger capacity\"",
		          pump->channel, pulled->sequence, largest, pump->info.capacity);
	in->passed = pulled->sequence > in->passed ? pulled->sequence : in->passed;
	pause = pause < PASS_LONGEST_MS ? pause : PASS_LONGEST_MS;
	(void)snprintf(word, sizeof word, TELL_LATER, (int64_t)(pause * MS_NS));
	store_tell(&in->carry.store, pulled->message, word);
	natsMsg_Destroy(pulled->message);
	return true;
}

static int put(struct queue_in *in, const struct pulled *pulled)
{
	struct mdg_channel_info info = { .size = sizeof info };
	struct carry *carry = &in->carry;
	int rc = 0;

	if (hand_has(&in->hand, pulled) || !decode(in, pulled) || pass_on(in, pulled))
		return 0;
	in->hand.putting = *pulled;
	carry->message = pulled->message;
	if (hand_had_before(&in->hand, pulled) || was_here(in))
		rc = leave_out_present(in);
	if (rc == 0 && carry->pack->count)
		rc = carry_put(carry);
	if (rc == 0)
		rc = mdg_channel_look(carry->channel, &info);
	if (rc != 0)
		return rc; /* and the pump ends */
	in->hand.putting.message = carry->message = NULL;
	hand_add(&in->hand, pulled, info.sequence);
	return 0;
}

/* The next pack, and what stream it is of. As store_pull. */
static int pull(struct queue_in *in, struct pulled *ret, int64_t wait_ms)
{
	struct store *store = &in->carry.store;
	int rc = 0;

	if (!in->shared)
		rc = store_share(store);
	in->shared = rc == 0;
	if (rc == 0)
		rc = store_pull(store, ret, wait_ms);
	if (rc == PULL_ENDED) {
		in->shared = false;
		hand_doubt(&in->hand);
		pump_sleep(in->carry.pump, 10);
		return 0;
	}
	/* A wait may have begun before the server was lost. */
	if (rc == 1 && !hand_may_tell(&in->hand)) {
		natsMsg_Destroy(ret->message); /* it comes again */
		return 0;
	}
	ret->made = store->origin.epoch;
	return rc;
}

static int take_one(struct queue_in *in, int64_t wait_ms)
{
	struct pulled pulled = { .message = NULL };
	int rc = pull(in, &pulled, wait_ms);

	if (rc != 1)
		return rc;
	pump_lag(in->carry.pump, in->carry.store.pending);
	if (is_taking(in))
		return put(in, &pulled);
	store_tell(&in->carry.store, pulled.message,
	           TELL_NOT_HERE); /* the last listener has just gone */
	natsMsg_Destroy(pulled.message);
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
	                         mdg_deadline(LITTLE_MS * MS_NS));
	return rc == -EINTR ? -ETIMEDOUT : rc;
}

static int step(struct queue_in *in)
{
	unsigned before;
	int rc = hand_settle(&in->hand, 0);

	hand_tell(&in->hand);
	if (rc != 0)
		return rc;
	if (!is_taking(in))
		return leave_to_others(in);
	rc = await_little(in);
	if (rc == -ETIMEDOUT || rc == -EAGAIN)
		return 0;
	before = in->hand.count;
	if (rc == 0 && before < HAND_PACKS)
		rc = take_one(in, before ? 0 : IDLE_MS);
	if (rc == 0 && in->hand.count && in->hand.count == before)
		rc = hand_settle(&in->hand, mdg_deadline(GLANCE_MS * MS_NS));
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

	atomic_store(&pump->others, s->elsewhere.listeners);
	atomic_store(&pump->gives, s->may[BRIDGE_OUT]);
	if ((before == 0) == (s->listeners == 0) || atomic_load(&pump->ended))
		return;
	if (s->listeners == 0)
		store_wake(pump);
	(void)pthread_kill(pump->thread, THREAD_SIGNAL);
}

/* The bridge ends, or the rules have changed. What no program here has begun goes back to the
 * server. Then programs have a moment for what they have begun: a pack of which something is not
 * done by then comes again as a whole. */
static void leave(struct queue_in *in)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000000L };
	int64_t until = bridge_now() + LEAVE_MS;
	int rc = 0;

	if (pump_stopping(in->carry.pump) && in->hand.count && hand_may_tell(&in->hand))
		rc = give_back(in, true);
	while (rc == 0 && pump_stopping(in->carry.pump) && in->hand.count &&
	       hand_may_tell(&in->hand) && bridge_now() < until) {
		(void)nanosleep(&pause, NULL);
		rc = hand_settle(&in->hand, 0);
	}
	hand_leave(&in->hand);
}

static int in_run(struct pump *pump)
{
	struct queue_in *in = calloc(1, sizeof *in);
	int rc;

	if (!in)
		return -ENOMEM;
	rc = carry_open(&in->carry, pump, MDG_TALKER, &queue_shape, 0, 0);
	in->carry.meanwhile = meanwhile;
	in->carry.store.in_doubt = pack_mark; /* for what is given back */
	/* What is there may have been given to another host, by a server that was killed since. */
	in->hand = (struct hand){ .carry = &in->carry,
		                  .looked = true,
		                  .doubtful = in->carry.store.last };
	bridge_wake(pump->bridge); /* tells us who listens */
	while (rc == 0)
		rc = pump_stopping(pump) ? -EINTR : step(in);
	leave(in);
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
