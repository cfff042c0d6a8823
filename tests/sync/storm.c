/* SPDX-License-Identifier: MIT */
/*
 * storm.c - kill -9 at random among workers that use all objects at once; the books balance.
 *
 *     storm [--seed N] [--kills N] [--workers N] [--long MINUTES]
 *
 * Workers do random operations on a few objects of each kind: wait without and with deadlines,
 * long and short, hold one and several. A killer ends one after the other, and starts another in
 * its place; some are only stopped for a moment. What is tested on the way: nothing is answered
 * that the state cannot explain; who is alone is alone; readers see whole values; a wait that
 * must end ends, so no wake-up is lost; and operations go on as long as there are workers.
 *
 * THE BOOKS. A guarded count is raised with an entry in the worker's own tally, and an INTENT says
 * that it is just at it: so in the end the count is the sum of the tallies, but for one at most
 * of each worker that was killed with an intent. Every second victim is stopped first, and then the
 * object itself says whether it holds it: a death is told for each that did, and for no other,
 * but for one each of those that were killed without that look or between being told and noting it.
 *
 * The seed is printed; with it the operations and the victims are the same, but not how they
 * meet. Default: 2, 8 and 64 workers. --long goes on with other seeds until it fails.
 */
#include <sched.h>

#include "support/slowly.h"
#include "sync/owned.h"
#include "sync/rwlock.h"
#include "sync/shared.h"

enum {
	WORKERS_MOST = 64, HANG_S = 30, VALUE = 200,
	/* What has one owner: these numbers, in the order in which several are held. */
	MUTEXES = 3, RWLOCKS = 2, ONCES = 2, CELLS = 1,
	MUTEX = 0, RWLOCK = MUTEX + MUTEXES, ONCE = RWLOCK + RWLOCKS, CELL = ONCE + ONCES,
	OWNED = CELL + CELLS,
	/* And what is counted besides. */
	TOKEN = OWNED, PUT, GOT, THINGS,
	TOKENS = 3, ROOM = 5
};
enum phase { IDLE, TAKING, HOLDING, GIVING };

struct guarded {
	uint64_t count, twin;    /* the same, but while the owner is at it */
	_Atomic uint32_t alone;
};

struct place {
	pid_t pid;
	_Atomic uint32_t operation; /* what it is doing, for who looks into a hang */
	_Atomic uint32_t phase[THINGS];
	_Atomic uint32_t intent[THINGS];
	uint64_t tally[THINGS];  /* stays with the place */
};

static struct storm {
	mdg_mutex mutex[MUTEXES];
	mdg_rwlock rwlock[RWLOCKS];
	mdg_once once[ONCES];
	_Alignas(64) unsigned char cell[MDG_CELL_SIZE(VALUE)];
	mdg_sem tokens;
	mdg_event turn;
	mdg_mutex store;         /* of `stored`, and of the two conditions */
	mdg_cond more, less;
	uint32_t stored;
	struct guarded guarded[OWNED];
	_Atomic uint32_t told[OWNED], rest, failures, operations;
	struct place place[WORKERS_MOST];
} *storm;

static uint64_t certain[OWNED], perhaps[THINGS], with_intent[THINGS]; /* deaths */
static unsigned workers, kills = 500;
static uint64_t seed;

static void fail(const char *what, int code)
{
	if (atomic_fetch_add(&storm->failures, 1) < 20)
		dprintf(STDERR_FILENO, "%d workers, seed %llu, process %d: %s: %d (%s)\n", workers,
		        (unsigned long long)seed, (int)getpid(), what, code,
		        code < 0 ? mdg_strerror(code) : "");
}
#define MUST(expression) do { if (!(expression)) fail(#expression, 0); } while (0)

/* ---- a worker ---------------------------------------------------------------------------- */

static struct place *me;
static uint64_t my_random;

static void in_phase(int thing, enum phase phase)
{
	atomic_store(&me->phase[thing], phase);
}

/* Taken, perhaps after a death, which is noted. False: not taken, as may be. */
static bool took(int thing, int rc)
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

/* Mostly one that must be enough, else one that may be too short; 0: has passed. */
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
	MUST(mdg_mutex_repaired(mutex) == (rc != 0 ? 0 : -EINVAL));
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
	for (int n = 0, i = (int)below(&my_random, MUTEXES); n < MUTEXES; n++, i = (i + 1) % MUTEXES)
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
	int rc = reads ? mdg_rwlock_read_until(lock, deadline) : mdg_rwlock_write_until(lock, deadline);
	if (!took(thing, hurried(rc, must)))
		return;
	if (reads && rc == 0) {
		MUST(atomic_load(&storm->guarded[thing].alone) == 0);
		MUST(storm->guarded[thing].count == storm->guarded[thing].twin);
	} else {
		work_on(thing, rc != 0);
		MUST(mdg_rwlock_repaired(lock) == (rc != 0 ? 0 : -EINVAL));
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
	MUST((renewed && below(&my_random, 2) == 0 ? mdg_once_done(once)
	                                           : mdg_once_failed(once)) == 0);
	in_phase(thing, IDLE);
}

