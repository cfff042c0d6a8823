/* SPDX-License-Identifier: MIT */
/*
 * list.c - the list of all namespaces that this process has opened.
 *
 * A namespace object is added once and never removed: an attachment needs its
 * namespace until the process ends, and fork has to find them all. So a reader
 * may follow the list without a lock.
 */
#include "platform/epoch.h"
#include "segment/internal.h"

struct mdg_namespace *_Atomic mdg__namespaces;

void mdg__lists_enter(mdg__sigmask *ret_mask)
{
	mdg__signals_block(ret_mask);
	mdg__thread_lock(mdg__epoch_lock(MDG__LOCK_NAMESPACES));
}

void mdg__lists_leave(const mdg__sigmask *mask)
{
	mdg__thread_unlock(mdg__epoch_lock(MDG__LOCK_NAMESPACES));
	mdg__signals_restore(mask);
}
