/* SPDX-License-Identifier: MIT */
/*
 * hostidentity.c - before the program becomes another user: what it may not open any more then,
 * is opened now.
 *
 * A server begins as root, makes a set of semaphores, gives it to an ordinary user (IPC_SET) or
 * makes it with mode 0666, and becomes that user, often in each of its children. The kernel asks
 * for the mode of the set alone. But the directory of a private namespace is closed to that user.
 * So before such a change, while it can still be done,
 *
 *   - the process takes its slot, with a descriptor of the registry;
 *   - it maps the memory of each set and queue that other users may use, and keeps the file open,
 *     because the memory may have to grow (objectmemory.c);
 *   - it notes that from now on each of its children has to be given a slot in fork (fork.c).
 *
 * Nothing of this is an error for the program. What could not be opened is refused later (EACCES).
 * In a namespace that users share there is nothing to do: anybody may open the files there. Nor is
 * there in another user's namespace: root may be about to become this very user.
 */
#include "platform/epoch.h"
#include "platform/identity.h"
#include "registry/users.h"
#include "segment/datafile.h"
#include "segment/hostcalls.h"
#include "segment/internal.h"
#include "segment/objects.h"

/* A child of vfork has this very memory, and descriptors of its own. What it opened would be gone
 * in its parent. It is about to call exec. */
static bool is_vfork_child(const struct mdg_namespace *ns)
{
	return mdg__epoch_is(ns->epoch) && ns->pid != mdg__pid();
}

static bool may_others(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	return (entry->mode & 066) != 0 || entry->uid != mdg__my_id(&ns->registry, mdg__euid());
}

static void keep_objects(struct mdg_namespace *ns, enum mdg__class class)
{
	struct mdg__entry entry;
	uint32_t cursor = 0;
	while (mdg__object_next_entry(ns, class, &cursor, &entry) > 0) {
		if (may_others(ns, &entry) && mdg__memory_keep(ns, &entry) < 0)
			return;
	}
}

static void keep(struct mdg_namespace *ns)
{
	mdg__enter(ns);
	int rc = mdg__ensure_slot(ns);
	ns->may_leave = ns->may_leave || rc == 0;
	mdg__leave(ns);
	for (uint32_t class = MDG__SEGMENTS + 1; rc == 0 && class < MDG__CLASSES; class ++)
		keep_objects(ns, (enum mdg__class) class);
}

void mdg__host_identity_changing(void)
{
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		if (!ns->registry.look && !mdg__is_shared(ns) && !mdg__is_guest(ns) &&
		    !is_vfork_child(ns))
			keep(ns);
	}
}

void mdg__host_identity_watch(void)
{
	mdg__identity_watch();
}

void mdg__host_identity_changed(void)
{
	mdg__identity_changed();
}
