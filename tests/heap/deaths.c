/* SPDX-License-Identifier: MIT */
/*
 * deaths.c - one operation that is cut off at each store to shared memory: its process is killed,
 * or stopped while another one works, or interrupted by a handler that uses the heap.
 *
 *     heap-deaths kill|stop|signal [SCENARIO...]
 *
 * After that the dead are swept. Then each place has a whole block or nothing, and the bitmaps have
 * exactly the blocks that can be reached from the places: nothing is lost, nothing is free that is
 * linked, and what is allocated next is none of those. Operations without a hand (mdg_alloc,
 * mdg_free, mdg_keep) may leave one block that is reached by nobody.
 */
#include "heap/heap.h"

#include <signal.h>

#include "heap/held.h"
#include "sync/points/step.h"

enum { PLACES = 16, SMALL = 1000, EIGHTH = 8000, MEDIUM = 40000, LARGE = 200000 };

static mdg_heap *heap;
static struct mdg__heap *inside;
static mdg_ref *place;
static unsigned failures;
static char context[200];

#define MUST(expression)                                                                           \
	do {                                                                                       \
		if (!(expression) && failures++ < 20)                                              \
			fprintf(stderr, "%s: line %d: does not hold: %s\n", context, __LINE__,     \
			        #expression);                                                      \
	} while (0)

/* ---- blocks -------------------------------------------------------------------------------- */

struct node {
	uint64_t magic;
	mdg_ref next; /* what was published over */
	uint64_t size;
	unsigned char bytes[];
};
#define MAGIC UINT64_C(0x6e6f6465a5a5a5a5)

static struct node *node_fill(void *block, size_t size)
{
	struct node *node = block;
	if (node == NULL)
		return NULL;
	*node = (struct node){ MAGIC, 0, size };
	memset(node->bytes, (int)(size % 251), size - sizeof *node);
	return node;
}

static struct node *hold(size_t size)
{
	return node_fill(mdg_hold(heap, size), size);
}

static bool node_is_whole(const struct node *node)
{
	return node->magic == MAGIC && node->size <= LARGE && node->size > sizeof *node &&
	       node->bytes[0] == node->size % 251 &&
	       node->bytes[node->size - sizeof *node - 1] == node->size % 251;
}

static void node_free(struct node *node)
{
	while (node != NULL) {
		struct node *next = mdg_at(heap, node->next);
		MUST(node_is_whole(node));
		node->magic = 0;
		int rc = mdg_free(heap, node);
		MUST(rc == 0);
		node = next;
	}
}

/* ---- what the tracer looks at -------------------------------------------------------------- */

enum { UNITS = 64, SEEN_WORDS = 3, SEEN_LABELS = 12, SEEN_SLOTS = 10 };

static struct {
	struct mdg__heap_slot slot[SEEN_SLOTS];
	uint64_t heads[UNITS], hints[UNITS], bits[MDG__BITS_ALL];
	uint64_t free[UNITS][SEEN_WORDS], remote[UNITS][SEEN_WORDS], labels[UNITS][SEEN_LABELS];
	unsigned char head[512];
	mdg_ref place[PLACES];
} image;
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
}

/* ---- the ledger ---------------------------------------------------------------------------- */

enum { REACHED_MOST = 400 };
static struct {
	mdg_ref ref[REACHED_MOST];
	unsigned count;
} reached;

static bool is_reached(mdg_ref ref)
{
	for (unsigned i = 0; i < reached.count; i++)
		if (reached.ref[i] == ref)
			return true;
	return false;
}

static void reach(mdg_ref ref)
{
	while (ref != 0 && reached.count < REACHED_MOST) {
		struct mdg__block block;
		const struct node *node = mdg_at(heap, ref);
		MUST(node != NULL && !is_reached(ref));
		if (node == NULL || is_reached(ref))
			return;
		reached.ref[reached.count++] = ref;
		MUST(mdg__block_find(inside, ref, &block) == 0);
		MUST(!mdg__block_is_free(inside, &block));
		MUST(mdg__held_by(inside, &block) == 0);
		MUST(node_is_whole(node));
		ref = node->next;
	}
}

/* What is allocated now is nothing that is linked, nor is it twice the same. */
static void allocate_some(size_t size)
{
	struct node *got[3];
	for (int i = 0; i < 3; i++) {
		got[i] = node_fill(mdg_alloc(heap, size), size);
		MUST(got[i] != NULL && !is_reached(mdg_ref_of(heap, got[i])));
		for (int j = 0; j < i; j++)
			MUST(got[i] != got[j]);
	}
	for (int i = 0; i < 3; i++)
		node_free(got[i]);
}

