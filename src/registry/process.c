/* SPDX-License-Identifier: MIT */
/*
 * process.c - process slots: finding a free one, filling it in, and those of children.
 *
 * To take a slot, a process looks for one whose tag says FREE, locks its byte, and
 * looks at the tag again. The lock decides between two processes that want the same
 * slot, so no other lock is needed. Only its owner takes a slot from FREE. Only the
 * holder of the writer lock gives a dead one back to FREE.
 *
 * Fork: the parent takes the child's slot with a second description, which the child
 * inherits. The parent then closes its copy. So the child's attachments are counted
 * at every moment. A child that could have no description of its own keeps the
 * parent's, which holds the bytes of both until both are dead. Both slots are then
 * marked for good (MDG__SHARING); alive.c says what that means.
 */
#include <errno.h>

#include "platform/identity.h"
#include "platform/ofthread.h"
#include "platform/sys.h"
#include "registry/internal.h"

#define FORK_LASTS_NS UINT64_C(1000000000)

/* ---- taking ------------------------------------------------------------- */

static bool is_free(struct mdg__registry *registry, uint32_t slot)
{
	return mdg__slot_state(mdg__get32(&registry->processes[slot].tag)) == MDG__SLOT_FREE;
}

/* Tries to lock one slot. -EAGAIN: the slot is another process's. */
static int try_slot(struct mdg__registry *registry, int fd, uint32_t slot)
{
	if (!is_free(registry, slot))
		return -EAGAIN;
	int rc = mdg__sys_lock_byte(fd, mdg__slot_byte(registry, slot), false);
	if (rc < 0)
		return rc;
	if (is_free(registry, slot))
		return 0;
	/* Another process took it, and died, in between. */
	(void)mdg__sys_unlock_byte(fd, mdg__slot_byte(registry, slot));
	return -EAGAIN;
}

int mdg__slot_find(struct mdg__registry *registry, int fd, uint32_t *ret_slot)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	uint32_t hint = ready != 0 ? mdg__get32(&registry->head->slot_hint) % ready : 0;
	for (uint32_t i = 0; i < registry->process_capacity; i++) {
		uint32_t slot = i < ready ? (hint + i) % ready : i;
		if (slot >= ready) {
			int rc = mdg__registry_ready(registry, MDG__PROCESSES, slot + 1);
			if (rc < 0)
				return rc;
		}
		int rc = try_slot(registry, fd, slot);
		if (rc == 0) {
			atomic_store_explicit(&registry->head->slot_hint, slot + 1,
			                      memory_order_relaxed);
			*ret_slot = slot;
		}
		if (rc != -EAGAIN)
			return rc;
	}
	return MDG_NO_SLOT;
}

uint32_t mdg__slot_fill_in(struct mdg__registry *registry, uint32_t slot, int32_t pid,
                           enum mdg__process_state state)
{
	/* A child is born a little later than this. */
	uint64_t born_before = mdg__boot_nanoseconds() + (pid == 0 ? FORK_LASTS_NS : 0);
	struct mdg__process *process = &registry->processes[slot];
	uint32_t generation = (mdg__tag_generation(mdg__get32(&process->tag)) + 1) & 0xffffff;
	atomic_store_explicit(&process->pid, (uint32_t)pid, memory_order_release);
	atomic_store_explicit(&process->born_before, born_before, memory_order_release);
	atomic_store_explicit(&process->boot, registry->boot, memory_order_release);
	atomic_store_explicit(&process->pid_namespace, registry->pid_namespace,
	                      memory_order_release);
	atomic_store_explicit(&process->mapped_at, (uint64_t)(uintptr_t)registry->head,
	                      memory_order_release);
	atomic_store_explicit(&process->uid, mdg__my_id(registry, mdg__euid()),
	                      memory_order_release);
	atomic_store_explicit(&process->forking, 0, memory_order_release);
	atomic_store_explicit(&process->tag, mdg__slot_tag(generation, state),
	                      memory_order_release);
	return generation;
}

