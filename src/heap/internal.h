/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of this room share: the handle of a process, what a thread keeps to
 * itself, and the functions of the lower floors.
 *
 * WHAT IS BELIEVED. Unit, class and index of a block are compared with private constants before
 * they are used. Addresses are computed from the private pointers in the handle. So whatever the
 * tables say, what is read and written lies in the heap. No list in shared memory is followed, but
 * bags of retired blocks, and these for a bounded number of steps.
 *
 * WHAT A THREAD KEEPS (struct mdg__heap_own) makes allocation fast, and nobody else sees it: the
 * word of the bitmap in which it looks for a free block, blocks that it has freed lately, and lists
 * of its slabs. All of it is derived. What lies in such a list is free by its bit. So when the
 * thread dies, nothing is lost with it.
 *
 * HANDLERS. A signal handler may interrupt any of these functions, and call any of them. It finds
 * `busy` in what the thread keeps, and takes another one (`inner`), with a slot of its own. So a
 * handler never sees private data half changed. Where head.lock is held, signals are blocked.
 *
 * FORK. A forked child finds what its parent's thread kept, with the parent's epoch
 * (platform/epoch.h), and begins anew, with a slot of its own.
 */
#ifndef MADANG_HEAP_INTERNAL_H
#define MADANG_HEAP_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "heap/layout.h"
#include "platform/clock.h"
#include "platform/epoch.h"
#include "platform/memory.h"
#include "platform/ofthread.h"
#include "platform/signals.h"
#include "segment/segment.h"
#include "sync/thread.h"

#define MDG__LOAD(field)       atomic_load_explicit(&(field), memory_order_relaxed)
#define MDG__STORE(field, new) atomic_store_explicit(&(field), (new), memory_order_relaxed)

/* ---- sizes.c: classes and parts ------------------------------------------------------------ */

/* All that follows from a class. Constant. */
struct mdg__size_class {
	uint32_t size;    /* bytes of a block */
	uint32_t inverse; /* (offset * inverse) >> 32 is the index of the block that begins there */
	uint32_t blocks;  /* of a slab */
	uint32_t words;   /* of its bitmap */
	uint32_t units;   /* of a slab: 1 or MDG__MEDIUM_UNITS */
	uint32_t none;
	uint64_t whole; /* a word of the bitmap with all blocks free; not always true of the last */
};
/* A class as it is read from `heads` may be any number below MDG__CLASS_ROOM. Those that do not
 * exist have no blocks. */
enum { MDG__CLASS_ROOM = 64 };
extern const struct mdg__size_class mdg__heap_classes[MDG__CLASS_ROOM];
/* The least class of small blocks with room for 16 * index bytes. */
extern const uint8_t mdg__heap_small[MDG__SMALL_MOST / 16 + 1];
/* The least class whose blocks have `size` bytes, for sizes up to MDG__MEDIUM_MOST. */
static inline uint32_t mdg__heap_class_of(size_t size)
{
	if (__builtin_expect(size <= MDG__SMALL_MOST, 1))
		return mdg__heap_small[(size + 15) / 16];
	uint32_t last = (uint32_t)size - 1, high = 31 - (uint32_t)__builtin_clz(last);
	return MDG__SMALL_CLASSES + (high - 13) * 4 + (last >> (high - 2) & 3);
}
/* The word at this index of the bitmap of a slab whose blocks are all free. */
static inline uint64_t mdg__class_word(const struct mdg__size_class *class, uint32_t at)
{
	uint32_t left = class->blocks - at * 64;
	return left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
}

/* Offsets of the parts. They follow from the capacity and the number of slots. */
struct mdg__parts {
	uint64_t roots, slots, heads, hints, bits[MDG__BITS_ALL], free, remote, labels, data, end;
};
void mdg__parts_of(uint64_t capacity, uint32_t slots, struct mdg__parts *ret);

/* ---- the handle ---------------------------------------------------------------------------- */

struct mdg__heap_own;

