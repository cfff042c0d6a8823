/* SPDX-License-Identifier: MIT */
/*
 * own.h - what a thread keeps to itself.
 *
 * WHAT A THREAD KEEPS (struct mdg__heap_own) makes allocation fast, and nobody else sees it: the
 * word of the bitmap in which it looks for a free block, blocks that it has freed lately, and lists
 * of its slabs. All of it is derived. What lies in such a list is free by its bit. So when the
 * thread dies, nothing is lost with it.
 *
 * WHICH SLABS ARE ITS OWN it also keeps (`slabs`), and asks that first when it frees a block.
 * Nobody else gives a slab back, or to another owner, while its owner lives. Of all other blocks it
 * asks the word of the unit in shared memory.
 *
 * HANDLERS. A signal handler may interrupt any function of this room, and call any of them. It
 * finds in what the thread keeps that it is not `idle`, and takes another one (`inner`), with a
 * slot of its own. So a handler never sees private data half changed. Where head.lock is held,
 * signals are blocked.
 *
 * FORK. A forked child finds what its parent's thread kept, with the parent's epoch
 * (platform/epoch.h), and begins anew, with a slot of its own.
 */
#ifndef MADANG_HEAP_OWN_H
#define MADANG_HEAP_OWN_H

#include "heap/handle.h"
#include "platform/epoch.h"
#include "platform/ofthread.h"
#include "sync/txn.h"

/* ---- caches, one for each class ------------------------------------------------------------ */

#define MDG__SLAB_BITS ((uintptr_t)MDG__SLAB_WORDS * 64) /* of `free`, for each unit */

/* A block that was freed lately. */
struct mdg__late {
	uintptr_t bit; /* of `free`, counted from the first bit of the heap */
	unsigned char *block;
};
enum { MDG__LATE = 32, MDG__LATE_BYTES = MDG__LATE * sizeof(struct mdg__late) };

/* For one class. What each allocation and freeing looks at is in the first line. */
struct mdg__heap_cache {
	_Atomic uint64_t *word; /* of `free`, in which the next block is looked for; never NULL */
	unsigned char *base;    /* of the block that bit 0 of the word stands for */
	uintptr_t first;        /* that bit, counted from the first bit of the heap */
	uint64_t mask;          /* bits of the word that stand for blocks */
	uint64_t whole;         /* these are constant, and those of mdg__heap_classes; */
	uint32_t size, inverse, blocks; /* but `blocks` is 0 for medium ones */
	uint32_t late_bytes;            /* that are used of `late` */
	uint32_t tick;                  /* words that became wholly free */
	uint32_t tick_mask;             /* when tick & tick_mask is 0, whole slabs are looked for */
	uint32_t unit1;                 /* the slab in use: its unit + 1; 0: none */
	uint32_t at;                    /* index of `word` in the slab's words */
	uint32_t partial, full;         /* lists of slabs of this thread, by `links`: unit + 1 */
	uint32_t look_partial, look_full; /* where to look next in them: unit + 1; 0: at the head */
	/* Blocks that were freed lately: hints, the bit decides. All are of slabs of this
	 * thread. */
	_Alignas(64) struct mdg__late late[MDG__LATE];
};

/* A word is about to become wholly free. Now and then, slabs that are free as a whole are looked
 * for. */
static inline bool mdg__is_time_to_tidy(const struct mdg__heap_cache *cache)
{
	return ((cache->tick + 1) & cache->tick_mask) == 0;
}

/* The place in `late` that is so many bytes behind its beginning. They are counted in bytes, so
 * that nothing is multiplied. */
static inline struct mdg__late *mdg__late_at(struct mdg__heap_cache *cache, uint32_t bytes)
{
	return (struct mdg__late *)(void *)((unsigned char *)cache->late + bytes);
}

static inline void mdg__cache_remember(struct mdg__heap_cache *cache, uintptr_t bit,
                                       unsigned char *block)
{
	uint32_t used = cache->late_bytes;
	if (__builtin_expect(used >= MDG__LATE_BYTES, 0))
		return;
	struct mdg__late *late = mdg__late_at(cache, used);
	late->bit = bit;
	late->block = block;
	cache->late_bytes = used + (uint32_t)sizeof *late;
}

