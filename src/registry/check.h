/* SPDX-License-Identifier: MIT */
/*
 * check.h - every invariant of the registry, checked and restored.
 */
#ifndef MADANG_REGISTRY_CHECK_H
#define MADANG_REGISTRY_CHECK_H

#include "registry/registry.h"

/* Called once for each invariant that does not hold. */
typedef int (*mdg__report)(const struct mdg_finding *finding, void *context);
/* Reports each invariant that does not hold. The answer is exact if the lock is held.
 * Returns how many it reported. */
int mdg__registry_check(struct mdg__registry *registry, mdg__report report, void *context);

/* Rebuilds what follows from the entries and the process slots: bitmaps, buckets, totals
 * and lists. For a registry that the check found damaged. [lock] (rebuild.c) */
void mdg__registry_rebuild(struct mdg__registry *registry);

#endif