struct mdg__heap {
	mdg_heap view;          /* first: what the program sees. base is where the head lies */
	struct mdg__heap *next; /* in the list of this process [mdg__lists_enter] */
	mdg_namespace *ns;
	mdg_id id;
	uint32_t users;    /* opens that were not closed [mdg__lists_enter] */
	uint32_t flags;    /* MDG_HEAP_HOME, RDONLY, LABELS */
	uint32_t slots;    /* how many there are */
	uint64_t capacity; /* units */
	/* Bytes of data whose tables have memory, as far as this process knows. [A] Only grows. */
	_Atomic size_t known;
	_Atomic uint32_t
		broken; /* [A] 1: the lock did not come free, and nobody seems to have it */
	struct mdg__parts parts;
	/* Pointers to the parts, in this process. */
	struct mdg__heap_head *head;
	struct mdg__heap_root *root;
	struct mdg__heap_slot *slot;
	_Atomic uint64_t *heads, *hints, *bits[MDG__BITS_ALL], *free, *remote, *labels;
	unsigned char *data;
	_Atomic(struct mdg__heap_own *)
		owns; /* all that threads of this process keep; grows only */
};

static inline struct mdg__heap *mdg__heap_of(const mdg_heap *heap)
{
	return (struct mdg__heap *)(uintptr_t)heap;
}

/* The words of the slab that begins at this unit. [unit < capacity, and promised] */
static inline _Atomic uint64_t *mdg__free_words(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->free + unit * MDG__SLAB_WORDS;
}
static inline _Atomic uint64_t *mdg__remote_words(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->remote + unit * MDG__SLAB_WORDS;
}
static inline unsigned char *mdg__unit_at(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->data + (size_t)(unit << MDG__UNIT_SHIFT);
}

/* ---- what a thread keeps ------------------------------------------------------------------- */

enum { MDG__LATE = 32, MDG__CACHE_BYTES = 1024 };

struct mdg__late {
	_Atomic uint64_t *word; /* of `free` */
	unsigned char *block;
	uint64_t bit;
};

/* For one class. */
struct mdg__heap_cache {
	_Atomic uint64_t *word; /* of `free`, in which the next block is looked for; never NULL */
	unsigned char *base;    /* of the block that bit 0 of the word stands for */
	uint64_t mask;          /* bits of the word that stand for blocks */
	uint32_t size;          /* of a block */
	uint32_t late_count;
	uint32_t unit1;                   /* the slab in use: its unit + 1; 0: none */
	uint32_t at;                      /* index of `word` in the slab's words */
	uint32_t partial, full;           /* lists of slabs of this thread, by `links`: unit + 1 */
	uint32_t look_partial, look_full; /* where to look next in them: unit + 1; 0: at the head */
	uint32_t tick;                    /* words that became wholly free */
	uint32_t tick_mask; /* when tick & tick_mask is 0, whole slabs are looked for */
	/* Blocks that were freed lately: hints, the bit decides. All are of slabs of this
	 * thread. */
	struct mdg__late late[MDG__LATE];
	unsigned char none[MDG__CACHE_BYTES - 64 - MDG__LATE * sizeof(struct mdg__late)];
};
_Static_assert(sizeof(struct mdg__heap_cache) <= MDG__CACHE_BYTES, "");

/* Where a slab is in the lists of its thread. */
struct mdg__link {
	uint32_t next; /* unit + 1, and MDG__LINK_FULL */
	uint32_t prev; /* unit + 1; 0: it is the first */
};
#define MDG__LINK_FULL 0x80000000u

/* A span that the thread has freed and keeps. */
enum { MDG__KEPT_MOST = 16 };
struct mdg__kept {
	uint32_t unit, units;
};

