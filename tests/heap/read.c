/* SPDX-License-Identifier: MIT */
/*
 * read.c - read sections and retired blocks: what a reader may be in is not freed, everything else
 * is freed once, whoever is killed.
 *
 * usage: read [alone | full | readers | fences | left | orphan | storm | threads]
 */
#include "heap/read.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "support/forbid.h"

#include "madang/sync.h"

#define SECOND UINT64_C(1000000000)

/* ---- one thread -------------------------------------------------------------------------- */

static void alone(void)
{
	open_heap("alone");
	uint64_t before = live();
	CHECK_RC(-EPERM, mdg_read_end(heap));
	void *block = mdg_alloc(heap, 100);
	CHECK_RC(-EPERM, mdg_retire(heap, block)); /* it is not held */
	CHECK_RC(-EPERM, mdg_retire(heap, NULL));
	CHECK_RC(-EPERM, mdg_retire(heap, &before));
	CHECK_RC(0, mdg_free(heap, block));
	for (int i = 0; i < 1000; i++)
		retire_one((size_t)(i * 37 % 2000));
	/* Full bags were freed; the last one is open. */
	CHECK(live() > before && live() - before < 200);
	CHECK(mdg_heap_sweep(heap) == 0);
	CHECK(live() == before);
	/* Its own section holds it up too. */
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_read_begin(heap));
	mdg_ref ref = retire_one(64);
	CHECK_RC(0, mdg_read_end(heap));
	CHECK(mdg_heap_sweep(heap) == 0 && !is_free(ref));
	CHECK_RC(0, mdg_read_end(heap));
	CHECK(mdg_heap_sweep(heap) == 0 && is_free(ref));
	/* Another heap is used in between. */
	mdg_heap *other = NULL;
	CHECK(mdg_heap_open(&other, ns, "other", NULL) == 0);
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_free(other, mdg_alloc(other, 1)));
	CHECK_RC(0, mdg_read_end(heap));
	mdg_heap_close(other);
	/* Large blocks do not wait for a full bag. */
	ref = retire_one(1 << 20);
	CHECK(is_free(ref) && live() <= before);
	CHECK(live() == before);
	/* What is freed by mistake meanwhile is not freed again. */
	block = mdg_hold(heap, 64);
	CHECK_RC(0, mdg_retire(heap, block));
	CHECK_RC(0, mdg_free(heap, block));
	CHECK(mdg_heap_sweep(heap) == 0 && live() == before);
	/* All hands are full, and one of them is retired. */
	void *held[MDG_HELD_MOST];
	for (int i = 0; i < MDG_HELD_MOST; i++)
		held[i] = mdg_hold(heap, 64);
	for (int i = 0; i < MDG_HELD_MOST; i++)
		CHECK_RC(0, mdg_retire(heap, held[i]));
	mdg_heap_close(heap);
	open_heap("alone");
	sweep_all();
	CHECK(live() == before);
	mdg_heap_close(heap);
}

/* When there is no memory, retiring goes on, and gives memory back. */
static void full(void)
{
	enum { MOST = 4096 };
	static void *blocks[MOST];
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 1 << 20 };
	CHECK_RC(0, mdg_heap_open(&heap, ns, "full", &options));
	int count = 0;
	CHECK_RC(0, mdg_read_begin(heap));
	while (count < MOST && (blocks[count] = mdg_alloc(heap, 4096)) != NULL)
		count++;
	CHECK(count > 100 && mdg_heap_why(heap) < 0);
	mdg_ref place = 0;
	(void)place;
	CHECK_RC(0, mdg_free(heap, blocks[--count]));
	void *block = mdg_hold(heap, 4096);
	CHECK(block != NULL);
	int rc = mdg_retire(heap, block); /* perhaps there is no room for a bag */
	CHECK(rc == 0 || rc == -ENOMEM || rc == -EDQUOT);
	CHECK_RC(0, mdg_read_end(heap));
	if (rc != 0)
		CHECK_RC(0, mdg_free(heap, block));
	CHECK(mdg_alloc(heap, 4096) != NULL); /* what was retired is found */
	mdg_heap_close(heap);
}

/* ---- readers in other processes ---------------------------------------------------------- */

