/* SPDX-License-Identifier: MIT */
/*
 * Pointers that lead nowhere, for the results of the calls on segments: SIGSEGV at worst. Then no
 * lock is held and no signal is blocked: a handler runs, and may jump out. The next call of this
 * process and of another one works at once.
 */
#include "badinput/place.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static mdg_namespace *ns;
static mdg_id segment;
static void *nowhere;
static sigjmp_buf back;

/* ---- the calls ------------------------------------------------------------------------ */

static void segment_get(void)
{
	(void)mdg_segment_get(ns, 4711, 100, MDG_CREATE | 0600, nowhere);
}
static void segment_create(void)
{
	(void)mdg_segment_create(ns, "named", 100, 0600, 0, nowhere);
}
static void segment_open(void)
{
	(void)mdg_segment_open(ns, "named", 0, 0600, nowhere);
}
static void segment_attach(void)
{
	(void)mdg_segment_attach(ns, segment, NULL, 0, nowhere);
}
static void segment_stat(void)
{
	(void)mdg_segment_stat(ns, segment, 0, nowhere);
}

static void (*const calls[])(void) = { segment_get, segment_create, segment_open, segment_attach,
	                               segment_stat };

/* ---- afterwards ----------------------------------------------------------------------- */

static void jump(int number)
{
	siglongjmp(back, number);
}

static void works(void *unused)
{
	mdg_id id = -1;
	void *memory = NULL;
	(void)unused;
	CHECK_CODE(0, mdg_segment_get(ns, 4711, 100, MDG_CREATE | 0600, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

static void lives_on(void *call)
{
	volatile int jumped = 0;
	signal(SIGSEGV, jump);
	if (sigsetjmp(back, 1) == 0)
		(*(void (*const *)(void))call)();
	else
		jumped = 1;
	CHECK(jumped == 1);
	works(NULL);
}

static void try_all(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 100, 0600, 0, &segment));
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		CHECK(in_child(lives_on, (void *)(uintptr_t)&calls[i]));
		CHECK(in_child(works, NULL));
	}
}

int main(void)
{
	place_make();
	nowhere = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(nowhere != MAP_FAILED);
	CHECK(in_child(try_all, NULL));
	return test_result();
}