struct mdg__heap_own {
	struct mdg__heap *heap;
	volatile uint32_t busy;  /* an operation of the thread is under way */
	uint32_t mine;           /* the low 32 bits of the head of a slab of this thread, class 0 */
	struct mdg__link *links; /* of each unit. Sparse, as long as the capacity */
	struct mdg__heap_slot *slot;
	_Atomic uint32_t slot1;      /* index of the slot + 1; 0: none. [the thread] */
	_Atomic uint32_t generation; /* of the slot. [the thread] */
	/* Whose it is: the epoch of the process, and above it the thread's id. 0: nobody's. [A]
	 * Other threads of the process read it to find one that nobody living has. */
	_Atomic uint64_t whose;
	int why;        /* mdg_heap_why */
	uint32_t tag;   /* mdg_alloc_tag */
	uint64_t label; /* what a block of this thread gets in a heap with labels; time is added */
	uint32_t reading; /* how deep in read sections */
	uint32_t hands;   /* a bit for each hand of the slot that holds a block */
	uint32_t fences;  /* what is known of membarrier; 0: nothing, see read.c */
	/* The bag into which the thread puts what it retires, and how much is in it. 0: none is
	 * open. */
	uint64_t bag, bag_bytes;
	uint32_t bag_used;
	uint32_t adopt; /* where to look next for slabs without an owner: word of the bitmap */
	struct mdg__heap_own *inner;  /* for a handler that interrupts the thread */
	struct mdg__heap_own *others; /* the next one of this thread, for another heap */
	struct mdg__heap_own *next;   /* in heap->owns; constant */
	uint64_t minute_from; /* nanoseconds: when the minute began that stands in `label` */
	uint32_t kept_count, kept_units; /* of `kept`, and units of all of them */
	struct mdg__kept kept[MDG__KEPT_MOST];
	struct mdg__heap_cache cache[MDG__HEAP_CLASSES_ALL];
};

/* What a thread knows. It is true if `epoch` is that of the process. */
struct mdg__heap_thread {
	struct mdg__heap_own *last;  /* what it has used last */
	struct mdg__heap_own *first; /* the list of all that it has, by `others` */
	uint32_t epoch;
	int why; /* of the last failure for which there was no struct mdg__heap_own */
	const struct mdg__heap *failed; /* which heap that was */
};
extern MDG__OF_THREAD struct mdg__heap_thread mdg__heap_thread;

/* ---- own.c --------------------------------------------------------------------------------- */

/* Finds or makes it, and a slot. NULL: *ret_why. */
struct mdg__heap_own *mdg__own_find(struct mdg__heap *heap, int *ret_why);
/* What mdg_heap_why says when there is no struct mdg__heap_own. */
void mdg__own_failed(const struct mdg__heap *heap, int why);
/* [signals blocked] The calling thread gives back what it has in the heap, as if it had died. */
void mdg__own_leave(struct mdg__heap *heap);
/* Whether a thread of this process that lives has it. */
bool mdg__own_lives(const struct mdg__heap *heap, const struct mdg__heap_own *own);
void mdg__own_unmap(struct mdg__heap *heap, struct mdg__heap_own *own);

/* What the thread has used last, if it is for this heap and no operation is under way. */
static inline struct mdg__heap_own *mdg__own_at_once(const struct mdg__heap *heap)
{
	const struct mdg__heap_thread *thread = &mdg__heap_thread;
	struct mdg__heap_own *own = thread->last;
	/* In a forked child, what its parent's thread has used may be unmapped: the epoch comes
	 * first. */
	bool ready = mdg__epoch_is_at_once(thread->epoch) && own != NULL && own->heap == heap &&
	             own->busy == 0;
	return __builtin_expect(ready, 1) ? own : NULL;
}

/* Begins an operation: what the thread keeps for this heap, marked as busy. */
static inline struct mdg__heap_own *mdg__own_begin(struct mdg__heap *heap, int *ret_why)
{
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	if (__builtin_expect(own == NULL, 0))
		own = mdg__own_find(heap, ret_why);
	if (__builtin_expect(own != NULL, 1)) {
		own->busy = 1;
		atomic_signal_fence(memory_order_seq_cst);
	}
	return own;
}
static inline void mdg__own_end(struct mdg__heap_own *own)
{
	atomic_signal_fence(memory_order_seq_cst);
	own->busy = 0;
}

