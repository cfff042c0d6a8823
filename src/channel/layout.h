/* SPDX-License-Identifier: MIT */
/*
 * layout.h - a channel in shared memory: a head, a table of seats, a ring of records, and of a
 * channel for calls a box for each seat.
 *
 * All of it has memory from the start, but for the boxes. A box has memory before its seat says
 * that a caller is in it, and keeps it when the caller leaves. Nobody else looks at a box that was
 * never a caller's.
 *
 * POSITIONS are bytes since the channel was made. They have 64 bits and never wrap. The ring holds
 * what lies between the oldest position that is still needed and `tail`. A position lies in the
 * ring at its remainder by the ring's size. All records start at a multiple of 16.
 *
 * A RECORD is 16 bytes of head, the message, and what is left of the last 16 bytes. Its `state`
 * says what a reader finds:
 *
 *     EMPTY      nothing yet: `tail` is here
 *     RESERVED   a talker has this space and writes to it; its seat says so (not in a stream)
 *     READY      a message
 *     RELAYED    a message that a bridge has put there: in front of it, and counted in its size, is
 *                a tag that says where it was first sent. AGAIN: and it may have been worked on
 *     SKIP       nothing: the rest of the ring before its end; or a message that was cancelled, or
 *                whose talker died
 *
 * ORIGINS. A bridge puts messages there that were first sent elsewhere. Behind the head is a table
 * of these origins, and of the number after the last that was taken from each. A record and its
 * origin's next number change in one step, see origins.c.
 *
 * Readers go from record to record and need no other word. One cache line tells that there is a
 * message, and carries its beginning.
 *
 * CLEAR BEHIND. A reader must never take old bytes for a state. So the state behind the last record
 * that was shown is EMPTY. Whoever shows records makes it EMPTY before, and there is always room
 * for that. No reader looks further. What lies there may be anything: old messages, or half a new
 * one.
 *
 * WHO WRITES. The comment at a field names its writer:
 *
 *     talk        the owner of talk_lock; in a stream whoever has the talker's seat
 *     take        the owner of take_lock; in a stream the listener
 *     seat lock   the owner of seat_lock
 *
 * A field of a seat belongs to the owner of the seat where nothing else is said. A lock holds the
 * signature of its owner. It is taken over from a dead owner, and what that had begun is set right
 * (lock.c). Or its only user keeps it, and the word names that one's seat (keep.c).
 *
 * Bounds that lead to memory (ring, seats, capacity) are copied and checked when the channel is
 * opened, and never read again. A position or a length is checked before each use.
 */
#ifndef MADANG_CHANNEL_LAYOUT_H
#define MADANG_CHANNEL_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__i386__)
typedef _Atomic uint64_t mdg__c64 __attribute__((aligned(8)));
#else
typedef _Atomic uint64_t mdg__c64;
#endif
typedef _Atomic uint32_t mdg__c32;

#define MDG__CHANNEL_MAGIC  UINT64_C(0x6c6e6863676e644d) /* "Mdngchnl" */
#define MDG__CHANNEL_FORMAT 6u
#define MDG__NOWHERE        UINT64_MAX /* a position that nobody needs */

enum { MDG__LINE = 64, MDG__STEP = 16, MDG__RECORD_HEAD = 16, MDG__MARKS = 16, MDG__EVENTS = 32 };
enum { MDG__TAG = 32, MDG__ORIGINS = 64 };

enum mdg__record_state {
	MDG__EMPTY = 0,
	MDG__RESERVED = 1,
	MDG__READY = 2,
	MDG__SKIP = 3,
	MDG__RELAYED = 4,
	MDG__RELAYED_AGAIN = 5
};

struct mdg__record {
	mdg__c32 state;    /* enum mdg__record_state | talker's seat << 8. talk; later its talker:
	                      release, read by acquire */
	mdg__c32 size;     /* of the message; of SKIP: what it would be. Before `state` */
	mdg__c64 sequence; /* likewise */
};

