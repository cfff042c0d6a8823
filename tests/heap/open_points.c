/* SPDX-License-Identifier: MIT */
/*
 * open_points.c - making, finding and removing a heap: killed after each store, and stopped while
 * another one makes the heap and dies.
 *
 *     heap-open_points [--all] [SCENE]...
 *
 * What changes is seen in the registry of the namespace, which maps as a file, and in the head of
 * the heap. It lies at an address that is known before, in the memory of the one that is killed.
 *
 * After a death the next one opens the heap, and it works as any other: it is new or whole, nothing
 * in it contradicts, and when it is removed no file and no entry is left of it.
 *
 * Without --all, a part of the points is played: in each minute other ones.
 */
#include "heap/heap.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "heap/opening.h"
#include "sync/points/step.h"

enum { REGISTRY_MOST = 28 << 10, MAXIMUM = 4 << 20 };

static uintptr_t home;
static uint32_t flags; /* of the heap that is played with */
static const unsigned char *registry;
static size_t registry_size;
static struct step step;
static struct {
	unsigned char registry[REGISTRY_MOST];
	struct mdg__heap_head head;
} image;
_Static_assert(sizeof image <= sizeof((struct step *)0)->seen, "");

static struct mdg_heap_options options_of(uint32_t more)
{
	return (struct mdg_heap_options){ .size = sizeof(struct mdg_heap_options),
		                          .flags = flags | more,
		                          .maximum = MAXIMUM,
		                          .threads = 16,
		                          .address = (flags & MDG_HEAP_HOME) != 0 ? home : 0 };
}

/* ---- what is looked at --------------------------------------------------------------------- */

static void map_registry(void)
{
	char path[512];
	snprintf(path, sizeof path, "%s/registry", getenv("MADANG_NAMESPACE"));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (!CHECK(size > 0))
		exit(1);
	registry_size = size < REGISTRY_MOST ? (size_t)size : REGISTRY_MOST;
	registry = mmap(NULL, registry_size, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(registry != MAP_FAILED);
	close(fd);
}

static void refresh(void)
{
	struct iovec here = { &image.head, sizeof image.head };
	struct iovec there = { (void *)home, sizeof image.head }; /* NOLINT(*-int-to-ptr) */
	memcpy(image.registry, registry, registry_size);
	if (step.pid == 0 || process_vm_readv(step.pid, &here, 1, &there, 1, 0) < 0)
		memset(&image.head, 0, sizeof image.head);
}

/* Files of segments in the directory of the namespace. */
static unsigned data_files(void)
{
	unsigned count = 0;
	DIR *directory = opendir(getenv("MADANG_NAMESPACE"));
	if (!CHECK(directory != NULL))
		return 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += strncmp(entry->d_name, "seg-", 4) == 0;
	closedir(directory);
	return count;
}

/* ---- the scenes ---------------------------------------------------------------------------- */

enum { NUMBER = 4711 };

static void nothing(void)
{
}

static void arrange_whole(void)
{
	struct mdg_heap_options options = options_of(MDG_HEAP_EXCL);
	mdg_heap *heap = heap_open("one", &options);
	mdg_ref *place;
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "root", 1, 1, &place, 0));
	uint64_t *block = mdg_hold(heap, 100);
	*block = NUMBER;
	CHECK_RC(0, mdg_publish(heap, block, place, 0));
	mdg_heap_close(heap);
}

static void make_half(void *argument)
{
	struct mdg_heap_options options = options_of(0);
	struct mdg__heap_shape shape;
	mdg_id id;
	(void)argument;
	mdg__heap_shape_of(&options, &shape);
	CHECK_RC(0, mdg__segment_create(ns, "one", shape.parts.end, 0600, MDG_NORESERVE,
	                                MDG__KIND_HEAP, 0, &id));
}

/* Its maker is dead. */
static void arrange_half(void)
{
	CHECK(in_child(make_half, NULL));
}

static int enter(uint32_t more)
{
	struct mdg_heap_options options = options_of(more);
	mdg_heap *heap;
	return mdg_heap_open(&heap, ns, "one", &options);
}

static int do_open(void)
{
	return enter(0);
}

static int do_make(void)
{
	return enter(MDG_HEAP_EXCL);
}

static int do_remove(void)
{
	return mdg_heap_remove(ns, "one");
}

/* Makes the heap if nobody has, uses it, and dies with its lock. */
static void make_and_die(void *argument)
{
	struct mdg_heap_options options = options_of(0);
	mdg_heap *heap = heap_open("one", &options);
	mdg__sigmask mask;
	(void)argument;
	CHECK_RC(0, mdg_free(heap, mdg_alloc(heap, 5000)));
	CHECK_RC(0, mdg__heap_lock(mdg__heap_of(heap), &mask));
	_exit(test_result());
}

enum whole { NEVER, ALWAYS_WHOLE, WHOLE_OR_GONE };

