/* SPDX-License-Identifier: MIT */
/* See heap_scene.h. This file has the calls, but for those on maps. */
#include "fuzz/heap_calls.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const heap_roots[] = { "bytes", "refs", "a", "b" };
struct heap_scene *my;

void wrong(const char *what)
{
	fprintf(stderr, "%s: %s\n", atomic_load(&my->caller->progress->call), what);
	call_give_up(my->caller, EXIT_WRONG);
}

/* ---- what the calls give out ----------------------------------------------------------------- */

void *inside(void *block, uint64_t size)
{
	uint64_t offset = mdg_ref_of(my->heap, block) - my->in->parts.data;
	if (block != NULL && (offset >= my->in->data_bytes || my->in->data_bytes - offset < size))
		wrong("gave out what does not lie in the data of the heap");
	return block;
}

/* The same for a new block, which is used at both ends. */
static void *fresh(void *block, uint64_t size)
{
	if (inside(block, size) != NULL && size != 0) {
		memset(block, 0x5a, size < 16 ? (size_t)size : 16);
		((unsigned char *)block)[size - 1] = 0x5a;
	}
	return block;
}

void read_all(const void *bytes, uint64_t length)
{
	volatile unsigned char sum = 0;
	if (length == 0)
		return;
	inside((void *)(uintptr_t)bytes, length);
	for (uint64_t i = 0; i < length; i += length < 4096 ? 1 : 997)
		sum ^= ((const unsigned char *)bytes)[i];
	sum ^= ((const unsigned char *)bytes)[length - 1];
	(void)sum;
}

/* ---- what a step speaks about ---------------------------------------------------------------- */

size_t size_of(const struct step *step)
{
	static const uint32_t most[] = { 64, 300, 9000, 140000, 2000000 };
	return step->where % most[step->how % 5];
}

void **block_of(const struct step *step)
{
	return &my->block[step->which % BLOCKS];
}

/* A block, or the beginning of a unit, or any address in the heap. */
static void *any_of(const struct step *step)
{
	if (step->which >= 240)
		return my->heap->base + (size_t)(step->where % my->heap->extent);
	return step->which >= 224 ? mdg__unit_at(my->in, step->where % UNITS) : *block_of(step);
}

static mdg_ref *place_of(const struct step *step)
{
	uint64_t at = my->in->parts.roots + offsetof(struct mdg__heap_root, place);
	if (step->how < 200)
		return &my->place[step->how % PLACES];
	if (step->how < 230)
		at += step->how % 4 * sizeof(struct mdg__heap_root);
	else
		at = step->where % my->heap->extent;
	return (mdg_ref *)(void *)(my->heap->base + (size_t)at);
}

