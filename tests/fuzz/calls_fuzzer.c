/* SPDX-License-Identifier: MIT */
/*
 * calls_fuzzer - each call on a mutated registry.
 *
 * Its input is a list of edits as struct edit has them (mutation.h), made to the
 * registry of a small namespace before it is opened; then every call is made.
 * Where mutate.c draws blindly, this follows what is newly reached. `fuzz_mutate
 * --save DIRECTORY` writes inputs to begin with.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/calls.h"
#include "fuzz/mutation.h"
#include "fuzz/scene.h"
#include "fuzz/target.h"

static struct scene scene;
static struct caller caller;

static void tidy_up(void)
{
	scene_remove(&scene);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	scene_make(&scene, false);
	atexit(tidy_up);
	caller = (struct caller){
		.scene = &scene, .progress = progress_new(), .quiet = true, .aborts = true
	};
	return 0;
}

/* The edits, none beyond the registry, each of a width that there is. */
static void read_edits(struct mutation *mutation, const uint8_t *data, size_t size)
{
	mutation->count = 0;
	while (size >= sizeof(struct edit) && mutation->count < EDITS_MAX) {
		struct edit edit;
		memcpy(&edit, data, sizeof edit);
		data += sizeof edit;
		size -= sizeof edit;
		edit.width = edit.width % 3 == 0 ? 1 : edit.width % 3 == 1 ? 4 : 8;
		edit.offset %= (uint32_t)scene.size - 8;
		mutation->edits[mutation->count++] = edit;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mutation mutation;
	read_edits(&mutation, data, size);
	scene_restore(&scene);
	mutation_apply(&mutation, scene.map);
	caller.dice = dice_of(1, size);
	call_start(&caller);
	mdg_namespace *ns = call_open(&caller);
	if (ns == NULL)
		return 0;
	call_everything(&caller, ns);
	call_forget(ns);
	return 0;
}
