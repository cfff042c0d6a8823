/* SPDX-License-Identifier: MIT */
/*
 * hands.c - hold, publish, take, swap and keep, without deaths; and what threads that have ended
 * had in their hands.
 */
#include "heap/heap.h"

#include <pthread.h>

#include "heap/held.h"

enum { PLACES = 16, LARGE = 300000 };

static mdg_heap *heap;
static mdg_ref *place; /* so many */

static uint64_t live(void)
{
	struct found found = look(heap);
	CHECK(found.wrong == 0);
	return found.live - 1; /* the places */
}

static bool is_held(const void *block)
{
	struct mdg__block about;
	return mdg__block_find(mdg__heap_of(heap), mdg_ref_of(heap, block), &about) == 0 &&
	       mdg__held_by(mdg__heap_of(heap), &about) != 0;
}

static void one(size_t size)
{
	void *block = mdg_hold(heap, size), *other = mdg_hold(heap, size), *old = &old;
	CHECK(block != NULL && other != NULL && live() == 2 && is_held(block) && is_held(other));
	CHECK(mdg_publish(heap, block, &place[0], 0) == 0 && mdg_at(heap, place[0]) == block);
	CHECK(!is_held(block) && mdg_publish(heap, block, &place[1], 0) == -EPERM);
	CHECK(mdg_publish(heap, other, &place[0], 0) == -EAGAIN && is_held(other));
	CHECK(mdg_swap(heap, other, &place[0], &old) == 0 && old == block && is_held(block));
	CHECK(!is_held(other) && mdg_at(heap, place[0]) == other);
	CHECK(mdg_swap(heap, block, &place[1], &old) == 0 && old == NULL && !is_held(block));
	CHECK(mdg_take(heap, &place[1]) == block && place[1] == 0 && is_held(block));
	CHECK(mdg_take(heap, &place[1]) == NULL && mdg_heap_why(heap) == 0);
	CHECK(mdg_publish(heap, block, &place[0], place[0]) == 0); /* over the other one */
	CHECK(mdg_at(heap, place[0]) == block && live() == 2);
	CHECK(mdg_free(heap, other) == 0 && live() == 1 && mdg_free(heap, other) < 0);
	CHECK(mdg_take(heap, &place[0]) == block && mdg_keep(heap, block) == 0 && !is_held(block));
	CHECK(mdg_keep(heap, block) == -EPERM && mdg_free(heap, block) == 0 && live() == 0);
	block = mdg_hold(heap, size);
	CHECK(mdg_free(heap, block) == 0 && !is_held(block) && mdg_free(heap, block) < 0);
	CHECK(live() == 0);
}

static void many(void)
{
	void *block[MDG_HELD_MOST], *old;
	for (int i = 0; i < MDG_HELD_MOST; i++)
		CHECK((block[i] = mdg_hold(heap, 50)) != NULL);
	CHECK(mdg_hold(heap, 50) == NULL && mdg_heap_why(heap) == -ENOSPC);
	CHECK(mdg_realloc(heap, block[3], LARGE) == NULL && mdg_heap_why(heap) == -ENOSPC);
	CHECK(is_held(block[3]) && mdg_realloc(heap, block[3], 51) == block[3]);
	CHECK(mdg_publish(heap, block[3], &place[0], 0) == 0);
	block[3] = mdg_hold(heap, LARGE);
	CHECK(block[3] != NULL && mdg_take(heap, &place[0]) == NULL);
	CHECK(mdg_heap_why(heap) == -ENOSPC);
	CHECK(mdg_swap(heap, block[3], &place[0], &old) == 0); /* needs no hand more */
	block[3] = old;
	for (int i = 0; i < MDG_HELD_MOST; i++)
		CHECK(mdg_free(heap, block[i]) == 0);
	CHECK(mdg_free(heap, mdg_take(heap, &place[0])) == 0 && live() == 0);
	CHECK(mdg_heap_why(heap) == -ENOSPC); /* of the last one that returned NULL */
}

