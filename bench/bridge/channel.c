/* SPDX-License-Identifier: MIT */
/*
 * channel.c - the bridged sides: a talker in one namespace, a listener in another, and between them
 * a ring, a bridge, the server, a bridge, and a ring.
 */
#include "bench/bridge/bridge.h"

#include <errno.h>
#include <madang/channel.h>
#include <madang/segment.h>
#include <stdlib.h>

struct end {
	mdg_namespace *ns;
	mdg_channel *channel;
};

static void channel_leave(void *context)
{
	struct end *end = context;

	if (end == NULL)
		return;
	mdg_channel_close(end->channel);
	mdg_namespace_close(end->ns);
	free(end);
}

static void *channel_join(bool talker, const char *name, uint32_t kind)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = kind,
		                               .capacity = 4u << 20 };
	struct end *end = bench_alloc(sizeof *end);
	int rc = mdg_namespace_open(&end->ns, talker ? place.near_ns : place.far_ns, NULL);

	if (rc == 0)
		rc = mdg_channel_open(&end->channel, end->ns, name,
		                      talker ? MDG_TALKER : MDG_LISTENER, &options);
	if (rc == 0)
		return end;
	fprintf(stderr, "madang-bench-bridge: %s: %s\n", name, mdg_strerror(rc));
	channel_leave(end);
	return NULL;
}

static void *stream_join(bool talker)
{
	return channel_join(talker, "bench.stream", MDG_STREAM);
}

static void *topic_join(bool talker)
{
	return channel_join(talker, "bench.topic", MDG_TOPIC);
}

static void *call_join(bool talker)
{
	return channel_join(talker, "bench.call", MDG_CALL);
}

/* The messages want a `void *`. NOLINTNEXTLINE(readability-non-const-parameter) */
static int channel_put(void *context, char *data, size_t size, unsigned count)
{
	struct end *end = context;
	struct mdg_message messages[BATCH];
	unsigned done = 0;

	for (unsigned i = 0; i < count; i++)
		messages[i] = (struct mdg_message){ .data = data + i * size, .size = size };
	while (done < count) {
		int rc = mdg_channel_send_many(end->channel, messages + done, count - done,
		                               mdg_deadline(20000000000));

		if (rc < 0)
			return rc;
		done += (unsigned)rc;
	}
	return (int)count;
}

/* The library fills it. NOLINTNEXTLINE(readability-non-const-parameter) */
static int channel_take(void *context, char *data, size_t size, unsigned most, int ms)
{
	struct end *end = context;
	struct mdg_message messages[BATCH];
	int rc;

	for (unsigned i = 0; i < most; i++)
		messages[i] = (struct mdg_message){ .data = data + i * size, .size = size };
	rc = mdg_channel_recv_many(end->channel, messages, most,
	                           mdg_deadline((uint64_t)ms * 1000000));
	return rc == -ETIMEDOUT || rc == -EAGAIN ? 0 : rc;
}

static int channel_ask(void *context, char *data, size_t size)
{
	struct end *end = context;
	int rc = mdg_channel_call(end->channel, data, size, data, size, NULL,
	                          mdg_deadline(2000000000));

	return rc < 0 ? rc : 0;
}

static int channel_answer(void *context, int ms)
{
	struct end *end = context;
	struct mdg_message request;
	int rc = mdg_channel_peek(end->channel, &request, mdg_deadline((uint64_t)ms * 1000000));

	if (rc == -ETIMEDOUT || rc == -EAGAIN)
		return 0;
	if (rc == 0)
		rc = mdg_channel_send(end->channel, request.data, request.size, MDG_FOREVER);
	return rc < 0 && rc != -ECANCELED && rc != MDG_PEER_DIED ? rc : 1;
}

const struct side side_stream = {
	.name = "stream",
	.what = "bridged stream",
	.bridged = true,
	.join = stream_join,
	.put = channel_put,
	.take = channel_take,
	.leave = channel_leave,
};
const struct side side_topic = {
	.name = "topic",
	.what = "bridged topic",
	.bridged = true,
	.join = topic_join,
	.put = channel_put,
	.take = channel_take,
	.leave = channel_leave,
};
const struct side side_call = {
	.name = "call",
	.what = "bridged call",
	.bridged = true,
	.join = call_join,
	.ask = channel_ask,
	.answer = channel_answer,
	.leave = channel_leave,
};
