/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the channel room's own view of a channel. What lies in shared memory: layout.h.
 *
 *   open.c    finding or making a channel, taking and leaving a seat
 *   seats.c   who is there; what the dead have begun
 *   lock.c    the locks of a channel
 *   room.c    positions, clearing ahead, how far a talker may go
 *   talk.c    sending: reserve, commit, cancel, copy
 *   listen.c  receiving: peek, release, copy; streams
 *   queue.c   ... of queues and servers     topic.c   ... of topics
 *   call.c    requests and their replies
 *   sleep.c   waiting and waking            pipe.c    waiting in poll(2)
 *   look.c    what a channel shows
 *
 * Locks, in this order: seat_lock, talk_lock, take_lock. While one is held no other code of the
 * program runs in this thread but a signal handler, and nothing is waited for.
 */
#ifndef MADANG_CHANNEL_INTERNAL_H
#define MADANG_CHANNEL_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "channel/layout.h"
#include "madang/channel.h"
#include "platform/epoch.h"
#include "platform/sys.h"
#include "segment/above.h"
#include "segment/sign.h"
#include "sync/wait.h"

struct mdg__mapping; /* the attachment that all handles of a process share, open.c */

/* Of a talker's reservation, or of what it is about to send. */
struct mdg__reserved {
	uint64_t from, to; /* positions, padding included */
	uint32_t count;    /* records in `at` that are not yet shown; 0: nothing reserved */
	uint64_t sequence; /* of the first */
};

/* What a listener holds. Of a queue it may be more than the caller was given: the rest comes next. */
struct mdg__taken {
	uint64_t from, upto, to; /* to `upto` it was given to the caller */
	uint32_t count;          /* of messages that the caller has */
	uint64_t sequence;       /* behind the last of these */
	bool again;              /* they are redelivered */
};

/* A request that a server holds. */
struct mdg__asked {
	uint32_t seat, use;
	uint64_t call;
	uint64_t since; /* nanoseconds */
	size_t size;    /* that may be written */
	bool writing;   /* the box is ours to write */
};

/* In the order of who uses it. */
struct mdg_channel {    /* NOLINT(clang-analyzer-optin.performance.Padding) */
	uint32_t epoch; /* of the process that opened it, mdg__epoch */
	uint32_t role, kind, full, wait;
	/* Checked when it was opened; nothing in shared memory can change them. */
	struct mdg__channel_head *head;
	struct mdg__seat *seats;
	unsigned char *ring, *boxes;
	uint64_t ring_size, capacity, box_size;
	uint64_t largest; /* message in the ring: the capacity, and of a call what is in front */
	uint32_t ahead, seat_count, part_shift;
	struct mdg__seat *seat; /* NULL: an observer */
	uint32_t place, me;     /* `me`: how this process signs locks */
	uint32_t use;           /* of the seat: another one when it was taken for dead */
	uint32_t fences;        /* 1: fence after publishing, this process has no membarrier */

	uint64_t base; /* where the ring's present lap began */
	/* a talker's: of a stream kept, else read with the lock held */
	uint64_t tail, sequence;
	uint64_t limit; /* positions below may be written; only grows */
	uint64_t count;
	/* a listener's */
	uint64_t next;     /* stream, topic: the next record */
	uint64_t expected; /* topic: its number; UINT64_MAX: not known */
	uint64_t handed;   /* stream: what is before was given to another listener once */
	uint64_t missed;
	uint64_t part;    /* which eighth of the ring it was in, see mdg__made_room */
	uint64_t missing; /* topic: as the first message that is held says */
	bool jumped;      /* topic: it was overtaken since it last received */
	struct mdg__reserved reserved;
	struct mdg__taken held;
	struct mdg__asked asked;
	uint64_t first_call;
	uint64_t call; /* caller: number of the last; its box says what became of it */
	bool waits_reply, has_reply;

	uint64_t spin; /* nanoseconds that it spins, see sleep.c */
	uint32_t vain;
	uint64_t looked; /* when it last looked after the dead without waiting */
	int pipe;        /* see pipe.c; -1: none */
	bool pipe_full;
	uint32_t sleeps; /* in poll(2), numbered */
	uint64_t pipe_device, pipe_inode;
	uint32_t event; /* the next that mdg_channel_event gives */

