/* SPDX-License-Identifier: MIT */
/*
 * objects_fuzzer - each call on a damaged set of semaphores or message queue.
 *
 * The input's first byte says which of the two; the rest is a list of edits as struct edit has
 * them (mutation.h), made to the saved memory. `fuzz_objects --save DIRECTORY` writes inputs to
 * begin with.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/objects.h"
#include "fuzz/target.h"

static struct objects objects;
static struct caller caller;
static mdg_namespace *ns;

static void tidy_up(void)
{
	objects_remove(&objects);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	objects_make(&objects);
	atexit(tidy_up);
	caller = (struct caller){ .progress = progress_new(), .aborts = true };
	if (mdg_namespace_open(&ns, objects.path, NULL) < 0)
		exit(1);
	return 0;
}

/* The edits, none beyond the memory, each of a width that there is. */
static void read_edits(struct mutation *mutation, uint32_t room, const uint8_t *data, size_t size)
{
	mutation->count = 0;
	while (size >= sizeof(struct edit) && mutation->count < EDITS_MAX) {
		struct edit edit;
		memcpy(&edit, data, sizeof edit);
		data += sizeof edit;
		size -= sizeof edit;
		edit.width = edit.width % 3 == 0 ? 1 : edit.width % 3 == 1 ? 4 : 8;
		edit.offset %= room - 8;
		mutation->edits[mutation->count++] = edit;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mutation mutation;
	if (size == 0)
		return 0;
	enum object_kind kind = data[0] % OBJECT_KINDS;
	read_edits(&mutation, objects.of[kind].size, data + 1, size - 1);
	object_damage(&objects, kind, &mutation, 0);
	caller.dice = dice_of(1, size);
	call_start(&caller);
	object_call(&caller, &objects, kind, ns);
	return 0;
}
