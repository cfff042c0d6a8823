/* SPDX-License-Identifier: MIT */
/*
 * storm_work.c - a worker of the storm: random operations on all objects, one after the other.
 *
 * Which thing it is at, and how far, is noted in its place, so that who kills it knows. It waits
 * with and without deadlines, long and short, and holds one thing or several, always taken in
 * their order. Who kills, and what has to balance in the end, is in storm.c.
 */
#include <sched.h>

#include "sync/storm.h"
#include "sync/wait.h"

struct place *me;
static uint64_t my_random;

void in_phase(int thing, enum phase phase)
{
	atomic_store(&me->phase[thing], phase);
}

bool took(int thing, int rc)
{
	if (rc == 0 || rc == MDG_OWNER_DIED) {
		if (rc == MDG_OWNER_DIED)
			atomic_fetch_add(&storm->told[thing], 1);
		in_phase(thing, HOLDING);
		return true;
	}
	in_phase(thing, IDLE);
	if (rc != -EBUSY && rc != -ETIMEDOUT)
		fail("taking", rc);
	return false;
}

/* A deadline: mostly one that must be enough, otherwise one that may be too short, or 0, which has
 * passed. */
static uint64_t some_deadline(bool *must)
{
	uint32_t which = below(&my_random, 8);
	*must = which < 5;
	return which < 2   ? MDG_FOREVER
	       : which < 5 ? GRACE
	                   : mdg_deadline(below(&my_random, 2000000) * (which == 7 ? 0u : 1u));
}

static int hurried(int rc, bool must)
{
	if (rc == -ETIMEDOUT && must)
		fail("a wait that should have ended", rc);
	return rc;
}

/* By its owner; what a dead one left half done is made whole. */
static void work_on(int thing, bool repair)
{
	struct guarded *guarded = &storm->guarded[thing];
	MUST(atomic_fetch_add(&guarded->alone, 1) == 0 || repair);
	atomic_store(&guarded->alone, 1);
	if (repair)
		guarded->twin = guarded->count;
	MUST(guarded->twin == guarded->count);
	atomic_store(&me->intent[thing], 1);
	guarded->count++;
	me->tally[thing]++;
	if (below(&my_random, 8) == 0)
		sched_yield(); /* others come while it is held */
	for (uint32_t i = below(&my_random, 100); i > 0; i--)
		mdg__cpu_pause();
	guarded->twin++;
	atomic_store(&me->intent[thing], 0);
	atomic_store(&guarded->alone, 0);
}

static bool take_mutex(int which)
{
	mdg_mutex *mutex = &storm->mutex[which];
	int thing = MUTEX + which;
	bool must;
	uint64_t deadline = some_deadline(&must);
	in_phase(thing, TAKING);
	int rc = below(&my_random, 5) == 0 ? mdg_mutex_trylock(mutex)
	                                   : hurried(mdg_mutex_lock_until(mutex, deadline), must);
	if (!took(thing, rc))
		return false;
	work_on(thing, rc != 0);
	MUST(mdg_mutex_set_repaired(mutex) == (rc != 0 ? 0 : -EINVAL));
	if (below(&my_random, 16) == 0)
		MUST(mdg_mutex_lock(mutex) == -EDEADLK);
	return true;
}

static void give_mutex(int which)
{
	in_phase(MUTEX + which, GIVING);
	MUST(mdg_mutex_unlock(&storm->mutex[which]) == 0);
	in_phase(MUTEX + which, IDLE);
}

static void do_mutex(void)
{
	int which = (int)below(&my_random, MUTEXES);
	if (take_mutex(which))
		give_mutex(which);
}

/* In their order, given back in any. */
static void do_several(void)
{
	for (int i = 0; i < MUTEXES; i++)
		if (below(&my_random, 3) != 0)
			(void)take_mutex(i);
	for (int n = 0, i = (int)below(&my_random, MUTEXES); n < MUTEXES;
	     n++, i = (i + 1) % MUTEXES)
		if (atomic_load(&me->phase[MUTEX + i]) == HOLDING)
			give_mutex(i);
}

static void do_rwlock(void)
{
	int which = (int)below(&my_random, RWLOCKS), thing = RWLOCK + which;
	mdg_rwlock *lock = &storm->rwlock[which];
	bool must, reads = below(&my_random, 4) != 0;
	uint64_t deadline = some_deadline(&must);
	in_phase(thing, TAKING);
	int rc = reads ? mdg_rwlock_read_until(lock, deadline)
	               : mdg_rwlock_write_until(lock, deadline);
	if (!took(thing, hurried(rc, must)))
		return;
	if (reads && rc == 0) {
		MUST(atomic_load(&storm->guarded[thing].alone) == 0);
		MUST(storm->guarded[thing].count == storm->guarded[thing].twin);
	} else {
		work_on(thing, rc != 0);
		MUST(mdg_rwlock_set_repaired(lock) == (rc != 0 ? 0 : -EINVAL));
	}
	in_phase(thing, GIVING);
	MUST(mdg_rwlock_unlock(lock) == 0);
	in_phase(thing, IDLE);
}

static void do_once(void)
{
	int which = (int)below(&my_random, ONCES), thing = ONCE + which;
	mdg_once *once = &storm->once[which];
	bool must;
	uint64_t deadline = some_deadline(&must);
	in_phase(thing, TAKING);
	int rc = hurried(mdg_once_begin_until(once, deadline), must);
	if (rc == MDG_DONE) {
		in_phase(thing, IDLE);
		if (below(&my_random, 2) == 0) {
			rc = mdg_once_destroy(once);
			MUST(rc == 0 || rc == -EBUSY);
		}
		return;
	}
	if (!took(thing, rc))
		return;
	bool renewed = which == ONCES - 1; /* and with it goes the news of a death */
	if (!renewed)
		work_on(thing, rc != 0);
	in_phase(thing, GIVING);
	MUST((renewed && below(&my_random, 2) == 0 ? mdg_once_finish(once) : mdg_once_fail(once)) ==
	     0);
	in_phase(thing, IDLE);
}

