/* SPDX-License-Identifier: MIT */
/*
 * environment.c - a variable of the environment, without getenv(3).
 *
 * Shells have a getenv of their own, which looks at variables that are not exported. This walks the
 * array that the C library has. It is not safe beside a setenv in another thread, as getenv is not.
 */
#include "platform/environment.h"

#include <string.h>
#include <unistd.h>

#if defined(__BIONIC__)
#define VARIABLES environ
#else
#define VARIABLES __environ /* a program may have a variable of its own named `environ` */
extern char **__environ;
#endif

const char *mdg__environment(const char *name)
{
	size_t length = strlen(name);
	for (char **at = VARIABLES; at != NULL && *at != NULL; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return *at + length + 1;
	return NULL;
}
