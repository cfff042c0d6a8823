/* SPDX-License-Identifier: MIT */
/*
 * nobodys.c - whether a lock that does not come free belongs to a thread that does not exist.
 *
 * The kernel frees the lock of a thread that ends, before its number is nobody's. So such a lock
 * was scribbled on, with one exception. A thread of another pid namespace seems not to exist here.
 * It has the lock for microseconds, unless it is stopped. So the question is asked only after 10
 * seconds; or at once, if the number is larger than the kernel gives to any thread, or if it is
 * known that somebody scribbles on locks.
 *
 * The same is asked of the slot of a dead thread that is not swept: whether its sweeper exists.
 */
#include "heap/internal.h"

#include "platform/signals.h"
#include "sync/owned.h"

enum {
	LOOKS = 100,
	TID_MOST = 1 << 22 /* the kernel's PID_MAX_LIMIT */
};

static uint32_t owner_of(const struct mdg__owned *lock)
{
	return MDG__LOAD(lock->robust.word) & MDG__TID;
}

bool mdg__lock_is_nobodys(const struct mdg__owned *lock, bool suspect, int *looks)
{
	uint32_t owner = owner_of(lock);
	if (owner == 0 || (++*looks < LOOKS && !suspect && owner <= TID_MOST))
		return false;
	if (owner != mdg__this_thread.tid && mdg__sys_process_exists((int32_t)owner))
		return false;
	return owner_of(lock) == owner; /* else it has just died */
}

bool mdg__slot_is_nobodys(struct mdg__heap *heap, const struct mdg__heap_slot *slot, int *looks)
{
	uint32_t owner = MDG__LOAD(slot->life.word) & MDG__TID;
	bool sure = owner > TID_MOST || (owner != 0 && MDG__LOAD(heap->suspect) != 0);
	if (owner != 0 && mdg__sys_process_exists((int32_t)owner)) {
		*looks = 0;
		return false;
	}
	if ((++*looks < LOOKS && !sure) || (MDG__LOAD(slot->life.word) & MDG__TID) != owner)
		return false;
	if (owner != 0)
		MDG__STORE(heap->suspect, 1);
	return true;
}
