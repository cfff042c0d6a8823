/* SPDX-License-Identifier: MIT */
/*
 * backlog.c - requests from elsewhere that wait for a place in the channel.
 *
 * Nobody here has seen them. So they can be given back, and others may take them.
 */
#include "call/serving.h"

void backlog_add(struct serve *serve, struct job *job)
{
	if (serve->waiting >= CALL_BACKLOG_MAX || !serve->active || serve->stop) {
		serve_say(serve, job->request, CALL_BUSY);
		job_destroy(job);
		return;
	}
	serve_say(serve, job->request, CALL_TAKEN);
	job->said = call_now();
	job->next = NULL;
	*serve->backlog_end = job;
	serve->backlog_end = &job->next;
	serve->waiting++;
	(void)pthread_cond_signal(&serve->change);
}

struct job *backlog_next(struct serve *serve)
{
	struct job *job = serve->backlog;
	if (job == NULL)
		return NULL;
	serve->backlog = job->next;
	if (serve->backlog == NULL)
		serve->backlog_end = &serve->backlog;
	serve->waiting--;
	return job;
}

/* Says that they are not forgotten. Without servers nobody waits here: nobody has seen these
 * requests, so others may. */
void backlog_tend(struct serve *serve)
{
	struct job *all = serve->backlog;
	uint64_t now = call_now();
	bool none = serve->stop || (!serve->active && now - serve->unserved >= CALL_UNSERVED);
	serve->backlog = NULL;
	serve->backlog_end = &serve->backlog;
	while (all != NULL) {
		struct job *job = all;
		all = job->next;
		if (job->given_up || none) {
			if (!job->given_up)
				serve_say(serve, job->request, CALL_BUSY);
			serve->waiting--;
			job_destroy(job);
			continue;
		}
		if (now - job->said >= CALL_WORD) {
			serve_say(serve, job->request, CALL_TAKEN);
			job->said = now;
		}
		job->next = NULL;
		*serve->backlog_end = job;
		serve->backlog_end = &job->next;
	}
}
