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

#define GROW_LOCK ((UINT64_C(1) << 62) + 1) /* a byte far behind the end of any file */

typedef int reserve_function(int fd, uint64_t offset, uint64_t size);

/* Reserves records [from, to) of a table. With the first ones of a directory come its bitmap and
 * its buckets. */
static int reserve(const struct mdg__registry *registry, int fd, unsigned table, uint32_t from,
                   uint32_t to, reserve_function *by)
{
	const struct mdg__extent *extent = &registry->extent[table];
	int rc = 0;
	if (table < MDG__CLASSES && from == 0) {
		const struct mdg__objects *objects = &registry->objects[table];
		const uintptr_t base = (uintptr_t)registry->head;
		rc = by(fd, (uint64_t)((uintptr_t)objects->bitmap - base),
		        (uint64_t)(objects->capacity + 63) / 64 * 8u);
		if (rc == 0)
			rc = by(fd, (uint64_t)((uintptr_t)objects->buckets - base),
			        (uint64_t)objects->bucket_count * 4u);
	}
	return rc < 0 ? rc
	              : by(fd, extent->offset + (uint64_t)from * extent->record,
	                   (uint64_t)(to - from) * extent->record);
}

/* No lock, because reserving twice does no harm. Only the watermark must not fall. Release: the
 * pages are there for every reader that acquires the new value. */
static void lift(const struct mdg__extent *extent, uint32_t to)
{
	uint32_t seen = mdg__get32(extent->watermark);
	while (seen < to &&
	       !atomic_compare_exchange_weak_explicit(extent->watermark, &seen, to,
	                                              memory_order_release, memory_order_acquire))
		;
}

/* Without fallocate memory comes by writing zeros, and that twice would do harm. So it is done
 * behind the watermark only, and by one process at a time: the lock of a byte keeps the others
 * out. */
static int write_anew(const struct mdg__registry *registry, int fd, unsigned table, uint32_t to)
{
	const struct mdg__extent *extent = &registry->extent[table];
	int rc = mdg__sys_lock_byte(fd, GROW_LOCK, true);
	if (rc < 0)
		return rc;
	uint32_t from = mdg__get32(extent->watermark);
	if (from < to)
		rc = reserve(registry, fd, table, from, to, mdg__sys_reserve);
	if (rc == 0)
		lift(extent, to);
	(void)mdg__sys_unlock_byte(fd, GROW_LOCK);
	return rc;
}

static int grow(const struct mdg__registry *registry, int fd, unsigned table, uint32_t to)
{
	const struct mdg__extent *extent = &registry->extent[table];
	uint32_t from = mdg__get32(extent->watermark);
	if (from >= to)
		return 0;
	int rc = reserve(registry, fd, table, from, to, mdg__sys_allocate);
	if (rc == -EOPNOTSUPP)
		return write_anew(registry, fd, table, to);
	if (rc == 0)
		lift(extent, to);
	return rc;
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
	int rc = grow(registry, fd, table, wanted);
	if (rc == -ENOSPC || rc == -EDQUOT) /* perhaps there is room for just one */
		rc = grow(registry, fd, table, count);
	return rc == -ENOSPC || rc == -EDQUOT ? -ENOMEM : rc;
}

int mdg__registry_make_sure(struct mdg__registry *registry)
{
	int fd = mdg__registry_fd(registry, false), rc = fd < 0 ? fd : 0;
	for (unsigned table = 0; rc == 0 && table < MDG__TABLES; table++) {
		uint32_t count = mdg__registry_ready_count(registry, table);
		if (count != 0)
			rc = reserve(registry, fd, table, 0, count, mdg__sys_allocate);
	}
	if (rc == -EOPNOTSUPP) /* nobody can tell */
		return 0;
	return rc == -ENOSPC || rc == -EDQUOT ? -ENOMEM : rc;
}
