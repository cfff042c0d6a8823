/* SPDX-License-Identifier: MIT */
/*
 * permission.c - who may what: the System V rules of the kernel's ipcperms().
 *
 * A caller belongs to one class: owner (effective uid is the owner's or the
 * creator's), group (effective or a supplementary gid is the owner's or the
 * creator's), or others. Only that class's bits count, though another's may be
 * wider. Capabilities are asked for last: it costs a system call, and nearly
 * everybody passes by the bits.
 */
#include <errno.h>

#include "platform/identity.h"
#include "segment/internal.h"

int mdg__permit(const struct mdg__entry *entry, unsigned ask)
{
	unsigned asked = (ask >> 6 | ask >> 3 | ask) & 7;
	unsigned granted = entry->mode;
	if (asked == 0)
		return 0;
	uint32_t uid = mdg__euid();
	if (uid == entry->cuid || uid == entry->uid)
		granted >>= 6;
	else if ((asked & ~granted) == 0 && (asked & ~(granted >> 3)) == 0)
		return 0; /* enough in either class: no need to ask for groups */
	else if (mdg__in_group(entry->cgid) || mdg__in_group(entry->gid))
		granted >>= 3;
	if ((asked & ~granted) == 0 || mdg__capable(MDG__CAP_IPC_OWNER))
		return 0;
	return -EACCES;
}

int mdg__permit_control(const struct mdg__entry *entry)
{
	uint32_t uid = mdg__euid();
	if (uid == entry->cuid || uid == entry->uid || mdg__capable(MDG__CAP_SYS_ADMIN))
		return 0;
	return -EPERM;
}
