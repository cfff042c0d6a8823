/* SPDX-License-Identifier: MIT */
/*
 * carry.h - what the pumps of streams, queues and topics have in common: a handle of the channel, a
 * stream of the server, and one pack between the two.
 *
 * Codes: 0 or a count; -EINTR: the pump is stopped; PUMP_AGAIN; or a code of the library.
 */
#ifndef BRIDGE_PUMP_CARRY_H
#define BRIDGE_PUMP_CARRY_H

#include "link/store.h"
#include "pack/pack.h"

struct pump;

struct carry {
	struct pump *pump;
	mdg_channel *channel;
	struct store store;
	struct mdg_origin origin; /* of messages that are sent here */
	struct mdg_message *messages;
	unsigned char *bytes;
	size_t room;
	/* in */
	struct pack *pack;
	natsMsg *message;
	uint64_t sequence; /* of it in the stream */
	uint64_t seen;     /* of a topic: all up to here came, or was missed; 0: not known */
	uint64_t missed;   /* of a topic: packs that should have come before this one */
	uint64_t patience; /* ns without room, then `meanwhile`; 0: usual */
	int (*meanwhile)(struct carry *carry); /* while there is no room; may be NULL. 0: go on */
};

/* A message can never cross, because it is larger than `limit`: the log says so, with the advice,
 * and it is counted. The caller leaves it out, and goes on as if it had crossed. */
void carry_drop(struct carry *carry, uint64_t number, size_t size, uint64_t limit,
                const char *advice);
/* Says that all before `next` of this origin was taken, in the channel's memory. Where that has no
 * place, the origin that was silent longest is forgotten. 0; -EINVAL: it would go back; a code. */
int carry_commit(struct carry *carry, const struct mdg_origin *origin, uint64_t next);

/* Opens the stream and enters the channel: both of what follows. `from` and `number` are of a
 * topic's listener. */
int carry_open(struct carry *ret, struct pump *pump, unsigned role, const struct store_shape *shape,
               uint32_t from, uint64_t number);
/* Opens the stream only. */
int carry_begin(struct carry *ret, struct pump *pump, unsigned role,
                const struct store_shape *shape);
/* Enters the channel. PUMP_AGAIN: a program has the place. */
int carry_enter(struct carry *carry, unsigned role, uint32_t from, uint64_t number);
void carry_leave(struct carry *carry);
void carry_close(struct carry *carry);

/* ---- out ---- */

/* Peeks at up to `most`; waits for the first. Returns how many; they are in `messages`. */
int carry_peek(struct carry *carry, unsigned most);
/* How many of these go into one pack. 0: the server does not take the first: carry_drop_first. */
unsigned carry_fits(const struct carry *carry, const struct mdg_message *messages, unsigned count);
/* Drops a message that does not fit. */
void carry_drop_first(struct carry *carry, const struct mdg_message *message);
/* Sends these as one pack, and returns when the server has it. They were first sent at `origin`.
 * The pack's id is that of the numbers `first` to `last` here. store.last is then its place. */
int carry_publish(struct carry *carry, const struct mdg_origin *origin,
                  const struct mdg_message *messages, unsigned count, uint64_t first,
                  uint64_t last);
/* Sends the first `count` of `messages`, in as few packs as may be, and returns when the server has
 * all of them. What is too large is dropped. `before` (may be NULL) is called before each pack;
 * what it returns but 0 ends it. */
int carry_send(struct carry *carry, unsigned count, int (*before)(struct carry *carry));

/* ---- in ---- */

/* Takes the next pack and checks it. What is no pack is logged, and the server forgets it. As
 * store_next. */
int carry_next(struct carry *carry, int64_t wait_ms);
/* Puts all of the pack into the channel, and waits for room. What is too large for this channel is
 * dropped. */
int carry_put(struct carry *carry);
/* Acknowledges it to the server. */
int carry_done(struct carry *carry);

#endif