	mdg_namespace *ns;
	mdg_id id;
	struct mdg__mapping *mapping;
	uint64_t at[MDG_MANY_MAX];   /* of a reservation: each record's position */
	uint32_t size[MDG_MANY_MAX]; /* and size */
};

/* Each message to one of the listeners: requests, too. */
static inline bool mdg__is_queue(const struct mdg_channel *channel)
{
	return channel->kind == MDG_QUEUE || channel->kind == MDG_CALL;
}

/* ---- records ---------------------------------------------------------------- */

static inline uint64_t mdg__span(uint64_t size)
{
	return (MDG__RECORD_HEAD + size + MDG__LINE - 1) & ~(uint64_t)(MDG__LINE - 1);
}

/* Where a position, a multiple of 64, lies in the ring. */
static inline uint64_t mdg__offset(struct mdg_channel *channel, uint64_t position)
{
	uint64_t offset = position - channel->base;
	if (__builtin_expect(offset >= channel->ring_size, 0)) {
		offset = position % channel->ring_size;
		channel->base = position - offset;
	}
	return offset;
}

static inline struct mdg__record *mdg__record(struct mdg_channel *channel, uint64_t position)
{
	return (struct mdg__record *)(void *)(channel->ring + mdg__offset(channel, position));
}

static inline unsigned char *mdg__message_of(struct mdg__record *record)
{
	return (unsigned char *)record + MDG__RECORD_HEAD;
}

/* Positions from shared memory. */
static inline uint64_t mdg__position(const mdg__c64 *field)
{
	/* Acquire: pairs with the release of who moved it. */
	return atomic_load_explicit(field, memory_order_acquire) & ~(uint64_t)(MDG__LINE - 1);
}

static inline uint32_t mdg__record_state(const struct mdg__record *record)
{
	/* Acquire: pairs with the release in mdg__record_show. */
	return atomic_load_explicit(&record->state, memory_order_acquire);
}

/* What is in the record is there for others from here on. */
static inline void mdg__record_show(struct mdg__record *record, uint32_t state, uint32_t place)
{
	atomic_store_explicit(&record->state, state | place << 8, memory_order_release);
}

