/* SPDX-License-Identifier: MIT */
/*
 * retire.c - ends subscriptions, and destroys them when no thread of libnats can have them.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "bridge.h"
#include "link/retire.h"

enum { KEPT_MS = 5000 }; /* the reading thread needs some instructions */

struct retired {
	struct retired *next; /* the one before it in time */
	natsSubscription *subscription;
	int64_t since;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct retired *latest;

/* Cuts off those that were retired before a moment. */
static struct retired *take_before(int64_t moment)
{
	struct retired **at = &latest, *old;

	while (*at && (*at)->since >= moment)
		at = &(*at)->next;
	old = *at;
	*at = NULL;
	return old;
}

static void destroy(struct retired *old)
{
	while (old) {
		struct retired *next = old->next;

		natsSubscription_Destroy(old->subscription);
		free(old);
		old = next;
	}
}

void subscription_retire(natsSubscription *subscription)
{
	struct retired *one = subscription ? malloc(sizeof *one) : NULL, *old;

	if (!subscription)
		return;
	/* It may have ended by itself. */
	(void)natsSubscription_Unsubscribe(subscription);
	(void)pthread_mutex_lock(&lock);
	old = take_before(bridge_now() - KEPT_MS);
	if (one) { /* else it is never destroyed, which is better than too early */
		*one = (struct retired){ latest, subscription, bridge_now() };
		latest = one;
	}
	(void)pthread_mutex_unlock(&lock);
	destroy(old);
}

void subscriptions_free(void)
{
	struct retired *all;

	(void)pthread_mutex_lock(&lock);
	all = latest;
	latest = NULL;
	(void)pthread_mutex_unlock(&lock);
	destroy(all);
}
