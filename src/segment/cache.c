/* SPDX-License-Identifier: MIT */
/*
 * cache.c - what this process knows of each segment: its record of attachments
 * in the registry, and a descriptor of the data file that it keeps.
 *
 * The record is the one entry per process and segment that says how often this
 * process has the segment attached. The descriptor makes the next attachment
 * cheap. A descriptor belongs to the program's table: the program may close it,
 * or put another file there, so it is checked before each use.
 */
#include <errno.h>
#include <string.h>

#include "platform/epoch.h"
#include "registry/tie.h"
#include "segment/internal.h"

/* ---- this process's record ------------------------------------------------ */

bool mdg__cache_has_record(const struct mdg_namespace *ns, const struct mdg__segment_cache *cache)
{
	return cache->attachment1 != 0 && cache->epoch == ns->epoch &&
	       mdg__get64(&ns->registry.ties[cache->attachment1 - 1].word) >> 32 ==
	               cache->generation;
}

/* The parent has made the records. This looks which they are. A segment without a record gets one
 * when it is counted next (count.c). */
void mdg__adopt_attachments(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	for (uint32_t i = 0; i < ns->piece_count; i++) {
		uint32_t index = ns->pieces[i].index;
		struct mdg__segment_cache *cache = &ns->caches[index];
		uint32_t at = mdg__tie_of(registry, registry->slot1 - 1, MDG__SEGMENTS, index);
		cache->attachment1 = at;
		if (at == 0)
			continue;
		cache->generation = (uint32_t)(mdg__get64(&registry->ties[at - 1].word) >> 32);
		cache->epoch = mdg__epoch();
	}
}

int mdg__attachments_ready(struct mdg_namespace *ns, uint32_t count)
{
	int rc = mdg__registry_ready(&ns->registry, MDG__TIES, count);
	if (rc != -ENOSPC && rc != -ENOMEM) /* the table is as long as it can be, or memory short */
		return rc;
	rc = mdg__lock(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__ties_sweep(&ns->registry) ? 0 : -ENOMEM;
	mdg__unlock(&ns->registry);
	return rc;
}

/* ---- the descriptor ------------------------------------------------------- */

void mdg__cache_note_fd(struct mdg_namespace *ns, const struct mdg__segment_cache *cache)
{
	if (mdg__cache_has_record(ns, cache))
		atomic_store_explicit(&ns->registry.ties[cache->attachment1 - 1].fd,
		                      (uint32_t)(cache->fd + 1), memory_order_release);
}

bool mdg__data_fd_is_ours(const struct mdg_namespace *ns, int fd, uint64_t inode, uint64_t mark)
{
	return mark != 0 ? mdg__fd_is_marked(fd, mark)
	                 : mdg__fd_is(fd, ns->registry.device, (ino_t)inode);
}

bool mdg__cache_fd_is_ours(const struct mdg_namespace *ns, const struct mdg__segment_cache *cache)
{
	return mdg__data_fd_is_ours(ns, cache->fd, cache->inode, cache->mark);
}

void mdg__cache_drop_fd(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__segment_cache *cache = &ns->caches[index];
	if (cache->sequence1 == 0 || cache->fd < 0)
		return;
	if (mdg__cache_fd_is_ours(ns, cache))
		(void)mdg__sys_close(cache->fd);
	cache->fd = -1;
	ns->kept_fds--;
	if (ns->kept_detached1 == index + 1)
		ns->kept_detached1 = 0;
	mdg__cache_note_fd(ns, cache);
}

void mdg__cache_check_kept(struct mdg_namespace *ns)
{
	uint32_t index = ns->kept_detached1 - 1;
	struct mdg__segment *segment = &ns->registry.segments[index];
	if (mdg__get32(&segment->tag) != mdg__tag(ns->caches[index].sequence1 - 1, MDG__LIVE) ||
	    mdg__get64(&segment->inode) != ns->caches[index].inode)
		mdg__cache_drop_fd(ns, index);
}

void mdg__cache_keep_fd(struct mdg_namespace *ns, struct mdg__segment_cache *cache, uint32_t index,
                        int fd, bool writable, uint64_t inode, uint64_t mark)
{
	mdg__cache_drop_fd(ns, index);
	cache->fd = fd;
	cache->writable = writable;
	cache->inode = inode;
	cache->mark = mark;
	ns->kept_fds++;
	mdg__cache_note_fd(ns, cache);
}

int mdg__data_at_hand(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	const struct mdg__segment_cache *cache = &ns->caches[entry->index];
	if (cache->sequence1 != mdg__tag_generation(entry->tag) + 1 || cache->fd < 0 ||
	    !cache->writable || cache->inode != entry->inode)
		return -EBADF;
	return mdg__cache_fd_is_ours(ns, cache) ? cache->fd : -EBADF;
}

/* ---- both ----------------------------------------------------------------- */

int mdg__cache_find(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                    struct mdg__segment_cache **ret)
{
	struct mdg__segment_cache *cache = &ns->caches[index];
	*ret = cache;
	/* The inode is compared too, because the id of a segment that is gone can be given to
	 * another one: see take_next() in registry/ids.c. */
	if (cache->sequence1 == sequence + 1 &&
	    (cache->pieces > 0 || cache->fd < 0 ||
	     cache->inode == mdg__get64(&ns->registry.segments[index].inode)))
		return 0;
	/* The segment was found before we entered, and is gone since. Another thread may
	 * already have attached the next segment at this index. */
	if (mdg__tag_generation(mdg__get32(&ns->registry.segments[index].tag)) != sequence)
		return -EINVAL;
	if (cache->sequence1 != 0 && cache->pieces > 0)
		return MDG_DAMAGED; /* this process has it attached, and yet its place is taken */
	mdg__cache_drop_fd(ns, index);
	memset(cache, 0, sizeof *cache);
	cache->sequence1 = sequence + 1;
	cache->fd = -1;
	return 0;
}
