/* SPDX-License-Identifier: MIT */
/*
 * file.c - writes a file so that a reader sees the old one or the new one, and never a half.
 *
 * The text goes to another file in the same directory, whose name is that of the file with a dot
 * and six letters behind it. At last that file is renamed. A name that leads elsewhere by a
 * symbolic link is followed first, so that the link stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tool.h"

static int fail(const char *path, int code)
{
	char room[NAMESPACE_PATH_ROOM];

	complain("cannot write %s: %s", show_text(room, sizeof room, path), strerror(code));
	if (code == EACCES || code == EPERM || code == EROFS)
		advise("Choose a file in a directory in which you may make files.");
	else if (code == ENOENT)
		advise("Make the directory of the file first.");
	return TOOL_TROUBLE;
}

/* What the new file's mode is to be: that of the old one, or what the umask leaves. */
static mode_t mode_of(const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0)
		return status.st_mode & 0777;
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static int begin_directly(struct output_file *ret, const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	ret->stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (ret->stream != NULL)
		return TOOL_OK;
	int code = errno;
	if (fd >= 0)
		close(fd);
	return fail(path, code);
}

static int begin_beside(struct output_file *ret, const char *path)
{
	char *real = realpath(path, NULL); /* NULL: it is not there yet */
	const char *target = real != NULL ? real : path;
	size_t room = strlen(target) + sizeof ".XXXXXX";

	ret->temporary = malloc(room);
	if (ret->temporary == NULL) {
		free(real);
		return fail(path, ENOMEM);
	}
	snprintf(ret->temporary, room, "%s.XXXXXX", target);
	mode_t mode = mode_of(target);
	free(real);
	int fd = mkostemp(ret->temporary, O_CLOEXEC);
	int code = errno;
	if (fd >= 0) {
		(void)fchmod(fd, mode);
		ret->stream = fdopen(fd, "w");
		if (ret->stream != NULL)
			return TOOL_OK;
		code = errno;
		close(fd);
		unlink(ret->temporary);
	}
	free(ret->temporary);
	ret->temporary = NULL;
	return fail(path, code);
}

int output_file_begin(struct output_file *ret, const char *path)
{
	struct stat status;

	*ret = (struct output_file){ .path = path };
	if (strcmp(path, "-") == 0) {
		ret->stream = stdout;
		return TOOL_OK;
	}
	if (path[0] == '\0')
		return fail(path, ENOENT);
	if (stat(path, &status) != 0)
		return begin_beside(ret, path);
	if (S_ISDIR(status.st_mode))
		return fail(path, EISDIR);
	return S_ISREG(status.st_mode) ? begin_beside(ret, path) : begin_directly(ret, path);
}

/* Closes it: 0, or why not all of it is written. */
static int finish(struct output_file *file)
{
	int code = 0;

	errno = 0;
	if (fflush(file->stream) != 0 || ferror(file->stream))
		code = errno != 0 ? errno : EIO;
	if (fclose(file->stream) != 0 && code == 0)
		code = errno;
	file->stream = NULL;
	return code;
}

/* Where the temporary file is to go: its name without what stands behind the last dot. */
static int rename_back(const char *temporary)
{
	char *target = strdup(temporary);
	int code = 0;

	if (target == NULL)
		return ENOMEM;
	target[strlen(target) - (sizeof ".XXXXXX" - 1)] = '\0';
	if (rename(temporary, target) != 0)
		code = errno;
	free(target);
	return code;
}

int output_file_keep(struct output_file *file)
{
	if (file->stream == stdout) /* output_finish looks whether all of it arrived */
		return TOOL_OK;
	int code = finish(file);
	if (code == 0 && file->temporary != NULL)
		code = rename_back(file->temporary);
	if (code != 0 && file->temporary != NULL)
		unlink(file->temporary);
	free(file->temporary);
	file->temporary = NULL;
	return code == 0 ? TOOL_OK : fail(file->path, code);
}

void output_file_drop(struct output_file *file)
{
	if (file->stream == NULL || file->stream == stdout)
		return;
	(void)fclose(file->stream);
	file->stream = NULL;
	if (file->temporary != NULL)
		unlink(file->temporary);
	free(file->temporary);
	file->temporary = NULL;
}
