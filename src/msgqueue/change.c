/* SPDX-License-Identifier: MIT */
/*
 * change.c - a queue's limit or permission has changed, or the queue is removed.
 *
 * The limit lies in the queue's entry and not here: it changes in one moment with the owner. All
 * that is left to do here is to call the sleepers.
 */
#include "msgqueue/internal.h"

/* Calls all receivers, and those senders whose message would fit. */
int mdg__queue_changed(struct mdg__queue *queue)
{
	struct mdg__visit visit;
	int rc = mdg__visit_begin(&visit, queue);
	if (rc < 0)
		return rc;
	struct mdg__queue_head *head = mdg__head(queue);
	if (MDG__GET(head->receivers) != 0 || MDG__GET(head->senders) != 0)
		mdg__call_changed(queue);
	mdg__visit_changed(&visit);
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
	return 0;
}

int mdg__queue_remove(struct mdg__queue *queue)
{
	struct mdg__visit visit;
	int rc = mdg__visit_begin(&visit, queue);
	if (rc < 0)
		return rc;
	mdg__commit32(&mdg__head(queue)->removed, 1);
	mdg__call_all(queue);
	mdg__visit_changed(&visit);
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
	return 0;
}
