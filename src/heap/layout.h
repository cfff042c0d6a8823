/* SPDX-License-Identifier: MIT */
/*
 * layout.h - a heap as it lies in its segment.
 *
 * The segment is as long as the heap can ever be, and sparse. Memory is promised to it piece by
 * piece (units.c), and no table is touched where it is not promised yet.
 *
 *     head | roots | slots | heads | hints | 4 bitmaps | free | remote | labels | data
 *
 * Where each part begins follows from the capacity and the number of slots alone (mdg__parts). A
 * process computes it once, from numbers that it has checked, and keeps the result in its own
 * memory. Nothing that is read later can lead outside of that.
 *
 * UNITS. The data consist of units of 64 KiB. Small blocks (to 8 KiB) lie in slabs of one unit,
 * medium ones (to 128 KiB) in slabs of 16 units, and larger ones have a SPAN of units for
 * themselves. All blocks of a slab have one size: that of its class.
 *
 * THE TRUTH about a block of a slab is two bits. `free` has 1 if the block is free; only the owner
 * of the slab writes it, with ordinary stores. `remote` has 1 if somebody else has freed it since;
 * anybody sets it, the owner moves it to `free`. A block is free if either bit is 1. The truth
 * about a unit is its word in `heads`. Each operation changes the truth by one store. So it does
 * not matter where a thread is killed: the operation has happened, or it has not.
 *
 * Who may write a field stands beside it:
 *   [L]  the holder of head.lock           [O]  the owner of the slab, or the sweeper of a dead one
 *   [S]  the thread that has the slot, or its sweeper           [A]  anybody, atomically
 *   [1]  the maker of the heap, before `ready`
 */
#ifndef MADANG_HEAP_LAYOUT_H
#define MADANG_HEAP_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "madang/heap.h"
#include "sync/owned.h"
#include "sync/robust.h"

#define MDG__HEAP_MAGIC UINT64_C(0x70616568676e616d) /* "mangheap"; other endianness: unlike */

enum {
	MDG__HEAP_FORMAT = 1,
	MDG__UNIT_SHIFT = 16,
	MDG__UNIT_BYTES = 1 << MDG__UNIT_SHIFT,
	MDG__MEDIUM_UNITS = 16, /* of a slab of medium blocks */
	MDG__PIECE_UNITS = 16, /* promised at once, at most: 1 MiB, unless more is needed at once */
	MDG__SMALL_CLASSES = 32, /* 16 bytes to 8 KiB */
	MDG__HEAP_CLASSES_ALL = MDG_HEAP_CLASSES,
	MDG__SMALL_MOST = 8192,
	MDG__MEDIUM_MOST = 131072,
	MDG__SLAB_WORDS = 64,      /* of a bitmap: 4096 blocks of 16 bytes */
	MDG__LABELS_OF_UNIT = 4096 /* words of 8 bytes */
};

/* ---- the head ------------------------------------------------------------------------------ */

struct mdg__heap_head {
	_Atomic uint64_t magic;       /* [1] */
	_Atomic uint32_t format;      /* [1] */
	_Atomic uint32_t ready;       /* [1] release; acquire by all who open it */
	_Atomic uint32_t flags;       /* [1] MDG_HEAP_HOME, LABELS, CHECKED */
	_Atomic uint32_t slots;       /* [1] how many */
	_Atomic uint64_t capacity;    /* [1] units */
	_Atomic uint64_t home;        /* [1] address of the head; 0: none */
	_Atomic uint64_t identity[2]; /* [1] random */
	_Atomic uint64_t begun;       /* [1] realtime nanoseconds when it was made */
	_Atomic uint64_t limit;       /* [A] units that may be committed */
	_Atomic uint64_t keep;        /* [A] free units that are not given back */
	uint64_t none0[6];
	struct mdg__owned lock; /* the lock of the units, the slots and the roots */
	/* The rest of the line is derived from the tables. Who gets the lock from a dead one counts
	 * it again. */
	_Atomic uint64_t high;       /* [L] units that were ever promised; these tables may be read.
	                               Release, after they are promised; acquire */
	_Atomic uint64_t committed;  /* [L] units that have memory now */
	_Atomic uint64_t free;       /* [L] of these, how many are free */
	_Atomic uint64_t lowest;     /* [L] no unit below is free */
	_Atomic uint32_t slots_high; /* [L] slots that were ever promised. Release, acquire */
	_Atomic uint32_t fences;     /* [A] 1: readers have to fence by themselves, see read.c */
	_Atomic uint64_t epoch;      /* [A] of the readers; 1 when the heap is made */
	_Atomic uint64_t abandoned;  /* [A] about how many slabs have no owner: a hint */
	_Atomic uint64_t next_look;  /* [A] where to look next for a dead slot: a hint */
	_Atomic uint64_t
		fences_since; /* [A] monotonic nanoseconds when `fences` was set; 0: never */
};

