/* SPDX-License-Identifier: MIT */
/*
 * head.c - the head of a new heap.
 *
 * The process that makes the segment fills in the head, and says `ready` last. A process that finds
 * a heap which is not ready waits for that. If the maker has died, the waiter fills in the head
 * itself: all of it follows from the options, and the size of the segment says whether the options
 * are those of the maker.
 */
#include "heap/opening.h"

#include "platform/identity.h"
#include "platform/sys.h"
#include "sync/owned.h"

enum { MAKER_NS = 1000000000, NAP_NS = 1000000 };

static bool is_ready(const struct mdg__heap_head *head)
{
	return atomic_load_explicit(&head->ready, memory_order_acquire) != 0;
}

static void fill(struct mdg__heap_head *head, const struct mdg__heap_shape *shape)
{
	MDG__STORE(head->format, MDG__HEAP_FORMAT);
	MDG__STORE(head->flags, shape->flags);
	MDG__STORE(head->slots, shape->slots);
	MDG__STORE(head->capacity, shape->capacity);
	MDG__STORE(head->home, shape->home);
	MDG__STORE(head->identity[0], mdg__random());
	MDG__STORE(head->identity[1], mdg__random());
	MDG__STORE(head->begun, mdg__realtime_nanoseconds());
	MDG__STORE(head->limit, shape->limit);
	MDG__STORE(head->keep, shape->keep);
	MDG__STORE(head->epoch, 1);
	MDG__STORE(head->magic, MDG__HEAP_MAGIC);
	/* Release: pairs with the acquire in is_ready. All else is to be zeros, and is. */
	atomic_store_explicit(&head->ready, 1, memory_order_release);
	(void)mdg__sys_futex_wake_bits(&head->ready, INT32_MAX, (uint32_t)MDG__ANYONE);
}

/* [lock] Another opener has made the heap meanwhile, and it is in use. If the lock came from a dead
 * thread, what follows from the tables has to be counted: only now it is known where they are. */
static int take_over(struct mdg__heap *heap, uint64_t size)
{
	struct mdg__heap_shape shape;
	int rc = mdg__heap_shape_read(heap->head, size, &shape);
	if (rc == 0) {
		mdg__heap_handle_shape(heap, &shape);
		mdg__units_rebuild(heap);
	}
	return rc;
}

int mdg__heap_head_make(struct mdg__heap *heap, const struct mdg__heap_shape *shape, uint64_t size)
{
	mdg__sigmask mask;
	if (shape->parts.end != size)
		return MDG_NOT_HEAP;
	int rc = mdg__heap_promise(heap, 0, mdg__parts_head(&shape->parts));
	if (rc == 0)
		rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	if (is_ready(heap->head))
		rc = take_over(heap, size);
	else
		fill(heap->head, shape);
	mdg__heap_unlock(heap, &mask);
	return rc;
}

static bool may_become_one(const struct mdg__heap_head *head)
{
	uint64_t magic = MDG__LOAD(head->magic);
	return magic == MDG__HEAP_MAGIC || magic == 0;
}

int mdg__heap_head_await(const struct mdg__heap *heap)
{
	uint64_t give_up = mdg__monotonic_nanoseconds() + MAKER_NS;
	struct mdg_segment_info info = { .size = sizeof info };
	while (!is_ready(heap->head)) {
		if (!may_become_one(heap->head))
			return MDG_VERSION_UNLIKE;
		uint64_t now = mdg__monotonic_nanoseconds();
		int rc = mdg_segment_stat(heap->ns, heap->id, MDG_STAT_ANY | MDG_STAT_CREATOR,
		                          &info);
		if (rc < 0)
			return rc;
		if (is_ready(heap->head)) /* another opener finished it while we asked */
			break;
		if (!info.creator_alive)
			return (heap->flags & MDG_HEAP_RDONLY) != 0 ? MDG_NOT_HEAP : 1;
		if (now >= give_up)
			return MDG_NOT_HEAP;
		(void)mdg__sys_futex_wait_until(&heap->head->ready, 0, now + NAP_NS,
		                                (uint32_t)MDG__ANYONE);
	}
	return 0;
}
