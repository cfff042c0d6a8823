/* SPDX-License-Identifier: MIT */
/*
 * txn.h - how a transaction lies in memory: docs/sync-journal.md in C. txn.c says how it is used.
 *
 * The head, then the journal: records, one behind the other, each of a head of 16 bytes and the
 * bytes to be stored, filled up to a multiple of 8.
 */
#ifndef MADANG_SYNC_TXN_H
#define MADANG_SYNC_TXN_H

#include "sync/owned.h"

enum { MDG__JOURNAL_IDLE = 0, MDG__JOURNAL_COMMITTED = 0x21747564 };

struct mdg__txn {
	struct mdg__owned owned; /* own[] is not used; state: BROKEN when the journal is damaged */
	/* All of these: the owner writes, and reads what owners before it wrote; taking the word
	 * and giving it back order them. Those who die give nothing back: see txn.c. */
	_Atomic uint32_t state;   /* MDG__JOURNAL_*; anything else is damage */
	_Atomic uint32_t used;    /* bytes of records; of meaning while COMMITTED, as is `sum` */
	_Atomic uint64_t sum;     /* of `used` and the records */
	_Atomic uint64_t size;    /* of the data: what begin was called with first */
	_Atomic uint32_t journal; /* its bytes, likewise; 0: nobody has begun since it was new */
	uint32_t none[9];
};

struct mdg__record {
	uint64_t offset; /* from the beginning of the data */
	uint64_t length; /* of the bytes that follow, without what fills up; not 0 */
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
