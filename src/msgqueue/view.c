/* SPDX-License-Identifier: MIT */
/* See view.h. */
#include "msgqueue/view.h"

#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"
#include "msgqueue/open.h"

static bool sleeps(struct mdg__waiter *waiter, uint32_t kind)
{
	return (MDG__GET(waiter->word) & MDG__SAYS) == MDG__ASLEEP &&
	       MDG__GET(waiter->kind) == kind && (MDG__GET(waiter->owner.word) & MDG__TID) != 0;
}

/* The next one in the line behind this ticket; NULL: there is none. */
static struct mdg__waiter *next_asleep(const struct mdg__queue *queue, uint32_t kind,
                                       uint64_t *ticket)
{
	uint32_t used = MDG__GET(mdg__head(queue)->waiters_used);
	struct mdg__waiter *found = NULL;
	uint64_t first = UINT64_MAX;
	for (uint32_t number = 0; number < used && number < MDG__WAITERS_MOST; number++) {
		struct mdg__waiter *waiter = mdg__waiter(queue, number);
		if (waiter == NULL)
			break;
		uint64_t place = MDG__GET(waiter->ticket);
		if (sleeps(waiter, kind) && place > *ticket && place < first) {
			found = waiter;
			first = place;
		}
	}
	*ticket = first;
	return found;
}

static void view_line(const struct mdg__queue *queue, uint32_t kind,
                      const struct mdg__queue_viewer *viewer)
{
	struct mdg__waiter *waiter;
	uint64_t ticket = 0;
	while ((waiter = next_asleep(queue, kind, &ticket)) != NULL) {
		uint32_t want = MDG__GET(waiter->want);
		int64_t type = MDG__GET(waiter->type);
		const struct mdg__queue_sleeper sleeper = {
			.pid = MDG__GET(waiter->pid),
			.tid = MDG__GET(waiter->tid),
			.sends = kind == MDG__WAITER_SENDER,
			.type = want == MDG__WANT_LOWEST && type > 0 ? -type : type,
			.size = MDG__GET(waiter->size),
			.since = MDG__GET(waiter->since),
		};
		viewer->sleeper(viewer->context, &sleeper, want == MDG__WANT_EXCEPT);
	}
}

int mdg__msgqueue_view(mdg_namespace *ns, mdg_id id, const struct mdg__queue_viewer *viewer)
{
	struct mdg__open open;
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_may(ns, MDG__MESSAGE_QUEUES, id, 0444);
	if (rc == 0)
		rc = mdg__open_look(&open, ns, id);
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc; /* nobody has used it */
	view_line(&open.queue, MDG__WAITER_RECEIVER, viewer);
	view_line(&open.queue, MDG__WAITER_SENDER, viewer);
	return mdg__open_done(&open, 0);
}
