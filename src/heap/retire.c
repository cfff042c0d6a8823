/* SPDX-License-Identifier: MIT */
/*
 * retire.c - blocks that are to be freed when readers have ended.
 *
 * A held block is published in the open bag of its thread. So whenever the thread is killed, its
 * hand holds the block or the bag has it. A bag is closed when it is full, or when the blocks in it
 * are large. bags.c says what happens then.
 */
#include "heap/held.h"

#define BAG_BYTES_MOST (UINT64_C(256) << 10)

/* The stores of mdg_publish. Nobody else changes this place. */
static void publish_bag(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__hand *hand,
                        uint64_t ref)
{
	struct mdg__block block;
	MDG__STORE(hand->old, 0);
	MDG__STORE(hand->place,
	           (uint64_t)((uintptr_t)&own->slot->retired - (uintptr_t)heap->view.base));
	mdg__hand_set(hand, MDG__HAND_PUBLISH);
	atomic_store_explicit(&own->slot->retired, ref, memory_order_release);
	if (mdg__block_find(heap, ref, &block) == 0)
		mdg__held_clear(heap, &block, mdg__holder_own(own));
	mdg__hand_set(hand, MDG__HAND_NONE);
}

/* Makes a bag and puts it in front of the others. 0 or a negative code. */
static int open_bag(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	struct mdg__hand *hand = &own->slot->hands[MDG__HAND_OWN];
	struct mdg__bag *bag = mdg__alloc(heap, own, sizeof *bag, hand);
	if (bag == NULL)
		return own->why;
	memset((void *)bag, 0, sizeof *bag);
	/* Read now, and not before: if memory was short, bags were freed meanwhile. */
	MDG__STORE(bag->next, MDG__LOAD(own->slot->retired));
	own->bag = mdg_ref_of(&heap->view, bag);
	own->bag_used = 0;
	own->bag_bytes = 0;
	publish_bag(heap, own, hand, own->bag);
	return 0;
}

/* The newest bag is closed but not full. If there is no memory, it is used once more: its blocks
 * then wait for the readers of a later epoch. */
static int reopen_bag(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	struct mdg__bag *bag = mdg__bag_at(heap, MDG__LOAD(own->slot->retired));
	uint32_t used = 0;
	if (bag == NULL)
		return -ENOMEM;
	for (uint32_t at = 0; at < MDG__BAG_BLOCKS; at++)
		if (MDG__LOAD(bag->blocks[at]) != 0)
			used = at + 1;
	if (used == MDG__BAG_BLOCKS)
		return -ENOMEM;
	MDG__STORE(bag->full, 0);
	own->bag = MDG__LOAD(own->slot->retired);
	own->bag_used = used;
	own->bag_bytes = 0;
	return 0;
}

static int retire(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref)
{
	struct mdg__block block;
	if (mdg__hand_find(own, ref) == NULL || mdg__block_find(heap, ref, &block) < 0)
		return -EPERM;
	int rc = own->bag != 0 ? 0 : open_bag(heap, own);
	if (rc == -ENOMEM || rc == -EDQUOT)
		rc = reopen_bag(heap, own);
	if (rc < 0)
		return rc;
	uint64_t place = own->bag + offsetof(struct mdg__bag, blocks) + UINT64_C(8) * own->bag_used;
	rc = mdg__publish(heap, own, ref, place, 0, 0);
	if (rc < 0)
		return rc == -EAGAIN ? MDG_BROKEN : rc;
	own->bag_used++;
	own->bag_bytes += block.size;
	MDG__STORE(own->slot->count, MDG__LOAD(own->slot->count) + 1);
	if (own->bag_used == MDG__BAG_BLOCKS || own->bag_bytes >= BAG_BYTES_MOST)
		(void)mdg__retired_free(heap, own);
	return 0;
}

int mdg_retire(mdg_heap *view, void *block)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int rc = 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = retire(heap, own, mdg_ref_of(view, block));
	mdg__own_end(own);
	return rc;
}
