/* SPDX-License-Identifier: MIT */
/*
 * picture_edges.c - the lines of the picture: who has what, who talks to whom, who waits for what.
 *
 * A line for waiting goes from the process to what it waits for, and from there a line goes to the
 * process that has it. So a circle of waits is a circle of arrows.
 */
#include "graph/picture.h"

#include <stdlib.h>
#include <string.h>

static void add(struct picture *picture, struct line_between line)
{
	if (line.from == NOBODY || line.to == NOBODY)
		return;
	struct line_between *more = list_grow(picture->lines, picture->line_count, sizeof *more);
	if (more == NULL) {
		picture->out_of_memory = true;
		return;
	}
	line.lines = 1;
	picture->lines = more;
	more[picture->line_count++] = line;
}

static size_t node_of(const struct picture *picture, enum shape shape, size_t item)
{
	return item == NOBODY ? NOBODY : picture->first[shape] + item;
}

/* The node of a thread's process. */
static size_t node_of_thread(const struct picture *picture, size_t thread)
{
	return node_of(picture, SHAPE_PROCESS, seen_process_of(picture->seen, thread));
}

/* ---- channels --------------------------------------------------------- */

/* Of those who have the channel's segment attached. */
static size_t process_of_peer(const struct seen *seen, const struct seen_segment *segment,
                              const struct mdg_peer *peer)
{
	for (size_t i = 0; i < segment->users; i++) {
		size_t process = seen->attachments[segment->first + i].process;
		if (seen->processes[process].pid == peer->pid)
			return process;
	}
	return NOBODY;
}

static void add_peer(struct picture *picture, const struct seen_segment *segment,
                     const struct channels_peer *peer)
{
	size_t process = process_of_peer(picture->seen, segment, &peer->peer);
	size_t channel = node_of(picture, SHAPE_CHANNEL, segment->channel);
	size_t node = node_of(picture, SHAPE_PROCESS, process);
	bool listens = peer->peer.role == MDG_LISTENER;

	add(picture, (struct line_between){ .line = listens ? LINE_RECEIVES : LINE_SENDS,
	                                    .from = listens ? channel : node,
	                                    .to = listens ? node : channel,
	                                    .lag = listens ? peer->peer.lag : 0,
	                                    .has_rate = peer->has_rate,
	                                    .rate = peer->rate });
}

static bool is_peer(const struct channels_entry *entry, int32_t pid)
{
	for (size_t i = 0; i < entry->peer_count; i++)
		if (entry->peers[i].peer.pid == pid)
			return true;
	return false;
}

/* ---- segments --------------------------------------------------------- */

static void add_attachments(struct picture *picture)
{
	const struct seen *seen = picture->seen;

	for (size_t i = 0; i < seen->attachment_count; i++) {
		const struct seen_attachment *attachment = &seen->attachments[i];
		size_t channel = seen->segments[attachment->segment].channel;
		size_t to = node_of(picture, SHAPE_SEGMENT, attachment->segment);
		if (channel != NOBODY) { /* who talks or listens has a better line */
			int32_t pid = seen->processes[attachment->process].pid;
			if (is_peer(&seen->channels.entries[channel], pid))
				continue;
			to = node_of(picture, SHAPE_CHANNEL, channel);
		}
		add(picture, (struct line_between){
				     .line = LINE_ATTACHED,
				     .from = node_of(picture, SHAPE_PROCESS, attachment->process),
				     .to = to,
				     .count = attachment->count });
	}
	for (size_t i = 0; i < seen->segment_count; i++) {
		const struct seen_segment *segment = &seen->segments[i];
		if (segment->channel == NOBODY)
			continue;
		const struct channels_entry *entry = &seen->channels.entries[segment->channel];
		for (size_t peer = 0; peer < entry->peer_count; peer++)
			if (entry->peers[peer].peer.alive)
				add_peer(picture, segment, &entry->peers[peer]);
	}
}

/* ---- waiting ---------------------------------------------------------- */

/* The worse of the circles that contain the waiter's wait for this lock or set wait. */
static int circle_of(const struct seen *seen, size_t waiter, size_t holder, size_t lock,
                     size_t wait)
{
	int worst = 0;

	for (size_t e = 0; e < seen->locks.edge_count; e++) {
		const struct edge *edge = &seen->locks.edges[e];
		if ((waiter != NOBODY && edge->waiter != waiter) ||
		    (holder != NOBODY && edge->holder != holder) || edge->lock != lock ||
		    (lock == NOBODY && edge->wait != wait))
			continue;
		int circle = seen_in_circle(seen, e);
		if (circle == 1)
			return 1;
		worst = circle > worst ? circle : worst;
	}
	return worst;
}

static void add_holder(struct picture *picture, size_t lock, size_t thread)
{
	add(picture, (struct line_between){
			     .line = LINE_HOLDS,
			     .from = node_of(picture, SHAPE_LOCK, lock),
			     .to = node_of_thread(picture, thread),
			     .circle = circle_of(picture->seen, NOBODY, thread, lock, NOBODY) });
}

