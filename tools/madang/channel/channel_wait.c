/* SPDX-License-Identifier: MIT */
/*
 * channel_wait.c - waits that end when Ctrl-C or another signal comes, and reading and writing.
 *
 * A handler notes the signal. A system call that waits then returns EINTR, and its caller finds the
 * note. A signal that comes just before the wait begins would be overlooked. So the handler asks
 * for SIGALRM a second later, and again each second until the process has ended. Waits in a
 * channel are also cut into slices.
 *
 * The command then leaves the channel in order. At last it dies by the same signal (channel_end),
 * so that the shell sees what happened. A signal that was ignored at the start stays ignored, as
 * nohup(1) and shells want it.
 */
#include "channel/channel_tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE_NS    100000000u
#define INPUT_FIRST 65536u

/* ---- signals ---------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void note(int signal)
{
	if (signal != SIGALRM)
		caught = signal;
	if (caught != 0 && caught != SIGPIPE) /* which comes with a write that fails */
		alarm(1);
}

/* As signal(2), without SA_RESTART. */
static void handle(int signal, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

static void catch_one(int signal)
{
	struct sigaction before;

	if (sigaction(signal, NULL, &before) != 0 || before.sa_handler != SIG_IGN)
		handle(signal, note);
}

void channel_catch(bool ignore_pipe)
{
	handle(SIGALRM, note);
	catch_one(SIGINT);
	catch_one(SIGTERM);
	catch_one(SIGHUP);
	if (ignore_pipe)
		handle(SIGPIPE, SIG_IGN);
	else
		catch_one(SIGPIPE);
}

int channel_caught(void)
{
	return caught;
}

int channel_end(int status)
{
	int signal = caught;

	if (signal != 0) {
		handle(signal, SIG_DFL);
		raise(signal);
	}
	return status;
}

/* ---- waiting in a channel --------------------------------------------- */

uint64_t channel_deadline(uint64_t timeout)
{
	return timeout == MDG_FOREVER ? MDG_FOREVER : mdg_deadline(timeout);
}

uint64_t channel_slice(uint64_t deadline)
{
	uint64_t slice = mdg_deadline(SLICE_NS);
	return slice < deadline ? slice : deadline;
}

bool channel_is_waiting(int code)
{
	return code == -ETIMEDOUT || code == -EINTR || code == -EAGAIN;
}

/* The other end of a pipe or a socket has been closed. */
static bool nobody_reads(int fd)
{
	struct pollfd out = { .fd = fd };
	return fd >= 0 && poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

int channel_peek(struct channel *channel, struct mdg_message *messages, unsigned count,
                 uint64_t timeout, int out)
{
	uint64_t deadline = channel_deadline(timeout);

	for (;;) {
		uint64_t slice = channel_slice(deadline);
		if (channel_caught() != 0) /* also where there is always a message */
			return -EINTR;
		/* Calls come one at a time. */
		int rc = channel->info.kind == MDG_CALL
		                 ? mdg_channel_peek(channel->handle, messages, slice)
		                 : mdg_channel_peek_many(channel->handle, messages, count, slice);
		if (!channel_is_waiting(rc))
			return channel->info.kind == MDG_CALL && rc == 0 ? 1 : rc;
		if (channel_caught() == 0 && nobody_reads(out))
			return -EPIPE;
		if (channel_caught() == 0 && rc != -EINTR && slice == deadline)
			return -ETIMEDOUT;
	}
}

/* ---- descriptors ------------------------------------------------------ */

/* After a call on it failed: 0: again; else what it was. */
static int wait_for(int fd, short events, int error)
{
	struct pollfd one = { .fd = fd, .events = events };

	if (channel_caught() != 0 && channel_caught() != SIGPIPE)
		return -EINTR;
	if (error == EINTR)
		return 0;
	if (error != EAGAIN && error != EWOULDBLOCK)
		return -error;
	(void)poll(&one, 1, -1); /* somebody has made it non-blocking */
	return channel_caught() != 0 ? -EINTR : 0;
}

int channel_write(int fd, struct iovec *parts, size_t count)
{
	while (count > 0) {
		ssize_t written =
			writev(fd, parts, (int)(count < 1024 ? count : 1024)); /* IOV_MAX */
		if (written < 0) {
			int rc = wait_for(fd, POLLOUT, errno);
			if (rc != 0)
				return rc;
			continue;
		}
		size_t left = (size_t)written;
		while (count > 0 && left >= parts->iov_len) {
			left -= parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (unsigned char *)parts->iov_base + left;
			parts->iov_len -= left;
		}
	}
	return 0;
}

ssize_t channel_read(int fd, void *data, size_t size)
{
	for (;;) {
		ssize_t got = channel_caught() != 0 ? -1 : read(fd, data, size);
		if (got >= 0)
			return got;
		int rc = wait_for(fd, POLLIN, channel_caught() != 0 ? EINTR : errno);
		if (rc != 0)
			return rc;
	}
}

int channel_input_more(struct channel_input *input, int fd)
{
	ssize_t got;

	if (input->start > 0) {
		memmove(input->data, input->data + input->start, input->end - input->start);
		input->end -= input->start;
		input->start = 0;
	}
	if (input->end == input->room) {
		size_t room = input->room == 0 ? INPUT_FIRST : 2 * input->room;
		unsigned char *data = realloc(input->data, room);
		if (data == NULL)
			return -ENOMEM;
		input->data = data;
		input->room = room;
	}
	got = channel_read(fd, input->data + input->end, input->room - input->end);
	if (got < 0)
		return (int)got;
	input->at_end = got == 0;
	input->end += (size_t)got;
	return 0;
}
