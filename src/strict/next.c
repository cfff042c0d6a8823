/* SPDX-License-Identifier: MIT */
/*
 * next.c - the definitions behind ours.
 *
 * dlsym() takes locks and may allocate. So all definitions are looked up when the library is
 * loaded. They are not there yet in one case: a constructor that runs before ours starts a program.
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
	(void)dlerror(); /* drops the text: some names are not in every C library */
}

void *mdg__strict_next(enum mdg__starter which)
{
	if (found[MDG__STARTER_EXECVE] == NULL)
		look_up();
	return found[which];
}
