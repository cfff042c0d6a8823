/* SPDX-License-Identifier: MIT */
/*
 * metrics_list.c - which figures there are.
 *
 * Each series costs the one who stores them memory for as long as it keeps them. So there are
 * totals, which are always exact, and series of single objects only for those that keep their
 * name: named objects, and objects with a key. The first ones, up to the limit, have series; how
 * many have none is a figure too. Ids, process numbers and offsets are in no label.
 */
#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"

static const char *const no_labels[] = { NULL };

static void put_one(const struct metrics *metrics, const char *name, const char *help,
                    uint64_t value)
{
	const struct family family = { name, help, false };

	metrics_declare(metrics, &family);
	metrics_put(metrics, &family, value, no_labels);
}

/* ---- totals ----------------------------------------------------------- */

static const char *const segment_kinds[] = { "plain", "channel", "heap" };

/* Of each kind of segments: how many, or the sum of something. */
static void put_by_kind(const struct metrics *metrics, const char *name, const char *help,
                        uint64_t (*figure)(const struct mdg_segment_info *info))
{
	const struct family family = { name, help, false };
	const struct seen *seen = metrics->seen;

	metrics_declare(metrics, &family);
	for (uint32_t kind = 0; kind < 3; kind++) {
		const char *const labels[] = { "kind", segment_kinds[kind], NULL };
		uint64_t sum = 0;
		for (size_t i = 0; i < seen->segment_count; i++)
			if (seen->segments[i].info->kind == kind)
				sum += figure(seen->segments[i].info);
		metrics_put(metrics, &family, sum, labels);
	}
}

static uint64_t one(const struct mdg_segment_info *info)
{
	(void)info;
	return 1;
}

static uint64_t bytes(const struct mdg_segment_info *info)
{
	return info->bytes;
}

static uint64_t resident(const struct mdg_segment_info *info)
{
	return info->resident;
}

static uint64_t attached(const struct mdg_segment_info *info)
{
	return info->attached;
}

static void put_totals(const struct metrics *metrics)
{
	const struct seen *seen = metrics->seen;

	put_by_kind(metrics, "madang_segments", "Segments.", one);
	put_by_kind(metrics, "madang_segments_size_bytes", "Size of all segments together.", bytes);
	put_by_kind(metrics, "madang_segments_resident_bytes",
	            "Memory that all segments together have now.", resident);
	put_by_kind(metrics, "madang_attachments", "Attachments of all segments by all processes.",
	            attached);
	put_one(metrics, "madang_segments_limit", "Most segments that there can be.",
	        seen->namespace.segments_max);
	put_one(metrics, "madang_processes",
	        "Processes that have a segment attached, or wait for something.",
	        seen->process_count);
	put_one(metrics, "madang_process_slots_used", "Process slots that are taken.",
	        seen->namespace.processes_used);
	put_one(metrics, "madang_process_slots_limit", "Process slots that there are.",
	        seen->namespace.processes_max);
	put_one(metrics, "madang_orphans",
	        "Segments that nobody has attached and whose creator has ended.", seen->orphans);
	put_one(metrics, "madang_orphans_size_bytes", "Size of the orphans together.",
	        seen->orphan_bytes);
	put_one(metrics, "madang_unreadable_segments",
	        "Segments whose locks may not be seen by the one who asks.", seen->unreadable);
}

/* ---- single objects ---------------------------------------------------- */

/* Labels of an object that keeps its name. */
struct naming {
	char key[16];
	const char *labels[8];
};

static void name_it(struct naming *naming, int32_t key, const char *name)
{
	snprintf(naming->key, sizeof naming->key, "0x%08x", (unsigned)key);
	naming->labels[0] = "name";
	naming->labels[1] = name;
	naming->labels[2] = "key";
	naming->labels[3] = key != 0 ? naming->key : "";
	naming->labels[4] = NULL;
}

