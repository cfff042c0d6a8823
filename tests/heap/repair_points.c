/* SPDX-License-Identifier: MIT */
/*
 * repair_points.c - mdg_heap_check repairs a damaged heap, and is killed after each store.
 *
 *     heap-repair_points [--all] [head | units | slots | guards]...
 *
 * After the death another one repairs, and that leaves nothing. Then every block that was alive
 * before the damage is alive and has its content, no other one is, and what is allocated next is
 * none of them. Blocks of a checked heap that were set aside are free.
 *
 * Without --all, a part of the points is played: in each minute other ones. The guards are played
 * only if they are asked for: all that is free in a checked heap is read, and that takes long.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/mman.h>

#include "heap/guard.h"
#include "heap/watched.h"
#include "sync/points/step.h"

enum { UNITS = 64, ALIVE = 8, ASIDE = 3, SPAN = 196500, FREE = 1 << 20 };

static mdg_heap *heap;
static struct mdg__heap *in;
static struct {
	unsigned char *block;
	size_t size;
} alive[ALIVE];
static mdg_ref *aside; /* so many, of a checked heap: in memory that children share */
static mdg_ref *root;
static mdg_ref rooted;
static uint64_t base; /* blocks that were there before the damage */

static uint64_t unit_of(const void *block)
{
	return (mdg_ref_of(heap, block) - in->parts.data) >> MDG__UNIT_SHIFT;
}

static void wait_killed(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/* ---- what is looked at --------------------------------------------------------------------- */

static void watch_all(void)
{
	watch(in->head, sizeof *in->head);
	watch(in->root, 2 * sizeof in->root[0]);
	watch(in->slot, 8 * sizeof in->slot[0]);
	watch((const void *)(uintptr_t)in->heads, UNITS * 8);
	watch((const void *)(uintptr_t)in->hints, UNITS * 8);
	for (int i = 0; i < MDG__BITS_ALL; i++)
		watch((const void *)(uintptr_t)in->bits[i], 8);
	for (int i = 0; i < ALIVE; i++) {
		uint64_t unit = unit_of(alive[i].block);
		watch((const void *)(uintptr_t)mdg__free_words(in, unit), 16);
		watch((const void *)(uintptr_t)mdg__remote_words(in, unit), 16);
		watch((const void *)(uintptr_t)(in->labels + unit * MDG__LABELS_OF_UNIT), 64);
	}
	for (int i = 0; i < ASIDE && aside[i] != 0; i++) {
		struct mdg__block block = { 0 };
		CHECK(mdg__block_find_any(in, aside[i], &block) == 0);
		watch(mdg_at(heap, aside[i]), 64);
		watch(mdg_at(heap, aside[i] + block.size - 64), 64);
	}
}

/* ---- a heap with something of each --------------------------------------------------------- */

/* A check of a checked heap reads all that is free. So there are few slabs, and the end of a span
 * is near. */
static size_t size_of(int at)
{
	static const size_t sizes[ALIVE] = { 3000, 3000, 48, 20000, 327600, 100, 1000, 458700 };
	return !mdg__is_checked(in) || sizes[at] > 300000 ? sizes[at] : 3000;
}

static void keep_alive(int at, void *block)
{
	size_t size = size_of(at);
	if (!CHECK(block != NULL))
		exit(1);
	alive[at].block = block;
	alive[at].size = size;
	stamp(block, size, (uint32_t)at);
}

static void open_heap(uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .flags = flags,
		                            .maximum = (uint64_t)UNITS << MDG__UNIT_SHIFT,
		                            .threads = 16 };
	heap = heap_open("repair", &options);
	in = mdg__heap_of(heap);
	CHECK(mdg_root(heap, "root", 1, 1, &root, 0) == MDG_ROOT_NEW);
	/* Of a thread that is gone: its slab has no owner. */
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();
		if (child == 0) {
			*root = mdg_ref_of(heap, mdg_alloc(heap, 3000));
			kill(getpid(), SIGKILL);
		}
		wait_killed(child);
		(void)mdg_heap_sweep(heap);
		keep_alive(i, mdg_at(heap, *root));
		*root = 0;
	}
	keep_alive(2, mdg_alloc(heap, size_of(2)));
	keep_alive(3, mdg_alloc(heap, size_of(3)));
	keep_alive(4, mdg_alloc(heap, size_of(4)));
	keep_alive(5, mdg_hold(heap, size_of(5)));
	keep_alive(6, mdg_hold(heap, size_of(6)));
	CHECK(mdg_publish(heap, alive[6].block, root, 0) == 0);
	rooted = *root;
	keep_alive(7, mdg_alloc(heap, size_of(7)));
	/* All tables that are looked at have memory, and some units are free. */
	CHECK(mdg_free(heap, mdg_alloc(heap, 1200000)) == 0);
	CHECK(mdg_heap_trim(heap, FREE) == 0);
	for (uint64_t unit = 0; unit < UNITS; unit++)
		CHECK(mdg__heap_promise(in, in->parts.labels + unit * MDG__LABELS_OF_UNIT * 8,
		                        64) == 0);
	CHECK(mdg__tables_promise(in, 0, UNITS) == 0);
	CHECK(mdg__heap_promise(in, in->parts.slots, 8 * sizeof in->slot[0]) == 0);
	/* In a checked heap, the slabs are full: what is free is read. */
	uint32_t class = mdg__heap_class_of(3000 + MDG__GUARD_BYTES);
	for (struct found found = look(heap); mdg__is_checked(in); found = look(heap)) {
		uint64_t slabs = found.slabs * mdg__heap_classes[class].blocks;
		if (slabs <= found.live - found.spans + 1)
			break;
		CHECK(mdg_alloc(heap, 3000) != NULL);
	}
	base = look(heap).live;
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 0);
}