static inline bool mdg__is_waiting(uint32_t state)
{
	return (state & 0xff) <= MDG__RESERVED;
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

/* The next READY record at or after *position, which is moved to it: 1; 0: there is none yet;
 * MDG_BROKEN. Stops at `end`. */
int mdg__find_ready(struct mdg_channel *channel, uint64_t *position, uint64_t end,
                    struct mdg__record **ret_record, uint32_t *ret_size);
/* All of it but what the kind of channel adds: `missed`, `flags`. */
void mdg__describe(struct mdg__record *record, uint32_t size, struct mdg_message *ret);
/* Up to `count` messages between two positions: how many, or why none. Those before `handed` were
 * given to somebody before. Sets held.from, and held.upto to where it stopped. */
int mdg__gather(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                uint64_t from, uint64_t end, uint64_t handed);

/* A small message takes two lines at most. */
enum { MDG__SMALL = 2 * MDG__LINE - MDG__RECORD_HEAD };
/* Behind a small message that is shown there is still a clear line (show_straight). */
_Static_assert(MDG__AHEAD_LEAST > MDG__SMALL + MDG__RECORD_HEAD, "");
/* Its bytes, without a call: two copies of one size, which overlap. */
static inline void mdg__copy_small(void *to, const void *from, size_t size)
{
	unsigned char *out = to;
	const unsigned char *in = from;
	if (size >= 64) {
		memcpy(out, in, 64);
		memcpy(out + size - 48, in + size - 48, 48);
	} else if (size >= 32) {
		memcpy(out, in, 32);
		memcpy(out + size - 32, in + size - 32, 32);
	} else if (size >= 8) {
		memcpy(out, in, 8);
		memcpy(out + size - 8, in + size - 8, 8);
		if (size > 16) {
			memcpy(out + 8, in + 8, 8);
			memcpy(out + size - 16, in + size - 16, 8);
		}
	} else {
		for (size_t i = 0; i < size; i++)
			out[i] = in[i];
	}
}

/* A full fence; not C11's, which ThreadSanitizer does not know and says so. */
static inline void mdg__fence(void)
{
	__sync_synchronize();
}

/* Whether it has its seat still: nobody took it for dead. */
static inline bool mdg__is_seated(const struct mdg_channel *channel)
{
	return mdg__relaxed32(&channel->seat->use) == channel->use;
}

/* 0, -EPERM, -ESTALE: whether this handle may do that here. */
static inline int mdg__usable(const struct mdg_channel *channel, uint32_t role)
{
	bool here = mdg__epoch_is(channel->epoch);
	if (__builtin_expect(!here || (channel->role & role) == 0, 0))
		return -EPERM;
	return __builtin_expect(mdg__is_seated(channel), 1) ? 0 : -ESTALE;
}

/* ---- lock.c ------------------------------------------------------------------- */

static inline void mdg__channel_unlock(mdg__c32 *lock)
{
	/* Release: pairs with the acquire of the next owner. */
	atomic_store_explicit(lock, 0, memory_order_release);
}
/* What a dead owner had begun is set right. 0, -ETIMEDOUT, -EAGAIN. */
int mdg__talk_lock(struct mdg_channel *channel, uint64_t deadline);
int mdg__take_lock(struct mdg_channel *channel, uint64_t deadline);
int mdg__seat_lock(struct mdg_channel *channel, uint64_t deadline);
/* If nobody has it. */
bool mdg__channel_try_lock(struct mdg_channel *channel, mdg__c32 *lock);

/* ---- room.c --------------------------------------------------------------------- */

/* Makes each 64 bytes in [from, to) begin with EMPTY. */
void mdg__clear_lines(struct mdg_channel *channel, uint64_t from, uint64_t to);
/* The same for what is ahead when the tail goes from `tail` to `to`. */
static inline void mdg__clear_ahead(struct mdg_channel *channel, uint64_t tail, uint64_t to)
{
	uint64_t from = tail + channel->ahead;
	mdg__clear_lines(channel, from < to ? to : from, to + channel->ahead);
}
/* Reads tail and sequence. [talk] */
void mdg__tail_load(struct mdg_channel *channel);
void mdg__tail_store(struct mdg_channel *channel, uint64_t tail, uint64_t sequence);
/* Sets right what a talker that died with the lock, or a stream's, has begun. [talk] */
void mdg__tail_repair(struct mdg_channel *channel);
/* Below it positions may be written: asks for at least `need`. [talk] */
uint64_t mdg__room_limit(struct mdg_channel *channel, uint64_t need);
/* The oldest position that somebody needs. */
uint64_t mdg__oldest_needed(struct mdg_channel *channel);

/* ---- talk.c ---------------------------------------------------------------------- */

/* As mdg_channel_send, mdg_channel_reserve and mdg_channel_commit of a handle that may; a request goes in front. */
int mdg__send_record(struct mdg_channel *channel, const struct mdg__request *request,
                     const void *data, size_t size, uint64_t deadline);
int mdg__reserve_record(struct mdg_channel *channel, size_t size, void **ret_data,
                        uint64_t deadline);
int mdg__commit_record(struct mdg_channel *channel, size_t size);
/* Undoes the reservation that the handle has. */
int mdg__cancel_all(struct mdg_channel *channel);
/* A dead talker's reservation will not appear. [talk] */
void mdg__skip_reserved(struct mdg_channel *channel, struct mdg__seat *seat, uint32_t place);

/* ---- listen.c, queue.c, topic.c ------------------------------------------------------ */

/* As mdg_channel_peek_many of a listener that holds nothing, and mdg_channel_release. */
int mdg__peek_any(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                  uint64_t deadline);
void mdg__release_any(struct mdg_channel *channel);
/* Of what was peeked the caller gets nothing; it comes again. */
void mdg__give_nothing(struct mdg_channel *channel);
/* The next messages, now: how many (0 to count), or a negative code. */
int mdg__queue_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count);
void mdg__queue_release(struct mdg_channel *channel);
bool mdg__queue_has(struct mdg_channel *channel);
/* What a listener that died with take_lock had begun. [take] */
void mdg__queue_repair(struct mdg_channel *channel);
/* What it held is for others. [take] Returns whether there was something. */
bool mdg__queue_orphan(struct mdg_channel *channel, struct mdg__seat *seat);
/* When no seat is free a listener takes an orphan's, with what it holds: false: there is none.
 * [seat lock, take] */
