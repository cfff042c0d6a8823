/* SPDX-License-Identifier: MIT */
/*
 * scenes.h - the scenarios of each object, and what they have of each other.
 */
#ifndef MADANG_TESTS_SYNC_POINTS_SCENES_H
#define MADANG_TESTS_SYNC_POINTS_SCENES_H

#include "sync/points/scene.h"

extern const struct scenario mutex_scenes[], rwlock_scenes[], once_scenes[], signal_scenes[],
	barrier_scenes[];

/* What has an owned word (src/sync/owned.h) as its first part. */
bool owned_is_new(const void *object);
bool owned_by(const void *object, pid_t pid);

void mutex_holder(struct actor *me);
/* Notes what locking the mutex returned, checks that nobody else is in, and unlocks it. */
void mutex_pass(struct actor *me, int rc);
void mutex_finally(struct actor *me);

#endif
