/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of this room offer to those on the floors above them.
 *
 * WHAT IS BELIEVED. Unit, class and index of a block are compared with private constants before
 * they are used. Addresses are computed from the private pointers in the handle. So whatever the
 * tables say, what is read and written lies in the heap. No list in shared memory is followed, but
 * bags of retired blocks, and these for a bounded number of steps.
 */
#ifndef MADANG_HEAP_INTERNAL_H
#define MADANG_HEAP_INTERNAL_H

#include <errno.h>
#include <string.h>

#include "heap/hand.h"
#include "heap/readers.h"
#include "platform/clock.h"
#include "platform/memory.h"
#include "platform/signals.h"
#include "sync/thread.h"

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

/* ---- mark.c -------------------------------------------------------------------------------- */

/* Writes down who is about to have the block at `index` of the slab or span at `unit`, whose
 * reference is `ref`: its label, and, if `hand` is not NULL, that this hand of the thread holds it.
 * The caller then changes the truth by its one store. 0 or -ENOMEM. */
int mdg__heap_mark(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                   uint64_t unit, uint32_t index, uint64_t ref);

/* Reckons what minute it is in own->label. `now`: seconds of the realtime clock. */
uint64_t mdg__label_minute(const struct mdg__heap *heap, struct mdg__heap_own *own, int64_t now);

/* The label of a block that this thread allocates now. */
static inline uint64_t mdg__label_now(const struct mdg__heap *heap, struct mdg__heap_own *own)
{
	int64_t now = mdg__now_seconds();
	if (__builtin_expect((uint64_t)(now - own->minute_from) < 60, 1))
		return own->label;
	return mdg__label_minute(heap, own, now);
}

/* ---- nobodys.c ----------------------------------------------------------------------------- */

#define MDG__LOOK_NS UINT64_C(100000000) /* how long a look at a lock waits for it */

/* To be asked after each look that has ended without the lock, the count of which is in *looks.
 * Whether the thread that seems to have it does not exist. `suspect`: a lock of the same memory was
 * scribbled on. */
bool mdg__lock_is_nobodys(const struct mdg__owned *lock, bool suspect, int *looks);
/* The same about the slot of a dead thread, after each time of that length in which it was not
 * swept. Also true if nobody has it, and those who tried to sweep it could not. */
bool mdg__slot_is_nobodys(struct mdg__heap *heap, const struct mdg__heap_slot *slot, int *looks);

/* ---- units.c ------------------------------------------------------------------------------- */

/* Takes head.lock, with all signals blocked. If its owner has died, counts anew what is derived. 0
 * or a negative code. */
int mdg__heap_lock(struct mdg__heap *heap, mdg__sigmask *ret_mask);
void mdg__heap_unlock(struct mdg__heap *heap, const mdg__sigmask *mask);
/* [lock] Counts anew what follows from `heads` and COMMITTED. Who gets the lock from a dead thread
 * does that by itself, if its handle has a shape. */
void mdg__units_rebuild(struct mdg__heap *heap);
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
	uint64_t asked; /* bytes of content, for a span of a checked heap */
};
/* Takes them. For a slab, its bitmaps say free, and no label of a block is held. 0, -ENOMEM,
 * -EDQUOT or MDG_BROKEN. */
int mdg__units_take(struct mdg__heap *heap, const struct mdg__units_wanted *wanted,
                    uint64_t *ret_unit);
/* Gives back what begins at this unit, if its word still is `head`. 0, or -EINVAL: it is not; or an
 * error of mdg__heap_lock. */
int mdg__units_give(struct mdg__heap *heap, uint64_t unit, uint64_t head);
/* [lock] The same. */
int mdg__units_give_locked(struct mdg__heap *heap, uint64_t unit, uint64_t head);
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
int mdg__block_find_any(struct mdg__heap *heap, uint64_t ref, struct mdg__block *ret);
/* The same. A small block is found without a call. */
static inline int mdg__block_find(struct mdg__heap *heap, uint64_t ref, struct mdg__block *ret)
{
	uint64_t offset = ref - heap->parts.data, unit = offset >> MDG__UNIT_SHIFT;
	if (__builtin_expect(offset >= MDG__LOAD(heap->known), 0))
		return mdg__block_find_any(heap, ref, ret);
	/* Acquire: pairs with the release of who took the unit, units.c. */
	uint64_t head = atomic_load_explicit(&heap->heads[unit], memory_order_acquire);
	uint32_t number = MDG__HEAD_CLASS(head);
	if (__builtin_expect(
		    MDG__HEAD_STATE(head) != MDG__UNIT_SLAB || number >= MDG__SMALL_CLASSES, 0))
		return mdg__block_find_any(heap, ref, ret);
	const struct mdg__size_class *class = &mdg__heap_classes[number];
	uint64_t from = offset % MDG__UNIT_BYTES, index = from * class->inverse >> 32;
	if (index >= class->blocks || index * class->size != from)
		return -EINVAL;
	ret->unit = unit;
	ret->head = head;
	ret->class = number;
	ret->index = (uint32_t)index;
	ret->size = class->size;
	return 0;
}
bool mdg__block_is_free(const struct mdg__heap *heap, const struct mdg__block *block);
_Atomic uint64_t *mdg__block_label(const struct mdg__heap *heap, const struct mdg__block *block);

