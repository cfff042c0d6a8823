/* SPDX-License-Identifier: MIT */
/*
 * roots.c - places with names: one process fills each, and the others wait for it, whoever dies.
 *
 * usage: roots [alone | waiting | deaths | points | threads]
 */
#include "unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "heap/held.h"
#include "madang/sync.h"
#include "sync/points/step.h"

#define SECOND UINT64_C(1000000000)

static mdg_namespace *ns;
static mdg_heap *heap;

static void open_heap(const char *name)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 1 << 24 };
	CHECK_RC(0, mdg_heap_open(&heap, ns, name, &options));
}

/* What the maker does: it fills the place. */
static void fill(mdg_ref *place)
{
	uint64_t *block = mdg_hold(heap, 64);
	if (!CHECK(block != NULL))
		return;
	*block = 42;
	CHECK_RC(0, mdg_publish(heap, block, place, 0));
}

static void empty(mdg_ref *place)
{
	void *block = mdg_take(heap, place);
	CHECK(block != NULL);
	CHECK_RC(0, mdg_free(heap, block));
}

static int count_of(const char *name)
{
	struct mdg_root_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	int count = 0;
	while (mdg_root_next(heap, &cursor, &info) > 0)
		count += strcmp(info.name, name) == 0;
	return count;
}

static void pause_ms(long ms)
{
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&pause, NULL);
}

/* ---- one process ------------------------------------------------------------------------- */

static void *other_thread(void *argument)
{
	mdg_ref *place = NULL;
	(void)argument;
	CHECK_RC(-EAGAIN, mdg_root(heap, "one", 7, 1, &place, 0));
	CHECK_RC(-ETIMEDOUT, mdg_root(heap, "one", 7, 1, &place, mdg_deadline(30000000)));
	CHECK_RC(-EBUSY, mdg_root_remove(heap, "one"));
	CHECK(place == NULL);
	return NULL;
}

static void names(void)
{
	char longest[MDG_ROOT_NAME_MAX + 2];
	mdg_ref *place = NULL;
	memset(longest, 'n', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	CHECK_RC(-EINVAL, mdg_root(heap, NULL, 0, 0, &place, 0));
	CHECK_RC(-EINVAL, mdg_root(heap, "", 0, 0, &place, 0));
	CHECK_RC(-EINVAL, mdg_root(heap, longest, 0, 0, &place, 0));
	CHECK_RC(-EINVAL, mdg_root_remove(heap, longest));
	CHECK(place == NULL);
	longest[MDG_ROOT_NAME_MAX] = '\0';
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, longest, 0, 0, &place, 0));
	CHECK(count_of(longest) == 1);
	CHECK_RC(0, mdg_root_remove(heap, longest));
	CHECK_RC(-ENOENT, mdg_root_remove(heap, longest));
	CHECK(count_of(longest) == 0);
}

static void read_only(mdg_ref content)
{
	/* A heap that is opened twice in a process is one. So this is for another one. */
	pid_t child = fork();
	if (child == 0) {
		struct mdg_heap_options options = { .size = sizeof options,
			                            .flags = MDG_HEAP_RDONLY };
		mdg_ref *place = NULL;
		check_failures = 0;
		mdg_heap_close(heap);
		CHECK_RC(0, mdg_heap_open(&heap, ns, "alone", &options));
		CHECK_RC(0, mdg_root(heap, "one", 7, 1, &place, 0));
		CHECK(*place == content);
		CHECK_RC(-ENOENT, mdg_root(heap, "none", 7, 1, &place, MDG_FOREVER));
		CHECK_RC(-EAGAIN, mdg_root(heap, "empty", 7, 1, &place, 0));
		CHECK_RC(-ETIMEDOUT, mdg_root(heap, "empty", 7, 1, &place, mdg_deadline(20000000)));
		CHECK_RC(-EROFS, mdg_root_remove(heap, "empty"));
		_exit(test_result());
	}
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child);
	if (!CHECK(status == 0))
		fprintf(stderr, "status %x\n", (unsigned)status);
}

