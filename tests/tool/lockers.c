/* SPDX-License-Identifier: MIT */
/*
 * lockers.c - processes that hold and await named locks, for the tool to look at.
 *
 *     lockers DIR kinds    an object of each kind, in several states; one process waits, one died
 *     lockers DIR stale    a process that waited for a lock was killed; forged notes and owner
 *     lockers DIR two      two processes wait for each other, and a third one for the first
 *     lockers DIR three    a circle of three, one of them by reading, through two segments
 *     lockers DIR chain    three processes wait in a row, and nobody for the first
 *     lockers DIR busy     two processes take two locks over and over, each holding one while it
 *                          takes the other, in an order that never ends in a deadlock
 *     lockers DIR full     255 names
 *     lockers DIR noise    a table of names of random bytes
 *
 * The segments are made here and called "locks" and "more". Says "ready PID..." when everybody
 * who is to wait does: the pids of this process, of its children as they were started, and of one
 * that was killed.
 * Then waits for the end of its input, kills them, and removes the segments.
 */
#include "sync/shared.h"
#include "support/datafile.h"

#include <fcntl.h>
#include <madang/names.h>
#include <madang/segment.h>
#include <signal.h>

enum { SIZE = 65536, CHILDREN = 3, NAMES = 255 };

static mdg_namespace *ns;
static mdg_id id, more_id;
static struct box {
	mdg_mutex mutex[5];
	mdg_rwlock rwlock;
	mdg_cond cond;
	mdg_sem sem;
	mdg_event event;
	mdg_barrier barrier;
	mdg_once once;
	mdg_txn txn;
	unsigned char journal[64];
	mdg_cell cell;
	unsigned char values[4 * 64];
	uint64_t data;
	_Atomic uint32_t stage;
} * box;
static struct more {
	mdg_mutex mutex;
} * more;
static pid_t child[CHILDREN];
static int children;
static pid_t gone; /* one that has been killed */

static void fail(int rc, const char *what)
{
	fprintf(stderr, "lockers: %s: %s\n", what, mdg_strerror(rc));
	exit(2);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		fail(rc, what);
}
#define MUST(call) must(call, #call)

static void name(const void *object, enum mdg_sync_kind kind, const char *text)
{
	must(mdg_names_set(ns, object, kind, text), text);
}

static void *make(const char *text, mdg_id *ret_id)
{
	void *memory = NULL;
	MUST(mdg_segment_create(ns, text, SIZE, 0600, 0, ret_id));
	MUST(mdg_segment_attach(ns, *ret_id, NULL, 0, &memory));
	return memory;
}

static void begin(void (*f)(void *))
{
	child[children++] = start(f, NULL);
}

/* Until that many threads wait for the named objects of both segments. */
static void until_waiting(uint32_t wanted)
{
	uint32_t found = 0;
	for (uint64_t end = GRACE; found != wanted && now_ns() < end; nap_ms(1)) {
		const mdg_id ids[2] = { id, more_id };
		struct mdg_name_info entry = { .size = sizeof entry };
		found = 0;
		for (int i = 0; i < 2; i++) {
			uint32_t cursor = 0;
			while (mdg_names_next(ns, ids[i], &cursor, &entry) > 0)
				found += entry.state.waiters;
		}
	}
	if (found != wanted)
		fail(-ETIMEDOUT, "waiting");
}

static void until_stage(uint32_t stage)
{
	if (!reaches(&box->stage, stage))
		fail(-ETIMEDOUT, "stage");
}

/* ---- kinds ---------------------------------------------------------------------------- */

static void lock_and_die(void *unused)
{
	(void)unused;
	MUST(mdg_mutex_lock(&box->mutex[1]) == 0 ? 0 : -EINVAL);
	MUST(mdg_mutex_lock(&box->mutex[2]) == 0 ? 0 : -EINVAL);
	MUST(mdg_mutex_lock(&box->mutex[3]) == 0 ? 0 : -EINVAL);
	die();
}

static void wait_for_all_kinds(void *unused)
{
	(void)unused;
	MUST(mdg_barrier_join(&box->barrier, 3));
	MUST(mdg_rwlock_read(&box->rwlock));
	MUST(mdg_mutex_lock(&box->mutex[0]));
}

