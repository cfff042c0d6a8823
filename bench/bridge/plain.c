/* SPDX-License-Identifier: MIT */
/*
 * plain.c - the plain programs that the bridge is measured beside: NATS and JetStream by libnats.
 *
 * Each connection writes at once (SendAsap) instead of leaving that to libnats's thread, which is
 * what a program does that cares for latency; one side shows the default. The listener takes
 * messages from a synchronous subscription. The JetStream stream has what the bridge's has: file
 * storage, one replica, a work queue, a durable consumer that acknowledges each message.
 */
#include "bench/bridge/bridge.h"

#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUBJECT "bench.plain"
#define STREAM  "BENCH_PLAIN"

struct end {
	natsConnection *connection;
	natsSubscription *subscription;
	jsCtx *js;
};

/* ---- joining ------------------------------------------------------------- */

static struct end *connect_to_server(bool asap)
{
	struct end *end = bench_alloc(sizeof *end);
	natsOptions *options = NULL;
	natsStatus status = natsOptions_Create(&options);

	if (status == NATS_OK)
		status = natsOptions_SetURL(options, place.url);
	if (status == NATS_OK && asap)
		status = natsOptions_SetSendAsap(options, true);
	if (status == NATS_OK)
		status = natsConnection_Connect(&end->connection, options);
	natsOptions_Destroy(options);
	if (status == NATS_OK)
		return end;
	fprintf(stderr, "madang-bench-bridge: %s: %s\n", place.url, natsStatus_GetText(status));
	free(end);
	return NULL;
}

static void plain_leave(void *context)
{
	struct end *end = context;

	if (end == NULL)
		return;
	natsSubscription_Unsubscribe(end->subscription);
	natsSubscription_Destroy(end->subscription);
	jsCtx_Destroy(end->js);
	natsConnection_FlushTimeout(end->connection, 1000);
	natsConnection_Destroy(end->connection);
	free(end);
}

/* Never drops a message because the program is slow. */
static natsStatus listen_without_limits(struct end *end)
{
	natsStatus status = natsSubscription_SetPendingLimits(end->subscription, -1, -1);

	return status == NATS_OK ? natsConnection_Flush(end->connection) : status;
}

static void *core_join_as(bool talker, bool asap)
{
	struct end *end = connect_to_server(asap);

	if (end == NULL || talker)
		return end;
	if (natsConnection_SubscribeSync(&end->subscription, end->connection, SUBJECT) == NATS_OK &&
	    listen_without_limits(end) == NATS_OK)
		return end;
	plain_leave(end);
	return NULL;
}

static void *core_join(bool talker)
{
	return core_join_as(talker, true);
}

static void *core_lazy_join(bool talker)
{
	return core_join_as(talker, false);
}

/* The listener makes the stream anew, so that nothing is left in it from before. */
static natsStatus make_stream(struct end *end, bool listens)
{
	const char *subjects[] = { SUBJECT ".js" };
	jsStreamConfig config;
	jsErrCode code = 0;

	(void)js_DeleteStream(end->js, STREAM, NULL, &code);
	jsStreamConfig_Init(&config);
	config.Name = STREAM;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.Storage = js_FileStorage;
	config.Retention = listens ? js_WorkQueuePolicy : js_LimitsPolicy;
	config.MaxBytes = 256 << 20;
	return js_AddStream(NULL, end->js, &config, NULL, &code);
}

static natsStatus subscribe_to_stream(struct end *end)
{
	jsSubOptions options;
	jsErrCode code = 0;

	jsSubOptions_Init(&options);
	options.Stream = STREAM;
	options.ManualAck = true;
	options.Config.Durable = "in";
	options.Config.DeliverSubject = SUBJECT ".deliver";
	options.Config.AckPolicy = js_AckExplicit;
	options.Config.MaxAckPending = 65536;
	return js_SubscribeSync(&end->subscription, end->js, SUBJECT ".js", NULL, &options, &code);
}

static void *stream_join(bool talker, bool listens)
{
	struct end *end = connect_to_server(true);
	natsStatus status;
	jsOptions options;

	if (end == NULL)
		return NULL;
	jsOptions_Init(&options);
	options.PublishAsync.MaxPending = 4096;
	options.PublishAsync.StallWait = 10000;
	status = natsConnection_JetStream(&end->js, end->connection, &options);
	if (status == NATS_OK && !talker)
		status = make_stream(end, listens);
	if (status == NATS_OK && !talker && listens)
		status = subscribe_to_stream(end);
	if (status == NATS_OK && !talker && listens)
		status = listen_without_limits(end);
	if (status == NATS_OK)
		return end;
	fprintf(stderr, "madang-bench-bridge: JetStream: %s\n", natsStatus_GetText(status));
	plain_leave(end);
	return NULL;
}

static void *jetstream_join(bool talker)
{
	return stream_join(talker, true);
}

static void *alone_join(bool talker)
{
	return stream_join(talker, false);
}

/* ---- messages ------------------------------------------------------------ */

