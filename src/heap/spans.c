/* SPDX-License-Identifier: MIT */
/*
 * spans.c - spans that a thread has freed and keeps for its next allocations.
 *
 * Taking and giving units needs the heap's lock and two system calls. A thread that allocates and
 * frees spans in turn does without: a span that it frees becomes KEPT, by one change of its word,
 * and SPAN again by another one. What is kept has the thread's slot in its word. So the sweeper of
 * a dead thread finds it, and gives it back.
 *
 * A thread keeps few spans, and large ones not at all.
 */
#include "heap/guard.h"

enum { LARGEST = MDG__FILLED_UNITS, MOST_UNITS = 128 }; /* units: 2 MiB, 8 MiB */

static void forget(struct mdg__heap_own *own, uint32_t at)
{
	own->kept_units -= own->kept[at].units;
	own->kept_count--;
	for (; at < own->kept_count; at++)
		own->kept[at] = own->kept[at + 1];
}

/* Gives the oldest one back. */
static void give_oldest(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	struct mdg__kept oldest = own->kept[0];
	uint64_t head = MDG__HEAD(MDG__UNIT_KEPT, 0, own->slot1, oldest.units);
	forget(own, 0);
	if (mdg__kept_is_whole(heap, oldest.unit, head))
		(void)mdg__units_give(heap, oldest.unit, head);
}

bool mdg__spans_give(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	bool some = own->kept_count != 0;
	while (own->kept_count != 0)
		give_oldest(heap, own);
	return some;
}

int mdg__span_free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t unit, uint64_t head)
{
	uint32_t units = MDG__HEAD_UNITS(head);
	if (units > LARGEST)
		return mdg__units_give(heap, unit, head);
	while (own->kept_count == MDG__KEPT_MOST || own->kept_units + units > MOST_UNITS)
		give_oldest(heap, own);
	/* Release: what was done with it is before its next life. Now it is free. */
	if (!atomic_compare_exchange_strong_explicit(
		    &heap->heads[unit], &head, MDG__HEAD(MDG__UNIT_KEPT, 0, own->slot1, units),
		    memory_order_acq_rel, memory_order_relaxed))
		return -EINVAL;
	own->kept[own->kept_count++] = (struct mdg__kept){ (uint32_t)unit, units };
	own->kept_units += units;
	return 0;
}

/* The one that fits best, and is larger by a quarter at most. False: there is none. */
static bool find(const struct mdg__heap_own *own, uint32_t units, uint32_t *ret_at)
{
	uint32_t best = units + units / 4 + 1;
	for (uint32_t at = own->kept_count; at-- > 0;)
		if (own->kept[at].units >= units && own->kept[at].units < best) {
			best = own->kept[at].units;
			*ret_at = at;
		}
	return best != units + units / 4 + 1;
}

int mdg__span_take_kept(struct mdg__heap *heap, const struct mdg__units_wanted *wanted,
                        uint64_t *ret_unit)
{
	struct mdg__heap_own *own = wanted->own;
	uint32_t at = 0;
	/* In a checked heap, what is kept is in quarantine. */
	if (own->kept_count == 0 || mdg__is_checked(heap) || !find(own, wanted->units, &at))
		return -ENOENT;
	struct mdg__kept kept = own->kept[at];
	uint64_t head = MDG__HEAD(MDG__UNIT_KEPT, 0, own->slot1, kept.units);
	int rc = mdg__heap_mark(heap, own, wanted->hand, kept.unit, 0,
	                        heap->parts.data + ((uint64_t)kept.unit << MDG__UNIT_SHIFT));
	if (rc < 0)
		return rc;
	forget(own, at);
	/* Release: what was marked is before it. Now it is taken. */
	if (!atomic_compare_exchange_strong_explicit(&heap->heads[kept.unit], &head,
	                                             (wanted->head & 0xffffffffu) |
	                                                     (uint64_t)kept.units << 32,
	                                             memory_order_acq_rel, memory_order_relaxed))
		return MDG_BROKEN; /* somebody has scribbled there */
	*ret_unit = kept.unit;
	return 0;
}
