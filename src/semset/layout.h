/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the memory of a set of semaphores.
 *
 *     head        128 bytes
 *     notes       104 notes of the journal
 *     semaphores  16 bytes each
 *     heap        blocks of 128 bytes: sleepers, holders, and what they need
 *
 * Zero bytes are a fresh set with all values 0. The bytes are the same for 32 and 64 bits and for
 * every C library. How many semaphores there are is not written here: the registry says it. The
 * heap reaches to the end of the memory, and grows with it.
 *
 * "block1" is the index of a block in the heap plus one; 0 is none. All such fields have a name
 * that ends in 1.
 *
 * WHO WRITES. Four rules cover every field:
 *   [J] Only the holder of the set's lock, through the journal (registry/journal.h). If the holder
 *       dies, the next holder puts the old values back. Readers without the lock use acquire loads
 *       and take what they read for a hint.
 *   [L] Only the holder of the lock, by one release store, without the journal. Each value is
 *       right by itself.
 *   [A] Anyone, at any time, by one atomic operation.
 *   [O] Only the thread whose sleeper or witness this is. It writes before the block is linked,
 *       or while the block is its own.
 *
 * Nothing here is trusted. An index is compared with the memory that is mapped. A walk along links
 * ends after as many steps as there are blocks. Whatever is impossible gives MDG_DAMAGED.
 */
#ifndef MADANG_SEMSET_LAYOUT_H
#define MADANG_SEMSET_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/layout.h"
#include "sync/robust.h"

enum {
	MDG__VALUE_MAX = 32767, /* SEMVMX, and the end of the sums (SEMAEM) */
	MDG__OPS_MAX = 500,     /* operations in one call */
	MDG__SETSIZE_MAX = 65535,
	MDG__BLOCK = 128,
	MDG__BLOCKS_MOST = 1 << 20 /* in a heap */
};

/* A semaphore's word, one 64-bit number:
 *
 *     bits 0..15   the value
 *     bit  16      BUSY
 *     bit  17      EXPRESS: a slip has the semaphore; express.c says what the other bits are then
 *     bits 18..31  0
 *     bits 32..63  sempid: the process that changed it last
 *
 * While BUSY is not set, anyone may swap the word for another one [A]. While it
 * is set, only the holder of the lock writes the word [J]. The holder sets BUSY before it looks at
 * the word. BUSY stays while a sleeper names the semaphore. It also stays if the holder dies; the
 * next holder that uses the semaphore takes it away. */
#define MDG__BUSY       UINT64_C(0x10000)
#define MDG__EXPRESS    UINT64_C(0x20000)
#define MDG__WORD_FLAGS UINT64_C(0xffff0000)

static inline int32_t mdg__word_value(uint64_t word)
{
	return (int32_t)(word & 0xffff);
}
static inline int32_t mdg__word_pid(uint64_t word)
{
	return (int32_t)(word >> 32);
}
static inline uint64_t mdg__word(int32_t value, uint64_t flags, int32_t pid)
{
	return ((uint64_t)(uint32_t)pid << 32) | (flags & MDG__WORD_FLAGS) |
	       ((uint64_t)(uint32_t)value & 0xffff);
}

struct mdg__semaphore {
	mdg__a64 word;   /* see above */
	mdg__a32 named;  /* [J] how many operations of sleepers name this semaphore */
	mdg__a32 staged; /* [L] the value that set_value or set_all is about to store */
};

struct mdg__semset_list {
	mdg__a32 first1, last1; /* [J] */
};

struct mdg__semset_head {
	mdg__a32 lock, turns;         /* [A] registry/signed_lock.h */
	mdg__a32 note_count, version; /* the journal's own */
	mdg__a32 removed;             /* [L] 1: the set is gone, and everything fails */
	mdg__a32 big_notes1;  /* [L] where the large journal begins in the heap; 0: not made */
	mdg__a64 otime;       /* [A] seconds: the last semop */
	mdg__a64 ctime;       /* [A] seconds: the last set_value or set_all; 0: none */
	mdg__a32 serving1;    /* [J] the sleeper whose operations are just being done */
	mdg__a32 unserved;    /* [J] a value has changed, and the sleepers were not looked at:
	                         VALUE_CHANGED or VALUE_IS_ZERO */
	mdg__a32 setting1;    /* [J] a semaphore + 1, or SETTING_ALL: `staged` is to be stored */
	mdg__a32 setting_pid; /* [J] for whom */
	struct mdg__semset_list queue; /* [J] who sleeps, by arrival */
	struct mdg__semset_list done;  /* [J] who was served and has not run yet */
	mdg__a32 sleepers;             /* [J] in the queue */
	mdg__a32 lists;                /* [J] of them, with several operations */
	mdg__a32 holders1;             /* [J] the first holder, the newest */
	mdg__a32 free1;                /* [J] the first free block */
	mdg__a32 fresh;                /* [J] blocks from here on were never used */
	mdg__a32 slips1;               /* [J] the slips of all threads */
	mdg__a32 promised1;            /* [J] where the large journal will begin; then big_notes1 */
	mdg__a32 unused[7];
};
/* IS_ZERO: and one of the semaphores that were named is 0. */
enum { MDG__VALUE_CHANGED = 1, MDG__VALUE_IS_ZERO };
#define MDG__SETTING_ALL UINT32_MAX