static void alone(void)
{
	struct mdg_root_info info = { .size = sizeof info };
	mdg_ref *place = NULL, *again = NULL, *others = NULL;
	uint32_t cursor = 0;
	pthread_t thread;
	open_heap("alone");
	names();
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "one", 7, 1, &place, 0));
	CHECK(*place == 0);
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "one", 7, 1, &again, 0)); /* still this thread */
	CHECK(place == again);
	/* A sweeper tells late that one filled the place who is dead. It is empty again: this
	 * thread is still to fill it. */
	mdg__root_changed(mdg__heap_of(heap), (uint64_t)((char *)place - (char *)heap->base),
	                  (struct mdg__holder){ MDG_ROOTS_MOST, 9 });
	CHECK(mdg_root_next(heap, &cursor, &info) == 1 && info.maker == getpid() && info.ref == 0);
	CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_RC(MDG_UNLIKE_TYPE, mdg_root(heap, "one", 8, 1, &again, 0));
	CHECK_RC(MDG_UNLIKE_VERSION, mdg_root(heap, "one", 7, 2, &again, 0));
	fill(place);
	CHECK_RC(0, mdg_root(heap, "one", 7, 1, &again, 0));
	CHECK(place == again && *(uint64_t *)mdg_at(heap, *place) == 42);
	cursor = 0;
	CHECK(mdg_root_next(heap, &cursor, &info) == 1);
	CHECK(info.maker == 0 && info.ref == *place && info.bytes >= 64 && info.type == 7 &&
	      info.version == 1 && mdg_at(heap, info.place) == (void *)place);
	CHECK(mdg_root_next(heap, &cursor, &info) == 0);
	CHECK_RC(-EBUSY, mdg_root_remove(heap, "one"));
	CHECK_RC(MDG_UNLIKE_TYPE, mdg_root(heap, "one", 8, 1, &again, 0));
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "empty", 7, 1, &others, 0));
	CHECK(others != place);
	CHECK_RC(0, mdg_publish(heap, mdg_hold(heap, 16), others, 0));
	empty(others); /* whoever comes now is asked to fill it */
	read_only(*place);
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "empty", 7, 1, &again, 0));
	empty(place);
	CHECK_RC(0, mdg_root_remove(heap, "one"));
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "one", 8, 9, &place, 0));
	for (int i = 2; i <= MDG_ROOTS_MOST; i++) {
		char name[24];
		snprintf(name, sizeof name, "root %d", i);
		CHECK_RC(i < MDG_ROOTS_MOST ? MDG_ROOT_NEW : -ENOSPC,
		         mdg_root(heap, name, 7, 1, &again, 0));
	}
	mdg_heap_close(heap);
}

/* ---- several processes ------------------------------------------------------------------- */

/* How often each thing has happened, for all processes. */
static struct tally {
	_Atomic int new, filled, failed, inside, most_inside;
} * tally;

enum deed { FILL, FILL_IN_TXN, DIE, REMOVE };

/* The block and the place change as one. No call on the root says that it is filled. */
static void fill_in_txn(mdg_ref *place)
{
	enum { JOURNAL = 256 };
	mdg_txn_run run;
	mdg_txn *txn = mdg_alloc_aligned(heap, 64, MDG_TXN_SIZE(JOURNAL));
	memset(txn, 0, MDG_TXN_SIZE(JOURNAL));
	CHECK(mdg_txn_begin(&run, txn, JOURNAL, heap->base, (size_t)heap->extent) == 0);
	uint64_t *block = mdg_txn_hold(heap, &run, 64);
	mdg_ref ref = mdg_ref_of(heap, block);
	*block = 42;
	CHECK(mdg_txn_write(&run, place, &ref, sizeof ref) == 0);
	CHECK(mdg_txn_commit(&run) == 0 && *place == ref);
	CHECK(mdg_free(heap, txn) == 0);
}

