/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - small things that all rooms of the bridge use.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"

void bridge_wake(struct bridge *bridge)
{
	const uint64_t one = 1;

	(void)!write(bridge->wake, &one, sizeof one);
}

int64_t bridge_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

sigset_t bridge_ending_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	return set;
}

bool bridge_wait_or_end(struct bridge *bridge, int ms)
{
	const sigset_t set = bridge_ending_signals();
	const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	(void)bridge;
	return sigtimedwait(&set, NULL, &wait) > 0;
}