/* ---- slots.c ------------------------------------------------------------------------------- */

/* Takes a slot for the calling thread and enters it in its robust list. 0; -EUSERS: all are taken;
 * -ENOSYS; -ENOLCK: the thread holds MDG__HELD_MAX locks; -EBUSY: this is a handler, which has
 * interrupted an operation of a lock; or an error of mdg__heap_lock. */
int mdg__heap_slot_take(struct mdg__heap *heap, uint32_t *ret_slot1);
/* Makes the calling thread leave its slot as if it had died there. */
void mdg__heap_slot_leave(struct mdg__heap *heap, uint32_t slot1);
/* How many slots were ever used. The table may be read up to there. */
uint32_t mdg__heap_slots_used(const struct mdg__heap *heap);
/* Whether a living thread has the slot in this generation. */
bool mdg__heap_slot_lives(const struct mdg__heap *heap, uint32_t slot1, uint32_t generation);

/* ---- promise.c: memory for the tables and the units ---------------------------------------- */

/* Memory for these bytes of the segment, so that no access to them raises SIGBUS. -ENOMEM. */
int mdg__heap_promise(struct mdg__heap *heap, uint64_t offset, uint64_t length);
/* The same for a heap that is attached to read only. */
int mdg__heap_promise_read(struct mdg__heap *heap, uint64_t offset, uint64_t length);
/* Gives it back. The bytes read as zeros. False: it could not be given back. */
bool mdg__heap_return(struct mdg__heap *heap, uint64_t offset, uint64_t length);
/* The labels of the slab or span at this unit have memory after this: 0 or -ENOMEM. `blocks`: how
 * many the slab has. It is asked for once in the life of a slab. */
int mdg__labels_promise(struct mdg__heap *heap, uint64_t unit, uint32_t blocks);
/* Promises the tables of the units from `from` to `to`. What is before `from` has its tables. */
int mdg__tables_promise(struct mdg__heap *heap, uint64_t from, uint64_t to);

/* ---- bits of units ------------------------------------------------------------------------- */

static inline bool mdg__bit_is_set(const struct mdg__heap *heap, enum mdg__unit_bits which,
                                   uint64_t unit)
{
	return (MDG__LOAD(heap->bits[which][unit / 64]) >> (unit % 64) & 1) != 0;
}
static inline void mdg__bit_set(struct mdg__heap *heap, enum mdg__unit_bits which, uint64_t unit)
{
	atomic_fetch_or_explicit(&heap->bits[which][unit / 64], UINT64_C(1) << (unit % 64),
	                         memory_order_acq_rel);
}
static inline void mdg__bit_clear(struct mdg__heap *heap, enum mdg__unit_bits which, uint64_t unit)
{
	atomic_fetch_and_explicit(&heap->bits[which][unit / 64], ~(UINT64_C(1) << (unit % 64)),
	                          memory_order_acq_rel);
}

/* ---- mark.c -------------------------------------------------------------------------------- */

/* Writes down who is about to have the block at `index` of the slab or span at `unit`, whose
 * reference is `ref`: its label, and, if `hand` is not NULL, that this hand of the thread holds it.
 * The caller then changes the truth by its one store. 0 or -ENOMEM. */
int mdg__heap_mark(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                   uint64_t unit, uint32_t index, uint64_t ref);

/* Reckons what minute it is in own->label. `now`: nanoseconds of the realtime clock. */
uint64_t mdg__label_minute(const struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t now);

/* The label of a block that this thread allocates now. */
static inline uint64_t mdg__label_now(const struct mdg__heap *heap, struct mdg__heap_own *own)
{
	uint64_t now = mdg__realtime_coarse_nanoseconds();
	if (__builtin_expect(now - own->minute_from < UINT64_C(60000000000), 1))
		return own->label;
	return mdg__label_minute(heap, own, now);
}