/* ---- slab.c: `remote` into `free` ---------------------------------------------------------- */

/* [the caller owns the slab, or sweeps its dead owner] What others freed: first labels of held
 * blocks are cleared, then the bits go into `free`, then out of `remote`. Twice does no harm.
 * `all`: every word, and not only those that hints name. Returns how many blocks came back. */
uint32_t mdg__slab_merge(struct mdg__heap *heap, uint64_t unit, uint32_t class, bool all);
uint32_t mdg__slab_count_free(const struct mdg__heap *heap, uint64_t unit, uint32_t class);
/* Whether all blocks are free, and the owner knows it: what others have freed is merged. */
bool mdg__slab_is_idle(const struct mdg__heap *heap, uint64_t unit, uint32_t class);
/* If the slab has no owner and is free as a whole, it is given back. `slot1`: the caller's slot. */
void mdg__slab_give_orphan(struct mdg__heap *heap, uint64_t unit, uint32_t class, uint32_t slot1);
/* [the slot that `head` names is the caller's, as its sweeper] Gives the slab back if it is free as
 * a whole, and else leaves it to anybody. */
void mdg__slab_leave(struct mdg__heap *heap, uint64_t unit, uint32_t class, uint64_t head);
/* Frees a block of a slab that the caller does not own. 0 or MDG_FREED_TWICE. `slot1`: the slot of
 * the caller, who gives the slab back if it has no owner and is free as a whole now. */
int mdg__slab_free_remote(struct mdg__heap *heap, const struct mdg__block *block, uint32_t slot1);
/* [the caller owns the slab] Leaves it to anybody. */
void mdg__slab_abandon(struct mdg__heap *heap, uint64_t unit, uint64_t head);
/* Makes a slab that has no owner that of `slot1`. `head` is its word as it was read. */
bool mdg__slab_adopt(struct mdg__heap *heap, uint64_t unit, uint64_t head, uint32_t slot1);

/* ---- sweep.c: what the dead leave ---------------------------------------------------------- */

/* Sweeping takes two locks: the slot, and now and then the heap's. False: the thread holds too many
 * already. */
bool mdg__sweep_is_possible(void);
/* Looks at up to `most` slots, from where the last look ended, and sweeps the dead ones. Returns
 * how many. The calling thread needs no slot. [no lock is held] */
int mdg__sweep_some(struct mdg__heap *heap, uint32_t most);

/* ---- rootwake.c ---------------------------------------------------------------------------- */

/* After a change of a root: wakes those who wait for it. */
void mdg__root_wake(struct mdg__heap_root *root);
/* Whether it is the place of a root. The other words of the table are none. */
static inline bool mdg__is_root(const struct mdg__heap *heap, uint64_t place)
{
	uint64_t from = place - heap->parts.roots;
	return from < MDG_ROOTS_MOST * sizeof(struct mdg__heap_root) &&
	       from % sizeof(struct mdg__heap_root) == offsetof(struct mdg__heap_root, place);
}

/* ---- roots.c ------------------------------------------------------------------------------- */

/* Whether the root with this place has this name now. *ret_state is the same as long as it has. So
 * what was read in the place between two such calls was this root's. */
bool mdg__root_is_named(const struct mdg__heap *heap, const mdg_ref *place, const char *text,
                        uint32_t *ret_state);

/* ---- spans.c ------------------------------------------------------------------------------- */

/* Frees a span, which the thread may keep. `head` is its word. As mdg__units_give. */
int mdg__span_free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t unit, uint64_t head);
/* Takes one that the thread keeps. -ENOENT: none that fits. */
int mdg__span_take_kept(struct mdg__heap *heap, const struct mdg__units_wanted *wanted,
                        uint64_t *ret_unit);
/* Gives back all that the thread keeps. False: it keeps none. */
bool mdg__spans_give(struct mdg__heap *heap, struct mdg__heap_own *own);

/* ---- tidy.c -------------------------------------------------------------------------------- */

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
/* A small block that is at hand, in a slab that has labels. NULL: there is none; ask mdg__alloc. */
void *mdg__alloc_held_at_once(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size,
                              struct mdg__hand *hand);
/* alloc_checked.c: mdg__alloc_class for a block of a checked heap with so many bytes of content. */
void *mdg__alloc_checked(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class,
                         size_t size, struct mdg__hand *hand);
/* release.c */
int mdg__free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref);

#endif
