/* SPDX-License-Identifier: MIT */
/*
 * charged.c - segments that take their memory as they grow: what they count in the totals of the
 * namespace, attached at an aligned address, and far longer than all memory there is.
 *
 * The count is right whenever a process is killed while it says it: the entry and the total tell
 * the same.
 */
#include "unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "segment/internal.h"
#include "sync/points/step.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
enum { SANITIZED_RUN = 1 };
#else
enum { SANITIZED_RUN = 0 };
#endif

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

static mdg_namespace *ns;
static uint64_t page;

static uint64_t total(void)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	return info.pages_total * page;
}

static mdg_id make(const char *name, uint64_t size)
{
	mdg_id id = -1;
	CHECK_RC(0,
	         mdg__segment_create(ns, name, size, 0600, MDG_NORESERVE, MDG__KIND_HEAP, 0, &id));
	return id;
}

/* ---- counting ------------------------------------------------------------------- */

static void counts(void)
{
	mdg_id plain = -1, heap = make("grows", 64 * MIB);
	CHECK(total() == 0);
	CHECK_RC(0, mdg__segment_charge(ns, heap, 3 * MIB));
	CHECK(total() == 3 * MIB);
	CHECK_RC(0, mdg__segment_charge(ns, heap, 3 * MIB)); /* the same once more */
	CHECK(total() == 3 * MIB);
	CHECK_RC(0, mdg__segment_charge(ns, heap, MIB + 1)); /* whole pages */
	CHECK(total() == MIB + page);
	CHECK_RC(0, mdg__segment_charge(ns, heap, 64 * MIB));
	CHECK_RC(-EINVAL, mdg__segment_charge(ns, heap, 64 * MIB + 1));
	CHECK(total() == 64 * MIB);
	CHECK_RC(-EINVAL, mdg__segment_charge(ns, heap + 1, MIB));
	CHECK_RC(-EINVAL, mdg__segment_charge(ns, -1, MIB));
	/* Others count by their length, and cannot say anything else. */
	CHECK_RC(0, mdg_segment_create(ns, "plain", MIB, 0600, MDG_NORESERVE, &plain));
	CHECK_RC(-EINVAL, mdg__segment_charge(ns, plain, 0));
	CHECK(total() == 65 * MIB);
	CHECK_RC(0, mdg_segment_remove(ns, plain));
	CHECK_RC(0, mdg_segment_remove(ns, heap));
	CHECK(total() == 0);
	CHECK_RC(-EINVAL, mdg__segment_charge(ns, heap, MIB));
}

/* A segment that is removed while somebody has it goes on, and counts until it is gone. */
static void removed(void)
{
	void *memory = NULL;
	mdg_id heap = make("removed", 64 * MIB);
	CHECK_RC(0, mdg_segment_attach(ns, heap, NULL, 0, &memory));
	CHECK_RC(0, mdg__segment_charge(ns, heap, MIB));
	CHECK_RC(0, mdg_segment_remove(ns, heap));
	CHECK(total() == MIB);
	CHECK_RC(0, mdg__segment_charge(ns, heap, 2 * MIB));
	CHECK(total() == 2 * MIB);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK(total() == 0);
}

static void limited(void)
{
	struct mdg_namespace_options options = unit_options(0);
	mdg_namespace *all = ns;
	mdg_id plain = -1;
	options.shmall = 4 * MIB / page;
	ns = unit_open("limited", &options);
	mdg_id heap = make("grows", 64 * MIB); /* its length does not count */
	CHECK_RC(0, mdg__segment_charge(ns, heap, 4 * MIB));
	CHECK_RC(-ENOSPC, mdg__segment_charge(ns, heap, 4 * MIB + 1));
	CHECK_RC(-ENOSPC, mdg_segment_create(ns, "plain", 1, 0600, 0, &plain));
	CHECK_RC(0, mdg__segment_charge(ns, heap, 3 * MIB));
	CHECK_RC(0, mdg_segment_create(ns, "plain", MIB, 0600, MDG_NORESERVE, &plain));
	CHECK_RC(-ENOSPC, mdg__segment_charge(ns, heap, 3 * MIB + 1));
	CHECK_RC(0, mdg__segment_charge(ns, heap, MIB));
	CHECK(total() == 2 * MIB);
	mdg_namespace_close(ns);
	ns = all;
}

/* What a process that died had alone is given back when the limit is reached. */
static void dead_hold_nothing(void)
{
	struct mdg_namespace_options options = unit_options(0);
	mdg_namespace *all = ns;
	options.shmall = 4 * MIB / page;
	ns = unit_open("dead", &options);
	mdg_id heap = make("grows", 64 * MIB), other = make("other", 64 * MIB);
	void *memory = NULL;
	pid_t child = fork();
	if (child == 0) {
		if (mdg_segment_attach(ns, other, NULL, 0, &memory) != 0 ||
		    mdg__segment_charge(ns, other, 4 * MIB) != 0 ||
		    mdg_segment_remove(ns, other) != 0)
			_exit(1);
		raise(SIGKILL);
	}
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	CHECK_RC(0, mdg__segment_charge(ns, heap, 4 * MIB));
	mdg_namespace_close(ns);
	ns = all;
}

