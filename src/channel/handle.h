/* SPDX-License-Identifier: MIT */
/*
 * handle.h - a handle of a channel, which is in the memory of one process. What lies in shared
 * memory is in layout.h.
 *
 * The files of this room form floors. A file calls only files on floors below its own. Where a
 * lower file needs something that depends on the kind of the channel, it goes through the handle's
 * table of operations (kind.h).
 *
 *   open.c                             finding or making a channel, entering and leaving
 *   head.c  look.c                     the head of a new channel; what a channel shows
 *   shape.c  mapping.c                 all sizes of a channel; attachments that handles share
 *   kinds.c                            finding a kind in the table of all kinds
 *   call.c                             the kind `call`: which side does what
 *   caller.c  server.c                 asking, and answering
 *   talk.c  listen.c                   sending and receiving, for every kind
 *   relay.c  browse.c                  what bridges put there; looking at messages that lie there
 *   reserve.c                          room in the ring, and showing what was written there
 *   stream.c  queue.c  topic.c         the other kinds
 *   hold.c  box.c                      messages that one listener holds; boxes for replies
 *   sleep.c  poll.c                    waiting; waiting in poll(2)
 *   seats.c                            who is there; what the dead have begun
 *   lock.c  wake.c                     the locks of a channel; waking those who wait
 *   tail.c  pipe.c  keep.c             where the next message goes; named pipes that wake; locks
 *                                      that are kept
 *   records.c  marks.c  origins.c      records in the ring; where the parts of the ring begin;
 *                                      from where messages came
 *
 * The headers: handle.h, ring.h (records, marks, tail), wake.h (pipe, wake), peers.h (keep, lock,
 * seats, sleep, poll), kind.h (the table, what kinds share), messages.h (reserve, talk, listen),
 * call.h, and opening.h (mapping, shape, head).
 *
 * Locks are taken in this order: seat_lock, talk_lock, take_lock. A thread that holds one runs no
 * other code of the program but signal handlers, and waits for nothing.
 */
#ifndef MADANG_CHANNEL_HANDLE_H
#define MADANG_CHANNEL_HANDLE_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "channel/layout.h"
#include "madang/channel.h"
#include "platform/epoch.h"
#include "platform/sys.h"
#include "sync/wait.h"

struct mdg__mapping;      /* an attachment that all handles of a process share: mapping.c */
struct mdg__channel_kind; /* kind.h */
struct mdg__door;

/* Who gets a message. */
enum mdg__way {
	MDG__ALONE = 1, /* one talker, one listener */
	MDG__TO_ONE,    /* one of the listeners */
	MDG__TO_EACH    /* each of the listeners */
};

/* What a talker has reserved, or is about to send. */
struct mdg__reserved {
	uint64_t from, to; /* positions, padding included */
	uint32_t count;    /* records in `at` that are not shown yet; 0: nothing reserved */
	bool straight;     /* one record of a stream, at the tail, and not near the ring's end */
	uint64_t sequence; /* of the first */
};

/* The lock of a channel with several talkers or listeners, see keep.c. A talker may keep talk_lock,
 * a listener take_lock. */
struct mdg__keeping {
	uint32_t word;  /* what the lock says while this handle keeps it; 0: it does not */
	uint32_t alone; /* times in a row that nobody else had the lock, up to `least` */
	uint32_t least; /* from so many on it keeps it */
};

/* What a listener holds. In a queue this may be more than the caller was given: the caller gets
 * the rest with its next calls. */
struct mdg__taken {
	uint64_t from, upto, to; /* what is before `upto` was given to the caller */
	uint32_t count;          /* messages that the caller has */
	uint64_t sequence;       /* one more than that of the last of these */
	bool again;              /* they are redelivered */
};

/* A request that a server holds. */
struct mdg__asked {
	struct mdg__request request;
	uint64_t tick; /* of the coarse clock, when it last looked whether callers live */
	size_t size;   /* bytes that may be written */
	bool writing;  /* this server may write to the caller's box */
};

/* The members are in the order of who uses them. */
struct mdg_channel {    /* NOLINT(clang-analyzer-optin.performance.Padding) */
	uint32_t epoch; /* of the process that opened it, mdg__epoch */
	uint32_t role, kind, full, wait;
	uint32_t way;                 /* of the kind: enum mdg__way */
	const struct mdg__door *door; /* of the kind: NULL: messages go straight to the ring */
	/* Checked when the handle was opened. Nothing in shared memory can change them. */
	struct mdg__channel_head *head;
	struct mdg__seat *seats;
	unsigned char *ring, *boxes;
	uint64_t ring_size, capacity, box_size;
	uint64_t largest; /* message in the ring: the capacity, and what the kind puts in front */
	uint32_t seat_count, part_shift;
	struct mdg__seat *seat; /* NULL: an observer */
	uint32_t place, me;     /* index of the seat; how this process signs locks */
	uint32_t use;           /* of the seat. The seat has another one if this handle lost it */
	uint32_t fences;        /* 1: this process has no membarrier, and fences after publishing */
	bool fetches;           /* mdg__cpu_can_fetch */
	bool unkept;            /* since this process has opened it, nobody keeps a lock */
	struct mdg__keeping keeping;

