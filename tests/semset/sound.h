/* SPDX-License-Identifier: MIT */
/* sound.h - whether the memory of a set, which nobody is changing just now, is as it has to be. */
#ifndef MADANG_TESTS_SEMSET_SOUND_H
#define MADANG_TESTS_SEMSET_SOUND_H

#include "semset/internal.h"
#include "support/check.h"

static inline bool list_is_sound(struct mdg__semset *set, const struct mdg__semset_list *list,
                                 uint32_t kind, uint32_t *named, uint32_t *ret_count)
{
	uint32_t block1 = list->first1, previous1 = 0, count = 0;
	static struct mdg__oplist ops;
	while (block1 != 0) {
		struct mdg__sleeper *sleeper = mdg__block_at(set, block1, kind);
		if (!CHECK(sleeper != NULL && sleeper->previous1 == previous1) ||
		    !CHECK(mdg__sleeper_ops(set, sleeper, &ops)))
			return false;
		for (uint32_t i = 0; named != NULL && i < ops.count; i++)
			named[ops.ops[i].number]++;
		previous1 = block1;
		block1 = sleeper->next1;
		if (!CHECK(++count <= mdg__block_count(set)))
			return false;
	}
	*ret_count = count;
	return CHECK(list->last1 == previous1);
}

static inline bool is_sound(struct mdg__semset *set)
{
	struct mdg__semset_head *head = mdg__semset_head(set);
	uint32_t sleeping = 0, done = 0, held = 0, pages = 0, unused = 0;
	uint32_t *named = calloc(set->count + 1, sizeof(*named));
	bool sound = CHECK(head->lock == 0 && head->note_count == 0 && head->version % 2 == 0) &&
	             CHECK(head->serving1 == 0 && head->unserved == 0 && head->setting1 == 0) &&
	             list_is_sound(set, &head->queue, MDG__SLEEPER, named, &sleeping) &&
	             list_is_sound(set, &head->done, MDG__SERVED, NULL, &done) &&
	             CHECK(sleeping == head->sleepers);
	for (uint32_t i = 0; sound && i < set->count; i++)
		sound = CHECK(named[i] == mdg__semset_at(set, i)->named) &&
		        CHECK(named[i] == 0 || (mdg__semset_at(set, i)->word & MDG__BUSY) != 0);
	for (uint32_t block1 = head->free1; sound && block1 != 0 && unused <= head->fresh;
	     unused++) {
		struct mdg__block *block = mdg__block_at(set, block1, MDG__BLOCK_FREE);
		sound = CHECK(block != NULL) && CHECK(block1 <= head->fresh);
		block1 = sound ? block->next1 : 0;
	}
	for (uint32_t block1 = head->holders1; sound && block1 != 0; held++) {
		struct mdg__set_holder *holder = mdg__block_at(set, block1, MDG__HOLDER);
		sound = CHECK(holder != NULL) && CHECK(held < head->fresh);
		for (uint32_t sums1 = sound ? holder->sums1 : 0; sums1 != 0 && sound; pages++) {
			struct mdg__sums *sums = mdg__block_at(set, sums1, MDG__SUMS);
			sound = CHECK(sums != NULL);
			sums1 = sound ? sums->next1 : 0;
		}
		block1 = sound ? holder->next1 : 0;
	}
	/* Operations beyond the first four are not counted here, so some blocks may be theirs. */
	sound = sound && CHECK(unused + held + pages + sleeping + done <= head->fresh);
	free(named);
	return sound;
}

#endif
