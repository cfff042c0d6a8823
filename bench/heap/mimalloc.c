/* SPDX-License-Identifier: MIT */
/*
 * mimalloc.c - Debian's mimalloc, private to a process: what Madang's heap is compared with.
 */
#define NAME    "mimalloc"
#define LIBRARY MIMALLOC_LIBRARY
#define TAKE    "mi_malloc"
#define GIVE    "mi_free"
#include "bench/heap/opened.h"

const struct heap_side *heap_side_mimalloc(void)
{
	return opened_side();
}
