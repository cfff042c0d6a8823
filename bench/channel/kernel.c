/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - the kernel's means of passing messages: pipe, sequenced packets through a
 * Unix socket, POSIX message queue, System V message queue.
 *
 * Who waits sleeps in the call; made to spin it asks without waiting, again and again. A pipe
 * knows no messages: its listener knows their size. In batches: what one call can take.
 */
#include "bench/channel/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __GLIBC__
typedef int many_flags; /* as sendmmsg(2) declares them */
#else
typedef unsigned many_flags;
#endif

/* After a call that failed: whether to try again, after a moment. */
static bool once_more(const struct channel_game *game)
{
	if (errno != EAGAIN && errno != ENOMSG && errno != EINTR && errno != ENOBUFS)
		return false;
	channel_moment(game);
	return true;
}

/* ---- pipe --------------------------------------------------------------------------- */

struct pipe_end {
	const struct channel_game *game;
	int out, in;
};

static int pipe_put(struct pipe_end *end, const void *data, size_t size)
{
	const char *rest = data;

	while (size > 0) {
		ssize_t done = write(end->out, rest, size);

		if (done < 0) {
			if (!once_more(end->game))
				return -1;
			continue;
		}
		rest += done;
		size -= (size_t)done;
	}
	return 0;
}

static int pipe_take(struct pipe_end *end, void *data, size_t size)
{
	char *rest = data;

	while (size > 0) {
		ssize_t done = read(end->in, rest, size);

		if (done == 0)
			return -1;
		if (done < 0) {
			if (!once_more(end->game))
				return -1;
			continue;
		}
		rest += done;
		size -= (size_t)done;
	}
	return 0;
}

static int pipe_put_many(struct pipe_end *end, const struct channel_packet *packets, unsigned count)
{
	return pipe_put(end, packets, count * sizeof *packets);
}

static int pipe_take_many(struct pipe_end *end, struct channel_packet *packets, unsigned most)
{
	ssize_t done;

	while ((done = read(end->in, packets, most * sizeof *packets)) < 0)
		if (!once_more(end->game))
			return -1;
	/* a page of them may end in the middle of one */
	if (done % (ssize_t)sizeof *packets != 0) {
		size_t more = sizeof *packets - (size_t)done % sizeof *packets;

		if (pipe_take(end, (char *)packets + done, more) != 0)
			return -1;
		done += (ssize_t)more;
	}
	return (int)((size_t)done / sizeof *packets);
}

static bool pipe_make(struct channel_game *game)
{
	if (game->measure == CHANNEL_BIG && game->talkers > 1)
		return channel_cannot(game, "pipe", "mixes large messages of two talkers");
	for (unsigned i = 0; i < channel_count(game); i++) {
		if (pipe2(game->descriptors[i], O_CLOEXEC | (game->sleeps ? 0 : O_NONBLOCK)) != 0)
			return channel_cannot_errno(game, "pipe");
		/* several of the large ones, where that is allowed */
		fcntl(game->descriptors[i][0], F_SETPIPE_SZ, (int)channel_room(game));
	}
	return true;
}

static void both_close(struct channel_game *game)
{
	for (unsigned i = 0; i < channel_count(game); i++)
		for (int side = 0; side < 2; side++)
			if (game->descriptors[i][side] > 0)
				close(game->descriptors[i][side]);
}

static bool pipe_join(struct channel_game *game)
{
	static struct pipe_end end;

	end = (struct pipe_end){ game, game->descriptors[channel_out(game)][1],
		                 game->descriptors[channel_in(game)][0] };
	game->ends = &end;
	return true;
}

#define SIDE       pipe
#define SIDE_MANY  1
#define SIDE_PLACE 0
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

/* ---- sequenced packets -------------------------------------------------------------- */

struct socket_end {
	const struct channel_game *game;
	int out, in, flags;
	struct mmsghdr messages[CHANNEL_BATCH];
	struct iovec parts[CHANNEL_BATCH];
};

static int socket_put(struct socket_end *end, const void *data, size_t size)
{
	while (send(end->out, data, size, end->flags) != (ssize_t)size)
		if (!once_more(end->game))
			return -1;
	return 0;
}

