/* SPDX-License-Identifier: MIT */
/*
 * grow.c - the tables of the registry get memory when it is needed.
 *
 * The file is as long as its tables can become, but at first only the head and what
 * belongs to the first segments, processes and ties has memory. The rest is reserved in
 * steps before its first use, under a watermark that only grows. A directory that was
 * never used has no memory at all.
 */
#include <errno.h>

#include "registry/internal.h"

/* Reserves records [0, count) of a table. A directory that is used for the first time
 * needs its bitmap and its buckets as well. */
static int reserve(const struct mdg__registry *registry, int fd, unsigned table, uint32_t count)
{
	const struct mdg__extent *extent = &registry->extent[table];
	int rc = 0;
	if (table < MDG__CLASSES && mdg__get32(extent->watermark) == 0) {
		const struct mdg__objects *objects = &registry->objects[table];
		const uintptr_t base = (uintptr_t)registry->head;
		rc = mdg__sys_reserve(fd, (uint64_t)((uintptr_t)objects->bitmap - base),
		                      (uint64_t)(objects->capacity + 63) / 64 * 8u);
		if (rc == 0)
			rc = mdg__sys_reserve(fd, (uint64_t)((uintptr_t)objects->buckets - base),
			                      (uint64_t)objects->bucket_count * 4u);
	}
	return rc < 0 ? rc : mdg__sys_reserve(fd, extent->offset, (uint64_t)count * extent->record);
}

int mdg__registry_ready(struct mdg__registry *registry, unsigned table, uint32_t count)
{
	const struct mdg__extent *extent = &registry->extent[table];
	if (count > extent->capacity)
		return -ENOSPC;
	if (count <= mdg__get32(extent->watermark))
		return 0;
	if (registry->look)
		return -EROFS;
	uint32_t step = 64 * 1024 / extent->record; /* reserve ahead, 64 KiB at once */
	uint32_t wanted = count + step < extent->capacity ? count + step : extent->capacity;
	int fd = mdg__registry_fd(registry, false);
	if (fd < 0)
		return fd;
	int rc = reserve(registry, fd, table, wanted);
	if (rc == -ENOSPC || rc == -EDQUOT) { /* perhaps there is room for just one */
		wanted = count;
		rc = reserve(registry, fd, table, wanted);
	}
	if (rc < 0)
		return rc == -ENOSPC || rc == -EDQUOT ? -ENOMEM : rc;
	/* No lock, because reserving twice does no harm. Only the watermark must not fall.
	 * Release: the pages are there for every reader that acquires the new value. */
	uint32_t seen = mdg__get32(extent->watermark);
	while (seen < wanted &&
	       !atomic_compare_exchange_weak_explicit(extent->watermark, &seen, wanted,
	                                              memory_order_release, memory_order_acquire))
		;
	return 0;
}