bool mdg__queue_inherit(struct mdg_channel *channel);
int mdg__topic_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count);
void mdg__topic_release(struct mdg_channel *channel);
/* What was taken is not needed after all. */
void mdg__topic_let_go(struct mdg_channel *channel);
bool mdg__topic_has(struct mdg_channel *channel);
/* [talk] */
void mdg__topic_join(struct mdg_channel *channel, uint32_t from);
uint64_t mdg__topic_limit(struct mdg_channel *channel, uint64_t need);
void mdg__topic_mark(struct mdg_channel *channel, uint64_t position);
void mdg__topic_unmark(struct mdg_channel *channel, uint64_t tail);
/* Whether there is a message for this listener, or a reply for this caller, now. */
bool mdg__has_something(struct mdg_channel *channel);

/* ---- call.c --------------------------------------------------------------------------- */

enum mdg__box_state {
	MDG__BOX_IDLE,
	MDG__BOX_WAITING,
	MDG__BOX_WRITING,
	MDG__BOX_DONE,
	MDG__BOX_DIED,
	MDG__BOX_REFUSED
};
int mdg__call_send(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline);
int mdg__call_reserve(struct mdg_channel *channel, size_t size, void **ret_data, uint64_t deadline);
int mdg__call_commit(struct mdg_channel *channel, size_t size);
int mdg__call_cancel(struct mdg_channel *channel);
int mdg__call_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline);
int mdg__call_release(struct mdg_channel *channel);
int mdg__call_recv(struct mdg_channel *channel, void *data, size_t room, struct mdg_message *ret,
                   uint64_t deadline);
bool mdg__call_has(struct mdg_channel *channel);
/* A server leaves or died: tells the callers of what it holds. */
void mdg__call_tell(struct mdg_channel *channel, struct mdg__seat *seat, enum mdg__box_state what);
/* A caller leaves or died: false: a server is just writing its reply, nobody may come yet. */
bool mdg__call_drop(struct mdg__seat *seat);
/* The caller in a seat, if it sleeps. */
void mdg__call_wake(struct mdg_channel *channel, struct mdg__seat *seat);

/* ---- seats.c ---------------------------------------------------------------------------- */

/* The signature in a seat. */
static inline struct mdg__signature mdg__seat_signature(const struct mdg__seat *seat)
{
	return (struct mdg__signature){ mdg__relaxed32(&seat->slot1),
		                        mdg__relaxed32(&seat->generation) };
}
/* Looks for the dead, and whether the channel was removed: 0, -EIDRM, -ESTALE. No lock held. */
int mdg__look_after(struct mdg_channel *channel);
/* 0, -EBUSY, -EUSERS. [seat lock] */
int mdg__seat_take(struct mdg_channel *channel);
void mdg__seat_leave(struct mdg_channel *channel);
/* [seat lock] */
void mdg__seat_event(struct mdg_channel *channel, enum mdg_peer_change change, uint32_t place,
                     const struct mdg__seat *seat);
static inline uint32_t mdg__seats_used(const struct mdg_channel *channel)
{
	uint32_t used = atomic_load_explicit(&channel->head->seats_used, memory_order_acquire);
	return used < channel->seat_count ? used : channel->seat_count;
}
static inline uint32_t mdg__seat_state(const struct mdg__seat *seat)
{
	/* Acquire: pairs with the release of who took it. */
	return atomic_load_explicit(&seat->state, memory_order_acquire);
}

/* ---- sleep.c ------------------------------------------------------------------------------ */

