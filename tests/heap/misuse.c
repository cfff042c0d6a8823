/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - calls that a program must not make, and what they say: with a heap that it has closed,
 * and, in a forked child, with blocks that the parent's thread holds. And calls of a thread that
 * cannot have a slot.
 */
#include "heap/heap.h"

#include <madang/map.h>
#include <madang/sync.h>

#include <pthread.h>

#include "sync/owned.h"

#define OPTIONS(...)                                                                               \
	(&(const struct mdg_heap_options){ .size = sizeof(struct mdg_heap_options), __VA_ARGS__ })

/* ---- after close --------------------------------------------------------------------------- */

static void check_null(mdg_heap *heap, const void *block)
{
	CHECK(block == NULL && mdg_heap_why(heap) == -EBADF);
}

static void blocks_say_closed(mdg_heap *heap, void *block)
{
	uint64_t word = 0;
	mdg_ref *place = &word;
	void *pointer = NULL, *old = NULL;
	check_null(heap, mdg_alloc(heap, 10));
	check_null(heap, mdg_alloc(heap, 1000000));
	check_null(heap, mdg_alloc_zeroed(heap, 1, 10));
	check_null(heap, mdg_alloc_aligned(heap, 64, 10));
	check_null(heap, mdg_realloc(heap, block, 10));
	check_null(heap, mdg_realloc(heap, NULL, 10));
	check_null(heap, mdg_hold(heap, 10));
	check_null(heap, mdg_take(heap, place));
	check_null(heap, mdg_take_ptr(heap, &pointer));
	CHECK(mdg_free(heap, block) == -EBADF && mdg_free(heap, NULL) == 0);
	CHECK(mdg_publish(heap, block, place, 0) == -EBADF && mdg_keep(heap, block) == -EBADF);
	CHECK(mdg_publish_ptr(heap, block, &pointer, NULL) == -EBADF);
	CHECK(mdg_swap(heap, block, place, &old) == -EBADF);
	CHECK(mdg_retire(heap, block) == -EBADF && mdg_alloc_tag(heap, 1) == 0);
	CHECK(mdg_read_begin(heap) == -EBADF && mdg_read_end(heap) == -EBADF);
}

static void care_says_closed(mdg_heap *heap)
{
	mdg_ref *place = NULL;
	uint64_t blocks = 0;
	uint32_t users = 0, roots = 0;
	struct mdg_heap_info info = { .size = sizeof info };
	struct mdg_heap_user_info user = { .size = sizeof user };
	struct mdg_block_info block = { .size = sizeof block };
	struct mdg_root_info root = { .size = sizeof root };
	CHECK(mdg_root(heap, "root", 1, 1, &place, 0) == -EBADF && place == NULL);
	CHECK(mdg_root_remove(heap, "root") == -EBADF);
	CHECK(mdg_root_next(heap, &roots, &root) == -EBADF);
	CHECK(mdg_heap_limit(heap, 1 << 20) == -EBADF && mdg_heap_trim(heap, 0) == -EBADF);
	CHECK(mdg_heap_sweep(heap) == -EBADF && mdg_heap_stat(heap, &info) == -EBADF);
	CHECK(mdg_heap_next_user(heap, &users, &user) == -EBADF);
	CHECK(mdg_heap_next(heap, &blocks, &block) == -EBADF);
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == -EBADF);
	CHECK(mdg_heap_check(heap, MDG_CHECK_REPAIR, NULL, NULL) == -EBADF);
}

static void says_closed(mdg_heap *heap, void *block)
{
	blocks_say_closed(heap, block);
	care_says_closed(heap);
	mdg_heap_close(heap); /* once more */
	blocks_say_closed(heap, block);
}

static void closed(uint32_t flags)
{
	mdg_heap *heap = heap_open("closed", OPTIONS(.flags = flags, .maximum = 4 << 20));
	void *block = mdg_alloc(heap, 100);
	mdg_ref ref = mdg_ref_of(heap, block);
	CHECK(mdg_hold(heap, 100) != NULL);
	mdg_heap_close(heap);
	/* Nobody uses it any more, so it is detached. */
	CHECK(mdg_at(heap, ref) == NULL && mdg_ref_of(heap, block) == 0);
	CHECK(mdg_usable_size(heap, block) == 0);
	says_closed(heap, block);
	mdg_heap *again = heap_open("closed", NULL);
	CHECK_LIVE(again, 1);
	says_closed(heap, block);
	CHECK(mdg_free(again, mdg_at(again, ref)) == 0);
	mdg_heap_close(again);
	CHECK(mdg_heap_remove(ns, "closed") == 0);
}