	uint64_t base; /* where the ring's present lap began */
	/* A talker's. In a stream they are kept; elsewhere they are read with the lock held. */
	uint64_t tail, sequence;
	uint64_t limit; /* positions below may be written; only grows */
	uint64_t count;
	uint64_t relayed_next; /* the number after the last that it relayed */
	bool relays, claims;   /* it is relaying; room is left to it, see claim.c */
	/* A listener's. */
	uint64_t next;     /* stream, topic: the next record; queue, call: `taken` as it last was */
	uint64_t expected; /* topic: its number; UINT64_MAX: not known */
	uint64_t handed;   /* stream: what is before was given to another listener once */
	uint64_t missed;
	uint64_t part;    /* which eighth of the ring it was in, see mdg__made_room */
	uint64_t missing; /* topic: as the first message that is held says */
	bool jumped;      /* topic: it was overtaken since it last received */
	uint64_t first;   /* topic: with MDG_FROM_NUMBER */
	struct mdg__reserved reserved;
	struct mdg__taken held;
	struct mdg__asked asked;
	uint64_t first_call;
	uint64_t call; /* caller: number of the last call; its box says what became of it */
	bool waits_reply, has_reply;

	uint64_t spin; /* nanoseconds that it spins before it sleeps, or gives way: sleep.c */
	uint32_t vain;
	uint64_t looked; /* when it last looked for the dead without waiting */
	int pipe;        /* see poll.c; -1: none */
	bool pipe_full;
	uint32_t sleeps; /* in poll(2), numbered */
	uint64_t pipe_device, pipe_inode;
	uint32_t event; /* the next that mdg_channel_event gives */

	const struct mdg__channel_kind *ops;
	mdg_namespace *ns;
	mdg_id id;
	struct mdg__mapping *mapping;
	uint64_t at[MDG_MANY_MAX];   /* of a reservation: each record's position */
	uint32_t size[MDG_MANY_MAX]; /* and size */
};

/* ---- words in shared memory --------------------------------------------------------- */

/* A position. */
static inline uint64_t mdg__position(const mdg__c64 *field)
{
	/* Acquire: pairs with the release of the process that moved it. */
	return atomic_load_explicit(field, memory_order_acquire) & ~(uint64_t)(MDG__STEP - 1);
}

static inline uint64_t mdg__relaxed64(const mdg__c64 *field)
{
	return atomic_load_explicit(field, memory_order_relaxed);
}

static inline uint32_t mdg__relaxed32(const mdg__c32 *field)
{
	return atomic_load_explicit(field, memory_order_relaxed);
}

static inline void mdg__note64(mdg__c64 *field, uint64_t value)
{
	atomic_store_explicit(field, value, memory_order_relaxed);
}

/* A full fence. It is not C11's: ThreadSanitizer does not know that one, and says so. */
static inline void mdg__fence(void)
{
	__sync_synchronize();
}

/* ---- seats ---------------------------------------------------------------------------- */

static inline uint32_t mdg__seats_used(const struct mdg_channel *channel)
{
	uint32_t used = atomic_load_explicit(&channel->head->seats_used, memory_order_acquire);
	return used < channel->seat_count ? used : channel->seat_count;
}

static inline uint32_t mdg__seat_state(const struct mdg__seat *seat)
{
	/* Acquire: pairs with the release in mdg__seat_show. */
	return atomic_load_explicit(&seat->state, memory_order_acquire);
}

/* The box of a seat, in a channel that has boxes. */
static inline struct mdg__box *mdg__box_of(const struct mdg_channel *channel, uint32_t place)
{
	return (struct mdg__box *)(void *)(channel->boxes + place * channel->box_size);
}

/* Whether this handle still has its seat. It loses the seat when others take it for dead. */
static inline bool mdg__is_seated(const struct mdg_channel *channel)
{
	return mdg__relaxed32(&channel->seat->use) == channel->use;
}

/* Whether this handle may act in one of these roles here: 0, -EPERM, -ESTALE. */
static inline int mdg__usable(const struct mdg_channel *channel, uint32_t roles)
{
	bool here = mdg__epoch_is(channel->epoch);
	if (__builtin_expect(!here || (channel->role & roles) == 0, 0))
		return -EPERM;
	return __builtin_expect(mdg__is_seated(channel), 1) ? 0 : -ESTALE;
}

#endif
