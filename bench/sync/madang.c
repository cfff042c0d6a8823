/* SPDX-License-Identifier: MIT */
/*
 * madang.c - Madang's side of the comparison of synchronisation, and the cases that
 * the others have nothing like.
 */
#include "bench/sync/sync.h"

#include <madang/sync.h>

#define WITH_RWLOCK  1
#define WITH_SEM     1
#define WITH_EVENT   1
#define WITH_COND    1
#define WITH_BARRIER 1
#define WITH_CELL    1
#define WITH_TXN     1

enum { JOURNAL = 256 };

struct objects {
	mdg_mutex mutex, other;
	mdg_rwlock rwlock;
	mdg_sem sem[2];
	mdg_event event[2];
	mdg_cond cond[2];
	mdg_barrier barrier;
	MDG_ALIGNED unsigned char cell[MDG_CELL_SIZE(SYNC_VALUE)];
	MDG_ALIGNED unsigned char txn[MDG_TXN_SIZE(JOURNAL)];
	MDG_ALIGNED struct sync_data data;
};

_Static_assert(sizeof(struct objects) <= SYNC_OBJECTS_SIZE, "");

#define mutex_lock     mdg_mutex_lock
#define mutex_unlock   mdg_mutex_unlock
#define rw_read        mdg_rwlock_read
#define rw_unread      mdg_rwlock_unlock
#define rw_write       mdg_rwlock_write
#define rw_unwrite     mdg_rwlock_unlock
#define sem_up(sem)    mdg_sem_post(sem, 1)
#define sem_down       mdg_sem_wait
#define event_set      mdg_event_set
#define event_unset    mdg_event_trytake
#define event_take     mdg_event_take
#define cond_signal    mdg_cond_signal
#define cond_broadcast mdg_cond_broadcast
#define cond_wait      mdg_cond_wait

static int barrier_meet(mdg_barrier *barrier)
{
	return mdg_barrier_wait(barrier, 2) < 0;
}

static int cell_read(struct objects *o, unsigned char *value, uint32_t *ret_version)
{
	return mdg_cell_read((const mdg_cell *)(const void *)o->cell, value, SYNC_VALUE,
	                     ret_version);
}

static int cell_write(struct objects *o, const unsigned char *value)
{
	return mdg_cell_write((mdg_cell *)(void *)o->cell, value, SYNC_VALUE);
}

static int two_words(struct objects *o, uint64_t value)
{
	mdg_txn *txn = (mdg_txn *)(void *)o->txn;
	mdg_txn_run run;
	int bad = mdg_txn_begin(&run, txn, JOURNAL, &o->data, sizeof o->data);

	bad |= mdg_txn_write(&run, &o->data.words[0], &value, sizeof value);
	bad |= mdg_txn_write(&run, &o->data.words[1], &value, sizeof value);
	return bad | mdg_txn_commit(&run);
}

#include "bench/sync/blocks.h"

static bool make(void *objects)
{
	(void)objects;
	return true; /* zero bytes are valid objects */
}

static int wake(void *place, enum sync_wake what, enum sync_act act)
{
	return wake_once(place, what, act);
}

void sync_madang_fill(struct sync_side_about *about)
{
	about->name = "madang";
	about->make = make;
	about->wake = wake;
	set_plays(about);
}
