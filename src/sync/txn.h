/* SPDX-License-Identifier: MIT */
/*
 * txn.h - a transaction as it lies in memory: docs/sync-journal.md in C. txn.c says how it is used.
 *
 * First the head, and then the journal. The journal consists of records, one behind the other. Each
 * record has a head of 16 bytes and the bytes to store, filled up to a multiple of 8.
 *
 * A GUEST is a room above that does something when the transaction ends, and only if it commits:
 * src/heap gives blocks their fate. It joins a running transaction with a number that nobody uses
 * twice. What a guest has prepared says the number. Later, also after the death of the owner, the
 * head of the transaction answers whether that number has committed:
 *     state is BLOCKS and `joined` is the number: yes, and the records may be copied once more
 *     otherwise, `done` is the number:            yes, and they are copied for good
 * The answer holds until the next guest joins (it has the word then). Before that one stores its
 * own number, it tells what the dead one has prepared that it has committed.
 */
#ifndef MADANG_SYNC_TXN_H
#define MADANG_SYNC_TXN_H

#include "sync/owned.h"

enum {
	MDG__JOURNAL_IDLE = 0,
	MDG__JOURNAL_COMMITTED = 0x21747564,
	MDG__JOURNAL_BLOCKS = 0x216b6c62 /* committed, and a guest had joined */
};

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
	uint32_t none;
	_Atomic uint64_t joined; /* number of the guest; 0: none, or it has ended in all parts */
	_Atomic uint64_t done;   /* number of the last guest that was committed and carried out */
	uint32_t none2[4];
};

enum mdg__txn_end {
	MDG__TXN_CANCELLED,
	MDG__TXN_COMMITTED,
	MDG__TXN_IN_DOUBT /* it is committed, and its journal is damaged */
};

/* Lies in private memory of the thread that runs the transaction. */
struct mdg__txn_guest {
	uint64_t number; /* not 0 */
	/* Called once, before the word is given back. False: it cannot be done now, and `joined`
	 * stays. */
	bool (*ended)(struct mdg__txn_guest *guest, enum mdg__txn_end how);
};

/* The running transaction of this thread, and its guest or NULL. NULL: it is not running. */
struct mdg__txn *mdg__txn_running(const mdg_txn_run *run, struct mdg__txn_guest **ret_guest);
/* [running, without a guest] */
void mdg__txn_join(mdg_txn_run *run, struct mdg__txn_guest *guest);

struct mdg__record {
	uint64_t offset; /* from the beginning of the data */
	uint64_t length; /* of the bytes that follow, without the padding; not 0 */
};

_Static_assert(offsetof(struct mdg__txn, state) == 128, "");
_Static_assert(offsetof(struct mdg__txn, used) == 132, "");
_Static_assert(offsetof(struct mdg__txn, sum) == 136, "");
_Static_assert(offsetof(struct mdg__txn, size) == 144, "");
_Static_assert(offsetof(struct mdg__txn, journal) == 152, "");
_Static_assert(offsetof(struct mdg__txn, joined) == 160, "");
_Static_assert(offsetof(struct mdg__txn, done) == 168, "");
_Static_assert(sizeof(struct mdg__txn) == 192, "the journal begins here");
_Static_assert(sizeof(mdg_txn) == sizeof(struct mdg__txn), "");
_Static_assert(offsetof(struct mdg__record, length) == 8, "");
_Static_assert(sizeof(struct mdg__record) == 16, "");

#endif
