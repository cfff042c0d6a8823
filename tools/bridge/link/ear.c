/* SPDX-License-Identifier: MIT */
/*
 * ear.c - takes messages of a subscription, until it is closed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "link/ear.h"
#include "link/retire.h"

struct ear {
	pthread_mutex_t lock;                          /* of `take`; held while it runs */
	void (*take)(void *context, natsMsg *message); /* NULL: it is closed */
	void *context;
	natsSubscription *subscription; /* of who opened it */
	atomic_int holders;             /* who opened it, and the thread of libnats */
};

static void let_go(struct ear *ear)
{
	if (atomic_fetch_sub(&ear->holders, 1) > 1)
		return;
	(void)pthread_mutex_destroy(&ear->lock);
	free(ear);
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *closure)
{
	struct ear *ear = closure;

	(void)connection;
	(void)subscription;
	(void)pthread_mutex_lock(&ear->lock);
	if (ear->take)
		ear->take(ear->context, message);
	(void)pthread_mutex_unlock(&ear->lock);
	natsMsg_Destroy(message);
}

static void on_end(void *closure)
{
	let_go(closure);
}

natsStatus ear_open(struct ear **ret, natsConnection *connection, const char *subject,
                    void (*take)(void *context, natsMsg *message), void *context)
{
	struct ear *ear = calloc(1, sizeof *ear);
	natsStatus s;

	if (!ear)
		return NATS_NO_MEMORY;
	(void)pthread_mutex_init(&ear->lock, NULL);
	ear->take = take;
	ear->context = context;
	atomic_store(&ear->holders, 2);
	s = natsConnection_Subscribe(&ear->subscription, connection, subject, on_message, ear);
	if (s != NATS_OK) {
		/* Whether libnats had begun a thread is not known. Some bytes are the price. */
		ear->subscription = NULL;
		ear_close(ear);
		return s;
	}
	/* It fails if the connection was closed meanwhile. Then nobody says when the thread ends,
	 * and the ear is never freed. */
	(void)natsSubscription_SetOnCompleteCB(ear->subscription, on_end, ear);
	*ret = ear;
	return NATS_OK;
}

void ear_close(struct ear *ear)
{
	natsSubscription *subscription;

	if (!ear)
		return;
	(void)pthread_mutex_lock(&ear->lock);
	ear->take = NULL;
	(void)pthread_mutex_unlock(&ear->lock);
	subscription = ear->subscription;
	let_go(ear);
	subscription_retire(subscription);
}
