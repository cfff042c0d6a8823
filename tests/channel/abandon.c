/* SPDX-License-Identifier: MIT */
/*
 * abandon.c - a server that stands for others: it says that they died, and asks whether its caller
 * still waits.
 */
#include "channel/handles.h"
#include "madang/relay.h"

enum { CAPACITY = 2048 };

static mdg_channel *caller(void)
{
	return talker_of("abandon", MDG_CALL, CAPACITY);
}

static mdg_channel *server(void)
{
	return listener_of("abandon", MDG_CALL, CAPACITY);
}

/* The caller is told of a death, while it waits and before, whatever the server has begun. */
static void abandoned(void)
{
	mdg_channel *calls = caller(), *serves = server();
	void *place = NULL;
	for (unsigned i = 0; i < 20; i++) {
		CHECK_RC(-EINVAL, mdg_channel_abandon(serves));
		CHECK_RC(-EINVAL, mdg_channel_awaited(serves));
		CHECK_RC(0, says(calls, 30, 1, 0));
		CHECK(hears(serves, 30, 1));
		CHECK_RC(0, mdg_channel_awaited(serves));
		if (i % 2 == 1) {
			CHECK_RC(0, mdg_channel_reserve(serves, 10, &place, 0));
			CHECK_RC(0, mdg_channel_awaited(serves));
		}
		CHECK_RC(0, mdg_channel_abandon(serves));
		CHECK_RC(-EINVAL, mdg_channel_abandon(serves));
		CHECK_RC(-EINVAL, says(serves, 1, 1, 0));
		CHECK_RC(MDG_PEER_DIED, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
		CHECK_RC(-EINVAL, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
		/* Nobody gets the request again, and both go on. */
		CHECK(hears_nothing(serves));
		CHECK_RC(0, says(calls, 31, 2, 0));
		CHECK(hears(serves, 31, 2));
		CHECK_RC(0, says(serves, 32, 3, 0));
		CHECK(hears(calls, 32, 3));
	}
	mdg_channel_close(calls);
	mdg_channel_close(serves);
	remove_channel("abandon");
}

/* A caller that does not wait any more. */
static void given_up(void)
{
	mdg_channel *calls = caller(), *serves = server(), *other = server();
	CHECK_RC(0, says(calls, 30, 1, 0));
	CHECK(hears(serves, 30, 1));
	CHECK_RC(0, says(calls, 31, 2, 0)); /* gives the first up */
	CHECK_RC(-ECANCELED, mdg_channel_awaited(serves));
	CHECK_RC(-ECANCELED, mdg_channel_awaited(serves)); /* it still holds the request */
	CHECK_RC(0, mdg_channel_abandon(serves));
	/* That is not the end of the second. */
	CHECK_RC(-EAGAIN, mdg_channel_recv(calls, NULL, 0, NULL, 0));
	CHECK(hears(other, 31, 2));
	mdg_channel_close(calls);
	int rc = mdg_channel_awaited(other);
	CHECK(rc == MDG_PEER_DIED || rc == -ECANCELED);
	CHECK_RC(0, mdg_channel_abandon(other));
	mdg_channel_close(other);
	mdg_channel_close(serves);
	remove_channel("abandon");
}

static void call_and_wait(void *argument)
{
	mdg_channel *calls = caller();
	(void)argument;
	CHECK_RC(0, says(calls, 50, 1, 0));
	(void)mdg_channel_recv(calls, NULL, 0, NULL, MDG_FOREVER);
}

static void caller_killed(void)
{
	mdg_channel *serves = server();
	pid_t pid = start(call_and_wait, NULL);
	CHECK(hears(serves, 50, 1));
	CHECK_RC(0, mdg_channel_awaited(serves));
	killed(pid);
	CHECK_RC(MDG_PEER_DIED, mdg_channel_awaited(serves)); /* asking finds the dead */
	CHECK_RC(0, mdg_channel_abandon(serves));
	mdg_channel_close(serves);
	remove_channel("abandon");
}

/* Others have nothing to give up. */
static void roles(void)
{
	mdg_channel *calls = caller(), *queue = listener_of("queue", MDG_QUEUE, CAPACITY);
	mdg_channel *looks = enter("abandon", 0, MDG_CALL, 0);
	mdg_channel *const wrong[3] = { calls, queue, looks };
	for (int i = 0; i < 3; i++) {
		CHECK_RC(-EPERM, mdg_channel_abandon(wrong[i]));
		CHECK_RC(-EPERM, mdg_channel_awaited(wrong[i]));
		mdg_channel_close(wrong[i]);
	}
	remove_channel("abandon");
	remove_channel("queue");
}

int main(void)
{
	open_namespace();
	abandoned();
	given_up();
	caller_killed();
	roles();
	mdg_namespace_close(ns);
	return test_result();
}