/* ---- damage -------------------------------------------------------------------------------- */

static void damage_head(void)
{
	struct mdg__heap_head *head = in->head;
	atomic_store(&head->magic, 1);
	atomic_store(&head->capacity, 5);
	atomic_store(&head->slots, 5);
	atomic_store(&head->home, 65536);
	atomic_store(&head->limit, in->capacity + 1);
	atomic_store(&head->epoch, 0);
	atomic_store(&head->slots_high, in->slots + 1);
	atomic_store(&head->high, 5);
	atomic_store(&head->committed, 3);
	atomic_store(&head->free, 3);
	atomic_store(&head->lowest, in->capacity);
}

static void damage_units(void)
{
	uint64_t free[3], count = 0;
	for (uint64_t unit = mdg__units_high(in); unit-- > 0 && count < 3;)
		if (is_marked(in, MDG__BITS_FREE, unit) && is_marked(in, MDG__BITS_COMMITTED, unit))
			free[count++] = unit;
	if (!CHECK(count == 3))
		return;
	atomic_store(&in->heads[free[0]], MDG__HEAD(MDG__UNIT_FREE, 0, 0, 5));
	atomic_store(&in->heads[free[1]], MDG__HEAD(MDG__UNIT_INNER, 0, 0, 1));
	mdg__bit_clear(in, MDG__BITS_FREE, free[2]);
	atomic_store(&in->heads[unit_of(alive[3].block) + 3], 0);
	atomic_store(&in->heads[unit_of(alive[4].block) + 1], 99);
	mdg__bit_set(in, MDG__BITS_FREE, unit_of(alive[7].block) + 2);
	mdg__bit_clear(in, MDG__BITS_COMMITTED, unit_of(alive[0].block));
	atomic_store(&in->head->committed, 3);
}

static void die_with_lock(void)
{
	mdg__sigmask mask;
	(void)mdg_hold(heap, 500);
	(void)mdg_hold(heap, 500000);
	if (mdg__heap_lock(in, &mask) == 0)
		(void)kill(getpid(), SIGKILL);
}

static void damage_slots(void)
{
	const struct mdg__size_class *about = &mdg__heap_classes[mdg__heap_class_of(3000)];
	uint64_t nobodys = unit_of(alive[0].block), span = unit_of(alive[4].block);
	struct mdg__block block = { 0 };
	pid_t child = fork();
	if (child == 0)
		die_with_lock();
	wait_killed(child);
	/* Slots that nobody has. */
	struct mdg__heap_slot *rests = &in->slot[6];
	atomic_fetch_or(&mdg__free_words(in, nobodys)[0], UINT64_C(1) << 63);
	atomic_fetch_or(&mdg__remote_words(in, nobodys)[0], UINT64_C(1) << about->blocks);
	atomic_fetch_or(&in->heads[nobodys], UINT64_C(8) << 16);
	atomic_fetch_or(&in->heads[span], UINT64_C(9) << 16);
	CHECK(mdg__block_find(in, mdg_ref_of(heap, alive[5].block), &block) == 0);
	_Atomic uint64_t *label = mdg__block_label(in, &block);
	atomic_store(&label[1], atomic_load(label) ^ UINT64_C(1) << 40);
	atomic_store(&rests->epoch, 7);
	atomic_store(&rests->retired, 4096);
	atomic_store(&rests->hands[2].op, MDG__HAND_HELD);
	if (atomic_load(&in->head->slots_high) < 7)
		atomic_store(&in->head->slots_high, 7);
	*root = rooted + (UINT64_C(17) << 20);
}