/* Frees what nobody reaches. */
static unsigned free_strays(void)
{
	unsigned count = 0;
	for (uint64_t unit = 0; unit < mdg__units_high(inside);) {
		uint64_t head = MDG__LOAD(inside->heads[unit]), step = 1;
		const struct mdg__size_class *class = &mdg__heap_classes[MDG__HEAD_CLASS(head)];
		mdg_ref ref = inside->parts.data + (unit << MDG__UNIT_SHIFT);
		uint32_t blocks = 0;
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SPAN) {
			step = MDG__HEAD_UNITS(head);
			blocks = 1;
		} else if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB) {
			step = class->units;
			blocks = class->blocks;
		}
		for (uint32_t i = 0; i < blocks; i++, ref += class->size)
			if (mdg_usable_size(heap, mdg_at(heap, ref)) != 0 && !is_reached(ref) &&
			    ref != mdg_ref_of(heap, place)) {
				MUST(mdg_free(heap, mdg_at(heap, ref)) == 0);
				count++;
			}
		unit += step != 0 ? step : 1;
	}
	return count;
}

static void check_slots(void)
{
	for (uint32_t i = 0; i < mdg__heap_slots_used(inside); i++) {
		const struct mdg__heap_slot *slot = &inside->slot[i];
		uint32_t word = MDG__LOAD(slot->life.word);
		MUST(word == 0 || (word & MDG__TID) == (uint32_t)getpid());
		for (int j = 0; j < MDG__HANDS; j++)
			MUST(MDG__HAND_OP(MDG__LOAD(slot->hands[j].op)) == MDG__HAND_NONE);
	}
}

static int say_finding(const struct mdg_heap_finding *finding, void *argument)
{
	(void)argument;
	fprintf(stderr, "%s: %s\n", context, finding->text);
	return 0;
}

/* All who were there are dead. */
static void settle_accounts(unsigned slack, size_t size)
{
	for (int i = 0; i < 10 && mdg_heap_sweep(heap) != 0; i++)
		;
	/* Who gets the lock from a dead one counts again. */
	MUST(mdg_heap_trim(heap, UINT64_MAX) == 0);
	reached.count = 0;
	check_slots();
	for (int i = 0; i < PLACES; i++) {
		MUST((place[i] & 1) == 0);
		if ((place[i] & 1) == 0)
			reach(place[i]);
	}
	MUST(mdg_heap_check(heap, 0, say_finding, NULL) == 0);
	struct found found = look(heap);
	MUST(found.wrong == 0);
	MUST(found.live >= reached.count + 1u && found.live <= reached.count + 1u + slack);
	allocate_some(size);
	MUST(free_strays() <= slack);
	for (int i = 0; i < PLACES; i++) {
		struct node *node = mdg_take(heap, &place[i]);
		node_free(node);
		place[i] = 0;
	}
	found = look(heap);
	MUST(found.wrong == 0 && found.live == 1);
}

/* ---- scenarios ----------------------------------------------------------------------------- */

struct scenario {
	const char *name;
	unsigned least; /* points: fewer cannot be right */
	unsigned slack;
	size_t size;
	int filled;              /* places, by another process */
	void (*prepare)(void);   /* in the victim */
	void (*meanwhile)(void); /* in the other one; may be NULL */
	void (*operate)(void);   /* in the victim */
};
static const struct scenario *now;
static struct node *mine;

static void fill_places(int from, int count, size_t size)
{
	for (int i = from; i < from + count; i++)
		MUST(mdg_publish(heap, hold(size), &place[i], 0) == 0);
}

