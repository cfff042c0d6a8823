/* SPDX-License-Identifier: MIT */
/*
 * mend.c - damage in a set's memory is mended, for madang doctor --repair.
 *
 * A block says by itself what it is: a sleeper with its operations, a process with UNDO, sums and
 * whose they are. So every list and every count can be made anew from the blocks, and this is done
 * with all of them, whatever was found to be wrong. Of a queue whose links are lost, the part that
 * can still be walked keeps its order, and the rest follows in the order of blocks.
 *
 * A value cannot be made anew. An impossible one stays, and doctor says so. A sleeper whose
 * operations cannot be read is woken with -EIDRM, since nobody knows what it waits for.
 *
 * No journal is kept: whoever dies here leaves the kinds of the blocks as they are, and the next
 * repair begins anew.
 */
#include "semset/mend.h"

/* In `previous1` or `unused`: not put into a list yet. */
#define LOOSE UINT32_MAX

/* The block, if it is of that kind, and not a part of the large journal, whose notes may look like
 * anything. */
static void *block_of(const struct mdg__semset_stay *stay, uint32_t block1, uint32_t kind)
{
	const uint32_t many = MDG__BIG_NOTES * (uint32_t)sizeof(struct mdg__undo) / MDG__BLOCK;
	uint32_t made1 = mdg__load32(&stay->head->big_notes1);
	uint32_t big1 = made1 != 0 ? made1 : mdg__load32(&stay->head->promised1);
	if (big1 != 0 && block1 >= big1 && block1 - big1 < many)
		return NULL;
	return mdg__block_at(stay->set, block1, kind);
}

/* ---- sleepers -------------------------------------------------------------------------------- */

static void loosen(const struct mdg__semset_stay *stay, uint32_t kind)
{
	for (uint32_t block1 = 1; block1 <= stay->blocks; block1++) {
		struct mdg__sleeper *sleeper = block_of(stay, block1, kind);
		if (sleeper == NULL)
			continue;
		mdg__fill32(&sleeper->previous1, LOOSE);
		mdg__fill32(&sleeper->watching1, 0); /* watch.c matches anew */
	}
}

static void append(const struct mdg__semset_stay *stay, struct mdg__semset_list *list,
                   uint32_t kind, uint32_t block1)
{
	uint32_t last1 = mdg__load32(&list->last1);
	struct mdg__sleeper *sleeper = block_of(stay, block1, kind);
	struct mdg__sleeper *last = block_of(stay, last1, kind);
	if (sleeper == NULL)
		return;
	mdg__fill32(&sleeper->next1, 0);
	mdg__fill32(&sleeper->previous1, last == NULL ? 0 : last1);
	mdg__fill32(last == NULL ? &list->first1 : &last->next1, block1);
	mdg__fill32(&list->last1, block1);
}

/* First what can be walked, then what is left. */
static void link_all(const struct mdg__semset_stay *stay, struct mdg__semset_list *list,
                     uint32_t kind)
{
	uint32_t block1 = mdg__load32(&list->first1);
	loosen(stay, kind);
	mdg__fill32(&list->first1, 0);
	mdg__fill32(&list->last1, 0);
	for (;;) {
		struct mdg__sleeper *sleeper = block_of(stay, block1, kind);
		if (sleeper == NULL || mdg__load32(&sleeper->previous1) != LOOSE)
			break;
		uint32_t next1 = mdg__load32(&sleeper->next1);
		append(stay, list, kind, block1);
		block1 = next1;
	}
	for (block1 = 1; block1 <= stay->blocks; block1++) {
		const struct mdg__sleeper *sleeper = block_of(stay, block1, kind);
		if (sleeper != NULL && mdg__load32(&sleeper->previous1) == LOOSE)
			append(stay, list, kind, block1);
	}
}

/* Nobody knows what they wait for. */
static void end_unreadable(struct mdg__semset_stay *stay)
{
	struct mdg__oplist list;
	for (uint32_t block1 = 1; block1 <= stay->blocks; block1++) {
		struct mdg__sleeper *sleeper = block_of(stay, block1, MDG__SLEEPER);
		if (sleeper == NULL || mdg__sleeper_ops(stay->set, sleeper, &list))
			continue;
		uint32_t word = mdg__load32(&sleeper->robust.word);
		if (mdg__word_sleeps(word))
			(void)atomic_compare_exchange_strong_explicit(
				&sleeper->robust.word, &word, MDG__ENDED_REMOVED,
				memory_order_acq_rel, memory_order_acquire);
		mdg__fill32(&sleeper->kind, MDG__SERVED);
		mdg__sleeper_wake(stay, sleeper);
	}
}

static void count_anew(const struct mdg__semset_stay *stay)
{
	struct mdg__semset *set = stay->set;
	struct mdg__oplist list;
	uint32_t sleepers = 0, lists = 0;
	for (uint32_t number = 0; number < set->count; number++)
		mdg__fill32(&mdg__semset_at(set, number)->named, 0);
	for (uint32_t block1 = 1; block1 <= stay->blocks; block1++) {
		const struct mdg__sleeper *sleeper = block_of(stay, block1, MDG__SLEEPER);
		if (sleeper == NULL || !mdg__sleeper_ops(set, sleeper, &list))
			continue;
		sleepers++;
		lists += list.count > 1;
		for (uint32_t i = 0; i < list.count; i++) {
			mdg__a32 *named = &mdg__semset_at(set, list.ops[i].number)->named;
			mdg__fill32(named, mdg__load32(named) + 1);
		}
	}
	mdg__fill32(&stay->head->sleepers, sleepers);
	mdg__fill32(&stay->head->lists, lists);
}

