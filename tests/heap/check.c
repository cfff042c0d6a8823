/* SPDX-License-Identifier: MIT */
/*
 * check.c - mdg_heap_check: each kind of damage is found, and mended where that is possible; a heap
 * in use has nothing wrong.
 */
#include "heap/heap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static mdg_heap *heap;
static struct mdg__heap *in;

/* ---- what is found --------------------------------------------------------------------------- */

struct findings {
	int count, repaired;
	uint32_t kind; /* of the last one */
	mdg_ref ref;
	char text[160];
};

static int note(const struct mdg_heap_finding *finding, void *context)
{
	struct findings *findings = context;
	findings->count++;
	findings->repaired += finding->repaired != 0;
	findings->kind = finding->kind;
	findings->ref = finding->ref;
	memcpy(findings->text, finding->text, sizeof findings->text);
	return 0;
}

static struct findings check_heap(unsigned flags)
{
	struct findings findings = { .count = 0 };
	int rc = mdg_heap_check(heap, flags, note, &findings);
	CHECK(rc == findings.count - findings.repaired);
	return findings;
}

static void check_clean(void)
{
	struct findings findings = check_heap(0);
	if (!CHECK(findings.count == 0))
		fprintf(stderr, "found: %s\n", findings.text);
}

/* One finding of this kind, with this text at its end. It is mended, or it stays. */
static void check_one_found(const char *name, uint32_t kind, const char *text, bool mends)
{
	for (int repair = 0; repair < 2; repair++) {
		struct findings findings = check_heap(repair ? MDG_CHECK_REPAIR : 0);
		size_t length = strlen(findings.text), end = strlen(text);
		bool right = findings.count == 1 && findings.kind == kind && length >= end &&
		             strcmp(findings.text + length - end, text) == 0 &&
		             findings.repaired == (repair && mends);
		if (!CHECK(right))
			fprintf(stderr, "%s: %d found, %d repaired: %s\n", name, findings.count,
			        findings.repaired, findings.text);
	}
	if (mends)
		check_clean();
}