/* In front of a message that was relayed. */
struct mdg__tag {
	uint64_t identity[2], epoch; /* of the channel where it was first sent */
	uint64_t number;             /* there */
};

/* talk, all of it. */
struct mdg__origin {
	mdg__c64 identity[2], epoch; /* do not change while `uses` is odd */
	mdg__c64 next;               /* the number after the last that was taken */
	mdg__c64 when;               /* seconds, of the last change */
	mdg__c32 uses;               /* odd: this entry is in use. Release, after all else */
	mdg__c32 unused;
};

struct mdg__event {
	mdg__c32 number1; /* its number plus one, stored last; 0: being written */
	mdg__c32 what;    /* change | role << 8 | place << 16 */
	mdg__c32 pid;
	mdg__c32 unused;
};

struct mdg__channel_head {
	/* 0: constant once `ready`; written by who holds seat_lock and found it not ready */
	mdg__c64 magic;
	mdg__c32 format, kind;
	mdg__c64 capacity, ring_size;
	mdg__c32 seats, full;
	mdg__c32 unused10;
	mdg__c32 ready; /* 1: all of these are right. Release, read by acquire */
	mdg__c64 identity[2];
	mdg__c64 epoch;
	mdg__c64 unused0[7];

	/* 128: talk. The tail is stored after the record at it was published, or reserved */
	mdg__c64 tail;
	mdg__c64 sequence; /* of the next message */
	mdg__c32 talk_lock;
	mdg__c32 unkept; /* 1: nobody may keep a lock any more. Anybody, once */
	mdg__c64 unused9;
	mdg__c64 marks[MDG__MARKS]; /* of a topic: the first record that began in each part of
	                               the ring, its position plus one; 0: none */
	/* What is to become of an origin when the record at redo_at is shown, see origins.c */
	mdg__c64 redo_at, redo_next;
	mdg__c32 redo_entry1; /* its place in the table, plus one; 0: nothing. After the others */
	mdg__c32 unused11;
	mdg__c64 unused2[9];

	/* 384: take */
	mdg__c64 taken;  /* stream: before it all is released. queue, call: the next record */
	mdg__c64 handed; /* stream: before it all has been given to a listener once */
	mdg__c64 taken_sequence; /* of the next message that is not taken, about */
	mdg__c32 take_lock;
	mdg__c32 moves;   /* grows when a hold goes from one seat to another */
	mdg__c32 orphans; /* seats of the dead that hold messages */
	mdg__c32 unused3;
	mdg__c64 oldest; /* of a topic: what is before may be overwritten. talk; sequentially
	                        consistent, with `from` of the seats: see topic.c */
	mdg__c64 unused4[10];

	/* 512: read by a talker with each message; written by listeners that go to sleep and
	 * talkers that wake them (wake.c) */
	mdg__c32 alert; /* MDG__ALERT_* and a bit for each seat that sleeps */
	mdg__c32 bell;  /* futex: counts wakings */
	mdg__c64 unused5[15];

	/* 640: the same for talkers that wait for room */
	mdg__c32 full_waits; /* 1: somebody waits */
	mdg__c32 room_bell;  /* futex */
	/* Of a topic: until then, in monotonic nanoseconds, room is left to who relays; 0: it is
	 * not. Talkers that relay, at any time; see claim.c */
	mdg__c64 relay_until;
	mdg__c64 unused6[14];

	/* 768: seat lock */
	mdg__c32 seat_lock;
	mdg__c32 seats_used;  /* seats beyond were never taken; only grows */
	mdg__c32 changes;     /* futex: events so far, modulo 2^32 */
	mdg__c32 event_waits; /* 1: somebody waits for one (sequentially consistent) */
	mdg__c32 removed;     /* 1: whoever waits is to leave. Anybody, once */
	mdg__c32 unused7;
	mdg__c64 unused8[13];

	/* 896 */
	struct mdg__event events[MDG__EVENTS];

	/* 1408 */
	struct mdg__origin origins[MDG__ORIGINS];
};

