/* SPDX-License-Identifier: MIT */
/*
 * circlers.c - processes that wait for each other in semaphore sets, for the tool to look at.
 *
 *     circlers DIR two      each has a semaphore with undo, and wants the other one's
 *     circlers DIR zero     the same, with semaphores that are locked by +1, and awaited at 0
 *     circlers DIR mixed    one has a mutex and wants a semaphore, the other one the reverse
 *     circlers DIR timed    as `two`, and one of the waits has a deadline
 *     circlers DIR value    as `two`, but there is enough for one of them: it does not wait
 *     circlers DIR spare    as `two`, but a third process, which waits for nothing, has as much
 *     circlers DIR plain    as `two`, but one has taken without undo
 *     circlers DIR more     as `two`, but one wants more than the other one has
 *     circlers DIR threads  as `two`, but one has a second thread, which does not wait
 *     circlers DIR busy     each takes both, one after the other, over and over; never a circle
 *
 * Says "ready PID..." when everybody who is to wait does. Then waits for the end of its input,
 * kills them, and removes what it made.
 */
#include "sync/shared.h"

#include <madang/names.h>
#include <madang/segment.h>
#include <madang/sem.h>
#include <pthread.h>
#include <signal.h>

#include "semset/view.h"

enum { SIZE = 4096, CHILDREN = 3 };

static mdg_namespace *ns;
static mdg_id id, set;
static struct box {
	mdg_mutex mutex;
	_Atomic uint32_t stage;
} * box;
static pid_t child[CHILDREN];
static int children;

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "circlers: %s: %s\n", what, mdg_strerror(rc));
	exit(2);
}
#define MUST(call) must(call, #call)

static void begin(void (*f)(void *))
{
	child[children++] = start(f, NULL);
}

/* Says that this process has what it holds, and waits until so many do. */
static void meet(uint32_t parties)
{
	atomic_fetch_add(&box->stage, 1);
	if (!reaches(&box->stage, parties))
		must(-ETIMEDOUT, "meet");
}

static int change_until(uint16_t number, int16_t change, int16_t flags, uint64_t deadline)
{
	const struct mdg_semset_op op = { number, change, flags };
	return mdg_semset_op(ns, set, &op, 1, deadline);
}

static void change(uint16_t number, int16_t by, int16_t flags)
{
	MUST(change_until(number, by, flags, MDG_FOREVER));
}

static void count_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	(void)sleeper;
	++*(uint32_t *)context;
}

/* Until so many threads wait for the semaphores and the mutex. */
static void until_waiting(uint32_t wanted)
{
	uint32_t found = 0;
	const struct mdg__set_viewer viewer = { .sleeper = count_sleeper, .context = &found };
	for (uint64_t end = GRACE; now_ns() < end; nap_ms(1)) {
		struct mdg_name_info entry = { .size = sizeof entry };
		uint32_t cursor = 0;
		found = 0;
		MUST(mdg__semset_view(ns, set, &viewer));
		while (mdg_names_next(ns, id, &cursor, &entry) > 0)
			found += entry.state.waiters;
		if (found == wanted)
			return;
	}
	must(-ETIMEDOUT, "waiting");
}

/* For the second one: so the order is always the same. */
static void let_the_first_wait(void)
{
	meet(2);
	until_waiting(1);
}

/* ---- who waits for whom ---------------------------------------------------------------------- */

static void first_then_second(void *unused)
{
	(void)unused;
	change(0, -1, MDG_SEM_UNDO);
	meet(2);
	change(1, -1, MDG_SEM_UNDO);
	pause();
}

static void second_then_first(void *unused)
{
	(void)unused;
	change(1, -1, MDG_SEM_UNDO);
	let_the_first_wait();
	change(0, -1, MDG_SEM_UNDO);
	pause();
}

static void two(void)
{
	begin(first_then_second);
	begin(second_then_first);
	until_waiting(2);
}

/* The lock of many System V programs. */
static void lock(uint16_t number)
{
	const struct mdg_semset_op ops[] = { { number, 0, 0 }, { number, +1, MDG_SEM_UNDO } };
	MUST(mdg_semset_op(ns, set, ops, 2, MDG_FOREVER));
}

static void lock_first(void *unused)
{
	(void)unused;
	lock(2);
	meet(2);
	lock(3);
	pause();
}

static void lock_second(void *unused)
{
	(void)unused;
	lock(3);
	let_the_first_wait();
	lock(2);
	pause();
}

static void zero(void)
{
	begin(lock_first);
	begin(lock_second);
	until_waiting(2);
}

