/* SPDX-License-Identifier: MIT */
/*
 * forked.c - the pid of a child, as the caller of fork learns it.
 *
 * The handlers of fork.c prepare a slot for the child. The handler that runs in the parent does
 * not learn the child's pid. The child enters its pid as soon as it runs. If the child is killed
 * before that, the slot has no pid, and shm_lpid cannot say who died. So libmadang-sysv, which
 * sees fork return, passes the pid on (mdg__host_forked). Each thread remembers what its own fork
 * has prepared, because other threads may fork meanwhile.
 *
 * Not seen are forks of programs that use the native library alone, and those that the C library
 * makes itself (forkpty, daemon). Their children enter their pid themselves, or never.
 */
#include "platform/identity.h"
#include "platform/perthread.h"
#include "segment/hostcalls.h"
#include "segment/internal.h"

enum { PREPARED_MAX = 4 }; /* namespaces; in further ones the child enters its pid itself */

/* In the thread's page. */
struct prepared {
	struct mdg_namespace *ns; /* used only if it is still in the list */
	uint32_t slot, generation;
};
_Static_assert(PREPARED_MAX * sizeof(struct prepared) <= MDG__REGION_OF_FORK, "it has to fit");
static MDG__OF_THREAD uint32_t prepared_count;

static struct prepared *list_in(struct mdg__per_thread *page)
{
	return page == NULL ? NULL : (struct prepared *)(void *)page->of_fork;
}

void mdg__forked_begin(void)
{
	if (prepared_count != 0) /* a write would copy the page */
		prepared_count = 0;
}

/* [signals blocked] */
void mdg__forked_prepared(struct mdg_namespace *ns)
{
	struct prepared *prepared = list_in(mdg__per_thread_make((uint32_t)mdg__tid()));
	if (prepared == NULL || prepared_count == PREPARED_MAX)
		return;
	prepared[prepared_count].ns = ns;
	prepared[prepared_count].slot = ns->child_slot;
	prepared[prepared_count].generation = ns->child_generation;
	prepared_count++;
}

/* Whether nothing is left to do: the slot has a pid, or belongs to another process by now. */
static bool has_name(const struct mdg__process *process, uint32_t generation)
{
	uint32_t tag = mdg__get32(&process->tag);
	enum mdg__process_state state = mdg__slot_state(tag);
	return mdg__tag_generation(tag) != generation || mdg__get32(&process->pid) != 0 ||
	       (state != MDG__SLOT_FORKING && state != MDG__SLOT_DEAD);
}

/* [signals blocked, list lock] */
static void name_child(struct mdg_namespace *ns, uint32_t slot, uint32_t generation, int32_t pid)
{
	struct mdg__process *process = &ns->registry.processes[slot];
	uint32_t none = 0;
	if (has_name(process, generation))
		return; /* the child was faster */
	mdg__enter_blocked(ns);
	/* A slot is given back only with the writer lock, so it stays this child's meanwhile. */
	if (ns->registry.slot1 != 0 && mdg__lock(&ns->registry) == 0) {
		if (!has_name(process, generation))
			(void)atomic_compare_exchange_strong(&process->pid, &none, (uint32_t)pid);
		mdg__unlock(&ns->registry);
	}
	mdg__leave_blocked(ns);
}

void mdg__host_forked(int pid)
{
	mdg__sigmask mask;
	if (prepared_count == 0)
		return;
	const struct prepared *prepared = list_in(mdg__per_thread((uint32_t)mdg__tid()));
	mdg__lists_enter(&mask);
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		for (uint32_t i = 0; prepared != NULL && i < prepared_count; i++)
			if (prepared[i].ns == ns)
				name_child(ns, prepared[i].slot, prepared[i].generation, pid);
	prepared_count = 0;
	mdg__lists_leave(&mask);
}