mdg_cell *the_cell(void)
{
	return (mdg_cell *)(void *)storm->cell;
}

static void write_cell(void)
{
	unsigned char value[VALUE];
	void *place;
	bool must;
	uint64_t deadline = some_deadline(&must);
	memset(value, (int)below(&my_random, 256), sizeof(value));
	in_phase(CELL, TAKING);
	if (below(&my_random, 2) == 0) {
		int rc = hurried(mdg_cell_write_until(the_cell(), value, VALUE, deadline), must);
		if (rc == MDG_OWNER_DIED)
			atomic_fetch_add(&storm->told[CELL], 1);
		else if (rc != 0 && rc != -ETIMEDOUT)
			fail("writing a cell", rc);
		in_phase(CELL, IDLE);
		return;
	}
	int rc = mdg_cell_begin(the_cell(), VALUE, &place);
	if (!took(CELL, rc))
		return;
	memcpy(place, value, VALUE);
	in_phase(CELL, GIVING);
	MUST((below(&my_random, 3) == 0 ? mdg_cell_cancel(the_cell())
	                                : mdg_cell_commit(the_cell())) == 0);
	in_phase(CELL, IDLE);
}

static void read_cell(void)
{
	static uint32_t last;
	unsigned char value[VALUE];
	uint32_t version = 0;
	MUST(mdg_cell_read(the_cell(), value, VALUE, &version) == 0);
	MUST(memcmp(value, value + 1, VALUE - 1) == 0);
	MUST((int32_t)(version - last) >= 0);
	last = version;
}

/* When a process dies with a token, the token is lost. The killer puts a new one in. */
static void do_token(void)
{
	bool must;
	uint64_t deadline = some_deadline(&must);
	in_phase(TOKEN, TAKING);
	int rc = below(&my_random, 4) == 0 ? mdg_sem_trywait(&storm->tokens)
	                                   : mdg_sem_wait_until(&storm->tokens, deadline);
	if (rc != 0) {
		in_phase(TOKEN, IDLE);
		if (rc != -EAGAIN)
			MUST(hurried(rc, must) == -ETIMEDOUT);
		return;
	}
	in_phase(TOKEN, HOLDING);
	for (uint32_t i = below(&my_random, 50); i > 0; i--)
		mdg__cpu_pause();
	in_phase(TOKEN, GIVING);
	MUST(mdg_sem_post(&storm->tokens, 1) == 0);
	in_phase(TOKEN, IDLE);
}

static void do_event(void)
{
	uint32_t which = below(&my_random, 8);
	int rc = 0;
	if (which == 0)
		rc = mdg_event_take_until(&storm->turn, mdg_deadline(1000000));
	else if (which == 1)
		rc = mdg_event_wait_until(&storm->turn, mdg_deadline(1000000));
	else if (which == 2)
		rc = mdg_event_reset(&storm->turn);
	else
		rc = mdg_event_set(&storm->turn);
	if (rc != 0 && rc != -ETIMEDOUT)
		fail("an event", rc);
}

bool enter_store(void)
{
	int rc = mdg_mutex_lock_until(&storm->store, GRACE);
	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_set_repaired(&storm->store); /* one word: always whole */
	if (rc != 0)
		fail("the store", rc);
	return rc == 0;
}

/* Of the wait: whether the mutex is held. */
static bool went_on(int rc)
{
	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_set_repaired(&storm->store);
	if (rc != 0 && rc != -ETIMEDOUT)
		fail("a condition", rc);
	return rc != MDG_BROKEN;
}

static void do_store(void)
{
	bool puts = below(&my_random, 2) == 0;
	int thing = puts ? PUT : GOT;
	if (!enter_store())
		return;
	uint64_t deadline = mdg_deadline(1000000);
	bool in = true;
	while (in && storm->stored == (puts ? (uint32_t)ROOM : 0) && now_ns() < deadline)
		in = went_on(mdg_cond_wait_until(puts ? &storm->less : &storm->more, &storm->store,
		                                 deadline));
	if (in && storm->stored != (puts ? (uint32_t)ROOM : 0)) {
		atomic_store(&me->intent[thing], 1);
		storm->stored += puts ? 1u : UINT32_MAX;
		me->tally[thing]++;
		atomic_store(&me->intent[thing], 0);
		MUST((below(&my_random, 4) == 0
		              ? mdg_cond_broadcast(puts ? &storm->more : &storm->less)
		              : mdg_cond_signal(puts ? &storm->more : &storm->less)) == 0);
	}
	if (in)
		MUST(mdg_mutex_unlock(&storm->store) == 0);
}

void work(uint64_t random)
{
	static void (*const operations[])(void) = { do_mutex, do_several, do_rwlock,
		                                    do_once,  write_cell, read_cell,
		                                    do_token, do_event,   do_store };
	enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };
	my_random = random;
	while (atomic_load(&storm->rest) == 0) {
		uint32_t which = below(&my_random, OPERATIONS);
		atomic_store(&me->operation, which + 1);
		operations[which]();
		atomic_store(&me->operation, 0);
		atomic_fetch_add(&storm->operations, 1);
	}
}