/* A process in a read section. */
static pid_t reader(void)
{
	int ready[2];
	char byte;
	CHECK(pipe(ready) == 0);
	pid_t child = fork();
	if (child == 0) {
		if (mdg_read_begin(heap) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return child;
}

static void end(pid_t child)
{
	int status;
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child);
}

static void readers(void)
{
	open_heap("readers");
	uint64_t before = live();
	pid_t first = reader();
	mdg_ref old = retire_one(64);
	CHECK(mdg_heap_sweep(heap) == 0 && !is_free(old));
	pid_t second = reader(); /* it began later, and cannot see `old` */
	mdg_ref new = retire_one(64);
	kill(first, SIGSTOP);
	CHECK(mdg_heap_sweep(heap) == 0 && !is_free(old) && !is_free(new));
	end(first); /* nothing else: nobody has to sweep it */
	mdg_heap_sweep(heap);
	CHECK(is_free(old) && !is_free(new));
	end(second);
	mdg_heap_sweep(heap);
	CHECK(is_free(new));
	sweep_all();
	CHECK(live() == before);
	/* A child is in no section of its parent. */
	CHECK_RC(0, mdg_read_begin(heap));
	pid_t child = fork();
	if (child == 0)
		_exit(mdg_read_end(heap) != -EPERM || mdg_read_begin(heap) != 0 ||
		      mdg_read_end(heap) != 0);
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_RC(0, mdg_read_end(heap));
	mdg_heap_close(heap);
}

/* ---- without membarrier ------------------------------------------------------------------ */

/* Who has no membarrier asks the others to fence, and believes them a second later. */
static void without_membarrier(void *unused)
{
	(void)unused;
	CHECK(forbid_call(SYS_membarrier, ENOSYS));
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_read_end(heap));
	mdg_ref ref = retire_one(64);
	CHECK(mdg_heap_sweep(heap) == 0 && !is_free(ref));
	CHECK(MDG__LOAD(mdg__heap_of(heap)->head->fences) == 1);
	usleep(1100000);
	mdg_heap_sweep(heap);
	CHECK(is_free(ref));
	pid_t child = reader();
	ref = retire_one(64);
	mdg_heap_sweep(heap);
	CHECK(!is_free(ref));
	end(child);
	mdg_heap_sweep(heap);
	CHECK(is_free(ref));
}

static void fences(void)
{
	open_heap("fences");
	CHECK(in_child(without_membarrier, NULL));
	/* The others read on, and free. */
	pid_t child = reader();
	mdg_ref ref = retire_one(64);
	mdg_heap_sweep(heap);
	CHECK(!is_free(ref));
	end(child);
	mdg_heap_sweep(heap);
	CHECK(is_free(ref));
	mdg_heap_close(heap);
}

/* ---- what a dead thread leaves ----------------------------------------------------------- */

static mdg_ref *shared; /* references, for all processes */

static void left(void)
{
	enum { MANY = 300 };
	open_heap("left");
	sweep_all();
	uint64_t before = live();
	CHECK_RC(0, mdg_read_begin(heap));
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < MANY; i++)
			shared[i] = retire_one(64);
		/* One that was taken and not retired: readers may be in that too. And one that
		 * was never public. */
		mdg_ref *place = mdg_alloc(heap, 64);
		void *block = mdg_hold(heap, 64);
		shared[MANY] = mdg_ref_of(heap, block);
		*place = 0;
		(void)mdg_publish(heap, block, place, 0);
		(void)mdg_take(heap, place);
		(void)mdg_free(heap, place);
		shared[MANY + 1] = mdg_ref_of(heap, mdg_hold(heap, 64));
		raise(SIGKILL);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	for (int round = 0; round < 3; round++)
		CHECK(mdg_heap_sweep(heap) == 0);
	for (int i = 0; i <= MANY; i++)
		CHECK(!is_free(shared[i]));
	CHECK(is_free(shared[MANY + 1]));
	CHECK_RC(0, mdg_read_end(heap));
	CHECK(mdg_heap_sweep(heap) == 1);
	for (int i = 0; i <= MANY; i++)
		CHECK(is_free(shared[i]));
	CHECK(live() == before);
	mdg_heap_close(heap);
}

/* The last block of a slab whose owner is dead is retired. When it is freed, its slab goes back. */
static void orphan(void)
{
	open_heap("orphan");
	mdg_ref *place = mdg_alloc_zeroed(heap, 1, sizeof *place);
	pid_t child = fork();
	if (child == 0)
		_exit(mdg_publish(heap, mdg_hold(heap, 8000), place, 0) != 0);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	sweep_all();
	void *block = mdg_take(heap, place);
	struct mdg__heap *inside = mdg__heap_of(heap);
	uint64_t unit = (mdg_ref_of(heap, block) - inside->parts.data) >> MDG__UNIT_SHIFT;
	CHECK(MDG__HEAD_STATE(MDG__LOAD(inside->heads[unit])) == MDG__UNIT_SLAB);
	CHECK_RC(0, mdg_retire(heap, block));
	CHECK(mdg_heap_sweep(heap) == 0);
	CHECK(MDG__LOAD(inside->heads[unit]) == 0);
	mdg_heap_close(heap);
}

/* ---- a storm ----------------------------------------------------------------------------- */

enum { PLACES = 16, WORDS = 12, WORKERS = 4 };
static mdg_ref *places;
static _Atomic uint64_t *tally; /* 0: reads; 1: replaced; 2: wrong; 3: until */

