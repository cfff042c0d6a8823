/* SPDX-License-Identifier: MIT */
/*
 * open.h - the engine on the memory of an object (segment/objects.h).
 *
 *     struct mdg__open open;
 *     int rc = mdg__open(&open, ns, id);
 *     if (rc == 0) {
 *             rc = mdg__queue_send(&open.queue, ...);
 *             rc = mdg__open_done(&open, rc);
 *     }
 */
#ifndef MADANG_MSGQUEUE_OPEN_H
#define MADANG_MSGQUEUE_OPEN_H

#include "msgqueue/engine.h"
#include "segment/objects.h"

/* Memory grows by a quarter each time at least, so no call maps it more often. */
enum { MDG__OPEN_MAPPINGS = 64 };

struct mdg__open {
	struct mdg__queue queue;
	mdg_namespace *ns;
	mdg_id id;
	uint32_t count;
	struct mdg__memory memory[MDG__OPEN_MAPPINGS]; /* all that was mapped during the call */
};

/* Takes the queue's memory, and makes it if there is none. 0 or -EINVAL, -ENOMEM, ... */
int mdg__open(struct mdg__open *open, mdg_namespace *ns, mdg_id id);
/* The same, but -ENOENT if nobody has used the queue yet, so that there is no file. */
int mdg__open_look(struct mdg__open *open, mdg_namespace *ns, mdg_id id);
/* Leaves the memory. If `rc`, what the call returns, is -EIDRM, ends what the remover may have left
 * undone. Returns `rc`. */
int mdg__open_done(struct mdg__open *open, int rc);

/* `hook` is called right before each sleep and right after it, with signals as the caller has them.
 * A layer whose calls are cancellation points lets cancellation in there. A thread that is
 * cancelled asleep calls mdg__queue_abandon (engine.h); what it had mapped stays mapped. */
void mdg__msgqueue_on_sleep(void (*hook)(bool begins));

#endif
