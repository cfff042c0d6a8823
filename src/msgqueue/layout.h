/* SPDX-License-Identifier: MIT */
/*
 * layout.h - what lies in the memory of a message queue. It is the same for 32 and 64 bits, and
 * for every C library. All zeros is an empty queue that nobody has used yet.
 *
 * UNITS. The memory is divided into units of 64 bytes, numbered from 0, and into blocks of 1024
 * units (64 KiB). Each block has a table of links, one of 32 bits for each of its units:
 *
 *     block 0:   units   0..63    the head (one page)
 *                units  64..127   the links of block 0
 *                units 128..255   the first 64 waiters, two units each
 *                units 256..1023  cells
 *     block b:   units   0..63    its links
 *                units  64..1023  cells
 *
 * The links lie beside the cells and not in them, so that the text in neighbouring cells is copied
 * at once.
 *
 * A MESSAGE is a chain of cells, joined by their links. The first cell begins with struct
 * mdg__message, and the text goes on in the others. The messages of the queue, oldest first, are a
 * list: head.first, and then the field `next` of each message.
 *
 * CELLS in use are those of the messages, of further waiters, and of slips: each slip has some for
 * its thread's next messages. The others are in the free chain (head.free), or have never been used
 * (from head.fresh on).
 *
 * A WAITER is the record of a thread that sleeps in the queue, or is on its way there or back.
 *
 * WHO WRITES. Everything here is written by the holder of head.lock, unless it is said at the
 * field. Stores are relaxed, because the lock orders them. The stores that are called COMMIT are
 * release stores, and mark the moment of an operation: if the holder is killed before it, nothing
 * has happened; if it is killed after it, the next holder completes the operation (repair.c).
 */
#ifndef MADANG_MSGQUEUE_LAYOUT_H
#define MADANG_MSGQUEUE_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/owned.h"

enum {
	MDG__UNIT = 64,          /* bytes */
	MDG__BLOCK_UNITS = 1024, /* units in a block */
	MDG__BLOCK = MDG__UNIT * MDG__BLOCK_UNITS,
	MDG__LINKS_FIRST = 64,   /* unit at which block 0 has its links; the others: 0 */
	MDG__WAITERS_UNIT = 128, /* unit */
	MDG__CELL_FIRST = 256,   /* unit: the first cell of block 0 */
	MDG__CELL_OTHER = 64,    /* unit: the first cell of each other block */
	MDG__WAITER_UNITS = 2,
	MDG__SLIP_UNITS = 3,
	MDG__WAITER_GROUP = 64,  /* waiters that are made at once */
	MDG__WAITER_GROUPS = 64, /* groups beside the first */
	MDG__WAITERS_MOST = MDG__WAITER_GROUP * (MDG__WAITER_GROUPS + 1),
	MDG__UNITS_MOST = 1 << 26, /* 4 GiB */
	MDG__TEXT_INSIDE = 32,     /* bytes of text in a message's first cell */
	MDG__UNITS_KEPT = 1024,    /* when an empty queue gives memory back */
	MDG__UNITS_ENOUGH = 2048,  /* an empty queue gives memory back if it has used more */
	MDG__QUEUE_LEAST = 32768   /* bytes with which a queue begins */
};

#define MDG__TURN_LOCKED UINT64_C(1)

/* What a thread's own word says (struct mdg__waiter), in bits 0 and 1. */
#define MDG__ASLEEP   1u /* in the line */
#define MDG__CALLED   2u /* out of the line: the thread has to look again */
#define MDG__RECALLED 3u /* the same, and it keeps its place in the line */
#define MDG__SAYS     3u
/* Above is the waiter's use. A thread whose sleep a signal handler has ended may be just about to
 * fall asleep, when another one has the record and sleeps there. The words differ, so it does
 * not. */
static inline uint32_t mdg__says(uint32_t use, uint32_t what)
{
	return use << 2 | what;
}

/* What a waiter waits for. */
enum mdg__waiter_kind { MDG__WAITER_FREE, MDG__WAITER_RECEIVER, MDG__WAITER_SENDER };

/* Which messages a receiver wants. */
enum mdg__want {
	MDG__WANT_ANY,    /* the first */
	MDG__WANT_TYPE,   /* the first of this type */
	MDG__WANT_EXCEPT, /* the first of another type */
	MDG__WANT_LOWEST  /* of those up to this type the lowest, and of that the first */
};

