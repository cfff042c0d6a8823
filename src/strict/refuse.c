/* SPDX-License-Identifier: MIT */
/* refuse.c - decides whether a program may be started, and says why not. See strict.h. */
#include "strict/strict.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "platform/text.h"
#include "reach/reach.h"

#if defined(__GLIBC__)
#define OUR_LIBC MDG__LIBC_GLIBC
#else
#define OUR_LIBC MDG__LIBC_MUSL
#endif

/* Writes one line by one call, so that lines of several processes do not mix. */
static void say(const char *path, const char *judged, enum mdg__reach reach)
{
	char name[1024];
	/* The program was given as a descriptor. The line says the name of the file behind it. */
	if (strncmp(path, "/proc/self/fd/", 14) == 0) {
		int64_t length = mdg__sys_readlink(path, name, sizeof name - 1);
		name[length > 0 ? length : 0] = '\0';
		path = length > 0 ? name : path;
	}
	const char *parts[] = { "madang run --strict: not started: ",
		                judged[0] != '\0' ? judged : path,
		                judged[0] != '\0' ? ", the interpreter of " : "",
		                judged[0] != '\0' ? path : "",
		                judged[0] != '\0' ? ", " : " ",
		                mdg__reach_reason(reach),
		                ". ",
		                mdg__reach_advice(reach),
		                " Or run without --strict.\n" };
	struct iovec line[sizeof parts / sizeof parts[0]];

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		char *text;
		memcpy(&text, &parts[i], sizeof text);
		line[i] = (struct iovec){ text, strlen(parts[i]) };
	}
	(void)mdg__sys_writev(2, line, sizeof parts / sizeof parts[0]);
}

/*
 * Whether the last line was about this file under another path. Shells try one path after the
 * other, and /bin may be /usr/bin. Then the line is not written again. A child of vfork remembers
 * the file in its parent's memory, so the pid is compared as well. If one thread overwrites what
 * another thread has remembered, a line is written once more.
 */
static bool was_said(const char *path)
{
	static _Atomic uint32_t said_file, said_path;
	struct stat status;

	if (mdg__sys_statat(AT_FDCWD, path, true, &status) != 0)
		return false;
	const uint64_t what[3] = { (uint64_t)status.st_dev, (uint64_t)status.st_ino,
		                   (uint64_t)mdg__pid() };
	uint32_t file = (uint32_t)mdg__hash(what, sizeof what);
	uint32_t name = (uint32_t)mdg__hash(path, strlen(path));
	if (said_file == file && said_path != name)
		return true;
	said_file = file;
	said_path = name;
	return false;
}

bool mdg__strict_allows(const char *path)
{
	char judged[MDG__LOADER_ROOM];
	const char *sysv = mdg__strict_sysv();

	if (sysv[0] == '\0' || path == NULL)
		return true;
	enum mdg__reach reach = mdg__reach_judge(path, sysv, OUR_LIBC, judged);
	if (reach == MDG__REACHED)
		return true;
	if (!was_said(path))
		say(path, judged, reach);
	return false;
}

static bool is_program(const char *path)
{
	struct stat status;
	return mdg__sys_statat(AT_FDCWD, path, true, &status) == 0 && S_ISREG(status.st_mode) &&
	       mdg__sys_may(path, X_OK) == 0;
}

bool mdg__strict_allows_name(const char *name)
{
	char path[4096];
	size_t length = name != NULL ? strlen(name) : 0;
	const char *search = getenv("PATH");

	if (length == 0 || strchr(name, '/') != NULL)
		return mdg__strict_allows(name);
	if (search == NULL)
		search = "/bin:/usr/bin"; /* what execvp takes then */
	for (;; search++) {
		size_t place = strcspn(search, ":");
		/* An empty entry of PATH means the current directory. */
		if (place + length + 2 < sizeof path) {
			memcpy(path, search, place);
			path[place] = '/';
			memcpy(path + place + (place > 0), name, length + 1);
			if (is_program(path))
				return mdg__strict_allows(path);
		}
		search += place;
		if (*search == '\0')
			return true; /* not there: the call will say so */
	}
}