static mdg_cell *the_cell(void)
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

/* A token is lost with the process that has it; the killer puts another in. */
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

static bool enter_store(void)
{
	int rc = mdg_mutex_lock_until(&storm->store, GRACE);
	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_repaired(&storm->store); /* one word: always whole */
	if (rc != 0)
		fail("the store", rc);
	return rc == 0;
}

/* Of the wait: whether the mutex is held. */
static bool went_on(int rc)
{
	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_repaired(&storm->store);
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
		in = went_on(mdg_cond_wait_until(puts ? &storm->less : &storm->more,
		                                 &storm->store, deadline));
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

static void work(void)
{
	static void (*const operations[])(void) = { do_mutex, do_several, do_rwlock, do_once,
		                                    write_cell, read_cell, do_token, do_event,
		                                    do_store };
	enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };
	while (atomic_load(&storm->rest) == 0) {
		uint32_t which = below(&my_random, OPERATIONS);
		atomic_store(&me->operation, which + 1);
		operations[which]();
		atomic_store(&me->operation, 0);
		atomic_fetch_add(&storm->operations, 1);
	}
}

static void begin(unsigned which, uint64_t *random)
{
	struct place *place = &storm->place[which];
	uint64_t own = *random + which * UINT64_C(7919) + 1;
	(void)below(random, 2);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		me = place;
		my_random = own;
		work();
		_exit(0);
	}
	place->pid = pid;
}

/* ---- the killer -------------------------------------------------------------------------- */

static const void *owned(int thing)
{
	return thing < RWLOCK ? (const void *)&storm->mutex[thing]
	       : thing < ONCE ? (const void *)&storm->rwlock[thing - RWLOCK]
	       : thing < CELL ? (const void *)&storm->once[thing - ONCE]
	                      : (const void *)storm->cell;
}

static bool owns(pid_t pid, int thing)
{
	const struct mdg__owned *object = owned(thing);
	if (thing >= RWLOCK && thing < ONCE && /* has only announced itself, to the readers */
	    atomic_load(&((const struct mdg__rwlock *)owned(thing))->inside) == 0)
		return false;
	return (atomic_load(&object->robust.word) & MDG__TID) == (uint32_t)pid;
}

static void keep_books(struct place *place, const bool *held)
{
	for (int thing = 0; thing < OWNED; thing++) {
		uint32_t phase = atomic_load(&place->phase[thing]);
		certain[thing] += held != NULL && held[thing];
		/* Told, and not noted. */
		perhaps[thing] += held != NULL ? held[thing] && phase != HOLDING : phase != IDLE;
	}
	uint32_t phase = atomic_load(&place->phase[TOKEN]);
	perhaps[TOKEN] += phase == TAKING || phase == GIVING;
	if (phase != IDLE) /* too many rather than too few */
		MUST(mdg_sem_post(&storm->tokens, 1) == 0);
	for (int thing = 0; thing < THINGS; thing++) {
		with_intent[thing] += atomic_load(&place->intent[thing]) != 0;
		atomic_store(&place->intent[thing], 0);
		atomic_store(&place->phase[thing], IDLE);
	}
}

static void kill_one(unsigned which, bool look)
{
	struct place *place = &storm->place[which];
	bool held[OWNED] = { false };
	int status = 0;
	if (look) {
		kill(place->pid, SIGSTOP);
		(void)waitpid(place->pid, &status, WUNTRACED);
		for (int thing = 0; thing < OWNED; thing++)
			held[thing] = owns(place->pid, thing);
	}
	killed(place->pid);
	keep_books(place, look ? held : NULL);
}

/* One that has just something in its hands, if one is seen; else any. */
static unsigned choose(uint64_t *random)
{
	enum { LOOKS = 300 };
	unsigned which = below(random, workers);
	int thing = (int)below(random, OWNED);
	if (below(random, 3) == 0)
		return which;
	for (int look = 0; look < LOOKS; look++, which = (which + 1) % workers)
		if (atomic_load(&storm->place[which].phase[thing]) == HOLDING)
			return which;
	return which;
}

