/* SPDX-License-Identifier: MIT */
/*
 * enter.c - entering a namespace: its lock is taken, with all signals blocked.
 *
 * Whoever enters first may find that this process is a child of a fork. Then
 * what belongs to the parent is forgotten before anything else happens, and what
 * the parent prepared for the child (fork.c) is taken over. The child learns
 * of the fork by the epoch (platform/epoch.c).
 */
#include "platform/epoch.h"
#include "platform/identity.h"
#include "registry/descriptor.h"
#include "registry/slot.h"
#include "registry/users.h"
#include "segment/internal.h"

/* ---- in the child of a fork ----------------------------------------------- */

/* The first call in a child: what is the parent's is forgotten, what was
 * prepared for the child is taken. [signals blocked, fork_lock] */
static void become_child(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	atomic_store(&ns->lock, 0); /* perhaps of a thread that is not here */
	registry->opening = 0;
	bool shared = ns->child_fd >= 0 && ns->child_fd == ns->parent_fd;
	if (!shared) {
		if (mdg__registry_fd_is_ours(registry)) /* no handler has closed it */
			(void)mdg__sys_close(registry->fd);
		registry->fd = -1;
	}
	registry->slot1 = 0;
	ns->children.count = 0;
	if (ns->child_fd >= 0) {
		bool kept = shared ? mdg__registry_fd_is_ours(registry)
		                   : mdg__fd_is(ns->child_fd, registry->device, registry->inode);
		mdg__slot_adopt(registry, kept ? ns->child_fd : -1, ns->child_slot,
		                ns->child_generation);
		registry->lost = !kept; /* closed by the program in the meantime */
		if (!kept)
			registry->fd = -1;
		mdg__adopt_attachments(ns);
	}
	ns->child_fd = -1;
	ns->doubtful = mdg__host_is_under_way();
	mdg__users_forked(registry);
	ns->pid = mdg__pid();
	/* Release: who sees the epoch sees all of this. */
	atomic_store_explicit(&ns->epoch, mdg__epoch(), memory_order_release);
}

static void become_child_once(struct mdg_namespace *ns)
{
	_Atomic uint32_t *lock = mdg__epoch_lock(MDG__LOCK_FORKED);
	mdg__thread_lock(lock); /* a child may have threads by now */
	if (!mdg__epoch_is(ns->epoch))
		become_child(ns);
	mdg__thread_unlock(lock);
}

/* ---- entering and leaving ------------------------------------------------- */

void mdg__enter_blocked(struct mdg_namespace *ns)
{
	if (!mdg__epoch_is(ns->epoch))
		become_child_once(ns);
	mdg__thread_lock(&ns->lock);
	if (ns->doubtful)
		mdg__host_look_again(ns);
	/* A descriptor at hand must not hold on to a segment that is no more. */
	if (ns->kept_detached1 != 0)
		mdg__cache_check_kept(ns);
}

void mdg__leave_blocked(struct mdg_namespace *ns)
{
	mdg__thread_unlock(&ns->lock);
}

void mdg__enter(struct mdg_namespace *ns)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	mdg__enter_blocked(ns);
	ns->mask = mask;
}

void mdg__leave(struct mdg_namespace *ns)
{
	mdg__sigmask mask = ns->mask;
	mdg__thread_unlock(&ns->lock);
	mdg__signals_restore(&mask);
}

void mdg__arrive(struct mdg_namespace *ns)
{
	if (!mdg__epoch_is(ns->epoch)) {
		mdg__enter(ns);
		mdg__leave(ns);
	}
}

void mdg__pause(struct mdg_namespace *ns, mdg__sigmask *ret_mask)
{
	*ret_mask = ns->mask;
	mdg__thread_unlock(&ns->lock);
}

void mdg__resume(struct mdg_namespace *ns, const mdg__sigmask *mask)
{
	mdg__thread_lock(&ns->lock);
	ns->mask = *mask;
}
