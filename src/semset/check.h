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
 * taken to be well. Calls `found` for what is wrong, at most once. With `repair`, what a dead owner
 * of the lock has begun is set right. Damage is not mended: a value that is lost can only be guessed.
 * Returns 0, or the code with which the set could not be looked at: -EINVAL, -EACCES ... */
int mdg__semset_check(mdg_namespace *ns, mdg_id id, bool repair,
                      int (*found)(const struct mdg_finding *finding, void *context),
                      void *context);

#endif
