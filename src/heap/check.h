/* SPDX-License-Identifier: MIT */
/*
 * check.h - what the files of mdg_heap_check share.
 *
 * The check runs beside threads that use the heap. What the lock guards is looked at under the lock
 * (check_units.c). Everything else may be in the middle of a change, and is looked at again before
 * it is reported. Nothing is reported that a thread can leave by being stopped or killed, but for
 * MDG_HEAP_FOUND_DEAD and MDG_HEAP_FOUND_LOCK.
 */
#ifndef MADANG_HEAP_CHECK_H
#define MADANG_HEAP_CHECK_H

#include "heap/look.h"

typedef int mdg__heap_found(const struct mdg_heap_finding *finding, void *context);

struct mdg__heap_check {
	struct mdg__heap *heap;
	bool repair;
	bool lockable; /* the lock can be taken */
	bool stopped;  /* `found` wants no more */
	bool freed;    /* blocks that were set aside are free now */
	int left;      /* findings that remain */
	int naps;      /* taken so far */
	mdg__heap_found *found;
	void *context;
};

/* ---- check_report.c -------------------------------------------------------------------------- */

/* For the text of a finding: "unit 5". NULL: nowhere. */
struct mdg__spot {
	const char *what;
	uint64_t number;
};
/* Reports a finding. `ref`: where; 0: nowhere. [no lock is held] */
void mdg__found(struct mdg__heap_check *check, enum mdg_heap_found kind, uint64_t ref,
                bool repaired, struct mdg__spot spot, const char *text);

/* Something that seems to be wrong: whether it is, seen now. It may change its mind. */
struct mdg__doubt {
	struct mdg__heap_check *check;
	uint64_t unit, word; /* of whatever is looked at */
	uint32_t index;
};
typedef bool mdg__is_wrong(const struct mdg__doubt *doubt);
/* Whether it is wrong each time that it is looked at, for a millisecond or two. */
bool mdg__is_still_wrong(const struct mdg__doubt *doubt, mdg__is_wrong *is_wrong);

void mdg__nap(struct mdg__heap_check *check);

static inline uint64_t mdg__ref_of_unit(const struct mdg__heap *heap, uint64_t unit)
{
	return heap->parts.data + (unit << MDG__UNIT_SHIFT);
}

/* ---- check_units.c, check_slabs.c, check_guards.c, check_slots.c, check_roots.c -------------- */

void mdg__check_units(struct mdg__heap_check *check);
void mdg__check_slabs(struct mdg__heap_check *check);
void mdg__check_guards(struct mdg__heap_check *check);
void mdg__check_slots(struct mdg__heap_check *check);
void mdg__check_roots(struct mdg__heap_check *check);

#endif
