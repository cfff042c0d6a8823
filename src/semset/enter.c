/* SPDX-License-Identifier: MIT */
/*
 * enter.c - the slow way: signals, lock, journal, and what has to be given back at the end.
 *
 * WHICH LOCK. The lock names the process by its slot (registry/signed_lock.h), and is not one of
 * the thread's robust locks (sync/owned.h), for two reasons. The change that a dead holder left
 * half done is set right by the next one, through the registry's journal, so the two come together
 * here as they do there. And a set works where the kernel has no robust lists. The death of a
 * holder is noticed a few milliseconds later than by a robust word, but a holder stays for less
 * than a microsecond.
 *
 * Signals are blocked meanwhile. A handler may call semop, or leave by longjmp.
 */
#include "semset/internal.h"

#include "madang/base.h"

static void point_journal(struct mdg__semset_stay *stay, uint32_t big1)
{
	struct mdg__journal *journal = &stay->journal;
	struct mdg__semset *set = stay->set;
	uint64_t heap = mdg__semset_heap_at(set->count);
	uint64_t at = heap + (uint64_t)(big1 - 1) * MDG__BLOCK;
	bool big = big1 != 0 && at + MDG__BIG_NOTES * sizeof(struct mdg__undo) <= set->length;
	journal->undo = (struct mdg__undo *)(void *)(set->base + (big ? at : MDG__NOTES_AT));
	journal->room = big ? MDG__BIG_NOTES : MDG__FEW_NOTES;
}

static bool sign_is_gone(void *context, uint32_t sign, uint32_t rounds)
{
	struct mdg__semset_stay *stay = context;
	return stay->set->host->sign_is_gone(stay->set, sign, rounds);
}

/* The set's memory as it is mapped now, for this stay. */
static void look_at(struct mdg__semset_stay *stay)
{
	struct mdg__semset *set = stay->set;
	struct mdg__semset_head *head = mdg__semset_head(set);
	stay->head = head;
	stay->blocks = mdg__block_count(set);
	stay->lock.word = &head->lock;
	stay->journal = (struct mdg__journal){
		.count = &head->note_count,
		.version = &head->version,
		.base = set->base,
		.first = offsetof(struct mdg__semset_head, serving1),
		.end = set->length,
	};
	point_journal(stay, mdg__load32(&head->big_notes1));
}

/* Maps at least so much, and makes it if it is not there. Under the lock: it is rare, and others
 * would have to wait for the same. */
static int grow(struct mdg__semset_stay *stay, uint64_t least)
{
	if (least > mdg__semset_heap_at(stay->set->count) + (uint64_t)MDG__BLOCKS_MOST * MDG__BLOCK)
		return -ENOMEM;
	int rc = stay->set->host->grow(stay->set, least);
	if (rc == 0)
		look_at(stay);
	return rc < 0 || stay->set->length >= least ? rc : -ENOMEM;
}

int mdg__semset_map_used(struct mdg__semset_stay *stay)
{
	uint32_t fresh = mdg__load32(&stay->head->fresh);
	uint64_t least = mdg__semset_heap_at(stay->set->count) + (uint64_t)fresh * MDG__BLOCK;
	if (fresh > MDG__BLOCKS_MOST)
		return MDG_DAMAGED;
	/* Whoever used it had made the memory for it. If that is not so, the number is forged, or
	 * the file was cut. */
	int rc = 0;
	if (least > stay->set->length) {
		rc = stay->set->host->grow(stay->set, 0);
		look_at(stay);
	}
	point_journal(stay, mdg__load32(&stay->head->big_notes1));
	return rc < 0 || least <= stay->set->length ? rc : MDG_DAMAGED;
}

/* Enlarges the memory by so many blocks, or by half, if that is more. */
static int grow_by(struct mdg__semset_stay *stay, uint32_t blocks)
{
	uint64_t length = stay->set->length;
	uint64_t wanted = (uint64_t)blocks * MDG__BLOCK;
	return grow(stay, length + (wanted > length / 2 ? wanted : length / 2));
}

/* The room is taken, and noted as taken for this, in one commit. The large journal is in use from
 * the store after it on: until then, what is noted lies in the small one. After a death in between,
 * the next one finds the room. */
