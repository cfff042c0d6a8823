/* SPDX-License-Identifier: MIT */
/*
 * sums.c - where the sum of a holder and a semaphore lies.
 *
 * A sum is one 64-bit word: the sum itself in the low 16 bits, and above that a count that grows
 * with each change that is made without the lock (express.c).
 */
#include "semset/internal.h"

static struct mdg__sums *page_of(const struct mdg__semset *set,
                                 const struct mdg__set_holder *holder, uint32_t page)
{
	uint32_t block1 = mdg__load32(&holder->sums1);
	for (uint32_t left = mdg__block_count(set); left > 0; left--) {
		struct mdg__sums *sums = mdg__block_at(set, block1, MDG__SUMS);
		if (sums == NULL || mdg__load32(&sums->page) == page)
			return sums;
		block1 = mdg__load32(&sums->next1);
	}
	return NULL;
}

mdg__a64 *mdg__sum_at(const struct mdg__semset *set, uint32_t holder1, uint32_t number)
{
	const struct mdg__set_holder *holder = mdg__block_at(set, holder1, MDG__HOLDER);
	struct mdg__sums *sums =
		holder == NULL ? NULL : page_of(set, holder, number / MDG__SUMS_HERE);
	return sums == NULL ? NULL : &sums->sums[number % MDG__SUMS_HERE];
}
