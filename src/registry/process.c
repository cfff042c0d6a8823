/* SPDX-License-Identifier: MIT */
/*
 * process.c - process slots: taking one, and who is alive.
 *
 * A process that attaches owns a slot, and holds an open-file-description lock
 * on the slot's first byte of the registry file. The kernel drops it with the
 * last copy of the descriptor: at any death, and at exec (close-on-exec).
 *
 * To take a slot: find one whose tag says FREE, lock its byte, look again. The
 * lock decides between two who want it, so no other lock is needed. Only its
 * owner takes a slot from FREE; only the holder of the writer lock gives a dead
 * one back to FREE.
 *
 * Alive means: the byte is locked. A free byte is not yet a death, because
 * daemons close every descriptor they find; so then the process itself is
 * asked: does one with this pid, started before the slot was taken, still map
 * the registry where the slot says? In another pid namespace, or where /proc
 * does not tell, the lock alone decides.
 *
 * Fork: the parent takes the child's slot with a second description, which the
 * child inherits; the parent then closes its copy. There is no moment at which
 * the child's attachments are not counted. A slot in state FORKING has no pid
 * yet: for it the lock alone decides. Until the child has closed its copy of
 * the parent's description, a locked byte does not prove that the parent lives:
 * the parent's slot counts such children (`forking`), and while there are any,
 * the parent itself is asked as well. A child that could have no description of
 * its own keeps the parent's, which holds both their bytes until both are dead:
 * both are marked for good (MDG__SHARING), and always asked themselves.
 */
#include <errno.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "registry/registry.h"

#define FORK_LASTS_NS UINT64_C(1000000000)

static uint64_t byte_of(const struct mdg__registry *registry, uint32_t slot)
{
	return registry->process_offset + (uint64_t)slot * sizeof(struct mdg__process);
}

bool mdg__slot_is_own(const struct mdg__registry *registry, uint32_t slot)
{
	return registry->slot1 == slot + 1;
}

/* ---- taking ------------------------------------------------------------- */

static bool is_free(struct mdg__registry *registry, uint32_t slot)
{
	return (mdg__get32(&registry->processes[slot].tag) & 0xff) == MDG__SLOT_FREE;
}

/* Tries one slot: 0, -EAGAIN when it is not to be had, or another error. */
static int try_slot(struct mdg__registry *registry, int fd, uint32_t slot)
{
	if (!is_free(registry, slot))
		return -EAGAIN;
	int rc = mdg__sys_lock_byte(fd, byte_of(registry, slot), false);
	if (rc < 0)
		return rc;
	if (is_free(registry, slot))
		return 0;
	(void)mdg__sys_unlock_byte(fd, byte_of(registry, slot)); /* its taker died meanwhile */
	return -EAGAIN;
}

/* Finds and locks a free slot. MDG_NO_SLOT when there is none. */
static int find_slot(struct mdg__registry *registry, int fd, uint32_t *ret_slot)
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

/* Fills in a slot whose byte is locked for us; the tag last, which makes the
 * rest count. Returns the generation. */
static uint32_t fill_in(struct mdg__registry *registry, uint32_t slot, int32_t pid,
                        enum mdg__process_state state)
{
	/* A child is born a little later than this. */
	uint64_t born_before = mdg__boot_nanoseconds() + (pid == 0 ? FORK_LASTS_NS : 0);
	struct mdg__process *process = &registry->processes[slot];
	uint32_t generation = ((mdg__get32(&process->tag) >> 8) + 1) & 0xffffff;
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
	atomic_store_explicit(&process->tag, generation << 8 | (uint32_t)state,
	                      memory_order_release);
	return generation;
}

/* Every slot is taken. One of a dead process can be inherited: with its byte
 * locked it is ours, and in its name we may take the writer lock and clear away
 * what the dead had. Until that is done it is INHERITED: its attachments are of
 * no living process, but its owner is at work. Its generation stays the dead
 * one's, whose work this is; if we die too, the next finds it as we did. */
