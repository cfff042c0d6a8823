/* SPDX-License-Identifier: MIT */
/*
 * hook.c - puts a program of somebody else's on a heap. It opens the heap before main, gives it to
 * the library that the program uses (HOOK_SQLITE, HOOK_LIBXML2), and looks at the end that nothing
 * is wrong in the heap. Otherwise the program's malloc is this file's (see hook.h).
 *
 * On standard error it says how many blocks there were at most, so that one can see that the heap
 * was used.
 */
#include "tests/heap/heap.h"

#if defined(HOOK_SQLITE)
#include <sqlite3.h>
#elif defined(HOOK_LIBXML2)
#include <libxml/xmlmemory.h>
#endif

static mdg_heap *heap;
static pid_t owner;
static unsigned long allocated;

void *hook_malloc(size_t size);
void *hook_calloc(size_t count, size_t size);
void *hook_realloc(void *block, size_t size);
void hook_free(void *block);
char *hook_strdup(const char *text);

/* A program's tests may allocate before this file's constructor has run. */
static void enter(void)
{
	struct mdg_heap_options options = { .size = sizeof options };

	enter_namespace();
	heap = heap_open("hook", &options);
	owner = getpid();
}

static mdg_heap *the_heap(void)
{
	if (heap == NULL)
		enter();
	return heap;
}

void *hook_malloc(size_t size)
{
	allocated++;
	return mdg_alloc(the_heap(), size);
}

void *hook_calloc(size_t count, size_t size)
{
	allocated++;
	return mdg_alloc_zeroed(the_heap(), count, size);
}

/* To 0 bytes: as glibc's. */
void *hook_realloc(void *block, size_t size)
{
	if (block != NULL && size == 0) {
		hook_free(block);
		return NULL;
	}
	allocated += block == NULL;
	return mdg_realloc(the_heap(), block, size);
}

void hook_free(void *block)
{
	int rc = mdg_free(the_heap(), block);

	if (rc != 0) {
		fprintf(stderr, "hook: free of %p: %s\n", block, mdg_strerror(rc));
		_exit(1);
	}
}

char *hook_strdup(const char *text)
{
	char *copy = hook_malloc(strlen(text) + 1);

	return copy != NULL ? strcpy(copy, text) : NULL;
}

#if defined(HOOK_SQLITE)

static void *sql_alloc(int size)
{
	return hook_malloc((size_t)size);
}
static void *sql_realloc(void *block, int size)
{
	return hook_realloc(block, (size_t)size);
}
static int sql_size(void *block)
{
	return (int)mdg_usable_size(heap, block);
}
static int sql_round(int size)
{
	return (size + 15) & ~15;
}
static int sql_begin(void *context)
{
	(void)context;
	return SQLITE_OK;
}
static void sql_end(void *context)
{
	(void)context;
}

static void give_to_library(void)
{
	static const sqlite3_mem_methods methods = { sql_alloc, hook_free, sql_realloc, sql_size,
		                                     sql_round, sql_begin, sql_end,     NULL };

	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
		_exit(1);
}

#elif defined(HOOK_LIBXML2)

static void give_to_library(void)
{
	if (xmlMemSetup(hook_free, hook_malloc, hook_realloc, hook_strdup) != 0)
		_exit(1);
}

#else

static void give_to_library(void)
{
}

#endif

__attribute__((constructor)) static void begin(void)
{
	the_heap();
	give_to_library();
}

__attribute__((destructor)) static void end(void)
{
	if (getpid() != owner)
		return;
	fprintf(stderr, "hook: %lu blocks\n", allocated);
	if (allocated == 0 || look(heap).wrong != 0 || mdg_heap_check(heap, 0, NULL, NULL) != 0)
		_exit(1);
}
