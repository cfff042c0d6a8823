/* SPDX-License-Identifier: MIT */
/*
 * look.c - what an object that lies in memory shows of those who use it.
 *
 * Each word is read once, on its own, relaxed: a moment's view, in which one word may be
 * older than the next. Nothing is written, nothing is waited for, and nothing is believed:
 * whatever the bytes are, the result is within its bounds. Whether a thread
 * lives is for the caller to ask.
 */
#include <string.h>

#include "sync/owned.h"

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

/* Of once.c: 1, it has been done. */
static uint32_t look_own(const struct mdg__owned *owned)
{
	return atomic_load_explicit((const _Atomic uint32_t *)&owned->own[0], memory_order_relaxed);
}

int mdg_sync_look(const void *object, enum mdg_sync_kind kind, struct mdg_sync_state *ret_state)
{
	struct mdg_sync_state state;
	memset(&state, 0, sizeof state);
	state.kind = (uint32_t)kind;
	switch (kind) {
	case MDG_SYNC_ONCE:
		state.value = look_own(object) == 1;
		look_owned(object, &state);
		break;
	case MDG_SYNC_MUTEX:
	case MDG_SYNC_CELL:
	case MDG_SYNC_TXN:
		look_owned(object, &state);
		break;
	case MDG_SYNC_RWLOCK:
	case MDG_SYNC_COND:
	case MDG_SYNC_SEM:
	case MDG_SYNC_EVENT:
	case MDG_SYNC_BARRIER:
		break;
	default:
		return -EINVAL;
	}
	*ret_state = state;
	return 0;
}
