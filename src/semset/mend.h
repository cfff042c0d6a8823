/* SPDX-License-Identifier: MIT */
/*
 * mend.h - to mend a damaged set. For check.c.
 */
#ifndef MADANG_SEMSET_MEND_H
#define MADANG_SEMSET_MEND_H

#include "semset/internal.h"

/* Makes all lists and counts anew. Values stay as they are. 0; -ETIMEDOUT: a process that lives
 * keeps the lock; -EINVAL: the set was removed; -ENOMEM; MDG_DAMAGED: the journal of a dead process
 * could not be believed. */
int mdg__semset_mend(struct mdg__semset *set);

#endif
