/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - the blocks of all cases, for the side that includes this file.
 *
 * Before, the side has defined `struct objects` with the members used here, and for each
 * kind of object WITH_x (1 or 0) and its calls as functions that return 0. No guard: it is
 * included once, by each side's file.
 *
 * Every call's answer is looked at: a block in which one failed gives no time.
 */

static uint64_t ended(uint64_t start, int bad)
{
	uint64_t took = sync_now() - start;

	return bad ? 0 : took ? took : 1;
}

static struct objects *objects_of(struct sync_game *game)
{
	return (struct objects *)game->objects;
}

/* n times the same, by the driver alone. */
#define SOLO(name, operation)                                                                      \
	static uint64_t name(struct sync_game *game, unsigned n)                                   \
	{                                                                                          \
		struct objects *o = objects_of(game);                                              \
		uint64_t start = sync_now();                                                       \
		int bad = 0;                                                                       \
		while (n-- > 0) {                                                                  \
			operation                                                                  \
		}                                                                                  \
		return ended(start, bad);                                                          \
	}

/* The same by a partner, until the driver has done its n. */
#define UNTIL_STOPPED(name, operation)                                                             \
	static uint32_t name(struct sync_game *game, unsigned number)                              \
	{                                                                                          \
		struct objects *o = objects_of(game);                                              \
		uint32_t done = 0;                                                                 \
		int bad = 0;                                                                       \
		(void)number;                                                                      \
		for (; !sync_stopped(game); done++) {                                              \
			operation                                                                  \
		}                                                                                  \
		return bad ? UINT32_MAX : done;                                                    \
	}

/* The same number of rounds as the driver's. None of them is counted twice. */
#define ROUNDS(name, operation)                                                                    \
	static uint32_t name(struct sync_game *game, unsigned number)                              \
	{                                                                                          \
		struct objects *o = objects_of(game);                                              \
		uint32_t n = game->control->rounds;                                                \
		int bad = 0;                                                                       \
		(void)number;                                                                      \
		while (n-- > 0) {                                                                  \
			operation                                                                  \
		}                                                                                  \
		return bad ? UINT32_MAX : 0;                                                       \
	}

/* ---- mutex ------------------------------------------------------------------------- */

SOLO(run_mutex, bad |= mutex_lock(&o->mutex); bad |= mutex_unlock(&o->mutex);)
SOLO(run_mutex_2, bad |= mutex_lock(&o->mutex); o->data.guarded++; bad |= mutex_unlock(&o->mutex);)
UNTIL_STOPPED(partner_mutex_2, bad |= mutex_lock(&o->mutex); o->data.guarded++;
              bad |= mutex_unlock(&o->mutex);)

/* ---- rwlock ------------------------------------------------------------------------ */

#if WITH_RWLOCK
SOLO(run_read, bad |= rw_read(&o->rwlock); bad |= rw_unread(&o->rwlock);)
SOLO(run_write, bad |= rw_write(&o->rwlock); bad |= rw_unwrite(&o->rwlock);)
UNTIL_STOPPED(partner_read, bad |= rw_read(&o->rwlock); bad |= rw_unread(&o->rwlock);)
#endif

/* ---- semaphore --------------------------------------------------------------------- */

#if WITH_SEM
SOLO(run_sem, bad |= sem_up(&o->sem[0]); bad |= sem_down(&o->sem[0]);)
SOLO(run_sem_pair, bad |= sem_up(&o->sem[0]); bad |= sem_down(&o->sem[1]);)
ROUNDS(partner_sem_pair, bad |= sem_down(&o->sem[0]); bad |= sem_up(&o->sem[1]);)
#endif

/* ---- event ------------------------------------------------------------------------- */

#if WITH_EVENT
SOLO(run_event, bad |= event_set(&o->event[0]); bad |= event_unset(&o->event[0]);)
SOLO(run_event_pair, bad |= event_set(&o->event[0]); bad |= event_take(&o->event[1]);)
ROUNDS(partner_event_pair, bad |= event_take(&o->event[0]); bad |= event_set(&o->event[1]);)
#endif

/* ---- condition --------------------------------------------------------------------- */

#if WITH_COND

SOLO(run_cond_pair, bad |= mutex_lock(&o->mutex); o->data.token = 1;
     bad |= cond_signal(&o->cond[0]);
     while (o->data.token != 0 && !bad) bad |= cond_wait(&o->cond[1], &o->mutex);
     bad |= mutex_unlock(&o->mutex);)
ROUNDS(partner_cond_pair, bad |= mutex_lock(&o->mutex);
       while (o->data.token != 1 && !bad) bad |= cond_wait(&o->cond[0], &o->mutex);
       o->data.token = 0; bad |= cond_signal(&o->cond[1]); bad |= mutex_unlock(&o->mutex);)

