/* SPDX-License-Identifier: MIT */
/*
 * library.c - which library a loader takes for a path with $LIB in it.
 *
 * What $LIB stands for is fixed when the C library is built. It differs from system to system, even
 * where the libraries lie in the same places: Debian's 32-bit loader has "lib/i386-linux-gnu", and
 * the 32-bit loader that comes with Debian's 64-bit compiler has "lib32". So this code reads the
 * loader's own file. The word is one of the strings in that file, and no other string there looks
 * like it.
 */
#include <fcntl.h>
#include <string.h>

#include "platform/sys.h"
#include "reach/reach.h"

/* "lib", "lib64", "lib32", "libx32", or "lib/" and a name with "-linux-gnu" in it. */
static bool looks_like_lib(const char *word)
{
	static const char *const plain[] = { "", "64", "32", "x32" };
	if (strncmp(word, "lib", 3) != 0)
		return false;
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (strcmp(word + 3, plain[i]) == 0)
			return true;
	return word[3] == '/' && strchr(word + 4, '/') == NULL &&
	       strstr(word, "-linux-gnu") != NULL;
}

bool mdg__loader_lib(const char *loader, char ret_lib[MDG__LIB_ROOM])
{
	char bytes[1024], word[MDG__LIB_ROOM] = "", found[MDG__LIB_ROOM] = "";
	size_t length = MDG__LIB_ROOM; /* of the word so far; MDG__LIB_ROOM: it is too long */
	uint64_t place = 0;
	int64_t got;
	int fd = mdg__sys_openat(AT_FDCWD, loader, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return false;
	while ((got = mdg__sys_pread(fd, bytes, sizeof bytes, place)) > 0) {
		for (int64_t i = 0; i < got; i++) {
			if (length < MDG__LIB_ROOM)
				word[length++] = bytes[i];
			if (bytes[i] != '\0')
				continue;
			/* The longest match wins: a bare "lib" may be there for other reasons. */
			if (length <= MDG__LIB_ROOM && length > 1 && word[length - 1] == '\0' &&
			    strlen(word) > strlen(found) && looks_like_lib(word))
				memcpy(found, word, length);
			length = 0;
		}
		place += (uint64_t)got;
	}
	(void)mdg__sys_close(fd);
	if (found[0] == '\0')
		return false;
	memcpy(ret_lib, found, MDG__LIB_ROOM);
	return true;
}

static bool append(char room[MDG__LIBRARY_ROOM], size_t *length, const char *text, size_t more)
{
	if (more >= MDG__LIBRARY_ROOM - *length)
		return false;
	memcpy(room + *length, text, more);
	*length += more;
	room[*length] = '\0';
	return true;
}

bool mdg__library_expand(char ret_path[MDG__LIBRARY_ROOM], const char *entry, size_t length,
                         const char *loader)
{
	char lib[MDG__LIB_ROOM] = "";
	size_t used = 0;

	for (size_t at = 0; at < length;) {
		const char *dollar = memchr(entry + at, '$', length - at);
		size_t plain = dollar != NULL ? (size_t)(dollar - entry) - at : length - at;
		if (!append(ret_path, &used, entry + at, plain))
			return false;
		at += plain;
		if (dollar == NULL)
			break;
		size_t name = length - at >= 6 && strncmp(dollar, "${LIB}", 6) == 0 ? 6
		              : length - at >= 4 && strncmp(dollar, "$LIB", 4) == 0 ? 4
		                                                                    : 0;
		if (name == 0 || (lib[0] == '\0' && !mdg__loader_lib(loader, lib)) ||
		    !append(ret_path, &used, lib, strlen(lib)))
			return false;
		at += name;
	}
	return used > 0;
}