static void warm(void)
{
	(void)mdg_free(heap, mdg_hold(heap, now->size));
}
/* It has a slot, and keeps no span. */
static void warm_small(void)
{
	(void)mdg_free(heap, mdg_hold(heap, SMALL));
}
static void cold(void)
{
}
static void do_hold(void)
{
	(void)mdg_hold(heap, now->size);
}
static void have(void)
{
	mine = hold(now->size);
}
static void do_publish(void)
{
	(void)mdg_publish(heap, mine, &place[PLACES - 1], 0);
}
static void have_over(void)
{
	mine = hold(now->size);
	mine->next = place[0];
}
static void do_publish_over(void)
{
	(void)mdg_publish(heap, mine, &place[0], mine->next);
}
static void do_take(void)
{
	(void)mdg_take(heap, &place[0]);
}
static void own_linked(void)
{
	mine = hold(now->size);
	(void)mdg_publish(heap, mine, &place[PLACES - 1], 0);
}
static void do_take_own(void)
{
	(void)mdg_take(heap, &place[PLACES - 1]);
}
static void do_swap(void)
{
	void *old;
	(void)mdg_swap(heap, mine, &place[0], &old);
}
static void do_swap_empty(void)
{
	void *old;
	(void)mdg_swap(heap, mine, &place[PLACES - 1], &old);
}
static void do_keep(void)
{
	(void)mdg_keep(heap, mine);
}
static void have_of_other(void)
{
	warm();
	mine = mdg_take(heap, &place[0]);
}
static void do_free(void)
{
	(void)mdg_free(heap, mine);
}
static void have_plain(void)
{
	mine = mdg_alloc(heap, now->size);
}
static void have_plain_of_other(void)
{
	have_of_other();
	(void)mdg_keep(heap, mine);
}
static void do_alloc(void)
{
	(void)mdg_alloc(heap, now->size);
}
static void do_realloc(void)
{
	(void)mdg_realloc(heap, mine, now->size * 3);
}
/* The victim's slab is full. */
static void fill_slab(void)
{
	for (int i = 0; i < 8; i++) {
		struct node *node = hold(EIGHTH);
		if (node == NULL || mdg_publish(heap, node, &place[i], 0) != 0)
			_exit(99);
	}
}
static void free_of_slab(void)
{
	for (int i = 1; i < 8; i += 3)
		node_free(mdg_take(heap, &place[i]));
}
static void do_close(void)
{
	mdg_heap_close(heap);
}
/* The last block of a slab that nobody owns. */
static void leave_slab(void *argument)
{
	(void)argument;
	MUST(mdg_publish(heap, hold(EIGHTH), &place[0], 0) == 0);
}
/* It has a slot, and no slab; nor has it swept. */
static void ready(void)
{
	(void)mdg_keep(heap, place);
}
static void have_last(void)
{
	mine = mdg_take(heap, &place[0]);
	(void)mdg_keep(heap, mine);
}
static void do_sweep(void)
{
	(void)mdg_heap_sweep(heap);
}

/* Who dies in many ways at once. */
static void die_full(void *argument)
{
	(void)argument;
	(void)hold(SMALL);
	(void)hold(MEDIUM);
	(void)hold(LARGE);
	(void)mdg_take(heap, &place[1]);
	(void)mdg_free(heap, mdg_take(heap, &place[2]));
	(void)mdg_publish(heap, hold(SMALL), &place[PLACES - 2], 0);
}

static const struct scenario scenarios[] = {
	{ "hold", 4, 0, SMALL, 2, warm, NULL, do_hold },
	{ "hold-first", 10, 0, SMALL, 2, cold, NULL, do_hold },
	{ "hold-span", 8, 0, LARGE, 2, warm_small, NULL, do_hold },
	{ "hold-kept-span", 3, 0, LARGE, 2, warm, NULL, do_hold },
	{ "hold-merge", 8, 0, EIGHTH, 0, fill_slab, free_of_slab, do_hold },
	{ "hold-unit", 8, 0, EIGHTH, 0, fill_slab, NULL, do_hold },
	{ "publish", 4, 0, SMALL, 2, have, NULL, do_publish },
	{ "publish-span", 4, 0, LARGE, 2, have, NULL, do_publish },
	{ "publish-over", 4, 0, SMALL, 2, have_over, NULL, do_publish_over },
	{ "take", 5, 0, SMALL, 2, warm, NULL, do_take },
	{ "take-own", 5, 0, SMALL, 2, own_linked, NULL, do_take_own },
	{ "take-span", 5, 0, LARGE, 2, warm, NULL, do_take },
	{ "swap", 6, 0, SMALL, 2, have, NULL, do_swap },
	{ "swap-empty", 4, 0, SMALL, 2, have, NULL, do_swap_empty },
	{ "swap-span", 6, 0, LARGE, 2, have, NULL, do_swap },
	{ "keep", 2, 1, SMALL, 2, have, NULL, do_keep },
	{ "free-held", 3, 0, SMALL, 2, have, NULL, do_free },
	{ "free-held-span", 3, 0, LARGE, 2, have, NULL, do_free },
	{ "free-held-of-other", 3, 0, SMALL, 2, have_of_other, NULL, do_free },
	{ "free", 1, 1, SMALL, 2, have_plain, NULL, do_free },
	{ "free-of-other", 2, 1, SMALL, 2, have_plain_of_other, NULL, do_free },
	{ "free-last", 4, 1, EIGHTH, 0, have_last, NULL, do_free },
	{ "alloc", 1, 1, SMALL, 2, warm, NULL, do_alloc },
	{ "alloc-span", 4, 1, LARGE, 2, warm_small, NULL, do_alloc },
	{ "alloc-kept-span", 1, 1, LARGE, 2, warm, NULL, do_alloc },
	{ "realloc-held", 8, 0, SMALL, 2, have, NULL, do_realloc },
	{ "sweep", 40, 0, SMALL, 4, ready, NULL, do_sweep },
	{ "close", 10, 0, SMALL, 2, have, NULL, do_close },
};

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

