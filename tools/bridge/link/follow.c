/* SPDX-License-Identifier: MIT */
/*
 * follow.c - takes packs from the stream of a channel, as the server pushes them.
 *
 * Each time, the consumer is made anew. So its deliveries are numbered from 1, and a delivery that
 * was lost, with a connection for example, is seen as a gap at the next one: then the pump starts
 * afresh. Without gaps the packs come in the order of the stream, and what comes twice comes later.
 * The server has no more than a few packs on their way, so memory is bounded. The keeper ends the
 * wait (store_wake) when the connection was made again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "link/retire.h"
#include "link/store.h"
#include "pump/pump.h"
#include "watch/elsewhere.h"

enum { LOOK_MS = 100, CHANNEL_ROOM = 80 };
enum { BEAT_MS_OF_CONSUMER = 10000, WAIT_MS = 3600 * 1000 };
#define MS_NS   INT64_C(1000000)
#define HOUR_NS (INT64_C(3600) * 1000 * MS_NS)

static jsCtx *js_of(const struct store *store)
{
	return store->pump->bridge->link->js;
}

/* The channel here, as the consumer's description says for which one it was made. */
static void describe_channel(const struct store *store, char ret[CHANNEL_ROOM])
{
	const struct mdg_channel_info *info = &store->pump->info;

	(void)snprintf(ret, CHANNEL_ROOM, "%016" PRIx64 "%016" PRIx64 ".%" PRIu64,
	               info->identity[0], info->identity[1], info->epoch);
}

static bool is_ours(const struct store *store, const jsConsumerInfo *info)
{
	const char *inboxes = store->pump->bridge->link->inboxes;
	const char *to = info->Config ? info->Config->DeliverSubject : NULL;
	size_t length = strlen(inboxes);

	return to && strncmp(to, inboxes, length) == 0 && to[length] == '.';
}

/* Looks at the consumer that is there. What it has delivered may come again: our channel's table
 * knows what came here, but not what another channel had. False: another host still waits for
 * deliveries, and this is not the last look. */
static bool look_before(struct store *store, bool at_last)
{
	jsConsumerInfo *info = NULL;
	char channel[CHANNEL_ROOM];
	jsErrCode code = 0;
	natsStatus s =
		js_GetConsumerInfo(&info, js_of(store), store->name, store->durable, NULL, &code);
	bool free = true;

	if (s != NATS_OK)
		return true;
	describe_channel(store, channel);
	if (!is_ours(store, info) && info->PushBound)
		free = at_last;
	if (!info->Config || !info->Config->Description ||
	    strcmp(info->Config->Description, channel) != 0)
		store->before = info->Delivered.Stream + (info->PushBound ? STORE_PENDING : 0);
	jsConsumerInfo_Destroy(info);
	return free;
}

/* A stream's packs go to one host. If another host takes them, its heartbeat comes soon, and the
 * keeper ends this pump. If none comes for as long as a host is remembered, that one is cut off. */
static int await_other(struct store *store)
{
	int64_t until = bridge_now() + BEAT_LOST_MS;

	while (!look_before(store, bridge_now() >= until)) {
		pump_state(store->pump, BRIDGE_HELD, "another host takes this stream");
		pump_sleep(store->pump, LOOK_MS);
		if (pump_stopping(store->pump))
			return -EINTR;
	}
	return 0;
}

static natsStatus make_consumer(struct store *store, uint64_t start)
{
	char inbox[2 * SUBJECT_ROOM], channel[CHANNEL_ROOM];
	jsConsumerConfig config;
	jsErrCode code = 0;

	(void)snprintf(inbox, sizeof inbox, "%s.%s.%s", store->pump->bridge->link->inboxes,
	               store->pump->bridge->instance, store->pump->token);
	(void)jsConsumerConfig_Init(&config);
	config.Durable = store->durable;
	config.DeliverSubject = inbox;
	describe_channel(store, channel);
	config.Description = channel;
	config.AckPolicy = js_AckExplicit;
	config.AckWait = HOUR_NS; /* a dead host's consumer is removed by who comes next */
	config.MaxAckPending = STORE_PENDING;
	config.MaxDeliver = -1;
	config.Heartbeat = BEAT_MS_OF_CONSUMER * MS_NS;
	config.DeliverPolicy = js_DeliverAll;
	(void)js_DeleteConsumer(js_of(store), store->name, store->durable, NULL, &code);
	if (start > 0) {
		config.DeliverPolicy = js_DeliverByStartSequence;
		config.OptStartSeq = start;
	}
	return js_AddConsumer(NULL, js_of(store), store->name, &config, NULL, &code);
}