static int inherit_slot(struct mdg__registry *registry, int fd)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t slot = 0; slot < ready; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t tag = mdg__get32(&process->tag), generation = tag >> 8;
		if (mdg__slot_alive(registry, slot, generation) ||
		    mdg__sys_lock_byte(fd, byte_of(registry, slot), false) < 0)
			continue;
		/* Fails when it was given back, and perhaps taken, since we looked. */
		if (atomic_compare_exchange_strong(&process->tag, &tag,
		                                   generation << 8 | MDG__SLOT_INHERITED)) {
			/* So that others ask the right one whether it is inside. */
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
		(void)mdg__sys_unlock_byte(fd, byte_of(registry, slot));
	}
	return MDG_NO_SLOT;
}

bool mdg__slot_is_inherited(const struct mdg__registry *registry)
{
	uint32_t slot1 = registry->slot1;
	return slot1 != 0 && mdg__get32(&registry->processes[slot1 - 1].tag) ==
	                             (registry->generation << 8 | MDG__SLOT_INHERITED);
}

void mdg__slot_settle(struct mdg__registry *registry)
{
	registry->generation = fill_in(registry, registry->slot1 - 1, mdg__pid(), MDG__SLOT_LIVE);
}

void mdg__slot_leave(struct mdg__registry *registry)
{
	uint32_t slot = registry->slot1 - 1;
	registry->slot1 = 0;
	if (mdg__registry_fd_is_ours(registry))
		(void)mdg__sys_unlock_byte(registry->fd, byte_of(registry, slot));
}

/* Slots that say they are this process, which has only just taken its own: of
 * the program that ran under this pid before exec, or before pids went round. */
static void reap_former_self(struct mdg__registry *registry, struct mdg__clearing *clearing)
{
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	uint32_t pid = (uint32_t)mdg__pid();
	for (uint32_t slot = 0; slot < ready; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t tag = mdg__get32(&process->tag);
		if ((tag & 0xff) != MDG__SLOT_LIVE || mdg__get32(&process->pid) != pid ||
		    mdg__slot_is_own(registry, slot) || mdg__slot_alive(registry, slot, tag >> 8))
			continue;
		if (mdg__lock(registry) == 0) {
			(void)mdg__slot_reap(registry, slot, tag >> 8, clearing);
			mdg__unlock(registry);
		}
	}
}

/* The slot is still this process's: nobody took it for dead. */
static bool slot_is_kept(const struct mdg__registry *registry)
{
	uint32_t slot1 = registry->slot1;
	return slot1 != 0 && mdg__get32(&registry->processes[slot1 - 1].tag) ==
	                             (registry->generation << 8 | MDG__SLOT_LIVE);
}

/* unshare(CLONE_NEWPID) or setns before a fork: the child is elsewhere. Asked
 * at its first call, because /proc is slow and most children exec. */
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
	/* Nothing has been seen to be lost: a lock that went with a descriptor
	 * costs others a second question, no more. */
	if (!registry->lost && registry->fd >= 0 && slot_is_kept(registry))
		return 0;
	registry->lost = 0;
	int fd = mdg__registry_fd(registry, false);
	if (fd < 0)
		return fd;
	if (slot_is_kept(registry)) {
		/* The program closed our descriptor, and the lock went with it. */
		if (registry->locked_in != registry->openings &&
		    mdg__sys_lock_byte(fd, byte_of(registry, registry->slot1 - 1), false) == 0)
			registry->locked_in = registry->openings;
		return 0;
	}
	registry->slot1 = 0;
	uint32_t slot;
	int rc = find_slot(registry, fd, &slot);
	if (rc == MDG_NO_SLOT)
		rc = inherit_slot(registry, fd);
	else if (rc == 0) {
		registry->generation = fill_in(registry, slot, mdg__pid(), MDG__SLOT_LIVE);
		registry->slot1 = slot + 1;
	}
	if (rc < 0)
		return rc;
	*ret_new = true;
	registry->locked_in = registry->openings;
	if (!mdg__slot_is_inherited(registry))
		reap_former_self(registry, clearing);
	return 0;
}

