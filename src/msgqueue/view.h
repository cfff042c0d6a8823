/* SPDX-License-Identifier: MIT */
/*
 * view.h - who sleeps in a queue. For the tool.
 *
 * The view takes no lock and changes nothing, so that it may be had of a namespace that was opened
 * for a look, and of a queue whose lock somebody keeps. What it says was there, but not all of it
 * at the same moment.
 */
#ifndef MADANG_MSGQUEUE_VIEW_H
#define MADANG_MSGQUEUE_VIEW_H

#include "madang/msg.h"
#include "msgqueue/engine.h"

struct mdg__queue_viewer {
	/* `except`: a receiver of any type but this one. */
	void (*sleeper)(void *context, const struct mdg__queue_sleeper *sleeper, bool except);
	void *context;
};

/* The receivers and then the senders, each in the order in which they fell asleep. 0; -EINVAL: no
 * such queue; -EACCES: permission to read, or the memory's file is closed to the caller; and the
 * others of <madang/msg.h>. */
int mdg__msgqueue_view(mdg_namespace *ns, mdg_id id, const struct mdg__queue_viewer *viewer);

#endif
