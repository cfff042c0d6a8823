/* SPDX-License-Identifier: MIT */
/*
 * scenes.c - the list of the lists.
 */
#include "sync/points/scenes.h"

const struct scenario *const scene_lists[] = { mutex_scenes,  rwlock_scenes,  once_scenes,
	                                       signal_scenes, barrier_scenes, NULL };