/* A process that waits for the root. If it is asked to fill it, it does `deed`. */
static pid_t start(const char *name, enum deed deed)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	mdg_ref *place = NULL;
	int rc = mdg_root(heap, name, 7, 1, &place, mdg_deadline(30 * SECOND));
	if (rc != 0 && rc != MDG_ROOT_NEW) {
		fprintf(stderr, "%s: %s\n", name, mdg_strerror(rc));
		atomic_fetch_add(&tally->failed, 1);
		_exit(1);
	}
	if (rc == 0) {
		atomic_fetch_add(&tally->filled, 1);
		_exit(*(uint64_t *)mdg_at(heap, *place) != 42);
	}
	atomic_fetch_add(&tally->new, 1);
	pause_ms(5); /* the others sleep */
	if (deed == DIE)
		raise(SIGKILL);
	if (deed == REMOVE)
		_exit(mdg_root_remove(heap, name) != 0);
	check_failures = 0;
	(deed == FILL_IN_TXN ? fill_in_txn : fill)(place);
	_exit(test_result());
}

static void start_all(const char *name, int count, enum deed deed, pid_t pids[])
{
	for (int i = 0; i < count; i++)
		pids[i] = start(name, deed);
}

static void end_all(int count, const pid_t pids[])
{
	for (int i = 0; i < count; i++) {
		int status = -1;
		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	}
}

static void waiting(void)
{
	enum { WAITERS = 6 };
	pid_t pids[WAITERS];
	open_heap("waiting");
	for (int round = 0; round < 20; round++) {
		char name[24];
		memset(tally, 0, sizeof *tally);
		snprintf(name, sizeof name, "round %d", round);
		start_all(name, WAITERS, round % 4 == 3 ? FILL_IN_TXN : FILL, pids);
		end_all(WAITERS, pids);
		CHECK(tally->new == 1 && tally->filled == WAITERS - 1 && tally->failed == 0);
		CHECK(count_of(name) == 1);
	}
	mdg_heap_close(heap);
}

static void deaths(void)
{
	enum { DYING = 6, FILLING = 3 };
	pid_t dying[DYING], filling[FILLING];
	open_heap("deaths");
	for (int round = 0; round < 10; round++) {
		char name[24];
		memset(tally, 0, sizeof *tally);
		snprintf(name, sizeof name, "round %d", round);
		start_all(name, DYING, round % 2 == 0 ? DIE : REMOVE, dying);
		if (round % 4 >= 2)
			pause_ms(10);
		start_all(name, FILLING, FILL, filling);
		end_all(DYING, dying);
		end_all(FILLING, filling);
		/* Each was asked, or found it filled; and one has filled it. */
		CHECK(tally->new + tally->filled == DYING + FILLING && tally->failed == 0);
		CHECK(tally->new >= 1 && count_of(name) == 1);
		mdg_ref *place = NULL;
		CHECK_RC(0, mdg_root(heap, name, 7, 1, &place, 0));
	}
	mdg_heap_close(heap);
}

/* ---- deaths at each store ---------------------------------------------------------------- */

static void make_root(void *unused)
{
	mdg_ref *place = NULL;
	(void)unused;
	(void)mdg_root(heap, "before", 0, 0, &place, 0); /* it has a slot after this */
	step_begins();
	(void)mdg_root(heap, "stepped", 7, 1, &place, 0);
	step_ends();
}

static void remove_root(void *unused)
{
	mdg_ref *place = NULL;
	(void)unused;
	(void)mdg_root(heap, "before", 0, 0, &place, 0);
	(void)mdg_root(heap, "stepped", 7, 1, &place, MDG_FOREVER);
	step_begins();
	(void)mdg_root_remove(heap, "stepped");
	step_ends();
}

