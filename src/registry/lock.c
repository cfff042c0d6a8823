/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the writer lock of the registry: a signed lock, whose repair is to undo or
 * to rebuild.
 *
 * A word that was scribbled over may name a living process that never took the lock.
 * So a waiter that sees the same word again and again asks the kernel whether the named
 * process has a thread with all signals blocked: an owner has one, from before it takes
 * the lock until after it has given it back. If there is none, the word is forged, and
 * the lock is taken over. signed_lock.c says why this can never rob an owner.
 *
 * Code that holds the lock waits for no other process. It makes few system calls: it asks
 * whether a process lives, and makes the empty data file of an object that is first used
 * (segment/objectfile.c).
 */
#include "registry/internal.h"

#define DOUBTED 4u /* from this question on, a living owner may be forged */

static bool owner_is_gone(void *context, uint32_t sign, uint32_t rounds)
{
	struct mdg__registry *registry = context;
	uint32_t slot1 = sign & MDG__SIGN_SLOT1;
	/* The threads of a process come here one at a time, so our own sign is forged. */
	if ((slot1 != 0 && mdg__slot_is_own(registry, slot1 - 1)) ||
	    !mdg__sign_at_work(registry, sign))
		return true;
	/* After 4, 8, 16 ... rounds: the question costs some 50 us for each thread there,
	 * and an owner that only lost its processor is to get it back. */
	return rounds >= DOUBTED && (rounds & (rounds - 1)) == 0 &&
	       !mdg__slot_may_be_inside(registry, slot1 - 1);
}

/* Sets right what the last owner left half done. */
static int repair(void *context)
{
	struct mdg__registry *registry = context;
	if (mdg__get32(&registry->head->undo_count) == MDG__REBUILDING) {
		mdg__registry_rebuild(registry);
		return 0;
	}
	return mdg__journal_rollback(&registry->journal);
}

void mdg__lock_set_up(struct mdg__registry *registry)
{
	struct mdg__head *head = registry->head;
	_Static_assert(offsetof(struct mdg__head, turns) == offsetof(struct mdg__head, lock) + 4 &&
	                       offsetof(struct mdg__head, lock) % 8 == 0,
	               "one aligned 64-bit word");
	registry->writer =
		(struct mdg__signed_lock){ &head->lock, registry, owner_is_gone, repair };
	registry->journal = (struct mdg__journal){
		&head->undo_count, &head->version, head->undo,
		MDG__JOURNAL_MAX,  (char *)head,   offsetof(struct mdg__head, pages),
		registry->length,
	};
}

int mdg__lock(struct mdg__registry *registry)
{
	if (registry->slot1 == 0)
		return MDG_NO_SLOT;
	int rc = mdg__signed_lock_take(&registry->writer, mdg__own_sign(registry));
	/* A free lock normally leaves nothing to undo. But a forged unlock may have, and
	 * it costs two loads to be sure. */
	if (rc < 0 || !mdg__journal_is_dirty(&registry->journal))
		return rc;
	rc = repair(registry);
	if (rc < 0)
		mdg__unlock(registry);
	return rc;
}

void mdg__unlock(struct mdg__registry *registry)
{
	mdg__signed_lock_give_back(&registry->writer, mdg__own_sign(registry));
}