static void add_locks(struct picture *picture)
{
	const struct survey *locks = &picture->seen->locks;

	for (size_t n = 0; n < locks->lock_count; n++) {
		const struct lock *lock = &locks->locks[n];
		if (lock->owner != NOBODY)
			add_holder(picture, n, lock->owner);
		for (size_t i = 0; i < lock->reader_count; i++)
			add_holder(picture, n, lock->reader[i]);
		for (size_t i = 0; i < lock->waiter_count; i++) {
			size_t thread = lock->waiter[i].thread;
			add(picture,
			    (struct line_between){ .line = LINE_WAITS,
			                           .from = node_of_thread(picture, thread),
			                           .to = node_of(picture, SHAPE_LOCK, n),
			                           .waited = lock->waiter[i].waited,
			                           .circle = circle_of(picture->seen, thread,
			                                               NOBODY, n, NOBODY) });
		}
	}
}

static size_t set_of(const struct picture *picture, mdg_id id)
{
	const struct seen *seen = picture->seen;

	for (size_t i = 0; i < seen->set_count; i++)
		if (seen->sets[i].info.id == id)
			return node_of(picture, SHAPE_SET, i);
	return NOBODY;
}

/* Whether what the process has is what somebody in a circle waits for. */
static int circle_of_hold(const struct seen *seen, const struct set_hold *hold)
{
	const struct survey *locks = &seen->locks;
	int worst = 0;

	for (size_t e = 0; e < locks->edge_count; e++) {
		const struct edge *edge = &locks->edges[e];
		if (edge->lock != NOBODY || locks->threads[edge->holder].pid != hold->pid ||
		    !locks_hold_is_for(hold, &locks->waits[edge->wait]))
			continue;
		int circle = seen_in_circle(seen, e);
		if (circle == 1)
			return 1;
		worst = circle > worst ? circle : worst;
	}
	return worst;
}

static void add_sets(struct picture *picture)
{
	const struct seen *seen = picture->seen;

	for (size_t i = 0; i < seen->locks.wait_count; i++) {
		const struct set_wait *wait = &seen->locks.waits[i];
		add(picture, (struct line_between){
				     .line = LINE_WAITS,
				     .from = node_of_thread(picture, wait->thread),
				     .to = set_of(picture, wait->set),
				     .waited = wait->waited,
				     .circle = circle_of(seen, wait->thread, NOBODY, NOBODY, i) });
	}
	for (size_t i = 0; i < seen->locks.hold_count; i++) {
		const struct set_hold *hold = &seen->locks.holds[i];
		size_t process = seen_find_process(seen, hold->pid, true);
		add(picture, (struct line_between){ .line = LINE_HOLDS,
		                                    .from = set_of(picture, hold->set),
		                                    .to = node_of(picture, SHAPE_PROCESS, process),
		                                    .circle = circle_of_hold(seen, hold) });
	}
}

static void add_queues(struct picture *picture)
{
	const struct seen *seen = picture->seen;

	for (size_t i = 0; i < seen->sleeper_count; i++)
		add(picture,
		    (struct line_between){
			    .line = LINE_WAITS,
			    .from = node_of(picture, SHAPE_PROCESS, seen->sleepers[i].process),
			    .to = node_of(picture, SHAPE_QUEUE, seen->sleepers[i].queue) });
	for (size_t i = 0; i < seen->queue_count; i++) {
		size_t queue = node_of(picture, SHAPE_QUEUE, i);
		size_t sender = node_of(picture, SHAPE_PROCESS, seen->queues[i].sent_by);
		size_t receiver = node_of(picture, SHAPE_PROCESS, seen->queues[i].received_by);
		add(picture,
		    (struct line_between){ .line = LINE_SENT, .from = sender, .to = queue });
		add(picture,
		    (struct line_between){ .line = LINE_RECEIVED, .from = queue, .to = receiver });
	}
}

void picture_add_lines(struct picture *picture)
{
	add_attachments(picture);
	add_locks(picture);
	add_sets(picture);
	add_queues(picture);
}

/* ---- joining ---------------------------------------------------------- */

static int by_ends(const void *a, const void *b)
{
	const struct line_between *one = a, *other = b;

	if (one->from != other->from)
		return one->from < other->from ? -1 : 1;
	if (one->to != other->to)
		return one->to < other->to ? -1 : 1;
	return (int)one->line - (int)other->line;
}

static void join(struct line_between *into, const struct line_between *line)
{
	into->count += line->count;
	into->lines += line->lines;
	into->waited = line->waited > into->waited ? line->waited : into->waited;
	into->lag = line->lag > into->lag ? line->lag : into->lag;
	into->has_rate = into->has_rate || line->has_rate;
	into->rate += line->rate;
	if (line->circle != 0 && into->circle != 1)
		into->circle = line->circle;
}

void picture_join_lines(struct picture *picture)
{
	size_t kept = 0;

	if (picture->line_count == 0)
		return;
	for (size_t i = 0; i < picture->line_count; i++) {
		struct line_between *line = &picture->lines[i];
		line->from = picture->nodes[line->from].join;
		line->to = picture->nodes[line->to].join;
	}
	qsort(picture->lines, picture->line_count, sizeof *picture->lines, by_ends);
	for (size_t i = 0; i < picture->line_count; i++) {
		const struct line_between *line = &picture->lines[i];
		if (!node_is_drawn(&picture->nodes[line->from]) ||
		    !node_is_drawn(&picture->nodes[line->to]))
			continue;
		if (kept > 0 && by_ends(&picture->lines[kept - 1], line) == 0)
			join(&picture->lines[kept - 1], line);
		else
			picture->lines[kept++] = *line;
	}
	picture->line_count = kept;
}
