/* SPDX-License-Identifier: MIT */
/*
 * queueaside.h - messages of a queue that are too large for the server, held by the pump that
 * carries out, so that those behind them can cross.
 */
#ifndef BRIDGE_PUMP_QUEUEASIDE_H
#define BRIDGE_PUMP_QUEUEASIDE_H

#include "pump/carry.h"

enum { ASIDE_MOST = 4, ASIDE_MS = 500 };

struct aside {
	struct carry *carry;
	struct {
		mdg_channel *channel; /* a handle that holds this message alone */
		uint64_t number;
		size_t size;
	} held[ASIDE_MOST]; /* the oldest is first */
	unsigned count;
	int64_t since; /* when the last was put aside */
	uint64_t said; /* the number after the last of which the log has been told */
};

/* The carry's handle holds that message and no other: it goes aside, and the carry gets a new
 * handle. 0 or a code of the library. */
int aside_put(struct aside *aside, const struct mdg_message *message);
/* While programs listen here, gives to them what is aside, now and then. */
void aside_share(struct aside *aside);
/* Nothing else is to be done at present: if what is aside keeps talkers from sending, the oldest is
 * dropped. 0 or a code of the library. */
int aside_make_room(struct aside *aside);
/* Gives all of it to whoever listens next. */
void aside_let_go(struct aside *aside);

#endif
