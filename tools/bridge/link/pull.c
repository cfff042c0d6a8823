/* SPDX-License-Identifier: MIT */
/*
 * pull.c - takes packs of a queue from the server, which gives each to one host that asks.
 *
 * All hosts ask one consumer, which outlives them. A host asks for one pack at a time, when it can
 * use one. store_wake ends the wait by ending the subscription: then store_share makes a new one.
 */
#include <errno.h>
#include <stdio.h>

#include "link/retire.h"
#include "link/store.h"
#include "pump/pump.h"

enum { PENDING_OF_ALL = 4096 };
#define MS_NS INT64_C(1000000)

static jsCtx *js_of(const struct store *store)
{
	return store->pump->bridge->link->js;
}

static natsStatus make_consumer(struct store *store)
{
	jsConsumerConfig config;
	jsErrCode code = 0;

	(void)jsConsumerConfig_Init(&config);
	config.Durable = store->durable;
	config.AckPolicy = js_AckExplicit;
	config.AckWait = PULL_ACK_MS * MS_NS;
	config.MaxAckPending = PENDING_OF_ALL;
	config.MaxDeliver = -1;
	config.DeliverPolicy = js_DeliverAll;
	return js_AddConsumer(NULL, js_of(store), store->name, &config, NULL, &code);
}

static void put_subscription(struct store *store, natsSubscription *subscription)
{
	natsSubscription *old;

	(void)pthread_mutex_lock(&store->pump->lock);
	old = store->subscription;
	store->subscription = subscription;
	(void)pthread_mutex_unlock(&store->pump->lock);
	subscription_retire(old);
}

int store_share(struct store *store)
{
	natsSubscription *subscription = NULL;
	jsSubOptions options;
	jsErrCode code = 0;
	natsStatus s;

	(void)snprintf(store->durable, sizeof store->durable, "in");
	s = make_consumer(store);
	(void)jsSubOptions_Init(&options);
	options.Stream = store->name;
	options.Consumer = store->durable;
	if (s == NATS_OK)
		s = js_PullSubscribe(&subscription, js_of(store), store->subjects, store->durable,
		                     NULL, &options, &code);
	if (s == NATS_OK) {
		put_subscription(store, subscription);
		return pump_stopping(store->pump) ? -EINTR : 0;
	}
	pump_state(store->pump, BRIDGE_HELD, link_words(s));
	return pump_stopping(store->pump) ? -EINTR : PUMP_AGAIN;
}

static int describe(struct store *store, natsMsg *message, struct pulled *ret)
{
	jsMsgMetaData *data = NULL;

	if (natsMsg_GetMetaData(&data, message) != NATS_OK)
		return -1;
	ret->sequence = data->Sequence.Stream;
	ret->given = data->NumDelivered;
	store->pending = data->NumPending;
	jsMsgMetaData_Destroy(data);
	return 0;
}

int store_pull(struct store *store, struct pulled *ret, int64_t wait_ms)
{
	natsMsgList list = { NULL, 0 };
	jsFetchRequest request;
	natsStatus s;
	int rc;

	(void)jsFetchRequest_Init(&request);
	request.Batch = 1;
	request.NoWait = wait_ms == 0;
	request.Expires = (wait_ms == 0 ? 1000 : wait_ms) * MS_NS;
	s = natsSubscription_FetchRequest(&list, store->subscription, &request);
	if (pump_stopping(store->pump))
		rc = -EINTR;
	else if (s == NATS_OK && list.Count == 1)
		rc = describe(store, list.Msgs[0], ret) == 0 ? 1 : 0;
	else
		rc = s == NATS_TIMEOUT || s == NATS_NOT_FOUND ? 0 : PULL_ENDED;
	if (rc == 1) {
		ret->message = list.Msgs[0];
		list.Msgs[0] = NULL;
	}
	natsMsgList_Destroy(&list);
	return rc;
}

void store_tell(struct store *store, natsMsg *message, const char *word)
{
	(void)natsConnection_PublishString(store->pump->bridge->link->connection,
	                                   natsMsg_GetReply(message), word);
}
