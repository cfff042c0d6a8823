/* SPDX-License-Identifier: MIT */
/*
 * poll.c - one thread that waits for two channels and a pipe at once.
 *
 * mdg_channel_fd gives a descriptor that is readable while there is something to receive. It goes
 * into poll(2), epoll(7) or an event loop such as libuv's beside all other descriptors; nobody
 * reads from it or closes it. When it is readable, receive until there is no more, without waiting:
 * deadline 0. There may be nothing: then poll again.
 *
 * poll(2) does not know of deaths. mdg_channel_look looks after the dead, so that what they held
 * comes to us; here that is done each time that nothing has happened for a while.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "../sync/place.h"

enum { WEATHER, JOBS, GOODBYE, SOURCES, EACH = 5, WHILE_MS = 100 };

static const char *const names[] = { "example-weather", "example-errands" };
static int goodbye[2]; /* a pipe */

static mdg_channel *enter(int which, unsigned role)
{
	struct mdg_channel_options options = {
		.size = sizeof(options),
		.kind = which == WEATHER ? MDG_TOPIC : MDG_QUEUE,
		.from = MDG_FROM_OLDEST, /* of the topic: it does not matter who comes first */
	};
	mdg_namespace *ns;
	mdg_channel *channel;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_open(&channel, ns, names[which], role, &options), names[which]);
	return channel;
}

static void talk(int which)
{
	mdg_channel *channel = enter(which, MDG_TALKER);
	char text[32];

	for (int i = 1; i <= EACH; i++) {
		const char *what = which == JOBS ? "errand" : "sun";
		int size = snprintf(text, sizeof(text), "%s %d", what, i);
		must(mdg_channel_send(channel, text, (size_t)size, MDG_FOREVER), "send");
		nap(2);
	}
	mdg_channel_close(channel);
}

static void tell_weather(void)
{
	talk(WEATHER);
}

static void give_errands(void)
{
	talk(JOBS);
}

static void take_one_and_die(void)
{
	mdg_channel *errands = enter(JOBS, MDG_LISTENER);
	struct mdg_message message;

	must(mdg_channel_peek(errands, &message, MDG_FOREVER), "peek");
	die();
}

/* All that is there now: how many. */
static int receive(mdg_channel *channel)
{
	struct mdg_message message;
	char text[32];
	int size, count = 0;

	while ((size = mdg_channel_recv(channel, text, sizeof(text), &message, 0)) >= 0) {
		printf("%.*s%s\n", size, text,
		       (message.flags & MDG_REDELIVERED) != 0 ? " (again)" : "");
		count++;
	}
	if (size != -EAGAIN)
		must(size, "recv");
	return count;
}

static void look_after(mdg_channel *channel)
{
	struct mdg_channel_info info = { .size = sizeof info };

	must(mdg_channel_look(channel, &info), "look");
}

/* Until the pipe says goodbye, and all has come. */
static int wait_for_all(mdg_channel *channel[2])
{
	struct pollfd source[SOURCES] = {
		{ mdg_channel_fd(channel[WEATHER]), POLLIN, 0 },
		{ mdg_channel_fd(channel[JOBS]), POLLIN, 0 },
		{ goodbye[0], POLLIN, 0 },
	};
	int count = 0;

	must(source[WEATHER].fd, "descriptor");
	must(source[JOBS].fd, "descriptor");
	for (bool last = false; !last || count < 2 * EACH;) {
		int ready = poll(source, SOURCES, WHILE_MS);
		for (int i = 0; i < 2; i++) {
			if ((source[i].revents & POLLIN) != 0)
				count += receive(channel[i]);
			if (ready == 0)
				look_after(channel[i]);
		}
		if (ready > 0 && source[GOODBYE].revents != 0) {
			printf("goodbye\n");
			last = true;
			source[GOODBYE].fd = -1; /* no more of that */
		}
	}
	return count;
}

int main(void)
{
	mdg_namespace *ns;

	if (pipe(goodbye) != 0) {
		perror("pipe");
		return EXIT_FAILURE;
	}
	mdg_channel *channel[2] = { enter(WEATHER, MDG_LISTENER), enter(JOBS, MDG_LISTENER) };
	pid_t errands = child(give_errands);
	bool well = !went_well(child(take_one_and_die));
	pid_t weather = child(tell_weather);
	close(goodbye[1]); /* ours; theirs end with them */
	int count = wait_for_all(channel);
	printf("%d messages\n", count);
	well = went_well(errands) && went_well(weather) && well;
	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	for (int i = 0; i < 2; i++) {
		mdg_channel_close(channel[i]);
		must(mdg_channel_remove(ns, names[i]), "remove");
	}
	return well && count == 2 * EACH ? EXIT_SUCCESS : EXIT_FAILURE;
}