/* Writes `value` there, looks, and writes back what was there unless it was mended. */
#define DAMAGE(field, value, kind, text, mends)                                                    \
	do {                                                                                       \
		__typeof__(atomic_load(&(field))) before_ = atomic_load(&(field));                 \
		atomic_store(&(field), (value));                                                   \
		check_one_found(#field, (kind), (text), (mends));                                  \
		if (!(mends))                                                                      \
			atomic_store(&(field), before_);                                           \
		else                                                                               \
			CHECK(atomic_load(&(field)) == before_);                                   \
		check_clean();                                                                     \
	} while (0)

/* ---- a heap with something of each ----------------------------------------------------------- */

static void *small, *medium, *span, *held;
static mdg_ref *root;

static uint64_t unit_of(const void *block)
{
	return (mdg_ref_of(heap, block) - in->parts.data) >> MDG__UNIT_SHIFT;
}

static void fill(void)
{
	CHECK((small = mdg_alloc(heap, 48)) != NULL && (medium = mdg_alloc(heap, 20000)) != NULL);
	CHECK((span = mdg_alloc(heap, 300000)) != NULL && (held = mdg_hold(heap, 100)) != NULL);
	CHECK(mdg_root(heap, "root", 1, 1, &root, 0) == MDG_ROOT_NEW);
	void *block = mdg_hold(heap, 1000);
	CHECK(mdg_publish(heap, block, root, 0) == 0);
	check_clean();
}

/* ---- damage: the head ------------------------------------------------------------------------ */

static void damage_head(void)
{
	struct mdg__heap_head *head = in->head;
	const uint32_t table = MDG_HEAP_FOUND_TABLE;
	DAMAGE(head->magic, 1, table, "the head does not say that this is a heap", true);
	DAMAGE(head->capacity, 5, table, "another maximum than when the heap was opened", true);
	DAMAGE(head->slots, 5, table, "another kind of heap than when it was opened", true);
	DAMAGE(head->home, 65536, table, "the heap has no home, and the head says one", true);
	DAMAGE(head->high, in->capacity + 16, table, "that have tables makes no sense", true);
	DAMAGE(head->high, 5, table, "that have tables makes no sense", true);
	DAMAGE(head->epoch, 0, table, "the epoch of the readers is 0", true);
	DAMAGE(head->committed, 3, table, "units that have memory is counted wrongly", true);
	DAMAGE(head->free, 3, table, "the number of free units is counted wrongly", true);
	atomic_store(&head->limit, in->capacity + 1);
	check_one_found("limit", table, "the limit is larger than the heap can be", true);
	CHECK(atomic_load(&head->limit) == in->capacity);
	atomic_store(&head->lowest, in->capacity);
	check_one_found("lowest", table, "units are free that would never be found", true);
	uint32_t slots = atomic_load(&head->slots_high);
	atomic_store(&head->slots_high, in->slots + 1);
	check_one_found("slots_high", table, "more slots are in use than there are", true);
	CHECK(atomic_load(&head->slots_high) == in->slots && slots < in->slots);
}

/* ---- damage: units --------------------------------------------------------------------------- */

static void damage_bit(const char *name, enum mdg__unit_bits which, uint64_t unit, const char *text)
{
	atomic_fetch_xor(&in->bits[which][unit / 64], UINT64_C(1) << (unit % 64));
	/* The counts do not agree with that, as long as it is not mended. */
	struct findings findings = check_heap(0);
	CHECK(findings.count >= 1 && findings.count <= 2 && findings.kind == MDG_HEAP_FOUND_TABLE);
	findings = check_heap(MDG_CHECK_REPAIR);
	if (!CHECK(findings.count == 1 && findings.repaired == 1 &&
	           strstr(findings.text, text) != NULL))
		fprintf(stderr, "%s: %d found, %s\n", name, findings.count, findings.text);
	check_clean();
}

static void damage_units(void)
{
	const uint32_t table = MDG_HEAP_FOUND_TABLE;
	uint64_t high = mdg__units_high(in), free = 0;
	while (free < high && !is_marked(in, MDG__BITS_FREE, free))
		free++;
	if (!CHECK(free < high))
		return;
	DAMAGE(in->heads[unit_of(span)], 77, table, "its word makes no sense", false);
	DAMAGE(in->heads[unit_of(small)], 250, table, "its word makes no sense", false);
	DAMAGE(in->heads[unit_of(small)], MDG__HEAD(MDG__UNIT_SLAB, 60, 1, 0), table,
	       "what begins here would end behind the heap, or has no length", false);
	DAMAGE(in->heads[unit_of(medium) + 3], 0, table, "are not those of its units", true);
	DAMAGE(in->heads[unit_of(span) + 1], 99, table, "are not those of its units", true);
	DAMAGE(in->heads[unit_of(medium) + 3], MDG__HEAD(MDG__UNIT_SPAN, 0, 0, 1), table,
	       "another slab or span begins inside of this one", false);
	DAMAGE(in->heads[free], MDG__HEAD(MDG__UNIT_FREE, 0, 0, 5), table,
	       "its word makes no sense", true);
	DAMAGE(in->heads[free], MDG__HEAD(MDG__UNIT_INNER, 0, 0, 1), table,
	       "it is inside of a slab that is not there", true);
	damage_bit("free", MDG__BITS_FREE, free, "is free, and the bitmap says it is in use");
	damage_bit("taken", MDG__BITS_FREE, unit_of(span) + 2, "the bitmap says it is free");
	damage_bit("bare", MDG__BITS_COMMITTED, unit_of(medium) + 2, "seems to have no memory");
}

/* ---- damage: slabs, labels, slots, roots ----------------------------------------------------- */

static void damage_slabs(void)
{
	const uint32_t table = MDG_HEAP_FOUND_TABLE;
	const struct mdg__size_class *about = &mdg__heap_classes[mdg__heap_class_of(20000)];
	uint64_t unit = unit_of(medium), head = atomic_load(&in->heads[unit]);
	uint64_t none = head & ~(UINT64_C(0xffff) << 16);
	_Atomic uint64_t *free = mdg__free_words(in, unit), *remote = mdg__remote_words(in, unit);
	CHECK(about->blocks < 64);
	DAMAGE(free[0], atomic_load(&free[0]) | UINT64_C(1) << 63, table,
	       "a bitmap says that blocks are free which do not exist", true);
	DAMAGE(remote[0], UINT64_C(1) << about->blocks, table,
	       "a bitmap says that blocks are free which do not exist", true);
	atomic_store(&in->heads[unit], none | UINT64_C(5) << 16);
	check_one_found("owner", table, "the owner of the slab does not exist", true);
	CHECK(atomic_load(&in->heads[unit]) == none && is_marked(in, MDG__BITS_ABANDONED, unit));
	atomic_store(&in->heads[unit], head);
	mdg__bit_clear(in, MDG__BITS_ABANDONED, unit);
	DAMAGE(in->heads[unit_of(span)], atomic_load(&in->heads[unit_of(span)]) | UINT64_C(9) << 16,
	       table, "the holder of the span does not exist", true);
}

static void damage_labels(void)
{
	struct mdg__block block;
	CHECK(mdg__block_find(in, mdg_ref_of(heap, held), &block) == 0);
	_Atomic uint64_t *label = mdg__block_label(in, &block);
	uint64_t own = atomic_load(label);
	const char *text = "a block is held by nobody, and says it is held";
	CHECK((own & MDG__LABEL_HELD) != 0);
	DAMAGE(label[1], own, MDG_HEAP_FOUND_TABLE, text, true); /* in no hand of ours */
	DAMAGE(label[1], own ^ UINT64_C(1) << 40, MDG_HEAP_FOUND_TABLE, text, true);
	DAMAGE(label[1], own | UINT64_C(0x7fff) << 48, MDG_HEAP_FOUND_TABLE, text, true);
}

static void damage_slots(void)
{
	struct mdg__heap_slot *free = &in->slot[3], *own = &in->slot[0];
	const uint32_t table = MDG_HEAP_FOUND_TABLE;
	const char *rests = "is free, and a block is in its hands, or a read section is open";
	CHECK(atomic_load(&free->life.word) == 0 && atomic_load(&own->life.word) != 0);
	DAMAGE(free->epoch, 7, table, rests, true);
	DAMAGE(free->retired, 4096, table, rests, true);
	atomic_store(&free->hands[2].op, MDG__HAND_HELD);
	check_one_found("hand", table, rests, true);
	DAMAGE(own->hands[5].op, 9, table, "what its thread holds makes no sense", false);
	atomic_store(&own->hands[5].ref, in->parts.end);
	DAMAGE(own->hands[5].op, MDG__HAND_HELD, table, "what its thread holds makes no sense",
	       false);
	atomic_store(&own->hands[5].ref, 0);
}

static void damage_roots(void)
{
	struct mdg__heap_root *one = &in->root[0], *two = &in->root[1];
	uint64_t right = *root;
	const char *text = "refers to no block that is allocated";
	*root = right + 17000 * 16; /* free */
	check_one_found("root", MDG_HEAP_FOUND_ROOT, text, true);
	CHECK(*root == 0);
	*root = in->parts.end;
	check_one_found("root", MDG_HEAP_FOUND_ROOT, text, true);
	const uint64_t fine[] = { right, right + 8, mdg_ref_of(heap, span),
		                  mdg_ref_of(heap, span) + 200000,
		                  mdg_ref_of(heap, medium) + 19990 };
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
		*root = fine[i];
		check_clean();
	}
	*root = right;
	DAMAGE(one->name[0], 0, MDG_HEAP_FOUND_TABLE, "its name is no text", false);
	DAMAGE(one->name[5], UINT64_MAX, MDG_HEAP_FOUND_TABLE, "its name is no text", false);
	for (int i = 0; i < 6; i++)
		atomic_store(&two->name[i], atomic_load(&one->name[i]));
	DAMAGE(two->state, 1, MDG_HEAP_FOUND_TABLE, "another root has the same name", false);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static void wait_for(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child);
}