static void closed_map(void)
{
	const struct mdg_map_options existing = { .size = sizeof existing,
		                                  .flags = MDG_MAP_EXISTING };
	mdg_heap *heap = heap_open("closed", OPTIONS(.maximum = 4 << 20));
	mdg_map *map, *other;
	char value[8];
	CHECK(mdg_map_open(&map, heap, "map", NULL) == 0);
	CHECK(mdg_map_put(map, "k", 1, "v", 1, NULL) >= 0);
	mdg_heap_close(heap);
	CHECK(mdg_map_get(map, "k", 1, value, sizeof value, NULL, NULL) == -EBADF);
	CHECK(mdg_map_put(map, "k", 1, "w", 1, NULL) == -EBADF);
	CHECK(mdg_map_remove(map, "k", 1) == -EBADF);
	CHECK(mdg_map_open(&other, heap, "map", NULL) == -EBADF);
	CHECK(mdg_map_open(&other, heap, "map", &existing) == -EBADF);
	CHECK(mdg_map_destroy(heap, "map") == -EBADF);
	mdg_map_close(map);
	CHECK(mdg_heap_remove(ns, "closed") == 0);
}

/* Of one that was opened to read only. */
static void closed_reader(void)
{
	mdg_heap *heap = heap_open("closed", OPTIONS(.maximum = 4 << 20));
	mdg_heap *reader = heap_open("closed", OPTIONS(.flags = MDG_HEAP_RDONLY));
	mdg_heap_close(reader);
	says_closed(reader, reader);
	CHECK(mdg_free(heap, mdg_alloc(heap, 10)) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "closed") == 0);
}

/* Closing takes no memory for ever. */
static void closed_often(void)
{
	for (int i = 0; i < 100; i++) {
		mdg_heap *heap = heap_open("often", OPTIONS(.maximum = 1 << 20));
		void *block = mdg_alloc(heap, 10);
		CHECK(block != NULL && mdg_free(heap, block) == 0);
		mdg_heap_close(heap);
		blocks_say_closed(heap, block);
	}
	CHECK(mdg_heap_remove(ns, "often") == 0);
}

static pthread_barrier_t barrier;

static void *use_once(void *heap)
{
	CHECK(mdg_free(heap, mdg_alloc(heap, 10)) == 0);
	return NULL;
}

static void *use_and_wait(void *heap)
{
	(void)use_once(heap);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* It stays attached as long as another thread has a slot there. It is closed all the same. */
static void closed_and_attached(void)
{
	pthread_t thread;
	mdg_heap *heap = heap_open("attached", OPTIONS(.maximum = 4 << 20));
	void *block = mdg_alloc(heap, 100);
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, use_and_wait, heap) == 0);
	pthread_barrier_wait(&barrier);
	mdg_heap_close(heap);
	CHECK(mdg_at(heap, mdg_ref_of(heap, block)) == block);
	says_closed(heap, block);
	CHECK(heap_open("attached", NULL) == heap && mdg_free(heap, block) == 0);
	mdg_heap_close(heap);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	CHECK(mdg_heap_remove(ns, "attached") == 0);
}

/* ---- in a forked child --------------------------------------------------------------------- */

struct parent {
	mdg_heap *heap;
	void *held, *span, *plain;
	mdg_ref *place;
};

static void in_the_child(void *argument)
{
	const struct parent *parent = argument;
	mdg_heap *heap = parent->heap;
	void *both[] = { parent->held, parent->span }, *old;
	for (int i = 0; i < 2; i++) {
		CHECK(mdg_free(heap, both[i]) == -EBUSY);
		CHECK(mdg_realloc(heap, both[i], 2000000) == NULL && mdg_heap_why(heap) == -EBUSY);
		CHECK(mdg_publish(heap, both[i], parent->place, 0) == -EPERM);
		CHECK(mdg_swap(heap, both[i], parent->place, &old) == -EPERM);
		CHECK(mdg_keep(heap, both[i]) == -EPERM && mdg_retire(heap, both[i]) == -EPERM);
	}
	CHECK(mdg_read_end(heap) == -EPERM); /* the parent is in a section */
	CHECK(mdg_free(heap, parent->plain) == 0);
	CHECK(mdg_free(heap, parent->plain) == MDG_FREED_TWICE);
}

static void forked(void)
{
	mdg_heap *heap = heap_open("forked", OPTIONS(.maximum = 16 << 20));
	struct parent parent = { heap, mdg_hold(heap, 100), mdg_hold(heap, 300000),
		                 mdg_alloc(heap, 100), mdg_alloc_zeroed(heap, 1, sizeof(mdg_ref)) };
	CHECK(mdg_read_begin(heap) == 0);
	CHECK(in_child(in_the_child, &parent));
	CHECK(mdg_read_end(heap) == 0 && *parent.place == 0);
	CHECK(mdg_free(heap, parent.plain) == MDG_FREED_TWICE);
	CHECK(mdg_heap_sweep(heap) >= 1);
	CHECK(mdg_free(heap, parent.held) == 0);
	CHECK(mdg_publish(heap, parent.span, parent.place, 0) == 0);
	CHECK_LIVE(heap, 2);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "forked") == 0);
}

