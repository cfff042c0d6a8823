/* SPDX-License-Identifier: MIT */
/*
 * storm.c - eight processes hold, publish, take, swap and free blocks in shared places, and are
 * killed at random moments. Others take their slots and go on.
 *
 *     heap-storm [SECONDS [KILLS [OPERATIONS [SEED]]]]
 *
 * It ends when one of the numbers that are not 0 is reached. Each block says in which place it was
 * published, and bears a stamp of its whole length. Who takes a block looks at both, and then
 * overwrites them: so a block that was given to two is seen. At the end, and at each hundredth kill
 * while all are stopped or dead, the bitmaps have exactly the blocks that the places refer to:
 * nothing is lost.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "heap/held.h"

enum { WORKERS = 8, PLACES = 2048, BUSY_PLACES = 16 };

struct node {
	uint64_t number; /* of the place + 1 */
	uint64_t next;   /* what it was published over; 0: nothing */
	uint64_t size;
	unsigned char bytes[];
};

static mdg_heap *heap;
static mdg_ref *place;
static struct {
	_Atomic uint64_t operations, wrong, refused;
	_Atomic uint64_t done[WORKERS];
} * shared;

static void complain(const char *what, uint64_t at)
{
	if (atomic_fetch_add(&shared->wrong, 1) < 20)
		fprintf(stderr, "process %d, place %llu: %s\n", (int)getpid(),
		        (unsigned long long)at, what);
}

#include "heap/storms.h"

/* ---- who works ----------------------------------------------------------------------------- */

static size_t some_size(uint64_t *state)
{
	uint32_t kind = next_random(state) % 1000;
	if (kind < 900)
		return sizeof(struct node) + 1 + next_random(state) % 300;
	if (kind < 990)
		return sizeof(struct node) + 1 + next_random(state) % 8000;
	return sizeof(struct node) + 1 + next_random(state) % (kind < 998 ? 100000 : 300000);
}

static struct node *make(uint64_t at, size_t size)
{
	struct node *node = mdg_hold(heap, size);
	if (node == NULL) {
		atomic_fetch_add(&shared->refused, 1);
		return NULL;
	}
	*node = (struct node){ at + 1, 0, size };
	stamp(node->bytes, size - sizeof *node, (uint32_t)at);
	return node;
}

static bool is_whole(const struct node *node, uint64_t at)
{
	return node->number == at + 1 && node->size > sizeof *node && node->size < 400000 &&
	       stamped(node->bytes, (size_t)node->size - sizeof *node, (uint32_t)at);
}

/* It was taken. What it was published over is no longer in a place, and is plain. */
static void take_apart(struct node *node, uint64_t at)
{
	while (node != NULL) {
		struct node *next = mdg_at(heap, node->next);
		if (!is_whole(node, at))
			complain("what was taken is not what was published", at);
		node->number = 0;
		node->size = 0;
		if (mdg_free(heap, node) != 0)
			complain("what was taken cannot be freed", at);
		node = next;
	}
}

static void work_once(uint64_t *state)
{
	uint64_t at = next_random(state) % (next_random(state) % 2 ? PLACES : BUSY_PLACES);
	uint32_t what = next_random(state) % 8;
	struct node *node;
	void *old = NULL;
	if (what < 3) {
		take_apart(mdg_take(heap, &place[at]), at);
	} else if ((node = make(at, some_size(state))) != NULL) {
		int rc = what < 6 ? mdg_publish(heap, node, &place[at], 0)
		                  : mdg_swap(heap, node, &place[at], &old);
		if (rc != 0 && mdg_free(heap, node) != 0)
			complain("what is held cannot be freed", at);
		take_apart(old, at);
	}
}

static void work(unsigned who, uint64_t seed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uint64_t state = seed;
	for (uint32_t i = 1;; i++) {
		work_once(&state);
		if (i % 16 == 0)
			atomic_fetch_add_explicit(&shared->done[who], 16, memory_order_relaxed);
	}
}

/* ---- who looks ----------------------------------------------------------------------------- */

