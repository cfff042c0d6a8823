/* SPDX-License-Identifier: MIT */
/*
 * queue.h - what the two pumps of a queue share.
 */
#ifndef BRIDGE_PUMP_QUEUE_H
#define BRIDGE_PUMP_QUEUE_H

#include "pump/carry.h"

enum {
	QUEUE_PACK = 32,    /* messages of a pack, at most */
	QUEUE_BACKLOG = 256 /* messages that wait here: listeners here do not manage them */
};

extern const struct store_shape queue_shape;

/* One more listener's handle of the same channel. 0 or a code of the library. */
int queue_listen(const struct carry *carry, mdg_channel **ret);
/* Publishes messages that the handle holds. What a bridge has brought here goes on with its first
 * origin and number, and is marked: it may have been worked on. */
int queue_give(struct carry *carry, const struct mdg_message *messages, unsigned count);

#endif
