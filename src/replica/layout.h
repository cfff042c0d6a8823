/* SPDX-License-Identifier: MIT */
/*
 * layout.h - a replica as it lies in its segment, NAME.replica.
 *
 *     head | groups of stamps | stamps | copy 0 | copy 1
 *
 * A copy has the size of the replicated segment, rounded up to 4096 bytes. It is divided into
 * blocks of 512 bytes. A STAMP is the generation in which a block last changed. One group stands
 * for 512 stamps: no stamp is larger than its group. Who looks for large stamps skips groups.
 *
 * WRITING. Who holds the lock makes generation n in the copy that is not shown:
 *   1. The copy's own number becomes n. (F1)
 *   2. Blocks that are newer in the shown copy are copied from there. These are the blocks whose
 *      stamp is the shown generation g; and those above g, which somebody began to write who died.
 *   3. Each block that changes: its group becomes n, its stamp becomes n, its bytes are stored.
 *   4. The copy's time, fence and cursor are stored.
 *   5. `shown` becomes n and this copy. (P) Then `moves` grows, and sleepers are woken.
 *
 * DEATH before 5: `shown` is as it was, and the shown copy was not touched. The blocks that may be
 * wrong in the other copy have a stamp >= g, so the next one's step 2 sets them right. Death
 * after 5, before `moves`: sleepers look again after a second at most.
 *
 * READING takes no lock. A reader takes `shown` (acquire, pairs with P): generation g in copy i.
 * It reads, and looks (F2) whether the number of copy i is still g. Whoever stores into copy i
 * again has first stored another number there. A reader that has seen one byte of that store sees
 * the number too:
 *   F1, in the writer: after the number of the copy, before its bytes;
 *   F2, in the reader: after the last load of bytes, before the number.
 *
 * `shown` is generation * 2 + copy. So whatever the word is, the copy is 0 or 1.
 */
#ifndef MADANG_REPLICA_LAYOUT_H
#define MADANG_REPLICA_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "madang/replica.h"
#include "sync/owned.h"

#define MDG__REPLICA_MAGIC   UINT64_C(0x6163696c7067646d) /* "mdgplica" */
#define MDG__REPLICA_VERSION 1u

enum { MDG__BLOCK = MDG_REPLICA_BLOCK, MDG__GROUP = 512, MDG__COPY_ALIGNED = 4096 };

/* All is written by the owner of `lock`, if nothing else is said. */
struct mdg__replica_copy {
	_Atomic uint64_t number; /* the generation that is in it, or that is being made in it */
	_Atomic uint64_t time, fence, cursor; /* of that generation; good when it is shown */
};

struct mdg__replica_head {
	_Atomic uint64_t magic; /* stored last by who makes the head, with release */
	uint32_t version, block;
	uint64_t bytes; /* of the replicated segment. These three never change */
	_Atomic uint64_t shown;
	struct mdg__replica_copy copy[2];
	_Atomic uint32_t moves;   /* grows whenever a sleeper should look; sleepers sleep on it */
	_Atomic uint32_t role;    /* enum mdg_replica_role */
	_Atomic uint32_t removed; /* 1: the replica was removed; whoever removes it stores it */
	/* Id of the segment whose content is shown, plus 1; 0: not known, or from another host. It
	 * is stored after `shown` when it is set, and before it when it becomes 0, so that a death
	 * leaves a commit that takes too much, and never too little. */
	_Atomic uint32_t source;
	_Atomic uint64_t fence; /* of this host's lease */
	/* The bridge stores these three, and needs no lock: there is one bridge. */
	_Atomic uint64_t far;       /* see mdg_replica_info */
	_Atomic uint64_t far_since; /* CLOCK_REALTIME when `far` and `shown` began to differ; 0 */
	_Atomic uint64_t heard;     /* CLOCK_REALTIME when the server was last heard */
	uint64_t none1[6];
	struct mdg__owned lock;
};

_Static_assert(offsetof(struct mdg__replica_head, shown) == 24, "");
_Static_assert(offsetof(struct mdg__replica_head, copy) == 32, "");
_Static_assert(offsetof(struct mdg__replica_head, moves) == 96, "");
_Static_assert(offsetof(struct mdg__replica_head, fence) == 112, "");
_Static_assert(offsetof(struct mdg__replica_head, lock) == 192, "");

/* The parts of a replica of a segment of so many bytes. */
struct mdg__replica_parts {
	uint64_t blocks, groups;
	uint64_t at_groups, at_stamps, at_copy[2], end;
};

static inline uint64_t mdg__round(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

#define MDG__REPLICA_MOST (UINT64_C(1) << 46) /* bytes; so no sum here overflows */

static inline void mdg__replica_parts(uint64_t bytes, struct mdg__replica_parts *ret)
{
	uint64_t stride = mdg__round(bytes, MDG__COPY_ALIGNED);
	ret->blocks = mdg__round(bytes, MDG__BLOCK) / MDG__BLOCK;
	ret->groups = mdg__round(ret->blocks, MDG__GROUP) / MDG__GROUP;
	ret->at_groups = 1024;
	ret->at_stamps = ret->at_groups + ret->groups * sizeof(uint64_t);
	ret->at_copy[0] =
		mdg__round(ret->at_stamps + ret->blocks * sizeof(uint64_t), MDG__COPY_ALIGNED);
	ret->at_copy[1] = ret->at_copy[0] + stride;
	ret->end = ret->at_copy[1] + stride;
}

_Static_assert(sizeof(struct mdg__replica_head) <= 1024, "the groups begin there");

#endif