static void deaths(void)
{
	pid_t child = fork();
	if (child == 0) {
		(void)mdg_hold(heap, 500);
		(void)kill(getpid(), SIGKILL);
	}
	wait_for(child);
	check_one_found("death", MDG_HEAP_FOUND_DEAD, "what it had is not given back", true);
	child = fork();
	if (child == 0) {
		mdg__sigmask mask;
		if (mdg__heap_lock(in, &mask) == 0)
			(void)kill(getpid(), SIGKILL);
	}
	wait_for(child);
	check_one_found("lock", MDG_HEAP_FOUND_LOCK, "a thread has died that held the lock", true);
}

/* ---- who only looks, and what is refused ----------------------------------------------------- */

static int look_only(void)
{
	check_failures = 0;
	struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_RDONLY };
	heap = heap_open("check", &options);
	in = mdg__heap_of(heap);
	check_clean();
	CHECK(mdg_heap_check(heap, MDG_CHECK_REPAIR, NULL, NULL) == -EROFS);
	return test_result();
}

/* Another process damages the heap; one that only looks finds it. */
static int look_at_damage(void)
{
	check_failures = 0;
	struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_RDONLY };
	heap = heap_open("check", &options);
	in = mdg__heap_of(heap);
	struct findings findings = check_heap(0);
	CHECK(findings.count == 2 && findings.kind == MDG_HEAP_FOUND_TABLE);
	return test_result();
}

