/* SPDX-License-Identifier: MIT */
/*
 * rm_kinds.c - segments, semaphore sets and queues, as madang rm sees them.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/rm.h"
#include "madang/msg.h"
#include "madang/sem.h"
#include "msgqueue/view.h"
#include "semset/view.h"

/* ---- segments --------------------------------------------------------- */

static int look_at_segment(mdg_namespace *ns, mdg_id id, struct rm_object *ret)
{
	struct mdg_segment_info info = { .size = sizeof info };
	char bytes[SHOW_ROOM];
	int rc = mdg_segment_stat(ns, id, MDG_STAT_ANY, &info);

	if (rc != 0)
		return rc;
	show_object(ret->what, sizeof ret->what, KIND_SEGMENTS, info.id, info.key, info.name,
	            show_bytes(bytes, info.bytes));
	ret->uid = info.uid;
	ret->attached = info.attached;
	return 0;
}

static int segment_by_key(mdg_namespace *ns, int32_t key, mdg_id *ret_id)
{
	return mdg_segment_get(ns, key, 0, 0, ret_id);
}

static int segment_by_name(mdg_namespace *ns, const char *name, mdg_id *ret_id)
{
	return mdg_segment_open(ns, name, 0, 0, ret_id);
}

/* ---- semaphore sets --------------------------------------------------- */

static void count_set_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	(void)sleeper;
	++*(unsigned *)context;
}

static int look_at_set(mdg_namespace *ns, mdg_id id, struct rm_object *ret)
{
	const struct mdg__set_viewer viewer = { .sleeper = count_set_sleeper,
		                                .context = &ret->waiting };
	struct mdg_semset_info info = { .size = sizeof info };
	char figure[SHOW_ROOM];
	int rc = mdg_semset_stat(ns, id, MDG_STAT_ANY, &info);

	if (rc != 0)
		return rc;
	snprintf(figure, sizeof figure, "%u semaphore%s", info.count, info.count == 1 ? "" : "s");
	show_object(ret->what, sizeof ret->what, KIND_SETS, info.id, info.key, info.name, figure);
	ret->uid = info.uid;
	(void)mdg__semset_view(ns, id, &viewer);
	return 0;
}

static int set_by_key(mdg_namespace *ns, int32_t key, mdg_id *ret_id)
{
	return mdg_semset_get(ns, key, 0, 0, ret_id);
}

static int set_by_name(mdg_namespace *ns, const char *name, mdg_id *ret_id)
{
	return mdg_semset_open(ns, name, 0, 0, ret_id);
}

/* ---- queues ----------------------------------------------------------- */

static void count_queue_sleeper(void *context, const struct mdg__queue_sleeper *sleeper,
                                bool except)
{
	(void)sleeper;
	(void)except;
	++*(unsigned *)context;
}

static int look_at_queue(mdg_namespace *ns, mdg_id id, struct rm_object *ret)
{
	const struct mdg__queue_viewer viewer = { count_queue_sleeper, &ret->waiting };
	struct mdg_msgqueue_info info = { .size = sizeof info };
	char figure[SHOW_ROOM];
	int rc = mdg_msgqueue_stat(ns, id, MDG_STAT_ANY, &info);

	if (rc != 0)
		return rc;
	snprintf(figure, sizeof figure, "%" PRIu64 " message%s", info.messages,
	         info.messages == 1 ? "" : "s");
	show_object(ret->what, sizeof ret->what, KIND_QUEUES, info.id, info.key, info.name, figure);
	ret->uid = info.uid;
	(void)mdg__msgqueue_view(ns, id, &viewer);
	return 0;
}

static int queue_by_key(mdg_namespace *ns, int32_t key, mdg_id *ret_id)
{
	return mdg_msgqueue_get(ns, key, 0, ret_id);
}

static int queue_by_name(mdg_namespace *ns, const char *name, mdg_id *ret_id)
{
	return mdg_msgqueue_open(ns, name, 0, ret_id);
}

const struct rm_kind rm_kinds[KINDS] = {
	[KIND_SEGMENTS] = { look_at_segment, mdg_segment_remove, segment_by_key, segment_by_name },
	[KIND_SETS] = { look_at_set, mdg_semset_remove, set_by_key, set_by_name },
	[KIND_QUEUES] = { look_at_queue, mdg_msgqueue_remove, queue_by_key, queue_by_name },
};
