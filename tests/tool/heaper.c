/* SPDX-License-Identifier: MIT */
/*
 * heaper.c - heaps for the tool to look at.
 *
 *     heaper DIR make NAME    makes one with labels: 10 blocks of 64 bytes with tag 5, a large
 *                             block, a root; a dead child has left 3 blocks with tag 7, and
 *                             holds one
 *     heaper DIR plain NAME   makes one without labels, and nothing in it
 *     heaper DIR large NAME   makes one with labels, as large as heaps are mostly
 *     heaper DIR checked NAME makes a checked one with tag 3: a block is overrun, another one was
 *                             and could not be freed, and one is written to after it was freed
 *     heaper DIR busy NAME    makes one with a home address, where a process is at work: it is in a
 *                             read section, has retired a block, fills a root, and has 20 MiB that
 *                             are free; other roots contain nothing, and no block
 *     heaper DIR damage NAME  says in its head that it has another number of units
 *     heaper DIR unlike NAME  says in its head that it is of another version
 *     heaper DIR headless NAME  says in its head that it has no units, which cannot be
 *     heaper DIR blocks NAME  makes the map "blocks" in the heap, with a block as the value of "b"
 *     heaper DIR mapless NAME writes over the head of the map "broken" of the heap
 *
 * `make` says "ready PID CHILD" on stdout, then waits for the end of its input. So does `busy`,
 * with 0 in place of the child. Exit 2: it could not.
 */
#include <madang/heap.h>
#include <madang/segment.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/map_internal.h"

static mdg_namespace *ns;
static mdg_heap *heap;
static bool is_large;

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "heaper: %s\n", what);
	exit(2);
}
#define MUST(expression) must((expression), #expression)

static void open_heap(const char *name, uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options, .flags = flags };

	if ((flags & MDG_HEAP_EXISTING) == 0 && !is_large) {
		options.maximum = 64 << 20;
		options.threads = 16;
	}
	int rc = mdg_heap_open(&heap, ns, name, &options);
	must(rc == 0, mdg_strerror(rc));
}

static pid_t child_dies(void)
{
	pid_t child = fork();

	if (child == 0) {
		(void)mdg_alloc_tag(heap, 7);
		for (int i = 0; i < 3; i++)
			MUST(mdg_alloc(heap, 1000) != NULL);
		MUST(mdg_hold(heap, 500) != NULL);
		(void)kill(getpid(), SIGKILL);
	}
	MUST(waitpid(child, NULL, 0) == child);
	return child;
}

/* Until its input ends. */
static void stay(pid_t child)
{
	char end;

	printf("ready %d %d\n", (int)getpid(), (int)child);
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
}

static void be_busy(void)
{
	enum { LARGE = 10, BYTES = 2 << 20 };
	mdg_ref *empty, *wrong, *filling;
	void *large[LARGE];

	MUST(mdg_root(heap, "empty", 1, 1, &empty, 0) == MDG_ROOT_NEW);
	MUST(mdg_publish(heap, mdg_hold(heap, 10), empty, 0) == 0);
	MUST(mdg_read_begin(heap) == 0);
	MUST(mdg_retire(heap, mdg_take(heap, empty)) == 0);
	MUST(mdg_root(heap, "wrong", 2, 1, &wrong, 0) == MDG_ROOT_NEW);
	MUST(mdg_publish(heap, mdg_hold(heap, 10), wrong, 0) == 0);
	MUST(mdg_free(heap, mdg_at(heap, *wrong)) == 0);
	MUST(mdg_root(heap, "filling", 3, 1, &filling, 0) == MDG_ROOT_NEW);
	for (int i = 0; i < LARGE; i++)
		MUST((large[i] = mdg_alloc(heap, BYTES)) != NULL);
	for (int i = 0; i < LARGE; i++)
		MUST(mdg_free(heap, large[i]) == 0);
	stay(0);
}

static void make(void)
{
	mdg_ref *root;

	(void)mdg_alloc_tag(heap, 5);
	for (int i = 0; i < 10; i++)
		MUST(mdg_alloc(heap, 64) != NULL);
	MUST(mdg_alloc(heap, 300000) != NULL);
	MUST(mdg_root(heap, "tree", 0x74726565, 3, &root, 0) == MDG_ROOT_NEW);
	MUST(mdg_publish(heap, mdg_hold(heap, 200), root, 0) == 0);
	stay(child_dies());
}

static void make_blocks(void)
{
	struct mdg_map_options options = { .size = sizeof options, .flags = MDG_MAP_REFS };
	mdg_map *map = NULL;
	char *block = mdg_hold(heap, 16);
	void *old;

	MUST(block != NULL && mdg_map_open(&map, heap, "blocks", &options) == 0);
	memcpy(block, "0123456789abcdef", 16);
	MUST(mdg_map_put_ref(map, "b", 1, block, &old) == 0);
	mdg_map_close(map);
}

static void break_map(void)
{
	mdg_map *map;

	MUST(mdg_map_open(&map, heap, "broken", NULL) == 0);
	MDG__STORE(map->head->magic, 0);
	mdg_map_close(map);
}

static void make_checked(void)
{
	char *block[3];

	(void)mdg_alloc_tag(heap, 3);
	for (int i = 0; i < 3; i++)
		MUST((block[i] = mdg_alloc(heap, 20)) != NULL);
	for (int i = 0; i < 2; i++)
		strcpy(block[i], "twenty bytes, and 0.");
	MUST(mdg_free(heap, block[1]) == MDG_OVERRUN && mdg_free(heap, block[2]) == 0);
	block[2][5] = 0;
	printf("%d\n", (int)getpid());
}

int main(int argc, char **argv)
{
	MUST(argc == 4 && mdg_namespace_open(&ns, argv[1], NULL) == 0);
	if (strcmp(argv[2], "make") == 0) {
		open_heap(argv[3], MDG_HEAP_LABELS);
		make();
	} else if (strcmp(argv[2], "busy") == 0) {
		open_heap(argv[3], MDG_HEAP_HOME);
		be_busy();
	} else if (strcmp(argv[2], "plain") == 0) {
		open_heap(argv[3], 0);
	} else if (strcmp(argv[2], "large") == 0) {
		is_large = true;
		open_heap(argv[3], MDG_HEAP_LABELS);
		MUST(mdg_alloc(heap, 64) != NULL);
	} else if (strcmp(argv[2], "checked") == 0) {
		open_heap(argv[3], MDG_HEAP_CHECKED);
		make_checked();
	} else if (strcmp(argv[2], "unlike") == 0) {
		open_heap(argv[3], MDG_HEAP_EXISTING);
		MDG__STORE(mdg__heap_of(heap)->head->format, MDG__HEAP_FORMAT + 1);
	} else if (strcmp(argv[2], "headless") == 0) {
		open_heap(argv[3], MDG_HEAP_EXISTING);
		MDG__STORE(mdg__heap_of(heap)->head->capacity, 0);
	} else if (strcmp(argv[2], "blocks") == 0) {
		open_heap(argv[3], MDG_HEAP_EXISTING);
		make_blocks();
	} else if (strcmp(argv[2], "mapless") == 0) {
		open_heap(argv[3], MDG_HEAP_EXISTING);
		break_map();
	} else {
		open_heap(argv[3], MDG_HEAP_EXISTING);
		MDG__STORE(mdg__heap_of(heap)->head->committed, 1);
	}
	mdg_heap_close(heap);
	return 0;
}