/* Something of the object with this number; false: it has no series of its own, because it has
 * neither name nor key. */
typedef bool getter(const struct seen *seen, size_t number, int figure, struct naming *naming,
                    uint64_t *ret_value);

static bool get_segment(const struct seen *seen, size_t number, int figure, struct naming *naming,
                        uint64_t *ret_value)
{
	const struct mdg_segment_info *info = seen->segments[number].info;
	const uint64_t values[] = { info->bytes, info->resident, info->attached };

	/* Channels have figures of their own. One that is removed has lost its name for others. */
	if (info->kind == MDG_SEGMENT_CHANNEL || (info->name[0] == '\0' && info->key == 0) ||
	    (info->mode & MDG_MODE_REMOVED))
		return false;
	name_it(naming, info->key, info->name);
	*ret_value = values[figure];
	return true;
}

static bool get_channel(const struct seen *seen, size_t number, int figure, struct naming *naming,
                        uint64_t *ret_value)
{
	const struct channels_entry *entry = &seen->channels.entries[number];
	const struct mdg_channel_info *info = &entry->info;
	const uint64_t values[] = { info->sequence, info->bytes,
		                    info->waiting,  channels_largest_lag(entry),
		                    info->missed,   info->used,
		                    info->room,     info->talkers,
		                    info->listeners };

	naming->labels[0] = "channel";
	naming->labels[1] = info->name;
	naming->labels[2] = "kind";
	naming->labels[3] = channel_kind_name(info->kind);
	naming->labels[4] = NULL;
	*ret_value = values[figure];
	return true;
}

static bool get_set(const struct seen *seen, size_t number, int figure, struct naming *naming,
                    uint64_t *ret_value)
{
	const struct seen_set *set = &seen->sets[number];
	const uint64_t values[] = { set->info.count, set->waiting };

	if (set->info.name[0] == '\0' && set->info.key == 0)
		return false;
	name_it(naming, set->info.key, set->info.name);
	*ret_value = values[figure];
	return true;
}

static bool get_queue(const struct seen *seen, size_t number, int figure, struct naming *naming,
                      uint64_t *ret_value)
{
	const struct seen_queue *queue = &seen->queues[number];
	const uint64_t values[] = { queue->info.messages, queue->info.bytes, queue->info.bytes_max,
		                    queue->receivers, queue->senders };

	if (queue->info.name[0] == '\0' && queue->info.key == 0)
		return false;
	name_it(naming, queue->info.key, queue->info.name);
	*ret_value = values[figure];
	return true;
}

/* Figures of all objects of a kind. Returns how many of the objects have none. */
static size_t put_objects(const struct metrics *metrics, const struct family *families, int figures,
                          size_t count, getter *get)
{
	size_t left_out = 0;

	for (int figure = 0; figure < figures; figure++) {
		size_t used = 0;
		left_out = 0;
		for (size_t i = 0; i < count; i++) {
			struct naming naming;
			uint64_t value;
			if (!get(metrics->seen, i, figure, &naming, &value) ||
			    used == metrics->limit) {
				left_out++;
				continue;
			}
			if (used++ == 0)
				metrics_declare(metrics, &families[figure]);
			metrics_put(metrics, &families[figure], value, naming.labels);
		}
	}
	return left_out;
}

/* ---- locks ------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	const struct lock *one_lock = *(const struct lock *const *)a;
	const struct lock *other = *(const struct lock *const *)b;
	int order = strcmp(one_lock->entry.name, other->entry.name);

	return order != 0 ? order : (int)one_lock->entry.state.kind - (int)other->entry.state.kind;
}

/* What all objects with this name and of this kind have together. */
static uint64_t lock_figure(const struct lock *const *locks, size_t count, int figure)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++) {
		const struct lock *lock = locks[i];
		if (figure == 0)
			value += lock->waiter_count;
		else if (figure == 1)
			value += (lock->owner != NOBODY) + lock->reader_count;
		for (size_t w = 0; figure == 2 && w < lock->waiter_count; w++)
			if (lock->waiter[w].waited > value)
				value = lock->waiter[w].waited;
	}
	return value;
}

