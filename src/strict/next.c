/* SPDX-License-Identifier: MIT */
/*
 * next.c - the definitions behind ours. dlsym() may allocate and takes locks, so all definitions
 * are looked up when the library is loaded. Only a program that starts another one in a constructor
 * that runs before ours finds them not looked up yet.
 */
#include "strict/strict.h"

#include <dlfcn.h>

static const char *const names[MDG__STARTER_COUNT] = {
	[MDG__STARTER_EXECVE] = "execve",           [MDG__STARTER_EXECVPE] = "execvpe",
	[MDG__STARTER_FEXECVE] = "fexecve",         [MDG__STARTER_EXECVEAT] = "execveat",
	[MDG__STARTER_SPAWN] = "posix_spawn",       [MDG__STARTER_SPAWNP] = "posix_spawnp",
	[MDG__STARTER_PIDFD_SPAWN] = "pidfd_spawn", [MDG__STARTER_PIDFD_SPAWNP] = "pidfd_spawnp",
	[MDG__STARTER_SYSTEM] = "system",           [MDG__STARTER_POPEN] = "popen",
};
static void *found[MDG__STARTER_COUNT];

__attribute__((constructor)) static void look_up(void)
{
	for (int i = 0; i < MDG__STARTER_COUNT; i++)
		found[i] = dlsym(RTLD_NEXT, names[i]);
	(void)dlerror(); /* some are not there, which is nobody's error */
}

void *mdg__strict_next(enum mdg__starter which)
{
	if (found[MDG__STARTER_EXECVE] == NULL)
		look_up();
	return found[which];
}
