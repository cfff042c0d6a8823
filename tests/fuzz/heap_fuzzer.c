/* SPDX-License-Identifier: MIT */
/*
 * heap_fuzzer - calls on a heap and its maps, and damage to their memory in between.
 *
 * The input is a list of steps (heap_scene.h). The first one says which kind of heap it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/heap_scene.h"
#include "fuzz/objects.h"
#include "fuzz/target.h"

enum { STEPS_MOST = 256 };

static struct objects where;
static struct caller caller;
static struct heap_scene scene = { .caller = &caller };

static void tidy_up(void)
{
	objects_remove(&where);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	objects_begin(&where);
	atexit(tidy_up);
	caller = (struct caller){ .progress = progress_new(), .aborts = true };
	if (mdg_namespace_open(&scene.ns, where.path, NULL) < 0)
		exit(1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct step steps[STEPS_MOST];
	size_t count = size / sizeof *steps < STEPS_MOST ? size / sizeof *steps : STEPS_MOST;
	if (count == 0)
		return 0;
	memcpy(steps, data, count * sizeof *steps);
	heap_time_begin();
	call_start(&caller);
	heap_scene_open(&scene, steps);
	for (size_t at = 1; at < count && scene.heap != NULL;)
		at += heap_scene_step(&scene, steps + at, count - at);
	heap_scene_close(&scene);
	return 0;
}
