/* SPDX-License-Identifier: MIT */
/*
 * wrap_spawn.c - posix_spawn and its family, and the two calls that start a shell.
 *
 * posix_spawn returns its error, and leaves errno alone. A relative path is looked up from the
 * current directory, also where a file action is going to change that directory. The C library
 * starts the shell of system() and popen() by itself, with the process's own environment. So these
 * two calls first put back what is missing in that environment.
 */
#include "strict/strict.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHELL "/bin/sh"

/* pid_t and the descriptor of pidfd_spawn are both int. */
typedef int spawn_function(int *, const char *, const posix_spawn_file_actions_t *,
                           const posix_spawnattr_t *, char *const[], char *const[]);

struct spawning {
	const char *program;
	const posix_spawn_file_actions_t *actions;
	const posix_spawnattr_t *attributes;
	char *const *arguments;
	char *const *environment;
};

static int spawn(enum mdg__starter which, int *ret_id, struct spawning *spawning, bool by_name)
{
	spawn_function *next = MDG__STRICT_NEXT(spawn_function, which);
	struct mdg__kept kept;

	if (next == NULL)
		return ENOSYS;
	if (!(by_name ? mdg__strict_allows_name : mdg__strict_allows)(spawning->program))
		return EACCES;
	if (mdg__kept_measure(&kept, spawning->environment)) {
		if (kept.size > MDG__KEPT_MOST)
			return E2BIG;
		spawning->environment =
			mdg__kept_fill(&kept, spawning->environment, __builtin_alloca(kept.size));
	}
	return next(ret_id, spawning->program, spawning->actions, spawning->attributes,
	            spawning->arguments, spawning->environment);
}

#define DEFINE_SPAWN(name, which, by_name)                                                         \
	MDG__EXPORT int name(int *restrict ret_id, const char *restrict program,                   \
	                     const posix_spawn_file_actions_t *restrict actions,                   \
	                     const posix_spawnattr_t *restrict attributes,                         \
	                     char *const arguments[restrict], char *const environment[restrict]);  \
	MDG__EXPORT int name(int *restrict ret_id, const char *restrict program,                   \
	                     const posix_spawn_file_actions_t *restrict actions,                   \
	                     const posix_spawnattr_t *restrict attributes,                         \
	                     char *const arguments[restrict], char *const environment[restrict])   \
	{                                                                                          \
		struct spawning spawning = { program, actions, attributes, arguments,              \
			                     environment };                                        \
		return spawn(which, ret_id, &spawning, by_name);                                   \
	}

DEFINE_SPAWN(posix_spawn, MDG__STARTER_SPAWN, false)
DEFINE_SPAWN(posix_spawnp, MDG__STARTER_SPAWNP, true)
/* Since glibc 2.39. */
DEFINE_SPAWN(pidfd_spawn, MDG__STARTER_PIDFD_SPAWN, false)
DEFINE_SPAWN(pidfd_spawnp, MDG__STARTER_PIDFD_SPAWNP, true)

/* ---- by a shell -------------------------------------------------------------------- */

typedef int system_function(const char *);
typedef FILE *popen_function(const char *, const char *);

MDG__EXPORT int system(const char *command)
{
	if (command != NULL && !mdg__strict_allows(SHELL)) {
		errno = EACCES;
		return -1;
	}
	mdg__strict_restore();
	return MDG__STRICT_NEXT(system_function, MDG__STARTER_SYSTEM)(command);
}

MDG__EXPORT FILE *popen(const char *command, const char *mode)
{
	if (!mdg__strict_allows(SHELL)) {
		errno = EACCES;
		return NULL;
	}
	mdg__strict_restore();
	return MDG__STRICT_NEXT(popen_function, MDG__STARTER_POPEN)(command, mode);
}