struct mdg__message {
	/* Unit of the next message; 0: this is the last, or the turn's state says which comes next
	 * (turn.c). In the upper half the version at which it was written, so that no two values
	 * are alike. COMMIT of a send to a queue that is not empty, and of a receive that does not
	 * take the first message. */
	_Atomic uint64_t next;
	_Atomic int64_t type; /* written before the message is linked */
	/* 0; or for whom the message is, a claim: the waiter's number plus one, and in the upper
	 * half the waiter's use. COMMIT of handing over. The claim of a waiter that is dead, or has
	 * another use by now, counts for nothing. */
	_Atomic uint64_t claim;
	_Atomic uint32_t length; /* bytes of text. Written before the message is linked */
	uint32_t reserved;
	unsigned char text[MDG__TEXT_INSIDE]; /* written before the message is linked */
};
_Static_assert(sizeof(struct mdg__message) == MDG__UNIT, "");
_Static_assert(offsetof(struct mdg__message, claim) == 16, "");
_Static_assert(offsetof(struct mdg__message, text) == 32, "");

struct mdg__waiter {
	/* The futex word on which the waiter's thread sleeps: 0, or as above. */
	_Atomic uint32_t word;
	/* Whose record it is. The thread itself takes the word and gives it back (with
	 * head.lock), and the kernel marks it when the thread dies. */
	struct mdg__robust owner;
	_Atomic uint32_t kind;   /* enum mdg__waiter_kind */
	_Atomic uint64_t ticket; /* the line: lower ones come first */
	_Atomic uint32_t use;    /* one more each time that the waiter is taken; never 0 then */
	/* Of a receiver that was called: its buffer is too small for a message that came. */
	_Atomic uint32_t too_big;
	_Atomic int64_t type;  /* receiver: see want */
	_Atomic uint32_t want; /* receiver: enum mdg__want */
	_Atomic uint32_t cuts; /* receiver: it takes longer messages too, and cuts them off */
	_Atomic uint64_t size; /* receiver: of its buffer; sender: of its message */
	_Atomic uint32_t cell; /* receiver: the message that is claimed for it; 0: none */
	_Atomic int32_t pid;
	_Atomic int32_t tid;
	uint32_t reserved;
	_Atomic uint64_t since; /* CLOCK_MONOTONIC, nanoseconds */
	uint32_t unused[2];
};
_Static_assert(sizeof(struct mdg__waiter) == (size_t)MDG__WAITER_UNITS * MDG__UNIT, "");
_Static_assert(offsetof(struct mdg__waiter, owner.word) == 8, "a node is aligned as the library's");
_Static_assert(offsetof(struct mdg__waiter, kind) == 52, "");
_Static_assert(offsetof(struct mdg__waiter, ticket) == 56, "");
_Static_assert(offsetof(struct mdg__waiter, type) == 72, "");
_Static_assert(offsetof(struct mdg__waiter, size) == 88, "");
_Static_assert(offsetof(struct mdg__waiter, since) == 112, "");

/* What changes with each message. Written by the owner of the slip while the turn names another
 * one; the turn names it after that, and then nobody writes it. */
struct mdg__queue_state {
	_Atomic uint32_t first, last;
	_Atomic uint32_t before_last; /* its `next` may not be written yet; 0: none */
	_Atomic uint32_t qnum;
	_Atomic uint64_t cbytes;
	_Atomic int64_t stime, rtime;
	_Atomic int32_t lspid, lrpid;
	uint64_t reserved[2];
};
_Static_assert(sizeof(struct mdg__queue_state) == MDG__UNIT, "");
_Static_assert(offsetof(struct mdg__queue_state, stime) == 24, "");

/* What one thread needs for the express way. Behind it follow two states. A chain of cells is the
 * unit of its first one, and in the upper half how many they are. Only the owner writes here
 * (release: sweep.c reads), and the holder of the lock when it gives the slip to an owner. */
struct mdg__queue_slip {
	_Atomic uint32_t next; /* unit of the next slip; 0: the last */
	/* 1: in a call, or the call was left. If it is 0, `rest` and `taking` are old. */
	_Atomic uint32_t busy;
	_Atomic uint32_t tid; /* the owner */
	_Atomic int32_t pid;
	_Atomic uint64_t pids;   /* its pid namespace; 0: unknown */
	_Atomic uint64_t name;   /* differs in all slips of all queues */
	_Atomic uint64_t spare;  /* a chain that is the owner's */
	_Atomic uint64_t rest;   /* what is left of it after the message that is being sent */
	_Atomic uint64_t taking; /* the message that is being received */
	uint64_t reserved;
};
_Static_assert(sizeof(struct mdg__queue_slip) == MDG__UNIT, "");
_Static_assert(offsetof(struct mdg__queue_slip, spare) == 32, "");

