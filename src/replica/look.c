/* SPDX-License-Identifier: MIT */
/*
 * look.c - which generation a replica shows, and how far behind it is; and all replicas of a
 * namespace.
 */
#include <errno.h>
#include <stddef.h>

#include "platform/clock.h"
#include "platform/sized.h"
#include "replica/name.h"

static uint64_t relaxed(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static uint64_t since(uint64_t moment)
{
	uint64_t now = mdg__realtime_nanoseconds();
	return now > moment ? now - moment : 1;
}

static void lag_of(const struct mdg__replica_head *head, struct mdg_replica_info *info)
{
	uint64_t from = relaxed(&head->far_since);
	bool writes = info->role == MDG_REPLICA_WRITER || info->role == MDG_REPLICA_DEPOSED;
	info->far = relaxed(&head->far);
	if (info->role == MDG_REPLICA_ALONE)
		return;
	if (writes && info->generation > info->far) {
		info->lag = info->generation - info->far;
		/* The bridge may not have seen the newest one yet. */
		info->lag_ns = since(from != 0 ? from : info->time);
	} else if (!writes && info->far > info->generation) {
		info->lag = info->far - info->generation;
		info->lag_ns = from != 0 ? since(from) : 1;
	}
}

int mdg_replica_look(mdg_replica *replica, struct mdg_replica_info *ret_info)
{
	struct mdg__replica_head *head = replica->head;
	struct mdg_replica_info info = { .size = sizeof info, .id = replica->id };
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	/* Acquire: pairs with P in mdg__making_show. */
	uint64_t shown = atomic_load_explicit(&head->shown, memory_order_acquire);
	const struct mdg__replica_copy *copy = &head->copy[shown & 1];
	uint64_t heard = relaxed(&head->heard);
	info.role = atomic_load_explicit(&head->role, memory_order_relaxed);
	info.bytes = replica->bytes;
	info.generation = shown >> 1;
	info.time = relaxed(&copy->time);
	info.fence = relaxed(&copy->fence);
	info.cursor = relaxed(&copy->cursor);
	info.heard = heard != 0 ? since(heard) : 0;
	memcpy(info.name, replica->name, sizeof info.name);
	lag_of(head, &info);
	mdg__sized_give(ret_info, &info, sizeof info);
	return 0;
}

/* 1: it is a replica that the caller may read. */
static int look_at(mdg_namespace *ns, const char *name, struct mdg_replica_info *ret_info)
{
	mdg_replica *replica;
	int rc = mdg_replica_open(&replica, ns, name, NULL);
	if (rc < 0)
		return 0;
	rc = mdg_replica_look(replica, ret_info);
	mdg_replica_close(replica);
	return rc == 0 ? 1 : rc;
}

int mdg_replica_next(mdg_namespace *ns, uint32_t *cursor, struct mdg_replica_info *ret_info)
{
	struct mdg_segment_info segment = { .size = sizeof segment };
	char name[MDG_NAME_MAX + 1];
	int rc;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	while ((rc = mdg_segment_next(ns, cursor, 0, &segment)) == 1) {
		if ((segment.mode & MDG_MODE_REMOVED) != 0 ||
		    !mdg__replica_name_of(segment.name, name))
			continue;
		rc = look_at(ns, name, ret_info);
		if (rc != 0)
			return rc;
	}
	return rc;
}
