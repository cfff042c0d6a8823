/* SPDX-License-Identifier: MIT */
/*
 * claim.c - the holder of the lock claims the semaphores that it looks at.
 *
 * A semaphore's word is changed by others without the lock, unless it says BUSY. So the holder of
 * the lock claims each word before it looks at it. At the end, BUSY goes from the words that no
 * sleeper names. If the holder dies, BUSY stays, and the next one that claims the word takes it
 * away.
 */
#include "semset/internal.h"

void mdg__claim(struct mdg__semset_stay *stay, uint32_t number)
{
	mdg__a64 *word = &mdg__semset_at(stay->set, number)->word;
	if (stay->touched_count < MDG__TOUCHED_MAX)
		stay->touched[stay->touched_count] = (uint16_t)number;
	stay->touched_count += stay->touched_count <= MDG__TOUCHED_MAX;
	uint64_t seen = mdg__load64(word);
	/* Acquire: pairs with the release of whoever swapped the word before. */
	while ((seen & MDG__BUSY) == 0) {
		if ((seen & MDG__EXPRESS) != 0) {
			mdg__express_resolve(stay->set, number, seen);
			seen = mdg__load64(word);
		} else if (atomic_compare_exchange_weak_explicit(word, &seen, seen | MDG__BUSY,
		                                                 memory_order_acq_rel,
		                                                 memory_order_acquire)) {
			return;
		}
	}
}

/* Nobody but the holder of the lock writes a BUSY word, so two steps do. */
static void unclaim(struct mdg__semset_stay *stay, uint32_t number)
{
	struct mdg__semaphore *semaphore = mdg__semset_at(stay->set, number);
	uint64_t word = mdg__load64(&semaphore->word);
	if ((word & MDG__BUSY) != 0 && mdg__load32(&semaphore->named) == 0)
		mdg__fill64(&semaphore->word, word & ~MDG__WORD_FLAGS);
}

void mdg__unclaim_all(struct mdg__semset_stay *stay)
{
	if (mdg__load32(&stay->head->removed) != 0)
		return;
	if (stay->touched_count > MDG__TOUCHED_MAX) {
		for (uint32_t number = 0; number < stay->set->count; number++)
			unclaim(stay, number);
	} else {
		for (uint32_t i = 0; i < stay->touched_count; i++)
			unclaim(stay, stay->touched[i]);
	}
}
