/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - a descriptor that says whether there is something to receive.
 *
 * It is a named pipe in the namespace's directory, bell-NUMBER-ID-PLACE-USE with the namespace's
 * number (segment/above.h), which its listener holds open
 * for reading and writing. There is a byte in it while there is something. The listener keeps it
 * so after each call: when nothing is left it drains the pipe, says that it is about to sleep
 * (`polls` of its seat, MDG__ALERT_POLL), and looks once more. A talker that publishes then opens
 * the pipe, writes a byte and closes it.
 *
 * A descriptor of our own is never trusted: the program may have closed it, and the number be
 * another file's. The talker opens the pipe anew each time, for reading too: so there is no SIGPIPE.
 */
#include "channel/internal.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "platform/text.h"

enum { NAME_ROOM = MDG__BESIDE_NAME_ROOM + 24 };

static void pipe_name(char name[NAME_ROOM], const struct mdg_channel *channel, uint32_t place,
                      uint32_t use)
{
	char stem[MDG__BESIDE_NAME_ROOM];
	mdg__beside_name(channel->ns, "bell", channel->id, stem);
	(void)mdg__format(name, NAME_ROOM, "%s-%u-%u", stem, place, use);
}

/* ---- the listener's ---------------------------------------------------------------- */

/* Whether the descriptor is still the pipe that was opened. */
static bool is_ours(const struct mdg_channel *channel)
{
	return channel->pipe >= 0 &&
	       mdg__fd_is(channel->pipe, (dev_t)channel->pipe_device, (ino_t)channel->pipe_inode);
}

static unsigned segment_mode(struct mdg_channel *channel)
{
	char name[MDG_NAME_MAX + 1];
	unsigned mode = 0600;
	(void)mdg__segment_label(channel->ns, channel->id, name, &mode);
	return mode & 0666;
}

static int pipe_open(struct mdg_channel *channel, int dirfd, const char *name, unsigned mode)
{
	struct stat status;
	if (dirfd < 0)
		return dirfd;
	(void)mdg__sys_unlinkat(dirfd, name);
	int rc = mdg__sys_mkfifoat(dirfd, name, mode | 0600);
	if (rc < 0)
		return rc;
	(void)mdg__sys_fchmodat(dirfd, name, mode | 0600); /* the umask */
	int fd = mdg__sys_openat(dirfd, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0) {
		(void)mdg__sys_unlinkat(dirfd, name);
		return fd;
	}
	fd = mdg__beside_keep_fd(fd);
	rc = mdg__sys_fstat(fd, &status);
	if (rc < 0)
		return rc;
	channel->pipe_device = status.st_dev;
	channel->pipe_inode = status.st_ino;
	return fd;
}

static void drain(const struct mdg_channel *channel)
{
	char bytes[64];
	while (mdg__sys_read(channel->pipe, bytes, sizeof bytes) == (int64_t)sizeof bytes)
		;
}

/* That the channel was removed is told by the next call. */
static bool has_news(struct mdg_channel *channel)
{
	return mdg__has_something(channel) || mdg__relaxed32(&channel->head->removed) != 0;
}

/* Each sleep has a number: who has rung for one takes that one's away, and not the next one's. */
static uint32_t new_sleep(struct mdg_channel *channel)
{
	uint32_t number = channel->use << 16 | (++channel->sleeps & 0xffff);
	return number != 0 ? number : 1;
}

void mdg__pipe_settle(struct mdg_channel *channel)
{
	if (!is_ours(channel))
		return;
	if (!has_news(channel)) {
		drain(channel);
		channel->pipe_full = false;
		atomic_store(&channel->seat->polls, new_sleep(channel));
		mdg__alert_pollers(channel);
	}
	if (!channel->pipe_full && has_news(channel)) {
		atomic_store(&channel->seat->polls, 0);
		(void)mdg__sys_write(channel->pipe, "", 1);
		channel->pipe_full = true;
	}
}

int mdg_channel_fd(mdg_channel *channel)
{
	char name[NAME_ROOM];
	int rc = mdg__usable(channel,
	                     channel->kind == MDG_CALL ? MDG_TALKER | MDG_LISTENER : MDG_LISTENER);
	if (rc < 0 || is_ours(channel))
		return rc < 0 ? rc : channel->pipe;
	unsigned mode = segment_mode(channel);
	pipe_name(name, channel, channel->place, channel->use);
	int dirfd = mdg__beside_enter(channel->ns, true);
	rc = pipe_open(channel, dirfd, name, mode);
	mdg__beside_leave(channel->ns);
	if (rc < 0)
		return rc;
	channel->pipe = rc;
	channel->pipe_full = false;
	mdg__pipe_settle(channel);
	return rc;
}

void mdg__pipe_unlink(struct mdg_channel *channel, uint32_t place, uint32_t use)
{
	char name[NAME_ROOM];
	pipe_name(name, channel, place, use);
	int dirfd = mdg__beside_enter(channel->ns, false);
	if (dirfd >= 0)
		(void)mdg__sys_unlinkat(dirfd, name);
	mdg__beside_leave(channel->ns);
}

void mdg__pipe_close(struct mdg_channel *channel)
{
	if (channel->pipe < 0)
		return;
	mdg__pipe_unlink(channel, channel->place, channel->use);
	if (is_ours(channel))
		(void)mdg__sys_close(channel->pipe);
	channel->pipe = -1;
}

/* ---- the talker's ------------------------------------------------------------------- */

static void ring(struct mdg_channel *channel, const char *name)
{
	struct stat status;
	int dirfd = mdg__beside_enter(channel->ns, false);
	int fd = dirfd < 0 ? dirfd
	                   : mdg__sys_openat(dirfd, name,
	                                     O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0);
	mdg__beside_leave(channel->ns);
	if (fd < 0)
		return;
	if (mdg__sys_fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
		(void)mdg__sys_write(fd, "", 1);
	(void)mdg__sys_close(fd);
}

/* Rings first: who dies before that has taken nothing away, and after it only a look in vain is
 * made. */
void mdg__pipe_ring_one(struct mdg_channel *channel, uint32_t place)
{
	struct mdg__seat *seat = &channel->seats[place];
	uint32_t sleep = atomic_load(&seat->polls);
	char name[NAME_ROOM];
	if (sleep == 0)
		return;
	pipe_name(name, channel, place, mdg__relaxed32(&seat->use));
	ring(channel, name);
	(void)atomic_compare_exchange_strong(&seat->polls, &sleep, 0);
}

/* Rings for so many listeners: how many are left. */
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

/* The flag goes when nobody is left whom it is for. Then one may just have begun to sleep, for whom
 * others that published meanwhile did not ring: so that is done here. */
void mdg__pipes_ring(struct mdg_channel *channel, unsigned messages)
{
	if (ring_some(channel, mdg__is_queue(channel) ? messages : UINT_MAX) != 0)
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