/* What the holder of the lock is about to do, for the stamps of an operation whose holder was
 * killed after its COMMIT. */
enum mdg__intent { MDG__INTENT_NONE, MDG__INTENT_SEND, MDG__INTENT_RECEIVE };

struct mdg__queue_head {
	struct mdg__owned lock;

	/* ---- what every operation looks at */
	/* Unit of the oldest message; 0: none. COMMIT of a send to an empty queue, and of a
	 * receive of the first message. */
	_Atomic uint32_t first;
	_Atomic uint32_t last;      /* unit of the latest message; undefined if there is none */
	_Atomic uint32_t free;      /* unit of the first free cell; 0: none */
	_Atomic uint32_t fresh;     /* from this unit on nothing was used yet; 0: from the first */
	_Atomic uint32_t qnum;      /* messages that are not claimed */
	_Atomic uint32_t claims;    /* messages that are claimed */
	_Atomic uint32_t receivers; /* no more receivers than this are in the line */
	_Atomic uint32_t senders;   /* no more senders than this are in the line */
	_Atomic uint64_t cbytes;    /* text of the messages that are not claimed */
	/* 1: the queue is removed. COMMIT of the removal. Written without the lock, if that cannot
	 * be had. */
	_Atomic uint32_t removed;
	/* If this is mdg__fresh, memory could not be given back (sweep.c), and is not tried. */
	_Atomic uint32_t not_given;
	/* Not 0: memory behind this unit was given back to the system, and is not promised until it
	 * is asked for again. */
	_Atomic uint32_t kept;
	_Atomic uint32_t waiters_used; /* waiters from this one on were never used */

	/* ---- the stamps, and what is to become of them */
	_Atomic int64_t stime; /* CLOCK_REALTIME_COARSE, seconds */
	_Atomic int64_t rtime;
	_Atomic int32_t lspid;
	_Atomic int32_t lrpid;
	_Atomic uint32_t intent; /* enum mdg__intent */
	_Atomic uint32_t intent_cell;
	_Atomic int64_t intent_time;
	_Atomic int32_t intent_pid;
	_Atomic uint32_t waiter_groups; /* beside the first */
	_Atomic uint64_t tickets;       /* the last ticket that was given out */

	/* Unit of each further group of waiters. They are made and never given back. */
	_Atomic uint32_t group[MDG__WAITER_GROUPS];

	/* ---- the express way (turn.c, express.c) */
	_Atomic uint32_t slips; /* unit of the latest slip; 0: none */
	uint32_t unused[3];
	/* Whose turn it is, and where the state of the queue is. Bits 0..1: 0, anybody may swap in
	 * the next state; MDG__TURN_LOCKED, the holder of the lock is at work. Bits 2..27: the unit
	 * of a struct mdg__queue_state; 0: the state is in this head. Bits 28..63: the version, one
	 * more at each change. Written by compare-and-swap (acq_rel), by anybody; and by the
	 * holder of the lock while it is LOCKED (release). */
	_Atomic uint64_t turn;
};
_Static_assert(offsetof(struct mdg__queue_head, first) == 128, "");
_Static_assert(offsetof(struct mdg__queue_head, cbytes) == 160, "");
_Static_assert(offsetof(struct mdg__queue_head, waiters_used) == 180, "");
_Static_assert(offsetof(struct mdg__queue_head, stime) == 184, "");
_Static_assert(offsetof(struct mdg__queue_head, intent) == 208, "");
_Static_assert(offsetof(struct mdg__queue_head, intent_time) == 216, "");
_Static_assert(offsetof(struct mdg__queue_head, tickets) == 232, "");
_Static_assert(offsetof(struct mdg__queue_head, group) == 240, "");
_Static_assert(offsetof(struct mdg__queue_head, turn) == 512, "a line of its own");
_Static_assert(sizeof(struct mdg__queue_head) <= (size_t)MDG__LINKS_FIRST * MDG__UNIT, "");

#endif