/* ---- without a slot ------------------------------------------------------------------------ */

static void *plain; /* a block */

/* This thread has no slot, and cannot have one. */
static void says(mdg_heap *heap, int why)
{
	mdg_ref *place;
	CHECK(mdg_alloc(heap, 10) == NULL && mdg_heap_why(heap) == why);
	CHECK(mdg_hold(heap, 10) == NULL && mdg_heap_why(heap) == why);
	CHECK(mdg_realloc(heap, plain, 100000) == NULL && mdg_heap_why(heap) == why);
	CHECK(mdg_free(heap, plain) == why && mdg_read_begin(heap) == why);
	CHECK(mdg_root(heap, "root", 1, 1, &place, 0) == why);
}

static void *in_a_call_of_sync(void *heap)
{
	struct mdg__thread *thread = mdg__thread();
	_Atomic uint32_t word = 0;
	uintptr_t before = mdg__pending_begin(thread, &word);
	says(heap, -EBUSY);
	mdg__pending_end(thread, before);
	CHECK(mdg_free(heap, mdg_alloc(heap, 10)) == 0);
	return NULL;
}

enum { MUTEXES = 62 }; /* of the 64 locks that a thread can hold */
static mdg_mutex *mutexes;

static void *with_many_locks(void *heap)
{
	for (int i = 0; i < MUTEXES; i++)
		CHECK(mdg_mutex_lock(&mutexes[i]) == 0);
	says(heap, -ENOLCK);
	CHECK(mdg_mutex_unlock(&mutexes[MUTEXES - 1]) == 0);
	CHECK(mdg_free(heap, mdg_alloc(heap, 10)) == 0);
	for (int i = 0; i < MUTEXES - 1; i++)
		CHECK(mdg_mutex_unlock(&mutexes[i]) == 0);
	return NULL;
}

static void run(void *(*work)(void *), void *heap)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, work, heap) == 0);
	pthread_join(thread, NULL);
}

/* One more thread than there are slots. */
static void *too_many(void *heap)
{
	says(heap, -EUSERS);
	CHECK(mdg_heap_sweep(heap) == 0);
	return NULL;
}

static void no_slots(void)
{
	enum { SLOTS = 8 };
	pthread_t threads[SLOTS - 1];
	mdg_heap *heap = heap_open("slots", OPTIONS(.maximum = 4 << 20, .threads = SLOTS));
	plain = mdg_alloc(heap, 100);
	mutexes = mdg_alloc_zeroed(heap, MUTEXES, sizeof *mutexes);
	run(in_a_call_of_sync, heap);
	run(with_many_locks, heap);
	CHECK(pthread_barrier_init(&barrier, NULL, SLOTS) == 0);
	for (int i = 0; i < SLOTS - 1; i++)
		CHECK(pthread_create(&threads[i], NULL, use_and_wait, heap) == 0);
	pthread_barrier_wait(&barrier);
	run(too_many, heap);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < SLOTS - 1; i++)
		pthread_join(threads[i], NULL);
	/* Who needs a slot sweeps those of threads that have ended. */
	run(use_once, heap);
	CHECK(mdg_free(heap, mutexes) == 0 && mdg_free(heap, plain) == 0);
	CHECK_LIVE(heap, 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "slots") == 0);
}

/* Another thread has set the block's bit, and was killed before it could set the hint. */
static void freed_by_a_dead_one(void)
{
	mdg_heap *heap = heap_open("dead", NULL);
	struct mdg__heap *inside = mdg__heap_of(heap);
	struct mdg__block found = { 0 };
	void *block = mdg_alloc(heap, 100), *beside = mdg_alloc(heap, 100);
	CHECK(mdg__block_find(inside, mdg_ref_of(heap, block), &found) == 0);
	_Atomic uint64_t *word = &mdg__remote_words(inside, found.unit)[found.index / 64];
	atomic_fetch_or(word, UINT64_C(1) << (found.index % 64));
	CHECK(MDG__LOAD(inside->hints[found.unit]) == 0);
	CHECK(mdg_free(heap, block) == MDG_FREED_TWICE && mdg_free(heap, beside) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "dead") == 0);
}

int main(void)
{
	enter_namespace();
	errno = 4711;
	closed(0);
	closed(MDG_HEAP_HOME);
	closed(MDG_HEAP_CHECKED);
	closed_map();
	closed_reader();
	closed_often();
	closed_and_attached();
	no_slots();
	freed_by_a_dead_one();
	CHECK(errno == 4711);
	forked();
	mdg_namespace_close(ns);
	return test_result();
}