/* Returns how many names have no series. */
static size_t put_lock_figure(const struct metrics *metrics, const struct lock *const *locks,
                              size_t count, const struct family *family, int figure)
{
	size_t used = 0, left_out = 0;

	for (size_t first = 0, end; first < count; first = end) {
		const struct lock *lock = locks[first];
		const char *const labels[] = { "lock", lock->entry.name, "kind",
			                       locks_kind_name(lock->entry.state.kind), NULL };
		for (end = first + 1; end < count && by_name(&locks[first], &locks[end]) == 0;)
			end++;
		if (used == metrics->limit) {
			left_out++;
			continue;
		}
		if (used++ == 0)
			metrics_declare(metrics, family);
		uint64_t value = lock_figure(locks + first, end - first, figure);
		if (figure == 2)
			metrics_put_seconds(metrics, family, value, labels);
		else
			metrics_put(metrics, family, value, labels);
	}
	return left_out;
}

static const struct family lock_families[] = {
	{ "madang_lock_waiters", "Threads that wait for objects of this name; at most 8 of each.",
	  false },
	{ "madang_lock_holders", "Threads that hold objects of this name, or read under them.",
	  false },
	{ "madang_lock_longest_wait_seconds", "How long the longest of these waits has lasted.",
	  false },
};

static size_t put_locks(const struct metrics *metrics)
{
	const struct survey *survey = &metrics->seen->locks;
	size_t count = survey->lock_count, left_out = 0;
	const struct lock **locks = calloc(count + 1, sizeof(struct lock *));

	for (size_t i = 0; locks != NULL && i < count; i++)
		locks[i] = &survey->locks[i];
	if (locks == NULL)
		return count;
	qsort(locks, count, sizeof(struct lock *), by_name);
	for (int figure = 0; figure < 3; figure++)
		left_out = put_lock_figure(metrics, locks, count, &lock_families[figure], figure);
	free(locks);
	return left_out;
}

static void put_waits(const struct metrics *metrics)
{
	const struct survey *survey = &metrics->seen->locks;
	static const struct family circles = {
		"madang_circles",
		"Circles of threads that wait for each other; a deadlock does not end.", false
	};
	uint64_t waits = 0, timed = 0;

	for (size_t i = 0; i < survey->lock_count; i++)
		waits += survey->locks[i].waiter_count;
	for (size_t i = 0; i < survey->cycle_count; i++)
		timed += survey->cycles[i].timed;
	put_one(metrics, "madang_locks", "Locks and other objects that have a name.",
	        survey->lock_count);
	put_one(metrics, "madang_locks_waiters", "Threads that wait for these, together.", waits);
	metrics_declare(metrics, &circles);
	metrics_put(metrics, &circles, survey->cycle_count - timed,
	            (const char *const[]){ "kind", "deadlock", NULL });
	metrics_put(metrics, &circles, timed, (const char *const[]){ "kind", "timed", NULL });
}

/* ---- all -------------------------------------------------------------- */