static void kills(void)
{
	mdg_id heap = make("killed", 64 * MIB);
	const int rounds = 100;
	for (int round = 0; round < rounds; round++) {
		pid_t child = fork();
		if (child == 0)
			for (uint64_t i = 0;; i++)
				(void)mdg__segment_charge(ns, heap, i % 64 * MIB);
		const struct timespec pause = { 0, 1000000 + round * 5003 };
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		uint64_t before = total();
		CHECK(before <= 64 * MIB && before % MIB == 0);
		if (!unit_is_sound(ns))
			break;
	}
	CHECK_RC(0, mdg__segment_charge(ns, heap, 5 * MIB));
	CHECK(total() == 5 * MIB);
	CHECK_RC(0, mdg_segment_remove(ns, heap));
	CHECK(total() == 0);
}

static mdg_id stepped_heap;

static void charge_stepped(void *unused)
{
	(void)unused;
	(void)mdg__segment_charge(ns, stepped_heap, MIB); /* it has what it needs */
	step_begins();
	(void)mdg__segment_charge(ns, stepped_heap, 7 * MIB);
	step_ends();
}

/* Killed after each store to the registry's head, where its journal is. */
static void points(void)
{
	static struct step step;
	const char *reason;
	enum step_event event = STEP_POINT;
	unsigned point = first_point();
	if (!step_possible(&reason)) {
		printf("no deaths at each store: %s\n", reason);
		return;
	}
	stepped_heap = make("stepped", 64 * MIB);
	for (; event == STEP_POINT && check_failures == 0; point += POINT_STRIDE) {
		if (!CHECK(step_start(&step, ns->registry.head, sizeof(struct mdg__head),
		                      charge_stepped, NULL)))
			return;
		event = step_to(&step, point);
		step_kill(&step);
		uint64_t now = total();
		CHECK(now == MIB || now == 7 * MIB);
		unit_is_sound(ns);
	}
	CHECK(event == STEP_ENDED && (point > 10 || POINT_STRIDE > 1));
	CHECK(total() == 7 * MIB);
	CHECK_RC(0, mdg_segment_remove(ns, stepped_heap));
	CHECK(total() == 0);
}

/* ---- attaching ------------------------------------------------------------------ */

static void aligned(void)
{
	mdg_id heap = make("aligned", 3 * MIB + 5);
	void *memory[3];
	for (int i = 0; i < 3; i++) {
		size_t alignment = (size_t)65536 << (4 * i);
		CHECK_RC(0, mdg__segment_attach_aligned(ns, heap, alignment, 0, &memory[i]));
		CHECK((uintptr_t)memory[i] % alignment == 0);
	}
	*(int *)memory[0] = 42;
	CHECK(*(int *)memory[1] == 42 && *(int *)memory[2] == 42);
	for (int i = 0; i < 3; i++)
		CHECK_RC(0, mdg_segment_detach(ns, memory[i]));
	CHECK_RC(0, mdg__segment_attach_aligned(ns, heap, 65536, MDG_RDONLY, &memory[0]));
	CHECK_RC(0, mdg_segment_detach(ns, memory[0]));
	CHECK_RC(0, mdg_segment_remove(ns, heap));
	CHECK_RC(-EINVAL, mdg__segment_attach_aligned(ns, heap, 65536, 0, &memory[0]));
}

/* Address space is all that a sparse segment takes. */
static void sparse(void)
{
	const uint64_t size = sizeof(void *) == 4 ? GIB / 4 : 100 * GIB;
	mdg_id heap = make("sparse", size);
	void *memory = NULL;
	CHECK_RC(0, mdg__segment_attach_aligned(ns, heap, 65536, 0, &memory));
	((char *)memory)[size - 1] = 1;
	CHECK(unit_stat(ns, heap).resident <= MIB && total() == 0);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	if (!SANITIZED_RUN) {
		const struct rlimit limit = { GIB / 8, RLIM_INFINITY };
		struct rlimit before;
		CHECK(getrlimit(RLIMIT_AS, &before) == 0 && setrlimit(RLIMIT_AS, &limit) == 0);
		CHECK_RC(-ENOMEM, mdg__segment_attach_aligned(ns, heap, 65536, 0, &memory));
		CHECK_RC(-ENOMEM, mdg_segment_attach(ns, heap, NULL, 0, &memory));
		CHECK(setrlimit(RLIMIT_AS, &before) == 0);
	}
	CHECK_RC(0, mdg_segment_remove(ns, heap));
}

int main(void)
{
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	ns = unit_open("charged", NULL);
	counts();
	removed();
	limited();
	dead_hold_nothing();
	kills();
	points();
	aligned();
	sparse();
	mdg_namespace_close(ns);
	return test_result();
}
