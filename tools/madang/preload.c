/* SPDX-License-Identifier: MIT */
/*
 * preload.c - where libmadang-sysv lies.
 *
 * $MADANG_PRELOAD if it is set; else beside the tool, so that a build tree and an installation
 * that was moved as a whole both work; else where it was to be installed.
 */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define LIBRARY "libmadang-sysv.so.0"

/* The directory of the running tool, or "". Without /proc: of the path that it was started by,
 * which the kernel leaves in the auxiliary vector. */
static void own_directory(char *room, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", room, size - 1);
	unsigned long started = getauxval(AT_EXECFN);
	char *real, *slash;

	room[length > 0 ? length : 0] = '\0';
	if (length <= 0 && started != 0 && (real = realpath((const char *)started, NULL)) != NULL) {
		snprintf(room, size, "%s", real);
		free(real);
	}
	slash = strrchr(room, '/');
	if (slash != NULL)
		*slash = '\0';
	else
		room[0] = '\0';
}

/* Turns dir/../lib/X into the path without detours, when it can be read. */
static bool take_if_readable(char *room, size_t size, const char *candidate)
{
	char *real;

	if (access(candidate, R_OK) != 0)
		return false;
	real = realpath(candidate, NULL);
	/* The link's name (.so.0) is kept where it can be: it is what people know. */
	if (real == NULL || strstr(candidate, "/../") == NULL) {
		snprintf(room, size, "%s", candidate);
	} else {
		const char *slash = strrchr(real, '/');
		snprintf(room, size, "%.*s/" LIBRARY, (int)(slash - real), real);
		if (access(room, R_OK) != 0)
			snprintf(room, size, "%s", real);
	}
	free(real);
	return true;
}

bool preload_find(char *room, size_t size)
{
	static const char *const near[] = { "../lib", MADANG_LIBDIR_FROM_BIN };
	const char *wanted = getenv("MADANG_PRELOAD");
	char own[4096], candidate[4096 + 256];

	if (wanted != NULL && wanted[0] != '\0') {
		/* Absolute, because the program and its children may change the directory. */
		char *real = wanted[0] != '/' ? realpath(wanted, NULL) : NULL;
		snprintf(room, size, "%s", real != NULL ? real : wanted);
		free(real);
		return access(wanted, R_OK) == 0;
	}
	own_directory(own, sizeof own);
	for (size_t i = 0; own[0] != '\0' && i < sizeof near / sizeof near[0]; i++) {
		snprintf(candidate, sizeof candidate, "%s/%s/" LIBRARY, own, near[i]);
		if (take_if_readable(room, size, candidate))
			return true;
	}
	if (take_if_readable(room, size, MADANG_LIBDIR "/" LIBRARY))
		return true;
	snprintf(room, size, "%s/../lib, " MADANG_LIBDIR, own);
	return false;
}
