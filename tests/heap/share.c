/* SPDX-License-Identifier: MIT */
/*
 * share.c - one heap in many threads and processes: blocks that others free, forked children, exec,
 * vfork, the end of threads, and closing while threads live.
 */
#include "heap/heap.h"

#include <madang/sync.h>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { PLACES = 512, PROCESSES = 4, THREADS = 3, STEPS = 20000 };

/* What the processes of this test share beside the heap. */
static struct board {
	_Atomic uint64_t places[PLACES]; /* references to blocks */
	_Atomic uint32_t go, done;
	mdg_mutex mutex;
} * board;

static mdg_heap *heap;

/* ---- everybody frees what others allocated ------------------------------------------------- */

struct header {
	uint32_t size, number;
};

static void put_back(uint64_t ref)
{
	unsigned char *block = mdg_at(heap, ref);
	struct header header;
	if (ref == 0)
		return;
	if (!CHECK(block != NULL && mdg_ref_of(heap, block) == ref))
		return;
	memcpy(&header, block, sizeof header);
	CHECK(stamped(block + sizeof header, header.size, header.number));
	CHECK(mdg_usable_size(heap, block) >= header.size + sizeof header);
	CHECK(mdg_free(heap, block) == 0);
}

static size_t some_size(uint64_t *state)
{
	uint32_t kind = next_random(state) % 256;
	if (kind < 200)
		return 1 + next_random(state) % 200;
	return 1 + next_random(state) % (kind < 250 ? 8000 : kind < 255 ? 100000 : 300000);
}

static void exchange(uint64_t seed)
{
	uint64_t state = seed * 7919 + 1;
	for (uint32_t step = 0; step < STEPS; step++) {
		struct header header = { (uint32_t)some_size(&state), step };
		unsigned char *block = mdg_alloc(heap, header.size + sizeof header);
		if (!CHECK(block != NULL))
			return;
		memcpy(block, &header, sizeof header);
		stamp(block + sizeof header, header.size, header.number);
		uint32_t at = next_random(&state) % PLACES;
		put_back(atomic_exchange(&board->places[at], mdg_ref_of(heap, block)));
	}
}

static void *exchange_in_thread(void *seed)
{
	exchange((uintptr_t)seed);
	return NULL;
}

static void exchange_in_process(void *seed)
{
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, exchange_in_thread,
		                     (void *)((uintptr_t)seed * 16 + i)) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static pid_t start(void (*work)(void *), void *argument)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check_failures = 0;
		work(argument);
		fflush(NULL);
		_exit(test_result());
	}
	return pid;
}

static bool ended_well(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void clear_places(void)
{
	for (int i = 0; i < PLACES; i++)
		put_back(atomic_exchange(&board->places[i], 0));
}

/* ThreadSanitizer does not see what orders two threads of a process if it goes through another
 * process. There, each process has one thread. */
static void exchange_in_member(void *seed)
{
#if defined(__SANITIZE_THREAD__)
	exchange((uintptr_t)seed);
#else
	exchange_in_process(seed);
#endif
}

static void many_processes(void)
{
	pid_t pids[PROCESSES];
	for (uintptr_t i = 0; i < PROCESSES; i++)
		pids[i] = start(exchange_in_member, (void *)(i + 1));
	exchange(0);
	for (int i = 0; i < PROCESSES; i++)
		CHECK(ended_well(pids[i]));
	clear_places();
	CHECK_LIVE(heap, 0);
	CHECK(mdg_heap_sweep(heap) >= 0);
	CHECK_LIVE(heap, 0);
	/* What is left has an owner that lives: this thread. */
	struct mdg__heap *inside = mdg__heap_of(heap);
	for (uint64_t unit = 0; unit < mdg__units_high(inside); unit++) {
		uint64_t head = MDG__LOAD(inside->heads[unit]);
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB ||
		    MDG__HEAD_STATE(head) == MDG__UNIT_KEPT)
			CHECK(MDG__HEAD_OWNER(head) == mdg__heap_thread.first->slot1);
	}
}

static void many_threads(void)
{
	exchange_in_process((void *)99);
	clear_places();
	CHECK(mdg_heap_sweep(heap) >= 0);
	CHECK_LIVE(heap, 0);
}