/* ---- processes with UNDO, slips, free blocks ------------------------------------------------- */

/* Puts a block before the others of a list. */
static void push(mdg__a32 *first1, mdg__a32 *next1, uint32_t block1)
{
	mdg__fill32(next1, mdg__load32(first1));
	mdg__fill32(first1, block1);
}

static void link_holders(const struct mdg__semset_stay *stay)
{
	mdg__fill32(&stay->head->holders1, 0);
	for (uint32_t block1 = 1; block1 <= stay->blocks; block1++) {
		struct mdg__set_holder *holder = block_of(stay, block1, MDG__HOLDER);
		if (holder == NULL)
			continue;
		mdg__fill32(&holder->sums1, 0);
		mdg__fill32(&holder->watcher1, 0);
		push(&stay->head->holders1, &holder->next1, block1);
	}
}

/* Sums of nobody, of no semaphores, or of those that the holder has sums of already, are free. */
static void link_sums(const struct mdg__semset_stay *stay)
{
	const struct mdg__semset *set = stay->set;
	for (uint32_t block1 = 1; block1 <= stay->blocks; block1++) {
		struct mdg__sums *sums = block_of(stay, block1, MDG__SUMS);
		if (sums == NULL)
			continue;
		uint32_t page = mdg__load32(&sums->page), holder1 = mdg__load32(&sums->holder1);
		struct mdg__set_holder *holder = block_of(stay, holder1, MDG__HOLDER);
		if (holder == NULL || page > set->count / MDG__SUMS_HERE ||
		    mdg__sum_at(set, holder1, page * MDG__SUMS_HERE) != NULL)
			mdg__fill32(&sums->kind, MDG__BLOCK_FREE);
		else
			push(&holder->sums1, &sums->next1, block1);
	}
}

static void link_slips(const struct mdg__semset_stay *stay)
{
	mdg__fill32(&stay->head->slips1, 0);
	for (uint32_t block1 = 1; block1 <= stay->blocks; block1++) {
		struct mdg__slip *slip = block_of(stay, block1, MDG__SLIP);
		if (slip != NULL)
			push(&stay->head->slips1, &slip->next1, block1);
	}
}

/* Blocks behind the last one that is in use were never used, and count as free at once. */
static void find_fresh(const struct mdg__semset_stay *stay)
{
	uint32_t fresh = mdg__load32(&stay->head->fresh);
	for (uint32_t block1 = fresh + 1; block1 <= stay->blocks; block1++)
		if (block_of(stay, block1, MDG__BLOCK_FREE) == NULL)
			fresh = block1;
	mdg__fill32(&stay->head->fresh, fresh < stay->blocks ? fresh : stay->blocks);
}

static void link_free(const struct mdg__semset_stay *stay)
{
	uint32_t fresh = mdg__load32(&stay->head->fresh);
	mdg__fill32(&stay->head->free1, 0);
	for (uint32_t block1 = fresh; block1 > 0; block1--) {
		struct mdg__block *block = block_of(stay, block1, MDG__BLOCK_FREE);
		if (block != NULL)
			push(&stay->head->free1, &block->next1, block1);
	}
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Bits of a word that mean nothing. [all words are claimed] */
static void clear_flags(const struct mdg__semset *set)
{
	for (uint32_t number = 0; number < set->count; number++) {
		mdg__a64 *word = &mdg__semset_at(set, number)->word;
		mdg__fill64(word, (mdg__load64(word) & ~MDG__WORD_FLAGS) | MDG__BUSY);
	}
}

static void begin_nothing(struct mdg__semset_head *head)
{
	mdg__fill32(&head->serving1, 0);
	mdg__fill32(&head->setting1, 0);
	mdg__fill32(&head->note_count, 0);
}

/* Until this is possible again, nobody gets into the set, so nobody else writes the field. */
static void cap_fresh(const struct mdg__semset *set)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	if (mdg__load32(&head->fresh) > MDG__BLOCKS_MOST)
		mdg__fill32(&head->fresh, mdg__block_count(set));
}

int mdg__semset_mend(struct mdg__semset *set)
{
	const struct mdg__semset_need need = { .sleeps = 20 };
	struct mdg__semset_stay stay;
	cap_fresh(set);
	int rc = mdg__semset_enter(&stay, set, need, mdg__semset_repair);
	if (rc == MDG_DAMAGED) /* what a dead process had begun; the lock is free now */
		rc = mdg__semset_enter(&stay, set, need, mdg__semset_repair);
	if (rc < 0)
		return rc;
	for (uint32_t number = 0; number < set->count; number++)
		mdg__claim(&stay, number);
	begin_nothing(stay.head);
	clear_flags(set);
	find_fresh(&stay);
	link_holders(&stay);
	link_sums(&stay);
	link_slips(&stay);
	end_unreadable(&stay);
	link_all(&stay, &stay.head->queue, MDG__SLEEPER);
	link_all(&stay, &stay.head->done, MDG__SERVED);
	count_anew(&stay);
	link_free(&stay);
	mdg__note_any_zero(&stay);
	mdg__semset_commit(&stay);
	mdg__settle(&stay);
	mdg__watch(&stay);
	mdg__semset_leave(&stay);
	return 0;
}
