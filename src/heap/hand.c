/* SPDX-License-Identifier: MIT */
/*
 * hand.c - blocks that a thread holds: between "allocated" and "linked", and back.
 *
 * A hand of the thread's slot names the block. It says what is about to happen before it happens,
 * and what has happened after it. Each operation changes the truth by one store. So if the thread
 * is killed anywhere, its sweeper finds out what it has done (bury.c).
 *
 * THE ORDER OF STORES is what makes that exact. tests/models/heap_hand.pml explores it.
 *   hold     the hand, HELD | the label | the block's bit
 *   publish  the hand, PUBLISH | the place | the label, to nobody | the hand, NONE
 *   take     the hand, TAKE | the place, a mark | the label | the hand, HELD | the place, 0
 *   swap     the hand, SWAP | the place | the old one's label | the label, to nobody | the hand's
 *            block, the old one | the hand, HELD
 *   keep     the label, to nobody | the hand, NONE
 *   free     the hand, FREE | the block's bit | the label, if the slab is the thread's | the hand,
 *            NONE. The slab is given back after that at the earliest. In another thread's slab,
 *            that one clears the label before it merges the bit.
 */
#include "heap/guard.h"
#include "heap/held.h"

/* ---- hands --------------------------------------------------------------------------------- */

struct mdg__hand *mdg__hand_find(struct mdg__heap_own *own, uint64_t ref)
{
	for (uint32_t left = own->hands; left != 0; left &= left - 1) {
		struct mdg__hand *hand = &own->slot->hands[__builtin_ctz(left) % MDG_HELD_MOST];
		if (MDG__LOAD(hand->ref) == ref)
			return hand;
	}
	return NULL;
}

static void fill(struct mdg__heap_own *own, const struct mdg__hand *hand)
{
	own->hands |= 1u << (hand - own->slot->hands);
}

static void drop(struct mdg__heap_own *own, struct mdg__hand *hand)
{
	mdg__hand_set(hand, MDG__HAND_NONE);
	own->hands &= ~(1u << (hand - own->slot->hands));
}

/* It holds its block, and has nothing to do with a place. */
static void hold_on(struct mdg__hand *hand, uint64_t seen)
{
	mdg__hand_set(hand, MDG__HAND_HELD | seen);
	MDG__STORE(hand->place, 0);
}

/* ---- places -------------------------------------------------------------------------------- */

/* NULL: no place of the heap is there. */
static _Atomic uint64_t *place_at(const struct mdg__heap *heap, uint64_t place)
{
	bool inside = place >= heap->parts.data && place < heap->view.extent;
	return place % 8 != 0 || !(inside || mdg__is_root(heap, place))
	               ? NULL
	               : (_Atomic uint64_t *)(void *)(heap->view.base + (size_t)place);
}

/* A step that a death must find in this order. Other threads, too: each is a release. */
static inline void in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- hold, keep, free ---------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void clear_label(struct mdg__heap *heap,
                                                              struct mdg__heap_own *own,
                                                              const struct mdg__hand *hand,
                                                              uint64_t ref)
{
	_Atomic uint64_t *label = own->held_label[hand - own->slot->hands];
	struct mdg__block block;
	if (label != NULL)
		mdg__held_clear_label(heap, label, mdg__holder_own(own));
	else if (mdg__block_find(heap, ref, &block) == 0)
		mdg__held_clear(heap, &block, mdg__holder_own(own));
}

int mdg__keep(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref)
{
	struct mdg__hand *hand = mdg__hand_find(own, ref);
	if (hand == NULL || mdg__guard_judge(heap, ref) < 0)
		return hand == NULL ? -EPERM : MDG_OVERRUN;
	clear_label(heap, own, hand, ref);
	in_order();
	drop(own, hand);
	return 0;
}