/* ---- roots --------------------------------------------------------------------------------- */

/* The state of a root: how often the entry was given a name, and below it one of these. */
enum { MDG__ROOT_FREE = 0, MDG__ROOT_NAMED = 1 };
#define MDG__ROOT_STATE(word) ((word)&1u)
/* What the place of a root contains that was removed. The removal is this one store; that the entry
 * is made free follows from it. No mark of a taker has this value. */
#define MDG__PLACE_REMOVED UINT64_C(1)

struct mdg__heap_root {
	_Atomic uint32_t state;   /* [L] last, release */
	_Atomic uint32_t version; /* [L] */
	_Atomic uint64_t type;    /* [L] */
	_Atomic uint64_t place;   /* [A] what everybody knows as *ret_place */
	/* Who is to fill it: slot + 1, and above it the generation of that slot. 0: nobody. [L],
	 * and [A] to 0 when the place was filled. */
	_Atomic uint64_t maker;
	/* A futex word: counted up by 2 when the place or the maker changes. The lowest bit says
	 * that somebody may sleep. [A] */
	_Atomic uint32_t changes;
	uint32_t none[3];
	_Atomic uint64_t name[(MDG_ROOT_NAME_MAX + 1) / 8]; /* [L] text, zeros to the end */
	uint64_t none2[4];
};
#define MDG__MAKER(slot1, generation) ((uint64_t)(generation) << 32 | (slot1))

/* ---- slots: one for each thread ------------------------------------------------------------ */

enum mdg__hand_op {
	MDG__HAND_NONE = 0,
	MDG__HAND_HELD,    /* `ref` is the thread's own; if it dies, to be freed */
	MDG__HAND_PUBLISH, /* it is about to store `ref` in `place`, over `old` */
	MDG__HAND_TAKE,    /* it is about to take `ref` out of `place` */
	MDG__HAND_FREE,    /* it is about to free `ref` */
	MDG__HAND_SWAP, /* it is about to store `ref` in `place`, and to hold `old` instead. As soon
	                      as `ref` is `old`, it holds that */
	/* Of a transaction: `place` is where its mdg_txn is, `old` the number with which this
	 * thread has joined it. */
	MDG__HAND_TXN_HOLD, /* if that number commits, `ref` is live; else it is to be freed */
	MDG__HAND_TXN_FREE, /* if that number commits, `ref` is to be freed; else it stays */
	MDG__HAND_TXN_DROP, /* `ref` is to be freed in both cases, but not while records may still
	                       be copied into it */
	MDG__HAND_LAST = MDG__HAND_TXN_DROP
};

struct mdg__hand {
	_Atomic uint64_t ref;   /* [S] */
	_Atomic uint64_t place; /* [S] where in the heap */
	_Atomic uint64_t old;   /* [S] */
	/* [S] stored last, release. The low bits: enum mdg__hand_op, and these marks. The high ones
	 * are counted up with each operation, so that two looks at a hand show whether it is the
	 * same operation. [A] MDG__HAND_DONE, by CAS. */
	_Atomic uint64_t op;
};
#define MDG__HAND_OP(word) ((uint32_t)(word)&0xffu)
#define MDG__HAND_POINTER  UINT64_C(0x100) /* the place has pointers */
/* PUBLISH, SWAP: somebody saw `ref` in the place. TXN_*: that number has committed, and its records
 * are copied for good: said by the next one that joins the transaction. */
