/* SPDX-License-Identifier: MIT */
/*
 * preload.c - where libmadang-sysv lies.
 *
 * $MADANG_PRELOAD if it is set; else beside the tool, so that a build tree and an installation
 * that was moved as a whole both work; else where it was to be installed.
 *
 * If the directory is the one that $LIB stands for, and a library of another word size lies in a
 * sister directory, the path is given with $LIB: each program's loader then takes the one that it
 * can load. What $LIB stands for is asked of the loader itself (src/reach/library.c).
 */
#include "base/tool.h"

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

/* The loader that this program was started by, and so those that are like it. */
static const char *own_loader(void)
{
	const struct mdg__image *self = tool_image();
	return self != NULL ? self->loader : "";
}

/* Not one of another word size, where "lib" holds those. */
static bool is_like_us(const char *candidate)
{
	const struct mdg__image *self = tool_image();
	struct mdg__image library;

	return self == NULL || !mdg__image_read(candidate, &library) ||
	       mdg__image_is_like(self, &library);
}

/* ---- both word sizes ---------------------------------------------------- */

/* Whether the library is in another directory below `prefix`, too. */
static bool has_sister(const char *prefix, size_t length, const char *lib)
{
	static const char *const others[] = { "lib",
		                              "lib64",
		                              "lib32",
		                              "libx32",
		                              "lib/x86_64-linux-gnu",
		                              "lib/i386-linux-gnu",
		                              "lib/x86_64-linux-gnux32",
		                              "lib/aarch64-linux-gnu",
		                              "lib/arm-linux-gnueabihf",
		                              "lib/arm-linux-gnueabi" };
	char path[4096];

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		int wanted = snprintf(path, sizeof path, "%.*s%s/" LIBRARY, (int)length, prefix,
		                      others[i]);
		if (wanted > 0 && (size_t)wanted < sizeof path && strcmp(others[i], lib) != 0 &&
		    access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* Cuts a directory's path before the part that $LIB may stand for, which begins with "lib": the
 * last name, or the last two ("lib/x86_64-linux-gnu"). The length of what is before that part; 0:
 * there is no such part. */
static size_t before_lib(const char *path, size_t length)
{
	size_t start = length;

	for (int names = 0; names < 2; names++) {
		while (start > 0 && path[start - 1] != '/')
			start--;
		if (start > 0 && strncmp(path + start, "lib", 3) == 0)
			return start;
		if (start-- == 0)
			break;
	}
	return 0;
}

/* Replaces the directory by $LIB where that serves programs of another word size. To ask the loader
 * means to read its whole file, so that comes last. */
static void make_template(char *room, size_t size)
{
	char lib[MDG__LIB_ROOM], own[4096], name[256];
	char *file = strrchr(room, '/');
	size_t prefix = file != NULL ? before_lib(room, (size_t)(file - room)) : 0;

	if (prefix == 0)
		return;
	snprintf(own, sizeof own, "%.*s", (int)((size_t)(file - room) - prefix), room + prefix);
	if (!has_sister(room, prefix, own) || !mdg__loader_lib(own_loader(), lib) ||
	    strcmp(own, lib) != 0)
		return;
	snprintf(name, sizeof name, "%s", file);
	snprintf(room + prefix, size - prefix, "$LIB%s", name);
}

bool preload_is_readable(const char *entry)
{
	char path[MDG__LIBRARY_ROOM];

	/* If it cannot be told which file is meant, who named it knows. */
	return !mdg__library_expand(path, entry, strlen(entry), own_loader()) ||
	       access(path, R_OK) == 0;
}

bool preload_is(const char *entry, size_t length, const char *library)
{
	char expanded[MDG__LIBRARY_ROOM], ours[MDG__LIBRARY_ROOM];

	if (length == strlen(library) && strncmp(entry, library, length) == 0)
		return true;
	return (memchr(entry, '$', length) != NULL || strchr(library, '$') != NULL) &&
	       mdg__library_expand(expanded, entry, length, own_loader()) &&
	       mdg__library_expand(ours, library, strlen(library), own_loader()) &&
	       strcmp(expanded, ours) == 0;
}

/* ---- looking ----------------------------------------------------------- */

/* What the caller named. It becomes absolute, because the program and its children may change the
 * directory. */
static bool take_wanted(char *room, size_t size, const char *wanted)
{
	char directory[4096];

	if (wanted[0] == '/' || getcwd(directory, sizeof directory) == NULL)
		snprintf(room, size, "%s", wanted);
	else
		snprintf(room, size, "%s/%s", directory, wanted);
	if (strchr(room, '$') == NULL) {
		char *real = wanted[0] != '/' ? realpath(wanted, NULL) : NULL;
		if (real != NULL)
			snprintf(room, size, "%s", real);
		free(real);
		return access(room, R_OK) == 0;
	}
	return preload_is_readable(room);
}

/* Beside the tool: in one of `near`, from the tool's directory. */
static bool take_near(char *room, size_t size, const char *own, const char *near)
{
	char candidate[4096 + 256];

	snprintf(candidate, sizeof candidate, "%s/%s/" LIBRARY, own, near);
	return own[0] != '\0' && is_like_us(candidate) && take_if_readable(room, size, candidate);
}

/* Where $LIB of the loader leads to. */
static bool take_lib(char *room, size_t size, const char *own)
{
	char lib[MDG__LIB_ROOM], near[MDG__LIB_ROOM + 4];

	if (!mdg__loader_lib(own_loader(), lib))
		return false;
	snprintf(near, sizeof near, "../%s", lib);
	return take_near(room, size, own, near);
}

bool preload_find(char *room, size_t size)
{
	static const char *const near[] = { "../lib", MADANG_LIBDIR_FROM_BIN };
	const char *wanted = getenv("MADANG_PRELOAD");
	char own[4096];
	bool found = false;

	if (wanted != NULL && wanted[0] != '\0')
		return take_wanted(room, size, wanted);
	own_directory(own, sizeof own);
	for (size_t i = 0; !found && i < sizeof near / sizeof near[0]; i++)
		found = take_near(room, size, own, near[i]);
	if (found || take_lib(room, size, own) ||
	    take_if_readable(room, size, MADANG_LIBDIR "/" LIBRARY)) {
		make_template(room, size);
		return true;
	}
	snprintf(room, size, "%s/../lib, " MADANG_LIBDIR, own);
	return false;
}
