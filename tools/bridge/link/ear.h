/* SPDX-License-Identifier: MIT */
/*
 * ear.h - a subscription whose messages a function takes, and that ends safely at any moment.
 *
 * libnats calls back from a thread of its own, and joins it nowhere: also after the connection is
 * closed, a callback may be about to begin. So what libnats has is the ear, and not what the
 * messages are for. ear_close waits for a call of the function that runs, and none comes after it.
 * The ear itself is freed when libnats says that its thread has ended.
 */
#ifndef BRIDGE_LINK_EAR_H
#define BRIDGE_LINK_EAR_H

#include <nats/nats.h>

struct ear;

/* `take` does not destroy the message. It is called from one thread, and must not close the ear. */
natsStatus ear_open(struct ear **ret, natsConnection *connection, const char *subject,
                    void (*take)(void *context, natsMsg *message), void *context);
/* Before or after the connection is closed. NULL is allowed. */
void ear_close(struct ear *ear);

#endif
