/* SPDX-License-Identifier: MIT */
/*
 * name.h - the name of the segment with the copies, and what it says of itself.
 */
#ifndef MADANG_REPLICA_NAME_H
#define MADANG_REPLICA_NAME_H

#include <errno.h>
#include <string.h>

#include "replica/handle.h"

#define MDG__REPLICA_SUFFIX ".replica"

_Static_assert(sizeof MDG__REPLICA_SUFFIX - 1 == MDG_NAME_MAX - MDG_REPLICA_NAME_MAX, "");

/* NAME.replica, or -EINVAL. */
static inline int mdg__replica_name(const char *name, char ret[MDG_NAME_MAX + 1])
{
	size_t length = name == NULL ? 0 : strnlen(name, MDG_REPLICA_NAME_MAX + 1);
	if (length == 0 || length > MDG_REPLICA_NAME_MAX)
		return -EINVAL;
	memcpy(ret, name, length);
	memcpy(ret + length, MDG__REPLICA_SUFFIX, sizeof MDG__REPLICA_SUFFIX);
	return 0;
}

/* NAME, if this is NAME.replica; else false. */
static inline bool mdg__replica_name_of(const char *full, char ret[MDG_NAME_MAX + 1])
{
	size_t length = strlen(full), suffix = sizeof MDG__REPLICA_SUFFIX - 1;
	if (length <= suffix || strcmp(full + length - suffix, MDG__REPLICA_SUFFIX) != 0)
		return false;
	memcpy(ret, full, length - suffix);
	ret[length - suffix] = '\0';
	return true;
}

#endif
