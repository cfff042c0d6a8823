/* SPDX-License-Identifier: MIT */
/*
 * map_part.c - the lock of a part, and what a writer that was killed has left in it.
 *
 * A part is whole at any moment, since each change is one step of the heap. But a writer that was
 * killed in the middle of such a step has a hand that names a place in the part (heap.h: hold,
 * publish, take). Until somebody has swept its slot, that place may contain its mark. And who
 * copies the place into another table, or frees its memory, would lead the sweeper astray. So the
 * next writer sweeps first, and waits until that is done. The part says which slot it is about.
 *
 * The kernel gives the lock on a moment before it marks the dead thread's slot, because it goes
 * through the thread's list in order. So the slot may still look alive for a moment. And somebody
 * else may be sweeping it. That one may be stopped, or may wait for the heap's lock, whose owner is
 * stopped. Then the writer waits as long as that takes. It waits as for the lock: for a while, and
 * again, and in between it has neither the lock nor a read section.
 */
#include "heap/map_internal.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "sync/owned.h"

enum {
	NAP = 50 * 1000, /* nanoseconds between two looks */
	NAP_MOST = 5 * 1000 * 1000,
	READERS_MS = 100
};

static uint64_t writer_of(const struct mdg_map *map)
{
	int why;
	struct mdg__heap_own *own = mdg__own_begin(mdg__heap_of(map->heap), &why);
	if (own == NULL)
		return 0;
	uint64_t writer = (uint64_t)own->generation << 32 | own->slot1;
	mdg__own_end(own);
	return writer;
}

static void nap(uint32_t nanoseconds)
{
	_Atomic uint32_t word = 0;
	(void)mdg__sys_futex_wait(&word, 0, false, nanoseconds);
}

/* ---- after a death ------------------------------------------------------------------------- */

/* Whether a hand still names a place that may have the mark of its thread, or in which it may have
 * published. A hand that holds a block names one for a moment: after a take, whose mark is still
 * there, and while the sweeper ends what was begun. */
static bool names_place(const struct mdg__hand *hand)
{
	switch (MDG__HAND_OP(atomic_load_explicit(&hand->op, memory_order_acquire))) {
	case MDG__HAND_PUBLISH:
	case MDG__HAND_TAKE:
	case MDG__HAND_SWAP:
		return true;
	case MDG__HAND_HELD: /* acquire: who has stored 0 has emptied the place before */
		return atomic_load_explicit(&hand->place, memory_order_acquire) != 0;
	default:
		return false;
	}
}

/* Whether a hand of the dead writer still names a place. A block that it only holds is no harm, and
 * may have to wait for readers. */
static bool is_unsettled(const struct mdg__heap *heap, uint64_t writer)
{
	uint32_t slot1 = (uint32_t)writer & 0xffffu;
	if (slot1 == 0 || slot1 > mdg__heap_slots_used(heap))
		return false;
	const struct mdg__heap_slot *slot = &heap->slot[slot1 - 1];
	for (int i = 0; i < MDG__HANDS; i++)
		if (names_place(&slot->hands[i]))
			return atomic_load_explicit(&slot->generation, memory_order_acquire) ==
			       (uint32_t)(writer >> 32);
	return false;
}

/* Ends what the dead writer had begun, or waits for whoever is about to. False: it takes longer. */
static bool settle(const struct mdg_map *map, uint64_t writer)
{
	uint64_t begun = mdg__monotonic_nanoseconds();
	for (uint32_t pause = NAP; is_unsettled(mdg__heap_of(map->heap), writer);) {
		if (mdg__monotonic_nanoseconds() - begun >= MDG__LOOK_NS)
			return false;
		if (mdg_heap_sweep(map->heap) > 0)
			continue;
		nap(pause);
		pause = pause < NAP_MOST ? pause * 2 : pause;
	}
	return true;
}

/* What the caller is to do about a dead writer that was not settled. -ETIMEDOUT: to wait on. Who
 * went on with the part would lead a sweeper astray, even one that comes later. */
static int judge(struct mdg__heap *heap, uint64_t writer, int *looks)
{
	struct mdg__heap_slot *slot = &heap->slot[((uint32_t)writer & 0xffffu) - 1];
	struct mdg__thread *thread;
	if (mdg__robust_mine(&slot->life, &thread) >= 0)
		return -EDEADLK; /* this thread has been interrupted while it swept */
	return mdg__slot_is_nobodys(heap, slot, looks) ? MDG_BROKEN : -ETIMEDOUT;
}

/* What this one takes out may have to be settled by the next one: so the part says who is writing
 * before that. 0; -ENOLCK: the thread holds so many locks that it cannot sweep; or as judge. Then
 * the lock is given back as it is: who asks next is told. */
static int repair(const struct mdg_map *map, struct mdg__map_part *part, int *looks)
{
	uint64_t writer = MDG__LOAD(part->writer);
	int rc = 0;
	if (!mdg__sweep_is_possible() && is_unsettled(mdg__heap_of(map->heap), writer))
		rc = -ENOLCK;
	else if (!settle(map, writer))
		rc = judge(mdg__heap_of(map->heap), writer, looks);
	if (rc != 0) {
		(void)mdg__owned_give((struct mdg__owned *)(void *)&part->lock);
		return rc;
	}
	MDG__STORE(part->writer, writer_of(map));
	mdg__map_tidy(map, part);
	MDG__STORE(part->writer, 0);
	(void)mdg_mutex_set_repaired(&part->lock);
	return 0;
}

/* ---- the lock ------------------------------------------------------------------------------ */