/* ---- fork and exec ------------------------------------------------------------------------- */

static void free_and_leave_one(void *block)
{
	CHECK(mdg_free(heap, block) == 0);
	CHECK(mdg_free(heap, block) == MDG_FREED_TWICE);
	for (int i = 0; i < 100; i++)
		CHECK(mdg_alloc(heap, 64) != NULL);
	unsigned char *left = mdg_alloc(heap, 64);
	stamp(left, 64, 5);
	atomic_store(&board->places[0], mdg_ref_of(heap, left));
}

static void forks(void)
{
	unsigned char *mine[50], *given = mdg_alloc(heap, 64);
	for (int i = 0; i < 50; i++)
		stamp(mine[i] = mdg_alloc(heap, 64), 64, (uint32_t)i);
	CHECK(ended_well(start(free_and_leave_one, given)));
	CHECK(mdg_free(heap, given) == MDG_FREED_TWICE);
	unsigned char *left = mdg_at(heap, atomic_exchange(&board->places[0], 0));
	CHECK(stamped(left, 64, 5) && mdg_free(heap, left) == 0);
	for (int i = 0; i < 50; i++)
		CHECK(stamped(mine[i], 64, (uint32_t)i) && mdg_free(heap, mine[i]) == 0);
	CHECK_LIVE(heap, 100);
	CHECK(mdg_heap_sweep(heap) >= 1);
	CHECK_LIVE(heap, 100);
}

/* A chain of children, each of which goes on where its parent has stopped. */
static void fork_deep(void *depth)
{
	uintptr_t left = (uintptr_t)depth;
	void *block = mdg_alloc(heap, 32);
	CHECK(block != NULL);
	if (left > 0)
		CHECK(ended_well(start(fork_deep, (void *)(left - 1))));
	CHECK(mdg_free(heap, block) == 0);
	CHECK(mdg_free(heap, block) == MDG_FREED_TWICE);
}

static void close_in_child(void *block)
{
	CHECK(mdg_free(heap, block) == 0);
	mdg_heap_close(heap);
	heap = heap_open("share", NULL);
	CHECK(mdg_alloc(heap, 10) != NULL);
	mdg_heap_close(heap);
}

static void exec_self(void *ref)
{
	char text[32];
	snprintf(text, sizeof text, "%llu", *(unsigned long long *)ref);
	execl("/proc/self/exe", "heap-share", text, NULL);
	_exit(1);
}

/* The program that exec_self starts: frees the block, and leaves another one. */
static int after_exec(const char *text)
{
	heap = heap_open("share", NULL);
	unsigned char *block = mdg_at(heap, strtoull(text, NULL, 10));
	CHECK(stamped(block, 5000, 77) && mdg_free(heap, block) == 0);
	CHECK(mdg_alloc(heap, 5000) != NULL);
	return test_result();
}

static void execs(void)
{
	unsigned char *block = mdg_alloc(heap, 5000);
	unsigned long long ref = mdg_ref_of(heap, block);
	uint64_t live = look(heap).live;
	stamp(block, 5000, 77);
	CHECK(ended_well(start(exec_self, &ref)));
	CHECK(mdg_free(heap, block) == MDG_FREED_TWICE || look(heap).live < live);
	CHECK(mdg_heap_sweep(heap) >= 1);
}

/* ---- threads that end ---------------------------------------------------------------------- */

