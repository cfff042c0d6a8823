/* SPDX-License-Identifier: MIT */
/*
 * checked.h - what the tests of checked heaps share: what is found, and the heap they use.
 */
#ifndef MADANG_TESTS_HEAP_CHECKED_H
#define MADANG_TESTS_HEAP_CHECKED_H

#include "heap/heap.h"

#include "heap/guard.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static mdg_heap *heap;
static struct mdg__heap *in;

/* ---- what is found --------------------------------------------------------------------------- */

static struct {
	int count;
	uint32_t kind; /* of the last one */
	mdg_ref ref;
	char text[160];
} found;

static int note(const struct mdg_heap_finding *finding, void *context)
{
	(void)context;
	found.count++;
	found.kind = finding->kind;
	found.ref = finding->ref;
	memcpy(found.text, finding->text, sizeof found.text);
	return 0;
}

__attribute__((unused)) static int finds(unsigned flags)
{
	memset(&found, 0, sizeof found);
	return mdg_heap_check(heap, flags, note, NULL);
}

#define CHECK_CLEAN()                                                                              \
	do {                                                                                       \
		if (!CHECK(finds(0) == 0))                                                         \
			fprintf(stderr, "found: %s\n", found.text);                                \
	} while (0)

/* This block, in this way, and nothing else. */
#define CHECK_FINDS(block, what, words)                                                            \
	do {                                                                                       \
		if (!CHECK(finds(0) == 1 && found.kind == MDG_HEAP_FOUND_##what &&                 \
		           found.ref == mdg_ref_of(heap, block) &&                                 \
		           strstr(found.text, words) != NULL))                                     \
			fprintf(stderr, "found %d: %s\n", found.count, found.text);                \
	} while (0)

/* It is mended at once, and nothing is left. */
#define CHECK_MENDS()                                                                              \
	do {                                                                                       \
		if (!CHECK(finds(MDG_CHECK_REPAIR) == 0 && found.count == 1))                      \
			fprintf(stderr, "left: %s\n", found.text);                                 \
		CHECK_CLEAN();                                                                     \
	} while (0)

__attribute__((unused)) static void begin(const char *name, uint64_t maximum)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = maximum,
		                            .flags = MDG_HEAP_CHECKED };
	in = mdg__heap_of(heap = heap_open(name, &options));
}

__attribute__((unused)) static void end(const char *name)
{
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, name) == 0);
}

__attribute__((unused)) static bool is_filled(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0xa5)
			return false;
	return true;
}

__attribute__((unused)) static pid_t child_of(void (*body)(void *), void *argument, int how)
{
	pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		body(argument);
		if (how == SIGKILL)
			(void)kill(getpid(), SIGKILL);
		_exit(test_result());
	}
	return child;
}

__attribute__((unused)) static void in_process(void (*body)(void *), void *argument, int how)
{
	int status = 0;
	pid_t child = child_of(body, argument, how);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(how == SIGKILL ? WTERMSIG(status) == SIGKILL : status == 0);
}

#endif
