/* SPDX-License-Identifier: MIT */
/*
 * here.c - enters channels as an observer, and counts their peers.
 *
 * The bridge's own pumps are in the channel too. They are known by the process id, and do not
 * count.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pump/thread.h"
#include "watch/here.h"

static void *wait_for_events(void *argument)
{
	struct here *here = argument;
	int rc = 0;

	while (!atomic_load(&here->stop)) {
		struct mdg_peer_event event = { .size = sizeof event };

		rc = mdg_channel_event(here->waits, &event, MDG_FOREVER);
		if (rc == -EINTR)
			continue;
		if (rc != 0)
			break;
		if (event.pid != getpid())
			bridge_wake(here->bridge);
	}
	atomic_store(&here->result, rc);
	atomic_store(&here->ended, true);
	bridge_wake(here->bridge);
	return NULL;
}

int here_open(struct here **ret, struct bridge *bridge, const char *name)
{
	struct mdg_channel_options existing = { .size = sizeof existing,
		                                .wait = MDG_WAIT_LONG,
		                                .flags = MDG_CHANNEL_EXISTING };
	struct here *here = calloc(1, sizeof *here);
	int rc;

	if (!here)
		return -ENOMEM;
	here->bridge = bridge;
	rc = token_make(here->token, sizeof here->token, name) == 0 ? 0 : -EINVAL;
	if (rc == 0)
		rc = mdg_channel_open(&here->looks, bridge->ns, name, MDG_OBSERVER, &existing);
	if (rc == 0)
		rc = mdg_channel_open(&here->waits, bridge->ns, name, MDG_OBSERVER, &existing);
	if (rc == 0)
		rc = here_look(here);
	if (rc == 0)
		rc = thread_start(&here->thread, wait_for_events, here);
	if (rc != 0) {
		mdg_channel_close(here->waits);
		mdg_channel_close(here->looks);
		free(here);
		return rc;
	}
	*ret = here;
	return 0;
}

int here_look(struct here *here)
{
	struct mdg_peer peers[MDG_PEERS_MAX];
	int rc, count;

	if (atomic_load(&here->ended))
		return atomic_load(&here->result);
	here->info.size = sizeof here->info;
	rc = mdg_channel_look(here->looks, &here->info);
	if (rc != 0)
		return rc;
	peers[0].size = sizeof peers[0];
	count = mdg_channel_peers(here->looks, peers, MDG_PEERS_MAX);
	if (count < 0)
		return count;
	here->talkers = here->listeners = 0;
	for (int i = 0; i < count && i < (int)MDG_PEERS_MAX; i++) {
		if (!peers[i].alive || peers[i].pid == getpid())
			continue;
		here->talkers += peers[i].role == MDG_TALKER;
		here->listeners += peers[i].role == MDG_LISTENER;
	}
	return 0;
}

void here_close(struct here *here)
{
	if (!here)
		return;
	atomic_store(&here->stop, true);
	thread_end(here->thread, &here->ended);
	mdg_channel_close(here->waits);
	mdg_channel_close(here->looks);
	free(here);
}