static void kinds(void)
{
	static mdg_txn_run run;
	name(&box->mutex[0], MDG_SYNC_MUTEX, "held");
	name(&box->mutex[1], MDG_SYNC_MUTEX, "left by a dead one");
	name(&box->mutex[2], MDG_SYNC_MUTEX, "in repair");
	name(&box->mutex[3], MDG_SYNC_MUTEX, "given up");
	name(&box->mutex[4], MDG_SYNC_MUTEX, "a\033[2Jb\377\"\\");
	name(&box->rwlock, MDG_SYNC_RWLOCK, "table");
	name(&box->cond, MDG_SYNC_COND, "more work");
	name(&box->sem, MDG_SYNC_SEM, "places");
	name(&box->event, MDG_SYNC_EVENT, "go");
	name(&box->barrier, MDG_SYNC_BARRIER, "end of the day");
	name(&box->once, MDG_SYNC_ONCE, "set up");
	name(&box->txn, MDG_SYNC_TXN, "transfer");
	name(&box->cell, MDG_SYNC_CELL, "weather");
	ended(start(lock_and_die, NULL));
	MUST(mdg_mutex_lock(&box->mutex[0]));
	if (mdg_mutex_lock(&box->mutex[2]) != MDG_OWNER_DIED ||
	    mdg_mutex_lock(&box->mutex[3]) != MDG_OWNER_DIED)
		fail(-EINVAL, "the dead");
	MUST(mdg_mutex_unlock(&box->mutex[3]));
	MUST(mdg_sem_post(&box->sem, 3));
	MUST(mdg_event_set(&box->event));
	MUST(mdg_once_begin(&box->once));
	MUST(mdg_cell_write(&box->cell, "fair", 5));
	MUST(mdg_txn_begin(&run, &box->txn, sizeof box->journal, &box->data, sizeof box->data));
	begin(wait_for_all_kinds);
	until_waiting(1);
}

static void wait_and_stay(void *unused)
{
	(void)unused;
	MUST(mdg_mutex_lock(&box->mutex[0]));
}

/* As src/sync/wait.h has it: the thread's id, and when it went to sleep. */
static void forge_note(mdg_mutex *mutex, int place, uint32_t thread, uint64_t ms_ago)
{
	uint64_t note = (uint64_t)thread << 32 | (uint32_t)(now_ns() / 1000000 - ms_ago);
	memcpy(&mutex->mdg_private[16 + 2 * place], &note, sizeof note);
}

static void stale(void)
{
	const uint32_t self = (uint32_t)getpid();
	name(&box->mutex[0], MDG_SYNC_MUTEX, "awaited by one that was killed");
	name(&box->mutex[1], MDG_SYNC_MUTEX, "noted today, and before it began");
	name(&box->mutex[2], MDG_SYNC_MUTEX, "noted in the future");
	name(&box->mutex[3], MDG_SYNC_MUTEX, "of one that is gone");
	MUST(mdg_mutex_lock(&box->mutex[0]));
	gone = start(wait_and_stay, NULL);
	until_waiting(1);
	killed(gone);
	until_waiting(1); /* its note is still there */
	forge_note(&box->mutex[1], 0, self, 3600000);
	forge_note(&box->mutex[1], 1, self, 0);
	forge_note(&box->mutex[1], 2, 1, 0); /* a thread, but of nobody who has it attached */
	forge_note(&box->mutex[2], 0, self, (uint64_t)0 - 3600000);
	box->mutex[3].mdg_private[2] = (uint32_t)gone; /* the word */
}

/* ---- circles ------------------------------------------------------------------------------ */

/* The n-th takes its own, waits for the others to have theirs, and takes the next one's. */
static void take_two(int first, int second, uint32_t parties)
{
	MUST(mdg_mutex_lock(&box->mutex[first]));
	atomic_fetch_add(&box->stage, 1);
	until_stage(parties);
	MUST(mdg_mutex_lock(&box->mutex[second]));
	pause();
}

static void two_first(void *unused)
{
	(void)unused;
	take_two(0, 1, 2);
}

static void two_second(void *unused)
{
	(void)unused;
	take_two(1, 0, 2);
}

static void two(void)
{
	name(&box->mutex[0], MDG_SYNC_MUTEX, "accounts");
	name(&box->mutex[1], MDG_SYNC_MUTEX, "journal");
	begin(two_first);
	begin(two_second);
	until_waiting(2);
	begin(wait_and_stay);
	until_waiting(3);
}

static void three_first(void *unused)
{
	(void)unused;
	MUST(mdg_rwlock_read(&box->rwlock));
	atomic_fetch_add(&box->stage, 1);
	until_stage(3);
	MUST(mdg_mutex_lock(&more->mutex));
	pause();
}

static void three_second(void *unused)
{
	(void)unused;
	MUST(mdg_mutex_lock(&more->mutex));
	atomic_fetch_add(&box->stage, 1);
	until_stage(3);
	MUST(mdg_mutex_lock(&box->mutex[0]));
	pause();
}

