/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a child inherits attachments, and they count from the first moment.
 *
 * A process lives, for others, as long as an open file description of its own
 * holds a lock on its slot in the registry. So a fork goes like this:
 *
 *   before     the parent opens a second description of the registry, takes a
 *              slot for the child with it, and enters the child's attachments
 *              under that slot
 *   fork       the child inherits the description, and with it the lock
 *   parent     closes its copy of the child's description
 *   child      closes its copy of the parent's description, or else the parent
 *              would seem to live as long as the child; and enters its pid
 *
 * If either is killed on the way, it leaves a slot whose lock the kernel drops.
 *
 * fork() runs this through pthread_atfork. The handler in the child does no more
 * than what is said above: most children call exec soon, and every page that is
 * written before that has to be copied. The rest waits until the child first
 * enters a namespace (enter.c). It learns of the fork by a page that the kernel
 * wipes at fork (platform/epoch.c).
 *
 * A child without attachments usually gets no slot in fork. It takes one itself when it first
 * needs one. It gets one in fork if it could not take one itself, because the process may have
 * become another user (hostidentity.c).
 *
 * A second description cannot always be opened: after setuid the directory may
 * be closed to the process, or it has no descriptor left. Then the child keeps the
 * parent's description. Its lock proves nothing any more, and other processes ask
 * the kernel about each of the two processes.
 *
 * A bare clone(2) or _Fork() runs no handlers. Such a child learns of the fork by
 * the epoch too, and takes a slot then. Until then it keeps the parent's
 * description open, and its inherited attachments are not counted.
 *
 * vfork and posix_spawn share the parent's memory until exec. Nothing has to be
 * done for them.
 */
#include <errno.h>
#include <pthread.h>

#include "platform/identity.h"
#include "platform/ofthread.h"
#include "registry/descriptor.h"
#include "registry/slot.h"
#include "registry/tie.h"
#include "segment/internal.h"

/* Of the thread that forks. */
static MDG__OF_THREAD mdg__sigmask mask_at_fork;
static MDG__OF_THREAD bool entered_at_fork;

/* ---- before --------------------------------------------------------------- */

/* [writer lock] Enters one segment's attachments under the child's slot. Writes to no private
 * memory, because then the parent would have to copy the page. */
static int enter_for_child(struct mdg_namespace *ns, uint32_t index, uint32_t *ret_made)
{
	struct mdg__registry *registry = &ns->registry;
	const struct mdg__segment_cache *cache = &ns->caches[index];
	struct mdg__segment *segment = &registry->segments[index];
	uint32_t tag = mdg__get32(&segment->tag), generation;
	if (mdg__tag_generation(tag) != cache->sequence1 - 1 || mdg__tag_state(tag) < MDG__LIVE)
		return 0;
	int rc = mdg__tie_make(registry, MDG__SEGMENTS, index, ns->child_slot, ret_made,
	                       &generation);
	if (rc < 0)
		return rc;
	struct mdg__tie *record = &registry->ties[*ret_made];
	if ((uint32_t)atomic_load(&record->word) != 0)
		return 0; /* another piece of a segment that is entered already */
	(void)mdg__tie_add(registry, *ret_made, generation, (int32_t)cache->pieces);
	atomic_store_explicit(&record->fd, (uint32_t)(cache->fd + 1), memory_order_release);
	/* As the kernel stamps a fork: now, by the parent. */
	atomic_store_explicit(&segment->atime, (uint64_t)mdg__now_seconds(), memory_order_release);
	atomic_store_explicit(&segment->lpid,
	                      mdg__get32(&registry->processes[registry->slot1 - 1].pid),
	                      memory_order_release);
	return 0;
}

static int enter_all_for_child(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	for (uint32_t i = 0; i < ns->piece_count;) {
		uint32_t index = ns->pieces[i].index;
		uint32_t made = 0;
		int rc = enter_for_child(ns, index, &made);
		if (rc == -EAGAIN) { /* the table of attachments has to grow first */
			mdg__unlock(registry);
			rc = mdg__attachments_ready(ns, made + 1);
			int locked = mdg__lock(registry);
			if (locked < 0)
				return locked;
			if (rc == 0)
				continue;
		}
		if (rc < 0) {
			mdg__unlock(registry);
			return rc;
		}
		i++;
	}
	mdg__unlock(registry);
	return 0;
}

/* A program that forks again and again would fill the registry with slots of dead children. So each
 * fork asks about two former children. */
static void give_back_children(struct mdg_namespace *ns)
{
	struct mdg__children *children = &ns->children;
	for (int i = 0; i < 2 && children->count > 0; i++) {
		uint32_t at = children->next++ % children->count;
		struct mdg__holder child = { children->list[at].slot, children->list[at].generation,
			                     0, -1 };
		mdg__reap(ns, &child, 1); /* which asks whether it is dead */
		uint32_t tag = mdg__get32(&ns->registry.processes[child.slot].tag);
		if (mdg__tag_generation(tag) != child.generation ||
		    mdg__slot_state(tag) == MDG__SLOT_FREE)
			children->list[at] = children->list[--children->count];
	}
}