#define MDG__HAND_DONE UINT64_C(0x200)
/* HELD: the block was taken out of a place, so readers may be in it. If the thread dies, it is
 * freed when these have ended (mdg__readers_passed), and not at once. TAKE, PUBLISH and SWAP keep
 * the mark for the block that is held when they end. */
#define MDG__HAND_SEEN  UINT64_C(0x400)
#define MDG__HAND_COUNT UINT64_C(0x10000)

/* The hands of a thread: those that programs use, and one that the library uses by itself, in
 * retire.c. What that one holds is never SEEN: no reader is in it. */
enum { MDG__HAND_OWN = MDG_HELD_MOST, MDG__HANDS };

/* The number with which a thread joins a transaction (sync/txn.h). It is no reference. */
#define MDG__JOINED(slot1, count) ((uint64_t)(slot1) << 48 | ((count)&UINT64_C(0xffffffffffff)))
#define MDG__JOINED_SLOT1(number) ((uint32_t)((number) >> 48))

struct mdg__heap_slot {
	_Atomic uint32_t generation; /* [S] counted up when the slot is made free */
	/* The thread's id while it lives, and 0 if the slot is free. The kernel marks the death
	 * (MDG__DIED). Who sweeps puts its own id in place of the mark [A]: if it dies too, the
	 * kernel marks the slot again. */
	struct mdg__robust life;
	_Atomic int32_t pid;        /* [S] of the process, as it numbers itself */
	_Atomic uint64_t signature; /* [S] of the process: mdg__sign */
	_Atomic uint64_t epoch;     /* [S] 0: not in a read section */
	_Atomic uint64_t retired;   /* [S] the newest bag of retired blocks: a reference */
	_Atomic uint64_t oldest;    /* [S] epoch of the oldest full bag; 0: none */
	_Atomic uint64_t count;     /* [S] of retired blocks: for people who look */
	_Atomic uint64_t left;      /* [S] of a dead slot: the epoch in which it was found dead */
	/* [S] How many transactions its threads have joined: the slot and this are a number that is
	 * never used again in this heap. */
	_Atomic uint64_t joined;
	uint64_t none[4];
	struct mdg__hand hands[MDG__HANDS];
	uint64_t none2[10];
};

/* ---- bags of retired blocks ---------------------------------------------------------------- */

/* A bag is a block. Its blocks are places, to which the retired blocks are published. `next` is the
 * place of the bag that was begun before it. The newest one stands in slot.retired. All of it is
 * [S]. */
enum { MDG__BAG_BLOCKS = 124 };
struct mdg__bag {
	_Atomic uint64_t next;
	_Atomic uint64_t full; /* the epoch that ended when it was closed; 0: it is open */
	uint64_t none[2];
	_Atomic uint64_t blocks[MDG__BAG_BLOCKS];
};

/* ---- what a unit is ------------------------------------------------------------------------ */

/* A word of `heads`:  state | class << 8 | owner << 16 | units << 32.
 * [L] takes and gives units. The owner is also written by who adopts a slab that has none (CAS from
 * 0) and by the sweeper of a dead owner. `owner` is a slot + 1. The owner of a span is the thread
 * that holds it (CAS by hand.c), and 0 if it is not held: a span needs no label for that. */
enum mdg__unit_state {
	MDG__UNIT_FREE = 0,
	MDG__UNIT_SLAB = 1,  /* small blocks: one unit; medium ones: the first of 16 */
	MDG__UNIT_INNER = 2, /* of a medium slab: `units` is the distance to the first */
	MDG__UNIT_SPAN = 3,  /* one block of `units` units. Those behind the first are FREE in their
	                        own words, and are passed over */
	MDG__UNIT_KEPT = 4   /* a span that is free. Its owner, the thread that has freed it, keeps
	                        it for its next allocations. Otherwise as SPAN */
};