static const char *name_of(const struct step *step)
{
	return heap_roots[step->which / BLOCKS % 4];
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void alloc(const struct step *step)
{
	size_t size = size_of(step), alignment = (size_t)1 << step->value % 18;
	unsigned way = step->value / 32 % 4;
	*block_of(step) = fresh(way == 0   ? mdg_alloc_zeroed(my->heap, 1, size)
	                        : way == 1 ? mdg_alloc_aligned(my->heap, alignment, size)
	                                   : mdg_alloc(my->heap, size),
	                        size);
}

static void resize(const struct step *step)
{
	void *block = fresh(mdg_realloc(my->heap, any_of(step), size_of(step)), size_of(step));
	if (block != NULL)
		*block_of(step) = block;
}

static void release(const struct step *step)
{
	(void)mdg_free(my->heap, any_of(step));
}

static void measure(const struct step *step)
{
	void *block = any_of(step);
	size_t size = mdg_usable_size(my->heap, block);
	read_all(block, size);
	(void)mdg_alloc_tag(my->heap, step->where % (MDG_TAG_MOST + 1));
}

static void hold(const struct step *step)
{
	*block_of(step) = fresh(mdg_hold(my->heap, size_of(step)), size_of(step));
}

static void let_go(const struct step *step)
{
	(void)(step->value % 2 == 0 ? mdg_keep : mdg_retire)(my->heap, any_of(step));
}

static void publish(const struct step *step)
{
	mdg_ref *place = place_of(step);
	void **pointer = (void **)(void *)place;
	bool is_place = (uintptr_t)place % 8 == 0;
	if (step->value % 4 == 0)
		(void)mdg_publish_ptr(my->heap, any_of(step), pointer, is_place ? *pointer : NULL);
	else
		(void)mdg_publish(my->heap, any_of(step), place, is_place ? *place : 0);
}

static void take(const struct step *step)
{
	mdg_ref *place = place_of(step);
	*block_of(step) =
		inside(step->value % 4 == 0 ? mdg_take_ptr(my->heap, (void **)(void *)place)
	                                    : mdg_take(my->heap, place),
	               0);
}

static void swap(const struct step *step)
{
	void *old = NULL;
	if (mdg_swap(my->heap, any_of(step), place_of(step), &old) == 0)
		*block_of(step) = inside(old, 0);
}

static void put_in_place(const struct step *step)
{
	my->place[step->how % PLACES] = step->value % 2 != 0 ? step->value : 0;
}

static void transact(const struct step *step)
{
	mdg_txn_run run;
	int rc = mdg_txn_begin_until(&run, my->txn, 512, my->heap->base, (size_t)my->heap->extent,
	                             mdg_deadline(1000000));
	if (rc < 0)
		return;
	size_t size = size_of(step);
	void *block = fresh(mdg_txn_hold(my->heap, &run, size), size);
	mdg_ref ref = mdg_ref_of(my->heap, block), seen;
	if (block != NULL)
		(void)mdg_txn_write(&run, &my->place[step->how % PLACES], &ref, sizeof ref);
	(void)mdg_txn_free(my->heap, &run, any_of(step));
	(void)mdg_txn_read(&run, my->place, &seen, sizeof seen);
	(void)(step->value % 4 != 0 ? mdg_txn_commit : mdg_txn_cancel)(&run);
}

/* ---- roots, readers, care -------------------------------------------------------------------- */

static void roots(const struct step *step)
{
	struct mdg_root_info info = { .size = sizeof info };
	uint32_t cursor = 0, count = 0;
	mdg_ref *place;
	if (step->value % 3 == 0)
		(void)mdg_root_remove(my->heap, name_of(step));
	else if (step->value % 3 == 1 && mdg_root(my->heap, name_of(step), 1, 1, &place, 0) >= 0)
		(void)mdg_publish(my->heap, *block_of(step), place, *place);
	while (mdg_root_next(my->heap, &cursor, &info) == 1)
		if (++count > MDG_ROOTS_MOST)
			wrong("there are too many roots");
}

static void read_section(const struct step *step)
{
	(void)(step->value % 2 == 0 ? mdg_read_begin : mdg_read_end)(my->heap);
}

static void give_back(const struct step *step)
{
	if (step->value % 3 == 0)
		(void)mdg_heap_limit(my->heap, step->where % (UNITS << MDG__UNIT_SHIFT));
	else if (step->value % 3 == 1)
		(void)mdg_heap_trim(my->heap, step->where);
	else
		(void)mdg_heap_sweep(my->heap);
}

static int find(const struct mdg_heap_finding *finding, void *context)
{
	(void)context;
	if (memchr(finding->text, 0, sizeof finding->text) == NULL)
		wrong("a finding without an end");
	return 0;
}

static void check(const struct step *step)
{
	(void)mdg_heap_check(my->heap, step->value % 2 == 0 ? MDG_CHECK_REPAIR : 0, find, NULL);
}

static void look_at(mdg_heap *heap)
{
	static struct mdg_heap_info info;
	struct mdg_block_info block = { .size = sizeof block };
	struct mdg_heap_user_info user = { .size = sizeof user };
	uint64_t cursor = 0, blocks = 0;
	uint32_t users = 0, count = 0;
	info.size = sizeof info;
	(void)mdg_heap_stat(heap, &info);
	while (mdg_heap_next(heap, &cursor, &block) == 1)
		if (++blocks > UNITS << 12 || block.ref >= heap->extent)
			wrong("blocks that cannot be");
	while (mdg_heap_next_user(heap, &users, &user) == 1)
		if (++count > my->in->slots)
			wrong("there are too many users");
}

/* Also by one who may only look. */
static void look(const struct step *step)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .flags = MDG_HEAP_RDONLY };
	mdg_heap *heap;
	look_at(my->heap);
	if (step->value % 4 != 0 || mdg_heap_open(&heap, my->ns, "heap", &options) != 0)
		return;
	look_at(heap);
	(void)mdg_heap_check(heap, 0, find, NULL);
	mdg_heap_close(heap);
}

/* ---- opening, and other threads -------------------------------------------------------------- */

static int open_heap(uint32_t flags, uint64_t limit)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .flags = flags,
		                                  .limit = limit,
		                                  .maximum = UNITS << MDG__UNIT_SHIFT,
		                                  .threads = 8 };
	my->heap = NULL;
	int rc = mdg_heap_open(&my->heap, my->ns, "heap", &options);
	my->in = mdg__heap_of(my->heap);
	return rc;
}

static void close_all(void)
{
	for (int i = 0; i < MAPS; i++) {
		mdg_map_close(my->map[i]);
		my->map[i] = NULL;
	}
	mdg_heap_close(my->heap);
	my->heap = NULL;
}

