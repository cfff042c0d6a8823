/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - an owned word, with a state that says what an owner's death did to the data.
 *
 * Only the owner writes the state:
 *   - UNREPAIRED when it is told of a death;
 *   - 0 when it says that the data are right again;
 *   - BROKEN when it unlocks while the state is UNREPAIRED.
 * An owner may be killed after it took the word and before it stored UNREPAIRED. Then nobody had
 * been told yet. The kernel marks the word once more, and the next owner is told.
 */
#include "sync/owned.h"

_Static_assert(sizeof(mdg_mutex) == sizeof(struct mdg__owned), "");

static struct mdg__owned *inside(mdg_mutex *mutex)
{
	return (struct mdg__owned *)(void *)mutex;
}

/* What the new owner is told. */
static __attribute__((noinline, cold)) int told(struct mdg__owned *owned, int rc)
{
	uint32_t state = atomic_load_explicit(&owned->state, memory_order_relaxed);
	if (rc < 0 && rc != MDG_OWNER_DIED)
		return rc;
	if (state >= MDG__BROKEN) {
		(void)mdg__owned_give(owned);
		return MDG_BROKEN;
	}
	atomic_store_explicit(&owned->state, MDG__UNREPAIRED, memory_order_relaxed);
	return MDG_OWNER_DIED;
}

static int taken(struct mdg__owned *owned, int rc)
{
	uint32_t state = atomic_load_explicit(&owned->state, memory_order_relaxed);
	return ((uint32_t)rc | state) != 0 ? told(owned, rc) : 0;
}

/* ---- taking ------------------------------------------------------------------------------ */

/* Each call contains the common case. All other cases are functions that it calls last, so that the
 * common case needs no stack. */
static __attribute__((noinline)) int lock_other(struct mdg__owned *owned, uint64_t deadline)
{
	return taken(owned, mdg__owned_take(owned, deadline));
}

static __attribute__((noinline)) int trylock_other(struct mdg__owned *owned)
{
	return taken(owned, mdg__owned_try(owned));
}

static __attribute__((noinline, cold)) int lock_left(struct mdg__owned *owned)
{
	return told(owned, 0);
}

/* After the word was simply free. */
static inline int lock_end(struct mdg__owned *owned)
{
	uint32_t state = atomic_load_explicit(&owned->state, memory_order_relaxed);
	return __builtin_expect(state != 0, 0) ? lock_left(owned) : 0;
}

int mdg_mutex_lock(mdg_mutex *mutex)
{
	struct mdg__owned *owned = inside(mutex);
	return mdg__owned_take_free(owned) ? lock_end(owned) : lock_other(owned, MDG_FOREVER);
}

int mdg_mutex_trylock(mdg_mutex *mutex)
{
	struct mdg__owned *owned = inside(mutex);
	return mdg__owned_take_free(owned) ? lock_end(owned) : trylock_other(owned);
}

int mdg_mutex_lock_until(mdg_mutex *mutex, uint64_t deadline)
{
	struct mdg__owned *owned = inside(mutex);
	return mdg__owned_take_free(owned) ? lock_end(owned) : lock_other(owned, deadline);
}

/* ---- giving back ---------------------------------------------------------------------------- */

static __attribute__((noinline)) int unlock_other(struct mdg__owned *owned)
{
	struct mdg__thread *thread;
	int at = mdg__robust_mine(&owned->robust, &thread);
	if (at < 0)
		return -EPERM;
	if (atomic_load_explicit(&owned->state, memory_order_relaxed) != 0)
		atomic_store_explicit(&owned->state, MDG__BROKEN, memory_order_relaxed);
	mdg__robust_give(thread, &owned->robust, at, 1);
	return 0;
}

/* Called last, as above. */
static __attribute__((noinline)) int unlock_waking(struct mdg__owned *owned, uintptr_t before)
{
	mdg__robust_wake(&owned->robust, 1);
	mdg__pending_end(mdg__of_thread(&mdg__this_thread), before);
	return 0;
}

int mdg_mutex_unlock(mdg_mutex *mutex)
{
	struct mdg__owned *owned = inside(mutex);
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	uintptr_t before;
	if (__builtin_expect(!mdg__owned_is_latest(owned, thread) ||
	                             atomic_load_explicit(&owned->state, memory_order_relaxed) != 0,
	                     0))
		return unlock_other(owned);
	if (__builtin_expect(!mdg__robust_give_latest(thread, &owned->robust, &before), 0))
		return unlock_waking(owned, before);
	mdg__pending_end(thread, before);
	return 0;
}

int mdg_mutex_set_repaired(mdg_mutex *mutex)
{
	struct mdg__owned *owned = inside(mutex);
	if (!mdg__owned_is_mine(owned))
		return -EPERM;
	if (atomic_load_explicit(&owned->state, memory_order_relaxed) == 0)
		return -EINVAL;
	/* Release: if this thread dies right after this store, the repair is in memory. */
	atomic_store_explicit(&owned->state, 0, memory_order_release);
	return 0;
}

/* A thread that waits for the mutex takes it afterwards, and finds it new. */
int mdg_mutex_destroy(mdg_mutex *mutex)
{
	struct mdg__owned *owned = inside(mutex);
	int rc = mdg__owned_take_to_destroy(owned);
	if (rc != 0)
		return rc;
	atomic_store_explicit(&owned->state, 0, memory_order_relaxed);
	return mdg__owned_give(owned);
}