/* Until all partners wait; they leave the mutex only to do so. */
static int crowd_begin(struct objects *o, unsigned partners)
{
	const struct timespec moment = { 0, 100000 };
	int bad = 0;

	for (bool there = false; !there && !bad;) {
		bad |= mutex_lock(&o->mutex);
		there = o->data.waiting == partners;
		bad |= mutex_unlock(&o->mutex);
		if (!there)
			nanosleep(&moment, NULL);
	}
	return bad;
}

static int crowd_end(struct objects *o)
{
	int bad = mutex_lock(&o->mutex);

	o->data.over++;
	bad |= cond_broadcast(&o->cond[0]);
	return bad | mutex_unlock(&o->mutex);
}

/* One of many wakes, and answers. */
static uint64_t run_cond_signal(struct sync_game *game, unsigned n)
{
	struct objects *o = objects_of(game);
	int bad = crowd_begin(o, game->partners);
	uint64_t start = sync_now(), took;

	while (n-- > 0 && !bad) {
		bad |= mutex_lock(&o->mutex);
		o->data.token = 1;
		bad |= cond_signal(&o->cond[0]);
		while (o->data.token != 0 && !bad)
			bad |= cond_wait(&o->cond[1], &o->mutex);
		bad |= mutex_unlock(&o->mutex);
	}
	took = ended(start, bad);
	return crowd_end(o) ? 0 : took;
}

static uint32_t partner_cond_signal(struct sync_game *game, unsigned number)
{
	struct objects *o = objects_of(game);
	int bad = mutex_lock(&o->mutex);
	uint32_t over = o->data.over;

	(void)number;
	o->data.waiting++;
	while (o->data.over == over && !bad) {
		if (o->data.token == 1) {
			o->data.token = 0;
			bad |= cond_signal(&o->cond[1]);
		} else {
			bad |= cond_wait(&o->cond[0], &o->mutex);
		}
	}
	o->data.waiting--;
	bad |= mutex_unlock(&o->mutex);
	return bad ? UINT32_MAX : 0;
}

/* All wake, and the last one answers. */
static uint64_t run_cond_broadcast(struct sync_game *game, unsigned n)
{
	struct objects *o = objects_of(game);
	int bad = crowd_begin(o, game->partners);
	uint64_t start = sync_now(), took;

	while (n-- > 0 && !bad) {
		bad |= mutex_lock(&o->mutex);
		o->data.generation++;
		o->data.token = game->partners;
		bad |= cond_broadcast(&o->cond[0]);
		while (o->data.token != 0 && !bad)
			bad |= cond_wait(&o->cond[1], &o->mutex);
		bad |= mutex_unlock(&o->mutex);
	}
	took = ended(start, bad);
	return crowd_end(o) ? 0 : took;
}

static uint32_t partner_cond_broadcast(struct sync_game *game, unsigned number)
{
	struct objects *o = objects_of(game);
	int bad = mutex_lock(&o->mutex);
	uint32_t over = o->data.over, seen = o->data.generation;

	(void)number;
	o->data.waiting++;
	while (o->data.over == over && !bad) {
		if (o->data.generation != seen) {
			seen = o->data.generation;
			if (--o->data.token == 0)
				bad |= cond_signal(&o->cond[1]);
		} else {
			bad |= cond_wait(&o->cond[0], &o->mutex);
		}
	}
	o->data.waiting--;
	bad |= mutex_unlock(&o->mutex);
	return bad ? UINT32_MAX : 0;
}

#endif

/* ---- barrier ----------------------------------------------------------------------- */

#if WITH_BARRIER
SOLO(run_barrier, bad |= barrier_meet(&o->barrier);)
ROUNDS(partner_barrier, bad |= barrier_meet(&o->barrier);)
#endif

/* ---- cell -------------------------------------------------------------------------- */

#if WITH_CELL

SOLO(run_cell_read, bad |= cell_read(o, o->data.copy, NULL);)

/* Counts the reads that found another value than the one before. */
static uint64_t run_cell_writer(struct sync_game *game, unsigned n)
{
	struct objects *o = objects_of(game);
	unsigned char value[SYNC_VALUE];
	uint32_t seen = 0, before = 0, fresh = 0;
	uint64_t start = sync_now();
	int bad = 0;

	for (; n > 0; n--, before = seen) {
		bad |= cell_read(o, value, &seen);
		fresh += seen != before;
	}
	game->note = fresh;
	return ended(start, bad);
}