static _Atomic uint64_t *word_of(mdg_ref ref)
{
	return mdg_at(heap, ref);
}

/* All words of a block that is public are the same. */
static bool is_whole(mdg_ref ref)
{
	_Atomic uint64_t *words = word_of(ref);
	uint64_t first = atomic_load_explicit(&words[0], memory_order_relaxed);
	bool whole = first != 0;
	for (int i = 1; i < WORDS; i++)
		whole &= atomic_load_explicit(&words[i], memory_order_relaxed) == first;
	return whole;
}

static void look_at(uint32_t at, bool pauses)
{
	if (mdg_read_begin(heap) != 0)
		return;
	mdg_ref ref = __atomic_load_n(&places[at], __ATOMIC_ACQUIRE);
	if (mdg_at(heap, ref) != NULL) {
		bool whole = is_whole(ref);
		if (pauses)
			usleep(300);
		whole = whole && is_whole(ref) && !is_free(ref);
		if (!whole)
			atomic_fetch_add(&tally[2], 1);
	}
	atomic_fetch_add(&tally[0], 1);
	(void)mdg_read_end(heap);
}

static void replace(uint32_t at, uint64_t value)
{
	void *old = NULL;
	void *block = mdg_hold(heap, WORDS * 8);
	if (block == NULL)
		return;
	_Atomic uint64_t *words = block;
	for (int i = 0; i < WORDS; i++)
		atomic_store_explicit(&words[i], value | 1, memory_order_relaxed);
	int rc = mdg_swap(heap, block, &places[at], &old);
	if (rc != 0) {
		(void)mdg_free(heap, block);
		return;
	}
	if (old != NULL && mdg_retire(heap, old) != 0)
		atomic_fetch_add(&tally[2], 1);
	atomic_fetch_add(&tally[1], 1);
}

static void *work(void *seed)
{
	uint64_t state = 88172645463325252 + (uintptr_t)seed * 7919;
	while (mdg_deadline(0) < atomic_load(&tally[3])) {
		uint32_t what = unit_random(&state), at = unit_random(&state) % PLACES;
		if (what % 4 != 0)
			look_at(at, what % 64 == 1);
		else
			replace(at, (uint64_t)what << 32 | at);
	}
	return NULL;
}

static void storm_begins(const char *name)
{
	open_heap(name);
	places = mdg_alloc_zeroed(heap, PLACES, sizeof *places);
	CHECK(places != NULL);
	for (int i = 0; i < 4; i++)
		atomic_store(&tally[i], 0);
	atomic_store(&tally[3], mdg_deadline(4 * SECOND));
}

/* All has ended: what is public is whole, and there is nothing else. */
static void storm_ends(void)
{
	uint64_t public = 0;
	sweep_all();
	for (int i = 0; i < PLACES; i++)
		if (places[i] != 0)
	public += CHECK((places[i] & 1) == 0 && is_whole(places[i]));
	CHECK(live() == public + 1);
	if (live() != public + 1)
		fprintf(stderr, "%llu blocks, %llu of them public\n", (unsigned long long)live(),
		        (unsigned long long)public);
	CHECK(tally[2] == 0 && tally[0] > 1000 && tally[1] > 100);
	printf("%llu reads, %llu replaced\n", (unsigned long long)tally[0],
	       (unsigned long long)tally[1]);
	mdg_heap_close(heap);
}

static pid_t worker(uintptr_t seed)
{
	pid_t child = fork();
	if (child == 0) {
		work((void *)seed);
		_exit(0);
	}
	return child;
}

static void storm(void)
{
	pid_t workers[WORKERS];
	uint64_t state = (uint64_t)time(NULL) * 2654435761u + 1, kills = 0;
	storm_begins("storm");
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = worker(i + 1);
	while (mdg_deadline(0) < atomic_load(&tally[3])) {
		usleep(unit_random(&state) % 8000);
		uint32_t i = unit_random(&state) % WORKERS;
		end(workers[i]);
		workers[i] = worker(unit_random(&state));
		kills++;
	}
	for (int i = 0; i < WORKERS; i++)
		end(workers[i]);
	printf("%llu kills, ", (unsigned long long)kills);
	storm_ends();
}

static void threads(void)
{
	pthread_t thread[WORKERS];
	storm_begins("threads");
	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK(pthread_create(&thread[i], NULL, work, (void *)(i + 1)) == 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	storm_ends();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = { { "alone", alone },   { "full", full },      { "readers", readers },
		    { "fences", fences }, { "left", left },      { "orphan", orphan },
		    { "storm", storm },   { "threads", threads } };
	const size_t size = 1 << 16;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tally = memory;
	shared = (mdg_ref *)memory + 64;
	ns = unit_open("read", NULL);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (argc < 2 || strcmp(argv[1], all[i].name) == 0)
			all[i].run();
	mdg_namespace_close(ns);
	return test_result();
}