int mdg__hand_free(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand)
{
	struct mdg__block block;
	uint64_t ref = MDG__LOAD(hand->ref), seen = MDG__LOAD(hand->op) & MDG__HAND_SEEN;
	if (mdg__block_find(heap, ref, &block) < 0) {
		drop(own, hand);
		return MDG_FREED_TWICE; /* by somebody else, and its unit was given back */
	}
	mdg__hand_set(hand, MDG__HAND_FREE);
	in_order();
	int rc = mdg__free(heap, own, ref);
	in_order();
	if (rc < 0 && rc != MDG_FREED_TWICE && rc != MDG_OVERRUN) {
		hold_on(hand, seen);
		return rc;
	}
	if (rc == MDG_OVERRUN /* set aside */ ||
	    (rc != 0 && MDG__HEAD_STATE(block.head) == MDG__UNIT_SLAB &&
	     MDG__HEAD_OWNER(block.head) == MDG__LOAD(own->slot1)))
		mdg__held_clear(heap, &block, mdg__holder_own(own));
	in_order();
	drop(own, hand);
	return rc;
}

int mdg__free_any(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref)
{
	struct mdg__block block;
	struct mdg__hand *hand = mdg__hand_find(own, ref);
	if (hand != NULL)
		return mdg__hand_free(heap, own, hand);
	/* What is free already is said by mdg__free. */
	int rc = mdg__block_find(heap, ref, &block) < 0 || mdg__block_is_free(heap, &block)
	                 ? 0
	                 : mdg__held_settle(heap, &block);
	return rc < 0 ? rc : mdg__free(heap, own, ref);
}

/* ---- publish ------------------------------------------------------------------------------- */

/* One try. `expected`, what is stored, and what is found after -EAGAIN are of this kind. */
static int try_publish(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                       uint64_t place, uint64_t expected, uint64_t kind, uint64_t *ret_found)
{
	_Atomic uint64_t *word = place_at(heap, place);
	uint64_t ref = MDG__LOAD(hand->ref), seen = MDG__LOAD(hand->op) & MDG__HAND_SEEN;
	uint64_t value = mdg__place_value(heap, ref, kind);
	uint64_t old = mdg__place_ref(heap, expected, kind);
	*ret_found = expected;
	if (word == NULL)
		return -EINVAL;
	if ((expected & 1) != 0 || (mdg__is_checked(heap) && mdg__guard_judge(heap, ref) < 0))
		return (expected & 1) != 0 ? -EAGAIN /* somebody takes it */ : MDG_OVERRUN;
	MDG__STORE(hand->old, old == ref ? 0 : old);
	MDG__STORE(hand->place, place);
	mdg__hand_set(hand, MDG__HAND_PUBLISH | kind | seen);
	in_order();
	/* Release: what was written to the block, and the hand. Now it is published. */
	if (!atomic_compare_exchange_strong_explicit(word, &expected, value, memory_order_acq_rel,
	                                             memory_order_relaxed)) {
		*ret_found = expected;
		hold_on(hand, seen);
		return -EAGAIN;
	}
	in_order();
	if (old != 0)
		mdg__published_tell(heap, old, place);
	clear_label(heap, own, hand, ref);
	if (mdg__is_root(heap, place))
		mdg__root_changed(heap, place, mdg__holder_own(own));
	in_order();
	drop(own, hand);
	return 0;
}

static int publish(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                   uint64_t place, uint64_t expected, uint64_t kind, int *rounds)
{
	for (;;) {
		uint64_t found;
		int rc = try_publish(heap, own, hand, place, expected, kind, &found);
		if (rc != -EAGAIN || found == expected ||
		    !mdg__taker_settle(heap, place_at(heap, place), found, rounds))
			return rc;
	}
}

/* [not a checked heap] What is done most: the only block that this thread holds is a small one from
 * mdg_hold, and is published in an empty place in a block. The stores are those of publish. False:
 * it is another case, or the place is not empty; nothing has changed. */
static inline __attribute__((always_inline)) bool
publish_at_once(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref, void *place)
{
	uint32_t hands = own->hands, i = (uint32_t)__builtin_ctz(hands | 1u << MDG_HELD_MOST);
	struct mdg__hand *hand = &own->slot->hands[i];
	if (MDG__LOAD(hand->ref) != ref || own->held_label[i] == NULL || hands == 0 ||
	    (hands & (hands - 1)) != 0)
		return false;
	uint64_t offset = mdg__ref_of(heap, place), empty = 0;
	if (offset % 8 != 0 || offset < heap->parts.data || offset >= heap->view.extent)
		return false;
	MDG__STORE(hand->old, 0);
	MDG__STORE(hand->place, offset);
	mdg__hand_set(hand, MDG__HAND_PUBLISH);
	in_order();
	/* Release, as in publish. */
	if (!atomic_compare_exchange_strong_explicit((_Atomic uint64_t *)place, &empty, ref,
	                                             memory_order_acq_rel, memory_order_relaxed)) {
		mdg__hand_set(hand, MDG__HAND_HELD); /* as hold_on */
		MDG__STORE(hand->place, 0);
		return false;
	}
	in_order();
	mdg__held_clear_label(heap, own->held_label[i], mdg__holder_own(own));
	in_order();
	mdg__hand_set(hand, MDG__HAND_NONE);
	own->hands = 0;
	return true;
}

