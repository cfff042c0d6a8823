/* SPDX-License-Identifier: MIT */
/*
 * poll.c - a descriptor that says whether there is something to receive.
 *
 * It is a named pipe (pipe.c), which its listener holds open for reading and writing. There is a
 * byte in the pipe while there is something to receive. The listener keeps it so after each call:
 * when nothing is left it drains the pipe, says that it is about to sleep (`polls` of its seat,
 * MDG__ALERT_POLL), and looks once more.
 *
 * A descriptor of our own is never trusted: the program may have closed it, and the number may be
 * another file's.
 */
#include "channel/kind.h"
#include "channel/peers.h"
#include "channel/wake.h"

#include <fcntl.h>
#include <sys/stat.h>

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
	fd = mdg__fd_out_of_the_way(fd);
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

/* If the channel was removed, the next call says so. */
static bool has_news(struct mdg_channel *channel)
{
	return channel->ops->has(channel) || mdg__relaxed32(&channel->head->removed) != 0;
}

/* Each sleep has a number. Whoever has rung for one sleep clears that number, and not the next. */
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
	char name[MDG__PIPE_NAME_ROOM];
	int rc = mdg__usable(channel, channel->ops->polls);
	if (rc < 0 || is_ours(channel))
		return rc < 0 ? rc : channel->pipe;
	unsigned mode = segment_mode(channel);
	mdg__pipe_name(name, channel, channel->place, channel->use);
	int dirfd = mdg__beside_enter(channel->ns, true);
	rc = pipe_open(channel, dirfd, name, mode);
	mdg__leave(channel->ns);
	if (rc < 0)
		return rc;
	channel->pipe = rc;
	channel->pipe_full = false;
	mdg__pipe_settle(channel);
	return rc;
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
