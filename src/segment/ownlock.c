/* SPDX-License-Identifier: MIT */
/*
 * ownlock.c - what mlockall has locked of the library's own memory is unlocked again.
 *
 * mlockall(MCL_CURRENT) locks everything that is mapped. The library's own memory must not count
 * against the program's limit (platform/ownmap.h). What the program has attached stays locked.
 */
#include "segment/hostcalls.h"
#include "segment/internal.h"

void mdg__host_unlock_own(void)
{
	for (struct mdg_namespace *ns =
	             atomic_load_explicit(&mdg__namespaces, memory_order_acquire);
	     ns != NULL; ns = ns->next) {
		mdg__enter(ns);
		mdg__unlock_own(ns->registry.head, (size_t)ns->registry.length);
		mdg__unlock_own(ns, (size_t)((char *)ns->caches - (char *)ns) +
		                            ns->registry.segment_capacity * sizeof ns->caches[0]);
		if (ns->pieces != NULL)
			mdg__unlock_own(ns->pieces, ns->piece_room * (sizeof ns->pieces[0] +
			                                              sizeof(struct mdg__span)));
		mdg__mappings_unlock(ns);
		mdg__leave(ns);
	}
}
