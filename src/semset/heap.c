/* SPDX-License-Identifier: MIT */
/*
 * heap.c - blocks of 128 bytes, from the end of the semaphores to the end of the memory.
 *
 * Free blocks that were used before are in a list. Blocks from `fresh` on were never used. All
 * changes go through the journal. So does the link of a block that leaves the list, though it means
 * nothing from then on: the new owner writes there without the journal, and if that owner dies
 * before the commit, the block is in the list again and needs its link.
 */
#include "semset/internal.h"

#define NOTED UINT32_MAX /* no link is so large */

uint32_t mdg__block_alloc(struct mdg__semset_stay *stay, uint32_t kind)
{
	struct mdg__semset_head *head = stay->head;
	uint32_t block1 = mdg__load32(&head->free1);
	struct mdg__block *block = mdg__block_at(stay->set, block1, MDG__BLOCK_FREE);
	uint32_t fresh = mdg__load32(&head->fresh);
	if (block != NULL && block1 <= fresh) {
		mdg__semset_put32(stay, &head->free1, mdg__load32(&block->next1));
		mdg__semset_put32(stay, &block->next1, NOTED); /* the note is what matters */
	} else {
		/* A free list that leads to a block that is not free is damaged: forget it. */
		block = mdg__block_of(stay->set, fresh + 1);
		if (block == NULL)
			return 0;
		block1 = fresh + 1;
		mdg__semset_put32(stay, &head->free1, 0);
		mdg__semset_put32(stay, &head->fresh, fresh + 1);
	}
	mdg__semset_put32(stay, &block->kind, kind);
	return block1;
}

void mdg__block_free(struct mdg__semset_stay *stay, uint32_t block1)
{
	struct mdg__block *block = mdg__block_of(stay->set, block1);
	if (block == NULL || mdg__load32(&block->kind) == MDG__BLOCK_FREE)
		return;
	mdg__semset_put32(stay, &block->next1, mdg__load32(&stay->head->free1));
	mdg__semset_put32(stay, &block->kind, MDG__BLOCK_FREE);
	mdg__semset_put32(stay, &stay->head->free1, block1);
}

bool mdg__block_have(const struct mdg__semset_stay *stay, uint32_t count)
{
	uint32_t fresh = mdg__load32(&stay->head->fresh);
	uint32_t have = fresh < stay->blocks ? stay->blocks - fresh : 0;
	uint32_t block1 = mdg__load32(&stay->head->free1);
	while (have < count) {
		const struct mdg__block *block = mdg__block_at(stay->set, block1, MDG__BLOCK_FREE);
		if (block == NULL)
			return false;
		have++;
		block1 = mdg__load32(&block->next1);
	}
	return true;
}
