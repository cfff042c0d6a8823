/* SPDX-License-Identifier: MIT */
/*
 * grow.c - the tables of the registry get memory when it is needed.
 *
 * Size: the file is as long as its tables can become, but only the head, the
 * bitmap, the buckets and the first records have memory. The rest is reserved
 * in steps before its first use, under a watermark that only grows.
 */
#include <errno.h>

#include "registry/internal.h"

struct grown {
	mdg__a32 *watermark;
	uint64_t offset;
	uint32_t record, capacity;
};

static struct grown table_of(const struct mdg__registry *registry, enum mdg__table table)
{
	char *base = (char *)registry->head;
	struct mdg__head *head = registry->head;
	if (table == MDG__SEGMENTS)
		return (struct grown){ &head->segments_ready,
			               (uint64_t)((char *)registry->segments - base),
			               sizeof(struct mdg__segment), registry->segment_capacity };
	if (table == MDG__PROCESSES)
		return (struct grown){ &head->processes_ready, registry->process_offset,
			               sizeof(struct mdg__process), registry->process_capacity };
	return (struct grown){ &head->attachments_ready,
		               (uint64_t)((char *)registry->attachments - base),
		               sizeof(struct mdg__attachment), registry->attachment_capacity };
}

uint32_t mdg__registry_ready_count(const struct mdg__registry *registry, enum mdg__table table)
{
	struct grown grown = table_of(registry, table);
	uint32_t ready = mdg__get32(grown.watermark);
	return ready < grown.capacity ? ready : grown.capacity;
}

int mdg__registry_ready(struct mdg__registry *registry, enum mdg__table table, uint32_t count)
{
	struct grown grown = table_of(registry, table);
	if (count > grown.capacity)
		return -ENOSPC;
	if (count <= mdg__get32(grown.watermark))
		return 0;
	if (registry->look)
		return -EROFS;
	uint32_t step = 64 * 1024 / grown.record; /* reserve ahead, 64 KiB at once */
	uint32_t wanted = count + step < grown.capacity ? count + step : grown.capacity;
	int fd = mdg__registry_fd(registry, false);
	if (fd < 0)
		return fd;
	int rc = mdg__sys_reserve(fd, grown.offset, (uint64_t)wanted * grown.record);
	if (rc == -ENOSPC || rc == -EDQUOT) { /* perhaps there is room for just one */
		wanted = count;
		rc = mdg__sys_reserve(fd, grown.offset, (uint64_t)wanted * grown.record);
	}
	if (rc < 0)
		return rc == -ENOSPC || rc == -EDQUOT ? -ENOMEM : rc;
	/* Reserving twice does no harm, so no lock: only the watermark must not
	 * fall. Release: the pages are there for whoever acquires the new value. */
	uint32_t seen = mdg__get32(grown.watermark);
	while (seen < wanted &&
	       !atomic_compare_exchange_weak_explicit(grown.watermark, &seen, wanted,
	                                              memory_order_release, memory_order_acquire))
		;
	return 0;
}