static void stop_one(unsigned which, uint64_t *random)
{
	kill(storm->place[which].pid, SIGSTOP);
	nap_ms((long)below(random, 5));
	kill(storm->place[which].pid, SIGCONT);
}

static void say_where_they_are(void)
{
	for (unsigned which = 0; which < workers; which++) {
		const struct place *place = &storm->place[which];
		dprintf(STDERR_FILENO, "worker %u: operation %u, phases", which,
		        atomic_load(&place->operation));
		for (int thing = 0; thing < THINGS; thing++)
			dprintf(STDERR_FILENO, " %u", atomic_load(&place->phase[thing]));
		dprintf(STDERR_FILENO, "\n");
	}
}

/* Until so many operations more were done; false: nobody does any. */
static bool let_them_work(uint32_t operations)
{
	uint32_t from = atomic_load(&storm->operations), last = from;
	uint64_t end = mdg_deadline(HANG_S * UINT64_C(1000000000));
	while (atomic_load(&storm->operations) - from < operations) {
		struct timespec time = { 0, 200000 };
		nanosleep(&time, NULL);
		if (atomic_load(&storm->operations) != last)
			end = mdg_deadline(HANG_S * UINT64_C(1000000000));
		last = atomic_load(&storm->operations);
		if (now_ns() > end) {
			fail("nobody gets on", 0);
			say_where_they_are();
			return false;
		}
	}
	return true;
}

static void all_end(void)
{
	uint64_t end = GRACE;
	atomic_store(&storm->rest, 1);
	for (unsigned which = 0; which < workers; which++) {
		pid_t pid = storm->place[which].pid;
		int status = -1;
		pid_t got = 0;
		/* Those who wait for a token or an item may have nobody left to give it. */
		while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ns() < end)
			nap_ms(1);
		if (got == 0) {
			fail("a worker does not come to its end", 0);
			say_where_they_are();
			killed(pid);
		} else {
			MUST(status == 0);
		}
	}
}

/* ---- and then ---------------------------------------------------------------------------- */

static uint64_t tally(int thing)
{
	uint64_t sum = 0;
	for (unsigned which = 0; which < WORKERS_MOST; which++)
		sum += storm->place[which].tally[thing];
	return sum;
}

/* |a - b| <= slack */
static void balances(const char *what, int thing, uint64_t a, uint64_t b, uint64_t slack)
{
	uint64_t apart = a > b ? a - b : b - a;
	if (apart > slack) {
		fail(what, thing);
		dprintf(STDERR_FILENO, "    %llu and %llu, %llu may be apart\n",
		        (unsigned long long)a, (unsigned long long)b, (unsigned long long)slack);
	}
}

