/* SPDX-License-Identifier: MIT */
/*
 * program.c - which file a command means, and whether a preload can reach it (src/reach).
 *
 * A program that a preload cannot reach would silently use the kernel's System V IPC, or find
 * none, so it is refused before it starts. What the program starts later is not looked at here.
 */
#include "base/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- looking a program up --------------------------------------------- */

static bool can_run(const char *path, const struct stat *status)
{
	return S_ISREG(status->st_mode) && access(path, X_OK) == 0;
}

static int judge_path(const char *name, struct program *ret_program)
{
	struct stat status;

	snprintf(ret_program->path, sizeof ret_program->path, "%s", name);
	if (strlen(name) >= sizeof ret_program->path)
		return TOOL_NOT_FOUND;
	if (stat(name, &status) != 0)
		return errno == ENOENT || errno == ENOTDIR ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE;
	return can_run(name, &status) ? 0 : TOOL_NOT_EXECUTABLE;
}

int program_find(const char *name, struct program *ret_program)
{
	const char *search = getenv("PATH");
	struct stat status;
	bool seen = false;

	if (name[0] == '\0')
		return TOOL_NOT_FOUND;
	if (strchr(name, '/') != NULL)
		return judge_path(name, ret_program);
	if (search == NULL)
		search = "/bin:/usr/bin"; /* what execvp takes then */
	for (;;) {
		size_t length = strcspn(search, ":");
		/* An empty entry is the current directory. */
		int wanted =
			snprintf(ret_program->path, sizeof ret_program->path, "%.*s/%s",
		                 length > 0 ? (int)length : 1, length > 0 ? search : ".", name);
		if (wanted > 0 && (size_t)wanted < sizeof ret_program->path) {
			bool is_there = stat(ret_program->path, &status) == 0;
			if (is_there && can_run(ret_program->path, &status))
				return 0;
			seen = seen || is_there;
		}
		if (search[length] == '\0')
			return seen ? TOOL_NOT_EXECUTABLE : TOOL_NOT_FOUND;
		search += length + 1;
	}
}

/* ---- the verdict ------------------------------------------------------ */

const struct mdg__image *tool_image(void)
{
	static struct mdg__image self;
	static bool asked, is_readable;

	if (!asked)
		is_readable = mdg__image_read("/proc/self/exe", &self);
	asked = true;
	return is_readable ? &self : NULL;
}

/* The library found beside the tool is of the tool's C library; one that was named with
 * MADANG_PRELOAD is the caller's own choice. */
static enum mdg__libc preload_libc(void)
{
	const char *chosen = getenv("MADANG_PRELOAD");
	const struct mdg__image *self;

	if ((chosen != NULL && chosen[0] != '\0') || (self = tool_image()) == NULL ||
	    !self->has_loader)
		return MDG__LIBC_ANY;
	return mdg__image_is_musl(self) ? MDG__LIBC_MUSL : MDG__LIBC_GLIBC;
}

enum mdg__reach program_reach(struct program *program, const char *preload)
{
	char judged[MDG__LOADER_ROOM];
	enum mdg__reach reach = mdg__reach_judge(program->path, preload, preload_libc(), judged);

	snprintf(program->judged, sizeof program->judged, "%s",
	         judged[0] != '\0' ? judged : program->path);
	return reach;
}