/* All others are dead. */
static bool agrees(void)
{
	uint64_t linked = 0, before = atomic_load(&shared->wrong);
	struct mdg__heap *inside = mdg__heap_of(heap);
	sweep_all();
	for (uint64_t at = 0; at < PLACES; at++) {
		struct mdg__block block;
		struct node *node = mdg_at(heap, place[at]);
		linked += place[at] != 0;
		if (place[at] != 0 &&
		    (node == NULL || mdg__block_find(inside, place[at], &block) < 0 ||
		     mdg__block_is_free(inside, &block) || mdg__held_by(inside, &block) != 0 ||
		     !is_whole(node, at)))
			complain("what is published is not a whole block that nobody holds", at);
	}
	for (uint32_t i = 0; i < mdg__heap_slots_used(inside); i++)
		if ((MDG__LOAD(inside->slot[i].life.word) & MDG__DIED) != 0)
			complain("a slot is not swept", i);
	compare_tables(linked, 1);
	return atomic_load(&shared->wrong) == before;
}

static pid_t worker[WORKERS];

static void start(unsigned who, uint64_t seed)
{
	fflush(NULL);
	worker[who] = fork();
	if (worker[who] == 0)
		work(who, seed);
}

static uint64_t operations(void)
{
	uint64_t sum = 0;
	for (int i = 0; i < WORKERS; i++)
		sum += atomic_load(&shared->done[i]);
	return sum;
}

static bool goes_on(const uint64_t most[3], uint64_t begun, uint64_t kills)
{
	return atomic_load(&shared->wrong) == 0 && (most[0] == 0 || seconds() - begun < most[0]) &&
	       (most[1] == 0 || kills < most[1]) && (most[2] == 0 || operations() < most[2]);
}

int main(int argc, char **argv)
{
	uint64_t most[3] = { 8, 0, 0 }, seed = (uint64_t)time(NULL), kills = 0;
	for (int i = 1; i < argc && i < 4; i++)
		most[i - 1] = strtoull(argv[i], NULL, 0);
	if (argc > 4)
		seed = strtoull(argv[4], NULL, 0);
	printf("seed %llu\n", (unsigned long long)seed);
	enter_namespace();
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 256u << 20 };
	heap = heap_open("storm", &options);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	place = mdg_alloc_zeroed(heap, PLACES, sizeof *place);
	CHECK(place != NULL && shared != MAP_FAILED);
	uint64_t state = seed, begun = seconds();
	for (unsigned i = 0; i < WORKERS; i++)
		start(i, seed * 1000 + i);
	while (goes_on(most, begun, kills)) {
		unsigned who = next_random(&state) % WORKERS;
		struct timespec nap = { 0, (long)(next_random(&state) % 4000000) };
		nanosleep(&nap, NULL);
		kill_worker(worker[who]);
		kills++;
		if (kills % 100 == 0) {
			for (unsigned i = 0; i < WORKERS; i++)
				if (i != who)
					kill_worker(worker[i]);
			kills += WORKERS - 1;
			if (!agrees())
				break;
			for (unsigned i = 0; i < WORKERS; i++)
				if (i != who)
					start(i, seed * 1000 + kills * WORKERS + i);
		}
		start(who, seed * 1000 + kills * WORKERS + who);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		kill_worker(worker[i]);
	kills += WORKERS;
	CHECK(agrees());
	CHECK(atomic_load(&shared->wrong) == 0);
	printf("%llu operations, %llu kills, %llu s; %llu times there was no memory\n",
	       (unsigned long long)operations(), (unsigned long long)kills,
	       (unsigned long long)(seconds() - begun),
	       (unsigned long long)atomic_load(&shared->refused));
	for (uint64_t at = 0; at < PLACES; at++)
		take_apart(mdg_take(heap, &place[at]), at);
	CHECK_LIVE(heap, 1u);
	CHECK(operations() > 1000 && atomic_load(&shared->wrong) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "storm") == 0);
	mdg_namespace_close(ns);
	return test_result();
}
