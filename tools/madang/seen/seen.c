/* SPDX-License-Identifier: MIT */
/*
 * seen.c - takes a look at a namespace: segments, processes, attachments; and joins the rest.
 */
#include "seen/seen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/kind.h"

void seen_free(struct seen *seen)
{
	survey_free(&seen->locks);
	channels_free(&seen->channels);
	free(seen->segments);
	free(seen->processes);
	free(seen->attachments);
	free(seen->sets);
	free(seen->queues);
	free(seen->sleepers);
	memset(seen, 0, sizeof *seen);
}

/* ---- processes -------------------------------------------------------- */

size_t seen_process(struct seen *seen, int32_t pid, bool is_here, uint32_t uid)
{
	for (size_t i = 0; i < seen->process_count; i++) {
		const struct seen_process *process = &seen->processes[i];
		/* Elsewhere, a number may be given twice. */
		if (process->pid == pid && process->is_here == is_here &&
		    (is_here || process->uid == uid))
			return i;
	}
	struct seen_process *more =
		list_grow(seen->processes, seen->process_count, sizeof *seen->processes);
	if (more == NULL)
		return NOBODY;
	seen->processes = more;
	struct seen_process *process = &more[seen->process_count];
	*process = (struct seen_process){ .pid = pid, .is_here = is_here, .uid = uid };
	show_command(process->command, is_here ? pid : 0);
	return seen->process_count++;
}

size_t seen_local_process(struct seen *seen, int32_t pid)
{
	char path[SHOW_ROOM];
	struct stat status;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return seen_process(seen, pid, true,
	                    stat(path, &status) == 0 ? (uint32_t)status.st_uid : UINT32_MAX);
}

static int add_attachment(struct seen *seen, size_t segment, const struct mdg_process_info *info)
{
	bool is_here = info->same_pid_namespace != 0 && info->pid > 0;
	struct seen_attachment *more =
		list_grow(seen->attachments, seen->attachment_count, sizeof *more);
	if (more != NULL)
		seen->attachments = more;
	size_t place = seen_process(seen, info->pid, is_here, info->uid);
	if (more == NULL || place == NOBODY)
		return -ENOMEM;
	more[seen->attachment_count++] = (struct seen_attachment){ segment, place, info->attached };
	struct seen_process *process = &seen->processes[place];
	process->segments++;
	process->attachments += info->attached;
	process->bytes += seen->segments[segment].info->bytes;
	return 0;
}

static int read_attachments(struct seen *seen, mdg_namespace *ns, size_t place)
{
	struct mdg_process_info info = { .size = sizeof info };
	struct seen_segment *segment = &seen->segments[place];
	uint32_t cursor = 0;
	int rc = 0;

	segment->first = seen->attachment_count;
	while (segment->info->attached > 0 &&
	       (rc = mdg_segment_next_process(ns, segment->info->id, &cursor, &info)) > 0) {
		rc = add_attachment(seen, place, &info);
		if (rc != 0)
			return rc;
	}
	segment->users = seen->attachment_count - segment->first;
	return rc == -EINVAL ? 0 : rc; /* the segment has gone */
}

/* Who waits or holds something may have nothing attached: then it uses a set. */
static int add_threads(struct seen *seen)
{
	for (size_t i = 0; i < seen->locks.thread_count; i++)
		if (seen->locks.threads[i].pid != 0 &&
		    seen_local_process(seen, seen->locks.threads[i].pid) == NOBODY)
			return -ENOMEM;
	for (size_t i = 0; i < seen->locks.hold_count; i++)
		if (seen_local_process(seen, seen->locks.holds[i].pid) == NOBODY)
			return -ENOMEM;
	return 0;
}

/* ---- sorting processes ------------------------------------------------- */

struct ranked {
	struct seen_process process;
	size_t before; /* its place before */
};

static int by_pid(const void *a, const void *b)
{
	const struct seen_process *one = &((const struct ranked *)a)->process;
	const struct seen_process *other = &((const struct ranked *)b)->process;

	if (one->is_here != other->is_here)
		return one->is_here ? -1 : 1;
	if (one->pid != other->pid)
		return one->pid < other->pid ? -1 : 1;
	return one->uid < other->uid ? -1 : one->uid > other->uid;
}

static int sort_processes(struct seen *seen)
{
	size_t count = seen->process_count;
	struct ranked *ranked = calloc(count + 1, sizeof *ranked);
	size_t *now_at = calloc(count + 1, sizeof *now_at);

	for (size_t i = 0; ranked != NULL && i < count; i++)
		ranked[i] = (struct ranked){ seen->processes[i], i };
	if (ranked != NULL && now_at != NULL) {
		qsort(ranked, count, sizeof *ranked, by_pid);
		for (size_t i = 0; i < count; i++) {
			seen->processes[i] = ranked[i].process;
			now_at[ranked[i].before] = i;
		}
		for (size_t i = 0; i < seen->attachment_count; i++)
			seen->attachments[i].process = now_at[seen->attachments[i].process];
		for (size_t i = 0; i < seen->sleeper_count; i++)
			seen->sleepers[i].process = now_at[seen->sleepers[i].process];
		for (size_t i = 0; i < seen->queue_count; i++) {
			struct seen_queue *queue = &seen->queues[i];
			if (queue->sent_by != NOBODY)
				queue->sent_by = now_at[queue->sent_by];
			if (queue->received_by != NOBODY)
				queue->received_by = now_at[queue->received_by];
		}
	}
	bool done = ranked != NULL && now_at != NULL;
	free(ranked);
	free(now_at);
	return done ? 0 : -ENOMEM;
}