/* ---- what a thread keeps ------------------------------------------------------------------- */

/* Where a slab is in the lists of its thread. What stands in `heads` is not asked for that: anybody
 * may write there, and a slab that were in the lists of two classes would lead out of the heap. */
struct mdg__link {
	uint32_t next;   /* unit + 1, and MDG__LINK_FULL */
	uint32_t prev;   /* unit + 1; 0: it is the first */
	uint32_t class1; /* class + 1; 0: no slab of this thread begins here */
};
#define MDG__LINK_FULL 0x80000000u

/* A span that the thread has freed and keeps. */
enum { MDG__KEPT_MOST = 16 };
struct mdg__kept {
	uint32_t unit, units;
};

/* Blocks of a checked heap that the thread does not give out yet, of one class: a ring
 * (quarantine.h). */
enum { MDG__PARKED = 32 };
struct mdg__quarantine {
	uint32_t first, count;
	_Atomic uint64_t *word[MDG__PARKED]; /* of `free` */
	uint64_t bit[MDG__PARKED];
};

/* A transaction that the thread runs, and in which it holds or frees blocks (joined.c). */
struct mdg__joined {
	struct mdg__txn_guest guest; /* number 0: this is free */
	struct mdg__heap_own *own;
	uint64_t txn;   /* where in the heap */
	uint32_t hands; /* a bit for each */
};

/* The first part of what a thread keeps. */
struct mdg__heap_idle {
	/* For which heap it is. NULL: an operation of the thread is under way. */
	struct mdg__heap *volatile heap;
};

struct mdg__heap_own {
	struct mdg__heap_idle idle;
	/* For each unit: the cache of its class, if it is a slab of this thread that is not in the
	 * list of full ones. NULL: it may be anything. Sparse, as long as the capacity */
	struct mdg__heap_cache **slabs;
	struct mdg__link *links; /* of each unit. As long */
	struct mdg__heap *heap;
	struct mdg__heap_slot *slot;
	_Atomic uint32_t slot1;      /* index of the slot + 1; 0: none. [the thread] */
	_Atomic uint32_t generation; /* of the slot. [the thread] */
	/* Whose it is: the epoch of the process, and above it the thread's id. 0: nobody's. [A]
	 * Other threads of the process read it to find one that nobody living has. */
	_Atomic uint64_t whose;
	int why;        /* mdg_heap_why */
	uint32_t tag;   /* mdg_alloc_tag */
	uint64_t label; /* what a block of this thread gets in a heap with labels; time is added */
	uint32_t reading;      /* how deep in read sections */
	uint32_t hands;        /* a bit for each hand of the slot that holds a block */
	uint32_t joined_hands; /* the same: hands that a transaction has */
	/* Of each hand that holds a block: where its label is. NULL: to be looked up. */
	_Atomic uint64_t *held_label[MDG__HANDS];
	uint32_t fences; /* what is known of membarrier; 0: nothing, see read.c */
	/* The bag into which the thread puts what it retires, and how much is in it. 0: none is
	 * open. */
	uint64_t bag, bag_bytes;
	uint32_t bag_used;
	uint32_t adopt; /* where to look next for slabs without an owner: word of the bitmap */
	struct mdg__heap_own *inner;     /* for a handler that interrupts the thread */
	struct mdg__heap_own *others;    /* the next one of this thread, for another heap */
	struct mdg__heap_own *next;      /* in heap->owns; constant */
	int64_t minute_from;             /* seconds: when the minute began that stands in `label` */
	uint32_t kept_count, kept_units; /* of `kept`, and units of all of them */
	struct mdg__kept kept[MDG__KEPT_MOST];
	struct mdg__joined joined[MDG_HELD_MOST];
	/* For each size of small blocks, in steps of 16 bytes: where the cache of its class lies,
	 * in bytes from the beginning of this. */
	uint16_t small[MDG__SMALL_MOST / 16 + 1];
	/* Of classes that do not exist there are no blocks. */
	_Alignas(64) struct mdg__heap_cache cache[MDG__CLASS_ROOM];
	struct mdg__quarantine quarantine[MDG__HEAP_CLASSES_ALL]; /* untouched unless checked */
};

