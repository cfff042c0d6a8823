/* SPDX-License-Identifier: MIT */
/*
 * look.c - shows who uses an object, for mdg_sync_look.
 *
 * Each word is read once, by itself and relaxed. So one field may be a little older than the next.
 * This writes nothing and waits for nothing. It trusts nothing: whatever the bytes are, the result
 * stays within its bounds. It does not ask whether a thread still lives; the caller may.
 */
#include <string.h>

#include "platform/sized.h"
#include "sync/barrier.h"
#include "sync/cell.h"
#include "sync/gate.h"
#include "sync/owned.h"
#include "sync/rwlock.h"

static void look_notes(const struct mdg__notes *notes, struct mdg_sync_state *ret)
{
	for (int i = 0; i < MDG__NOTES && ret->waiters < MDG_WAITERS_SHOWN; i++) {
		uint64_t note = atomic_load_explicit(&notes->note[i], memory_order_relaxed);
		uint32_t thread = (uint32_t)(note >> 32) & MDG__TID;
		if (thread == 0)
			continue;
		ret->waiter[ret->waiters].thread = thread;
		ret->waiter[ret->waiters].since = (uint32_t)note;
		ret->waiters++;
	}
}

static void look_owned(const struct mdg__owned *owned, struct mdg_sync_state *ret)
{
	uint32_t word = atomic_load_explicit(&owned->robust.word, memory_order_relaxed);
	uint32_t state = atomic_load_explicit(&owned->state, memory_order_relaxed);
	ret->owner = word & MDG__TID;
	if ((word & MDG__DIED) != 0 && ret->owner == 0)
		ret->state |= MDG_STATE_OWNER_DIED;
	if (state == MDG__UNREPAIRED)
		ret->state |= MDG_STATE_UNREPAIRED;
	if (state >= MDG__BROKEN)
		ret->state |= MDG_STATE_BROKEN;
	look_notes(&owned->notes, ret);
}

/* own[0] is the word `done` of once.c. */
static void look_once(const struct mdg__owned *owned, struct mdg_sync_state *ret)
{
	ret->value = atomic_load_explicit((const _Atomic uint32_t *)&owned->own[0],
	                                  memory_order_relaxed) == 1;
	look_owned(owned, ret);
}

static void look_cell(const struct mdg__cell *cell, struct mdg_sync_state *ret)
{
	ret->value = (uint32_t)atomic_load_explicit(&cell->version, memory_order_relaxed);
	look_owned(&cell->writer, ret);
}

/* A thread that holds the writer's word and is not inside waits for readers, so it is not shown
 * as the owner. If it dies, nobody is told, so that is not shown either. A writer that died
 * inside is shown, even if the next one has given up without getting in. */
static void look_rwlock(const struct mdg__rwlock *rw, struct mdg_sync_state *ret)
{
	bool inside = atomic_load_explicit(&rw->inside, memory_order_relaxed) != 0;
	look_owned(&rw->writer, ret);
	ret->state &= ~MDG_STATE_OWNER_DIED;
	if (ret->owner == 0 && inside)
		ret->state |= MDG_STATE_OWNER_DIED;
	if (!inside)
		ret->owner = 0;
	for (uint32_t i = 0; i < MDG_READERS_MAX; i++) {
		uint32_t thread =
			atomic_load_explicit(&rw->slot[i].robust.word, memory_order_relaxed);
		if ((thread & MDG__TID) != 0)
			ret->reader[ret->readers++] = thread & MDG__TID;
	}
}

static void look_barrier(const struct mdg__barrier *barrier, struct mdg_sync_state *ret)
{
	ret->value = atomic_load_explicit(&barrier->members, memory_order_relaxed);
	for (uint32_t i = 0; i < MDG_MEMBERS_MAX; i++) {
		const struct mdg__member *member = &barrier->member[i];
		uint32_t thread = atomic_load_explicit(&member->robust.word, memory_order_relaxed);
		if ((thread & MDG__TID) != 0)
			ret->reader[ret->readers++] = thread & MDG__TID;
	}
	look_notes(&barrier->notes, ret);
}

/* The value is the number of units of a semaphore (sem.c). Bit 0 says whether an event is set
 * (event.c). */
static void look_gated(const struct mdg__gated *gated, uint32_t mask, struct mdg_sync_state *ret)
{
	uint64_t word = atomic_load_explicit(&gated->word, memory_order_relaxed);
	ret->value = mdg__gated_value(word) & mask;
	look_notes(&gated->notes, ret);
}

static int look(const void *object, enum mdg_sync_kind kind, struct mdg_sync_state *ret)
{
	switch (kind) {
	case MDG_SYNC_MUTEX:
	case MDG_SYNC_TXN:
		look_owned(object, ret);
		return 0;
	case MDG_SYNC_RWLOCK:
		look_rwlock(object, ret);
		return 0;
	/* Its notes lie at the same offset as those of a gated object. */
	case MDG_SYNC_COND:
		look_notes(&((const struct mdg__gated *)object)->notes, ret);
		return 0;
	case MDG_SYNC_SEM:
		look_gated(object, MDG_SEM_MAX, ret);
		return 0;
	case MDG_SYNC_EVENT:
		look_gated(object, 1, ret);
		return 0;
	case MDG_SYNC_BARRIER:
		look_barrier(object, ret);
		return 0;
	case MDG_SYNC_ONCE:
		look_once(object, ret);
		return 0;
	case MDG_SYNC_CELL:
		look_cell(object, ret);
		return 0;
	default:
		return -EINVAL;
	}
}

int mdg_sync_look(const void *object, enum mdg_sync_kind kind, struct mdg_sync_state *ret_state)
{
	struct mdg_sync_state state;
	memset(&state, 0, sizeof state);
	state.kind = (uint32_t)kind;
	if (!mdg__sized_is_valid(ret_state->size))
		return -EINVAL;
	int rc = look(object, kind, &state);
	if (rc == 0)
		mdg__sized_give(ret_state, &state, sizeof state);
	return rc;
}
