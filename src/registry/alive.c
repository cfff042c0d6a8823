/* SPDX-License-Identifier: MIT */
/*
 * alive.c - whether the process of a slot lives.
 *
 * A process that attaches owns a slot. The process holds an open-file-description lock on
 * the first byte of the slot in the registry file. The kernel drops this lock with
 * the last copy of the descriptor: at any death, and at exec (close-on-exec).
 *
 * A process is alive if its byte is locked. A free byte does not prove a death,
 * because daemons close every descriptor that they find. So a free byte leads to a
 * second question, about the process itself: is there a process with this pid that
 * was started before the slot was taken, and does it still map the registry at the
 * address that the slot names? In another pid namespace, or where /proc does not
 * tell, the lock alone decides.
 *
 * A slot in state FORKING has no pid yet, so for it the lock alone decides. Until
 * a forked child has closed its copy of the parent's description, a locked byte does
 * not prove that the parent lives. The parent's slot counts such children
 * (`forking`). While there are any, the parent itself is asked as well. The slots of
 * processes that share one description for good are marked MDG__SHARING, and their
 * processes are always asked themselves.
 *
 * Asking costs a system call. Those who count attachments ask again and again. So a thread of each
 * process bears witness (sync/witness.h) in the process's slot, and the kernel marks that word
 * before it drops the lock. A process that was seen to live a moment ago, and whose witness is
 * not marked, lives on. If the word is marked, or the moment is over, the questions above are
 * asked. So the word alone is never believed for longer than 8 ms: a program can make its
 * robust list one that the kernel cannot follow. A witness of an earlier owner of the slot who
 * still lives, but was taken for dead, stays. Nobody bears witness there meanwhile.
 */
#include <errno.h>

#include "platform/identity.h"
#include "platform/procfs.h"
#include "platform/sys.h"
#include "registry/internal.h"
#include "sync/witness.h"

uint64_t mdg__slot_byte(const struct mdg__registry *registry, uint32_t slot)
{
	return registry->extent[MDG__PROCESSES].offset +
	       (uint64_t)slot * sizeof(struct mdg__process);
}

bool mdg__slot_is_own(const struct mdg__registry *registry, uint32_t slot)
{
	return registry->slot1 == slot + 1;
}

static bool is_sharing(const struct mdg__registry *registry, uint32_t slot)
{
	return (mdg__get32(&registry->processes[slot].forking) & MDG__SHARING) != 0;
}

/* Asks for the byte lock: 1 if it is held, 0 if it is free. Negative: this process has
 * lost its descriptor of the registry, and cannot open it again. */
static int ask_lock(struct mdg__registry *registry, uint32_t slot)
{
	int held = mdg__sys_byte_is_locked(registry->fd, mdg__slot_byte(registry, slot));
	if (held > 0)
		return held;
	/* "Free" may be the answer about another file: the program can have put one in
	 * the place of our descriptor. So it is believed only of the registry. */
	uint32_t before = registry->openings;
	int fd = mdg__registry_fd(registry, false);
	if (fd < 0)
		return fd;
	if (held == 0 && registry->openings == before)
		return 0;
	registry->lost = 1;
	return mdg__sys_byte_is_locked(fd, mdg__slot_byte(registry, slot));
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
		return MDG__NO; /* that is our own map; an earlier program's went with exec */
	return mdg__process_maps(pid, mdg__get64(&process->born_before), mapped_at,
	                         registry->inode);
}

bool mdg__slot_alive(struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	struct mdg__process *process = &registry->processes[slot];
	for (;;) {
		uint32_t tag = mdg__get32(&process->tag);
		enum mdg__process_state state = mdg__slot_state(tag);
		if (mdg__tag_generation(tag) != generation || state == MDG__SLOT_FREE ||
		    state == MDG__SLOT_DEAD || state == MDG__SLOT_INHERITED)
			return false;
		if (mdg__slot_is_own(registry, slot))
			return true;
		int held = ask_lock(registry, slot);
		/* The kernel does not show a description the locks that it holds itself. */
		if (held == 0 && is_sharing(registry, slot) && registry->slot1 != 0 &&
		    is_sharing(registry, registry->slot1 - 1))
			held = 1;
		bool forking = state == MDG__SLOT_FORKING;
		if (held > 0 && (forking || mdg__get32(&process->forking) == 0))
			return true;
		/* The byte is held, but perhaps by a child: the process is dead only if it is
		 * seen to be dead. The byte is free: the process is alive only if it is seen to
		 * live. Without a descriptor nothing is known of the lock: the process is dead
		 * only if it is seen to be dead. */
		enum mdg__answer answer = forking ? MDG__NO : ask_process(registry, process);
		bool alive =
			held == 0 ? answer == MDG__YES : answer != MDG__NO || (held < 0 && forking);
		/* A child may have grown up between the two questions. */
		if (alive || mdg__get32(&process->tag) == tag)
			return alive;
	}
}

/* What is remembered of a process that lives: who it is, and when it was seen. */
static uint64_t seen_now(uint32_t slot, uint32_t generation)
{
	enum { TICK_BITS = 23 }; /* of nanoseconds: 8 ms */
	const uint64_t ticks = (UINT64_C(1) << 25) - 1;
	uint64_t tick = mdg__coarse_nanoseconds() >> TICK_BITS;
	return (uint64_t)generation << 40 | (uint64_t)slot << 25 | (tick & ticks);
}

static bool is_witnessed(const struct mdg__process *process, uint32_t generation)
{
	return mdg__get32(&process->tag) == mdg__slot_tag(generation, MDG__SLOT_LIVE) &&
	       mdg__get32(&process->witness_generation) == generation &&
	       mdg__witness_stands(&process->witness);
}

bool mdg__slot_lives_on(struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	if (mdg__slot_is_own(registry, slot))
		return mdg__slot_alive(registry, slot, generation);
	mdg__a64 *seen = &registry->seen_alive[slot % MDG__SEEN_ALIVE];
	uint64_t now = seen_now(slot, generation);
	/* The witness is looked at after what was remembered, so it speaks of a later moment. */
	if (mdg__get64(seen) == now && is_witnessed(&registry->processes[slot], generation))
		return true;
	bool alive = mdg__slot_alive(registry, slot, generation);
	if (alive)
		atomic_store_explicit(seen, now, memory_order_release);
	return alive;
}

bool mdg__slot_is_witnessed(const struct mdg__registry *registry)
{
	return is_witnessed(&registry->processes[registry->slot1 - 1], registry->generation);
}

void mdg__slot_bear_witness(struct mdg__registry *registry)
{
	struct mdg__process *process = &registry->processes[registry->slot1 - 1];
	if (mdg__get32(&process->tag) == mdg__slot_tag(registry->generation, MDG__SLOT_LIVE) &&
	    mdg__witness_bear(&process->witness))
		atomic_store_explicit(&process->witness_generation, registry->generation,
		                      memory_order_release);
}

bool mdg__slot_at_work(struct mdg__registry *registry, uint32_t slot, uint32_t generation)
{
	uint32_t tag = mdg__get32(&registry->processes[slot].tag);
	if (tag != mdg__slot_tag(generation, MDG__SLOT_INHERITED))
		return mdg__slot_alive(registry, slot, generation);
	return mdg__slot_is_own(registry, slot) || ask_lock(registry, slot) != 0;
}

/* A thread that is inside has all its signals blocked, and the kernel tells for each thread
 * whether it has. If no process with the slot's pid maps the registry, the slot was
 * scribbled over. */
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