static int make_big_notes(struct mdg__semset_stay *stay)
{
	const uint32_t wanted = MDG__BIG_NOTES * (uint32_t)sizeof(struct mdg__undo) / MDG__BLOCK;
	struct mdg__semset_head *head = stay->head;
	uint32_t fresh = mdg__load32(&head->fresh), promised1 = mdg__load32(&head->promised1);
	if (promised1 == 0) {
		int rc = stay->blocks - fresh < wanted ? grow_by(stay, wanted) : 0;
		if (rc < 0)
			return rc;
		promised1 = fresh + 1;
		head = stay->head;
		mdg__semset_put32(stay, &head->fresh, fresh + wanted);
		mdg__semset_put32(stay, &head->promised1, promised1);
		mdg__semset_commit(stay);
	}
	mdg__fill32(&head->big_notes1, promised1);
	point_journal(stay, promised1);
	return stay->journal.room == MDG__BIG_NOTES ? 0 : MDG_DAMAGED;
}

/* [lock] Blocks of the dead are looked for before the memory grows. A look costs a system call for
 * each of them, so it must be worth it: a quarter is free after it, or the memory grows all the
 * same. */
static int make_room(struct mdg__semset_stay *stay, uint32_t blocks)
{
	mdg__sleepers_sweep(stay);
	mdg__slips_end(stay, NULL);
	return mdg__block_have(stay, blocks + stay->blocks / 4) ? 0 : grow_by(stay, blocks);
}

/* [lock] */
static int provide(struct mdg__semset_stay *stay, struct mdg__semset_need need)
{
	int rc = mdg__semset_map_used(stay);
	if (rc == 0 && need.big_notes && stay->journal.room != MDG__BIG_NOTES)
		rc = make_big_notes(stay);
	if (rc == 0 && !mdg__block_have(stay, need.blocks))
		rc = make_room(stay, need.blocks);
	return rc;
}

/* [lock] Whether something was begun and not ended. Whoever takes the lock over from a dead process
 * ends it; but that one may have had no memory for it, or may have died too. */
static bool is_half_done(const struct mdg__semset_stay *stay)
{
	return mdg__journal_is_dirty(&stay->journal) || mdg__load32(&stay->head->serving1) != 0 ||
	       mdg__load32(&stay->head->setting1) != 0;
}

static void wake_all(struct mdg__semset_stay *stay)
{
	for (uint32_t i = 0; i < stay->wake_count; i++)
		(void)mdg__sys_futex_wake(stay->wake[i], INT32_MAX, true);
	stay->wake_count = 0;
}

static int enter(struct mdg__semset_stay *stay, struct mdg__semset_need need)
{
	int rc = mdg__signed_lock_take_within(&stay->lock, stay->sign,
	                                      need.sleeps != 0 ? need.sleeps : UINT32_MAX);
	if (rc < 0) {
		wake_all(stay); /* whom the repair has served */
		return rc;
	}
	if (is_half_done(stay))
		rc = stay->lock.repair(stay);
	if (rc == 0)
		rc = provide(stay, need);
	if (rc < 0)
		mdg__semset_leave_blocked(stay);
	return rc;
}

int mdg__semset_enter_any(struct mdg__semset_stay *stay, struct mdg__semset *set,
                          struct mdg__semset_need need, int (*repair)(void *stay))
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	stay->set = set;
	stay->sign = set->self.sign;
	stay->touched_count = 0;
	stay->wake_count = 0;
	stay->mask = mask;
	stay->lock = (struct mdg__signed_lock){ NULL, stay, sign_is_gone, repair };
	look_at(stay);
	int rc = enter(stay, need);
	if (rc < 0)
		mdg__signals_restore(&mask);
	return rc;
}

int mdg__semset_enter(struct mdg__semset_stay *stay, struct mdg__semset *set,
                      struct mdg__semset_need need, int (*repair)(void *stay))
{
	int rc = mdg__semset_enter_any(stay, set, need, repair);
	if (rc == 0 && mdg__load32(&stay->head->removed) != 0) {
		mdg__semset_leave(stay);
		rc = -EINVAL;
	}
	return rc;
}

void mdg__wake_later(struct mdg__semset_stay *stay, mdg__a32 *word)
{
	if (stay->wake_count < MDG__WAKE_MAX)
		stay->wake[stay->wake_count++] = word;
	else
		(void)mdg__sys_futex_wake(word, INT32_MAX, true);
}

void mdg__semset_leave_blocked(struct mdg__semset_stay *stay)
{
	mdg__unclaim_all(stay);
	mdg__signed_lock_give_back(&stay->lock, stay->sign);
	wake_all(stay);
}

void mdg__semset_leave(struct mdg__semset_stay *stay)
{
	mdg__semset_leave_blocked(stay);
	mdg__signals_restore(&stay->mask);
}