static uint32_t partner_cell_writer(struct sync_game *game, unsigned number)
{
	struct objects *o = objects_of(game);
	unsigned char value[SYNC_VALUE] = { 0 };
	uint32_t done = 0;
	int bad = 0;

	(void)number;
	for (; !sync_stopped(game); done++) {
		value[0] = (unsigned char)done;
		bad |= cell_write(o, value);
	}
	return bad ? UINT32_MAX : done;
}

#endif

/* ---- transaction ------------------------------------------------------------------- */

#if WITH_TXN
SOLO(run_txn, bad |= two_words(o, n);)
#endif

/* ---- the plays --------------------------------------------------------------------- */

static void set_play(struct sync_side_about *about, enum sync_case_name name,
                     uint64_t (*run)(struct sync_game *, unsigned),
                     uint32_t (*partner)(struct sync_game *, unsigned))
{
	about->play[name].run = run;
	about->play[name].partner = partner;
}

static void set_plays(struct sync_side_about *about)
{
	set_play(about, SYNC_MUTEX, run_mutex, NULL);
	set_play(about, SYNC_MUTEX_2, run_mutex_2, partner_mutex_2);
#if WITH_RWLOCK
	set_play(about, SYNC_READ, run_read, NULL);
	set_play(about, SYNC_WRITE, run_write, NULL);
	set_play(about, SYNC_READ_2, run_read, partner_read);
#endif
#if WITH_SEM
	set_play(about, SYNC_SEM, run_sem, NULL);
	set_play(about, SYNC_SEM_PAIR, run_sem_pair, partner_sem_pair);
#endif
#if WITH_EVENT
	set_play(about, SYNC_EVENT, run_event, NULL);
	set_play(about, SYNC_EVENT_PAIR, run_event_pair, partner_event_pair);
#endif
#if WITH_COND
	set_play(about, SYNC_COND_PAIR, run_cond_pair, partner_cond_pair);
	set_play(about, SYNC_COND_SIGNAL, run_cond_signal, partner_cond_signal);
	set_play(about, SYNC_COND_BROADCAST, run_cond_broadcast, partner_cond_broadcast);
#endif
#if WITH_BARRIER
	set_play(about, SYNC_BARRIER, run_barrier, partner_barrier);
#endif
#if WITH_CELL
	set_play(about, SYNC_CELL_READ, run_cell_read, NULL);
	set_play(about, SYNC_CELL_WRITER, run_cell_writer, partner_cell_writer);
#endif
#if WITH_TXN
	set_play(about, SYNC_TXN, run_txn, NULL);
#endif
}

/* ---- one wait, one wake-up --------------------------------------------------------- */

/* What must hold before a round: the waker holds the mutex that the waiter wants, and a process
 * that waits for a condition holds its mutex. */
static int wake_ready(struct objects *o, enum sync_wake what, enum sync_act act)
{
	if (what == SYNC_WAKE_MUTEX && act == SYNC_WAKER_READY)
		return mutex_lock(&o->mutex);
	if (what == SYNC_WAKE_COND && act == SYNC_WAITER_READY)
		return mutex_lock(&o->mutex);
	return 0;
}

/* What a process does at its first call only must not be counted. */
static int wake_warm(struct objects *o)
{
	int bad = mutex_lock(&o->other) | mutex_unlock(&o->other);

#if WITH_SEM
	bad |= sem_up(&o->sem[1]) | sem_down(&o->sem[1]);
#endif
#if WITH_EVENT
	bad |= event_set(&o->event[1]) | event_take(&o->event[1]);
#endif
#if WITH_COND
	bad |= cond_signal(&o->cond[1]);
#endif
	return bad;
}

static int wake_once(struct objects *o, enum sync_wake what, enum sync_act act)
{
	bool waker = act == SYNC_WAKE;

	if (act == SYNC_WARM)
		return wake_warm(o);
	if (act == SYNC_WAITER_READY || act == SYNC_WAKER_READY)
		return wake_ready(o, what, act);
	if (what == SYNC_WAKE_MUTEX)
		return waker ? mutex_unlock(&o->mutex) : mutex_lock(&o->mutex);
#if WITH_SEM
	if (what == SYNC_WAKE_SEM)
		return waker ? sem_up(&o->sem[0]) : sem_down(&o->sem[0]);
#endif
#if WITH_EVENT
	if (what == SYNC_WAKE_EVENT)
		return waker ? event_set(&o->event[0]) : event_take(&o->event[0]);
#endif
#if WITH_COND
	if (what == SYNC_WAKE_COND)
		return waker ? cond_signal(&o->cond[0]) : cond_wait(&o->cond[0], &o->mutex);
#endif
	return -1;
}
