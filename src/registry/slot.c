/* SPDX-License-Identifier: MIT */
/*
 * slot.c - the slot of this process: taking it, keeping it, taking over a dead one's.
 *
 * The program may close every descriptor, and the lock on the slot's byte goes with
 * the registry's. So each call that needs the slot looks whether it still has it. It
 * opens the registry again and locks the byte again where that is needed.
 *
 * When no slot is free, or the table cannot grow because memory is short, this process inherits
 * the slot of a dead one: it locks the byte, clears away what the dead process had, and then
 * uses the slot itself.
 */
#include <errno.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "registry/internal.h"

/* Every slot is taken, so this process inherits the slot of a dead one. It locks the slot's
 * byte. With that it may take the writer lock in the slot's name, and clear away what the
 * dead process had. Until that is done the slot is INHERITED: its attachments count for no
 * living process, but a process is at work in it. It keeps the generation of the dead
 * process, because the entries name that as their worker. If this process dies too, the next
 * one finds the slot as this one found it. */
static int inherit_slot(struct mdg__registry *registry, int fd)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t slot = 0; slot < ready; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t tag = mdg__get32(&process->tag), generation = mdg__tag_generation(tag);
		if (mdg__slot_alive(registry, slot, generation) ||
		    mdg__sys_lock_byte(fd, mdg__slot_byte(registry, slot), false) < 0)
			continue;
		/* This fails if the slot was given back in the meantime, and perhaps taken. */
		if (atomic_compare_exchange_strong(
			    &process->tag, &tag, mdg__slot_tag(generation, MDG__SLOT_INHERITED))) {
			/* Other processes ask the process that stands here whether it is
			 * inside a lock (mdg__slot_may_be_inside). */
			atomic_store_explicit(&process->pid, (uint32_t)mdg__pid(),
			                      memory_order_release);
			atomic_store_explicit(&process->pid_namespace, registry->pid_namespace,
			                      memory_order_release);
			atomic_store_explicit(&process->boot, registry->boot, memory_order_release);
			atomic_store_explicit(&process->born_before, mdg__boot_nanoseconds(),
			                      memory_order_release);
			atomic_store_explicit(&process->mapped_at,
			                      (uint64_t)(uintptr_t)registry->head,
			                      memory_order_release);
			registry->generation = generation;
			registry->slot1 = slot + 1;
			return 0;
		}
		(void)mdg__sys_unlock_byte(fd, mdg__slot_byte(registry, slot));
	}
	return MDG_NO_SLOT;
}

bool mdg__slot_is_inherited(const struct mdg__registry *registry)
{
	uint32_t slot1 = registry->slot1;
	return slot1 != 0 && mdg__get32(&registry->processes[slot1 - 1].tag) ==
	                             mdg__slot_tag(registry->generation, MDG__SLOT_INHERITED);
}

void mdg__slot_settle(struct mdg__registry *registry)
{
	registry->generation =
		mdg__slot_fill_in(registry, registry->slot1 - 1, mdg__pid(), MDG__SLOT_LIVE);
}

void mdg__slot_leave(struct mdg__registry *registry)
{
	uint32_t slot = registry->slot1 - 1;
	registry->slot1 = 0;
	if (mdg__registry_fd_is_ours(registry))
		(void)mdg__sys_unlock_byte(registry->fd, mdg__slot_byte(registry, slot));
}

/* Reaps slots that carry this process's pid, although it has only just taken its own. They
 * are of the program that ran under this pid before exec, or of an earlier process that had
 * the same pid. */
static void reap_former_self(struct mdg__registry *registry, struct mdg__clearing *clearing)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	uint32_t pid = (uint32_t)mdg__pid();
	for (uint32_t slot = 0; slot < ready; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t tag = mdg__get32(&process->tag), generation = mdg__tag_generation(tag);
		if (mdg__slot_state(tag) != MDG__SLOT_LIVE || mdg__get32(&process->pid) != pid ||
		    mdg__slot_is_own(registry, slot) || mdg__slot_alive(registry, slot, generation))
			continue;
		if (mdg__lock(registry) == 0) {
			(void)mdg__slot_reap(registry, slot, generation, clearing);
			mdg__unlock(registry);
		}
	}
}

/* Whether the slot is still this process's own: no process has taken it for dead. */
static bool slot_is_kept(const struct mdg__registry *registry)
{
	uint32_t slot1 = registry->slot1;
	return slot1 != 0 && mdg__get32(&registry->processes[slot1 - 1].tag) ==
	                             mdg__slot_tag(registry->generation, MDG__SLOT_LIVE);
}

/* After unshare(CLONE_NEWPID) or setns, a forked child is in another pid namespace than its
 * parent. The child finds out at its first call and not at the fork, because /proc is slow
 * and most children exec. */
static void learn_namespace(struct mdg__registry *registry)
{
	registry->namespace_unknown = 0;
	registry->pid_namespace = mdg__pid_namespace();
	if (slot_is_kept(registry))
		atomic_store_explicit(&registry->processes[registry->slot1 - 1].pid_namespace,
		                      registry->pid_namespace, memory_order_release);
}

int mdg__slot_ensure(struct mdg__registry *registry, bool *ret_new, struct mdg__clearing *clearing)
{
	*ret_new = false;
	if (registry->namespace_unknown)
		learn_namespace(registry);
	/* No descriptor has been seen to be lost. If the lock went unnoticed, other processes
	 * have to ask a second question, and nothing worse happens. */
	if (!registry->lost && registry->fd >= 0 && slot_is_kept(registry))
		return 0;
	registry->lost = 0;
	int fd = mdg__registry_fd(registry, false);
	if (fd < 0)
		return fd;
	if (slot_is_kept(registry)) {
		/* The program closed our descriptor, and the lock went with it. */
		if (registry->locked_in != registry->openings &&
		    mdg__sys_lock_byte(fd, mdg__slot_byte(registry, registry->slot1 - 1), false) ==
		            0)
			registry->locked_in = registry->openings;
		return 0;
	}
	registry->slot1 = 0;
	uint32_t slot;
	int rc = mdg__slot_find(registry, fd, &slot);
	if (rc == 0) {
		registry->generation =
			mdg__slot_fill_in(registry, slot, mdg__pid(), MDG__SLOT_LIVE);
		registry->slot1 = slot + 1;
	} else if ((rc != MDG_NO_SLOT && rc != -ENOMEM) || inherit_slot(registry, fd) < 0) {
		return rc;
	}
	*ret_new = true;
	registry->locked_in = registry->openings;
	if (!mdg__slot_is_inherited(registry))
		reap_former_self(registry, clearing);
	return 0;
}

void mdg__slot_adopt(struct mdg__registry *registry, int fd, uint32_t slot, uint32_t generation)
{
	registry->namespace_unknown = 1;
	if (fd >= 0 && fd != registry->fd)
		mdg__registry_keep_fd(registry, fd);
	registry->locked_in = fd >= 0 ? registry->openings : 0;
	registry->generation = generation;
	registry->slot1 = slot + 1;
}
