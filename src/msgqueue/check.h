/* SPDX-License-Identifier: MIT */
/*
 * check.h - whether the memory of a queue is as it should be. For madang doctor.
 */
#ifndef MADANG_MSGQUEUE_CHECK_H
#define MADANG_MSGQUEUE_CHECK_H

#include <stdbool.h>

#include "madang/msg.h"

/* Looks at the queue in a moment in which nobody works in it; one that is at work all the time is
 * taken to be well. Calls `found` at most once, with what is wrong. With `repair`, what is wrong is
 * mended as after a death: the list of messages is cut off at the first that cannot be, and all
 * else is counted anew. Returns 0, or the code with which the queue could not be looked at:
 * -EINVAL, -EACCES ... */
int mdg__msgqueue_check(mdg_namespace *ns, mdg_id id, bool repair,
                        int (*found)(const struct mdg_finding *finding, void *context),
                        void *context);

#endif