static int socket_take(struct socket_end *end, void *data, size_t size)
{
	ssize_t done;

	while ((done = recv(end->in, data, size, end->flags)) < 0)
		if (!once_more(end->game))
			return -1;
	return done != (ssize_t)size;
}

static void socket_point(struct socket_end *end, const struct channel_packet *packets,
                         unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		/* sendmmsg(2) does not write there */
		end->parts[i].iov_base = (void *)(uintptr_t)&packets[i];
		end->parts[i].iov_len = sizeof *packets;
		end->messages[i].msg_hdr.msg_iov = &end->parts[i];
		end->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static int socket_put_many(struct socket_end *end, const struct channel_packet *packets,
                           unsigned count)
{
	socket_point(end, packets, count);
	for (unsigned sent = 0; sent < count;) {
		int done = sendmmsg(end->out, end->messages + sent, count - sent,
		                    (many_flags)end->flags);

		if (done >= 0)
			sent += (unsigned)done;
		else if (!once_more(end->game))
			return -1;
	}
	return 0;
}

static int socket_take_many(struct socket_end *end, struct channel_packet *packets, unsigned most)
{
	int done;

	socket_point(end, packets, most);
	while ((done = recvmmsg(end->in, end->messages, most,
	                        (many_flags)(end->flags | MSG_WAITFORONE), NULL)) < 0)
		if (!once_more(end->game))
			return -1;
	return done;
}

static bool socket_make(struct channel_game *game)
{
	const int room = 1 << 20; /* with what the kernel counts for each packet */

	for (unsigned i = 0; i < channel_count(game); i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, game->descriptors[i]) !=
		    0)
			return channel_cannot_errno(game, "socketpair");
		setsockopt(game->descriptors[i][1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	}
	return true;
}

static bool socket_join(struct channel_game *game)
{
	static struct socket_end end;

	memset(&end, 0, sizeof end);
	end.game = game;
	end.out = game->descriptors[channel_out(game)][1];
	end.in = game->descriptors[channel_in(game)][0];
	end.flags = game->sleeps ? 0 : MSG_DONTWAIT;
	game->ends = &end;
	return true;
}

#define SIDE       socket
#define SIDE_MANY  1
#define SIDE_PLACE 0
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

/* ---- POSIX message queue ------------------------------------------------------------ */

struct mq_end {
	const struct channel_game *game;
	mqd_t out, in;
};

static int mq_put(struct mq_end *end, const void *data, size_t size)
{
	while (mq_send(end->out, data, size, 0) != 0)
		if (!once_more(end->game))
			return -1;
	return 0;
}

static int mq_take(struct mq_end *end, void *data, size_t size)
{
	ssize_t done;

	while ((done = mq_receive(end->in, data, size, NULL)) < 0)
		if (!once_more(end->game))
			return -1;
	return done != (ssize_t)size;
}

static bool mq_make(struct channel_game *game)
{
	struct mq_attr attributes = {
		.mq_maxmsg = game->measure == CHANNEL_BIG ? CHANNEL_LARGE_SLOTS : CHANNEL_SLOTS,
		.mq_msgsize = (long)channel_size(game),
	};
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | (game->sleeps ? 0 : O_NONBLOCK);
	char name[64];

	setrlimit(RLIMIT_MSGQUEUE, &all);
	for (unsigned i = 0; i < channel_count(game); i++) {
		snprintf(name, sizeof name, "/madang-bench-%ld-%u-%u", (long)getpid(), game->number,
		         i);
		game->descriptors[i][0] = (int)mq_open(name, flags, 0600, &attributes);
		if (game->descriptors[i][0] < 0 && game->measure != CHANNEL_BIG) {
			attributes.mq_maxmsg = 10; /* what everybody is allowed */
			game->descriptors[i][0] = (int)mq_open(name, flags, 0600, &attributes);
		}
		if (game->descriptors[i][0] < 0)
			return channel_cannot_errno(game, "mq_open");
		mq_unlink(name);
	}
	return true;
}

static bool mq_join(struct channel_game *game)
{
	static struct mq_end end;

	end = (struct mq_end){ game, game->descriptors[channel_out(game)][0],
		               game->descriptors[channel_in(game)][0] };
	game->ends = &end;
	return true;
}

#define SIDE       mq
#define SIDE_MANY  0
#define SIDE_PLACE 0
#define SIDE_LARGE 1
#include "bench/channel/blocks.h"

/* ---- System V message queue --------------------------------------------------------- */

/* Its messages begin with a number of their kind. */
struct sysv_message {
	long kind;
	char text[CHANNEL_SMALL];
};

struct sysv_end {
	const struct channel_game *game;
	int out, in, flags;
};

static int sysv_put(struct sysv_end *end, const void *data, size_t size)
{
	struct sysv_message message;

	message.kind = 1;
	memcpy(message.text, data, size);
	while (msgsnd(end->out, &message, size, end->flags) != 0)
		if (!once_more(end->game))
			return -1;
	return 0;
}

static int sysv_take(struct sysv_end *end, void *data, size_t size)
{
	struct sysv_message message;
	ssize_t done;

	while ((done = msgrcv(end->in, &message, size, 0, end->flags)) < 0)
		if (!once_more(end->game))
			return -1;
	memcpy(data, message.text, size);
	return done != (ssize_t)size;
}

static bool sysv_make(struct channel_game *game)
{
	struct msqid_ds about;

	for (unsigned i = 0; i < channel_count(game); i++) {
		game->descriptors[i][0] = msgget(IPC_PRIVATE, 0600);
		if (game->descriptors[i][0] < 0)
			return channel_cannot_errno(game, "msgget");
		game->descriptors[i][1] = 1; /* it is there */
		if (msgctl(game->descriptors[i][0], IPC_STAT, &about) == 0) {
			about.msg_qbytes = channel_room(game); /* where that is allowed */
			msgctl(game->descriptors[i][0], IPC_SET, &about);
		}
	}
	return true;
}

static void sysv_unmake(struct channel_game *game)
{
	for (unsigned i = 0; i < channel_count(game); i++)
		if (game->descriptors[i][1] == 1)
			msgctl(game->descriptors[i][0], IPC_RMID, NULL);
}

static bool sysv_join(struct channel_game *game)
{
	static struct sysv_end end;

	end = (struct sysv_end){ game, game->descriptors[channel_out(game)][0],
		                 game->descriptors[channel_in(game)][0],
		                 game->sleeps ? 0 : IPC_NOWAIT };
	game->ends = &end;
	return true;
}

#define SIDE       sysv
#define SIDE_MANY  0
#define SIDE_PLACE 0
#define SIDE_LARGE 0
#include "bench/channel/blocks.h"

/* ---- all ---------------------------------------------------------------------------- */

void channel_kernel_fill(struct channel_side side[CHANNEL_SIDES])
{
	struct channel_side usual = {
		.spins = true, .sleeps = true, .talkers = true, .unmake = both_close
	};

	side[CHANNEL_PIPE] = side[CHANNEL_SEQPACKET] = usual;
	side[CHANNEL_MQ] = side[CHANNEL_SYSV] = usual;
	side[CHANNEL_PIPE].name = "pipe";
	side[CHANNEL_PIPE].make = pipe_make;
	side[CHANNEL_PIPE].join = pipe_join;
	pipe_set_plays(&side[CHANNEL_PIPE]);
	side[CHANNEL_SEQPACKET].name = "seqpacket";
	side[CHANNEL_SEQPACKET].make = socket_make;
	side[CHANNEL_SEQPACKET].join = socket_join;
	socket_set_plays(&side[CHANNEL_SEQPACKET]);
	side[CHANNEL_MQ].name = "mq";
	side[CHANNEL_MQ].make = mq_make;
	side[CHANNEL_MQ].join = mq_join;
	mq_set_plays(&side[CHANNEL_MQ]);
	side[CHANNEL_SYSV].name = "msg";
	side[CHANNEL_SYSV].make = sysv_make;
	side[CHANNEL_SYSV].unmake = sysv_unmake;
	side[CHANNEL_SYSV].join = sysv_join;
	sysv_set_plays(&side[CHANNEL_SYSV]);
}
