/* SPDX-License-Identifier: MIT */
/*
 * txn.h - a transaction as it lies in memory: docs/sync-journal.md in C. txn.c says how it is used.
 *
 * First the head, and then the journal. The journal consists of records, one behind the other. Each
 * record has a head of 16 bytes and the bytes to store, filled up to a multiple of 8.
 */
#ifndef MADANG_SYNC_TXN_H
#define MADANG_SYNC_TXN_H

#include "sync/owned.h"

enum { MDG__JOURNAL_IDLE = 0, MDG__JOURNAL_COMMITTED = 0x21747564 };

struct mdg__txn {
	struct mdg__owned owned; /* own[] is not used; state: BROKEN when the journal is damaged */
	/* The owner writes all of the following, and reads what earlier owners wrote. The word's
	 * acquire and release order this. An owner that dies does not give the word back: see
	 * ORDER in txn.c. */
	_Atomic uint32_t state;   /* MDG__JOURNAL_*; anything else is damage */
	_Atomic uint32_t used;    /* bytes of records; valid while COMMITTED */
	_Atomic uint64_t sum;     /* over `used` and the records; valid while COMMITTED */
	_Atomic uint64_t size;    /* of the data, as the first begin gave it */
	_Atomic uint32_t journal; /* size of the journal, likewise; 0: none has begun yet */
	uint32_t none[9];
};

struct mdg__record {
	uint64_t offset; /* from the beginning of the data */
	uint64_t length; /* of the bytes that follow, without the padding; not 0 */
};

_Static_assert(offsetof(struct mdg__txn, state) == 128, "");
_Static_assert(offsetof(struct mdg__txn, used) == 132, "");
_Static_assert(offsetof(struct mdg__txn, sum) == 136, "");
_Static_assert(offsetof(struct mdg__txn, size) == 144, "");
_Static_assert(offsetof(struct mdg__txn, journal) == 152, "");
_Static_assert(sizeof(struct mdg__txn) == 192, "the journal begins here");
_Static_assert(sizeof(mdg_txn) == sizeof(struct mdg__txn), "");
_Static_assert(offsetof(struct mdg__record, length) == 8, "");
_Static_assert(sizeof(struct mdg__record) == 16, "");

#endif