static const struct family segment_families[] = {
	{ "madang_segment_size_bytes", "Size of a segment.", false },
	{ "madang_segment_resident_bytes", "Memory that a segment has now.", false },
	{ "madang_segment_attachments", "Attachments of a segment.", false },
};
static const struct family channel_families[] = {
	{ "madang_channel_messages", "Messages sent since the channel was made.", true },
	{ "madang_channel_ring_bytes", "Bytes that went through the channel, with headers.", true },
	{ "madang_channel_waiting_messages",
	  "Messages that nobody has taken; of a topic: that are kept.", false },
	{ "madang_channel_lag_messages", "What the slowest listener has not received yet.", false },
	{ "madang_channel_missed_messages",
	  "Messages of a topic that were dropped before its present listeners could read them.",
	  false },
	{ "madang_channel_used_bytes", "Bytes of the ring that are not free.", false },
	{ "madang_channel_size_bytes", "Bytes of the ring.", false },
	{ "madang_channel_talkers", "Talkers, or callers.", false },
	{ "madang_channel_listeners", "Listeners, or servers.", false },
};
static const struct family set_families[] = {
	{ "madang_semaphore_set_semaphores", "Semaphores of a set.", false },
	{ "madang_semaphore_set_waiters", "Threads that wait in a set.", false },
};
static const struct family queue_families[] = {
	{ "madang_queue_messages", "Messages in a queue.", false },
	{ "madang_queue_text_bytes", "Bytes of the messages in a queue.", false },
	{ "madang_queue_limit_bytes", "Bytes for which a queue has room.", false },
	{ "madang_queue_receivers", "Threads that wait to receive from a queue.", false },
	{ "madang_queue_senders", "Threads that wait to send to a queue.", false },
};

static void put_sums(const struct metrics *metrics)
{
	const struct seen *seen = metrics->seen;
	uint64_t waiters = 0, stuck = 0, messages = 0, with_messages = 0;

	for (size_t i = 0; i < seen->set_count; i++) {
		waiters += seen->sets[i].waiting;
		stuck += seen->sets[i].info.stuck != 0;
	}
	for (size_t i = 0; i < seen->queue_count; i++) {
		messages += seen->queues[i].info.messages;
		with_messages += seen->queues[i].info.messages > 0;
	}
	put_one(metrics, "madang_semaphore_sets", "Semaphore sets.", seen->set_count);
	put_one(metrics, "madang_semaphore_sets_waiters", "Threads that wait in semaphore sets.",
	        waiters);
	put_one(metrics, "madang_semaphore_sets_stuck",
	        "Sets whose lock a process keeps without going on.", stuck);
	put_one(metrics, "madang_queues", "Message queues.", seen->queue_count);
	put_one(metrics, "madang_queues_with_messages", "Message queues that are not empty.",
	        with_messages);
	put_one(metrics, "madang_queues_messages", "Messages in all queues.", messages);
}

static void put_left_out(const struct metrics *metrics, const size_t *left_out)
{
	static const char *const kinds[] = { "segment", "channel", "lock", "semaphore_set",
		                             "queue" };
	static const struct family family = {
		"madang_objects_without_series",
		"Objects that are in the totals only: without a name, or beyond the limit.", false
	};

	metrics_declare(metrics, &family);
	for (size_t i = 0; i < 5; i++)
		metrics_put(metrics, &family, left_out[i],
		            (const char *const[]){ "kind", kinds[i], NULL });
}

void metrics_list(const struct metrics *metrics)
{
	const struct seen *seen = metrics->seen;
	size_t left_out[5];

	put_one(metrics, "madang_namespace_exists", "Whether there is such a namespace.",
	        metrics->exists);
	if (metrics->exists) {
		put_totals(metrics);
		put_waits(metrics);
		put_sums(metrics);
		left_out[0] =
			put_objects(metrics, segment_families, 3, seen->segment_count, get_segment);
		left_out[1] = put_objects(metrics, channel_families, 9, seen->channels.count,
		                          get_channel);
		for (size_t i = 0; i < seen->segment_count; i++) {
			if (seen->segments[i].info->kind != MDG_SEGMENT_CHANNEL)
				continue;
			left_out[0]--;
			left_out[1] += seen->segments[i].channel == NOBODY; /* not to be read */
		}
		left_out[2] = put_locks(metrics);
		left_out[3] = put_objects(metrics, set_families, 2, seen->set_count, get_set);
		left_out[4] = put_objects(metrics, queue_families, 5, seen->queue_count, get_queue);
		put_left_out(metrics, left_out);
		metrics_list_bridge(metrics);
	}
	fputs("# EOF\n", metrics->out);
}