#define MDG__HEAD(state, class, owner, units)                                                      \
	((uint64_t)(state) | (uint64_t)(class) << 8 | (uint64_t)(owner) << 16 |                    \
	 (uint64_t)(units) << 32)
#define MDG__HEAD_STATE(head) ((uint32_t)(head)&0xffu)
#define MDG__HEAD_CLASS(head) ((uint32_t)((head) >> 8) & 0x3fu) /* may be 48 and more: check */
#define MDG__HEAD_OWNER(head) ((uint32_t)((head) >> 16) & 0xffffu)
#define MDG__HEAD_UNITS(head) ((uint32_t)((head) >> 32))

/* The four bitmaps, a bit a unit. */
enum mdg__unit_bits {
	/* [L] it has memory. The truth: set after it has, cleared before it has none */
	MDG__BITS_COMMITTED,
	MDG__BITS_FREE,      /* [L] derived: it is committed or not, and nobody has it */
	MDG__BITS_LABELLED,  /* [A] its labels have memory: set after they have */
	MDG__BITS_ABANDONED, /* [A] a hint: a slab without an owner begins here */
	MDG__BITS_ALL
};

/* ---- labels -------------------------------------------------------------------------------- */

/* A label is a word for each block, by its index in the slab (of a medium slab: in the first unit's
 * labels). A span has one, without `held`.
 *     held (1 bit) | slot + 1 (15) | generation of that slot (8) | tag (20) | time (20)
 * from the highest bit down. Time is in minutes since `begun`. 0: nothing is known.
 * `held` says that the thread with this slot holds the block, or that its sweeper has not come yet.
 * Only a block whose label is held by a dead slot may be freed for that slot. A block that is free
 * and in nobody's hand has no `held`: who frees one clears that. */
#define MDG__LABEL_HELD (UINT64_C(1) << 63)
#define MDG__LABEL(slot1, generation, tag, minutes)                                                \
	((uint64_t)(slot1) << 48 | (uint64_t)((generation)&0xffu) << 40 |                          \
	 (uint64_t)((tag)&MDG_TAG_MOST) << 20 | (uint64_t)((minutes)&0xfffffu))
#define MDG__LABEL_SLOT1(label)      ((uint32_t)((label) >> 48) & 0x7fffu)
#define MDG__LABEL_GENERATION(label) ((uint32_t)((label) >> 40) & 0xffu)

/* What a place contains while somebody takes a block out of it. `secret` is the low half of the
 * heap's identity: so no number of the program's is taken for a mark, if the memory of the place
 * has another use by the time that somebody looks. */
#define MDG__PLACE_MARK(slot1, generation, secret)                                                 \
	((uint64_t)((secret)&0xffffffffu) << 32 | (uint64_t)((generation)&0xffffu) << 16 |         \
	 (uint64_t)(slot1) << 1 | 1)
#define MDG__MARK_SLOT1(mark) ((uint32_t)((mark) >> 1) & 0x7fffu)

_Static_assert(offsetof(struct mdg__heap_head, lock) == 128, "");
_Static_assert(offsetof(struct mdg__heap_head, high) == 256, "");
_Static_assert(offsetof(struct mdg__heap_head, epoch) == 296, "");
_Static_assert(sizeof(struct mdg__heap_head) <= 4096, "");
_Static_assert(sizeof(struct mdg__heap_root) == 128, "");
_Static_assert(sizeof(struct mdg__hand) == 32, "");
_Static_assert(offsetof(struct mdg__heap_slot, life.word) == 8,
               "a node is aligned as the library's");
_Static_assert(offsetof(struct mdg__heap_slot, hands) == 144, "");
_Static_assert(sizeof(struct mdg__heap_slot) == 512, "");
_Static_assert(sizeof(struct mdg__bag) == 1024, "");

#endif