static void mutex_first(void *unused)
{
	(void)unused;
	MUST(mdg_mutex_lock(&box->mutex));
	meet(2);
	change(1, -1, MDG_SEM_UNDO);
	pause();
}

static void mutex_second(void *unused)
{
	(void)unused;
	change(1, -1, MDG_SEM_UNDO);
	let_the_first_wait();
	MUST(mdg_mutex_lock(&box->mutex));
	pause();
}

static void mixed(void)
{
	MUST(mdg_names_set(ns, &box->mutex, MDG_SYNC_MUTEX, "accounts"));
	begin(mutex_first);
	begin(mutex_second);
	until_waiting(2);
}

static void first_for_an_hour(void *unused)
{
	(void)unused;
	change(1, -1, MDG_SEM_UNDO);
	let_the_first_wait();
	(void)change_until(0, -1, MDG_SEM_UNDO, mdg_deadline(UINT64_C(3600000000000)));
}

static void timed(void)
{
	begin(first_then_second);
	begin(first_for_an_hour);
	until_waiting(2);
}

static void value(void)
{
	MUST(mdg_semset_set_value(ns, set, 0, 2));
	begin(first_then_second);
	begin(second_then_first);
	until_waiting(1);
}

static void take_one(void *unused)
{
	(void)unused;
	change(0, -1, MDG_SEM_UNDO);
	atomic_fetch_add(&box->stage, 100);
	pause();
}

static void spare(void)
{
	MUST(mdg_semset_set_value(ns, set, 0, 2));
	begin(take_one);
	if (!reaches(&box->stage, 100))
		must(-ETIMEDOUT, "the third");
	atomic_store(&box->stage, 0);
	begin(first_then_second);
	begin(second_then_first);
	until_waiting(2);
}

static void plain_second(void *unused)
{
	(void)unused;
	change(1, -1, 0);
	let_the_first_wait();
	change(0, -1, MDG_SEM_UNDO);
	pause();
}

static void plain(void)
{
	begin(first_then_second);
	begin(plain_second);
	until_waiting(2);
}

static void wants_more(void *unused)
{
	(void)unused;
	change(1, -1, MDG_SEM_UNDO);
	let_the_first_wait();
	change(0, -2, MDG_SEM_UNDO);
	pause();
}

static void more(void)
{
	begin(first_then_second);
	begin(wants_more);
	until_waiting(2);
}

static void *idle(void *unused)
{
	pause();
	return unused;
}

static void with_a_thread(void *unused)
{
	pthread_t thread;
	must(-pthread_create(&thread, NULL, idle, NULL), "thread");
	second_then_first(unused);
}

static void threads(void)
{
	begin(first_then_second);
	begin(with_a_thread);
	until_waiting(2);
}

/* Hand over hand, as two trains on a line: nobody takes the first while it has the second. */
static void hand_over_hand(void *unused)
{
	(void)unused;
	for (;;) {
		change(0, -1, MDG_SEM_UNDO);
		change(1, -1, MDG_SEM_UNDO);
		change(0, +1, MDG_SEM_UNDO);
		nap_ms(1);
		change(1, +1, MDG_SEM_UNDO);
	}
}

static void busy(void)
{
	for (int i = 0; i < CHILDREN; i++)
		begin(hand_over_hand);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void *make(void)
{
	void *memory = NULL;
	MUST(mdg_segment_create(ns, "circles", SIZE, 0600, 0, &id));
	MUST(mdg_segment_attach(ns, id, NULL, 0, &memory));
	MUST(mdg_semset_create(ns, NULL, 4, 0600, 0, &set));
	MUST(mdg_semset_set_value(ns, set, 0, 1));
	MUST(mdg_semset_set_value(ns, set, 1, 1));
	return memory;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		void (*run)(void);
	} scenes[] = {
		{ "two", two },     { "zero", zero },       { "mixed", mixed }, { "timed", timed },
		{ "value", value }, { "spare", spare },     { "plain", plain }, { "more", more },
		{ "busy", busy },   { "threads", threads },
	};
	char end;
	if (argc != 3)
		return 2;
	MUST(mdg_namespace_open(&ns, argv[1], NULL));
	box = make();
	for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
		if (strcmp(argv[2], scenes[i].word) == 0)
			scenes[i].run();
	nap_ms(5); /* the youngest sleeps are not believed */
	printf("ready");
	for (int i = 0; i < children; i++)
		printf(" %d", (int)child[i]);
	printf("\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	for (int i = 0; i < children; i++)
		kill(child[i], SIGSTOP);
	for (int i = 0; i < children; i++)
		killed(child[i]);
	MUST(mdg_semset_remove(ns, set));
	MUST(mdg_segment_remove(ns, id));
	return 0;
}