/* ---- the look --------------------------------------------------------- */

/* Segments alone, where nobody asks for locks. */
static int read_plain(struct seen *seen, mdg_namespace *ns, unsigned flags)
{
	struct survey *survey = &seen->locks;
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_segment_next(ns, &cursor, flags, &info)) > 0) {
		struct mdg_segment_info *more =
			locks_grow(survey, survey->segments, survey->segment_count, sizeof *more);
		if (more == NULL)
			return -ENOMEM;
		survey->segments = more;
		more[survey->segment_count++] = info;
	}
	return rc;
}

static int read_segments(struct seen *seen, mdg_namespace *ns, unsigned what)
{
	unsigned flags = MDG_STAT_CREATOR | (what & SEEN_RESIDENT ? MDG_STAT_RESIDENT : 0);
	int rc = what & SEEN_LOCKS ? survey_make(&seen->locks, ns, flags)
	                           : read_plain(seen, ns, flags);
	size_t count = seen->locks.segment_count;

	seen->segments = calloc(count + 1, sizeof *seen->segments);
	if (seen->segments == NULL)
		return -ENOMEM;
	seen->segment_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct mdg_segment_info *info = &seen->locks.segments[i];
		int refused = seen->locks.refused != NULL ? seen->locks.refused[i] : 0;
		bool is_orphan = segment_is_orphan(info);
		seen->segments[i] = (struct seen_segment){
			.info = info, .is_orphan = is_orphan, .refused = refused, .channel = NOBODY
		};
		seen->bytes += info->bytes;
		seen->resident += info->resident;
		seen->attached += info->attached;
		seen->orphans += is_orphan;
		seen->orphan_bytes += is_orphan ? info->bytes : 0;
		seen->unreadable += refused != 0;
	}
	return rc;
}

static int read_processes(struct seen *seen, mdg_namespace *ns)
{
	int code = 0;

	for (size_t i = 0; i < seen->segment_count; i++) {
		int rc = read_attachments(seen, ns, i);
		code = code == 0 ? rc : code;
	}
	int rc = add_threads(seen);
	return code == 0 ? rc : code;
}

static int read_channels(struct seen *seen, mdg_namespace *ns, unsigned what,
                         const struct seen *before)
{
	struct channels_view *view = &seen->channels;
	int rc = channels_read(ns, NULL, view);

	for (size_t i = 0; i < view->count; i++) {
		size_t segment = seen_find_segment(seen, view->entries[i].info.id);
		if (segment != NOBODY)
			seen->segments[segment].channel = i;
		if (what & SEEN_PEERS)
			view->entries[i].refused = channels_read_peers(ns, &view->entries[i]);
	}
	if (before != NULL && before->channels.moment != 0)
		channels_find_rates(view, &before->channels);
	return rc;
}

int seen_take(struct seen *ret_seen, mdg_namespace *ns, unsigned what, const struct seen *before)
{
	int code[6] = { 0 };

	memset(ret_seen, 0, sizeof *ret_seen);
	ret_seen->moment = mdg_deadline(0);
	ret_seen->time = (int64_t)time(NULL);
	ret_seen->namespace.size = sizeof ret_seen->namespace;
	code[0] = mdg_namespace_info(ns, 0, &ret_seen->namespace);
	code[1] = read_segments(ret_seen, ns, what);
	if (what & SEEN_PROCESSES)
		code[2] = read_processes(ret_seen, ns);
	if (what & SEEN_CHANNELS)
		code[3] = read_channels(ret_seen, ns, what, before);
	if (what & SEEN_SETS)
		code[4] = seen_read_sets(ret_seen, ns);
	if (what & SEEN_QUEUES)
		code[5] = seen_read_queues(ret_seen, ns);
	int rc = sort_processes(ret_seen);
	for (size_t i = 0; i < sizeof code / sizeof code[0] && rc == 0; i++)
		rc = code[i];
	return rc;
}

/* ---- finding ---------------------------------------------------------- */

size_t seen_find_segment(const struct seen *seen, mdg_id id)
{
	size_t low = 0, high = seen->segment_count;
	const mdg_id indices = 32768; /* see MDG_STAT_INDEX */

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		mdg_id at = seen->segments[middle].info->id;
		if (at == id)
			return middle;
		if (at % indices < id % indices)
			low = middle + 1;
		else
			high = middle;
	}
	return NOBODY;
}

size_t seen_find_process(const struct seen *seen, int32_t pid, bool is_here)
{
	for (size_t i = 0; i < seen->process_count; i++)
		if (seen->processes[i].pid == pid && seen->processes[i].is_here == is_here)
			return i;
	return NOBODY;
}

size_t seen_process_of(const struct seen *seen, size_t thread)
{
	if (thread == NOBODY || seen->locks.threads[thread].pid == 0)
		return NOBODY;
	return seen_find_process(seen, seen->locks.threads[thread].pid, true);
}

int seen_in_circle(const struct seen *seen, size_t edge)
{
	const struct survey *locks = &seen->locks;
	int found = 0;

	for (size_t c = 0; c < locks->cycle_count; c++)
		for (size_t i = 0; i < locks->cycles[c].length; i++) {
			if (locks->cycles[c].edge[i] != edge)
				continue;
			if (!locks->cycles[c].timed)
				return 1;
			found = 2;
		}
	return found;
}