static const struct scene {
	const char *name;
	unsigned least;   /* points: fewer cannot be right */
	unsigned stride;  /* one of so many is played without --all */
	enum whole whole; /* what is in the root stays */
	bool goes_on;     /* it is stopped, and not killed; another one uses the heap and dies */
	void (*arrange)(void);
	int (*act)(void);
} scenes[] = {
	{ "make", 40, 150, NEVER, false, nothing, do_make },
	{ "half", 20, 150, NEVER, false, arrange_half, do_open },
	{ "raced", 20, 150, NEVER, true, arrange_half, do_open },
	{ "find", 10, 80, ALWAYS_WHOLE, false, arrange_whole, do_open },
	{ "remove", 10, 80, WHOLE_OR_GONE, false, arrange_whole, do_remove },
};
enum { SCENES = sizeof scenes / sizeof scenes[0] };

static void victim(void *argument)
{
	const struct scene *scene = argument;
	step_begins();
	int rc = scene->act();
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* ---- what must be there -------------------------------------------------------------------- */

static void use(mdg_heap *heap)
{
	mdg_ref *place;
	(void)mdg_heap_sweep(heap);
	for (size_t size = 16; size <= 400000; size = size * 3 + 8) {
		void *block = mdg_hold(heap, size);
		if (CHECK(block != NULL))
			stamp(block, size, (uint32_t)size);
		CHECK_RC(0, mdg_free(heap, block));
	}
	CHECK_RC(MDG_ROOT_NEW, mdg_root(heap, "other", 2, 1, &place, 0));
	CHECK_RC(0, mdg_root_remove(heap, "other"));
	CHECK_RC(0, mdg_heap_check(heap, 0, NULL, NULL));
}

/* Whether it is whole, else new. */
static void look_into(mdg_heap *heap, enum whole whole)
{
	mdg_ref *place = NULL;
	int rc = mdg_root(heap, "root", 1, 1, &place, 0);
	CHECK_RC(whole == NEVER ? MDG_ROOT_NEW : 0, rc);
	if (rc == 0)
		CHECK(*(uint64_t *)mdg_at(heap, *place) == NUMBER);
	CHECK_LIVE(heap, rc == 0 ? 1 : 0);
}

static bool settle(const struct scene *scene, unsigned point)
{
	int before = check_failures;
	struct mdg_namespace_info info = { .size = sizeof info };
	bool gone = false;
	mdg_heap *heap;
	if (scene->whole != NEVER) {
		struct mdg_heap_options existing = options_of(MDG_HEAP_EXISTING);
		int rc = mdg_heap_open(&heap, ns, "one", &existing);
		gone = scene->whole == WHOLE_OR_GONE && rc == -ENOENT;
		CHECK(rc == 0 || gone);
		if (rc == 0)
			mdg_heap_close(heap);
	}
	struct mdg_heap_options options = options_of(0);
	heap = heap_open("one", &options);
	look_into(heap, gone ? NEVER : scene->whole);
	use(heap);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "one"));
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 0 && data_files() == 0);
	/* A dead process may still be in the list. */
	CHECK_RC(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	if (check_failures != before)
		fprintf(stderr, "%s, point %u\n", scene->name, point);
	return check_failures == before;
}

/* ---- killed, or stopped --------------------------------------------------------------------- */

/* Stops the victim, has another one use the heap and die, and lets the victim end. */
static void race(void)
{
	int status = 0;
	uint32_t owner = MDG__LOAD(image.head.lock.robust.word) & MDG__TID;
	if (owner != (uint32_t)step.pid) /* else the other one would wait */
		CHECK(in_child(make_and_die, NULL));
	step_pause(&step);
	kill(step.pid, SIGCONT);
	if (!CHECK(ends_within(step.pid, 20000, &status, true)))
		step_kill(&step);
	else
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* False: the victim came to its end before. */
static bool play(const struct scene *scene, unsigned point)
{
	struct scene copy = *scene;
	scene->arrange();
	step.pid = 0;
	refresh();
	if (!CHECK(step_start(&step, &image, sizeof image, victim, &copy)))
		return false;
	enum step_event event = step_to(&step, point);
	CHECK(event == STEP_POINT || event == STEP_ENDED);
	if (scene->goes_on && event == STEP_POINT)
		race();
	else
		step_kill(&step);
	return settle(scene, point) && event == STEP_POINT;
}

int main(int argc, char **argv)
{
	const char *reason = NULL;
	bool all = wants_all_points(&argc, &argv);
	if (!step_possible(&reason))
		SKIP("%s", reason);
	enter_namespace();
	struct mdg_heap_options any = { .size = sizeof any, .maximum = MAXIMUM };
	any.flags = MDG_HEAP_HOME;
	mdg_heap *heap = heap_open("any", &any);
	home = (uintptr_t)heap->base;
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "any"));
	map_registry();
	step_refresh = refresh;
	flags = MDG_HEAP_HOME;
	for (unsigned i = 0; i < SCENES && check_failures == 0; i++) {
		bool wanted = argc == 1;
		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], scenes[i].name) == 0;
		if (!wanted)
			continue;
		unsigned stride = all ? 1 : scenes[i].stride * POINT_STRIDE, point;
		uint64_t begun = mdg_deadline(0);
		point = all ? 0 : (unsigned)(time(NULL) / 60) % stride;
		while (play(&scenes[i], point))
			point += stride;
		CHECK(point >= scenes[i].least);
		printf("%s: %u points, %u ms\n", scenes[i].name, point,
		       (unsigned)((mdg_deadline(0) - begun) / 1000000));
	}
	mdg_namespace_close(ns);
	return test_result();
}