enum {
	MDG__FEW_NOTES = 104, /* in the small journal; enough for lists of up to FEW operations */
	MDG__FEW_OPS = 16,
	MDG__BIG_NOTES = 2240 /* in the large journal */
};
#define MDG__NOTES_AT      128u
#define MDG__SEMAPHORES_AT 1792u

/* Kinds of blocks. */
enum {
	MDG__BLOCK_FREE,
	MDG__SLEEPER, /* in `queue` */
	MDG__SERVED,  /* a sleeper in `done` */
	MDG__MORE,    /* further operations of a sleeper */
	MDG__HOLDER,
	MDG__SUMS,
	MDG__SLIP
};

/* What all blocks begin with. */
struct mdg__block {
	mdg__a32 kind; /* [J] */
	mdg__a32
		next1; /* [J] of a FREE one, MORE or SUMS. The others have their robust word here */
	mdg__a64 content[15];
};

typedef _Atomic uint16_t mdg__a16;

/* The word of a sleeper: the thread's id while it sleeps; OWNER_DIED if the kernel has found it
 * dead; or one of these, swapped in by whoever ends the sleep. They are no thread's id, because
 * those are below 2^22. Exactly one of the three happens: all are compare-and-swaps of the id. */
enum {
	MDG__ENDED = 0x20000000, /* the bit of all */
	MDG__ENDED_DONE = 0x20000001,
	MDG__ENDED_AGAIN,       /* an operation with NOWAIT blocks now */
	MDG__ENDED_RANGE,       /* the value or a sum would leave its range */
	MDG__ENDED_REMOVED,     /* the set is gone */
	MDG__ENDED_LEFT,        /* by the sleeper itself: a signal, or its time is over */
	MDG__ENDED_BACK = 0x100 /* beside one of the above: the sleeper needs its block no more */
};

/* UNWITNESSED: the thread could not enter the word in its list. TIMED: the sleep ends by itself.
 * SELDOM: it is far from the head of the queue, and looks less often. The time is that of the
 * monotonic clock, modulo 2^29. It is only shown. */
enum { MDG__UNWITNESSED = 1, MDG__TIMED = 2, MDG__SELDOM = 4, MDG__ABOUT_BITS = 3 };

/* An operation as one number: semaphore, change, flags; 16 bits each, from below. */
enum { MDG__OPS_HERE = 4, MDG__OPS_MORE = 15 };

struct mdg__sleeper {
	mdg__a32 kind;             /* [J] SLEEPER or SERVED */
	struct mdg__robust robust; /* [O] of the sleeping thread; the word: see above */
	mdg__a32 next1, previous1; /* [J] in `queue` or `done` */
	mdg__a32 pid;       /* [O] the process; constant while linked, as all below but watching1 */
	mdg__a64 start;     /* [O] when the process began, see process.c */
	mdg__a16 count;     /* [O] operations */
	mdg__a16 blocked;   /* [L] the one that could not be done when it was last looked at */
	mdg__a32 pids;      /* [O] the process's pid namespace; 0: not known */
	mdg__a32 more1;     /* [O] those beyond the first four */
	mdg__a32 holder1;   /* [O] who gets the sums; 0: no operation has UNDO */
	mdg__a32 watching1; /* [J] the holder on whose witness it sleeps; 0: on its own word */
	mdg__a32 about;     /* [O] the flags above, and << 3 when it lay down, in milliseconds */
	mdg__a64 operations[MDG__OPS_HERE]; /* [O] */
};

/* A process that has used UNDO in this set. */
struct mdg__set_holder {
	mdg__a32 kind;              /* [J] */
	struct mdg__robust witness; /* [A] in the robust list of one of its threads */
	mdg__a32 next1;             /* [J] */
	mdg__a32 pid;               /* [O] as all below but the two links */
	mdg__a32 watcher1;          /* [J] the sleeper that sleeps on the witness */
	mdg__a64 start;             /* when the process began; 0: not known */
	mdg__a64 pid_namespace;     /* 0: not known */
	mdg__a32 slot1, generation; /* of the process in the namespace */
	mdg__a32 sums1;             /* [J] */
	mdg__a32 unused;
	mdg__a64 unused2[4];
};

