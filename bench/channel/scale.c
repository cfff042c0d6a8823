/* SPDX-License-Identifier: MIT */
/*
 * scale.c - one queue through which many processes pass messages, beside one pipe.
 *
 * Each process receives as many messages as it has sent, whoever sent them. So nobody waits for
 * ever: while a process waits for a message, there is one on its way.
 */
#include "bench/channel/games.h"

#include <fcntl.h>
#include <madang/channel.h>
#include <madang/segment.h>
#include <stdio.h>
#include <unistd.h>

enum { PEERS = 128 };

/* ---- Madang's queue ------------------------------------------------------------------------ */

struct queue {
	char name[32];
	mdg_namespace *ns;
	mdg_channel *out, *in;
};

static bool queue_join(void *context)
{
	const struct mdg_channel_options options = {
		.size = sizeof options,
		.kind = MDG_QUEUE,
		.capacity = (uint64_t)CHANNEL_SMALL * CHANNEL_SLOTS,
		.peers = PEERS,
	};
	struct queue *queue = context;

	return mdg_namespace_open(&queue->ns, NULL, NULL) == 0 &&
	       mdg_channel_open(&queue->in, queue->ns, queue->name, MDG_LISTENER, &options) == 0 &&
	       mdg_channel_open(&queue->out, queue->ns, queue->name, MDG_TALKER, &options) == 0;
}

static bool queue_work(void *context, unsigned n)
{
	const struct queue *queue = context;
	CHANNEL_ALIGNED struct channel_packet packet = { .number = 0 };
	bool good = true;

	for (; n > 0 && good; n--)
		good = mdg_channel_send(queue->out, &packet, sizeof packet, MDG_FOREVER) == 0 &&
		       mdg_channel_recv(queue->in, &packet, sizeof packet, NULL, MDG_FOREVER) ==
		               (int)sizeof packet;
	return good;
}

static void queue_leave(void *context)
{
	struct queue *queue = context;

	mdg_channel_close(queue->out);
	mdg_channel_close(queue->in);
	mdg_namespace_close(queue->ns);
}

static void queue_remove(const struct queue *queue)
{
	mdg_namespace *ns;

	if (mdg_namespace_open(&ns, NULL, NULL) != 0)
		return;
	mdg_channel_remove(ns, queue->name);
	mdg_namespace_close(ns);
}

/* ---- the pipe ------------------------------------------------------------------------------ */

static bool pipe_work(void *context, unsigned n)
{
	const int *ends = context;
	struct channel_packet packet = { .number = 0 };
	bool good = true;

	for (; n > 0 && good; n--)
		good = write(ends[1], &packet, sizeof packet) == (ssize_t)sizeof packet &&
		       read(ends[0], &packet, sizeof packet) == (ssize_t)sizeof packet;
	return good;
}

void channel_scale_measure(const struct settings *settings, struct scale_result *ret_result)
{
	struct queue queue = { .name = "bench-scale" };
	int ends[2] = { -1, -1 };
	struct scale_call call = {
		.name = "64 bytes, send + receive",
		.side = { { queue_join, queue_work, queue_leave, &queue },
		          { NULL, pipe_work, NULL, ends } },
	};

	*ret_result = (struct scale_result){
		.section = "channel_scale",
		.title = "One queue, one pipe",
		.side = { "madang", "pipe" },
	};
	if (pipe2(ends, O_CLOEXEC) != 0)
		call.side[1].work = NULL;
	scale_measure(settings, &call, ret_result);
	queue_remove(&queue);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}