/* ORPHAN: of a listener that died or left; `from` and `to` are what it held. */
enum mdg__seat_state {
	MDG__SEAT_FREE = 0,
	MDG__SEAT_TALKER = 1,
	MDG__SEAT_LISTENER = 2,
	MDG__SEAT_ORPHAN = 3
};

struct mdg__seat {
	/* 0: written with the seat lock held */
	mdg__c32 state; /* enum mdg__seat_state; after the others when it is taken */
	mdg__c32 use;   /* changes when the seat is taken, and when its owner is buried */
	mdg__c32 slot1, generation; /* of its process in the registry */
	mdg__c32 pid;
	mdg__c32 asleep; /* 1: waits in the kernel (shown, nothing rests on it) */
	mdg__c64 since;  /* seconds */
	mdg__c32 polls;  /* sleeps in poll(2), and has a named pipe: a number of this sleep; 0: no.
	                        The owner; who has rung takes it away */
	mdg__c32 leaves; /* 1: has left, and somebody has to finish that */
	mdg__c64 unused1[3];

	/* 64: the owner's */
	mdg__c64 from, to; /* what it needs: talker: is reserved [talk]; queue, call: is held
	                        [take]; topic: its position, or while FULL_OVERWRITE what it holds;
	                        MDG__NOWHERE: nothing. `to` before `from` when it begins */
	mdg__c64 count;    /* messages sent or received */
	mdg__c64 sequence; /* listener: the number that it expects next */
	mdg__c64 missed;
	mdg__c64 unused3[2];
	mdg__c32 box_bell; /* futex */
	mdg__c32 inside; /* 1: does something with the lock that it keeps, or looks whether it does.
	                      0 by others, if it is dead */
};

/* In front of a reply, in the same line as its first bytes. */
struct mdg__box {
	mdg__c64 word;  /* call number << 8 | enum mdg__box_state. See box.c, which says who changes
	                   it, by compare and swap */
	mdg__c32 size;  /* of the reply. Server, before the word says DONE */
	mdg__c32 waits; /* 1: the caller sleeps. Sequentially consistent */
};

/* What is in front of a request: to whom the reply goes. The message follows. */
struct mdg__request {
	uint32_t seat, use;
	uint64_t call;
};

#define MDG__ALERT_FENCE  0x80000000u /* stays: a listener that cannot make talkers fence */
#define MDG__ALERT_POLL   0x40000000u /* a listener sleeps in poll(2) */
#define MDG__ALERT_NEAR   0x20000000u /* a listener sleeps with MDG_WAIT_NEAR */
#define MDG__ALERT_ASLEEP 0x3fffffffu /* any listener sleeps: NEAR, and the seats' bits */
#define MDG__ALERT_BITS   29u

/* A lock that is kept: this, the seat << 16, and the low bits of the seat's use. No signature has
 * the bit. */
#define MDG__KEPT     0x8000u
#define MDG__KEPT_USE 0x7fffu

_Static_assert(sizeof(struct mdg__record) == MDG__RECORD_HEAD, "");
_Static_assert(offsetof(struct mdg__channel_head, tail) == 128, "");
_Static_assert(offsetof(struct mdg__channel_head, taken) == 384, "");
_Static_assert(offsetof(struct mdg__channel_head, alert) == 512, "");
_Static_assert(offsetof(struct mdg__channel_head, full_waits) == 640, "");
_Static_assert(offsetof(struct mdg__channel_head, seat_lock) == 768, "");
_Static_assert(offsetof(struct mdg__channel_head, events) == 896, "");
_Static_assert(offsetof(struct mdg__channel_head, origins) == 1408, "");
_Static_assert(sizeof(struct mdg__origin) == 48, "");
_Static_assert(sizeof(struct mdg__channel_head) == 4480, "");
_Static_assert(sizeof(struct mdg__tag) == MDG__TAG, "");
_Static_assert(offsetof(struct mdg__seat, from) == 64, "");
_Static_assert(sizeof(struct mdg__seat) == 128, "");
_Static_assert(sizeof(struct mdg__request) == 16, "");
_Static_assert(sizeof(struct mdg__box) == 16, "");

#endif