enum { MDG__SPIN_MOST_NS = 40000 };
#ifndef MDG__SLICE_NS                    /* long in a test that wants to know who wakes whom */
#define MDG__SLICE_NS UINT64_C(25000000) /* between two looks for the dead */
#endif
enum mdg__wait_for { MDG__FOR_MESSAGE, MDG__FOR_ROOM, MDG__FOR_REPLY };
struct mdg__waiting {
	enum mdg__wait_for what;
	uint32_t step; /* 0: not begun */
	uint32_t seen; /* of the futex, before it was said that somebody sleeps */
	uint64_t deadline, began, look_at;
	mdg__c32 *watch; /* spins while this is `watched`; NULL: nothing to watch */
	uint32_t watched;
};
static inline struct mdg__waiting mdg__wait_init(enum mdg__wait_for what, uint64_t deadline)
{
	return (struct mdg__waiting){ .what = what, .deadline = deadline };
}
/* Called when there was nothing; 0: look again; -EAGAIN, -ETIMEDOUT, -EINTR, -EIDRM. */
int mdg__wait_more(struct mdg_channel *channel, struct mdg__waiting *waiting);
/* After the last look. `got`: there was something, or the caller was refused. */
void mdg__wait_end(struct mdg_channel *channel, struct mdg__waiting *waiting, bool got);

void mdg__alert_others(struct mdg_channel *channel, unsigned messages);
/* After publishing: wakes who sleeps. No system call when nobody does. */
static inline void mdg__tell(struct mdg_channel *channel, unsigned messages)
{
	if (__builtin_expect(channel->fences != 0, 0))
		mdg__fence();
	atomic_signal_fence(memory_order_seq_cst); /* the others' membarrier does the rest */
	if (__builtin_expect(mdg__relaxed32(&channel->head->alert) != 0, 0))
		mdg__alert_others(channel, messages);
}
/* This listener is about to sleep in poll(2). */
void mdg__alert_pollers(struct mdg_channel *channel);
void mdg__wake_everybody(struct mdg_channel *channel);
void mdg__wake_talkers(struct mdg_channel *channel);
/* After room was made before `position`: now and then looks whether a talker waits for it. */
static inline void mdg__made_room(struct mdg_channel *channel, uint64_t position)
{
	if (__builtin_expect(position - channel->part >= channel->ring_size / 8, 0)) {
		channel->part = position;
		mdg__fence();
		if (mdg__relaxed32(&channel->head->full_waits) != 0)
			mdg__wake_talkers(channel);
	}
}
/* From now on talkers fence after publishing: a listener sleeps at once, or has no membarrier. */
void mdg__ask_for_fences(struct mdg_channel *channel);
/* The membarrier of others reaches this process: 0, or 1: the kernel has none, fence. */
uint32_t mdg__barrier_register(void);

/* ---- pipe.c -------------------------------------------------------------------------------- */

/* Wakes those who sleep in poll(2): all, or in a queue as many as there are messages. */
void mdg__pipes_ring(struct mdg_channel *channel, unsigned messages);
void mdg__pipe_ring_one(struct mdg_channel *channel, uint32_t place);
/* After a death or a removal: all, listeners and callers, whatever the flag says. */
void mdg__pipes_ring_all(struct mdg_channel *channel);
/* After this handle received something or nothing: makes the pipe say whether there is more. */
void mdg__pipe_settle(struct mdg_channel *channel);
static inline void mdg__settle(struct mdg_channel *channel)
{
	if (__builtin_expect(channel->pipe >= 0, 0))
		mdg__pipe_settle(channel);
}
void mdg__pipe_close(struct mdg_channel *channel);
/* Of somebody who died. */
void mdg__pipe_unlink(struct mdg_channel *channel, uint32_t place, uint32_t use);

/* Before publishing: who sleeps in poll(2) is woken first, so that our death between the two costs it
 * a look in vain and not the message. */
static inline void mdg__tell_pollers(struct mdg_channel *channel, unsigned messages)
{
	if (__builtin_expect((mdg__relaxed32(&channel->head->alert) & MDG__ALERT_POLL) != 0, 0))
		mdg__pipes_ring(channel, messages);
}

#endif