enum { MDG__SUMS_HERE = 14 };
struct mdg__sums {
	mdg__a32 kind;    /* [J] */
	mdg__a32 next1;   /* [J] */
	mdg__a32 page;    /* [O] of semaphores page * 14 to page * 14 + 13 */
	mdg__a32 holder1; /* [O] */
	mdg__a64
		sums[MDG__SUMS_HERE]; /* bits 0..15 the sum, bits 16..63 a count of its changes. [J]
	                                  while the semaphore is BUSY, [A] while a slip has it */
};
static inline int32_t mdg__sum_value(uint64_t sum)
{
	return (int16_t)(uint16_t)sum;
}
/* The same word with another sum. */
static inline uint64_t mdg__sum_with(uint64_t sum, int32_t value)
{
	return (sum & ~UINT64_C(0xffff)) | (uint16_t)value;
}

/* What a thread is about to change, see express.c. Only the thread writes it [O], except for
 * `state`. */
enum { MDG__SLIP_IDLE, MDG__SLIP_TRIED, MDG__SLIP_DONE, MDG__SLIP_ABORTED };
enum { MDG__SLIP_ENTRIES = 3, MDG__SLIP_OPS = 4, MDG__SLIP_CHANGE_MAX = 4096 };
struct mdg__entry_of_slip {
	mdg__a64 old;          /* the word as it was */
	mdg__a64 sum;          /* the sum's word as it was; valid from DONE on */
	mdg__a32 number_value; /* the semaphore, and << 16 its new value */
	mdg__a32 sum_change;   /* to be added to the sum */
};
struct mdg__slip {
	mdg__a32 kind, next1; /* [J] */
	mdg__a64 state; /* [A] 4 * number + one of the above: TRIED and IDLE by the thread, DONE
	                         and ABORTED by swaps from TRIED */
	mdg__a32 pid, tid;
	mdg__a64 start;
	mdg__a32 holder1; /* gets the sums; 0: none */
	mdg__a32 count;   /* entries */
	struct mdg__entry_of_slip entries[MDG__SLIP_ENTRIES];
	mdg__a32 pids;              /* the process's pid namespace; 0: not known */
	mdg__a32 slot1, generation; /* of the process in the namespace */
	mdg__a32 writing; /* 1: a call writes here, and no other call of the thread does */
};

#define MDG__AT_OFFSET(type, field, offset)                                                        \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
MDG__AT_OFFSET(mdg__semaphore, named, 8);
_Static_assert(sizeof(struct mdg__semaphore) == 16, "");
MDG__AT_OFFSET(mdg__semset_head, note_count, 8);
MDG__AT_OFFSET(mdg__semset_head, removed, 16);
MDG__AT_OFFSET(mdg__semset_head, otime, 24);
MDG__AT_OFFSET(mdg__semset_head, serving1, 40);
MDG__AT_OFFSET(mdg__semset_head, queue, 56);
MDG__AT_OFFSET(mdg__semset_head, sleepers, 72);
MDG__AT_OFFSET(mdg__semset_head, fresh, 88);
_Static_assert(sizeof(struct mdg__semset_head) == 128, "");
_Static_assert(MDG__NOTES_AT + MDG__FEW_NOTES * sizeof(struct mdg__undo) == MDG__SEMAPHORES_AT, "");
_Static_assert(sizeof(struct mdg__block) == MDG__BLOCK, "");
MDG__AT_OFFSET(mdg__sleeper, robust, 4);
MDG__AT_OFFSET(mdg__sleeper, next1, 52);
MDG__AT_OFFSET(mdg__sleeper, start, 64);
MDG__AT_OFFSET(mdg__sleeper, operations, 96);
_Static_assert(sizeof(struct mdg__sleeper) == MDG__BLOCK, "");
MDG__AT_OFFSET(mdg__set_holder, witness, 4);
MDG__AT_OFFSET(mdg__set_holder, next1, 52);
MDG__AT_OFFSET(mdg__set_holder, start, 64);
MDG__AT_OFFSET(mdg__set_holder, slot1, 80);
MDG__AT_OFFSET(mdg__set_holder, sums1, 88);
_Static_assert(sizeof(struct mdg__set_holder) == MDG__BLOCK, "");
MDG__AT_OFFSET(mdg__slip, state, 8);
MDG__AT_OFFSET(mdg__slip, entries, 40);
_Static_assert(sizeof(struct mdg__slip) == MDG__BLOCK, "");
MDG__AT_OFFSET(mdg__sums, sums, 16);
_Static_assert(sizeof(struct mdg__sums) == MDG__BLOCK, "");

#endif