static void run(int (*look_)(void))
{
	int status;
	pid_t child = fork();
	if (child == 0)
		_exit(look_());
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int stop(const struct mdg_heap_finding *finding, void *context)
{
	(void)finding;
	return ++*(int *)context;
}

static void others(void)
{
	int count = 0;
	run(look_only);
	uint64_t word = atomic_load(&in->heads[unit_of(span)]);
	uint64_t committed = atomic_load(&in->head->committed);
	atomic_store(&in->heads[unit_of(span)], 77);
	atomic_store(&in->head->committed, 3);
	run(look_at_damage);
	CHECK(mdg_heap_check(heap, 0, stop, &count) == 1 && count == 1);
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 2);
	atomic_store(&in->heads[unit_of(span)], word);
	atomic_store(&in->head->committed, committed);
	CHECK(mdg_heap_check(heap, 2, NULL, NULL) == -EINVAL);
	check_clean();
}

/* ---- beside threads -------------------------------------------------------------------------- */

enum { THREADS = 3, PLACES = 64 };
static _Atomic uint32_t end;
static mdg_ref *places;

static void *work(void *argument)
{
	uint64_t random = (uintptr_t)argument;
	void *old;
	while (atomic_load(&end) == 0) {
		mdg_ref *place = &places[next_random(&random) % PLACES];
		uint32_t size = next_random(&random);
		size = size % 50 == 0 ? 200000 : size % 10 == 0 ? 15000 : size % 700;
		void *block = mdg_hold(heap, size);
		if (block == NULL)
			continue;
		if (mdg_swap(heap, block, place, &old) == 0)
			(void)mdg_free(heap, old);
		else
			(void)mdg_free(heap, block);
		(void)mdg_free(heap, mdg_alloc(heap, size));
		block = mdg_take(heap, place);
		(void)mdg_free(heap, block);
	}
	return NULL;
}

static void beside_threads(void)
{
	pthread_t threads[THREADS];
	places = mdg_alloc_zeroed(heap, PLACES, sizeof *places);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
	for (int i = 0; i < 300; i++)
		check_clean();
	struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_RDONLY };
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();
		if (child == 0) {
			check_failures = 0;
			in = mdg__heap_of(heap = heap_open("check", &options));
			for (int n = 0; n < 20; n++)
				check_clean();
			_exit(test_result());
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	atomic_store(&end, 1);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	(void)mdg_heap_sweep(heap);
	check_clean();
}

int main(void)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 64 << 20 };
	enter_namespace();
	in = mdg__heap_of(heap = heap_open("check", &options));
	check_clean();
	fill();
	damage_head();
	damage_units();
	damage_slabs();
	damage_labels();
	damage_slots();
	damage_roots();
	deaths();
	others();
	beside_threads();
	mdg_heap_close(heap);
	return test_result();
}