static void remember_child(struct mdg_namespace *ns)
{
	struct mdg__children *children = &ns->children;
	/* When there is no room, one is forgotten. Another process clears its slot one day. */
	uint32_t at = children->count < MDG__CHILDREN ? children->count++
	                                              : children->next % MDG__CHILDREN;
	children->list[at].slot = ns->child_slot;
	children->list[at].generation = ns->child_generation;
}

/* A description for the child. If none can be opened, it is the parent's. */
static int description_for_child(struct mdg_namespace *ns)
{
	int fd = mdg__registry_fd(&ns->registry, true);
	return fd < 0 && mdg__registry_fd_is_ours(&ns->registry) ? ns->registry.fd : fd;
}

/* Takes a slot for the child and enters the attachments there. Returns the
 * description that holds it, or a negative code: then the child enters itself
 * at its first call. */
static int prepare_child(struct mdg_namespace *ns)
{
	give_back_children(ns);
	int rc = mdg__ensure_slot(ns);
	int fd = rc < 0 ? rc : description_for_child(ns);
	if (fd < 0)
		return fd;
	rc = mdg__slot_for_child(&ns->registry, fd, &ns->child_slot, &ns->child_generation);
	if (rc == MDG_NO_SLOT) {
		mdg__reap_all(ns);
		rc = mdg__slot_for_child(&ns->registry, fd, &ns->child_slot, &ns->child_generation);
	}
	if (rc == 0)
		rc = mdg__lock(&ns->registry);
	if (rc == 0)
		rc = enter_all_for_child(ns);
	if (rc < 0) {
		if (fd == ns->registry.fd)
			mdg__slot_unlock(&ns->registry, ns->child_slot);
		else
			(void)mdg__sys_close(fd); /* and with it the slot is dead */
		return rc;
	}
	remember_child(ns);
	return fd;
}

static void prepare_one(struct mdg_namespace *ns)
{
	/* No record of the child would tell of an idle descriptor. */
	if (ns->kept_detached1 != 0)
		mdg__cache_drop_fd(ns, ns->kept_detached1 - 1);
	ns->child_fd = ns->piece_count > 0 || ns->may_leave ? prepare_child(ns) : -1;
	/* Last, because that may have opened it. */
	ns->parent_fd = mdg__registry_fd_is_ours(&ns->registry) ? ns->registry.fd : -1;
}

MDG__AT_FORK static void before_fork(void)
{
	mdg__sigmask mask;
	bool entered = atomic_load(&mdg__namespaces) != NULL;
	/* A process that forks and never enters a namespace does not write here, or it would have
	 * to copy this page after each fork. */
	if (entered_at_fork != entered)
		entered_at_fork = entered;
	if (!entered)
		return;
	mdg__lists_enter(&mask);
	mask_at_fork = mask;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		mdg__enter_blocked(ns);
		prepare_one(ns);
	}
}

/* ---- after ---------------------------------------------------------------- */

MDG__AT_FORK static void after_in_parent(void)
{
	if (!entered_at_fork)
		return;
	uint32_t thread = (uint32_t)mdg__tid();
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		mdg__forked_note(ns, thread, ns->child_fd >= 0);
		if (ns->child_fd >= 0 && ns->child_fd == ns->parent_fd)
			mdg__slot_await_birth(&ns->registry, ns->child_slot, ns->child_generation);
		else if (ns->child_fd >= 0)
			(void)mdg__sys_close(ns->child_fd);
		ns->child_fd = -1;
		mdg__leave_blocked(ns);
	}
	mdg__lists_leave(&mask_at_fork);
}

/* Reads the object, and does not write to it: see the top. The locks are free, because the handler
 * of platform/epoch.c has run before. */
MDG__AT_FORK static void after_in_child(void)
{
	if (!entered_at_fork)
		return;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		bool shared = ns->child_fd == ns->parent_fd;
		if (ns->parent_fd >= 0 && !shared)
			(void)mdg__sys_close(ns->parent_fd);
		if (ns->child_fd >= 0)
			mdg__slot_born(&ns->registry, ns->child_slot, ns->child_generation, shared);
	}
	mdg__signals_restore(&mask_at_fork);
}

void mdg__fork_is_linked(void)
{
}

/* When the library is loaded, so that the handlers run last before the fork and first after it.
 * Only those of platform/epoch.c are closer to the fork. So a program's own handlers may use shared
 * memory. */
__attribute__((constructor)) static void register_handlers(void)
{
	(void)pthread_atfork(before_fork, after_in_parent, after_in_child);
}
