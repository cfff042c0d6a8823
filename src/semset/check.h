/* SPDX-License-Identifier: MIT */
/*
 * check.h - whether the memory of a set is as it should be. For madang doctor.
 */
#ifndef MADANG_SEMSET_CHECK_H
#define MADANG_SEMSET_CHECK_H

#include <stdbool.h>

#include "madang/sem.h"
#include "madang/segment.h"

/* Looks at the set in a moment in which nobody has its lock. A set that is in use all the time is
 * taken to be well. Calls `found` with what is wrong, without `repair` at most once. It waits for
 * nobody for long. It is a finding if the owner of the lock lives and does not go on, or is dead.
 * With `repair`, what a dead owner has begun is set right, and damage is mended as mend.c says.
 * Then `found` is called for what was mended, and once more for what cannot be mended. Returns 0,
 * or the code with which the set could not be looked at: -EINVAL, -EACCES. */
int mdg__semset_check(mdg_namespace *ns, mdg_id id, bool repair,
                      int (*found)(const struct mdg_finding *finding, void *context),
                      void *context);

#endif
