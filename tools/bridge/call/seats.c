/* SPDX-License-Identifier: MIT */
/*
 * seats.c - places of the bridge in a channel for calls, and waiting.
 *
 * A call that is on its way holds one place. So the bridge takes more of them when there is more to
 * do. It always leaves a quarter of the places for others, but for its first.
 */
#include <errno.h>
#include <time.h>

#include "call/parts.h"

uint64_t call_now(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CALL_SECOND + (uint64_t)now.tv_nsec;
}

int call_condition(pthread_cond_t *ret_condition)
{
	pthread_condattr_t attributes;
	int rc = pthread_condattr_init(&attributes);
	if (rc != 0)
		return -rc;
	rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(ret_condition, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	return -rc;
}

void call_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t moment)
{
	if (moment == MDG_FOREVER) {
		(void)pthread_cond_wait(condition, lock);
		return;
	}
	struct timespec until = { (time_t)(moment / CALL_SECOND), (long)(moment % CALL_SECOND) };
	(void)pthread_cond_timedwait(condition, lock, &until);
}

/* Whether there is room for one more of the bridge's. */
static bool leaves_enough(mdg_channel *looks, unsigned have)
{
	struct mdg_channel_info info = { .size = sizeof info };
	if (mdg_channel_look(looks, &info) != 0)
		return false;
	uint32_t there = info.talkers + info.listeners;
	return have < info.peers / 2 && there < info.peers - info.peers / 4;
}

int call_enter(const struct call_setup *setup, unsigned role, unsigned have,
               mdg_channel **ret_handle)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .flags = MDG_CHANNEL_EXISTING,
		                               .kind = MDG_CALL,
		                               .wait = MDG_WAIT_LONG };
	if (have >= CALL_SEATS_MAX)
		return -EUSERS;
	if (have > 0) {
		mdg_channel *looks;
		int rc =
			mdg_channel_open(&looks, setup->ns, setup->channel, MDG_OBSERVER, &options);
		if (rc < 0)
			return rc;
		bool may = leaves_enough(looks, have);
		mdg_channel_close(looks);
		if (!may)
			return -EUSERS;
	}
	return mdg_channel_open(ret_handle, setup->ns, setup->channel, role, &options);
}

bool call_is_final(int rc)
{
	return rc == -EIDRM || rc == -ESTALE || rc == -EPERM || rc == MDG_BROKEN || rc == -ENOENT ||
	       rc == MDG_NOT_CHANNEL || rc == MDG_UNLIKE_KIND;
}
