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
#include "segment/internal.h"

/* ---- this process's record ------------------------------------------------ */

/* Whether `attachment1` is a record of this process: not of the one that
 * forked it, and not given to somebody else since. */
bool mdg__known_has_record(const struct mdg_namespace *ns, const struct mdg__known *known)
{
	return known->attachment1 != 0 && known->epoch == ns->epoch &&
	       mdg__get64(&ns->registry.ties[known->attachment1 - 1].word) >> 32 ==
	               known->generation;
}

/* They are there; only which, this process does not know yet. Counting finds
 * out for those that it counts again. */
void mdg__adopt_attachments(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	for (uint32_t i = 0; i < ns->piece_count; i++) {
		uint32_t index = ns->pieces[i].index;
		struct mdg__known *known = &ns->known[index];
		uint32_t at = mdg__tie_of(registry, registry->slot1 - 1, MDG__SEGMENTS, index);
		known->attachment1 = at;
		if (at == 0)
			continue;
		known->generation = (uint32_t)(mdg__get64(&registry->ties[at - 1].word) >> 32);
		known->epoch = mdg__epoch();
	}
}

int mdg__attachments_ready(struct mdg_namespace *ns, uint32_t count)
{
	int rc = mdg__registry_ready(&ns->registry, MDG__TIES, count);
	if (rc != -ENOSPC)
		return rc;
	rc = mdg__lock(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__ties_sweep(&ns->registry) ? 0 : -ENOMEM;
	mdg__unlock(&ns->registry);
	return rc;
}

/* ---- the descriptor ------------------------------------------------------- */

/* Tells others which descriptor they can reach the file through. */
void mdg__known_note_fd(struct mdg_namespace *ns, const struct mdg__known *known)
{
	if (mdg__known_has_record(ns, known))
		atomic_store_explicit(&ns->registry.ties[known->attachment1 - 1].fd,
		                      (uint32_t)(known->fd + 1), memory_order_release);
}

/* Whether the program has left the descriptor alone. */
bool mdg__known_fd_is_ours(const struct mdg_namespace *ns, const struct mdg__known *known)
{
	return known->mark != 0 ? mdg__fd_is_marked(known->fd, known->mark)
	                        : mdg__fd_is(known->fd, ns->registry.device, (ino_t)known->inode);
}

void mdg__known_drop_fd(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__known *known = &ns->known[index];
	if (known->sequence1 == 0 || known->fd < 0)
		return;
	if (mdg__known_fd_is_ours(ns, known))
		(void)mdg__sys_close(known->fd);
	known->fd = -1;
	ns->kept_fds--;
	if (ns->idle1 == index + 1)
		ns->idle1 = 0;
	mdg__known_note_fd(ns, known);
}

void mdg__check_idle(struct mdg_namespace *ns)
{
	uint32_t index = ns->idle1 - 1;
	struct mdg__segment *segment = &ns->registry.segments[index];
	if (mdg__get32(&segment->tag) != mdg__tag(ns->known[index].sequence1 - 1, MDG__LIVE) ||
	    mdg__get64(&segment->inode) != ns->known[index].inode)
		mdg__known_drop_fd(ns, index);
}

void mdg__known_keep_fd(struct mdg_namespace *ns, struct mdg__known *known, uint32_t index, int fd,
                        bool writable, uint64_t inode)
{
	mdg__known_drop_fd(ns, index);
	known->fd = fd;
	known->writable = writable;
	known->inode = inode;
	known->mark = mdg__fd_mark(fd);
	ns->kept_fds++;
	mdg__known_note_fd(ns, known);
}

/* ---- both ----------------------------------------------------------------- */

/* The entry for this very segment; a former one at the index is forgotten. */
int mdg__known_find(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                    struct mdg__known **ret)
{
	struct mdg__known *known = &ns->known[index];
	*ret = known;
	/* The id of one that is gone can be given again: see take_next() in registry/index.c. */
	if (known->sequence1 == sequence + 1 &&
	    (known->pieces > 0 || known->fd < 0 ||
	     known->inode == mdg__get64(&ns->registry.segments[index].inode)))
		return 0;
	/* Found before we entered, and gone since: another thread may already
	 * have the next one at this index attached. */
	if (mdg__get32(&ns->registry.segments[index].tag) >> 8 != sequence)
		return -EINVAL;
	if (known->sequence1 != 0 && known->pieces > 0)
		return MDG_DAMAGED; /* attached, and yet another segment has its place */
	mdg__known_drop_fd(ns, index);
	memset(known, 0, sizeof *known);
	known->sequence1 = sequence + 1;
	known->fd = -1;
	return 0;
}