/* -EINTR comes to a thread that wants to know of signal handlers: not from this lock. */
static int take(struct mdg__map_part *part)
{
	int rc = mdg_mutex_trylock(&part->lock);
	if (rc != -EBUSY)
		return rc;
	uint64_t deadline = mdg_deadline(MDG__LOOK_NS);
	do
		rc = mdg_mutex_lock_until(&part->lock, deadline);
	while (rc == -EINTR);
	return rc;
}

/* [in a read section, and the map is there] After a look without the lock. Once this was true in a
 * heap, it is soon true of the other locks of nobody, so that nobody waits long for each of them.
 * The handle of a map could not say so: some last for one call only. */
static bool is_nobodys(const struct mdg_map *map, const struct mdg__map_part *part, int *looks)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	const struct mdg__owned *lock = (const struct mdg__owned *)(const void *)&part->lock;
	if (!mdg__lock_is_nobodys(lock, MDG__LOAD(heap->suspect) != 0, looks))
		return false;
	MDG__STORE(heap->suspect, 1);
	return true;
}

/* Whether the head is the one that it was. `removes`: also while the map is being removed. */
static bool is_there(const struct mdg_map *map, bool removes)
{
	return mdg__map_is_there(map) ||
	       (removes && atomic_load_explicit(map->place, memory_order_acquire) == map->ref &&
	        MDG__LOAD(map->head->identity) == 0);
}

/* The part lies in the head, and that may be freed by whoever removes the map. That one has to have
 * each lock. So the read section need not be longer than until the lock is there. It is ended now
 * and then, for if whoever it waits for is stopped, no memory would be freed meanwhile. */
static int lock(const struct mdg_map *map, struct mdg__map_part *part, bool removes)
{
	int rc, looks = 0, slot_looks = 0;
	do {
		rc = mdg_read_begin(map->heap);
		if (rc != 0)
			return rc;
		rc = is_there(map, removes) ? take(part) : -EIDRM;
		if (rc == MDG_OWNER_DIED)
			rc = repair(map, part, &slot_looks);
		if (rc == 0 && !is_there(map, removes)) {
			(void)mdg_mutex_unlock(&part->lock);
			rc = -EIDRM;
		}
		if (rc == -ETIMEDOUT && is_nobodys(map, part, &looks))
			rc = MDG_BROKEN;
		(void)mdg_read_end(map->heap);
	} while (rc == -ETIMEDOUT);
	if (rc == 0)
		MDG__STORE(part->writer, writer_of(map));
	return rc;
}

int mdg__map_lock(const struct mdg_map *map, struct mdg__map_part *part)
{
	return lock(map, part, false);
}

int mdg__map_lock_to_remove(const struct mdg_map *map, struct mdg__map_part *part)
{
	return lock(map, part, true);
}

void mdg__map_give(struct mdg__map_part *part)
{
	MDG__STORE(part->writer, 0);
	(void)mdg_mutex_unlock(&part->lock);
}

/* Whoever removes the map has only waited for this lock. And to give it back takes a moment longer
 * than until somebody else can take it (mdg__robust_wake). So the head has to stay until then. */
void mdg__map_unlock(const struct mdg_map *map, struct mdg__map_part *part)
{
	bool reads = mdg_read_begin(map->heap) == 0;
	mdg__map_give(part);
	if (reads)
		(void)mdg_read_end(map->heap);
}

/* ---- what is in it ------------------------------------------------------------------------- */

/* Waits for the readers that may see what was taken out of its place. False: there are some after
 * that time, perhaps this thread itself. */
static bool wait_for_readers(struct mdg__heap *heap)
{
	uint64_t left = mdg__readers_turn(heap), begun = mdg__monotonic_nanoseconds();
	while (mdg__readers_oldest(heap) <= left) {
		if (mdg__monotonic_nanoseconds() - begun > READERS_MS * UINT64_C(1000000))
			return false;
		nap(NAP);
	}
	return true;
}

void mdg__map_retire(const struct mdg_map *map, void *block)
{
	if (block == NULL || mdg_retire(map->heap, block) == 0)
		return;
	/* There is no memory to write it down. */
	(void)mdg_heap_sweep(map->heap);
	if (mdg_retire(map->heap, block) != 0 && wait_for_readers(mdg__heap_of(map->heap)))
		(void)mdg_free(map->heap, block);
	/* Else the thread goes on holding it. It is freed when the thread ends. */
}

/* A node of a map of references that has no value: somebody was killed between two steps. */
static bool is_without_value(const struct mdg_map *map, uint64_t ref)
{
	struct mdg__map_seen seen;
	return (map->flags & MDG_MAP_REFS) != 0 && mdg__map_node_at(map, ref, &seen) &&
	       MDG__LOAD(seen.node->value) == 0;
}

void mdg__map_tidy(const struct mdg_map *map, struct mdg__map_part *part)
{
	struct mdg__map_view view;
	uint64_t count = 0;
	if (mdg__map_table_at(map, MDG__LOAD(part->table), &view) != 0 || view.buckets == NULL) {
		MDG__STORE(part->count, 0);
		return;
	}
	for (uint32_t i = 0; i <= view.mask; i++)
		for (uint32_t slot = 0; slot < MDG__MAP_SLOTS; slot++) {
			_Atomic uint64_t *place = &view.buckets[i].slot[slot];
			uint64_t ref = MDG__LOAD(*place);
			if (ref != 0 && is_without_value(map, ref))
				mdg__map_retire(map, mdg_take(map->heap, mdg__map_place(place)));
			else if (ref != 0)
				count++;
		}
	MDG__STORE(part->count, count);
	MDG__STORE(part->bits, view.bits); /* a writer may have died between the table and this */
}