static void wrong(void)
{
	void *block = mdg_hold(heap, 50), *old;
	uint64_t outside = 0;
	mdg_ref *root;
	CHECK(mdg_publish(heap, block, &outside, 0) == -EINVAL);
	CHECK(mdg_publish(heap, block, (mdg_ref *)(uintptr_t)8, 0) == -EINVAL); /* far below it */
	CHECK(mdg_publish(heap, block, (mdg_ref *)(void *)((char *)place + 4), 0) == -EINVAL);
	CHECK(mdg_swap(heap, block, &outside, &old) == -EINVAL);
	/* The words beside the place of a root. */
	CHECK(mdg_root(heap, "wrong", 1, 1, &root, 0) == MDG_ROOT_NEW);
	CHECK(mdg_publish(heap, block, root + 1, 0) == -EINVAL);
	CHECK(mdg_take(heap, root - 1) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK(mdg_swap(heap, block, root + 2, &old) == -EINVAL);
	CHECK(mdg_root_remove(heap, "wrong") == 0);
	CHECK(mdg_take(heap, &outside) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK(mdg_publish(heap, &outside, &place[0], 0) == -EPERM);
	CHECK(mdg_publish_ptr(heap, block, (void **)place, NULL) == -EINVAL); /* it has no home */
	place[0] = 4711 << 4;                                                 /* no block */
	CHECK(mdg_take(heap, &place[0]) == NULL && mdg_heap_why(heap) == -EINVAL);
	CHECK(mdg_swap(heap, block, &place[0], &old) == -EINVAL && is_held(block));
	place[0] = 0;
	CHECK(mdg_free(heap, block) == 0 && live() == 0);
}

static void resized(void)
{
	char *block = mdg_hold(heap, 100);
	stamp(block, 100, 7);
	for (size_t size = 200; size < 1000000; size *= 3) {
		block = mdg_realloc(heap, block, size);
		CHECK(block != NULL && is_held(block) && live() == 1);
		CHECK(stamped(block, 100, 7));
	}
	block = mdg_realloc(heap, block, 100);
	CHECK(block != NULL && stamped(block, 100, 7));
	CHECK(is_held(block) && mdg_publish(heap, block, &place[0], 0) == 0);
	CHECK(mdg_free(heap, mdg_take(heap, &place[0])) == 0 && live() == 0);
}

/* ---- two threads --------------------------------------------------------------------------- */

static void *busy_thread(void *block)
{
	CHECK(mdg_free(heap, block) == -EBUSY);
	CHECK(mdg_realloc(heap, block, 100000) == NULL && mdg_heap_why(heap) == -EBUSY);
	return NULL;
}

static void *leaving_thread(void *argument)
{
	(void)argument;
	for (int i = 0; i < 4; i++)
		CHECK(mdg_hold(heap, i == 0 ? LARGE : 64) != NULL);
	CHECK(mdg_take(heap, &place[2]) != NULL);
	CHECK(mdg_publish(heap, mdg_hold(heap, 64), &place[3], 0) == 0);
	return NULL;
}

static void run(void *(*f)(void *), void *argument)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, f, argument) == 0);
	pthread_join(thread, NULL);
}

static void threads(void)
{
	void *block = mdg_hold(heap, 64);
	run(busy_thread, block);
	CHECK(mdg_publish(heap, block, &place[2], 0) == 0);
	run(leaving_thread, NULL);
	CHECK(live() == 6 && mdg_heap_sweep(heap) >= 1 && live() == 1);
	CHECK(place[2] == 0 && place[3] != 0);
	CHECK(mdg_free(heap, mdg_take(heap, &place[3])) == 0 && live() == 0);
}

static void *storm_thread(void *argument)
{
	uint64_t state = (uintptr_t)argument;
	for (int i = 0; i < 100000; i++) {
		mdg_ref *at = &place[next_random(&state) % 4];
		uint32_t what = next_random(&state) % 4;
		void *old = NULL, *block = what < 2 ? mdg_hold(heap, 64) : mdg_take(heap, at);
		if (block != NULL && what == 1)
			CHECK(mdg_swap(heap, block, at, &old) == 0 || mdg_free(heap, block) == 0);
		else if (block != NULL && (what >= 2 || mdg_publish(heap, block, at, 0) != 0))
			CHECK(mdg_free(heap, block) == 0);
		if (old != NULL)
			CHECK(mdg_free(heap, old) == 0);
	}
	return NULL;
}

static void storm(void)
{
	pthread_t thread[4];
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, storm_thread, (void *)(i + 1)) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	uint64_t linked = 0;
	for (int i = 0; i < PLACES; i++)
		linked += place[i] != 0;
	mdg_heap_sweep(heap);
	CHECK(live() == linked);
	for (int i = 0; i < PLACES; i++)
		CHECK(mdg_free(heap, mdg_take(heap, &place[i])) == 0);
	CHECK(live() == 0);
}

static void with(uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options, .flags = flags };
	heap = heap_open("hands", &options);
	place = mdg_alloc_zeroed(heap, PLACES, sizeof *place);
	one(16);
	one(64);
	one(60000);
	one(LARGE);
	many();
	wrong();
	resized();
	threads();
	storm();
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "hands") == 0);
}

static void pointers(void)
{
	struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_HOME };
	heap = heap_open("home", &options);
	void **at = mdg_alloc_zeroed(heap, 2, sizeof(uint64_t));
	place = (mdg_ref *)(void *)at;
	void *block = mdg_hold(heap, 64), *other = mdg_hold(heap, 64);
	CHECK(mdg_publish_ptr(heap, block, at, NULL) == 0 && *at == block);
	CHECK(mdg_publish_ptr(heap, other, at, NULL) == -EAGAIN);
	CHECK(mdg_publish_ptr(heap, other, at, block) == 0 && *at == other);
	CHECK(mdg_take_ptr(heap, at) == other && *at == NULL && is_held(other));
	CHECK(mdg_free(heap, other) == 0 && mdg_free(heap, block) == 0 && live() == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "home") == 0);
}

int main(void)
{
	enter_namespace();
	errno = 4711;
	with(0);
	with(MDG_HEAP_LABELS);
	pointers();
	CHECK(errno == 4711);
	mdg_namespace_close(ns);
	return test_result();
}