/* ---- fork --------------------------------------------------------------- */

int mdg__slot_for_child(struct mdg__registry *registry, int fd, uint32_t *ret_slot,
                        uint32_t *ret_generation)
{
	int rc = find_slot(registry, fd, ret_slot);
	if (rc < 0)
		return rc;
	struct mdg__process *process = &registry->processes[*ret_slot];
	atomic_store_explicit(&process->parent, registry->slot1, memory_order_release);
	atomic_store_explicit(&process->parent_generation, registry->generation,
	                      memory_order_release);
	atomic_fetch_add(&registry->processes[registry->slot1 - 1].forking, 1);
	*ret_generation = fill_in(registry, *ret_slot, 0, MDG__SLOT_FORKING);
	if (fd == registry->fd) {
		atomic_fetch_or(&registry->processes[registry->slot1 - 1].forking, MDG__SHARING);
		atomic_fetch_or(&process->forking, MDG__SHARING);
	}
	return 0;
}

/* One child less that may hold the description of the process in this slot. */
static void let_go(struct mdg__process *parent, uint32_t generation)
{
	uint32_t count = mdg__get32(&parent->forking);
	if (mdg__get32(&parent->tag) >> 8 != generation)
		return; /* it died, and the slot is another's */
	while ((count & ~MDG__SHARING) > 0 &&
	       !atomic_compare_exchange_weak(&parent->forking, &count, count - 1))
		;
}

void mdg__slot_forked(const struct mdg__registry *registry, uint32_t slot)
{
	struct mdg__process *process = &registry->processes[slot];
	uint32_t parent1 = atomic_exchange(&process->parent, 0);
	if (parent1 != 0 && parent1 <= mdg__registry_ready_count(registry, MDG__PROCESSES))
		let_go(&registry->processes[parent1 - 1], mdg__get32(&process->parent_generation));
}

void mdg__slot_unlock(const struct mdg__registry *registry, uint32_t slot)
{
	(void)mdg__sys_unlock_byte(registry->fd, byte_of(registry, slot));
}

void mdg__slot_born(const struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                    bool shares_description)
{
	struct mdg__process *process = &registry->processes[slot];
	/* A parent that waits for this does not wait for ever. */
	uint32_t unborn = generation << 8 | MDG__SLOT_FORKING;
	if (shares_description && mdg__get32(&process->tag) != unborn)
		return;
	atomic_store_explicit(&process->pid, (uint32_t)mdg__pid(), memory_order_release);
	if (shares_description) {
		if (atomic_compare_exchange_strong(&process->tag, &unborn,
		                                   generation << 8 | MDG__SLOT_LIVE))
			atomic_store(&process->parent, 0);
		(void)mdg__sys_futex_wake(&process->tag, 1, true);
		return;
	}
	atomic_store_explicit(&process->tag, generation << 8 | MDG__SLOT_LIVE,
	                      memory_order_release);
	/* Who the parent is, this process still has in its own memory. */
	if (atomic_exchange(&process->parent, 0) != 0)
		let_go(&registry->processes[registry->slot1 - 1], registry->generation);
}

