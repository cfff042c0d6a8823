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
#include "support/slowly.h"
#include "sync/owned.h"
#include "sync/rwlock.h"
#include "sync/storm.h"

struct storm *storm;
static uint64_t certain[OWNED], perhaps[THINGS], with_intent[THINGS]; /* deaths */
static unsigned workers, kills = 500;
static uint64_t seed;

void fail(const char *what, int code)
{
	if (atomic_fetch_add(&storm->failures, 1) < 20)
		dprintf(STDERR_FILENO, "%d workers, seed %llu, process %d: %s: %d (%s)\n", workers,
		        (unsigned long long)seed, (int)getpid(), what, code,
		        code < 0 ? mdg_strerror(code) : "");
}

/* ---- the killer -------------------------------------------------------------------------- */

static void begin(unsigned which, uint64_t *random)
{
	struct place *place = &storm->place[which];
	uint64_t own = *random + which * UINT64_C(7919) + 1;
	(void)below(random, 2);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		me = place;
		work(own);
		_exit(0);
	}
	place->pid = pid;
}

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
		/* A worker that waits for a token or an item may be the last one, with nobody left
		 * to give it. */
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
		CHECK(rc == 0 || mdg_mutex_set_repaired(&storm->mutex[i]) == 0);
		CHECK(mdg_mutex_unlock(&storm->mutex[i]) == 0);
		CHECK(mdg_mutex_destroy(&storm->mutex[i]) == 0);
	}
	for (int i = 0; i < RWLOCKS; i++) {
		int rc = mdg_rwlock_trywrite(&storm->rwlock[i]);
		CHECK(took(RWLOCK + i, rc));
		CHECK(rc == 0 || mdg_rwlock_set_repaired(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_unlock(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_tryread(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_unlock(&storm->rwlock[i]) == 0);
		CHECK(mdg_rwlock_destroy(&storm->rwlock[i]) == 0);
	}
	for (int i = 0; i < ONCES; i++) {
		int rc = mdg_once_trybegin(&storm->once[i]);
		CHECK(rc == MDG_DONE || took(ONCE + i, rc));
		CHECK(rc == MDG_DONE || mdg_once_finish(&storm->once[i]) == 0);
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
	       "%llu perhaps, %llu told\n",
	       workers, (unsigned long long)seed, (unsigned long long)deaths,
	       atomic_load(&storm->operations), (unsigned long long)((now_ns() - began) / 1000000),
	       (unsigned long long)sure, (unsigned long long)unsure, (unsigned long long)told);
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
			only = value < 1              ? 1
			       : value > WORKERS_MOST ? WORKERS_MOST
			                              : (unsigned)value;
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
