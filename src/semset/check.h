/* SPDX-License-Identifier: MIT */
/*
 * check.h - whether the memory of a set is as it should be. For madang doctor.
 */
#ifndef MADANG_SEMSET_CHECK_H
#define MADANG_SEMSET_CHECK_H

#include <stdbool.h>

#include "madang/sem.h"
#include "madang/segment.h"

/* Looks at the set in a moment in which nobody has its lock; one that is at work all the time is
 * taken to be well. Calls `found` with what is wrong: at most once without `repair`. It waits for
 * nobody for long. A lock whose owner lives and does not go on is a finding, and so is a dead owner.
 * With `repair`, what a dead owner has begun is set right, and damage is mended as mend.c says: then
 * `found` is called for what was mended, and once more for what cannot be. Returns 0, or the code
 * with which the set could not be looked at: -EINVAL, -EACCES. */
int mdg__semset_check(mdg_namespace *ns, mdg_id id, bool repair,
                      int (*found)(const struct mdg_finding *finding, void *context),
                      void *context);

#endif
