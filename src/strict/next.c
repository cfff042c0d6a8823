/* SPDX-License-Identifier: MIT */
/*
 * next.c - the definitions behind ours. dlsym() may allocate and takes locks, so all are looked up
 * when the library is loaded. Only a program that starts another one in a constructor that runs
 * before ours finds them not looked up yet.
 */
#include "strict/strict.h"

#include <dlfcn.h>

static const char *const names[MDG__NEXT_COUNT] = {
	[MDG__NEXT_EXECVE] = "execve",           [MDG__NEXT_EXECVPE] = "execvpe",
	[MDG__NEXT_FEXECVE] = "fexecve",         [MDG__NEXT_EXECVEAT] = "execveat",
	[MDG__NEXT_SPAWN] = "posix_spawn",       [MDG__NEXT_SPAWNP] = "posix_spawnp",
	[MDG__NEXT_PIDFD_SPAWN] = "pidfd_spawn", [MDG__NEXT_PIDFD_SPAWNP] = "pidfd_spawnp",
	[MDG__NEXT_SYSTEM] = "system",           [MDG__NEXT_POPEN] = "popen",
};
static void *found[MDG__NEXT_COUNT];

__attribute__((constructor)) static void look_up(void)
{
	for (int i = 0; i < MDG__NEXT_COUNT; i++)
		found[i] = dlsym(RTLD_NEXT, names[i]);
	(void)dlerror(); /* some are not there, which is nobody's error */
}

void *mdg__next(enum mdg__next which)
{
	if (found[MDG__NEXT_EXECVE] == NULL)
		look_up();
	return found[which];
}