static void fill_root(void *unused)
{
	mdg_ref *place = NULL;
	(void)unused;
	(void)mdg_root(heap, "stepped", 7, 1, &place, MDG_FOREVER);
	uint64_t *block = mdg_hold(heap, 64);
	*block = 42;
	step_begins();
	(void)mdg_publish(heap, block, place, 0);
	step_ends();
}

/* After a death anywhere: there is no root, or one that somebody has to fill, or a full one. */
static void judge(unsigned point)
{
	mdg_ref *place = NULL;
	CHECK(count_of("stepped") <= 1);
	int rc = mdg_root(heap, "stepped", 7, 1, &place, mdg_deadline(10 * SECOND));
	if (!CHECK(rc == MDG_ROOT_NEW || rc == 0))
		fprintf(stderr, "point %u: %d (%s)\n", point, rc, mdg_strerror(rc));
	if (rc < 0)
		return;
	if (rc == MDG_ROOT_NEW)
		fill(place);
	CHECK_RC(0, mdg_root(heap, "stepped", 7, 1, &place, 0));
	CHECK(*(uint64_t *)mdg_at(heap, *place) == 42 && count_of("stepped") == 1);
	empty(place);
	CHECK_RC(0, mdg_root_remove(heap, "stepped"));
	CHECK(count_of("stepped") == 0);
	(void)mdg_root_remove(heap, "before");
}

static void at_each_point(const char *what, void (*body)(void *))
{
	static struct step step;
	enum step_event event = STEP_POINT;
	unsigned point = 0;
	while (event == STEP_POINT && check_failures < 10) {
		if (!CHECK(step_start(&step, heap->base, sizeof step.seen, body, NULL)))
			return;
		event = step_to(&step, point);
		step_kill(&step);
		judge(point);
		point += POINT_STRIDE;
	}
	CHECK(event == STEP_ENDED && point >= 5);
	printf("%s: %u points\n", what, point);
}

static void points(void)
{
	const char *reason;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	open_heap("points");
	/* The parent has what it needs before anybody is stepped. */
	judge(0);
	at_each_point("make", make_root);
	at_each_point("remove", remove_root);
	at_each_point("fill", fill_root);
	mdg_heap_close(heap);
}

/* ---- threads ----------------------------------------------------------------------------- */

enum { THREADS = 4, NAMES = 3 };
static _Atomic int makers[NAMES];
static uint64_t until;

static void *work(void *argument)
{
	uint64_t state = 88172645463325252 + (uintptr_t)argument;
	static const char *const name[NAMES] = { "a", "b", "c" };
	while (mdg_deadline(0) < until) {
		uint32_t i = unit_random(&state) % NAMES;
		mdg_ref *place = NULL;
		int rc = mdg_root(heap, name[i], i, 1, &place, mdg_deadline(20 * SECOND));
		if (!CHECK(rc == 0 || rc == MDG_ROOT_NEW))
			break;
		if (rc == 0) {
			void *block = mdg_take(heap, place);
			if (block != NULL)
				CHECK_RC(0, mdg_free(heap, block));
			continue;
		}
		CHECK(atomic_fetch_add(&makers[i], 1) == 0); /* one at a time */
		bool removes = unit_random(&state) % 4 == 0;
		atomic_fetch_sub(&makers[i], 1);
		if (removes)
			CHECK_RC(0, mdg_root_remove(heap, name[i]));
		else
			fill(place);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS];
	open_heap("threads");
	until = mdg_deadline(2 * SECOND);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, work, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	mdg_heap_close(heap);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = { { "alone", alone },
		    { "waiting", waiting },
		    { "deaths", deaths },
		    { "points", points },
		    { "threads", threads } };
	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	ns = unit_open("roots", NULL);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (argc < 2 || strcmp(argv[1], all[i].name) == 0)
			all[i].run();
	mdg_namespace_close(ns);
	return test_result();
}
