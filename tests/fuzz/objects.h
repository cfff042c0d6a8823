/* SPDX-License-Identifier: MIT */
/*
 * objects.h - a set of semaphores and a message queue whose memory is damaged, and every call on
 * them.
 *
 * Both are in use when their memory is saved: a process has UNDO, others sleep, and some were
 * killed in the middle. Those that live are stopped from then on. A damage is a list of edits
 * (mutation.h) that is written over the saved memory. A call may return an error then, and a set
 * or queue may be gone. No call may crash or hang (calls.h says when one hangs), and a set and a
 * queue beside them keep what they hold.
 */
#ifndef MADANG_TESTS_FUZZ_OBJECTS_H
#define MADANG_TESTS_FUZZ_OBJECTS_H

#include "fuzz/calls.h"
#include "fuzz/mutation.h"

enum object_kind { OBJECT_SET, OBJECT_QUEUE, OBJECT_KINDS };

struct object {
	mdg_id id, beside; /* damaged, and not */
	unsigned char *image;
	uint32_t size;
	char path[600]; /* its file */
	pid_t people[8];
	unsigned count;
};

struct objects {
	char directory[256], path[272];
	struct object of[OBJECT_KINDS];
};

/* Where a namespace can be made, and nothing in it. Exits the program when it cannot. */
void objects_begin(struct objects *objects);
/* Both of them. The calling process does not open the namespace. */
void objects_make(struct objects *objects);
void objects_remove(struct objects *objects);

/* A new one in the place of one that is gone. */
void object_again(struct objects *objects, enum object_kind kind, mdg_namespace *ns);

/* A damage that knows where things lie. */
void object_draw(const struct objects *objects, enum object_kind kind, struct dice *dice,
                 struct mutation *ret);
/* The saved memory with the edits, in the file. `length`: what the file has then; 0: all. Then no
 * process may have it mapped. */
void object_damage(struct objects *objects, enum object_kind kind, const struct mutation *mutation,
                   uint32_t length);
/* All calls once. A set or queue that was removed by them is made anew. */
void object_call(struct caller *caller, struct objects *objects, enum object_kind kind,
                 mdg_namespace *ns);

#endif
