/* SPDX-License-Identifier: MIT */
/*
 * retire.h - ends subscriptions while messages for them may still arrive.
 *
 * libnats before 3.6 (its issue 637): the thread that reads from the connection finds the
 * subscription of a message, lets go of the list, and only then locks the subscription. If another
 * thread destroys the subscription in between, freed memory is used. So a subscription that ends
 * while the connection lives is unsubscribed at once, and destroyed seconds later.
 */
#ifndef BRIDGE_LINK_RETIRE_H
#define BRIDGE_LINK_RETIRE_H

#include <nats/nats.h>

/* Any thread. Nobody uses it any more. NULL is allowed. */
void subscription_retire(natsSubscription *subscription);
/* The connection is closed: destroys all that were retired. */
void subscriptions_free(void);

#endif
