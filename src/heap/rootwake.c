/* SPDX-License-Identifier: MIT */
/*
 * rootwake.c - waking those who wait for a root.
 *
 * Whoever waits sets the lowest bit of `changes`, passes a fence, and looks at the root once more.
 * Whoever changes the root passes a fence too, and then looks at the bit. So one of the two sees
 * what the other one did.
 */
#include "heap/held.h"

#include "platform/fence.h"
#include "platform/futex.h"

static void wake(struct mdg__heap_root *root)
{
	uint32_t seen = MDG__LOAD(root->changes);
	do
		if ((seen & 1) == 0)
			return;
	while (!atomic_compare_exchange_weak(&root->changes, &seen, (seen & ~1u) + 2));
	(void)mdg__sys_futex_wake(&root->changes, INT32_MAX, true);
}

void mdg__root_wake(struct mdg__heap_root *root)
{
	mdg__fence(memory_order_seq_cst);
	wake(root);
}

void mdg__root_changed(struct mdg__heap *heap, uint64_t place, struct mdg__holder by)
{
	struct mdg__heap_root *root =
		&heap->root[(place - heap->parts.roots) / sizeof(struct mdg__heap_root)];
	mdg__fence(memory_order_seq_cst); /* for who becomes the maker, and for who waits */
	uint64_t maker = atomic_load_explicit(&root->maker, memory_order_acquire);
	/* If it is empty again, there may be a new maker already, who has not filled it yet. */
	bool filled = atomic_load_explicit(&root->place, memory_order_acquire) != 0;
	if (maker != 0 && (filled || maker == MDG__MAKER(by.slot1, by.generation)))
		(void)atomic_compare_exchange_strong(&root->maker, &maker, 0);
	wake(root);
}
