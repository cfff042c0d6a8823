/* SPDX-License-Identifier: MIT */
/*
 * jemalloc.c - jemalloc, private to a process.
 */
#define NAME    "jemalloc"
#define LIBRARY JEMALLOC_LIBRARY
#define TAKE    "malloc"
#define GIVE    "free"
#include "bench/heap/opened.h"

const struct heap_side *heap_side_jemalloc(void)
{
	return opened_side();
}
