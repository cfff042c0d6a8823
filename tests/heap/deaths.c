/* SPDX-License-Identifier: MIT */
/*
 * deaths.c - one operation that is cut off at each store to shared memory: its process is killed,
 * or stopped while another one works, or interrupted by a handler that uses the heap.
 *
 *     heap-deaths [--all] kill|stop|signal [SCENARIO...]
 *
 * Without --all, not all points of what takes long are played: in each minute other ones.
 *
 * After that the dead are swept. Then each place has a whole block or nothing, and the bitmaps have
 * exactly the blocks that can be reached from the places: nothing is lost, nothing is free that is
 * linked, and what is allocated next is none of those. Operations without a hand (mdg_alloc,
 * mdg_free, mdg_keep) may leave one block that is reached by nobody.
 */
#include "heap/deaths.h"

#include <limits.h>
#include <signal.h>

#include "sync/points/step.h"

mdg_heap *heap;
struct mdg__heap *inside;
mdg_ref *place;
mdg_txn *txn;
unsigned failures;
char context[200];

/* ---- what the tracer looks at -------------------------------------------------------------- */

enum { UNITS = 64, SEEN_WORDS = 3, SEEN_LABELS = 12, SEEN_SLOTS = 10 };

static struct {
	struct mdg__heap_slot slot[SEEN_SLOTS];
	uint64_t heads[UNITS], hints[UNITS], bits[MDG__BITS_ALL];
	uint64_t free[UNITS][SEEN_WORDS], remote[UNITS][SEEN_WORDS], labels[UNITS][SEEN_LABELS];
	unsigned char head[512];
	mdg_ref place[PLACES];
	unsigned char txn[sizeof(mdg_txn)];
} image;
_Static_assert(UNITS << MDG__UNIT_SHIFT == MAXIMUM, "");
_Static_assert(sizeof image <= sizeof((struct step *)0)->seen, "");

static void refresh(void)
{
	memcpy(image.slot, inside->slot, sizeof image.slot);
	memcpy(image.heads, inside->heads, sizeof image.heads);
	memcpy(image.hints, inside->hints, sizeof image.hints);
	for (int i = 0; i < MDG__BITS_ALL; i++)
		image.bits[i] = *inside->bits[i];
	for (uint64_t unit = 0; unit < UNITS; unit++) {
		memcpy(image.free[unit], mdg__free_words(inside, unit), sizeof image.free[0]);
		memcpy(image.remote[unit], mdg__remote_words(inside, unit), sizeof image.remote[0]);
		memcpy(image.labels[unit], inside->labels + unit * MDG__LABELS_OF_UNIT,
		       sizeof image.labels[0]);
	}
	memcpy(image.head, inside->head, sizeof image.head);
	memcpy(image.place, place, sizeof image.place);
	memcpy(image.txn, txn, sizeof image.txn);
}

/* ---- cutting it off ------------------------------------------------------------------------ */

enum how { KILL, STOP, SIGNAL };
static const char *const how_names[] = { "kill", "stop", "signal" };

/* In a process beside the one that is stopped; and in a handler. It needs no lock. */
static void work_a_little(int spare)
{
	void *old = NULL;
	for (int i = 0; i < 2; i++) {
		int at = i == 0 ? 0 : PLACES - 1;
		struct node *node = mdg_take(heap, &place[at]);
		if (node != NULL)
			node_free(node);
		struct node *other = hold(SMALL);
		if (other != NULL && mdg_swap(heap, other, &place[at], &old) != 0)
			node_free(other);
		node_free(old);
		old = NULL;
	}
	struct node *plain = node_fill(mdg_alloc(heap, SMALL), SMALL);
	node_free(plain);
	if (place[spare] == 0) {
		struct node *node = hold(SMALL);
		if (node != NULL && mdg_publish(heap, node, &place[spare], 0) != 0)
			node_free(node);
	}
}

static void on_signal(int number)
{
	(void)number;
	work_a_little(9);
}