void mdg__slot_await_birth(const struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	struct mdg__process *process = &registry->processes[slot];
	uint32_t unborn = generation << 8 | MDG__SLOT_FORKING;
	const uint64_t end = mdg__boot_nanoseconds() + FORK_LASTS_NS;
	while (mdg__get32(&process->tag) == unborn) {
		if (mdg__boot_nanoseconds() >= end) {
			(void)atomic_compare_exchange_strong(&process->tag, &unborn,
			                                     generation << 8 | MDG__SLOT_DEAD);
			return;
		}
		(void)mdg__sys_futex_wait(&process->tag, unborn, true, FORK_LASTS_NS);
	}
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

/* ---- who is alive ------------------------------------------------------- */

static bool is_sharing(const struct mdg__registry *registry, uint32_t slot)
{
	return (mdg__get32(&registry->processes[slot].forking) & MDG__SHARING) != 0;
}

/* The byte lock: 1 held, 0 free, negative: our own descriptor is lost and
 * cannot be had again. */
static int ask_lock(struct mdg__registry *registry, uint32_t slot)
{
	int held = mdg__sys_byte_is_locked(registry->fd, byte_of(registry, slot));
	if (held > 0)
		return held;
	/* "Free" may be the answer about another file: the program can have put
	 * one in our descriptor's place. Believe it only of the registry. */
	uint32_t before = registry->openings;
	int fd = mdg__registry_fd(registry, false);
	if (fd < 0)
		return fd;
	if (held == 0 && registry->openings == before)
		return 0;
	registry->lost = 1;
	return mdg__sys_byte_is_locked(fd, byte_of(registry, slot));
}

/* Asks for the process itself. */
static enum mdg__answer ask_process(const struct mdg__registry *registry,
                                    const struct mdg__process *process)
{
	uint64_t boot = mdg__get64(&process->boot);
	uint64_t namespace = mdg__get64(&process->pid_namespace);
	uint64_t mapped_at = mdg__get64(&process->mapped_at);
	int32_t pid = (int32_t)mdg__get32(&process->pid);
	if (boot != registry->boot)
		return MDG__NO;
	if (namespace != registry->pid_namespace || namespace == 0)
		return MDG__CANNOT_TELL;
	if (pid == mdg__pid() && mapped_at == (uint64_t)(uintptr_t)registry->head)
		return MDG__NO; /* that is our map, not the one of the program before exec */
	return mdg__process_maps(pid, mdg__get64(&process->born_before), mapped_at,
	                         registry->inode);
}

bool mdg__slot_alive(struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	struct mdg__process *process = &registry->processes[slot];
	for (;;) {
		uint32_t tag = mdg__get32(&process->tag);
		if (tag >> 8 != generation || (tag & 0xff) == MDG__SLOT_FREE ||
		    (tag & 0xff) == MDG__SLOT_DEAD || (tag & 0xff) == MDG__SLOT_INHERITED)
			return false;
		if (mdg__slot_is_own(registry, slot))
			return true;
		int held = ask_lock(registry, slot);
		/* A description is not shown the locks that it holds itself. */
		if (held == 0 && is_sharing(registry, slot) && registry->slot1 != 0 &&
		    is_sharing(registry, registry->slot1 - 1))
			held = 1;
		bool forking = (tag & 0xff) == MDG__SLOT_FORKING;
		if (held > 0 && (forking || mdg__get32(&process->forking) == 0))
			return true;
		/* Held, but perhaps by a child: dead if the process is seen to be.
		 * Free: alive if it is seen to live. Without a descriptor nothing is
		 * known of the lock: dead only if it is seen to be. */
		enum mdg__answer answer = forking ? MDG__NO : ask_process(registry, process);
		bool alive =
			held == 0 ? answer == MDG__YES : answer != MDG__NO || (held < 0 && forking);
		/* A child may have grown up between the two questions. */
		if (alive || mdg__get32(&process->tag) == tag)
			return alive;
	}
}

bool mdg__slot_at_work(struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	uint32_t tag = mdg__get32(&registry->processes[slot].tag);
	if (tag != (generation << 8 | MDG__SLOT_INHERITED))
		return mdg__slot_alive(registry, slot, generation);
	return mdg__slot_is_own(registry, slot) || ask_lock(registry, slot) != 0;
}

/* Whoever is inside has all signals blocked, and the kernel says whose are. A
 * slot whose pid is of nobody that maps the registry was scribbled over. */
bool mdg__slot_may_be_inside(struct mdg__registry *registry, uint32_t slot)
{
	const struct mdg__process *process = &registry->processes[slot];
	if (mdg__slot_is_own(registry, slot))
		return mdg__process_blocks_signals(mdg__pid(), mdg__tid()) != MDG__NO;
	enum mdg__answer answer = ask_process(registry, process);
	if (answer == MDG__YES)
		answer = mdg__process_blocks_signals((int32_t)mdg__get32(&process->pid), 0);
	return answer != MDG__NO;
}
