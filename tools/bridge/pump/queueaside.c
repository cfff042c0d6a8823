/* SPDX-License-Identifier: MIT */
/*
 * queueaside.c - messages of a queue that are too large for the server.
 *
 * A program that listens here can work on them. So each is held by a handle of its own, and when a
 * program listens, the handle is closed: then the next listener that asks gets it, marked, before
 * all others. Its space in the ring, and that of all behind it, is not free meanwhile. So if nobody
 * comes, and talkers have no room any more, the oldest is dropped, and the log says so.
 *
 * The pump itself is such a listener. After it has closed handles it does not ask for a while, and
 * after it has got one back, it carries others for as long. So each side has its turn.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "pump/pump.h"
#include "pump/queue.h"
#include "pump/queueaside.h"

/* ---- which go --------------------------------------------------------------- */

static void take_out_oldest(struct aside *aside)
{
	mdg_channel_close(aside->held[0].channel);
	aside->count--;
	memmove(&aside->held[0], &aside->held[1], aside->count * sizeof aside->held[0]);
	if (aside->count == 0)
		pump_state(aside->carry->pump, BRIDGE_MOVING, "");
}

static int drop_oldest(struct aside *aside)
{
	const struct mdg_message message = { .sequence = aside->held[0].number,
		                             .size = aside->held[0].size };
	int rc = mdg_channel_release(aside->held[0].channel);

	if (rc != 0)
		return rc;
	carry_drop_first(aside->carry, &message);
	take_out_oldest(aside);
	return 0;
}

void aside_let_go(struct aside *aside)
{
	while (aside->count)
		take_out_oldest(aside);
}

void aside_share(struct aside *aside)
{
	struct pump *pump = aside->carry->pump;

	if (aside->count == 0 || atomic_load(&pump->listeners) == 0 ||
	    bridge_now() - aside->since < ASIDE_MS)
		return;
	aside_let_go(aside);
	pump_sleep(pump, ASIDE_MS);
}

/* ---- room ------------------------------------------------------------------- */

struct programs {
	bool listen, wait; /* one listens; one waits for room */
};

/* The programs that are here now: the keeper tells of them a little later. 0 or a code. */
static int look_at_programs(struct aside *aside, struct programs *ret)
{
	struct mdg_peer peers[MDG_PEERS_MAX];
	int count;

	*ret = (struct programs){ false, false };
	peers[0].size = sizeof peers[0];
	count = mdg_channel_peers(aside->carry->channel, peers, MDG_PEERS_MAX);
	for (int i = 0; i < count && i < (int)MDG_PEERS_MAX; i++) {
		if (!peers[i].alive || peers[i].pid == getpid())
			continue;
		ret->listen = ret->listen || peers[i].role == MDG_LISTENER;
		ret->wait = ret->wait || (peers[i].role == MDG_TALKER && peers[i].asleep);
	}
	return count < 0 ? count : 0;
}

int aside_make_room(struct aside *aside)
{
	struct mdg_channel_info info = { .size = sizeof info };
	struct programs programs;
	int rc;

	if (aside->count == 0)
		return 0;
	rc = mdg_channel_look(aside->carry->channel, &info);
	if (rc == 0)
		rc = look_at_programs(aside, &programs);
	if (rc != 0 || info.waiting != 0 || programs.listen)
		return rc;
	/* A channel has room for as much as its capacity. */
	if (info.room - info.used >= info.capacity && !programs.wait)
		return 0;
	return drop_oldest(aside);
}

/* ---- putting aside ---------------------------------------------------------- */

static void say(struct aside *aside, const struct mdg_message *message)
{
	struct pump *pump = aside->carry->pump;

	if (message->sequence >= aside->said) {
		aside->said = message->sequence + 1;
		log_event(LOG_ERROR, "message-held",
		          "channel=\"%s\" number=%" PRIu64 " bytes=%zu limit=%zu "
		          "advice=\"raise max_payload of the server, or have a program listen "
		          "here\"",
		          pump->channel, message->sequence, message->size,
		          store_limit(&aside->carry->store));
	}
	pump_state(pump, BRIDGE_HELD,
	           "a message is larger than the server takes, and waits for a listener here");
}

int aside_put(struct aside *aside, const struct mdg_message *message)
{
	struct carry *carry = aside->carry;
	mdg_channel *next;
	int rc;

	if (aside->count == ASIDE_MOST) {
		rc = drop_oldest(aside);
		if (rc != 0)
			return rc;
	}
	rc = queue_listen(carry, &next);
	if (rc == -EUSERS) { /* no place for one more handle */
		carry_drop_first(carry, message);
		return mdg_channel_release(carry->channel);
	}
	if (rc != 0)
		return rc;
	aside->held[aside->count].channel = carry->channel;
	aside->held[aside->count].number = message->sequence;
	aside->held[aside->count++].size = message->size;
	aside->since = bridge_now();
	carry->channel = next;
	say(aside, message);
	return 0;
}