/* Everything once more, alone: the last deaths are told here. */
static void use_all(void *unused)
{
	unsigned char value[VALUE] = { 0 };
	(void)unused;
	me = &storm->place[0];
	for (int i = 0; i < MUTEXES; i++) {
		int rc = mdg_mutex_trylock(&storm->mutex[i]);
		CHECK(took(MUTEX + i, rc));
		CHECK(rc == 0 || mdg_mutex_repaired(&storm->mutex[i]) == 0);
		CHECK(mdg_mutex_unlock(&storm->mutex[i]) == 0);
		CHECK(mdg_mutex_destroy(&storm->mutex[i]) == 0);
	}
	for (int i = 0; i < RWLOCKS; i++) {
		int rc = mdg_rwlock_trywrite(&storm->rwlock[i]);
		CHECK(took(RWLOCK + i, rc));
		CHECK(rc == 0 || mdg_rwlock_repaired(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_unlock(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_tryread(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_unlock(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_destroy(&storm->rwlock[i]) == 0);
	}
	for (int i = 0; i < ONCES; i++) {
		int rc = mdg_once_trybegin(&storm->once[i]);
		CHECK(rc == MDG_DONE || took(ONCE + i, rc));
		CHECK(rc == MDG_DONE || mdg_once_done(&storm->once[i]) == 0);
		CHECK(mdg_once_begin(&storm->once[i]) == MDG_DONE);
	}
	CHECK(took(CELL, mdg_cell_trywrite(the_cell(), value, VALUE)));
	CHECK(mdg_cell_read(the_cell(), value, VALUE, NULL) == 0);
	for (int i = 0; i < OWNED; i++)
		in_phase(i, IDLE);
}

static void wait_for_event(void *unused)
{
	(void)unused;
	CHECK(mdg_event_take_until(&storm->turn, GRACE) == 0);
}

static void wait_for_item(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock_until(&storm->store, GRACE) == 0);
	while (storm->stored == 0)
		CHECK(mdg_cond_wait_until(&storm->more, &storm->store, GRACE) == 0);
	storm->stored--;
	CHECK(mdg_mutex_unlock(&storm->store) == 0);
}

/* One who waits is woken. */
static void wake_one_each(void)
{
	CHECK(enter_store());
	storm->stored = 0;
	CHECK(mdg_mutex_unlock(&storm->store) == 0);
	pid_t pid = start(wait_for_item, NULL);
	nap_ms(5);
	CHECK(enter_store());
	storm->stored = 1;
	CHECK(mdg_cond_signal(&storm->more) == 0);
	CHECK(mdg_mutex_unlock(&storm->store) == 0);
	CHECK(ended_well(pid));
	CHECK(mdg_event_reset(&storm->turn) == 0);
	pid = start(wait_for_event, NULL);
	nap_ms(5);
	CHECK(mdg_event_set(&storm->turn) == 0);
	CHECK(ended_well(pid));
	CHECK(mdg_event_is_set(&storm->turn) == 0);
}

static void check_books(void)
{
	uint64_t lost = perhaps[TOKEN], value = (uint64_t)mdg_sem_value(&storm->tokens);
	CHECK(ended_well(start(use_all, NULL)));
	for (int thing = 0; thing < OWNED; thing++) {
		const struct guarded *guarded = &storm->guarded[thing];
		balances("the count and the tallies", thing, guarded->count, tally(thing),
		         with_intent[thing]);
		if (thing != ONCE + ONCES - 1)
			balances("deaths and those told", thing, certain[thing],
			         atomic_load(&storm->told[thing]), perhaps[thing]);
	}
	balances("what was put and got", PUT, tally(PUT) - tally(GOT), storm->stored,
	         with_intent[PUT] + with_intent[GOT]);
	balances("tokens", TOKEN, value, TOKENS, lost);
	wake_one_each();
}

static void run(unsigned count, uint64_t random)
{
	uint64_t deaths = 0, began = now_ns();
	memset(storm, 0, sizeof(*storm));
	memset(certain, 0, sizeof(certain));
	memset(perhaps, 0, sizeof(perhaps));
	memset(with_intent, 0, sizeof(with_intent));
	workers = count;
	seed = random;
	random = random * UINT64_C(0x9e3779b97f4a7c15) | 1;
	CHECK(mdg_sem_post(&storm->tokens, TOKENS) == 0);
	for (unsigned which = 0; which < workers; which++)
		begin(which, &random);
	for (unsigned i = 0; i < kills && atomic_load(&storm->failures) == 0; i++) {
		if (!let_them_work(1 + below(&random, 40 + 8 * workers)))
			break;
		unsigned which = choose(&random);
		if (below(&random, 8) == 0)
			stop_one(below(&random, workers), &random);
		kill_one(which, below(&random, 4) != 0);
		begin(which, &random);
		deaths++;
	}
	all_end();
	if (atomic_load(&storm->failures) == 0)
		check_books();
	uint64_t told = 0, sure = 0, unsure = 0;
	for (int thing = 0; thing < OWNED; thing++) {
		told += atomic_load(&storm->told[thing]);
		sure += certain[thing];
		unsure += perhaps[thing];
	}
	printf("%2u workers, seed %llu: %llu deaths, %u operations in %llu ms; %llu surely held, "
	       "%llu perhaps, %llu told\n", workers, (unsigned long long)seed,
	       (unsigned long long)deaths, atomic_load(&storm->operations),
	       (unsigned long long)((now_ns() - began) / 1000000), (unsigned long long)sure,
	       (unsigned long long)unsure, (unsigned long long)told);
	fflush(stdout);
	CHECK(atomic_load(&storm->failures) == 0);
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = { 2, 8, 64 };
	uint64_t random = 1, end = 0;
	unsigned only = 0;
	if (SLOWLY)
		kills /= 8;
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--seed") == 0)
			random = value;
		else if (strcmp(argv[i], "--kills") == 0)
			kills = (unsigned)value;
		else if (strcmp(argv[i], "--workers") == 0)
			only = value < 1 ? 1 : value > WORKERS_MOST ? WORKERS_MOST : (unsigned)value;
		else if (strcmp(argv[i], "--long") == 0)
			end = mdg_deadline(value * UINT64_C(60000000000));
	}
	storm = shared_memory(sizeof(*storm));
	do {
		for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
			if (only == 0 || i == 0)
				run(only == 0 ? counts[i] : only, random);
		random++;
	} while (now_ns() < end && test_result() == 0);
	return test_result();
}
