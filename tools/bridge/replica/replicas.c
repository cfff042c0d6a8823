/* SPDX-License-Identifier: MIT */
/*
 * replicas.c - starts and ends the threads of replicated segments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pump/thread.h"
#include "replica/replica.h"

static void *work(void *argument)
{
	struct replica *r = argument;

	if (r->writes)
		replica_write(r);
	else
		replica_read(r);
	atomic_store(&r->ended, true);
	return NULL;
}

static struct replica *make(struct bridge *bridge, const char *name, bool writes)
{
	struct replica *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->bridge = bridge;
	r->writes = writes;
	(void)snprintf(r->name, sizeof r->name, "%s", name);
	(void)token_make(r->token, sizeof r->token, name);
	link_subject(bridge->link, r->subject, 's', r->token, bridge->host);
	link_subject(bridge->link, r->subjects, 's', r->token, "*");
	/* No token has `=s`, so no channel has such a stream. */
	(void)snprintf(r->stream, sizeof r->stream, "MADANG_%s_=s=%s", bridge->link->group,
	               r->token);
	r->row = status_replica_add(bridge->status, name, writes);
	if (r->row && thread_start(&r->thread, work, r) == 0)
		return r;
	status_replica_drop(r->row);
	free(r);
	return NULL;
}

int replicas_start(struct replica **ret, struct bridge *bridge)
{
	const struct options *options = bridge->options;

	for (unsigned i = 0; i < options->segment_count; i++) {
		const struct options_segment *segment = &options->segments[i];
		struct replica *r = make(bridge, segment->name, segment->writes);

		if (!r) {
			log_event(LOG_ERROR, "no-thread", "segment=\"%s\"", segment->name);
			return -1;
		}
		r->next = *ret;
		*ret = r;
	}
	return 0;
}

void replicas_end(struct replica *first)
{
	for (struct replica *r = first; r; r = r->next)
		atomic_store(&r->stop, true);
	while (first) {
		struct replica *next = first->next;

		thread_end(first->thread, &first->ended);
		status_replica_drop(first->row);
		free(first);
		first = next;
	}
}