_Static_assert(offsetof(struct mdg__heap_own, quarantine) <= UINT16_MAX, "see `small`");

/* The cache of the class of blocks of so many bytes. [size <= MDG__SMALL_MOST] */
static inline struct mdg__heap_cache *mdg__cache_small(struct mdg__heap_own *own, size_t size)
{
	unsigned char *from = (unsigned char *)own + own->small[(size + 15) / 16];
	struct mdg__heap_cache *cache = (struct mdg__heap_cache *)(void *)from;
	__asm__("" : "+r"(cache)); /* so that it is not computed again for each of its fields */
	return cache;
}

/* What a thread knows. It is true if `epoch` is that of the process. */
struct mdg__heap_thread {
	/* The first part of what it has used last; never NULL. Never of a checked heap: there,
	 * nothing is done at once. */
	struct mdg__heap_idle *last;
	struct mdg__heap_own *first; /* the list of all that it has, by `others` */
	/* Where the epoch of the process is now: mdg__epoch_word, as it was when `epoch` was
	 * noted. */
	_Atomic uint32_t *epoch_now;
	uint32_t epoch;
	int why; /* of the last failure for which there was no struct mdg__heap_own */
	const struct mdg__heap *failed; /* which heap that was */
};
extern MDG__OF_THREAD struct mdg__heap_thread mdg__heap_thread;
/* What `last` is if a thread has used nothing yet: idle for no heap. */
extern struct mdg__heap_idle mdg__heap_nothing;

/* ---- own.c --------------------------------------------------------------------------------- */

/* Finds or makes it, and a slot. NULL: *ret_why, which is 0 otherwise. */
struct mdg__heap_own *mdg__own_find(struct mdg__heap *heap, int *ret_why);
/* What mdg_heap_why says when there is no struct mdg__heap_own. */
void mdg__own_failed(const struct mdg__heap *heap, int why);
/* [signals blocked] The calling thread gives back what it has in the heap, as if it had died. */
void mdg__own_leave(struct mdg__heap *heap);
/* Whether a thread of this process that lives has it. The kernel has marked the slot of a thread a
 * moment before the thread is gone; until then it lives. */
bool mdg__own_lives(const struct mdg__heap *heap, const struct mdg__heap_own *own);
/* Whether none has it. If a thread is just ending, by its slot, this waits for it: up to a second,
 * since somebody may have scribbled on the slot. */
bool mdg__own_has_ended(const struct mdg__heap *heap, const struct mdg__heap_own *own);
void mdg__own_unmap(struct mdg__heap *heap, struct mdg__heap_own *own);

/* What the thread has used last, if it is for this heap and no operation is under way. */
static inline struct mdg__heap_own *mdg__own_at_once(const struct mdg__heap *heap)
{
	const struct mdg__heap_thread *thread = mdg__of_thread(&mdg__heap_thread);
	struct mdg__heap_idle *last = thread->last;
	/* In a forked child, what its parent's thread has used may be unmapped: the epoch comes
	 * first. */
	bool ready = MDG__LOAD(*thread->epoch_now) == thread->epoch && last->heap == heap;
	return __builtin_expect(ready, 1) ? (struct mdg__heap_own *)(void *)last : NULL;
}

/* Begins an operation: what the thread keeps for this heap, marked as busy. */
static inline struct mdg__heap_own *mdg__own_begin(struct mdg__heap *heap, int *ret_why)
{
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	if (__builtin_expect(own == NULL, 0))
		own = mdg__own_find(heap, ret_why);
	if (__builtin_expect(own != NULL, 1)) {
		own->idle.heap = NULL;
		atomic_signal_fence(memory_order_seq_cst);
	}
	return own;
}
static inline void mdg__own_end(struct mdg__heap_own *own)
{
	atomic_signal_fence(memory_order_seq_cst);
	own->idle.heap = own->heap;
}

#endif