/* The server cuts off a client that it could not serve for long: not too far ahead. */
static void wait_for_listener(size_t size)
{
	struct timespec moment = { .tv_nsec = 50000 };
	uint64_t ahead = (8u << 20) / size;

	while (atomic_load(&trial_now->sent) > atomic_load(&trial_now->received) + ahead &&
	       !atomic_load(&trial_now->stop))
		nanosleep(&moment, NULL);
}

static int core_put(void *context, char *data, size_t size, unsigned count)
{
	struct end *end = context;

	wait_for_listener(size);
	for (unsigned i = 0; i < count; i++)
		if (natsConnection_Publish(end->connection, SUBJECT, data + i * size, (int)size) !=
		    NATS_OK)
			return -1;
	return (int)count;
}

static int core_finish(void *context)
{
	struct end *end = context;

	return natsConnection_Flush(end->connection) == NATS_OK ? 0 : -1;
}

static int js_put(void *context, char *data, size_t size, unsigned count)
{
	struct end *end = context;
	jsErrCode code = 0;

	for (unsigned i = 0; i < count; i++)
		if (js_Publish(NULL, end->js, SUBJECT ".js", data + i * size, (int)size, NULL,
		               &code) != NATS_OK)
			return -1;
	return (int)count;
}

static int async_put(void *context, char *data, size_t size, unsigned count)
{
	struct end *end = context;

	for (unsigned i = 0; i < count; i++)
		if (js_PublishAsync(end->js, SUBJECT ".js", data + i * size, (int)size, NULL) !=
		    NATS_OK)
			return -1;
	return (int)count;
}

static int async_finish(void *context)
{
	struct end *end = context;

	return js_PublishAsyncComplete(end->js, NULL) == NATS_OK ? 0 : -1;
}

static int take_messages(struct end *end, char *data, size_t size, unsigned most, int ms,
                         bool acknowledge)
{
	unsigned count = 0;

	while (count < most) {
		natsMsg *message = NULL;
		natsStatus status =
			natsSubscription_NextMsg(&message, end->subscription, count ? 0 : ms);

		if (status == NATS_TIMEOUT)
			break;
		if (status != NATS_OK || natsMsg_GetDataLength(message) != (int)size) {
			natsMsg_Destroy(message);
			return -1;
		}
		memcpy(data + count++ * size, natsMsg_GetData(message), size);
		if (acknowledge && natsMsg_Ack(message, NULL) != NATS_OK)
			return -1;
		natsMsg_Destroy(message);
	}
	return (int)count;
}

static int core_take(void *context, char *data, size_t size, unsigned most, int ms)
{
	return take_messages(context, data, size, most, ms, false);
}

static int js_take(void *context, char *data, size_t size, unsigned most, int ms)
{
	return take_messages(context, data, size, most, ms, true);
}

/* ---- there and back -------------------------------------------------------- */

static int service_ask(void *context, char *data, size_t size)
{
	struct end *end = context;
	natsMsg *reply = NULL;

	if (natsConnection_Request(&reply, end->connection, SUBJECT, data, (int)size, 2000) !=
	    NATS_OK)
		return -1;
	if (natsMsg_GetDataLength(reply) == (int)size)
		memcpy(data, natsMsg_GetData(reply), size);
	natsMsg_Destroy(reply);
	return 0;
}

static int service_answer(void *context, int ms)
{
	struct end *end = context;
	natsMsg *request = NULL;
	natsStatus status = natsSubscription_NextMsg(&request, end->subscription, ms);

	if (status == NATS_TIMEOUT)
		return 0;
	if (status == NATS_OK)
		status = natsConnection_Publish(end->connection, natsMsg_GetReply(request),
		                                natsMsg_GetData(request),
		                                natsMsg_GetDataLength(request));
	natsMsg_Destroy(request);
	return status == NATS_OK ? 1 : -1;
}

const struct side side_core = {
	.name = "nats",
	.what = "publish, subscribe",
	.join = core_join,
	.put = core_put,
	.take = core_take,
	.finish = core_finish,
	.leave = plain_leave,
};
const struct side side_core_lazy = {
	.name = "nats-default",
	.what = "the same; libnats decides when it writes",
	.join = core_lazy_join,
	.put = core_put,
	.take = core_take,
	.finish = core_finish,
	.leave = plain_leave,
};
const struct side side_jetstream = {
	.name = "jetstream",
	.what = "each acknowledged before the next; push consumer",
	.join = jetstream_join,
	.put = js_put,
	.take = js_take,
	.leave = plain_leave,
};
const struct side side_async = {
	.name = "jetstream-async",
	.what = "acknowledgements later; push consumer",
	.join = jetstream_join,
	.put = async_put,
	.take = js_take,
	.finish = async_finish,
	.leave = plain_leave,
};
const struct side side_alone = {
	.name = "jetstream-put",
	.what = "acknowledgements later; nobody listens",
	.join = alone_join,
	.put = async_put,
	.finish = async_finish,
	.leave = plain_leave,
};
const struct side side_service = {
	.name = "nats",
	.what = "request, reply",
	.join = core_join,
	.ask = service_ask,
	.answer = service_answer,
	.leave = plain_leave,
};
