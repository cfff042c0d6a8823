/* SPDX-License-Identifier: MIT */
/*
 * scene.h - a small namespace in which everything occurs, and which one copy can
 * put back to what it was.
 *
 * It has
 *   - segments with keys, with a name, and with neither,
 *   - a segment that was removed while it is attached,
 *   - a segment whose maker was killed in the middle,
 *   - a living process, the holder, which has some of the segments attached and
 *     makes no further call,
 *   - a dead process that nobody has noticed yet.
 *
 * Its registry and its data files are saved when it is made. scene_restore()
 * copies the registry back into the same file, which processes may have mapped,
 * and puts the data files there again, the same inodes.
 *
 * The namespace may be one that users share. There the data files also have owners
 * and modes. They are made anew, with other inodes, and the registry is told.
 */
#ifndef MADANG_TESTS_FUZZ_SCENE_H
#define MADANG_TESTS_FUZZ_SCENE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "madang/segment.h"

enum { SCENE_SEGMENTS = 6, SCENE_KEY = 0x1000 };

struct scene {
	char directory[256]; /* made for the scene; holds the two below */
	char path[272];      /* the namespace */
	char saved[272];     /* hard links to its data files */
	mdg_id ids[SCENE_SEGMENTS];
	uint64_t sizes[SCENE_SEGMENTS];
	unsigned char *image, *map; /* the registry as it was, and as it is */
	size_t size;
	pid_t holder;
	int lifeline; /* the holder ends when this is closed */
	bool shared;  /* between users */
};

/* Exits the program when it cannot. */
void scene_make(struct scene *scene, bool shared);
void scene_restore(const struct scene *scene);
void scene_remove(struct scene *scene);

#endif
