/* SPDX-License-Identifier: MIT */
/*
 * kind.h - what differs from kind to kind.
 *
 * A kind of channel is one file with one constant struct mdg__channel_kind, and its name in the
 * table MDG__KINDS. All other files ask the struct. The usual ways of sending and receiving do not
 * go through pointers: talk.c and listen.c do what a stream and a topic do themselves, inlined, and
 * come here for all else.
 *
 * An operation may be NULL where it says so.
 */
#ifndef MADANG_CHANNEL_KIND_H
#define MADANG_CHANNEL_KIND_H

#include "channel/handle.h"

/* For a kind whose messages need something before they go to the ring, or do not go there at all.
 * Each does what the public function of that name does. */
struct mdg__door {
	int (*send)(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline);
	int (*reserve)(struct mdg_channel *channel, size_t size, void **ret_data,
	               uint64_t deadline);
	int (*commit)(struct mdg_channel *channel, size_t size);
	int (*cancel)(struct mdg_channel *channel);
	int (*recv)(struct mdg_channel *channel, void *data, size_t room, struct mdg_message *ret,
	            uint64_t deadline);
	int (*peek)(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline);
	int (*release)(struct mdg_channel *channel);
};

struct mdg__channel_kind {
	uint32_t number; /* enum mdg_channel_kind */
	enum mdg__way way;
	bool may_overwrite;           /* MDG_FULL_OVERWRITE is allowed */
	bool has_boxes;               /* each seat has a box, and may wait for a reply */
	uint32_t in_front;            /* bytes that it puts in front of each message in the ring */
	uint32_t polls;               /* roles for which there is mdg_channel_fd */
	const struct mdg__door *door; /* or NULL */

	/* Coming: makes the handle ready, and ends with mdg__seat_show. 0 or a negative code. NULL:
	 * nothing is to be made ready. [seat lock] */
	int (*join)(struct mdg_channel *channel, uint32_t from);
	/* No seat is free: takes over one, with what it holds. False: there is none. Or NULL.
	 * [seat lock, take] */
	bool (*inherit)(struct mdg_channel *channel);
	/* A talker has left or died, and nothing is reserved any more. False: its seat may not be
	 * given away yet. Or NULL. [seat lock] */
	bool (*drop_talker)(struct mdg_channel *channel, uint32_t place);
	/* A listener has left or died. 0; 1: its seat is not free yet; -ETIMEDOUT, -EAGAIN: not
	 * done. NULL: its seat is free at once. [seat lock] */
	int (*drop_listener)(struct mdg_channel *channel, struct mdg__seat *seat, bool died,
	                     uint64_t deadline);
	/* Sets right what a listener had begun that died with take_lock. Or NULL. [take] */
	void (*repair)(struct mdg_channel *channel);

	/* The oldest position that is still needed. Asked by a talker that would like to write up
	 * to `need`; the kind may give up old messages for that. [talk] */
	uint64_t (*needed)(struct mdg_channel *channel, uint64_t need);

	/* Describes the next messages: how many, 0: there is none, or a negative code. Sets
	 * `held`, but for `count`. */
	int (*take)(struct mdg_channel *channel, struct mdg_message *messages, unsigned count);
	/* What is held before held.upto was used. */
	void (*release)(struct mdg_channel *channel);
	/* The caller did not get all that was taken: held.count and held.upto have become less.
	 * Or NULL. */
	void (*gave_less)(struct mdg_channel *channel);
	/* Whether there is something for this handle to receive, now. */
	bool (*has)(struct mdg_channel *channel);
};

/* The table of all kinds: each is defined as mdg__kind_NAME. */
#define MDG__KINDS(KIND)        KIND(stream) KIND(queue) KIND(topic) KIND(call)
#define MDG__KIND_DECLARE(name) extern const struct mdg__channel_kind mdg__kind_##name;
MDG__KINDS(MDG__KIND_DECLARE)
/* NULL: there is no such kind. */
const struct mdg__channel_kind *mdg__channel_kind(uint32_t number);

/* ---- stream.c --------------------------------------------------------------------------- */

/* Before what lies before `upto` is used, for the first time or again. */
static inline void mdg__stream_hand_out(struct mdg_channel *channel, uint64_t upto)
{
	atomic_store_explicit(&channel->head->handed,
	                      channel->handed > upto ? channel->handed : upto,
	                      memory_order_release);
}

static inline void mdg__stream_release(struct mdg_channel *channel)
{
	struct mdg__taken *held = &channel->held;
	channel->next = held->upto;
	/* Release: pairs with the acquire in stream_needed. */
	atomic_store_explicit(&channel->head->taken, held->upto, memory_order_release);
	mdg__note64(&channel->head->taken_sequence, held->sequence);
}

/* ---- topic.c ------------------------------------------------------------------------------ */

void mdg__topic_release(struct mdg_channel *channel);

/* ---- hold.c: of kinds whose messages go to one listener each -------------------------------- */

int mdg__hold_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count);
void mdg__hold_release(struct mdg_channel *channel);
/* The common case of mdg_channel_recv in a queue: takes a small message, copies it and releases it.
 * Returns its size. -EAGAIN: this is another case, and nothing was done. */
int mdg__hold_recv(struct mdg_channel *channel, void *data, size_t room,
                   struct mdg_message *ret_message);
/* Whether the next message for this handle is the one at `taken`. */
static inline bool mdg__hold_is_plain(const struct mdg_channel *channel)
{
	return channel->held.from >= channel->held.to &&
	       atomic_load_explicit(&channel->head->orphans, memory_order_acquire) == 0;
}
/* Moves `taken`. [take] */
static inline void mdg__hold_taken(struct mdg_channel *channel, uint64_t taken)
{
	channel->next = taken;
	/* Release: whoever reads it sees what is held before it, and what was copied was read. */
	atomic_store_explicit(&channel->head->taken, taken, memory_order_release);
}
/* The common case of taking one: a small message, which is held then. False: this is another case,
 * and nothing was done. */
bool mdg__hold_peek(struct mdg_channel *channel, struct mdg_message *ret);
bool mdg__hold_has(struct mdg_channel *channel);
uint64_t mdg__hold_needed(struct mdg_channel *channel, uint64_t need);
void mdg__hold_repair(struct mdg_channel *channel);
/* What a listener held is for others: its seat becomes an orphan. False: it held nothing. [take] */
bool mdg__hold_orphan(struct mdg_channel *channel, struct mdg__seat *seat);
/* The handle gets an orphan's seat, with what it holds. False: there is none. [seat lock, take] */
bool mdg__hold_inherit(struct mdg_channel *channel);

#endif
