/* SPDX-License-Identifier: MIT */
/*
 * grow.c - the tables of the registry get memory when it is needed.
 *
 * The file is as long as its tables can become, but at first only the head and what
 * belongs to the first segments, processes and ties has memory. The rest is reserved in
 * steps before its first use, under a watermark that only grows. A directory that was
 * never used has no memory at all. Its buckets get memory in parts, each when a key or name
 * first needs it: a bit says that it has.
 *
 * A process that dies on the way leaves memory that nobody counts, and no watermark or bit
 * that says more than there is. The next one does the same again.
 */
#include <errno.h>

#include "registry/internal.h"

#define GROW_LOCK ((UINT64_C(1) << 62) + 1) /* a byte far behind the end of any file */

typedef int reserve_function(int fd, uint64_t offset, uint64_t size);

static uint64_t offset_of(const struct mdg__registry *registry, const void *place)
{
	return (uint64_t)((uintptr_t)place - (uintptr_t)registry->head);
}

/* Reserves records [from, to) of a table. With the first ones of a directory comes its bitmap. */
static int reserve(const struct mdg__registry *registry, int fd, unsigned table, uint32_t from,
                   uint32_t to, reserve_function *by)
{
	const struct mdg__extent *extent = &registry->extent[table];
	int rc = 0;
	if (table < MDG__CLASSES && from == 0) {
		const struct mdg__objects *objects = &registry->objects[table];
		rc = by(fd, offset_of(registry, objects->bitmap),
		        (uint64_t)(objects->capacity + 63) / 64 * 8u);
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

/* How many records are to have memory if so many are needed. A table doubles, by whole pages, and
 * grows by 64 KiB at most. */
static uint32_t wanted(const struct mdg__extent *extent, uint32_t count)
{
	uint32_t most = 64 * 1024 / extent->record, page = MDG__TABLE_ALIGN / extent->record;
	uint32_t to = count + (count < most ? count : most);
	to = count <= page ? page : (to + page - 1) / page * page;
	return to < extent->capacity ? to : extent->capacity;
}

/* The descriptor to make memory through, or a negative code. */
static int growing_fd(struct mdg__registry *registry)
{
	return registry->look ? -EROFS : mdg__registry_fd(registry, false);
}

static bool is_full(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}

int mdg__registry_ready(struct mdg__registry *registry, unsigned table, uint32_t count)
{
	const struct mdg__extent *extent = &registry->extent[table];
	if (count > extent->capacity)
		return -ENOSPC;
	if (count <= mdg__get32(extent->watermark))
		return 0;
	int fd = growing_fd(registry);
	if (fd < 0)
		return fd;
	int rc = grow(registry, fd, table, wanted(extent, count));
	if (is_full(rc)) /* perhaps there is room for just one */
		rc = grow(registry, fd, table, count);
	return is_full(rc) ? -ENOMEM : rc;
}

/* ---- buckets --------------------------------------------------------------------- */

/* Reserves the part of the buckets whose bit this is. */
static int reserve_part(const struct mdg__registry *registry, int fd,
                        const struct mdg__objects *objects, uint32_t part, reserve_function *by)
{
	uint32_t at = (uint32_t)__builtin_ctz(part) << objects->part_shift;
	uint32_t left = objects->bucket_count - at, each = UINT32_C(1) << objects->part_shift;
	return by(fd, offset_of(registry, &objects->buckets[at]),
	          (uint64_t)(left < each ? left : each) * sizeof(mdg__a32));
}

/* As write_anew. */
static int write_part_anew(const struct mdg__registry *registry, int fd,
                           const struct mdg__objects *objects, uint32_t part)
{
	int rc = mdg__sys_lock_byte(fd, GROW_LOCK, true);
	if (rc < 0)
		return rc;
	if ((mdg__get32(&objects->directory->bucket_parts) & part) == 0)
		rc = reserve_part(registry, fd, objects, part, mdg__sys_reserve);
	if (rc == 0)
		atomic_fetch_or(&objects->directory->bucket_parts, part);
	(void)mdg__sys_unlock_byte(fd, GROW_LOCK);
	return rc;
}

int mdg__registry_bucket_ready(struct mdg__registry *registry, enum mdg__class class, uint32_t hash)
{
	const struct mdg__objects *objects = &registry->objects[class];
	uint32_t part = mdg__bucket_part(objects, hash);
	if (mdg__bucket_is_ready(objects, hash))
		return 0;
	int fd = growing_fd(registry);
	if (fd < 0)
		return fd;
	int rc = reserve_part(registry, fd, objects, part, mdg__sys_allocate);
	if (rc == -EOPNOTSUPP)
		rc = write_part_anew(registry, fd, objects, part);
	else if (rc == 0) /* the memory is there for whoever acquires the bit */
		atomic_fetch_or(&objects->directory->bucket_parts, part);
	return is_full(rc) ? -ENOMEM : rc;
}

/* ---- all of it ------------------------------------------------------------------- */

/* [fallocate] The parts of a directory's buckets that are said to have memory. */
static int make_sure_of_parts(const struct mdg__registry *registry, int fd,
                              const struct mdg__objects *objects)
{
	uint32_t parts = mdg__get32(&objects->directory->bucket_parts);
	int rc = 0;
	for (uint32_t at = 0; rc == 0 && at < objects->bucket_count;
	     at += UINT32_C(1) << objects->part_shift) {
		uint32_t part = mdg__bucket_part(objects, at);
		if ((parts & part) != 0)
			rc = reserve_part(registry, fd, objects, part, mdg__sys_allocate);
	}
	return rc;
}

int mdg__registry_make_sure(struct mdg__registry *registry)
{
	int fd = mdg__registry_fd(registry, false), rc = fd < 0 ? fd : 0;
	for (unsigned table = 0; rc == 0 && table < MDG__TABLES; table++) {
		uint32_t count = mdg__registry_ready_count(registry, table);
		if (count != 0)
			rc = reserve(registry, fd, table, 0, count, mdg__sys_allocate);
		if (rc == 0 && table < MDG__CLASSES)
			rc = make_sure_of_parts(registry, fd, &registry->objects[table]);
	}
	if (rc == -EOPNOTSUPP) /* nobody can tell */
		return 0;
	return rc == -ENOSPC || rc == -EDQUOT ? -ENOMEM : rc;
}