static void victim(void *argument)
{
	(void)argument;
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &action, NULL);
	now->prepare();
	step_begins();
	now->operate();
	step_ends();
}

static void corpse(void (*body)(void *))
{
	pid_t pid = fork();
	if (pid == 0) {
		body(NULL);
		_exit(0);
	}
	int status;
	waitpid(pid, &status, 0);
}

/* It lives, and owns the slab of the only block. */
static pid_t start_owner(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		leave_slab(NULL);
		for (;;)
			pause();
	}
	while (pid > 0 && place[0] == 0)
		usleep(100);
	return pid;
}

static void end_owner(pid_t pid)
{
	int status;
	kill(pid, SIGKILL);
	MUST(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

/* Goes on to its end. */
static void go_on(const struct step *step)
{
	int status = 0;
	kill(step->pid, SIGCONT);
	bool ends = ends_within(step->pid, 20000, &status, true);
	MUST(ends && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (!ends) {
		kill(step->pid, SIGKILL);
		waitpid(step->pid, &status, 0);
	}
}

static unsigned cuts;

static const struct scenario *scenario_named(const char *name)
{
	for (size_t i = 0; i < scenario_count; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

/* Leaves a dead process that was cut off at this point. False: its operation had ended before. */
static bool corpse_at(const char *name, unsigned point)
{
	static struct step step;
	const struct scenario *then = now;
	now = scenario_named(name);
	refresh();
	bool begun = step_start(&step, &image, sizeof image, victim, NULL);
	MUST(begun);
	bool cut = begun && step_to(&step, point) == STEP_POINT;
	step_kill(&step);
	now = then;
	return cut;
}

/* False: the operation had ended before that point. `before`: where the one before it is cut. */
static bool cut_at(enum how how, unsigned point, unsigned before, bool *ret_cut)
{
	static struct step step;
	snprintf(context, sizeof context, "%s %s at point %u, %u", how_names[how], now->name, point,
	         before);
	fill_places(0, now->filled, now->size);
	if (strcmp(now->name, "free-last") == 0)
		corpse(leave_slab);
	if (now->before != NULL && is_sweep(now))
		*ret_cut = corpse_at(now->before, before);
	else if (strcmp(now->name, "sweep") == 0)
		corpse(die_full);
	else
		(void)mdg_heap_sweep(heap);
	pid_t owner = is_of_two(now) ? start_owner() : 0;
	refresh();
	bool begun = step_start(&step, &image, sizeof image, victim, NULL);
	MUST(begun);
	if (!begun)
		return false;
	if (now->meanwhile != NULL)
		now->meanwhile();
	bool after = now->before != NULL && !is_sweep(now);
	if (after)
		*ret_cut = corpse_at(now->before, before);
	step_look(&step);
	enum step_event event = step_to(&step, point);
	MUST(event == STEP_POINT || event == STEP_ENDED);
	bool goes_on = event == STEP_POINT;
	cuts += goes_on;
	if (how == KILL)
		step_kill(&step);
	if (owner != 0)
		end_owner(owner);
	if (how == KILL) {
		if (now->size == SMALL)
			use_again();
		if (is_of_txn(now))
			txn_use_before_recovery();
	} else {
		if (how == SIGNAL && goes_on)
			(void)step_signal(&step, SIGUSR1);
		step_pause(&step);
		/* Others wait for the lock, and for nothing else. */
		uint32_t locker = atomic_load(&inside->head->lock.robust.word) & MDG__TID;
		if (how == STOP && locker != (uint32_t)step.pid && after)
			(void)mdg_heap_sweep(heap);
		else if (how == STOP && locker != (uint32_t)step.pid)
			work_a_little(8);
		go_on(&step);
	}
	settle_accounts(now->slack, now->size);
	return goes_on;
}

/* `stride`: one of so many points is played; `before_stride`: of those where the operation before
 * it is cut. Behind `most`, one of 8 * stride. */
static void play(enum how how, const struct scenario *scenario, unsigned stride,
                 unsigned before_stride, unsigned most)
{
	unsigned minute = (unsigned)(time(NULL) / 60);
	bool cut = true;
	now = scenario;
	for (unsigned before = scenario->before != NULL ? minute % before_stride : 0; cut;
	     before += before_stride) {
		unsigned point = stride == 1 ? 0 : (minute + before) % stride;
		cut = false;
		while (cut_at(how, point, before, &cut) && failures < 20)
			point += point < most ? stride : 8 * stride;
		if (stride == 1 && point < scenario->least) {
			failures++;
			fprintf(stderr, "%s: only %u points\n", context, point);
		}
		if (failures >= 20)
			return;
	}
}

/* No handler may use a heap that is being closed. And who unlinks without mdg_take must sweep
 * first, if the publisher may be dead. */
static bool is_allowed(enum how how, const struct scenario *scenario)
{
	return (how != SIGNAL || !is_close(scenario)) && (how != STOP || !is_unlink(scenario));
}

static void play_one(enum how how, const struct scenario *scenario, bool all)
{
	enum { EACH = 5 }; /* these are played whatever the minute is */
	unsigned before = cuts;
	uint64_t begun = mdg_deadline(0);
	if (all)
		play(how, scenario, 1, 1, UINT_MAX);
	else if (is_cold(scenario) || is_close(scenario))
		play(how, scenario, POINT_STRIDE * 72, 1, UINT_MAX);
	else if (is_trim(scenario))
		play(how, scenario, POINT_STRIDE * 18, 1, UINT_MAX);
	else if (is_sweep(scenario) || is_after_txn(scenario))
		play(how, scenario, POINT_STRIDE * 40, 12, UINT_MAX);
	else
		play(how, scenario, POINT_STRIDE, 4, EACH);
	printf("%s %s: %u points, %u ms\n", how_names[how], scenario->name, cuts - before,
	       (unsigned)((mdg_deadline(0) - begun) / 1000000));
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc <= 2;
}

int main(int argc, char **argv)
{
	const char *reason;
	enum how how = KILL;
	bool all = wants_all_points(&argc, &argv);
	while (argc > 1 && how <= SIGNAL && strcmp(argv[1], how_names[how]) != 0)
		how++;
	if (argc < 2 || how > SIGNAL) {
		fprintf(stderr, "usage: heap-deaths [--all] kill|stop|signal [SCENARIO...]\n");
		return 2;
	}
	enter_namespace();
	if (!step_possible(&reason))
		SKIP("%s", reason);
	struct mdg_heap_options options = {
		.size = sizeof options, .flags = MDG_HEAP_HOME, .maximum = MAXIMUM, .threads = 16
	};
	heap = heap_open("deaths", &options);
	inside = mdg__heap_of(heap);
	place = mdg_alloc_zeroed(heap, PLACES, sizeof *place);
	txn = mdg_alloc_aligned(heap, 64, MDG_TXN_SIZE(JOURNAL));
	memset(txn, 0, MDG_TXN_SIZE(JOURNAL));
	/* The tables that the tracer copies have memory. */
	for (uint64_t unit = 0; unit < UNITS; unit++)
		(void)mdg__heap_promise(inside,
		                        inside->parts.labels + unit * MDG__LABELS_OF_UNIT * 8, 64);
	(void)mdg__tables_promise(inside, 0, UNITS);
	(void)mdg__heap_promise(inside, inside->parts.slots, sizeof image.slot);
	step_refresh = refresh;
	for (size_t i = 0; i < scenario_count; i++)
		if (is_wanted(scenarios[i].name, argc, argv) && is_allowed(how, &scenarios[i]))
			play_one(how, &scenarios[i], all);
	printf("%u points\n", cuts);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "deaths") == 0);
	mdg_namespace_close(ns);
	return failures == 0 ? test_result() : 1;
}