static void three_third(void *unused)
{
	(void)unused;
	MUST(mdg_mutex_lock(&box->mutex[0]));
	atomic_fetch_add(&box->stage, 1);
	until_stage(3);
	MUST(mdg_rwlock_write(&box->rwlock));
	pause();
}

static void three(void)
{
	name(&box->mutex[0], MDG_SYNC_MUTEX, "accounts");
	name(&box->rwlock, MDG_SYNC_RWLOCK, "table");
	name(&more->mutex, MDG_SYNC_MUTEX, "elsewhere");
	begin(three_first);
	begin(three_second);
	begin(three_third);
	until_waiting(3);
}

static void chain_second(void *unused)
{
	(void)unused;
	take_two(1, 0, 2);
}

static void chain_third(void *unused)
{
	(void)unused;
	MUST(mdg_mutex_lock(&box->mutex[1]));
}

static void chain(void)
{
	name(&box->mutex[0], MDG_SYNC_MUTEX, "first");
	name(&box->mutex[1], MDG_SYNC_MUTEX, "second");
	MUST(mdg_mutex_lock(&box->mutex[0]));
	atomic_fetch_add(&box->stage, 1);
	begin(chain_second);
	until_waiting(1);
	begin(chain_third);
	until_waiting(2);
}

/* Hand over hand: who holds the second takes the first only after it gave the second back. */
static void hand_over_hand(void *unused)
{
	const struct timespec moment = { 0, 200000 };
	(void)unused;
	for (;;) {
		MUST(mdg_mutex_lock(&box->mutex[0]));
		MUST(mdg_mutex_lock(&box->mutex[1]));
		MUST(mdg_mutex_unlock(&box->mutex[0]));
		nanosleep(&moment, NULL);
		MUST(mdg_mutex_unlock(&box->mutex[1]));
	}
}

/* Others between the two: so there is time between the looks at them. */
static void busy(void)
{
	name(&box->mutex[0], MDG_SYNC_MUTEX, "first");
	for (int i = 2; i < NAMES; i++)
		name((unsigned char *)box + 128 * i, MDG_SYNC_SEM, "between");
	name(&box->mutex[1], MDG_SYNC_MUTEX, "second");
	for (int i = 0; i < CHILDREN; i++)
		begin(hand_over_hand);
}

/* ---- tables ------------------------------------------------------------------------------- */

static void full(void)
{
	char text[40];
	for (int i = 0; i < NAMES; i++) {
		snprintf(text, sizeof text, "object %d", i);
		name((unsigned char *)box + 128 * i, MDG_SYNC_MUTEX, text);
	}
}

static void noise(void)
{
	const char *dir = getenv("LOCKERS_DIR");
	char path[512];
	uint32_t words[4096];
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
	full();
	snprintf(path, sizeof path, "%s/%s", dir, data_file_name(dir, (int)id));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	/* The head stays; so do some kinds and places, or all would be passed over at once. */
	if (fd < 0 || pread(fd, words, sizeof words, SIZE) != sizeof words)
		fail(-errno, path);
	for (size_t i = 16; i < 4096; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		if (i % 16 >= 4)
			words[i] = (uint32_t)(random >> 32);
		else if (i % 16 == 0)
			words[i] = (uint32_t)(random >> 32) % 11;
		if (i % 16 == 13)
			words[i] = 0; /* the name ends */
	}
	if (pwrite(fd, words, sizeof words, SIZE) != sizeof words)
		fail(-errno, path);
	close(fd);
	for (size_t i = 0; i < SIZE / 4; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		((uint32_t *)(void *)box)[i] = (uint32_t)(random >> 32);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		void (*run)(void);
	} scenes[] = {
		{ "kinds", kinds }, { "stale", stale }, { "two", two },   { "three", three },
		{ "chain", chain }, { "busy", busy },   { "full", full }, { "noise", noise },
	};
	char end;
	if (argc != 3 || setenv("LOCKERS_DIR", argv[1], 1) != 0)
		return 2;
	MUST(mdg_namespace_open(&ns, argv[1], NULL));
	box = make("locks", &id);
	more = make("more", &more_id);
	for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
		if (strcmp(argv[2], scenes[i].word) == 0)
			scenes[i].run();
	printf("ready %d", (int)getpid());
	for (int i = 0; i < children; i++)
		printf(" %d", (int)child[i]);
	if (gone != 0)
		printf(" %d", (int)gone);
	printf("\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	/* All before the first one's locks go to the others. */
	for (int i = 0; i < children; i++)
		kill(child[i], SIGSTOP);
	for (int i = 0; i < children; i++)
		killed(child[i]);
	MUST(mdg_segment_remove(ns, id));
	MUST(mdg_segment_remove(ns, more_id));
	return 0;
}
