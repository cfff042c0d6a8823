/* SPDX-License-Identifier: MIT */
/*
 * scenarios.h - the operations in which a process is killed, and what exists before each of them.
 */
#ifndef MADANG_TESTS_CRASH_SCENARIOS_H
#define MADANG_TESTS_CRASH_SCENARIOS_H

#include "crash/victim.h"
#include "crash/world.h"

struct scenario;

/* What the process that operates has at hand. */
struct scene {
	const struct world *world;
	const struct scenario *scenario;
	bool again; /* the second time, by a process that is not a victim */
	mdg_namespace *ns;
	mdg_id id;
	void *memory, *second;
};

enum {
	SCENARIO_FIRST = 1,   /* nobody has made the namespace yet */
	SCENARIO_CHILD = 2,   /* the forked child is the victim, not its parent */
	SCENARIO_DAMAGED = 4, /* the registry is damaged before, and after a half repair */
	SCENARIO_FILE = 8,    /* a file's mode changes with the entry's, but not in one */
	SCENARIO_MEDDLED = 16 /* others, while it is stopped, change the same segment */
};

struct scenario {
	const char *name;
	unsigned least; /* points: fewer cannot be right */
	unsigned flags;
	/* What else happens in the world before, seen from the test's process. */
	bool (*arrange)(struct world *world);
	/* In the operating process, before and at the operation: 0 or a code. */
	int (*prepare)(struct scene *scene);
	int (*operate)(struct scene *scene);
	struct mdg_namespace_options options;
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* A victim_body, and what a second process does: prepares and operates. */
int scene_body(void *scene);

#endif
