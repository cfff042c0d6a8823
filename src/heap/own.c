/* SPDX-License-Identifier: MIT */
/*
 * own.c - what a thread keeps to itself: found, made, and used again.
 *
 * It lies in private memory, one for each thread and heap. The list heap->owns has all of them, and
 * only grows while the heap is open. When a thread has ended, its slot and the kernel say so. The
 * next thread takes over what it kept, after wiping it. A forked child does the same with what the
 * parent's threads kept; it knows them by the epoch.
 *
 * A thread finds its own by a pointer in memory of the thread. That pointer is believed only in the
 * process in which it was stored: its epoch is beside it. So a forked child never follows its
 * parent's pointer.
 *
 * A signal handler that interrupts an operation finds that it is not `idle`, and works with
 * `inner`, which has a slot of its own. What changes the lists of the thread is done with signals
 * blocked.
 */
#include "heap/internal.h"

#include <sys/mman.h>

#include "platform/futex.h"
#include "platform/identity.h"
#include "platform/ownmap.h"
#include "platform/sys.h"

/* No heap has this address, and it is not NULL. */
struct mdg__heap_idle mdg__heap_nothing = {
	.heap = (struct mdg__heap *)(void *)&mdg__heap_nothing
};
static _Atomic uint32_t no_epoch; /* always 0 */
MDG__OF_THREAD struct mdg__heap_thread mdg__heap_thread = { .last = &mdg__heap_nothing,
	                                                    .epoch_now = &no_epoch };

static _Atomic uint64_t no_blocks; /* always 0 */

/* ---- memory -------------------------------------------------------------------------------- */

/* None of it begins where its pages do, for the same reason as the tables (sizes.c). */
enum { OWN_APART = 0x540, SLABS_APART = 0xbc0 };

/* The slabs of each unit, and the links behind them. */
static size_t links_size(const struct mdg__heap *heap)
{
	return (size_t)heap->capacity *
	               (sizeof(struct mdg__heap_cache *) + sizeof(struct mdg__link)) +
	       SLABS_APART;
}

static void *links_memory(const struct mdg__heap_own *own)
{
	return (unsigned char *)own->slabs - SLABS_APART;
}

static struct mdg__heap_own *own_map(struct mdg__heap *heap)
{
	void *memory, *links;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	if (mdg__map_own(NULL, OWN_APART + sizeof(struct mdg__heap_own), flags, -1, 0, &memory) < 0)
		return NULL;
	if (mdg__map_own(NULL, links_size(heap), flags, -1, 0, &links) < 0) {
		(void)mdg__sys_munmap(memory, OWN_APART + sizeof(struct mdg__heap_own));
		return NULL;
	}
	struct mdg__heap_own *own = (void *)((unsigned char *)memory + OWN_APART);
	own->idle.heap = own->heap = heap;
	own->slabs = (struct mdg__heap_cache **)(void *)((unsigned char *)links + SLABS_APART);
	own->links = (struct mdg__link *)(void *)(own->slabs + heap->capacity);
	return own;
}

void mdg__own_unmap(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	(void)mdg__sys_munmap(links_memory(own), links_size(heap));
	(void)mdg__sys_munmap((unsigned char *)own - OWN_APART, OWN_APART + sizeof *own);
}

/* As it was mapped, but for what is constant and what others read. */
static void own_wipe(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	own->idle.heap = own->heap;
	own->why = 0;
	own->tag = 0;
	own->reading = 0;
	own->hands = 0;
	own->joined_hands = 0;
	memset(own->joined, 0, sizeof own->joined);
	memset(own->held_label, 0, sizeof own->held_label);
	own->fences = 0;
	own->bag = own->bag_bytes = 0;
	own->bag_used = 0;
	own->adopt = 0;
	own->minute_from = 0;
	own->kept_count = 0;
	own->kept_units = 0;
	own->inner = NULL;
	own->others = NULL;
	atomic_store_explicit(&own->slot1, 0, memory_order_relaxed);
	memset(own->cache, 0, sizeof own->cache);
	if ((heap->flags & MDG_HEAP_CHECKED) != 0)
		memset(own->quarantine, 0, sizeof own->quarantine);
	if (mdg__sys_madvise(links_memory(own), links_size(heap), MADV_DONTNEED) < 0)
		memset(links_memory(own), 0, links_size(heap));
}

/* ---- whose it is --------------------------------------------------------------------------- */

/* In `whose`: its thread is making it, or leaves it, and may have no slot. So it lives. */
#define AT_WORK (UINT64_C(1) << 63)

static uint64_t whose_now(uint32_t epoch)
{
	return (uint64_t)(uint32_t)mdg__tid() << 32 | epoch;
}

static bool slot_lives(const struct mdg__heap *heap, const struct mdg__heap_own *own)
{
	return mdg__heap_slot_lives(heap, MDG__LOAD(own->slot1), MDG__LOAD(own->generation));
}