/* ---- fork --------------------------------------------------------------- */

int mdg__slot_for_child(struct mdg__registry *registry, int fd, uint32_t *ret_slot,
                        uint32_t *ret_generation)
{
	int rc = mdg__slot_find(registry, fd, ret_slot);
	if (rc < 0)
		return rc;
	struct mdg__process *process = &registry->processes[*ret_slot];
	atomic_store_explicit(&process->parent, registry->slot1, memory_order_release);
	atomic_store_explicit(&process->parent_generation, registry->generation,
	                      memory_order_release);
	atomic_fetch_add(&registry->processes[registry->slot1 - 1].forking, 1);
	*ret_generation = mdg__slot_fill_in(registry, *ret_slot, 0, MDG__SLOT_FORKING);
	if (fd == registry->fd) {
		atomic_fetch_or(&registry->processes[registry->slot1 - 1].forking, MDG__SHARING);
		atomic_fetch_or(&process->forking, MDG__SHARING);
	}
	return 0;
}

/* There is one child less that may hold the description of the process `parent`. */
static void let_go(struct mdg__process *parent, uint32_t generation)
{
	uint32_t count = mdg__get32(&parent->forking);
	if (mdg__tag_generation(mdg__get32(&parent->tag)) != generation)
		return; /* the parent died, and the slot is another process's */
	while ((count & ~MDG__SHARING) > 0 &&
	       !atomic_compare_exchange_weak(&parent->forking, &count, count - 1))
		;
}

void mdg__slot_forked(const struct mdg__registry *registry, uint32_t slot)
{
	struct mdg__process *process = &registry->processes[slot];
	uint32_t parent1 = atomic_exchange(&process->parent, 0);
	if (mdg__is_slot1(registry, parent1))
		let_go(&registry->processes[parent1 - 1], mdg__get32(&process->parent_generation));
}

void mdg__slot_unlock(const struct mdg__registry *registry, uint32_t slot)
{
	(void)mdg__sys_unlock_byte(registry->fd, mdg__slot_byte(registry, slot));
}

MDG__AT_FORK void mdg__slot_born(const struct mdg__registry *registry, uint32_t slot,
                                 uint32_t generation, bool shares_description)
{
	struct mdg__process *process = &registry->processes[slot];
	/* The parent waits for this, but not for ever: it may have given up. */
	uint32_t unborn = mdg__slot_tag(generation, MDG__SLOT_FORKING);
	if (shares_description && mdg__get32(&process->tag) != unborn)
		return;
	atomic_store_explicit(&process->pid, (uint32_t)mdg__pid(), memory_order_release);
	if (shares_description) {
		if (atomic_compare_exchange_strong(&process->tag, &unborn,
		                                   mdg__slot_tag(generation, MDG__SLOT_LIVE)))
			atomic_store(&process->parent, 0);
		(void)mdg__sys_futex_wake(&process->tag, 1, true);
		return;
	}
	atomic_store_explicit(&process->tag, mdg__slot_tag(generation, MDG__SLOT_LIVE),
	                      memory_order_release);
	/* This process's own memory still says who the parent is. */
	if (atomic_exchange(&process->parent, 0) != 0)
		let_go(&registry->processes[registry->slot1 - 1], registry->generation);
}

void mdg__slot_await_birth(const struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	struct mdg__process *process = &registry->processes[slot];
	uint32_t unborn = mdg__slot_tag(generation, MDG__SLOT_FORKING);
	const uint64_t end = mdg__boot_nanoseconds() + FORK_LASTS_NS;
	while (mdg__get32(&process->tag) == unborn) {
		if (mdg__boot_nanoseconds() >= end) {
			(void)atomic_compare_exchange_strong(
				&process->tag, &unborn, mdg__slot_tag(generation, MDG__SLOT_DEAD));
			return;
		}
		(void)mdg__sys_futex_wait(&process->tag, unborn, true, FORK_LASTS_NS);
	}
}