/* References stay; addresses may be others. */
static void open_again(const struct step *step)
{
	uint64_t refs[BLOCKS + 2] = { mdg_ref_of(my->heap, my->place),
		                      mdg_ref_of(my->heap, my->txn) };
	uint32_t flags = my->flags & (step->value % 2 == 0 ? UINT32_MAX : ~MDG_HEAP_HOME);
	for (int i = 0; i < BLOCKS; i++)
		refs[i + 2] = mdg_ref_of(my->heap, my->block[i]);
	close_all();
	if (open_heap(flags | MDG_HEAP_EXISTING, 0) != 0)
		return;
	my->place = mdg_at(my->heap, refs[0]);
	my->txn = mdg_at(my->heap, refs[1]);
	for (int i = 0; i < BLOCKS; i++)
		my->block[i] = mdg_at(my->heap, refs[i + 2]);
	maps_open(0, 0);
	maps_open(1, 0);
}

static const struct {
	const char *name;
	void (*act)(const struct step *step);
} acts[] = {
	{ "mdg_alloc", alloc },
	{ "mdg_realloc", resize },
	{ "mdg_free", release },
	{ "mdg_usable_size", measure },
	{ "mdg_hold", hold },
	{ "mdg_keep and mdg_retire", let_go },
	{ "mdg_publish", publish },
	{ "mdg_take", take },
	{ "mdg_swap", swap },
	{ "a place", put_in_place },
	{ "mdg_txn_", transact },
	{ "mdg_root", roots },
	{ "mdg_read_", read_section },
	{ "sweep, trim, limit", give_back },
	{ "mdg_heap_check", check },
	{ "mdg_heap_stat and walks", look },
	{ "mdg_map_open", maps_open_or_remove },
	{ "mdg_map_put", maps_put },
	{ "mdg_map_put of many", maps_put_many },
	{ "mdg_map_remove", maps_drop },
	{ "mdg_map_get", maps_get },
	{ "mdg_map_next", maps_walk },
	{ "mdg_heap_open", open_again },
};
enum { ACTS = sizeof acts / sizeof *acts, THREAD = ACTS, OTHERS_STEPS = 8 };

static void one_step(const struct step *step)
{
	unsigned which = step->what % 64;
	struct caller *caller = my->caller;
	uint64_t slept = heap_time_slept();
	if (which > THREAD)
		heap_damage(my, step);
	else if (which < ACTS)
		(void)CALL(acts[which].name, (acts[which].act(step), 0));
	if (heap_time_slept() - slept > SLEEP_MOST)
		wrong("sleeps for too long");
}

struct list {
	const struct step *steps;
	size_t count;
};

static void *be_other(void *context)
{
	const struct list *list = context;
	for (size_t i = 0; i < list->count && my->heap != NULL; i++)
		one_step(&list->steps[i]);
	return NULL;
}

size_t heap_scene_step(struct heap_scene *scene, const struct step *steps, size_t count)
{
	pthread_t other;
	my = scene;
	if (steps->what % 64 != THREAD) {
		one_step(steps);
		return 1;
	}
	/* A thread makes the next ones, and ends. Nobody has swept its slot yet. */
	struct list list = { steps + 1, count - 1 < OTHERS_STEPS ? count - 1 : OTHERS_STEPS };
	if (pthread_create(&other, NULL, be_other, &list) != 0)
		abort();
	(void)pthread_join(other, NULL);
	return 1 + list.count;
}

void heap_scene_open(struct heap_scene *scene, const struct step *how)
{
	static const uint32_t kinds[] = { 0, MDG_HEAP_LABELS, MDG_HEAP_CHECKED };
	uint32_t home = sizeof(void *) == 8 && how->how % 2 == 0 ? MDG_HEAP_HOME : 0;
	struct step many = { .which = 0, .value = 1 };
	my = scene;
	memset(scene->block, 0, sizeof scene->block);
	scene->flags = kinds[how->what % 3] | home;
	atomic_store(&scene->caller->progress->call, "mdg_heap_open");
	int rc = open_heap(scene->flags | MDG_HEAP_EXCL, how->where % UNITS << MDG__UNIT_SHIFT);
	if (rc != 0)
		wrong(mdg_strerror(rc));
	scene->place = mdg_alloc_zeroed(scene->heap, PLACES, sizeof *scene->place);
	scene->txn = mdg_alloc_aligned(scene->heap, 64, MDG_TXN_SIZE(512));
	if (scene->place == NULL || scene->txn == NULL) {
		close_all(); /* the limit is too low */
		return;
	}
	memset(scene->txn, 0, MDG_TXN_SIZE(512));
	maps_open(0, 0);
	maps_open(1, 0);
	if (how->which % 2 == 0)
		maps_put_many(&many);
}

void heap_scene_close(struct heap_scene *scene)
{
	my = scene;
	close_all();
	(void)mdg_heap_remove(scene->ns, "heap");
}
