/* SPDX-License-Identifier: MIT */
/*
 * handle.c - the heaps that this process has open.
 *
 * A heap stays attached while a thread of this process has a slot in it, also after it was closed.
 * The slot is in that thread's robust list, and the kernel could not follow the list any more if
 * the memory were gone (sync/held.h). Such a heap is detached by a later call that opens or closes
 * a heap, when those threads have ended. If it is opened again before, it is the same handle.
 *
 * A program may use a handle after it has closed it, by mistake. So the handle itself stays in
 * memory for a while when its heap is detached, and says that it is closed.
 */
#include "heap/opening.h"

#include <string.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "platform/sys.h"

static struct mdg__heap *heaps; /* [mdg__lists_enter] */

/* Handles of heaps that were detached, a ring. [mdg__lists_enter] */
enum { CLOSED_KEPT = 16 };
static struct mdg__heap *closed[CLOSED_KEPT];
static uint32_t closed_next;

/* How many threads of this process are about to enter a heap: it may be attached, and is not in the
 * list. In a forked child there are none. [mdg__lists_enter] */
static struct {
	uint32_t epoch, count;
} entering;

uint32_t mdg__heap_entering(int more)
{
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	if (!mdg__epoch_is(entering.epoch)) {
		entering.epoch = mdg__epoch();
		entering.count = 0;
	}
	entering.count += (uint32_t)more;
	uint32_t count = entering.count;
	mdg__lists_leave(&mask);
	return count;
}

/* Whether this handle does for an open with these flags. */
static bool suits(const struct mdg__heap *heap, uint32_t flags)
{
	if (((heap->flags ^ flags) & MDG_HEAP_RDONLY) != 0)
		return false;
	return (flags & MDG_HEAP_HOME) == 0 || (heap->flags & MDG_HEAP_HOME) == 0 ||
	       (uintptr_t)heap->view.base == MDG__LOAD(heap->head->home);
}

/* [mdg__lists_enter] */
static struct mdg__heap *find(mdg_namespace *ns, mdg_id id, uint32_t flags)
{
	struct mdg__heap *heap = heaps;
	while (heap != NULL && (heap->ns != ns || heap->id != id || !suits(heap, flags)))
		heap = heap->next;
	if (heap != NULL) {
		heap->users++;
		MDG__STORE(heap->closed, 0);
	}
	return heap;
}

struct mdg__heap *mdg__heap_handle_find(mdg_namespace *ns, mdg_id id, uint32_t flags)
{
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	struct mdg__heap *heap = find(ns, id, flags);
	mdg__lists_leave(&mask);
	return heap;
}

struct mdg__heap *mdg__heap_handle_make(mdg_namespace *ns, mdg_id id)
{
	void *memory;
	if (mdg__map_own(NULL, sizeof(struct mdg__heap), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
	                 &memory) < 0)
		return NULL;
	struct mdg__heap *heap = memory;
	heap->ns = ns;
	heap->id = id;
	heap->users = 1;
	return heap;
}

void mdg__heap_handle_shape(struct mdg__heap *heap, const struct mdg__heap_shape *shape)
{
	unsigned char *base = heap->view.base;
	const struct mdg__parts *parts = &shape->parts;
	heap->flags |= shape->flags;
	heap->slots = shape->slots;
	heap->capacity = shape->capacity;
	heap->data_bytes = (size_t)(shape->capacity << MDG__UNIT_SHIFT);
	heap->at_once = (heap->flags & MDG_HEAP_LABELS) != 0 ? 0 : MDG__SMALL_MOST + 1;
	heap->parts = *parts;
	heap->view.extent = parts->end;
	heap->root = (struct mdg__heap_root *)(void *)(base + parts->roots);
	heap->slot = (struct mdg__heap_slot *)(void *)(base + parts->slots);
	heap->heads = (_Atomic uint64_t *)(void *)(base + parts->heads);
	heap->hints = (_Atomic uint64_t *)(void *)(base + parts->hints);
	for (int i = 0; i < MDG__BITS_ALL; i++)
		heap->bits[i] = (_Atomic uint64_t *)(void *)(base + parts->bits[i]);
	heap->free = (_Atomic uint64_t *)(void *)(base + parts->free);
	heap->remote = (_Atomic uint64_t *)(void *)(base + parts->remote);
	heap->labels = (_Atomic uint64_t *)(void *)(base + parts->labels);
	heap->data = base + parts->data;
}

static void empty(struct mdg__heap *heap)
{
	struct mdg__heap_own *own = MDG__LOAD(heap->owns), *next;
	for (; own != NULL; own = next) {
		next = own->next;
		mdg__own_unmap(heap, own);
	}
	if (heap->view.base != NULL)
		mdg__segment_let_go(heap->ns, heap->view.base);
}

void mdg__heap_handle_drop(struct mdg__heap *heap)
{
	empty(heap);
	(void)mdg__sys_munmap(heap, sizeof *heap);
}

/* [mdg__lists_enter] The program has had this handle. No reference leads anywhere from here on, and
 * no address is one of a block. */
static void retire(struct mdg__heap *heap)
{
	struct mdg__heap *oldest = closed[closed_next];
	empty(heap);
	memset((void *)heap, 0, sizeof *heap);
	heap->parts.data = UINT64_MAX;
	MDG__STORE(heap->closed, 1);
	closed[closed_next] = heap;
	closed_next = (closed_next + 1) % CLOSED_KEPT;
	if (oldest != NULL)
		(void)mdg__sys_munmap(oldest, sizeof *oldest);
}

struct mdg__heap *mdg__heap_handle_enter(struct mdg__heap *heap)
{
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	struct mdg__heap *other = find(heap->ns, heap->id, heap->flags);
	if (other == NULL) {
		heap->next = heaps;
		heaps = heap;
	}
	mdg__lists_leave(&mask);
	if (other == NULL)
		return heap;
	mdg__heap_handle_drop(heap);
	return other;
}

static bool is_idle(const struct mdg__heap *heap)
{
	struct mdg__heap_own *own = atomic_load_explicit(&heap->owns, memory_order_acquire);
	if (heap->users != 0)
		return false;
	while (own != NULL && mdg__own_has_ended(heap, own))
		own = own->next;
	return own == NULL;
}

/* Drops the heaps that are closed and in no thread's robust list any more. Under the lock, so that
 * who opens a heap at its home address finds the address free. */
static void drop_idle(void)
{
	struct mdg__heap **link = &heaps;
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	while (*link != NULL) {
		struct mdg__heap *heap = *link;
		if (is_idle(heap)) {
			*link = heap->next;
			retire(heap);
		} else {
			link = &heap->next;
		}
	}
	mdg__lists_leave(&mask);
}

void mdg__heap_handle_put(struct mdg__heap *heap)
{
	mdg__sigmask mask;
	mdg__lists_enter(&mask);
	bool last = heap->users != 0 && --heap->users == 0;
	if (last)
		MDG__STORE(heap->closed, 1);
	mdg__lists_leave(&mask);
	if (last) {
		mdg__signals_block(&mask);
		mdg__own_leave(heap);
		mdg__signals_restore(&mask);
	}
	drop_idle();
}