int mdg__publish(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref, uint64_t place,
                 uint64_t expected, uint64_t kind)
{
	/* A number first: it may be no place of the heap. */
	void *address = (void *)((uintptr_t)heap->view.base + (uintptr_t)place);
	if (expected == 0 && kind == 0 && !mdg__is_checked(heap) &&
	    publish_at_once(heap, own, ref, address))
		return 0;
	struct mdg__hand *hand = mdg__hand_find(own, ref);
	int rounds = 0;
	return hand == NULL ? -EPERM : publish(heap, own, hand, place, expected, kind, &rounds);
}

__attribute__((noinline)) int mdg__publish_call(struct mdg__heap *heap, uint64_t ref,
                                                const void *place, uint64_t expected, uint64_t kind)
{
	int rc;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = mdg__publish(heap, own, ref, mdg__ref_of(heap, place), expected, kind);
	mdg__own_end(own);
	return rc;
}

__attribute__((aligned(64))) int mdg_publish(mdg_heap *view, void *block, mdg_ref *place,
                                             mdg_ref expected)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	uint64_t ref = mdg__ref_of(heap, block);
	if (__builtin_expect(own == NULL || expected != 0, 0))
		return mdg__publish_call(heap, ref, place, expected, 0);
	own->idle.heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	bool done = publish_at_once(heap, own, ref, place);
	atomic_signal_fence(memory_order_seq_cst);
	own->idle.heap = heap;
	return __builtin_expect(done, 1) ? 0 : mdg__publish_call(heap, ref, place, 0, 0);
}

/* ---- take ---------------------------------------------------------------------------------- */

/* The block to which a place refers can be held: 0 or a negative code. */
static int prepare(struct mdg__heap *heap, uint64_t ref, struct mdg__block *ret)
{
	if (mdg__block_find(heap, ref, ret) < 0)
		return -EINVAL;
	return MDG__HEAD_STATE(ret->head) == MDG__UNIT_SLAB
	               ? mdg__labels_promise(heap, ret->unit, mdg__heap_classes[ret->class].blocks)
	               : 0;
}

/* One try. 0: *ret_ref is held, or 0 if the place has nothing. -EAGAIN: it has changed. */
static int try_take(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                    uint64_t place, uint64_t kind, int *rounds, uint64_t *ret_ref)
{
	struct mdg__block block;
	_Atomic uint64_t *word = place_at(heap, place);
	/* Acquire: pairs with the release of who has published it. */
	uint64_t value = atomic_load_explicit(word, memory_order_acquire);
	uint64_t ref = mdg__place_ref(heap, value, kind);
	*ret_ref = 0;
	if (value == 0)
		return 0;
	if ((value & 1) != 0)
		return mdg__taker_settle(heap, word, value, rounds) ? -EAGAIN
		       : mdg__place_is_nonsense(heap, word, value)  ? MDG_BROKEN
		                                                    : 0;
	int rc = prepare(heap, ref, &block);
	if (rc < 0) /* unless it was taken, and freed, meanwhile */
		return atomic_load_explicit(word, memory_order_acquire) != value ? -EAGAIN : rc;
	MDG__STORE(hand->ref, ref);
	MDG__STORE(hand->place, place);
	mdg__hand_set(hand, MDG__HAND_TAKE | kind);
	in_order();
	/* Now it is taken. */
	if (!atomic_compare_exchange_strong_explicit(word, &value,
	                                             mdg__holder_mark(heap, mdg__holder_own(own)),
	                                             memory_order_acq_rel, memory_order_relaxed)) {
		mdg__hand_set(hand, MDG__HAND_NONE);
		return -EAGAIN;
	}
	in_order();
	rc = prepare(heap, ref, &block); /* again: its slab may be another one by now */
	if (rc < 0) {
		atomic_store_explicit(word, value, memory_order_release);
		mdg__hand_set(hand, MDG__HAND_NONE);
		return rc;
	}
	mdg__held_set(heap, &block, mdg__holder_own(own));
	in_order();
	mdg__hand_set(hand, MDG__HAND_HELD | MDG__HAND_SEEN);
	in_order();
	atomic_store_explicit(word, 0, memory_order_release);
	in_order();
	MDG__STORE(hand->place, 0);
	*ret_ref = ref;
	return 0;
}

