/* SPDX-License-Identifier: MIT */
/*
 * watched.h - what is looked at for points (sync/points/step.h) lies scattered in the heap. Here
 * its pieces are copied together.
 */
#ifndef MADANG_TESTS_HEAP_WATCHED_H
#define MADANG_TESTS_HEAP_WATCHED_H

#include "support/check.h"

enum { PIECES = 40, WATCHED_MOST = 32 << 10 };

static struct {
	const void *at;
	size_t size;
} pieces[PIECES];
static unsigned piece_count;
static unsigned char watched[WATCHED_MOST];
static size_t watched_size;

/* For step_refresh. */
static void refresh(void)
{
	size_t at = 0;
	for (unsigned i = 0; i < piece_count; at += pieces[i++].size)
		memcpy(watched + at, pieces[i].at, pieces[i].size);
}

static void watch(const void *at, size_t size)
{
	if (!CHECK(piece_count < PIECES && watched_size + size <= sizeof watched))
		exit(1);
	pieces[piece_count].at = at;
	pieces[piece_count++].size = size;
	watched_size += size;
}

static void watch_nothing(void)
{
	piece_count = 0;
	watched_size = 0;
}

#endif