static natsStatus subscribe(struct store *store)
{
	natsSubscription *subscription = NULL;
	jsSubOptions options;
	jsErrCode code = 0;
	natsStatus s;

	(void)jsSubOptions_Init(&options);
	options.Stream = store->name;
	options.Consumer = store->durable;
	options.ManualAck = true;
	s = js_SubscribeSync(&subscription, js_of(store), store->subjects, NULL, &options, &code);
	(void)pthread_mutex_lock(&store->pump->lock);
	store->subscription = subscription;
	(void)pthread_mutex_unlock(&store->pump->lock);
	return s;
}

int store_follow(struct store *store, const char *durable, uint64_t start)
{
	natsStatus s;

	(void)snprintf(store->durable, sizeof store->durable, "%s", durable);
	store->delivered = store->before = 0;
	if (store->shape.work && await_other(store) != 0)
		return -EINTR;
	s = make_consumer(store, start);
	if (s == NATS_OK)
		s = subscribe(store);
	if (s == NATS_OK) {
		pump_state(store->pump, BRIDGE_MOVING, "");
		return 0;
	}
	pump_state(store->pump, BRIDGE_HELD, link_words(s));
	return pump_stopping(store->pump) ? -EINTR : PUMP_AGAIN;
}

/* The next delivery, and nothing has been lost before it. */
static bool in_order(struct store *store, natsMsg *message, uint64_t *ret_sequence)
{
	jsMsgMetaData *data = NULL;
	bool ok;

	if (natsMsg_GetMetaData(&data, message) != NATS_OK)
		return false;
	*ret_sequence = data->Sequence.Stream;
	store->pending = data->NumPending;
	store->again =
		store->shape.work && (*ret_sequence <= store->before || data->NumDelivered > 1);
	ok = data->Sequence.Consumer == ++store->delivered;
	jsMsgMetaData_Destroy(data);
	return ok;
}

int store_next(struct store *store, natsMsg **ret, uint64_t *ret_sequence, int64_t wait_ms)
{
	natsMsg *message = NULL;
	natsStatus s;

	do
		s = natsSubscription_NextMsg(&message, store->subscription,
		                             wait_ms < 0 ? WAIT_MS : wait_ms);
	while (s == NATS_TIMEOUT && wait_ms < 0 && !pump_stopping(store->pump));
	if (pump_stopping(store->pump)) {
		natsMsg_Destroy(message);
		return -EINTR;
	}
	if (s == NATS_TIMEOUT)
		return -EAGAIN;
	if (s == NATS_OK && in_order(store, message, ret_sequence)) {
		*ret = message;
		return 0;
	}
	log_event(LOG_DEBUG, "follow-again", "channel=\"%s\" why=\"%s\"", store->pump->channel,
	          s == NATS_OK ? "a delivery is missing" : link_words(s));
	natsMsg_Destroy(message);
	return PUMP_AGAIN;
}

bool store_has_more(const struct store *store)
{
	int here = 0;

	(void)natsSubscription_GetPending(store->subscription, &here, NULL);
	return here > 0 || store->pending > 0;
}

void store_wake(struct pump *pump)
{
	struct store *store;

	(void)pthread_mutex_lock(&pump->lock);
	store = pump->own;
	if (store && store->subscription)
		(void)natsSubscription_Unsubscribe(store->subscription);
	(void)pthread_mutex_unlock(&pump->lock);
}

void store_close(struct store *store)
{
	natsSubscription *subscription;

	if (!store->pump)
		return;
	(void)pthread_mutex_lock(&store->pump->lock);
	subscription = store->subscription;
	store->subscription = NULL;
	store->pump->own = NULL;
	(void)pthread_mutex_unlock(&store->pump->lock);
	subscription_retire(subscription);
}
