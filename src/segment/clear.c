/* SPDX-License-Identifier: MIT */
/*
 * clear.c - clearing away objects that nobody has any more.
 *
 * The registry lists the entries that this process is to clear (struct
 * mdg__clearing). Their files are unlinked without the writer lock, because
 * that can take long. Then their entries are freed, with the lock.
 */
#include <errno.h>

#include "registry/clearing.h"
#include "registry/object.h"
#include "segment/internal.h"

void mdg__clear(struct mdg_namespace *ns, struct mdg__clearing *clearing)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t refused = 0; /* a bit for each */
	_Static_assert(sizeof clearing->list / sizeof clearing->list[0] <= 32, "bits");
	for (uint32_t i = 0; i < clearing->count; i++)
		if (mdg__object_is_own_work(registry, clearing->list[i].class,
		                            clearing->list[i].index) &&
		    mdg__data_unlink(ns, clearing->list[i].class, clearing->list[i].index) ==
		            -EPERM)
			refused |= UINT32_C(1) << i;
	if (clearing->count == 0 || mdg__lock(registry) < 0)
		return; /* a damaged registry: the entries stay BUSY for the repair */
	for (uint32_t i = 0; i < clearing->count; i++)
		if (refused >> i & 1)
			mdg__object_leave_clearing(registry, clearing->list[i].class,
			                           clearing->list[i].index);
		else
			mdg__object_end_clearing(registry, clearing->list[i].class,
			                         clearing->list[i].index);
	mdg__unlock(registry);
	clearing->count = 0;
}