/* ---- units.c ------------------------------------------------------------------------------- */

/* Takes head.lock, with all signals blocked. If its owner has died, counts anew what is derived. 0
 * or a negative code. */
int mdg__heap_lock(struct mdg__heap *heap, mdg__sigmask *ret_mask);
void mdg__heap_unlock(struct mdg__heap *heap, const mdg__sigmask *mask);
/* How many units have tables: these may be read. (pieces.c) */
uint64_t mdg__units_high(struct mdg__heap *heap);
/* What is wanted: so many units in a row, of which the first has this word. */
struct mdg__units_wanted {
	uint32_t units;
	uint64_t head;
	/* If `own` is not NULL and it is a span, mdg__heap_mark is called for it before it is
	 * taken. */
	struct mdg__heap_own *own;
	struct mdg__hand *hand;
};
/* Takes them. For a slab, its bitmaps say free, and no label of a block is held. 0, -ENOMEM,
 * -EDQUOT or MDG_BROKEN. */
int mdg__units_take(struct mdg__heap *heap, const struct mdg__units_wanted *wanted,
                    uint64_t *ret_unit);
/* Gives back what begins at this unit, if its word still is `head`. 0, or -EINVAL: it is not; or an
 * error of mdg__heap_lock. */
int mdg__units_give(struct mdg__heap *heap, uint64_t unit, uint64_t head);
/* Gives a span so many units, where it is. `head` is its word. 0; -ENOMEM, -EDQUOT: the units
 * behind it are not free, or there is no memory; -EINVAL: its word is another one. */
int mdg__units_resize(struct mdg__heap *heap, uint64_t unit, uint64_t head, uint32_t units);
/* [lock] Gives free memory back to the system until `keep` free units are left. */
void mdg__units_trim(struct mdg__heap *heap, uint64_t keep);

/* ---- block.c: which block is that? --------------------------------------------------------- */

struct mdg__block {
	uint64_t unit;  /* where its slab or span begins */
	uint64_t head;  /* of that unit, as it was read */
	uint32_t class; /* of a slab */
	uint32_t index; /* in the slab; 0: a span */
	uint64_t size;  /* bytes */
};
/* 0, or -EINVAL: no block can begin there. It may be free. */
int mdg__block_find(struct mdg__heap *heap, uint64_t ref, struct mdg__block *ret);
bool mdg__block_is_free(const struct mdg__heap *heap, const struct mdg__block *block);
_Atomic uint64_t *mdg__block_label(const struct mdg__heap *heap, const struct mdg__block *block);

/* ---- slab.c: `remote` into `free` ---------------------------------------------------------- */

/* [the caller owns the slab, or sweeps its dead owner] What others freed: first labels of held
 * blocks are cleared, then the bits go into `free`, then out of `remote`. Twice does no harm.
 * `all`: every word, and not only those that hints name. Returns how many blocks came back. */
uint32_t mdg__slab_merge(struct mdg__heap *heap, uint64_t unit, uint32_t class, bool all);
uint32_t mdg__slab_count_free(const struct mdg__heap *heap, uint64_t unit, uint32_t class);
/* Frees a block of a slab that the caller does not own. 0 or MDG_FREED_TWICE. `slot1`: the slot of
 * the caller, who gives the slab back if it has no owner and is free as a whole now. */
int mdg__slab_free_remote(struct mdg__heap *heap, const struct mdg__block *block, uint32_t slot1);
/* [the caller owns the slab] Leaves it to anybody. */
void mdg__slab_abandon(struct mdg__heap *heap, uint64_t unit, uint64_t head);
/* Makes a slab that has no owner that of `slot1`. `head` is its word as it was read. */
bool mdg__slab_adopt(struct mdg__heap *heap, uint64_t unit, uint64_t head, uint32_t slot1);

