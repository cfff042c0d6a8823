/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a child inherits attachments, and they count from the first moment.
 *
 * Before the fork the parent opens a second description of the registry, takes
 * a slot for the child with it, and enters the child's attachments under that
 * slot. The child inherits the description and with it the lock. Afterwards
 * the parent closes its copy; the child closes its copy of the parent's (else
 * the parent would seem to live as long as the child) and enters its pid.
 * Killed anywhere on the way, each leaves a slot whose lock the kernel drops.
 *
 * fork() runs this through pthread_atfork. A bare clone(2) or _Fork() does
 * not: such a child finds a page that the kernel wiped (MADV_WIPEONFORK) at its
 * next call, and then takes a slot of its own. Until then its inherited
 * attachments are not counted; it keeps the parent's description open.
 *
 * vfork and posix_spawn share the parent's memory until exec: nothing to do.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/identity.h"
#include "segment/internal.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static _Atomic uint32_t *wiped; /* a page: the epoch, or 0 after a fork */
static _Atomic uint32_t epoch = 1;
static mdg__sigmask mask_at_fork; /* of the forking thread; list lock held */

uint32_t mdg__fork_epoch(void)
{
	_Atomic uint32_t *page = wiped;
	if (page == NULL)
		return atomic_load_explicit(&epoch, memory_order_relaxed);
	uint32_t now = atomic_load_explicit(page, memory_order_relaxed);
	if (now == 0) {
		now = atomic_fetch_add(&epoch, 1) + 1;
		atomic_store(page, now);
	}
	return now;
}

void mdg__forked(struct mdg_namespace *ns)
{
	struct mdg__registry *registry = &ns->registry;
	if (mdg__registry_fd_is_ours(registry))
		(void)mdg__sys_close(registry->fd);
	registry->fd = -1;
	registry->slot1 = 0;
	ns->epoch = mdg__fork_epoch();
}

/* ---- before ---------------------------------------------------------------- */

/* Enters one segment's attachments under the child's slot. [registry lock] */
static int enter_for_child(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__known *known = &ns->known[index];
	struct mdg__segment *segment = &registry->segments[index];
	uint32_t tag = mdg__get32(&segment->tag), made;
	if (tag >> 8 != known->sequence1 - 1 || mdg__tag_state(tag) < MDG__LIVE)
		return 0;
	int rc = mdg__attachment_make(registry, index, ns->child_slot, &made,
	                              &known->child_generation);
	if (rc < 0)
		return rc;
	(void)mdg__attachment_add(registry, made, known->child_generation, (int32_t)known->pieces);
	atomic_store_explicit(&registry->attachments[made].fd, (uint32_t)(known->fd + 1),
	                      memory_order_release);
	known->child_attachment1 = made + 1;
	known->fork_round = ns->fork_round;
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
		int rc = 0;
		if (ns->known[index].fork_round != ns->fork_round)
			rc = enter_for_child(ns, index);
		if (rc == -EAGAIN) { /* the table of attachments has to grow first */
			mdg__unlock(registry);
			rc = mdg__registry_ready(registry, MDG__ATTACHMENTS,
			                         mdg__get32(&registry->head->used_attachments) + 1);
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

/* A program that forks and forks would fill the registry with slots of dead
 * children: so each fork asks about two former ones. */
static void give_back_children(struct mdg_namespace *ns)
{
	struct mdg__children *children = &ns->children;
	for (int i = 0; i < 2 && children->count > 0; i++) {
		uint32_t at = children->next++ % children->count;
		struct mdg__holder child = { children->list[at].slot, children->list[at].generation,
			                     0, -1 };
		if (mdg__slot_alive(&ns->registry, child.slot, child.generation))
			continue;
		children->list[at] = children->list[--children->count];
		mdg__reap(ns, &child, 1);
	}
}

static void remember_child(struct mdg_namespace *ns)
{
	struct mdg__children *children = &ns->children;
	/* When all live long, one is forgotten, and found by whoever meets it. */
	uint32_t at = children->count < MDG__CHILDREN ? children->count++
	                                              : children->next % MDG__CHILDREN;
	children->list[at].slot = ns->child_slot;
	children->list[at].generation = ns->child_generation;
}

static void prepare_one(struct mdg_namespace *ns)
{
	ns->child_fd = -1;
	if (ns->piece_count == 0)
		return;
	give_back_children(ns);
	int rc = mdg__ensure_slot(ns);
	int fd = rc < 0 ? rc : mdg__registry_fd(&ns->registry, true);
	if (fd < 0)
		return; /* the child enters itself at its first call */
	rc = mdg__slot_for_child(&ns->registry, fd, &ns->child_slot, &ns->child_generation);
	if (rc == MDG_NO_SLOT) {
		mdg__reap_all(ns);
		rc = mdg__slot_for_child(&ns->registry, fd, &ns->child_slot,
		                         &ns->child_generation);
	}
	ns->fork_round++;
	if (rc == 0)
		rc = mdg__lock(&ns->registry);
	if (rc == 0)
		rc = enter_all_for_child(ns);
	if (rc < 0) {
		(void)mdg__sys_close(fd); /* and with it the slot is dead */
		return;
	}
	ns->child_fd = fd;
	remember_child(ns);
}

static void before_fork(void)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	mdg__list_lock();
	mask_at_fork = mask;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		mdg__enter(ns);
		prepare_one(ns);
	}
}

/* ---- after ----------------------------------------------------------------- */

static void leave_all(void)
{
	mdg__sigmask mask = mask_at_fork;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__leave(ns); /* signals stay blocked: so they were at each enter */
	mdg__list_unlock();
	mdg__signals_restore(&mask);
}

static void after_in_parent(void)
{
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		if (ns->child_fd >= 0)
			(void)mdg__sys_close(ns->child_fd);
		ns->child_fd = -1;
	}
	leave_all();
}

static void adopt_attachments(struct mdg_namespace *ns)
{
	for (uint32_t i = 0; i < ns->piece_count; i++) {
		struct mdg__known *known = &ns->known[ns->pieces[i].index];
		if (known->fork_round != ns->fork_round)
			continue; /* its segment is gone from the registry */
		known->attachment1 = known->child_attachment1;
		known->generation = known->child_generation;
		known->epoch = ns->epoch;
	}
}

static void after_in_child(void)
{
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		mdg__forked(ns);
		ns->children.count = 0;
		if (ns->child_fd >= 0) {
			mdg__slot_adopt(&ns->registry, ns->child_fd, ns->child_slot,
			                ns->child_generation);
			adopt_attachments(ns);
		}
		ns->child_fd = -1;
	}
	leave_all();
}

void mdg__fork_watch(void)
{
	static _Atomic uint32_t done;
	if (atomic_exchange(&done, 1) != 0)
		return;
	void *page;
	if (mdg__sys_mmap(NULL, mdg__page_size(), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &page) == 0) {
		if (mdg__sys_madvise(page, mdg__page_size(), MADV_WIPEONFORK) == 0) {
			atomic_store((_Atomic uint32_t *)page, 1);
			wiped = page;
		} else {
			(void)mdg__sys_munmap(page, mdg__page_size());
		}
	}
}

/* At load, so that the handlers run innermost: last before the fork, first
 * after it, and a program's own handlers may use shared memory. */
__attribute__((constructor)) static void register_handlers(void)
{
	(void)pthread_atfork(before_fork, after_in_parent, after_in_child);
}
