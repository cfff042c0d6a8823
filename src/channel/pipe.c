/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - waking a listener that sleeps in poll(2), through a named pipe.
 *
 * The listener holds the pipe open (poll.c). Its seat says in `polls` that it sleeps there, and
 * MDG__ALERT_POLL says that some seat does. A talker that publishes opens the pipe, writes a byte
 * into it and closes it. It opens the pipe anew each time, because the program may close any
 * descriptor that we would keep, and the number may be another file's. It opens it for reading too,
 * so that there is no SIGPIPE. The number may be that of a stderr which the program has closed
 * (platform/highfd.h). What is written there meanwhile rings, and nothing else.
 *
 * The pipe lies in the namespace's directory: bell-NUMBER-ID-PLACE-USE, with the number of the
 * namespace (segment/segment.h).
 */
#include "channel/wake.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "platform/text.h"

void mdg__pipe_name(char name[MDG__PIPE_NAME_ROOM], const struct mdg_channel *channel,
                    uint32_t place, uint32_t use)
{
	char stem[MDG__BESIDE_NAME_ROOM];
	mdg__beside_name(channel->ns, "bell", channel->id, stem);
	(void)mdg__format(name, MDG__PIPE_NAME_ROOM, "%s-%u-%u", stem, place, use);
}

void mdg__pipe_unlink(struct mdg_channel *channel, uint32_t place, uint32_t use)
{
	char name[MDG__PIPE_NAME_ROOM];
	mdg__pipe_name(name, channel, place, use);
	int dirfd = mdg__beside_enter(channel->ns, false);
	if (dirfd >= 0)
		(void)mdg__sys_unlinkat(dirfd, name);
	mdg__leave(channel->ns);
}

static void ring(struct mdg_channel *channel, const char *name)
{
	struct stat status;
	int dirfd = mdg__beside_enter(channel->ns, false);
	int fd = dirfd < 0 ? dirfd
	                   : mdg__sys_openat(dirfd, name,
	                                     O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0);
	mdg__leave(channel->ns);
	if (fd < 0)
		return;
	if (mdg__sys_fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
		(void)mdg__sys_write(fd, "", 1);
	(void)mdg__sys_close(fd);
}

/* Rings first, then clears `polls`. A talker that dies before it rings has changed nothing. One
 * that dies after it costs the listener a look in vain. */
void mdg__pipe_ring_one(struct mdg_channel *channel, uint32_t place)
{
	struct mdg__seat *seat = &channel->seats[place];
	uint32_t sleep = atomic_load(&seat->polls);
	char name[MDG__PIPE_NAME_ROOM];
	if (sleep == 0)
		return;
	mdg__pipe_name(name, channel, place, mdg__relaxed32(&seat->use));
	ring(channel, name);
	(void)atomic_compare_exchange_strong(&seat->polls, &sleep, 0);
}

/* Rings for at most so many listeners. Returns how many are left. */
static uint32_t ring_some(struct mdg_channel *channel, unsigned most)
{
	uint32_t used = mdg__seats_used(channel), left = 0;
	for (uint32_t i = 0; i < used; i++) {
		struct mdg__seat *seat = &channel->seats[i];
		if (atomic_load(&seat->polls) == 0 || mdg__seat_state(seat) != MDG__SEAT_LISTENER)
			continue;
		if (most == 0)
			left++;
		else
			mdg__pipe_ring_one(channel, i);
		most -= most != 0;
	}
	return left;
}

/* The flag is cleared when no seat is left that it stands for. A listener may have begun to sleep
 * just then, and talkers that published meanwhile saw no flag. So this looks once more. */
void mdg__pipes_ring(struct mdg_channel *channel, unsigned messages)
{
	if (ring_some(channel, channel->way == MDG__TO_ONE ? messages : UINT_MAX) != 0)
		return;
	atomic_fetch_and(&channel->head->alert, ~MDG__ALERT_POLL);
	if (ring_some(channel, 0) != 0) {
		atomic_fetch_or(&channel->head->alert, MDG__ALERT_POLL);
		(void)ring_some(channel, UINT_MAX);
	}
}

void mdg__pipes_ring_all(struct mdg_channel *channel)
{
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++)
		mdg__pipe_ring_one(channel, i);
}