/* ---- hand.c, settle.c: who holds a block --------------------------------------------------- */

/* Whether blocks of the slab at this unit may have labels. */
static inline bool mdg__is_labelled(const struct mdg__heap *heap, uint64_t unit)
{
	return (atomic_load_explicit(&heap->bits[MDG__BITS_LABELLED][unit / 64],
	                             memory_order_acquire) >>
	                (unit % 64) &
	        1) != 0;
}

/* Starts an operation of a hand; all its other fields are stored before. */
static inline void mdg__hand_set(struct mdg__hand *hand, uint64_t op)
{
	uint64_t word = MDG__LOAD(hand->op);
	word = (word & ~(MDG__HAND_COUNT - 1)) + MDG__HAND_COUNT;
	atomic_store_explicit(&hand->op, word | op, memory_order_release);
}

/* For mdg__alloc with a hand. The block becomes held; the caller clears its bit as the next thing.
 * For a span the caller has made the head with itself as the owner, and `label` is NULL.
 * [the labels of the slab are promised] */
static inline void mdg__hand_fill(const struct mdg__heap_own *own, struct mdg__hand *hand,
                                  uint64_t ref, _Atomic uint64_t *label)
{
	MDG__STORE(hand->ref, ref);
	MDG__STORE(hand->place, 0);
	mdg__hand_set(hand, MDG__HAND_HELD);
	if (label != NULL) /* release: behind the hand */
		atomic_store_explicit(label, own->label | MDG__LABEL_HELD, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* The hand with which this thread holds the block, or NULL. */
struct mdg__hand *mdg__hand_find(struct mdg__heap_own *own, uint64_t ref);
/* Frees a block of which the caller does not know whether anybody holds it: as mdg_free. */
int mdg__free_any(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref);
/* Frees what a hand of this thread holds. 0, or an error of mdg__free: it is still held. */
int mdg__hand_free(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand);
/* The same as the public functions, inside of an operation of the thread. */
void *mdg__hold(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size);
int mdg__publish(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref, uint64_t place,
                 uint64_t expected);
int mdg__keep(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref);
/* Returns the reference, or 0 and own->why. */
uint64_t mdg__take(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t place);
/* Before a block of a labelled slab, or a span with an owner, is freed without a hand: 0: nobody
 * holds it from here on (it was published, and its publisher has not ended that); -EBUSY: another
 * thread holds it. */
int mdg__held_settle(struct mdg__heap *heap, const struct mdg__block *block);

/* ---- sweep.c: what the dead leave ---------------------------------------------------------- */

/* Looks at up to `most` slots, from where the last look ended, and sweeps the dead ones. Returns
 * how many. `own` is NULL if the calling thread has no slot. [no lock is held] */
int mdg__sweep_some(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t most);
/* For mdg_heap_close: gives back what a slot of this process has, as if its thread had died. The
 * slot is free after that. [its thread makes no calls any more] */
void mdg__sweep_own(struct mdg__heap *heap, struct mdg__heap_own *own);

/* ---- rootwake.c ---------------------------------------------------------------------------- */

/* After a change of a root: wakes those who wait for it. */
void mdg__root_wake(struct mdg__heap_root *root);
/* After a place of the table of roots was filled: nobody is to fill it any more, and those who wait
 * are woken. */
void mdg__root_changed(struct mdg__heap *heap, uint64_t place);
/* Whether a place lies in the table of roots. */
static inline bool mdg__is_root(const struct mdg__heap *heap, uint64_t place)
{
	return place - heap->parts.roots < MDG_ROOTS_MOST * sizeof(struct mdg__heap_root);
}

/* ---- readers.c ----------------------------------------------------------------------------- */

/* Counts the epoch up. Returns the one before: what was taken out of its place until now may be
 * freed when mdg__readers_oldest is larger than that. */
uint64_t mdg__readers_turn(struct mdg__heap *heap);
/* The epoch in which the oldest read section that is open began. UINT64_MAX: none is open. */
uint64_t mdg__readers_oldest(struct mdg__heap *heap);
/* [sweeper of the dead slot] Whether every read section has ended that could have seen what the
 * dead thread took out of its place. False: the slot stays dead, and the sweeper comes again. */
bool mdg__readers_passed(struct mdg__heap *heap, struct mdg__heap_slot *dead);
/* Whether the slot was found dead before, and it is seen at once that readers have not passed.
 * False proves nothing. */
bool mdg__readers_hold_up(const struct mdg__heap *heap, const struct mdg__heap_slot *dead);

/* ---- bags.c -------------------------------------------------------------------------------- */

/* [sweeper of the dead slot, after mdg__readers_passed] Frees what the dead thread had retired.
 * Twice does no harm. False: not all of it was freed, the slot stays dead. */
bool mdg__sweep_retired(struct mdg__heap *heap, struct mdg__heap_slot *dead);
/* The bag to which the reference leads; NULL: it leads to none. */
struct mdg__bag *mdg__bag_at(struct mdg__heap *heap, uint64_t ref);
/* Frees what this thread has retired, as far as readers allow: how many blocks. For who needs
 * memory, and for mdg_heap_sweep. */
uint32_t mdg__retired_free(struct mdg__heap *heap, struct mdg__heap_own *own);

/* ---- spans.c ------------------------------------------------------------------------------- */

/* Frees a span, which the thread may keep. `head` is its word. As mdg__units_give. */
int mdg__span_free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t unit, uint64_t head);
/* Takes one that the thread keeps. -ENOENT: none that fits. */
int mdg__span_take_kept(struct mdg__heap *heap, const struct mdg__units_wanted *wanted,
                        uint64_t *ret_unit);
/* Gives back all that the thread keeps. False: it keeps none. */
bool mdg__spans_give(struct mdg__heap *heap, struct mdg__heap_own *own);

/* ---- tidy.c -------------------------------------------------------------------------------- */

/* A block of this slab was freed, which is on the list of full ones. */
void mdg__slab_unfull(struct mdg__heap_own *own, uint32_t class, uint64_t unit);
/* Gives back slabs of this class that are free as a whole, and not needed soon. */
void mdg__slabs_tidy(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class);
/* Gives back all slabs of this thread that are free as a whole. False: there are none. */
bool mdg__slabs_give_idle(struct mdg__heap *heap, struct mdg__heap_own *own);

/* ---- refill.c ------------------------------------------------------------------------------ */

/* Finds the next word with a free block of this class, and makes it that of the cache. 0 or a
 * negative code. */
int mdg__refill(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class);
/* There is no memory. True: some was given back, or dead threads left some. */
bool mdg__memory_find(struct mdg__heap *heap, struct mdg__heap_own *own);

/* ---- alloc.c, release.c: without asking who holds it --------------------------------------- */

/* A block; or NULL and own->why. `hand`: it is held by that hand of the thread before it is
 * allocated (mdg__hand_fill). A span that is held has the thread as the owner in its head, one that
 * is not has 0. A plain allocation stores a label in a heap with MDG_HEAP_LABELS only: a free
 * block's label is never held. own->label is set in every heap. */
void *mdg__alloc(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size,
                 struct mdg__hand *hand);
void *mdg__alloc_class(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class,
                       struct mdg__hand *hand);
/* release.c */
int mdg__free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref);

/* A word is about to become wholly free. Now and then, slabs that are free as a whole are looked
 * for. */
static inline bool mdg__is_time_to_tidy(const struct mdg__heap_cache *cache)
{
	return ((cache->tick + 1) & cache->tick_mask) == 0;
}

static inline void mdg__cache_remember(struct mdg__heap_cache *cache, _Atomic uint64_t *word,
                                       uint64_t bit, unsigned char *block)
{
	if (cache->late_count < MDG__LATE)
		cache->late[cache->late_count++] = (struct mdg__late){ word, block, bit };
}

#endif
