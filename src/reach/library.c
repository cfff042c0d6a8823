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

/* What is known of a file's strings while its bytes come in. */
struct strings {
	bool inside;              /* a string that begins with "l" is coming in */
	char last;                /* the byte before those that come next */
	size_t length;            /* of that string; MDG__LIB_ROOM: it is too long */
	char word[MDG__LIB_ROOM]; /* that string */
	char found[MDG__LIB_ROOM];
};

/* The longest match wins: a bare "lib" may be there for other reasons. */
static void end_word(struct strings *strings)
{
	strings->inside = false;
	if (strings->length == MDG__LIB_ROOM || strings->length <= strlen(strings->found))
		return;
	strings->word[strings->length] = '\0';
	if (looks_like_lib(strings->word))
		memcpy(strings->found, strings->word, strings->length + 1);
}

static void add_to_word(struct strings *strings, const char *bytes, size_t count)
{
	if (count >= MDG__LIB_ROOM - strings->length) {
		strings->length = MDG__LIB_ROOM;
		return;
	}
	memcpy(strings->word + strings->length, bytes, count);
	strings->length += count;
}

/* Most bytes belong to no string that begins with "l". The C library's memchr passes over those
 * many at a time. */
static void take(struct strings *strings, const char *bytes, size_t count)
{
	for (size_t at = 0; at < count;) {
		if (!strings->inside) {
			const char *start = memchr(bytes + at, 'l', count - at);
			if (start == NULL)
				break;
			at = (size_t)(start - bytes);
			strings->inside = (at > 0 ? bytes[at - 1] : strings->last) == '\0';
			strings->length = 0;
			at += !strings->inside;
			continue;
		}
		const char *end = memchr(bytes + at, '\0', count - at);
		size_t more = end != NULL ? (size_t)(end - bytes) - at : count - at;
		add_to_word(strings, bytes + at, more);
		at += more;
		if (end != NULL)
			end_word(strings);
	}
	strings->last = bytes[count - 1];
}

bool mdg__loader_lib(const char *loader, char ret_lib[MDG__LIB_ROOM])
{
	char bytes[4096];
	struct strings strings = { .last = 'x' }; /* a string begins behind a NUL */
	uint64_t place = 0;
	int64_t got;
	int fd = mdg__sys_openat(AT_FDCWD, loader, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return false;
	while ((got = mdg__sys_pread(fd, bytes, sizeof bytes, place)) > 0) {
		take(&strings, bytes, (size_t)got);
		place += (uint64_t)got;
	}
	(void)mdg__sys_close(fd);
	if (strings.found[0] == '\0')
		return false;
	memcpy(ret_lib, strings.found, MDG__LIB_ROOM);
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
