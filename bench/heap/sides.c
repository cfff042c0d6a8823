/* SPDX-License-Identifier: MIT */
/*
 * sides.c - the allocators that take part: those that the program was built with and that work
 * here.
 */
#include "bench/heap/heap.h"

#include <stdlib.h>
#include <unistd.h>

static const struct heap_side *sides[HEAP_SIDES];

const struct heap_side *heap_side(int number)
{
	return sides[number];
}

const char *heap_side_name(int number)
{
	static const char *const names[] = { "madang", "mimalloc", "libc", "jemalloc",
		                             "boost",  "apr-rmm",  "mm",   "glib" };

	return sides[number] != NULL ? sides[number]->name : names[number];
}

/* Madang's side becomes mimalloc's: every ratio to it should be 1. */
static void control_sides(void)
{
	static struct heap_side again;

	if (sides[HEAP_MIMALLOC] == NULL)
		return;
	again = *sides[HEAP_MIMALLOC];
	again.name = "mimalloc-a";
	sides[HEAP_MADANG] = &again;
}

void heap_sides_room(char **argv)
{
#ifdef WITH_JEMALLOC
	/* An overwritten tunable of the user's would be worse than a side that is missing. */
	if (getenv("GLIBC_TUNABLES") != NULL)
		return;
	setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=16384", 1);
	execv("/proc/self/exe", argv);
#else
	(void)argv;
#endif
}

void heap_sides_open(bool control)
{
	sides[HEAP_MADANG] = heap_side_madang();
	sides[HEAP_GLIBC] = heap_side_glibc();
#ifdef WITH_MIMALLOC
	sides[HEAP_MIMALLOC] = heap_side_mimalloc();
#endif
#ifdef WITH_JEMALLOC
	sides[HEAP_JEMALLOC] = heap_side_jemalloc();
#endif
#ifdef WITH_BOOST
	sides[HEAP_BOOST] = heap_side_boost();
#endif
#ifdef WITH_RMM
	sides[HEAP_RMM] = heap_side_rmm();
#endif
#ifdef WITH_MM
	sides[HEAP_MM] = heap_side_mm();
#endif
#ifdef WITH_GLIB
	sides[HEAP_GLIB] = heap_side_glib();
#endif
	if (control)
		control_sides();
}