/* Whether the kernel knows the thread, and has not marked its slots yet. It knows the first thread
 * of a process as long as there are others, also when that one has ended. */
static bool thread_lives(int32_t tid)
{
	return mdg__sys_thread_exists(tid) && mdg__sys_thread_has_robust_list(tid);
}

bool mdg__own_lives(const struct mdg__heap *heap, const struct mdg__heap_own *own)
{
	uint64_t whose = atomic_load_explicit(&own->whose, memory_order_acquire);
	if (whose == 0 || !mdg__epoch_is((uint32_t)whose))
		return false;
	/* Somebody may have scribbled on its slot. So a death is believed if the kernel says it
	 * too. */
	return (whose & AT_WORK) != 0 || slot_lives(heap, own) ||
	       thread_lives((int32_t)(whose >> 32));
}

bool mdg__own_has_ended(const struct mdg__heap *heap, const struct mdg__heap_own *own)
{
	enum { NAPS_MOST = 10000, NAP_NS = 100000 };
	for (int naps = 0; mdg__own_lives(heap, own); naps++) {
		_Atomic uint32_t nobody = 0;
		bool at_work = (MDG__LOAD(own->whose) & AT_WORK) != 0;
		if (at_work || slot_lives(heap, own) || naps == NAPS_MOST)
			return false;
		(void)mdg__sys_futex_wait(&nobody, 0, false, NAP_NS);
	}
	return true;
}

/* One that nobody living has. It is this thread's after this. */
static struct mdg__heap_own *own_reuse(struct mdg__heap *heap, uint32_t epoch)
{
	struct mdg__heap_own *own = atomic_load_explicit(&heap->owns, memory_order_acquire);
	for (; own != NULL; own = own->next) {
		uint64_t whose = atomic_load_explicit(&own->whose, memory_order_acquire);
		if (!mdg__own_lives(heap, own) &&
		    atomic_compare_exchange_strong_explicit(
			    &own->whose, &whose, whose_now(epoch) | AT_WORK, memory_order_acq_rel,
			    memory_order_relaxed)) {
			own_wipe(heap, own);
			return own;
		}
	}
	return NULL;
}

static struct mdg__heap_own *own_add(struct mdg__heap *heap, uint32_t epoch)
{
	struct mdg__heap_own *own = own_map(heap);
	if (own == NULL)
		return NULL;
	MDG__STORE(own->whose, whose_now(epoch) | AT_WORK);
	own->next = atomic_load_explicit(&heap->owns, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&heap->owns, &own->next, own,
	                                              memory_order_acq_rel, memory_order_relaxed))
		;
	return own;
}

/* ---- making it ----------------------------------------------------------------------------- */

static void caches_begin(struct mdg__heap_own *own)
{
	for (uint32_t class = 0; class < MDG__HEAP_CLASSES_ALL; class ++) {
		const struct mdg__size_class *about = &mdg__heap_classes[class];
		own->cache[class].word = &no_blocks;
		own->cache[class].size = about->size;
		own->cache[class].inverse = about->inverse;
		/* A medium slab has units behind its first one. Whether the heap has them too is
		 * asked when a block is found in the other way (block.c). */
		own->cache[class].blocks = about->units == 1 ? about->blocks : 0;
		own->cache[class].whole = about->whole;
		own->cache[class].tick_mask = about->words >= 4 ? 63 : about->units > 1 ? 0 : 7;
	}
	for (uint32_t i = 0; i <= MDG__SMALL_MOST / 16; i++)
		own->small[i] = (uint16_t)(offsetof(struct mdg__heap_own, cache) +
		                           mdg__heap_small[i] * sizeof(struct mdg__heap_cache));
}

/* A slot. If all are taken, those of the dead are swept. */
static int take_slot(struct mdg__heap *heap, uint32_t *ret_slot1)
{
	int rc = mdg__heap_slot_take(heap, ret_slot1);
	if (rc == -EUSERS && mdg__sweep_some(heap, heap->slots) > 0)
		rc = mdg__heap_slot_take(heap, ret_slot1);
	return rc;
}

/* [signals blocked] */
static struct mdg__heap_own *make(struct mdg__heap *heap, uint32_t epoch, int *ret_why)
{
	struct mdg__heap_own *own = own_reuse(heap, epoch);
	uint32_t slot1 = 0;
	if (own == NULL)
		own = own_add(heap, epoch);
	int rc = own == NULL ? -ENOMEM : take_slot(heap, &slot1);
	if (rc < 0) {
		if (own != NULL)
			atomic_store_explicit(&own->whose, 0, memory_order_release);
		*ret_why = rc;
		return NULL;
	}
	own->slot = &heap->slot[slot1 - 1];
	uint32_t generation = MDG__LOAD(own->slot->generation);
	MDG__STORE(own->generation, generation);
	own->label = MDG__LABEL(slot1, generation, 0, 0);
	caches_begin(own);
	MDG__STORE(own->slot1, slot1);
	/* Release: pairs with the acquire in mdg__own_lives. */
	atomic_store_explicit(&own->whose, whose_now(epoch), memory_order_release);
	return own;
}

