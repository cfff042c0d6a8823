/* SPDX-License-Identifier: MIT */
/*
 * forked.c - the pid of a child, as the caller of fork learns it.
 *
 * The handlers of fork.c prepare a slot for the child. The handler that runs in the parent does
 * not learn the child's pid. The child enters its pid as soon as it runs. If the child is killed
 * before that, the slot has no pid, and shm_lpid cannot say who died. So libmadang-sysv, which
 * sees fork return, passes the pid on (mdg__host_forked). Other threads may fork meanwhile, so the
 * namespace remembers a few children, each with the thread whose fork has prepared it. Nothing else
 * is written: each page that a fork writes to has to be copied.
 *
 * Not seen are forks of programs that use the native library alone, and those that the C library
 * makes itself (forkpty, daemon). Their children enter their pid themselves, or never.
 */
#include "platform/identity.h"
#include "segment/hostcalls.h"
#include "segment/internal.h"

static bool is_of(const struct mdg__newborn *newborn, uint32_t thread)
{
	return atomic_load_explicit(&newborn->forker, memory_order_relaxed) == thread;
}

/* The child that this thread's last fork has prepared, or NULL. */
static struct mdg__newborn *find(struct mdg_namespace *ns, uint32_t thread)
{
	for (uint32_t i = 0; i < MDG__NEWBORN; i++)
		if (is_of(&ns->newborn[i], thread))
			return &ns->newborn[i];
	return NULL;
}

/* [object lock] */
void mdg__forked_note(struct mdg_namespace *ns, uint32_t thread, bool prepared)
{
	struct mdg__newborn *newborn = find(ns, thread);
	if (newborn == NULL && prepared)
		newborn = &ns->newborn[ns->newborn_next++ % MDG__NEWBORN];
	if (newborn == NULL)
		return;
	newborn->slot = ns->child_slot;
	newborn->generation = ns->child_generation;
	atomic_store_explicit(&newborn->forker, prepared ? thread : 0, memory_order_relaxed);
}

/* Whether nothing is left to do: the slot has a pid, or belongs to another process by now. */
static bool has_name(const struct mdg__process *process, uint32_t generation)
{
	uint32_t tag = mdg__get32(&process->tag);
	enum mdg__process_state state = mdg__slot_state(tag);
	return mdg__tag_generation(tag) != generation || mdg__get32(&process->pid) != 0 ||
	       (state != MDG__SLOT_FORKING && state != MDG__SLOT_DEAD);
}

/* [object lock] */
static void name_child(struct mdg_namespace *ns, const struct mdg__newborn *newborn, int32_t pid)
{
	struct mdg__process *process = &ns->registry.processes[newborn->slot];
	uint32_t none = 0;
	/* A slot is given back only with the writer lock, so it stays this child's meanwhile. */
	if (has_name(process, newborn->generation) || ns->registry.slot1 == 0 ||
	    mdg__lock(&ns->registry) != 0)
		return; /* the first of these: the child was faster */
	if (!has_name(process, newborn->generation))
		(void)atomic_compare_exchange_strong(&process->pid, &none, (uint32_t)pid);
	mdg__unlock(&ns->registry);
}

static void name_newborn(struct mdg_namespace *ns, uint32_t thread, int32_t pid)
{
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	mdg__enter_blocked(ns);
	struct mdg__newborn *newborn = find(ns, thread);
	if (newborn != NULL) { /* else others have forked too often since */
		name_child(ns, newborn, pid);
		atomic_store_explicit(&newborn->forker, 0, memory_order_relaxed);
	}
	mdg__leave_blocked(ns);
	mdg__signals_restore(&mask);
}

void mdg__host_forked(int pid)
{
	struct mdg_namespace *ns = atomic_load(&mdg__namespaces);
	uint32_t thread = ns == NULL ? 0 : (uint32_t)mdg__tid();
	for (; ns != NULL; ns = ns->next)
		if (find(ns, thread) != NULL)
			name_newborn(ns, thread, pid);
}