/* Set aside by mdg_free, and by an allocation; and still in use. */
static void damage_guards(void)
{
	struct mdg__block first = { 0 };
	CHECK(mdg__block_find(in, mdg_ref_of(heap, alive[0].block), &first) == 0);
	pid_t child = fork();
	if (child == 0) {
		unsigned char *block = mdg_alloc(heap, 3000), *span = mdg_alloc(heap, SPAN);
		unsigned char *free = mdg_alloc(heap, 3000);
		aside[0] = mdg_ref_of(heap, block);
		aside[1] = mdg_ref_of(heap, span);
		aside[2] = mdg_ref_of(heap, free);
		block[3000] = 0;
		span[SPAN] = 0;
		(void)mdg_free(heap, block);
		(void)mdg_free(heap, span);
		(void)mdg_free(heap, free);
		free[7] = 0;
		alive[7].block[alive[7].size] = 0;             /* its end is mended */
		memset(alive[0].block + first.size - 8, 0, 8); /* its size is lost */
		(void)kill(getpid(), SIGKILL);
	}
	wait_killed(child);
	(void)mdg_heap_sweep(heap);
}

static const struct scene {
	const char *name;
	unsigned least, stride;
	uint32_t flags;
	void (*damage)(void);
} scenes[] = {
	{ "head", 10, 60, 0, damage_head },
	{ "units", 8, 40, 0, damage_units },
	{ "slots", 20, 150, 0, damage_slots },
	{ "guards", 10, 100, MDG_HEAP_CHECKED, damage_guards },
};
enum { SCENES = sizeof scenes / sizeof scenes[0] };

/* ---- after it ------------------------------------------------------------------------------ */

static int say(const struct mdg_heap_finding *finding, void *context)
{
	(void)context;
	if (!finding->repaired)
		fprintf(stderr, "left: %s\n", finding->text);
	return 0;
}

static void check_alive(void)
{
	for (int i = 0; i < ALIVE; i++)
		CHECK(mdg_usable_size(heap, alive[i].block) >= alive[i].size &&
		      stamped(alive[i].block, alive[i].size, (uint32_t)i));
}

/* Everything that is free is allocated and written to. */
static void use_all(void)
{
	enum { MOST = 4000 };
	static void *got[MOST];
	int count = 0;
	for (size_t size = 400000; size >= 40; size /= 3)
		while (count < MOST && (got[count] = mdg_alloc(heap, size)) != NULL)
			memset(got[count++], 0x77, size);
	CHECK(count < MOST);
	check_alive();
	while (count > 0)
		CHECK(mdg_free(heap, got[--count]) == 0);
	CHECK(mdg_heap_trim(heap, FREE) == 0);
}

static bool settle(const struct scene *scene, unsigned point)
{
	int before = check_failures;
	CHECK(mdg_heap_check(heap, MDG_CHECK_REPAIR, say, NULL) == 0);
	CHECK(mdg_heap_check(heap, 0, say, NULL) == 0);
	check_alive();
	if (scene->damage == damage_slots) /* it referred to nothing */
		CHECK(*root == 0);
	*root = rooted;
	struct found found = look(heap);
	CHECK(found.wrong == 0 && found.live == base);
	use_all();
	CHECK(mdg_heap_check(heap, 0, say, NULL) == 0);
	if (check_failures != before)
		fprintf(stderr, "%s, point %u: %u blocks\n", scene->name, point,
		        (unsigned)found.live);
	return check_failures == before;
}

static void victim(void *unused)
{
	(void)unused;
	step_begins();
	int rc = mdg_heap_check(heap, MDG_CHECK_REPAIR, NULL, NULL);
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* False: the victim came to its end before. */
static bool play(const struct scene *scene, unsigned point)
{
	static struct step step;
	memset(aside, 0, ASIDE * sizeof *aside);
	scene->damage();
	watch_nothing();
	watch_all();
	refresh();
	if (!CHECK(step_start(&step, watched, watched_size, victim, NULL)))
		return false;
	enum step_event event = step_to(&step, point);
	CHECK(event == STEP_POINT || event == STEP_ENDED || event == STEP_ASLEEP);
	step_kill(&step);
	bool goes_on = event != STEP_ENDED;
	return settle(scene, point) && goes_on;
}

static void play_all(const struct scene *scene, bool all)
{
	unsigned stride = all ? 1 : scene->stride * POINT_STRIDE;
	unsigned point = all ? 0 : (unsigned)(time(NULL) / 60) % stride;
	uint64_t begun = mdg_deadline(0);
	open_heap(scene->flags);
	while (play(scene, point))
		point += stride;
	CHECK(point >= scene->least);
	printf("%s: %u points, %u ms\n", scene->name, point,
	       (unsigned)((mdg_deadline(0) - begun) / 1000000));
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "repair") == 0);
}

int main(int argc, char **argv)
{
	const char *reason = NULL;
	bool all = wants_all_points(&argc, &argv);
	if (!step_possible(&reason))
		SKIP("%s", reason);
	step_refresh = refresh;
	aside = mmap(NULL, ASIDE * sizeof *aside, PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(aside != MAP_FAILED))
		return 1;
	enter_namespace();
	for (unsigned i = 0; i < SCENES && check_failures == 0; i++) {
		bool wanted = argc == 1 && (all || scenes[i].flags == 0);
		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], scenes[i].name) == 0;
		if (wanted)
			play_all(&scenes[i], all);
	}
	mdg_namespace_close(ns);
	return test_result();
}