/* The child of vfork makes no call of the library. It has its parent's memory, and another id. */
static void vforks(void)
{
	mdg_ref *place = mdg_alloc_zeroed(heap, 1, sizeof *place);
	char *block = mdg_hold(heap, 64);
	int status = 1;
	for (int i = 0; i < 2; i++) {
		pid_t child = vfork();
		if (child == 0) {
			if (i == 0)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	}
	CHECK(mdg_heap_sweep(heap) == 0);
	CHECK(mdg_publish(heap, block, place, 0) == 0 && mdg_at(heap, *place) == block);
	CHECK(mdg_free(heap, mdg_take(heap, place)) == 0 && mdg_free(heap, place) == 0);
	CHECK_RC(0, mdg_heap_check(heap, 0, NULL, NULL));
}

static void *allocate_and_end(void *count)
{
	uint64_t *refs = count;
	for (int i = 0; i < 100; i++)
		refs[i] = mdg_ref_of(heap, mdg_alloc(heap, 200));
	return NULL;
}

/* Slots and slabs of threads that have ended are used again. */
static void thread_after_thread(void)
{
	uint64_t refs[100], committed = 0, before = look(heap).live;
	uint32_t slots = 0;
	for (int round = 0; round < 300; round++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, allocate_and_end, refs) == 0);
		pthread_join(thread, NULL);
		for (int i = 0; i < 100; i++)
			CHECK(mdg_free(heap, mdg_at(heap, refs[i])) == 0);
		if (round == 30) {
			committed = look(heap).committed;
			slots = mdg__heap_slots_used(mdg__heap_of(heap));
		}
	}
	CHECK(look(heap).committed == committed);
	CHECK(mdg__heap_slots_used(mdg__heap_of(heap)) == slots);
	CHECK_LIVE(heap, before);
}

/* ---- closing while a thread lives ---------------------------------------------------------- */

static uint32_t attached(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id;
	CHECK(mdg_segment_open(ns, "share", 0, 0, &id) == 0);
	CHECK(mdg_segment_stat(ns, id, 0, &info) == 0);
	return info.attached;
}

static void *use_and_wait(void *unused)
{
	CHECK(mdg_free(heap, mdg_alloc(heap, 64)) == 0);
	atomic_store(&board->go, 1);
	while (atomic_load(&board->go) == 1)
		usleep(1000);
	/* The slot in the heap is older than this lock in the thread's list. */
	CHECK(mdg_mutex_lock(&board->mutex) == 0);
	return unused;
}

static void closed_while_used(void)
{
	pthread_t thread;
	CHECK(mdg_mutex_destroy(&board->mutex) == 0);
	CHECK(attached() == 1);
	CHECK(pthread_create(&thread, NULL, use_and_wait, NULL) == 0);
	while (atomic_load(&board->go) == 0)
		usleep(1000);
	mdg_heap *closed = heap;
	mdg_heap_close(heap);
	CHECK(attached() == 1);
	heap = heap_open("share", NULL);
	CHECK(heap == closed);
	mdg_heap_close(heap);
	atomic_store(&board->go, 0);
	pthread_join(thread, NULL);
	/* The kernel has followed the thread's list. */
	CHECK(mdg_mutex_lock(&board->mutex) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_set_repaired(&board->mutex) == 0 && mdg_mutex_unlock(&board->mutex) == 0);
	mdg_heap *other = heap_open("other", NULL);
	mdg_heap_close(other);
	CHECK(attached() == 0);
	CHECK(mdg_heap_remove(ns, "other") == 0);
	heap = heap_open("share", NULL);
}

/* Two heaps in turn: the thread finds what it keeps for each. */
static void two_heaps(void)
{
	mdg_heap *other = heap_open("other", NULL);
	void *blocks[2][1000];
	for (int i = 0; i < 1000; i++) {
		blocks[0][i] = mdg_alloc(heap, 40);
		blocks[1][i] = mdg_alloc(other, 40);
	}
	CHECK_LIVE(other, 1000);
	for (int i = 0; i < 1000; i++) {
		CHECK(mdg_free(other, blocks[0][i]) == -EINVAL);
		CHECK(mdg_free(heap, blocks[0][i]) == 0 && mdg_free(other, blocks[1][i]) == 0);
	}
	CHECK_LIVE(other, 0);
	mdg_heap_close(other);
	CHECK(mdg_heap_remove(ns, "other") == 0);
}

int main(int argc, char **argv)
{
	enter_namespace();
	if (argc > 1)
		return after_exec(argv[1]);
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	heap = heap_open("share", NULL);
	many_threads();
	many_processes();
	CHECK(ended_well(start(fork_deep, (void *)12)));
	CHECK(ended_well(start(close_in_child, mdg_alloc(heap, 64))));
	CHECK(mdg_heap_sweep(heap) >= 0);
	CHECK_LIVE(heap, 1);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "share") == 0);
	heap = heap_open("share", NULL);
	forks();
	execs();
	vforks();
	thread_after_thread();
	two_heaps();
	closed_while_used();
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "share") == 0);
	mdg_namespace_close(ns);
	return test_result();
}