/* False: the operation had ended before that point. */
static bool cut_at(enum how how, unsigned point)
{
	static struct step step;
	snprintf(context, sizeof context, "%s %s at point %u", how_names[how], now->name, point);
	fill_places(0, now->filled, now->size);
	if (strcmp(now->name, "free-last") == 0)
		corpse(leave_slab);
	if (strcmp(now->name, "sweep") == 0)
		corpse(die_full);
	else
		(void)mdg_heap_sweep(heap);
	refresh();
	if (!step_start(&step, &image, sizeof image, victim, NULL)) {
		MUST(!"the victim has begun");
		return false;
	}
	if (now->meanwhile != NULL)
		now->meanwhile();
	step_look(&step);
	enum step_event event = step_to(&step, point);
	MUST(event == STEP_POINT || event == STEP_ENDED);
	bool goes_on = event == STEP_POINT;
	cuts += goes_on;
	if (how == KILL) {
		step_kill(&step);
	} else {
		if (how == SIGNAL && goes_on)
			(void)step_signal(&step, SIGUSR1);
		step_pause(&step);
		/* Others wait for the lock, and for nothing else. */
		uint32_t owner = atomic_load(&inside->head->lock.robust.word) & MDG__TID;
		if (how == STOP && owner != (uint32_t)step.pid)
			work_a_little(8);
		go_on(&step);
	}
	settle_accounts(now->slack, now->size);
	return goes_on;
}

static void play(enum how how, const struct scenario *scenario, unsigned stride)
{
	unsigned point = stride == 1 ? 0 : (unsigned)(time(NULL) / 60) % stride;
	now = scenario;
	while (cut_at(how, point) && failures < 20)
		point += stride;
	if (stride == 1 && point < scenario->least) {
		failures++;
		fprintf(stderr, "%s: only %u points\n", scenario->name, point);
	}
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
	while (argc > 1 && how <= SIGNAL && strcmp(argv[1], how_names[how]) != 0)
		how++;
	if (argc < 2 || how > SIGNAL) {
		fprintf(stderr, "usage: heap-deaths kill|stop|signal [SCENARIO...]\n");
		return 2;
	}
	enter_namespace();
	if (!step_possible(&reason))
		SKIP("%s", reason);
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = (uint64_t)UNITS << MDG__UNIT_SHIFT,
		                            .threads = 16 };
	heap = heap_open("deaths", &options);
	inside = mdg__heap_of(heap);
	place = mdg_alloc_zeroed(heap, PLACES, sizeof *place);
	/* The tables that the tracer copies have memory. */
	for (uint64_t unit = 0; unit < UNITS; unit++)
		(void)mdg__heap_promise(inside,
		                        inside->parts.labels + unit * MDG__LABELS_OF_UNIT * 8, 64);
	(void)mdg__tables_promise(inside, 0, UNITS);
	(void)mdg__heap_promise(inside, inside->parts.slots, sizeof image.slot);
	step_refresh = refresh;
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		/* No handler may use a heap that is being closed. */
		if (is_wanted(scenarios[i].name, argc, argv) &&
		    (how != SIGNAL || scenarios[i].operate != do_close)) {
			unsigned before = cuts;
			uint64_t begun = mdg_deadline(0);
			/* A first call takes long, and much of it is private. */
			bool long_one = scenarios[i].prepare == cold && argc <= 2;
			play(how, &scenarios[i], POINT_STRIDE * (long_one ? 9 : 1));
			printf("%s %s: %u points, %u ms\n", how_names[how], scenarios[i].name,
			       cuts - before, (unsigned)((mdg_deadline(0) - begun) / 1000000));
		}
	printf("%u points\n", cuts);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "deaths") == 0);
	mdg_namespace_close(ns);
	return failures == 0 ? test_result() : 1;
}