/* ---- finding it ---------------------------------------------------------------------------- */

static struct mdg__heap_own *find(const struct mdg__heap *heap)
{
	struct mdg__heap_own *own = mdg__heap_thread.first;
	while (own != NULL && own->heap != heap)
		own = own->others;
	return own;
}

static struct mdg__heap_own *make_first(struct mdg__heap *heap, uint32_t epoch, int *ret_why)
{
	struct mdg__heap_thread *thread = mdg__of_thread(&mdg__heap_thread);
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	if (thread->epoch != epoch)
		*thread = (struct mdg__heap_thread){ .last = &mdg__heap_nothing,
			                             .epoch_now = MDG__LOAD(mdg__epoch_word),
			                             .epoch = epoch };
	struct mdg__heap_own *own = find(heap);
	if (own == NULL && (own = make(heap, epoch, ret_why)) != NULL) {
		own->others = thread->first;
		thread->first = own;
	}
	mdg__signals_restore(&mask);
	return own;
}

static struct mdg__heap_own *make_inner(struct mdg__heap_own *outer, uint32_t epoch, int *ret_why)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	if (outer->inner == NULL)
		outer->inner = make(outer->heap, epoch, ret_why);
	mdg__signals_restore(&mask);
	return outer->inner;
}

struct mdg__heap_own *mdg__own_find(struct mdg__heap *heap, int *ret_why)
{
	struct mdg__heap_thread *thread = mdg__of_thread(&mdg__heap_thread);
	uint32_t epoch = mdg__epoch();
	*ret_why = mdg__is_closed(heap) ? -EBADF : -EROFS;
	if ((heap->flags & MDG_HEAP_RDONLY) != 0 || mdg__is_closed(heap))
		return NULL;
	struct mdg__heap_own *own = thread->epoch == epoch ? find(heap) : NULL;
	if (own == NULL)
		own = make_first(heap, epoch, ret_why);
	if (own != NULL && own->idle.heap != NULL && (heap->flags & MDG_HEAP_CHECKED) == 0)
		thread->last = &own->idle;
	while (own != NULL && own->idle.heap == NULL)
		own = own->inner != NULL ? own->inner : make_inner(own, epoch, ret_why);
	if (own != NULL)
		*ret_why = 0;
	return own;
}

/* ---- why ----------------------------------------------------------------------------------- */

void mdg__own_failed(const struct mdg__heap *heap, int why)
{
	mdg__heap_thread.failed = heap;
	mdg__heap_thread.why = why;
}

/* What this thread keeps for the heap, if it has it already. */
static const struct mdg__heap_own *look(const struct mdg__heap *heap)
{
	const struct mdg__heap_thread *thread = mdg__of_thread(&mdg__heap_thread);
	if (thread->epoch == 0 || !mdg__epoch_is(thread->epoch))
		return NULL;
	const struct mdg__heap_own *own = find(heap);
	while (own != NULL && own->idle.heap == NULL)
		own = own->inner;
	return own;
}

int mdg_heap_why(const mdg_heap *heap)
{
	const struct mdg__heap *here = mdg__heap_of(heap);
	const struct mdg__heap_own *own = look(here);
	if (own != NULL)
		return own->why;
	return mdg__heap_thread.failed == here ? mdg__heap_thread.why : 0;
}

/* ---- leaving ------------------------------------------------------------------------------- */

/* [signals blocked] This thread gives its slots in the heap back. Until it has swept them, it still
 * has what it kept: else another thread could detach the heap meanwhile, or take over the one and
 * lose it again at the end. */
void mdg__own_leave(struct mdg__heap *heap)
{
	struct mdg__heap_thread *thread = mdg__of_thread(&mdg__heap_thread);
	if (thread->epoch == 0 || !mdg__epoch_is(thread->epoch))
		return;
	struct mdg__heap_own **link = &thread->first, *first, *own, *inner;
	while (*link != NULL && (*link)->heap != heap)
		link = &(*link)->others;
	first = *link;
	if (first == NULL)
		return;
	*link = first->others;
	thread->last = &mdg__heap_nothing;
	for (own = first; own != NULL; own = own->inner) {
		(void)mdg__retired_free(heap, own);
		atomic_store_explicit(&own->whose, whose_now(thread->epoch) | AT_WORK,
		                      memory_order_release);
		mdg__heap_slot_leave(heap, own->slot1);
	}
	(void)mdg__sweep_some(heap, heap->slots);
	/* Release: from the last of these stores on, the heap may be detached. */
	for (own = first; own != NULL; own = inner) {
		inner = own->inner;
		atomic_store_explicit(&own->whose, 0, memory_order_release);
	}
}
