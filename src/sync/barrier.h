/* SPDX-License-Identifier: MIT */
/*
 * barrier.h - how a barrier lies in memory; barrier.c says how it is used.
 */
#ifndef MADANG_SYNC_BARRIER_H
#define MADANG_SYNC_BARRIER_H

#include "sync/owned.h"

/* A member's place. The word is its thread id from joining until it leaves or dies; 0: nobody's,
 * or of one who left; OWNER_DIED: of one who died; WAITERS beside an id: is just joining. */
struct mdg__member {
	/* The meeting that the member has come to, as a tag; 0: none. Member: release, all that it
	 * did before; read with acquire by those who look whether all have come. */
	_Atomic uint32_t arrived;
	struct mdg__robust robust;
	/* How many have had this place << 16 | whether the death of the last of them has been
	 * told: 0: no; TOLD; or the tag of a meeting: to those who meet there. Joining member;
	 * then, when it is dead, by CAS, those who look. */
	_Atomic uint32_t told;
	uint32_t more[2];
};

struct mdg__barrier {
	/* The meeting that is being awaited: generation << 18 | revision << 2 | sleepers << 1 |
	 * whether the one before was told of a death. Always by CAS, seq_cst. */
	_Atomic uint32_t meeting;
	/* As the first one said; 0: nobody has. By CAS; back to 0 by mdg_barrier_destroy. */
	_Atomic uint32_t members;
	/* The tag of a meeting that has to be told of one that died and whose place was taken. */
	_Atomic uint32_t replaced;
	uint32_t none[13];
	struct mdg__notes notes;
	struct mdg__member member[MDG_MEMBERS_MAX];
};

_Static_assert(sizeof(struct mdg__member) == 64, "");
_Static_assert(offsetof(struct mdg__member, robust.word) == 8, "as in mdg__owned");
_Static_assert(offsetof(struct mdg__member, told) == 52, "");
_Static_assert(offsetof(struct mdg__barrier, replaced) == 8, "");
_Static_assert(offsetof(struct mdg__barrier, notes) == 64, "");
_Static_assert(offsetof(struct mdg__barrier, member) == 128, "");
_Static_assert(sizeof(struct mdg__barrier) == 4224, "");
_Static_assert(sizeof(mdg_barrier) == sizeof(struct mdg__barrier), "");

#endif