uint64_t mdg__take(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t place, uint64_t kind)
{
	uint64_t ref = 0;
	struct mdg__hand *hand = mdg__hand_vacant(own);
	if (hand == NULL)
		return 0;
	if (place_at(heap, place) == NULL) {
		own->why = -EINVAL;
		return 0;
	}
	int rc, rounds = 0;
	do
		rc = try_take(heap, own, hand, place, kind, &rounds, &ref);
	while (rc == -EAGAIN);
	if (ref != 0)
		fill(own, hand);
	else
		own->why = rc;
	return ref;
}

/* ---- swap ---------------------------------------------------------------------------------- */

/* One try over what `value` refers to, which is not 0. */
static int try_swap(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                    uint64_t place, uint64_t value)
{
	struct mdg__block old;
	_Atomic uint64_t *word = place_at(heap, place);
	uint64_t ref = MDG__LOAD(hand->ref), seen = MDG__LOAD(hand->op) & MDG__HAND_SEEN;
	int rc = value == ref ? -EINVAL : mdg__guard_judge(heap, ref);
	if (rc == 0)
		rc = prepare(heap, value, &old);
	if (rc < 0)
		return rc;
	uint64_t expected = value;
	MDG__STORE(hand->old, value);
	MDG__STORE(hand->place, place);
	mdg__hand_set(hand, MDG__HAND_SWAP | seen);
	in_order();
	/* Now the one is published, and the other one is taken. */
	if (!atomic_compare_exchange_strong_explicit(word, &expected, ref, memory_order_acq_rel,
	                                             memory_order_relaxed)) {
		hold_on(hand, seen);
		return -EAGAIN;
	}
	in_order();
	bool labelled = prepare(heap, value, &old) == 0; /* again: see try_take */
	if (labelled)
		mdg__held_set(heap, &old, mdg__holder_own(own));
	else /* no memory for the label: then the old one is nobody's, as after a publish */
		mdg__published_tell(heap, value, place);
	in_order();
	clear_label(heap, own, hand, ref);
	if (mdg__is_root(heap, place))
		mdg__root_changed(heap, place, mdg__holder_own(own));
	in_order();
	if (!labelled) {
		drop(own, hand);
		return 0;
	}
	own->held_label[hand - own->slot->hands] = NULL;
	atomic_store_explicit(&hand->ref, value, memory_order_release);
	in_order();
	hold_on(hand, MDG__HAND_SEEN);
	return 0;
}

/* *ret_old is the reference to the old block, or 0. */
int mdg__swap(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref, uint64_t place,
              uint64_t *ret_old)
{
	_Atomic uint64_t *word = place_at(heap, place);
	struct mdg__hand *hand = mdg__hand_find(own, ref);
	int rounds = 0;
	if (hand == NULL)
		return -EPERM;
	if (word == NULL)
		return -EINVAL;
	for (;;) {
		uint64_t value = atomic_load_explicit(word, memory_order_acquire);
		*ret_old = value;
		if ((value & 1) != 0) {
			if (mdg__taker_settle(heap, word, value, &rounds))
				continue;
			return mdg__place_is_nonsense(heap, word, value) ? MDG_BROKEN : -EAGAIN;
		}
		int rc = value == 0 ? publish(heap, own, hand, place, 0, 0, &rounds)
		                    : try_swap(heap, own, hand, place, value);
		if (rc == 0)
			return 0;
		if (atomic_load_explicit(word, memory_order_acquire) == value && rc != -EAGAIN)
			return rc;
	}
}
