/* SPDX-License-Identifier: MIT */
/*
 * look.c - how much memory this process has, from /proc/self.
 *
 * The files are read into a buffer that is there from the start: a look that allocated would see
 * itself.
 */
#include "bench/memory/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[1 << 20];

/* All of a file. */
static bool take(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t more = -1;

	if (file < 0)
		return false;
	while (length < sizeof text - 1 &&
	       (more = read(file, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)more;
	close(file);
	text[length] = '\0';
	return more == 0;
}

/* Adds a line of the kernel's, such as "Pss:    12 kB", to its number. */
static void add_line(const char *line, struct memory_look *look)
{
	static const char *const names[] = { [MEMORY_RESIDENT] = "Rss:",
		                             [MEMORY_SHARE] = "Pss:",
		                             [MEMORY_PRIVATE] = "Private_Dirty:" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(line, names[i], strlen(names[i])) == 0)
			look->number[i] += strtod(line + strlen(names[i]), NULL) * 1024;
}

/* The first line of a mapping begins with its addresses, in small letters; the others with a word
 * that begins with a capital one. */
static bool begins_mapping(const char *line)
{
	return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

static double descriptors(void)
{
	double count = 0;

	for (int i = 0; i < 1024; i++)
		count += fcntl(i, F_GETFD) >= 0;
	return count;
}

bool memory_look(const char *file, struct memory_look *ret_look)
{
	bool wanted = file == NULL;

	if (!take("/proc/self/smaps"))
		return false;
	*ret_look = (struct memory_look){ { 0 } };
	for (char *line = text, *next; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next == NULL)
			break;
		*next++ = '\0';
		if (begins_mapping(line)) {
			wanted = file == NULL || strstr(line, file) != NULL;
			ret_look->number[MEMORY_MAPPINGS] += wanted;
		} else if (wanted) {
			add_line(line, ret_look);
		}
	}
	ret_look->number[MEMORY_DESCRIPTORS] = file == NULL ? descriptors() : 0;
	return true;
}
